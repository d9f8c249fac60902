"""The textbook's names mean what they say."""

from typing import Any

import pytest

from app.space import InvalidGenotype, SpaceError
from app.space.textbook import OPERATIONS, CellGenotype, enumerate_cell_space, valid_connections_cell
from app.space.zoo import ZOO

NORMAL = (
    ("sep_conv_3x3", 0, "sep_conv_3x3", 1),
    ("skip_connect", 0, "sep_conv_3x3", 2),
    ("none", 3, "none", 3),
    ("dil_conv_5x5", 4, "max_pool_3x3", 0),
)
REDUCE = (*NORMAL[:3], ("avg_pool_3x3", 0, "sep_conv_5x5", 4))


def test_operations() -> None:
    assert set(OPERATIONS) == {
        "none",
        "max_pool_3x3",
        "avg_pool_3x3",
        "skip_connect",
        "sep_conv_3x3",
        "sep_conv_5x5",
        "dil_conv_3x3",
        "dil_conv_5x5",
    }


def test_the_size_of_the_cell_space() -> None:
    assert enumerate_cell_space() == 241_591_910_400
    assert enumerate_cell_space(operations=OPERATIONS[1:]) == 83_013_134_400
    assert enumerate_cell_space(num_nodes=1, operations=["a"]) == 4
    assert enumerate_cell_space(5) == 241_591_910_400 * 6**2 * 8**2
    with pytest.raises(SpaceError):
        enumerate_cell_space(operations=["a", "a"])
    with pytest.raises(SpaceError):
        enumerate_cell_space(operations=[])
    with pytest.raises(SpaceError, match="not 0"):
        enumerate_cell_space(0)


def test_valid_connections() -> None:
    assert [valid_connections_cell(i) for i in range(3)] == [[0, 1], [0, 1, 2], [0, 1, 2, 3]]
    assert valid_connections_cell(1, num_cell_inputs=1) == [0, 1]
    for bad in ((-1, 2), (0, 0)):
        with pytest.raises(SpaceError, match=r"not -?[0-9] and [0-9]"):
            valid_connections_cell(*bad)


def test_the_connections_are_those_of_the_space() -> None:
    options = {d.path: list(d.options) for d in ZOO["simple_cell"].plan.decisions()}
    for i in range(4):
        assert options[f"/node{i}/left/input"] == options[f"/node{i}/right/input"] == valid_connections_cell(i)


def test_a_cell_genotype_becomes_genotypes_and_back() -> None:
    cell = CellGenotype(NORMAL, REDUCE)
    normal, reduce = cell.to_genotypes()
    plan = ZOO["simple_cell"].plan
    assert plan.check(normal) == plan.check(reduce) == ()
    assert normal["node1"] == {"left": {"input": 0, "op": "skip_connect"}, "right": {"input": 2, "op": "sep_conv_3x3"}}  # type: ignore[index, call-overload]
    assert CellGenotype.from_genotypes(normal, reduce) == cell
    both = CellGenotype.from_genotypes(normal)
    assert both.normal == both.reduce == NORMAL
    assert both.to_genotype() == normal
    with pytest.raises(InvalidGenotype, match="the two cells differ"):
        cell.to_genotype()


def test_lists_are_taken_as_well() -> None:
    nodes: Any = [list(node) for node in NORMAL]
    assert CellGenotype(nodes, nodes) == CellGenotype(NORMAL, NORMAL)


@pytest.mark.parametrize(
    ("node", "pointer", "allowed"),
    [
        (("sep_conv_3x3", 4, "none", 0), "/normal/1/1", (0, 1, 2)),
        (("sep_conv_3x3", -1, "none", 0), "/normal/1/1", (0, 1, 2)),
        (("sep_conv_3x3", 0, "none", True), "/normal/1/3", (0, 1, 2)),
        (("sep_conv_3x3", 0, "none", 1.0), "/normal/1/3", (0, 1, 2)),
        (("sep_conv_3x3", 0, "conv", 1), "/normal/1/2", OPERATIONS),
        ((None, 0, "none", 1), "/normal/1/0", OPERATIONS),
        ((["none"], 0, "none", 1), "/normal/1/0", OPERATIONS),
        (("sep_conv_3x3", 0), "/normal/1", (4,)),
        ("none", "/normal/1", (4,)),
        (None, "/normal/1", (4,)),
        (7, "/normal/1", (4,)),
    ],
)
def test_a_broken_node_is_pointed_at(node: Any, pointer: str, allowed: tuple[object, ...]) -> None:
    with pytest.raises(InvalidGenotype) as raised:
        CellGenotype((NORMAL[0], node), REDUCE)
    (fault,) = raised.value.faults
    assert (fault.pointer, fault.allowed) == (pointer, allowed)


def test_all_broken_nodes_at_once() -> None:
    bad: Any = (("x", 9, "y", 9), ("z", 0, "none", 0))
    with pytest.raises(InvalidGenotype) as raised:
        CellGenotype(bad, ())
    assert [f.pointer for f in raised.value.faults] == [
        "/normal/0/0",
        "/normal/0/1",
        "/normal/0/2",
        "/normal/0/3",
        "/normal/1/0",
        "/reduce",
    ]


def test_a_broken_genotype_is_pointed_at() -> None:
    genotype: Any = CellGenotype(NORMAL, NORMAL).to_genotype()
    genotype["node2"]["left"]["op"] = "conv"
    with pytest.raises(InvalidGenotype) as raised:
        CellGenotype.from_genotypes(NORMAL_GENOTYPE, genotype)
    assert [f.pointer for f in raised.value.faults] == ["/reduce/node2/left/op"]
    for nothing in (None, [], 3, {}, {f"node{i}": {} for i in range(5_000)}):
        with pytest.raises(InvalidGenotype):
            CellGenotype.from_genotypes(nothing)  # type: ignore[arg-type]


NORMAL_GENOTYPE = CellGenotype(NORMAL, NORMAL).to_genotype()
