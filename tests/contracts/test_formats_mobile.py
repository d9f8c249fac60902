"""Formats of mobile networks, both ways, and what they refuse and where."""

import csv
import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.architecture.formats import FormatError, formats_of, read_format, write_format
from app.space import Grammar, InvalidGenotype, Record, Repeat, SearchSpace, one_of, record
from app.space.zoo import (
    OFA_RESOLUTIONS,
    PROXYLESSNAS_OPERATIONS,
    chain,
    fbnet,
    mnasnet,
    mobilenet_ofa,
    nasbench_macro,
    proxylessnas,
)

SPACES = {
    "nasbench macro": (nasbench_macro(), "nasbench-macro"),
    "nasbench macro, five layers": (nasbench_macro(5), "nasbench-macro"),
    "fbnet": (fbnet(), "fbnet"),
    "fbnet, three blocks": (fbnet(4, ("skip", "k5_e6", "k3_e1")), "fbnet"),
    "proxylessnas": (proxylessnas(), "proxylessnas"),
    "proxylessnas, two stages": (proxylessnas((1, 3)), "proxylessnas"),
    "once-for-all": (mobilenet_ofa(), "ofa"),
    "once-for-all, resolutions": (mobilenet_ofa(OFA_RESOLUTIONS), "ofa"),
    "once-for-all, units that may be empty": (mobilenet_ofa((32, 64), 3, (0, 2)), "ofa"),
}


@pytest.mark.parametrize("name", SPACES)
def test_formats_follow_from_the_grammar(name: str) -> None:
    space, form = SPACES[name]
    assert [f.name for f in formats_of(space)] == ["json", form]


@pytest.mark.parametrize("space", [chain(), mnasnet()], ids=lambda s: s.name)
def test_other_spaces_are_not_written_so(space: SearchSpace) -> None:
    assert {"nasbench-macro", "fbnet", "proxylessnas", "ofa"}.isdisjoint(f.name for f in formats_of(space))


@pytest.mark.parametrize("name", SPACES)
def test_what_is_written_is_read(name: str) -> None:
    space, form = SPACES[name]
    for genotype in space.plan.sample(Random(name), 1_000):
        written = json.loads(json.dumps(write_format(space, form, genotype)))
        assert read_format(space, form, written) == genotype


@pytest.mark.slow
@pytest.mark.parametrize("name", ["once-for-all", "fbnet", "proxylessnas"])
def test_a_hundred_thousand_round_trips(name: str) -> None:
    space, form = SPACES[name]
    for genotype in space.plan.sample(Random(100), 100_000):
        assert read_format(space, form, write_format(space, form, genotype)) == genotype


def test_all_of_nasbench_macro() -> None:
    """Digits in the order of the grammar: a word is the rank in base three."""
    space = nasbench_macro()
    for index in range(space.plan.size):
        text = write_format(space, "nasbench-macro", space.plan.unrank(index))
        assert isinstance(text, str)
        assert int(text, 3) == index
        assert space.plan.rank(read_format(space, "nasbench-macro", text)) == index


def test_the_words_of_the_benchmark_are_the_members() -> None:
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if folder is None:
        pytest.skip("CELLAR_BENCHMARK_TABLES does not say where the benchmark tables are")
    space = nasbench_macro()
    with gzip.open(Path(folder) / "nasbench_macro_cifar10.csv.gz", "rt") as file:
        words = [row["arch"] for row in csv.DictReader(file)]
    members = [read_format(space, "nasbench-macro", word) for word in words]
    assert [write_format(space, "nasbench-macro", genotype) for genotype in members] == words
    assert {space.plan.rank(genotype) for genotype in members} == set(range(6_561))


def test_indices_of_published_lists() -> None:
    """Wu et al.'s blocks as HW-NAS-Bench counts them, Cai et al.'s as their search does."""
    space = fbnet()
    assert read_format(space, "fbnet", [0, 8, 1, 7, *[8] * 18]) == {
        "layers": ["k3_e1", "skip", "k3_e1_g2", "k5_e6", *["skip"] * 18]
    }
    found = read_format(proxylessnas((3,)), "proxylessnas", [3, 6, 4])
    assert found == {"layers": {"layer0": "mb6_k5", "layer1": "zero", "layer2": "mb3_k7"}}
    assert PROXYLESSNAS_OPERATIONS.index("mb6_k5") == 3


def test_what_a_unit_does_not_reach_says_nothing() -> None:
    """Of the 3^45 dictionaries all that spell one network are read as one, and it is written in one way."""
    space = mobilenet_ofa()
    rng = Random(5)
    for genotype in space.plan.sample(rng, 50):
        written: Any = write_format(space, "ofa", genotype)
        assert (len(written["ks"]), len(written["e"]), len(written["d"])) == (20, 20, 5)
        spelt: dict[str, Any] = {"ks": list(written["ks"]), "e": list(written["e"]), "d": written["d"]}
        for unit, depth in enumerate(written["d"]):
            for place in range(4 * unit + depth, 4 * unit + 4):
                assert (written["ks"][place], written["e"][place]) == (3, 3)
                spelt["ks"][place], spelt["e"][place] = rng.choice((3, 5, 7)), rng.choice((3, 4, 6))
        assert read_format(space, "ofa", spelt) == genotype


def test_a_number_stands_for_a_list_of_it() -> None:
    space = mobilenet_ofa()
    largest = {f"unit{i}": {"blocks": [{"kernel": 7, "expand": 6}] * 4} for i in range(5)}
    assert read_format(space, "ofa", {"wid": None, "ks": 7, "e": 6, "d": 4, "r": [224]}) == largest


def test_a_resolution_is_read_where_it_is_decided() -> None:
    space = mobilenet_ofa(OFA_RESOLUTIONS)
    for given in ([160], 160):
        found: Any = read_format(space, "ofa", {"ks": 3, "e": 3, "d": 2, "r": given})
        assert found["resolution"] == 160
    assert write_format(space, "ofa", found) == {"ks": [3] * 20, "e": [3] * 20, "d": [2] * 5, "r": [160]}


REFUSED: list[tuple[SearchSpace, str, Any, str]] = [
    (nasbench_macro(), "nasbench-macro", "22232220", "/3"),
    (nasbench_macro(), "nasbench-macro", "2221222x", "/7"),
    (nasbench_macro(), "nasbench-macro", 22212220, ""),
    (fbnet(), "fbnet", "0" * 22, ""),
    (fbnet(), "fbnet", [0] * 21 + [9], "/21"),
    (fbnet(), "fbnet", [0] * 21 + [True], "/21"),
    (fbnet(), "fbnet", [0] * 21 + [-1], "/21"),
    (proxylessnas(), "proxylessnas", [0] * 20, ""),
    (proxylessnas(), "proxylessnas", [0.5] * 21, "/0"),
    (mobilenet_ofa(), "ofa", [], ""),
    (mobilenet_ofa(), "ofa", {"ks": 3, "e": 3}, ""),
    (mobilenet_ofa(), "ofa", {"ks": [3] * 19, "e": 3, "d": 2}, "/ks"),
    (mobilenet_ofa(), "ofa", {"ks": 3, "e": 3, "d": [2, 2, 5, 2, 2]}, "/d/2"),
    (mobilenet_ofa(), "ofa", {"ks": 3, "e": 3, "d": 2, "r": 160}, "/r"),
    (mobilenet_ofa(), "ofa", {"ks": 3, "e": 3, "d": 2, "wid": 1.2}, "/wid"),
    (mobilenet_ofa(), "ofa", {"ks": 3, "e": 3, "d": 2, "a/b": 1}, "/a~1b"),
    (mobilenet_ofa(OFA_RESOLUTIONS), "ofa", {"ks": 3, "e": 3, "d": 2}, ""),
]


@pytest.mark.parametrize(("space", "form", "value", "pointer"), REFUSED)
def test_errors_point_at_their_place(space: SearchSpace, form: str, value: Any, pointer: str) -> None:
    with pytest.raises(FormatError) as caught:
        read_format(space, form, value)
    assert caught.value.pointer == pointer
    assert caught.value.message


@pytest.mark.parametrize(
    ("space", "form", "value", "pointer"),
    [
        (nasbench_macro(), "nasbench-macro", "2221222", "/layers"),
        (proxylessnas(), "proxylessnas", [6, *[0] * 20], "/layers/layer0"),
        (mobilenet_ofa(), "ofa", {"ks": 9, "e": 3, "d": 2}, "/unit0/blocks/0/kernel"),
        (mobilenet_ofa(), "ofa", {"ks": 3, "e": 3, "d": [2, 1, 2, 2, 2]}, "/unit1/blocks"),
        (mobilenet_ofa(OFA_RESOLUTIONS), "ofa", {"ks": 3, "e": 3, "d": 2, "r": 225}, "/resolution"),
    ],
)
def test_what_is_no_member_is_refused_as_one(space: SearchSpace, form: str, value: Any, pointer: str) -> None:
    with pytest.raises(InvalidGenotype) as caught:
        read_format(space, form, value)
    assert caught.value.faults[0].pointer == pointer


def test_layers_of_any_kind_are_written_by_their_names() -> None:
    """Which list counts follows from the names of the operations, not from how the layers are declared."""
    layers = Record("positions", (("a", one_of("identity", "mb6_k5")), ("b", one_of("mb3_k3"))))
    space = SearchSpace(
        name="mine",
        version=1,
        title="",
        paper="",
        grammar=Grammar({"mine": record("mobile", layers=layers)}, "mine"),
        skeletons={},
    )
    assert [f.name for f in formats_of(space)] == ["json", "nasbench-macro"]
    assert read_format(space, "nasbench-macro", "21") == {"layers": {"a": "mb6_k5", "b": "mb3_k3"}}
    lengths = Grammar({"mine": record("mobile", layers=Repeat(one_of("k3_e1", "skip"), (1, 2)))}, "mine")
    assert [f.name for f in formats_of(replace(space, grammar=lengths))] == ["json", "fbnet"]
