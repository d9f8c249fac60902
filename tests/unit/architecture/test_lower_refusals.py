import pytest

from app.architecture import Entangled, LoweringError, lower, lower_cell, lower_operation, resolve
from app.architecture.lower import MEANINGS
from app.architecture.lower.operation import BUILDERS
from app.space import (
    CellSkeleton,
    ChainSkeleton,
    EdgeCellSkeleton,
    Grammar,
    ImageInput,
    Repeat,
    Skeleton,
    Subset,
    Value,
    one_of,
    record,
)
from app.space.zoo import ZOO, darts, nasnet, unconstrained_dag

IMAGE = ImageInput()
SMALL = CellSkeleton(channels=4, num_cells=3)


def refused(grammar: Grammar, skeleton: Skeleton, image: ImageInput = IMAGE) -> LoweringError:
    with pytest.raises(LoweringError) as caught:
        lower(grammar, skeleton, image)
    assert str(caught.value)
    return caught.value


def edges(*sources: object, op: str = "skip_connect") -> Grammar:
    options = tuple(record("edge", input=Value(j), op=one_of(op)) for j in sources)
    cell = record("shared_cell", node0=Subset(options, 1))
    return Grammar({"net": cell}, "net")


def test_a_record_without_a_meaning() -> None:
    error = refused(Grammar({"net": record("sculpture")}, "net"), SMALL)
    assert error.value == "sculpture"
    assert set(error.allowed) == set(MEANINGS) > {"cells", "shared_cell", "edge_cells", "chain", "free"}


@pytest.mark.parametrize(
    ("name", "skeleton"),
    [
        ("darts", EdgeCellSkeleton()),
        ("simple_cell", ChainSkeleton()),
        ("nasbench201", CellSkeleton()),
        ("chain", EdgeCellSkeleton()),
    ],
)
def test_a_skeleton_of_another_family(name: str, skeleton: Skeleton) -> None:
    error = refused(ZOO[name].grammar, skeleton)
    assert error.pointer == "/skeleton/family"
    assert error.value == skeleton.family
    assert len(error.allowed) == 1


def test_an_unknown_operation_is_named_with_its_place_and_the_vocabulary() -> None:
    error = refused(darts(operations=("skip_connect", "warp_drive")).grammar, SMALL)
    assert error.pointer == "/normal/node2/0/op" or error.pointer == "/reduce/node2/0/op"
    assert error.value == "warp_drive"
    assert set(error.allowed) == set(BUILDERS)


def test_no_auxiliary_head_on_small_maps() -> None:
    skeleton = CellSkeleton(channels=4, num_cells=3, auxiliary=True)
    error = refused(ZOO["darts"].grammar, skeleton, ImageInput(channels=1, height=8, width=8))
    assert error.pointer == "/skeleton/auxiliary"
    assert error.value == [2, 2]
    assert "5x5" in str(error)
    assert lower(ZOO["darts"].grammar, skeleton, ImageInput(height=32, width=29)).outputs[1].startswith("auxiliary")


@pytest.mark.parametrize(
    ("skeleton", "pointer"),
    [
        (CellSkeleton(channels=0), "/skeleton/channels"),
        (CellSkeleton(num_cells=-1), "/skeleton/num_cells"),
        (CellSkeleton(num_classes=0), "/skeleton/num_classes"),
        (CellSkeleton(stem_multiplier=0), "/skeleton/stem_multiplier"),
    ],
)
def test_numbers_of_a_skeleton_are_positive(skeleton: Skeleton, pointer: str) -> None:
    assert refused(ZOO["darts"].grammar, skeleton).pointer == pointer


def test_reductions_are_positions() -> None:
    assert refused(ZOO["chain"].grammar, ChainSkeleton(reductions=(-1,))).pointer == "/skeleton/reductions"


@pytest.mark.parametrize("field", ["channels", "height", "width"])
def test_an_empty_image(field: str) -> None:
    assert refused(ZOO["darts"].grammar, SMALL, ImageInput(**{field: 0})).pointer == f"/image/{field}"


@pytest.mark.parametrize("source", [2, -1, "zero", True])
def test_a_node_reads_earlier_states_only(source: object) -> None:
    error = refused(edges(0, source), SMALL)
    assert error.pointer.endswith("/input")
    assert error.value == source
    assert error.allowed == (0, 1)


def test_a_malformed_cell_is_named() -> None:
    cell = record("shared_cell", node0=Subset((record("edge", start=Value(0)), record("edge", start=Value(1))), 1))
    assert refused(Grammar({"net": cell}, "net"), SMALL).allowed == ("input",)
    assert "needs a node" in str(refused(Grammar({"net": record("shared_cell")}, "net"), SMALL))
    assert refused(Grammar({"net": record("cells")}, "net"), SMALL).allowed == ("normal",)
    assert "needs an edge" in str(refused(Grammar({"net": record("shared_cell", node0=record("pair"))}, "net"), SMALL))
    misspelt = Grammar({"net": record("cells", cell=record("cell_of_used"))}, "net")
    assert refused(misspelt, SMALL).allowed == ("cell", "cell_of_unused", "shared_cell")
    multiplied = refused(nasnet(combine=("add", "multiply")).grammar, SMALL)
    assert (multiplied.value, multiplied.allowed) == ("multiply", ("add", "concat"))
    assert multiplied.pointer.endswith("/block2/combine")


@pytest.mark.parametrize("names", [("0->1", "1->3"), ("1->0",), ("a->b",), ()])
def test_malformed_edges_are_named(names: tuple[str, ...]) -> None:
    cell = record("edge_cells", **{name: one_of("none", "skip_connect") for name in names})
    with pytest.raises(LoweringError):
        lower(Grammar({"net": cell}, "net"), EdgeCellSkeleton(channels=4, num_cells=1), IMAGE)


def test_an_enormous_network_is_refused_before_it_is_built() -> None:
    error = refused(ZOO["darts"].grammar, CellSkeleton(channels=1, num_cells=20_000))
    assert "50000 nodes" in str(error)


def test_resolve_refuses_what_is_no_option() -> None:
    graph = lower(ZOO["nasbench201"].grammar, EdgeCellSkeleton(channels=2, num_cells=1), IMAGE)
    with pytest.raises(ValueError, match=r"/0->1: \['conv_9x9'\]"):
        resolve(graph, {"/0->1": ("conv_9x9",)})


def test_fragments() -> None:
    cell = lower_cell(ZOO["darts"].grammar, "cell", channels=6, size=(9, 8), stride=2)
    (output,) = cell.outputs
    assert (len(cell.nodes[output].axis), cell.nodes[output].size) == (24, (5, 4))
    assert {name for name, node in cell.nodes.items() if node.op == "input"} == {"s0", "s1"}
    assert "/node3/0/op" in cell.open
    operation = lower_operation("sep_conv_3x3", channels=4, width=6, size=(7, 7), stride=2)
    (output,) = operation.outputs
    assert (len(operation.nodes[output].axis), operation.nodes[output].size) == (6, (4, 4))


def test_a_chain_of_no_layers_is_its_stem() -> None:
    grammar = Grammar({"net": record("chain", layers=Repeat(one_of("conv_3x3"), (0,)))}, "net")
    graph = lower(grammar, ChainSkeleton(channels=4), IMAGE)
    assert graph.plain
    assert [node.op for node in graph.nodes.values()] == ["input", "conv", "batch_norm", "relu", "mean", "linear"]


def test_decisions_that_hang_together_too_much_must_be_decided_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guards of open edges grow fourfold a vertex; a graph of decided ones has none."""
    monkeypatch.setattr("app.architecture.guard.COMBINED", 5_000)
    space = unconstrained_dag(16)
    error = refused(space.grammar, space.skeletons["small"])
    assert isinstance(error, Entangled)
    assert error.most == 5_000
    assert "decide some of it" in error.message
    assert lower(space.grammar, space.skeletons["small"], IMAGE, space.plan.read(space.plan.unrank(7**40))).plain
