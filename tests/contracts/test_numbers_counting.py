"""Exact numbers of classes, against published figures and against listing every member of small spaces."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import permutations, product
from math import prod
from random import Random
from typing import Any

import numpy as np
import pytest

from app.space import Choice, Grammar, Record, SearchSpace, Subset, Value, one_of, record, space_size
from app.space.classes import canonical_rank, reading_of, readings_of
from app.space.classes.cells import cell_of, slots_of
from app.space.classes.symmetry import relabelling_classes
from app.space.classes.whole import are_whole, whole_wirings
from app.space.constraints import valid
from app.space.counting import estimated
from app.space.document import Equivalence
from app.space.errors import Unmet
from app.space.representatives import class_ranks, class_sample
from app.space.zoo import (
    amoebanet,
    darts,
    enas_micro,
    hierarchical,
    nasbench101,
    nasbench201,
    nasnet,
    pnasnet,
    simple_cell,
)


def unique(space: SearchSpace) -> dict[str | None, int]:
    return {size.equivalence: size.exact for size in space_size(space).unique}


def space_of(grammar: Grammar, *equivalences: str) -> SearchSpace:
    return SearchSpace(
        name="mine",
        version=1,
        title="",
        paper="",
        grammar=grammar,
        skeletons={},
        equivalences=tuple(map(Equivalence, equivalences)),
    )


# -- published spaces --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "classes"),
    [
        (nasnet(), 145_148_306_957_009_767_961_115_386_769),
        (amoebanet(), 9_905_855_783_806_307_416_326_400),
        (pnasnet(), 3_147_356_952_080),
        (enas_micro(), 983_159_844_659_835_386_896),
        (darts(), 146_021_935_250_523_556),
    ],
    ids=lambda x: x.name if isinstance(x, SearchSpace) else "",
)
def test_cells_up_to_the_order_of_their_nodes(space: SearchSpace, classes: int) -> None:
    """Five blocks: 56,700 wirings of each cell; the cells count separately."""
    started = time.process_time()
    assert unique(space)["relabelling"] == classes
    assert time.process_time() - started < 2


def test_one_operation_less_is_another_number() -> None:
    fewer = enas_micro(operations=("a", "b", "c", "d"))
    assert unique(fewer)["relabelling"] < unique(enas_micro())["relabelling"]
    assert unique(replace(fewer, name="enas_micro")) == unique(fewer), "no number belongs to a name"


def test_wirings_are_counted_alike_in_one_piece_and_in_many(monkeypatch: pytest.MonkeyPatch) -> None:
    space = simple_cell(4, ("a", "b", "c"))
    record = slots_of(space)[0].record
    assert record is not None
    cell = cell_of(space.grammar, record)
    assert cell is not None
    whole = relabelling_classes(cell)
    monkeypatch.setattr("app.space.classes.symmetry._AT_ONCE", 30)
    assert relabelling_classes(cell) == whole
    monkeypatch.setattr("app.space.classes.symmetry._AT_ONCE", 1)
    assert relabelling_classes(cell) == whole


# -- small spaces, every member listed ---------------------------------------------------------------------------------


def nodes_of(cell: Any) -> list[tuple[list[tuple[int, Any]], Any]]:
    """Of each node: its edges, and what else it decides."""
    found: list[tuple[list[tuple[int, Any]], Any]] = []
    for node in cell.values():
        if isinstance(node, list):
            edges, rest = node, []
        elif "input" in node:
            edges, rest = [node], []
        else:
            edges, rest = [node["left"], node["right"]], [v for k, v in node.items() if k not in ("left", "right")]
        found.append(([(e["input"], e.get("op", e.get("activation"))) for e in edges], rest))
    return found


def relabelled(cell: Any, inputs: int = 2) -> str:
    """The smallest of all relabellings of a cell, tried one by one."""
    nodes, written = nodes_of(cell), []
    for order in permutations(range(len(nodes))):
        names = {i: i for i in range(inputs)} | {inputs + old: inputs + new for new, old in enumerate(order)}
        image = {names[inputs + n]: (sorted((names[s], o) for s, o in e), rest) for n, (e, rest) in enumerate(nodes)}
        if all(source < node for node, (edges, _) in image.items() for source, _ in edges):
            written.append(str(sorted(image.items())))
    return min(written)


def edges_relabelled(cell: Any) -> str:
    last = max(int(name.split("->")[1]) for name in cell)
    written = []
    for order in permutations(range(1, last)):
        names = {0: 0, last: last, **dict(zip(range(1, last), order, strict=True))}
        image = sorted(
            (names[int(e.split("->")[0])], names[int(e.split("->")[1])], o) for e, o in cell.items() if o != "none"
        )
        if all(i < j and f"{i}->{j}" in cell for i, j, _ in image):
            written.append(str(image))
    return min(written)


def swapped(cell: Any) -> str:
    return str([(sorted(edges), rest) for edges, rest in nodes_of(cell)])


def both(form: Callable[[Any], str]) -> Callable[[Any], str]:
    return lambda genotype: str({name: form(cell) for name, cell in genotype.items()})


def edge(sources: int, *operations: str) -> Record:
    return record("edge", input=one_of(*range(sources)), op=one_of(*operations))


def uneven() -> Grammar:
    """The second node offers another operation, so that not every relabelled cell is one."""
    nodes = {
        "a": record("pair", left=edge(2, "x", "y"), right=edge(2, "x", "y")),
        "b": record("pair", left=edge(3, "y", "z"), right=edge(3, "y", "z")),
    }
    return Grammar({"cell": record("shared_cell", **nodes)}, "cell")


def gaps() -> Grammar:
    """An edge cell that lacks edges, some of which may be none."""
    edges = {"0->1": one_of("none", "a"), "0->2": one_of("none", "a", "b"), "1->3": one_of("a", "none")}
    edges |= {"0->3": one_of("b"), "2->3": one_of("none", "a"), "1->2": one_of("none", "b"), "2->4": one_of("a", "b")}
    return Grammar({"cell": Record("edge_cells", tuple(edges.items()))}, "cell")


def recurrent(steps: int) -> Grammar:
    nodes = {f"node{i}": record("step", input=one_of(*range(i)), activation=one_of("tanh", "relu")) for i in
             range(1, 1 + steps)}  # fmt: skip
    return Grammar({"cell": record("recurrent", **nodes)}, "cell")


def choosing() -> Grammar:
    """Blocks that decide how to combine and what to apply after."""
    more = {"combine": one_of("add", "concat"), "after": one_of("relu", "swish")}
    blocks = {f"b{n}": record("pair", left=edge(n, "a"), right=edge(n, "a"), **more) for n in (2, 3)}
    return Grammar({"cell": record("shared_cell", **blocks)}, "cell")


def beside() -> Grammar:
    """A cell beside a decision that is none of its own, and edges read by threes."""
    node = {2: 2, 3: 2, 4: 3}
    fields = tuple(
        (f"n{n}", Subset(tuple(record("edge", input=Value(i), op=one_of("a", "b")) for i in range(n)), k))
        for n, k in node.items()
    )
    return Grammar({"net": record("other", depth=one_of(1, 2, 3), cell=Record("cell", fields))}, "net")


SMALL: list[tuple[str, SearchSpace, str, Callable[[Any], str]]] = [
    ("blocks", pnasnet(2, ("a", "b")), "relabelling", both(relabelled)),
    ("blocks of three", pnasnet(3, ("a",)), "relabelling", both(relabelled)),
    ("blocks that also choose", nasnet(1, ("a",), combine=("add", "concat")), "relabelling", both(relabelled)),
    ("their operands", nasnet(2, ("a",), combine=("add", "concat")), "operand-swap", both(swapped)),
    ("pairs", simple_cell(3, ("a",)), "relabelling", relabelled),
    ("subsets", darts(3, ("a",)), "relabelling", both(relabelled)),
    ("an edge cell", nasbench201(4, ("none", "a")), "relabelling", edges_relabelled),
    ("uneven nodes", space_of(uneven(), "relabelling"), "relabelling", relabelled),
    ("uneven operands", space_of(uneven(), "operand-swap"), "operand-swap", swapped),
    ("edges missing", space_of(gaps(), "relabelling"), "relabelling", edges_relabelled),
    ("steps", space_of(recurrent(4), "relabelling"), "relabelling", lambda cell: relabelled(cell, 1)),
    ("nodes that also choose", space_of(choosing(), "relabelling"), "relabelling", relabelled),
    ("beside", space_of(beside(), "relabelling"), "relabelling",
     lambda g: f"{g['depth']} {relabelled(g['cell'])}"),
]  # fmt: skip


@pytest.mark.parametrize(("space", "equivalence", "form"), [s[1:] for s in SMALL], ids=[s[0] for s in SMALL])
def test_classes_of_small_spaces_are_those_of_every_member(
    space: SearchSpace, equivalence: str, form: Callable[[Any], str]
) -> None:
    """The count, the member that stands for each class, and how large each class is."""
    forms = [form(space.plan.unrank(index)) for index in range(space.plan.size)]
    first: dict[str, int] = {}
    for index, found in enumerate(forms):
        first.setdefault(found, index)
    reading, sizes = reading_of(space, equivalence), Counter(forms)
    chosen = Random(0).sample(range(len(forms)), min(300, len(forms)))
    for index in chosen:
        genotype = space.plan.unrank(index)
        assert canonical_rank(space, index, equivalence) == first[forms[index]]
        assert reading.orbit is not None
        assert reading.orbit(space, genotype) == sizes[forms[index]]
    assert unique(space)[equivalence] == len(first)


@pytest.mark.parametrize(
    ("space", "form"),
    [(simple_cell(6, ("a",)), relabelled), (nasbench201(8, ("none", "a")), edges_relabelled)],
    ids=["nodes", "edges"],
)
def test_cells_of_many_nodes_are_searched(space: SearchSpace, form: Callable[[Any], str]) -> None:
    """More orders than a table holds: the same canonical forms by a search."""
    rng, known = Random(0), {}
    for _ in range(6):
        genotype = space.plan.sample_per_choice(rng)
        lowest = canonical_rank(space, space.plan.rank(genotype))
        assert lowest <= space.plan.rank(genotype)
        assert form(space.plan.unrank(lowest)) == form(genotype)
        assert canonical_rank(space, lowest) == lowest
        assert known.setdefault(form(genotype), lowest) == lowest
    assert reading_of(space, "relabelling").orbit is None


def test_forms_of_edge_cells_have_a_canonical_member() -> None:
    """The lowest-ranked member of every class, under each of the readings that look at what a cell computes."""
    space = nasbench201(4, ("none", "skip_connect", "a"))
    for equivalence in ("nats-string", "functional", "pruned-isomorphism"):
        lowest = [canonical_rank(space, index, equivalence) for index in range(space.plan.size)]
        assert all(low <= index and lowest[low] == low for index, low in enumerate(lowest))
        assert len(set(lowest)) == unique(space)[equivalence]
        reading, sizes = reading_of(space, equivalence), Counter(lowest)
        assert reading.orbit is not None
        assert all(reading.orbit(space, space.plan.unrank(i)) == sizes[lowest[i]] for i in range(0, 729, 11))


def test_what_has_no_count_says_why() -> None:
    """A choice of cells is no cell of nodes."""
    options = Choice((record("cell", k=Value(1)), record("cell", k=Value(2))))
    space = space_of(Grammar({"net": record("cells", normal=options)}, "net"), "relabelling")
    (size,) = space_size(space).unique
    assert size.exact is size.log10 is size.estimate is None
    assert "nothing is known" in size.method


# -- estimates ---------------------------------------------------------------------------------------------------------


def test_an_estimate_is_unbiased_and_its_interval_holds() -> None:
    """95 % intervals around the exact number of classes: 100 of them, of which about five may miss."""
    space, exact = simple_cell(), 5_194_395_866
    reading = reading_of(space, "relabelling")
    assert reading.orbit is not None
    shares = [1 / reading.orbit(space, genotype) for genotype in space.plan.sample(Random(7), 10_000)]
    found = [estimated(space.plan.size, shares[i : i + 100], 0, "relabelling") for i in range(0, 10_000, 100)]
    held = [size.estimate.low <= exact <= size.estimate.high for size in found if size.estimate is not None]
    assert len(held) == 100
    assert sum(held) >= 88
    whole = estimated(space.plan.size, shares, 0, "relabelling").estimate
    assert whole is not None
    assert abs(whole.mean - exact) < 0.03 * exact


def test_cells_that_differ_are_estimated() -> None:
    """The second node offers other operations: no Burnside, but orbits."""
    nodes = {f"n{i}": record("pair", left=edge(i, "x", "y"), right=edge(i, "x", "y", "z")) for i in (2, 3, 4)}
    space = space_of(Grammar({"cell": record("shared_cell", **nodes)}, "cell"), "relabelling", "operand-swap")
    relabelling, swaps = space_size(space).unique
    assert relabelling.exact is swaps.exact is None
    assert space.plan.size > 20_000
    classes = len({canonical_rank(space, index, "operand-swap") for index in range(space.plan.size)})
    assert swaps.estimate is not None
    assert swaps.estimate.samples == 2_000
    assert swaps.estimate.low <= classes <= swaps.estimate.high


def test_a_sample_of_equals_has_an_interval_all_the_same() -> None:
    found = estimated(1_000, [1.0] * 100, 0, "x").estimate
    assert found is not None
    assert (found.low, found.mean, found.high) == (970, 1_000, 1_000)


# -- drawing classes ---------------------------------------------------------------------------------------------------


def rejecting(space: SearchSpace, equivalence: str) -> SearchSpace:
    """The same space, whose readings know no shorter way than to draw members."""
    fresh = replace(space)
    reading = readings_of(fresh)[equivalence]
    readings_of(fresh)[equivalence] = replace(reading, labelled=None)
    return fresh


DRAWN: list[tuple[str, SearchSpace, str]] = [
    ("nodes", simple_cell(2, ("a", "b")), "relabelling"),
    ("two cells", nasnet(1, ("a", "b")), "relabelling"),
    ("operands", simple_cell(2, ("a", "b")), "operand-swap"),
    ("an edge cell", nasbench201(3, ("none", "a", "b")), "relabelling"),
    ("edges", nasbench201(4, ("none", "a")), "relabelling"),
    ("functions", nasbench201(3, ("none", "skip_connect", "a")), "functional"),
    ("beside", space_of(beside(), "relabelling"), "relabelling"),
    ("graphs", nasbench101((2, 3, 4), ("a", "b")), "isomorphism"),
    ("graphs of one size", nasbench101((4,), ("a", "b")), "isomorphism"),
]


@pytest.mark.parametrize("short", [True, False], ids=["short", "rejecting"])
@pytest.mark.parametrize(("space", "equivalence"), [d[1:] for d in DRAWN], ids=[d[0] for d in DRAWN])
def test_classes_are_drawn_uniformly(space: SearchSpace, equivalence: str, short: bool) -> None:
    """Every class, by its canonical member; Pearson's statistic is below twice its degrees of freedom, plus some."""
    space = space if short else rejecting(space, equivalence)
    members = [index for index in range(space.plan.size) if valid(space)(index)]
    classes = {canonical_rank(space, index, equivalence) for index in members}
    draws = 12 * len(classes)
    ranks, acceptance = class_ranks(space, Random(11), draws, equivalence)
    found = Counter(ranks)
    assert set(found) <= classes
    assert 0 < acceptance <= 1
    assert len(ranks) == draws
    statistic = sum((found[c] - 12) ** 2 / 12 for c in classes)
    assert statistic < len(classes) + 5 * (2 * len(classes)) ** 0.5 + 10
    if len(classes) < 0.7 * len(members):  # members drawn without rejection favour large classes: the test can tell
        biased = Counter(canonical_rank(space, Random(i).choice(members), equivalence) for i in range(draws))
        assert sum((biased[c] - 12) ** 2 / 12 for c in classes) > statistic


def test_classes_of_large_spaces_are_drawn() -> None:
    """One of 35,000 members of NASNet's cells is canonical, one of 900 of NAS-Bench-101's: neither is waited for."""
    for space in (nasnet(), nasbench101(), darts()):
        started = time.process_time()
        drawn = class_sample(space, Random(0), 20)
        assert time.process_time() - started < 3
        for genotype in drawn.genotypes:
            index = space.plan.rank(genotype)
            assert canonical_rank(space, index) == index
            assert valid(space)(index)


def test_classes_that_are_too_rare_are_given_up() -> None:
    """720 names for six motifs: twenty members are found, a thousand are not waited for."""
    space = hierarchical()
    assert len(class_sample(space, Random(0), 5).genotypes) == 5
    with pytest.raises(Unmet) as raised:
        class_sample(space, Random(0), 1_000)
    assert raised.value.tried < 25_000


def test_whole_graphs_of_nasbench101() -> None:
    """1,293,208 labelled cells of 2 to 7 vertices have every vertex on a way from input to output."""
    assert sum(whole_wirings(n, 0, 9) * 3 ** (n - 2) for n in range(2, 8)) == 1_293_208
    codes = np.arange(2**10)
    assert int(are_whole(codes, 5, 4, 7).sum()) == whole_wirings(5, 4, 7)


def test_wirings_of_nasnet() -> None:
    """Unordered pairs of two or more states: 3 · 6 · 10 · 15 · 21."""
    record = slots_of(nasnet())[0].record
    assert record is not None
    cell = cell_of(nasnet().grammar, record)
    assert cell is not None
    assert prod(map(len, cell.reads)) == prod(n * (n + 1) // 2 for n in range(2, 7)) == 56_700
    assert len(list(product(*cell.reads))) == 56_700
