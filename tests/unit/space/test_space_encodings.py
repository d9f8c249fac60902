"""Cells as graphs and members as numbers, by hand."""

import pytest

from app.space import Choice, Grammar, Value, compile_plan, one_of, record
from app.space.encodings import TooManyWays, columns, one_hot, ways
from app.space.wiring import wirings
from app.space.zoo import ZOO, darts

EDGES = ("0->1", "0->2", "1->2")


def dag(vertices: int) -> dict[str, object]:
    """A cell of so many vertices, as the small graphs of NAS-Bench-101 are written."""
    bits = {f"{i}->{j}": one_of(0, 1) for j in range(vertices) for i in range(j)}
    operations = {f"v{i}": one_of("conv", "pool") for i in range(1, vertices - 1)}
    return {"vertices": Value(vertices), **bits, **operations}


GRAPHS = Grammar(
    {
        "cells": record("dag_cells", cell=Choice((record("dag", **dag(2)), record("dag", **dag(4))))),  # type: ignore[arg-type]
    },
    "cells",
)


def test_a_cell_of_darts_reads_two_states_a_node_and_puts_out_all_of_them() -> None:
    space = darts()
    genotype = space.plan.unrank(0)
    normal, reduction = wirings(space.grammar, genotype)
    assert (normal.path, reduction.path) == ("/normal", "/reduce")
    assert normal.vertices == ("input0", "input1", "node2", "node3", "node4", "node5", "output")
    assert normal.inputs == 2
    assert [row[6] for row in normal.matrix] == [0, 0, 1, 1, 1, 1, 0]
    assert sum(map(sum, normal.matrix)) == 8 + 4
    assert {edge.label for edge in normal.edges if edge.target < 6} == {"max_pool_3x3"}
    # Every node reads the two inputs: one operation from each, then the output.
    assert ways(normal) == (("input0", "max_pool_3x3"), ("input1", "max_pool_3x3"))


def test_an_edge_that_is_none_is_no_edge() -> None:
    space = ZOO["nasbench201"]
    names = ("0->1", "0->2", "1->2", "0->3", "1->3", "2->3")
    cell = dict.fromkeys(names, "none") | {"0->1": "nor_conv_3x3", "1->3": "skip_connect", "0->3": "nor_conv_1x1"}
    (wiring,) = wirings(space.grammar, space.plan.normalise(cell))
    assert [(e.source, e.target) for e in wiring.edges] == [(0, 1), (0, 3), (1, 3)]
    assert ways(wiring) == (("nor_conv_1x1",), ("nor_conv_3x3", "skip_connect"))


def test_a_graph_with_operations_on_its_vertices() -> None:
    plan = compile_plan(GRAPHS)
    cell = {"vertices": 4, "0->1": 1, "0->2": 1, "1->2": 1, "0->3": 0, "1->3": 1, "2->3": 1, "v1": "conv", "v2": "pool"}
    (wiring,) = wirings(GRAPHS, plan.normalise({"cell": cell}))
    assert wiring.labels == (None, "conv", "pool", None)
    assert wiring.matrix == [[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    assert ways(wiring) == (("conv",), ("pool",), ("conv", "pool"))
    (small,) = wirings(GRAPHS, {"cell": {"vertices": 2, "0->1": 1}})
    assert ways(small) == ((),)
    (cut,) = wirings(GRAPHS, {"cell": {"vertices": 2, "0->1": 0}})
    assert ways(cut) == ()


def test_states_that_nobody_reads_are_put_out() -> None:
    edge = record("edge", input=one_of(0, 1), op=one_of("sep", "avg"))
    later = record("edge", input=one_of(0, 1, 2), op=one_of("sep", "avg"))
    cell = record(
        "cell_of_unused", block2=record("pair", left=edge, right=edge), block3=record("pair", left=later, right=later)
    )
    grammar = Grammar({"cells": record("cells", normal=cell)}, "cells")
    first, second = {"input": 0, "op": "sep"}, {"input": 2, "op": "avg"}
    genotype = {"normal": {"block2": {"left": first, "right": first}, "block3": {"left": second, "right": first}}}
    assert compile_plan(grammar).check(genotype) == ()
    (wiring,) = wirings(grammar, genotype)
    # Input 1 and the last block are read by no node.
    assert [e.source for e in wiring.edges if e.target == 4] == [1, 3]
    assert wiring.matrix[0] == [0, 0, 2, 1, 0]


def test_a_recurrent_cell_and_a_chain_with_skips() -> None:
    steps = {
        f"node{i}": record("step", input=one_of(*range(i)), activation=one_of("tanh", "relu")) for i in range(1, 4)
    }
    recurrent = Grammar({"cell": record("recurrent", **steps)}, "cell")
    taken = {"input": 0, "activation": "tanh"}
    genotype = {"node1": taken, "node2": {"input": 1, "activation": "relu"}, "node3": taken}
    assert compile_plan(recurrent).check(genotype) == ()
    (wiring,) = wirings(recurrent, genotype)
    assert ways(wiring) == (("tanh",), ("tanh", "relu"))

    op = one_of("conv", "max")
    layers = {
        "layer0": record("layer", op=op),
        "layer1": record("layer", op=op, skip0=one_of(0, 1)),
        "layer2": record("layer", op=op, skip0=one_of(0, 1), skip1=one_of(0, 1)),
    }
    skips = Grammar({"net": record("skips", **layers)}, "net")
    chain = {
        "layer0": {"op": "conv"},
        "layer1": {"op": "max", "skip0": 0},
        "layer2": {"op": "conv", "skip0": 1, "skip1": 0},
    }
    assert compile_plan(skips).check(chain) == ()
    (wiring,) = wirings(skips, chain)
    assert [(e.source, e.target) for e in wiring.edges] == [(0, 1), (1, 2), (1, 3), (2, 3), (3, 4)]


def test_a_space_without_cells_has_no_wiring() -> None:
    space = ZOO["chain"]
    assert wirings(space.grammar, space.plan.unrank(0)) == ()


def test_a_row_says_what_is_taken_and_nothing_of_what_is_not_met() -> None:
    plan = compile_plan(GRAPHS)
    names = tuple(columns(plan.decisions()))
    assert names[0].name == "/cell=2"
    assert names[1].name == "/cell=4"
    row = dict(
        zip([c.name for c in names], one_hot(plan.read({"cell": {"vertices": 2, "0->1": 1}}), names), strict=True)
    )
    assert {name for name, bit in row.items() if bit} == {"/cell=2", "/cell/2/0->1=1"}
    assert len(names) == 2 + 2 + 6 * 2 + 2 * 2


def test_more_ways_than_anybody_reads_are_refused() -> None:
    bits = {f"{i}->{j}": one_of("a", f"b{i}") for j in range(18) for i in range(j)}
    grammar = Grammar({"cell": record("edge_cells", **bits)}, "cell")
    genotype = {name: f"b{name.partition('->')[0]}" for name in bits}
    assert compile_plan(grammar).check(genotype) == ()
    (wiring,) = wirings(grammar, genotype)
    with pytest.raises(TooManyWays, match="more than 20000 ways"):
        ways(wiring)
