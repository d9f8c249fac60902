"""What cells of blocks mean: which states they end in, how a block combines, and the stem of cells."""

from random import Random

import pytest

from app.architecture import (
    Graph,
    architecture_id,
    canonical,
    certain,
    cost,
    lower,
    lower_cell,
    node_params,
    price,
    resolve,
)
from app.space import CellSkeleton, Genotype, Grammar, ImageInput, SearchSpace, compile_plan
from app.space.zoo import amoebanet, enas_micro, nasnet, pnasnet

SKIP0 = {"input": 0, "op": "skip_connect"}
CONV1 = {"input": 1, "op": "conv_1x1"}


def chain_of(read: list[tuple[int, int]], **more: str) -> Genotype:
    """A cell whose blocks read these states, by identities."""
    edges = [[{"input": state, "op": "skip_connect"} for state in pair] for pair in read]
    return {f"block{2 + i}": {"left": left, "right": right, **more} for i, (left, right) in enumerate(edges)}


def one_cell(space: SearchSpace, cell: Genotype, channels: int = 4, stride: int = 1) -> Graph:
    """One cell of a space, decided."""
    decided = compile_plan(Grammar({"cell": space.grammar.rules["cell"]}, "cell")).read(cell)
    return lower_cell(space.grammar, "cell", channels=channels, size=(8, 8), stride=stride, decided=decided)


@pytest.mark.parametrize(
    ("read", "kept"),
    [
        ([(0, 1), (0, 1), (0, 1), (0, 1), (0, 1)], 5),
        ([(0, 1), (2, 0), (3, 1), (4, 0), (5, 1)], 1),
        ([(0, 1), (2, 2), (2, 3), (0, 1), (1, 1)], 3),
    ],
)
def test_the_output_is_what_no_block_reads(read: list[tuple[int, int]], kept: int) -> None:
    for space in (amoebanet(), enas_micro(), pnasnet()):
        graph = one_cell(space, chain_of(read))
        assert len(graph.nodes[graph.outputs[0]].axis) == 4 * kept
    whole = one_cell(pnasnet(concat_all=True), chain_of(read))
    assert len(whole.nodes[whole.outputs[0]].axis) == 4 * 5


def test_the_output_names_its_states_in_order() -> None:
    graph = one_cell(amoebanet(), chain_of([(0, 1), (2, 1), (0, 0), (1, 1), (5, 2)]))
    output = graph.nodes[graph.outputs[0]]
    assert output.inputs == ("cell/block3", "cell/block4", "cell/block6")


def test_a_block_adds_or_stands_side_by_side() -> None:
    """Side by side is brought to the cell's width by a 1x1 convolution, the rest of the cell being the same."""
    space = nasnet(1, ("skip_connect", "conv_1x1"), combine=("add", "concat"))
    added, beside = (
        one_cell(space, {"block2": {"left": SKIP0, "right": CONV1, "combine": way}}) for way in ("add", "concat")
    )
    assert [node.op for node in added.nodes.values()][-1] == "sum"
    assert added.nodes[added.outputs[0]]["drop_path"]
    fit = beside.nodes["cell/block2/fit/conv"]
    assert node_params(beside, fit) == 8 * 4
    assert len(beside.nodes[beside.outputs[0]].axis) == 4
    common = {name for name, node in added.nodes.items() if node.op in ("conv", "batch_norm")}
    assert common < set(beside.nodes)
    plain = one_cell(nasnet(1, ("skip_connect", "conv_1x1")), {"block2": {"left": SKIP0, "right": CONV1}})
    assert plain == added


def test_the_stem_of_cells() -> None:
    """NASNet on ImageNet: 3x3 with stride 2, reduction cells of a quarter and of half the width, then the cells."""
    space = amoebanet()
    skeleton = CellSkeleton(channels=16, num_cells=3, stem="cells", stem_multiplier=1, num_classes=7)
    cell = chain_of([(0, 1), (0, 1), (0, 1), (0, 1), (0, 1)])
    graph = lower(
        space.grammar, skeleton, ImageInput(height=65, width=64), space.plan.read({"normal": cell, "reduce": cell})
    )
    shapes = {
        name: (len(node.axis), *node.size)
        for name, node in graph.nodes.items()
        if name in ("stem/norm", "stem0/concat", "stem1/concat", "cell0/concat", "cell1/concat", "cell2/concat")
    }
    assert shapes == {
        "stem/norm": (32, 32, 31),
        "stem0/concat": (4 * 5, 16, 16),
        "stem1/concat": (8 * 5, 8, 8),
        "cell0/concat": (16 * 5, 8, 8),
        "cell1/concat": (32 * 5, 4, 4),
        "cell2/concat": (64 * 5, 2, 2),
    }


def test_cells_that_nothing_reads_are_not_built() -> None:
    """Every block reads the older input: of the cells only every second one, from the last, is there."""
    space = enas_micro()
    cell = chain_of([(0, 0)] * 5)
    skeleton = CellSkeleton(channels=2, num_cells=5)
    graph = lower(space.grammar, skeleton, ImageInput(), space.plan.read({"normal": cell, "reduce": cell}))
    assert {name.partition("/")[0] for name in graph.nodes if name.startswith("cell")} == {"cell0", "cell2", "cell4"}


WHOLE = {
    "nasnet": nasnet(),
    "nasnet that also concatenates": nasnet(combine=("add", "concat")),
    "amoebanet": amoebanet(),
    "pnasnet": pnasnet(),
    "enas_micro": enas_micro(),
}
DIGITS = ImageInput(channels=1, height=8, width=8)


@pytest.mark.parametrize("name", WHOLE)
def test_whole_spaces_are_decided_before_or_after_lowering(name: str) -> None:
    """All five blocks and all operations: the open graph holds every member, and prices it."""
    space = WHOLE[name]
    skeleton = space.skeletons["small"]
    graph = lower(space.grammar, skeleton, DIGITS)
    for genotype in space.plan.sample(Random(name), 3):
        decided = space.plan.read(genotype)
        plain = lower(space.grammar, skeleton, DIGITS, decided)
        assert resolve(graph, decided) == plain
        total = cost(plain)
        assert price(graph, certain(decided)) == (total.params, total.macs)


@pytest.mark.parametrize("name", WHOLE)
def test_relabelled_cells_are_one_architecture(name: str) -> None:
    """Blocks and operands have no order: the canonical genotype is the same network."""
    space = WHOLE[name]
    skeleton = space.skeletons["small"]
    genotypes = space.plan.sample(Random(name), 5)
    others = [canonical(space, genotype) for genotype in genotypes]
    assert others != genotypes
    for genotype, other in zip(genotypes, others, strict=True):
        assert architecture_id(space, skeleton, DIGITS, genotype) == architecture_id(space, skeleton, DIGITS, other)
