"""Canonical forms against brute force: every relabelling, ranked by the plan."""

import time
from collections.abc import Iterator
from itertools import permutations, product
from random import Random
from typing import Any

import pytest

from app.architecture import canonical, canonical_id
from app.space import Equivalence, InvalidGenotype, SearchSpace
from app.space.zoo import ZOO, chain, darts, nasbench201, simple_cell


def node_relabellings(cell: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every way to write a cell of nodes; some are no members, because a node would read a later one."""
    nodes = list(cell.values())
    for order in permutations(range(len(nodes))):  # order[i]: which node stands at position i
        at = {2 + old: 2 + position for position, old in enumerate(order)}

        def moved(edge: dict[str, Any], at: dict[int, int] = at) -> dict[str, Any]:
            return {**edge, "input": at.get(edge["input"], edge["input"])}

        written = [
            [moved(e) for e in nodes[old]]
            if isinstance(nodes[old], list)
            else {side: moved(e) for side, e in nodes[old].items()}
            for old in order
        ]
        if any(isinstance(node, list) for node in written):
            yield dict(zip(cell, written, strict=True))
            continue
        for swaps in product((False, True), repeat=len(written)):
            yield {
                name: {"left": node["right"], "right": node["left"]} if swap else node
                for name, node, swap in zip(cell, written, swaps, strict=True)
            }


def edge_relabellings(cell: dict[str, str]) -> Iterator[dict[str, str]]:
    last = max(int(edge.split("->")[1]) for edge in cell)
    for order in permutations(range(1, last)):
        at = {0: 0, last: last} | {old: new for new, old in enumerate(order, 1)}
        written = dict.fromkeys(cell, "none")
        for edge, operation in cell.items():
            i, j = (at[int(end)] for end in edge.split("->"))
            if operation != "none":
                written[f"{i}->{j}"] = operation
        if written.keys() == cell.keys():
            yield written


def lowest(space: SearchSpace, candidates: Iterator[dict[str, Any]]) -> int:
    ranks = [index for candidate in candidates if (index := space.plan.index(candidate)) is not None]
    return min(ranks)


@pytest.mark.parametrize(
    "space", [darts(), darts(none=True), darts(3, ("a", "b"))], ids=["darts", "with none", "three nodes"]
)
def test_darts_cells_are_relabelled_each_for_itself(space: SearchSpace) -> None:
    rng = Random(0)
    for genotype in space.plan.sample(rng, 25):
        assert isinstance(genotype, dict)
        best = {}
        for name, cell in genotype.items():
            assert isinstance(cell, dict)
            alone = [{**genotype, name: written} for written in node_relabellings(cell)]
            best[name] = min((i, a[name]) for a in alone if (i := space.plan.index(a)) is not None)[1]
        found = canonical(space, genotype)
        assert found == space.plan.normalise(best)
        assert canonical(space, found) == found
        assert space.plan.rank(found) <= space.plan.rank(genotype)


def test_simple_cells_are_relabelled_and_their_operands_swapped() -> None:
    space = simple_cell()
    for genotype in space.plan.sample(Random(0), 25):
        assert isinstance(genotype, dict)
        assert space.plan.rank(canonical(space, genotype)) == lowest(space, node_relabellings(genotype))


@pytest.mark.parametrize("nodes", [4, 5])
def test_edge_cells_are_relabelled_where_nothing_connects(nodes: int) -> None:
    space = nasbench201(nodes, ("none", "skip_connect", "nor_conv_1x1"))
    rng = Random(0)
    for genotype in (space.plan.sample_per_choice(rng) for _ in range(60)):
        assert isinstance(genotype, dict)
        sparse = {edge: o if rng.random() < 0.6 else "none" for edge, o in genotype.items()}
        assert space.plan.rank(canonical(space, sparse)) == lowest(space, edge_relabellings(sparse))


def test_nasbench201_has_14125_classes_under_relabelling() -> None:
    """15,625 genotypes: 3,125 without the edge 1->2 pair up, but for 125 that are their own partner."""
    space = ZOO["nasbench201"]
    classes = {canonical_id(space, genotype) for genotype in map(space.plan.unrank, range(space.plan.size))}
    assert len(classes) == 12_500 + (3_125 + 125) // 2 == 14_125


def test_every_relabelling_has_one_canonical_id() -> None:
    space = darts()
    for genotype in space.plan.sample(Random(1), 5):
        assert isinstance(genotype, dict)
        normal, reduce = genotype["normal"], genotype["reduce"]
        assert isinstance(normal, dict)
        assert isinstance(reduce, dict)
        ids = {
            canonical_id(space, {"normal": n, "reduce": r})
            for n in node_relabellings(normal)
            for r in (next(node_relabellings(reduce)),)
            if space.plan.index({"normal": n, "reduce": r}) is not None
        }
        assert len(ids) == 1
        assert ids.pop().startswith(space.digest[:16] + "-")


def test_a_space_that_declares_no_equivalence_keeps_its_genotypes() -> None:
    space = chain()
    for genotype in space.plan.sample(Random(0), 5):
        assert canonical(space, genotype) == genotype
    plain = darts()
    loose = SearchSpace(
        name="mine", version=1, title="", paper="", grammar=plain.grammar, skeletons={}, equivalences=()
    )
    genotype = plain.plan.sample(Random(3), 1)[0]
    assert canonical(loose, genotype) == genotype


def test_operands_alone_may_be_swapped() -> None:
    whole = simple_cell()
    space = SearchSpace(
        name="mine",
        version=1,
        title="",
        paper="",
        grammar=whole.grammar,
        skeletons={},
        equivalences=(Equivalence("operand-swap"),),
    )
    for genotype in space.plan.sample(Random(0), 20):
        assert isinstance(genotype, dict)
        found = canonical(space, genotype)
        assert isinstance(found, dict)
        for name, node in genotype.items():
            assert isinstance(node, dict)
            swapped = {"left": node["right"], "right": node["left"]}
            assert found[name] in (node, swapped)
            assert space.plan.rank(found) <= space.plan.rank({**found, name: swapped})


def test_what_is_no_member_has_no_canonical_form() -> None:
    with pytest.raises(InvalidGenotype):
        canonical(darts(), {"normal": {}})


def test_alike_nodes_do_not_make_it_slow() -> None:
    """Nine nodes that nobody reads: 362,880 orders, one of which is tried."""
    space = simple_cell(9)
    edge = {"input": 0, "op": "none"}
    cell = {f"node{i}": {"left": edge, "right": edge} for i in range(9)}
    start = time.perf_counter()
    assert canonical(space, cell) == cell
    nodes = nasbench201(9)
    nothing = {edge: "none" for edge, _ in nodes.grammar.follow(nodes.grammar.root).fields}  # type: ignore[union-attr]
    assert canonical(nodes, nothing) == nothing
    assert time.perf_counter() - start < 5
