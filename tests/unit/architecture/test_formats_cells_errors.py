"""What is wrong in a text or document of cells is said where it stands, and nothing else is ever raised."""

import json
import time
from random import Random
from typing import Any

import pytest

from app.architecture.formats import FormatError, formats_of, read_format, write_format
from app.space import Genotype, InvalidGenotype, SearchSpace
from app.space.zoo import (
    DARTS_OPERATIONS,
    NASBENCH201_OPERATIONS,
    amoebanet,
    darts,
    enas_micro,
    nasbench201,
    nasbench301,
    nasnet,
    pnasnet,
    simple_cell,
)

PAIRS = "('sep_conv_3x3', 0), ('skip_connect', 1)"
CELL = f"[{PAIRS}, {PAIRS}, {PAIRS}, {PAIRS}]"
TEXT = f"Genotype(normal={CELL}, normal_concat=[2, 3, 4, 5], reduce={CELL}, reduce_concat=range(2, 6))"
STRING = "|none~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|"


def refused(space: SearchSpace, form: str, value: object) -> FormatError:
    with pytest.raises(FormatError) as caught:
        read_format(space, form, value)
    return caught.value


@pytest.mark.parametrize(
    ("found", "replacement", "at", "says"),
    [
        ("sep_conv_3x3', 0), ('skip_connect', 1)]", "sep_conv_9x9', 0), ('skip_connect', 1)]", "sep_conv_9x9", "no op"),
        ("'skip_connect', 1)]", "'skip_connect', 7)]", "7)", "node5 reads states 0 to 4, not 7"),
        ("'skip_connect', 1)]", "'skip_connect', 0)]", "0)], normal", "the two edges of node5 read one state, 0"),
        (f"[{PAIRS}, ", "[", "[('sep_conv_3x3', 0)", "8 pairs, not 6"),
        ("[2, 3, 4, 5]", "[2, 3, 4]", "[2, 3, 4]", r"all nodes, \[2, 3, 4, 5\], not \[2, 3, 4\]"),
        ("range(2, 6)", "range(2, 7)", "range(2, 7)", "not .2, 3, 4, 5, 6."),
        ("[2, 3, 4, 5]", "__import__('os')", "__import__", r"expected \[2, 3, ...\] or range"),
        (
            "('sep_conv_3x3', 0)",
            "('sep_conv_3x3', exit())",
            "('sep_conv_3x3', exit",
            r"expected \('operation', state\)",
        ),
        (", ('skip_connect', 1)]", "; ('skip_connect', 1)]", "; (", "expected a comma or ]"),
        ("reduce=", "normal=", "normal=", "normal is given twice"),
        ("Genotype(", "Genotype{", "Genotype{", r"expected Genotype\("),
        ("6))", "6)", "", "the text ends"),
        ("6))", "6)) # x", ") # x", r"expected a comma or the last \)"),
        (f", reduce={CELL}", "", "", "the field reduce is missing"),
    ],
)
def test_faults_of_a_darts_text(found: str, replacement: str, at: str, says: str) -> None:
    head, separator, tail = TEXT.rpartition(found) if "reduce" in found else TEXT.partition(found)
    assert separator
    text = head + replacement + tail
    with pytest.raises(FormatError, match=says) as caught:
        read_format(darts(), "darts", text)
    place = int(caught.value.pointer[1:])
    assert text[place:].startswith(at)
    assert (place == len(text)) == (at == "")


def test_unknown_operations_are_reported_with_what_is_known() -> None:
    error = refused(darts(), "darts", TEXT.replace("skip_connect", "none", 1))
    assert (error.value, error.allowed) == ("none", DARTS_OPERATIONS)
    assert TEXT[int(error.pointer[1:]) :].startswith("skip_connect")
    assert read_format(darts(none=True), "darts", TEXT.replace("skip_connect", "none", 1))


def test_the_concatenation_follows_from_the_space() -> None:
    """In NASNet's spaces it is what no block reads: state 2 is read here."""
    edges = "('conv_1x1', 0), ('conv_1x1', 2)"
    cell = f"[('conv_1x1', 0), ('conv_1x1', 1), {edges}, {edges}, {edges}, {edges}]"
    text = f"Genotype(normal={cell}, normal_concat=%s, reduce={cell}, reduce_concat=[3, 4, 5, 6])"
    assert read_format(nasnet(), "darts", text % "[3, 4, 5, 6]")
    error = refused(nasnet(), "darts", text % "range(2, 7)")
    assert "the states that no node reads" in error.message
    assert error.allowed == ([3, 4, 5, 6],)


@pytest.mark.parametrize("space", [simple_cell(), pnasnet()], ids=["simple cell", "pnasnet"])
def test_a_space_with_one_cell_wants_it_twice(space: SearchSpace) -> None:
    text = str(write_format(space, "darts", space.plan.unrank(0)))
    operation = "none" if "none" in text else "sep_conv_3x3"
    other = "skip_connect"
    changed = text[: text.index("reduce=")] + text[text.index("reduce=") :].replace(operation, other, 1)
    error = refused(space, "darts", changed)
    assert changed[int(error.pointer[1:]) :].startswith("reduce=")
    assert "the two differ" in error.message


@pytest.mark.parametrize(
    ("found", "replacement", "at", "says"),
    [
        ("skip_connect", "skip", "skip~1", "no operation 'skip'"),
        ("none~1", "none~2", "~2|nor", r"expected ~1\|"),
        ("|+|none", "||none", "|none", r"expected \+ and the part of node 2"),
        ("|none~0|+", "none~0|+", "none~0", r"expected \|"),
        ("~2|", "~2|+|none~0|", "+|none~0|", "expected the end"),
        ("+|nor_conv_1x1~0|none~1|nor_conv_3x3~2|", "", "", "the text ends"),
        ("none~0|+", "~0|+", "~0|+", "an operation from node 0 to node 1"),
    ],
)
def test_faults_of_a_nasbench201_string(found: str, replacement: str, at: str, says: str) -> None:
    text = STRING.replace(found, replacement, 1)
    with pytest.raises(FormatError, match=says) as caught:
        read_format(nasbench201(), "nasbench201", text)
    place = int(caught.value.pointer[1:])
    assert text[place:].startswith(at)
    assert (place == len(text)) == (at == "")


def changed(value: Any, path: str, new: Any) -> Any:
    """A copy of a document with one entry replaced, or left out (None)."""
    copy: Any = json.loads(json.dumps(value))
    inner: Any = copy
    *steps, last = path.split("/")[1:]
    for step in steps:
        inner = inner[int(step) if isinstance(inner, list) else step]
    key: Any = int(last) if isinstance(inner, list) else last
    if new is None:
        del inner[key]
    else:
        inner[key] = new
    return copy


P = "NetworkSelectorDatasetInfo:darts:"
DOCUMENTS = {
    "nasbench301": nasbench301(),
    "naslib-darts": darts(),
    "nasnet-lists": amoebanet(),
    "cell-genotype": simple_cell(),
    "naslib-nasbench201": nasbench201(),
}


@pytest.mark.parametrize(
    ("form", "path", "new", "pointer", "says"),
    [
        ("nasbench301", f"/{P}edge_normal_0", "none", f"/{P}edge_normal_0", "no operation 'none'"),
        ("nasbench301", f"/{P}edge_normal_0", 3, f"/{P}edge_normal_0", "expected a string"),
        ("nasbench301", f"/{P}edge_normal_0", None, f"/{P}edge_normal_0", "node 2 reads state 0"),
        ("nasbench301", f"/{P}edge_normal_13", "skip_connect", f"/{P}edge_normal_13", "no such entry"),
        ("nasbench301", f"/{P}inputs_node_normal_2", "0_1", f"/{P}inputs_node_normal_2", "no such entry"),
        ("nasbench301", f"/{P}inputs_node_reduce_4", "1_0", f"/{P}inputs_node_reduce_4", "two states that node 4"),
        ("nasbench301", f"/{P}inputs_node_reduce_4", None, f"/{P}inputs_node_reduce_4", "found null"),
        ("naslib-darts", "/1/3/1", 7, "/1/3/1", "0 to 6, found 7"),
        ("naslib-darts", "/1/3/0", 4, "/1/3/0", "node3 reads states 0 to 2, not 4"),
        ("naslib-darts", "/0/1/0", 0, "/0/1/0", "read one state, 0"),
        ("naslib-darts", "/0/1", [0, 1, 2], "/0/1", "a list of 2, found one of 3"),
        ("naslib-darts", "/0/7", None, "/0", "a list of 8, found one of 7"),
        ("naslib-darts", "/0/1/1", True, "/0/1/1", "found true"),
        ("nasnet-lists", "/reduce/operations/9", "separable_9x9_2", "/reduce/operations/9", "no operation"),
        ("nasnet-lists", "/reduce/hiddenstate_indices/2", 3, "/reduce/hiddenstate_indices/2", "from 0 to 2"),
        ("nasnet-lists", "/reduce/hiddenstate_indices/2", None, "/reduce/hiddenstate_indices", "a list of 10"),
        ("nasnet-lists", "/normal/used_hiddenstates/6", 1, "/normal/used_hiddenstates/6", "concatenates the blocks"),
        ("nasnet-lists", "/normal/operations", None, "/normal/operations", "the field operations is missing"),
        ("nasnet-lists", "/normal/other", [], "/normal/other", "unknown field 'other'"),
        ("cell-genotype", "/normal/2/0", "conv", "/normal/2/0", "no operation 'conv'"),
        ("cell-genotype", "/normal/2/3", 4, "/normal/2/3", "from 0 to 3"),
        ("cell-genotype", "/reduce/3", ["none", 0, "none", 1], "/reduce", "the two differ"),
        ("naslib-nasbench201", "/5", 5, "/5", "from 0 to 4"),
        ("naslib-nasbench201", "/5", None, "", "a list of 6"),
    ],
)
def test_faults_of_documents(form: str, path: str, new: object, pointer: str, says: str) -> None:
    space = DOCUMENTS[form]
    document = write_format(space, form, space.plan.unrank(0))
    assert read_format(space, form, document) == space.plan.unrank(0)
    error = refused(space, form, changed(document, path, new))
    assert error.pointer == pointer
    assert says in error.message


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("0 0 " * 20, "0", None),
        ("0 0 " * 19 + "0", "77", "operation 10 of 10 of the reduce cell"),
        ("0 0 " * 20 + "1", "80", "nothing after 40 numbers"),
        ("0 5 " + "0 0 " * 19, "2", "the numbers 0 to 4, not 5"),
        ("2 0 " + "0 0 " * 19, "0", "block2 reads states 0 to 1, not 2"),
        ("0 0 x " + "0 0 " * 19, "4", "a number, state 2 of 10 of the normal cell"),
        ("[" + "0, 0, " * 10 + "]\n[" + "0 0 " * 10 + "]", "0", None),
    ],
)
def test_numbers_of_enas(text: str, place: str, says: str | None) -> None:
    if says is None:
        assert read_format(enas_micro(), "enas-micro", text) == enas_micro().plan.unrank(0)
    else:
        error = refused(enas_micro(), "enas-micro", text)
        assert error.pointer == f"/{place}"
        assert says in error.message


def test_a_format_of_another_space_is_refused_with_those_of_this_one() -> None:
    error = refused(nasbench201(), "darts", TEXT)
    assert error.value == "darts"
    assert {"json", "nasbench201", "naslib-nasbench201"} <= set(error.allowed)


ANY: list[object] = [None, True, 3, -1, 1.5, "", "x" * 200_000, [], [[]], [1, 2], {}, {"normal": {}}, {"a": [None]}]
SPACES = [darts(), nasnet(), pnasnet(), enas_micro(), simple_cell(), nasbench201()]
EVERY = [(space, form.name) for space in SPACES for form in formats_of(space)]


@pytest.mark.parametrize(("space", "form"), EVERY, ids=[f"{s.name}-{f}" for s, f in EVERY])
def test_any_json_is_answered(space: SearchSpace, form: str) -> None:
    """Whatever comes in, and every small change of what is right, is a genotype or a pointed error."""
    rng = Random(f"{space.name} {form}")
    texts: list[object] = []
    for genotype in space.plan.sample(rng, 3):
        text = json.dumps(write_format(space, form, genotype))
        for _ in range(40):
            at = rng.randrange(1, len(text) - 1)
            other = text[:at] + rng.choice(["", "0", "9", "[", "]", ",", "'", "x", " "]) + text[at + rng.randrange(2) :]
            try:
                texts.append(json.loads(other))
            except json.JSONDecodeError:
                texts.append(other)
    for value in [*ANY, *texts]:
        try:
            genotype = read_format(space, form, value)
        except (FormatError, InvalidGenotype):
            continue
        assert space.plan.check(genotype) == ()


def test_long_texts_are_read_in_linear_time() -> None:
    blank = " " * 90_000
    texts = [
        (darts(), "darts", "Genotype(normal=[" + "('a', 0), " * 9_000),
        (darts(), "darts", f"Genotype({blank}normal"),
        (darts(), "darts", f"Genotype(normal=[('a', 0){blank}"),
        (darts(), "darts", "a" * 90_000),
        (darts(), "darts", "Genotype(normal=" + "[" * 90_000),
        (darts(), "darts", "Genotype(normal_concat=[" + "1, " * 30_000),
        (nasbench201(), "nasbench201", "|" + "none" * 20_000),
        (enas_micro(), "enas-micro", "0 0 " * 19 + blank),
    ]
    start = time.perf_counter()
    for space, form, text in texts:
        refused(space, form, text)
    assert time.perf_counter() - start < 2


def test_the_operations_of_nasbench201_are_all_written() -> None:
    edges = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
    genotype: Genotype = dict(zip(edges, ("none", *NASBENCH201_OPERATIONS), strict=True))
    assert write_format(nasbench201(), "naslib-nasbench201", genotype) == [1, 1, 3, 0, 2, 4]
