"""Formats of cells, both ways over whole spaces and large samples: read(write(g)) == g, in its written order."""

import csv
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from app.architecture.formats import FORMATS, formats_of, read_format, write_format
from app.space import Choice, Genotype, Grammar, SearchSpace, record
from app.space.zoo import (
    DARTS_OPERATIONS,
    amoebanet,
    chain,
    darts,
    enas_micro,
    nasbench201,
    nasbench301,
    nasnet,
    pnasnet,
    simple_cell,
)

DARTS = {"darts", "nasbench301", "naslib-darts"}
SPACES: dict[str, tuple[SearchSpace, set[str]]] = {
    "darts": (darts(), DARTS),
    "darts with none": (darts(none=True), {"darts", "nasbench301"}),
    "darts, two nodes": (darts(2), DARTS),
    "nasbench301": (nasbench301(), DARTS),
    "simple cell": (simple_cell(), {"darts", "cell-genotype"}),
    "nasnet": (nasnet(), {"darts", "nasnet-lists"}),
    "nasnet that also concatenates": (nasnet(combine=("add", "concat")), set()),
    "amoebanet": (amoebanet(), {"darts", "nasnet-lists"}),
    "pnasnet": (pnasnet(), {"darts", "nasnet-lists"}),
    "pnasnet, all blocks concatenated": (pnasnet(concat_all=True), {"darts", "nasnet-lists"}),
    "enas micro": (enas_micro(), {"darts", "nasnet-lists", "enas-micro"}),
    "enas micro, seven blocks": (enas_micro(7), {"darts", "nasnet-lists", "enas-micro"}),
    "nasbench201": (nasbench201(), {"nasbench201", "naslib-nasbench201"}),
    "nasbench201, five nodes": (nasbench201(5), {"nasbench201", "naslib-nasbench201"}),
    "nasbench201, other operations": (nasbench201(3, ("none", "conv_3x3")), {"nasbench201"}),
}
PAIRS = [(name, form) for name, (_, formats) in SPACES.items() for form in sorted(formats)]


@pytest.mark.parametrize("name", SPACES)
def test_formats_follow_from_the_grammar(name: str) -> None:
    space, formats = SPACES[name]
    assert {f.name for f in formats_of(space)} == formats | {"json"}


def test_a_renamed_space_keeps_its_formats() -> None:
    """Nothing asks for a name: a user's space with the same cells is written in the same ways."""
    edge = dict(darts().grammar.rules)
    grammar = Grammar({"mine": edge["darts"], "cell": edge["cell"]}, "mine")
    space = SearchSpace(name="mine", version=1, title="", paper="", grammar=grammar, skeletons={})
    assert {f.name for f in formats_of(space)} == DARTS | {"json"}
    odd = Grammar({"mine": record("cells", normal=Choice((record("cell"),)), reduce=record("cell"))}, "mine")
    space = SearchSpace(name="mine", version=1, title="", paper="", grammar=odd, skeletons={})
    assert {f.name for f in formats_of(space)} == {"json"}
    assert {f.name for f in formats_of(chain())}.isdisjoint(DARTS)


def assert_round_trip(space: SearchSpace, form: str, genotype: Genotype) -> object:
    written = write_format(space, form, genotype)
    found = read_format(space, form, json.loads(json.dumps(written)))
    assert found == genotype
    assert json.dumps(found) == json.dumps(genotype), "in its written order"
    assert write_format(space, form, found) == written
    return written


@pytest.mark.parametrize(("name", "form"), PAIRS)
def test_what_is_written_is_read_back(name: str, form: str) -> None:
    space, _ = SPACES[name]
    rng = Random(f"{name} {form}")
    for i in range(100):
        genotype = space.plan.sample_per_choice(rng) if i % 2 else space.plan.sample(rng, 1)[0]
        assert_round_trip(space, form, genotype)
    for index in (0, space.plan.size - 1):
        assert_round_trip(space, form, space.plan.unrank(index))


@pytest.mark.parametrize("name", SPACES)
def test_any_two_formats_of_a_space_convert(name: str) -> None:
    space, formats = SPACES[name]
    (genotype,) = space.plan.sample(Random(name), 1)
    written = {form: write_format(space, form, genotype) for form in formats}
    for source in formats:
        read = read_format(space, source, written[source])
        assert {form: write_format(space, form, read) for form in formats} == written


def many_darts(count: int) -> None:
    space, rng = darts(), Random(1)
    darts_text = FORMATS["darts"]
    for genotype in space.plan.sample(rng, count):
        assert darts_text.read(space, darts_text.write(space, genotype)) == genotype


def test_thousands_of_darts_genotypes_round_trip() -> None:
    many_darts(5_000)


@pytest.mark.slow
def test_a_hundred_thousand_darts_genotypes_round_trip() -> None:
    many_darts(100_000)


# -- NAS-Bench-201, whole ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table() -> list[str]:
    """The architecture strings of the benchmark, by its index."""
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if not folder:
        pytest.skip("CELLAR_BENCHMARK_TABLES does not say where the benchmark tables are")
    with gzip.open(Path(folder) / "nasbench201_cifar10_200ep.csv.gz", "rt") as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["index"]) for row in rows] == list(range(15_625))
    return [row["arch"] for row in rows]


def test_every_string_of_nasbench201_is_read_and_written_back(table: list[str]) -> None:
    space = nasbench201()
    ranks: list[int] = []
    for text in table:
        genotype = read_format(space, "nasbench201", text)
        assert write_format(space, "nasbench201", genotype) == text
        ranks.append(space.plan.rank(genotype))
    assert sorted(ranks) == list(range(15_625)), "every member once"
    assert ranks != sorted(ranks), "the benchmark's index is its own"


def test_every_list_of_naslib_is_read_and_written_back(table: list[str]) -> None:
    """Against the definition: NASLib's edges by their source, the string's by their target."""
    space = nasbench201()
    names = ["skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"]
    seen: set[tuple[int, ...]] = set()
    for text in table:
        genotype = read_format(space, "nasbench201", text)
        numbers = write_format(space, "naslib-nasbench201", genotype)
        assert isinstance(numbers, list)
        assert read_format(space, "naslib-nasbench201", numbers) == genotype
        a, b, c, d, e, f = [names[n] for n in numbers]  # 0->1 0->2 0->3 1->2 1->3 2->3
        assert text == f"|{a}~0|+|{b}~0|{d}~1|+|{c}~0|{e}~1|{f}~2|"
        seen.add(tuple(numbers))
    assert len(seen) == 15_625


# -- what others wrote ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "value", "other"),
    [
        (
            "naslib-nasbench201",
            [0, 1, 2, 3, 4, 0],
            "|skip_connect~0|+|none~0|nor_conv_1x1~1|+|nor_conv_3x3~0|avg_pool_3x3~1|skip_connect~2|",
        ),
    ],
)
def test_nasbench201_by_hand(form: str, value: object, other: str) -> None:
    assert write_format(nasbench201(), "nasbench201", read_format(nasbench201(), form, value)) == other


def test_orders_that_mean_nothing_read_as_one() -> None:
    """Either order of a node's two edges, and of the concatenated states, is the same cell of DARTS."""
    pairs = "('sep_conv_3x3', {}), ('skip_connect', {})"
    whole = "Genotype(normal=[{0}, {0}, {0}, {0}], normal_concat={1}, reduce=[{0}, {0}, {0}, {0}], reduce_concat={1})"
    one = whole.format(pairs.format(0, 1), "range(2, 6)")
    for text in (
        whole.format("('skip_connect', 1), ('sep_conv_3x3', 0)", "[5, 4, 3, 2]"),
        f"DARTS = {one}",
        one.replace("'", '"').replace("(2, 6)", "(2,6)").replace("), (", "),\n  ("),
        one.replace("range(2, 6)", "list(range(2, 6))").replace("], ", ",],"),
        one.replace(", normal_concat=range(2, 6)", "").replace(", reduce_concat=range(2, 6))", ", )"),
        one.replace("('sep_conv_3x3', 0)", "['sep_conv_3x3', 0]"),
    ):
        assert read_format(darts(), "darts", text) == read_format(darts(), "darts", one), text


@pytest.mark.parametrize("make", [darts, nasbench301])
def test_the_operations_of_darts_in_naslibs_order(make: Callable[[], SearchSpace]) -> None:
    first = [[0, k] if e % 2 == 0 else [1, k] for e, k in enumerate([0, 1, 2, 3, 4, 5, 6, 0])]
    text = write_format(make(), "darts", read_format(make(), "naslib-darts", [first, first]))
    for k, operation in enumerate(DARTS_OPERATIONS):
        assert f"('{operation}', {k % 2})" in str(text)
