"""The receptive field in closed form is where torch finds a gradient, in float64.

No gradient may vanish by accident: weights are positive and average, norms do nothing, maxima are averages, and the
image is larger than the field, so that nothing of it is padding.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

import pytest
import torch
from torch import Tensor, nn

from app.architecture import TRUE, Axis, Graph, Layers, Node, lower, resolve
from app.architecture.graph import prune
from app.architecture.receptive_field import ReceptiveField, last_maps, receptive_field
from app.space import (
    CellSkeleton,
    ChainSkeleton,
    DagNetworkSkeleton,
    DagSkeleton,
    EdgeCellSkeleton,
    ImageInput,
    MobileSkeleton,
    SearchSpace,
    Skeleton,
)
from app.space.skeleton import BranchSkeleton, FpnSkeleton, HeadSkeleton, HierarchySkeleton, SkipSkeleton
from app.space.zoo import (
    ZOO,
    chain,
    darts,
    detection_head,
    enas_macro,
    fbnet,
    hierarchical,
    multibranch,
    nas_fpn,
    nasnet,
)
from workers.network import Network

pytestmark = pytest.mark.usefixtures("exactly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    space: SearchSpace
    skeleton: Skeleton
    genotypes: int = 2


STAND_INS = {"max_pool": "avg_pool", "layer_norm": "relu"}  # of equal features nothing would be left
STAGES = MobileSkeleton(stem=2, first=0, depths=(2, 2), widths=(2, 4), strides=(2, 1), head=4, num_classes=2)
CASES: Mapping[str, Case] = {
    "darts": Case(space=darts(), skeleton=CellSkeleton(channels=1, num_cells=3), genotypes=4),
    "darts, imagenet stem": Case(
        space=darts(1), skeleton=CellSkeleton(channels=2, num_cells=2, stem="imagenet"), genotypes=2
    ),
    "nasnet, combined": Case(
        space=nasnet(3, combine=("add", "concat")),
        skeleton=CellSkeleton(channels=1, num_cells=2, norm_after_pool=True),
        genotypes=3,
    ),
    "nasbench201": Case(space=ZOO["nasbench201"], skeleton=EdgeCellSkeleton(channels=2, num_cells=1), genotypes=4),
    "nasbench101": Case(space=ZOO["nasbench101"], skeleton=DagSkeleton(channels=6, num_stacks=2, num_cells=1)),
    "unconstrained": Case(space=ZOO["unconstrained_dag"], skeleton=DagNetworkSkeleton(channels=2, halvings=2)),
    "chain": Case(
        space=chain((5,), ("conv_3x3", "dil_conv_5x5", "max_pool_5x5", "conv_7x1_1x7", "shuffle_k5", "ffn_gelu_r4")),
        skeleton=ChainSkeleton(channels=2, reductions=(1, 3)),
        genotypes=6,
    ),
    "fbnet": Case(space=fbnet(4), skeleton=STAGES, genotypes=3),
    "enas macro": Case(space=enas_macro(5), skeleton=SkipSkeleton(channels=2, reductions=(1, 3))),
    "branches": Case(space=multibranch(), skeleton=BranchSkeleton(channels=4, num_modules=2)),
    "motifs": Case(space=hierarchical(2, 3, 3), skeleton=HierarchySkeleton(channels=2)),
    "pyramid": Case(
        space=nas_fpn(4, (3, 4), ("sum", "concat")),
        skeleton=FpnSkeleton(backbone_channels=1, channels=2, head_depth=0, num_anchors=1, num_classes=1),
        genotypes=4,
    ),
    "links": Case(
        space=detection_head((3, 4), (1, 2), ("conv_3x3", "atrous_conv_3x3")),
        skeleton=HeadSkeleton(backbone_channels=1, channels=2, num_anchors=1, num_classes=1),
        genotypes=3,
    ),
}


def averaging(graph: Graph) -> Network:
    """The network up to its last maps, where every path from a pixel to an output adds something."""
    nodes = {name: replace(node, op=STAND_INS.get(node.op, node.op)) for name, node in graph.nodes.items()}
    network = Network(prune(nodes, last_maps(graph))).eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.constant_(module.weight, 0.5 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def measured(graph: Graph) -> ReceptiveField:
    """The extents of what the middle of the last maps depends on."""
    (image,) = [node for node in graph.nodes.values() if node.op == "input"]
    x = torch.rand(1, len(image.axis), *image.size, requires_grad=True)
    y = averaging(graph)(x)
    if y.grad_fn is None:
        return ReceptiveField(0, 0)
    if y.ndim == 3:
        y = y.transpose(1, 2)[..., None]
    y[0, :, y.shape[2] // 2, y.shape[3] // 2].sum().backward()
    assert isinstance(x.grad, Tensor)
    seen = x.grad[0].abs().sum(0) > 0
    rows, columns = seen.any(1).nonzero().flatten(), seen.any(0).nonzero().flatten()
    if not len(rows):
        return ReceptiveField(0, 0)
    for n, places in zip(image.size, (rows, columns), strict=True):
        assert 0 < places[0] <= places[-1] < n - 1, "the image must be larger than the field"
    return ReceptiveField(int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1)


@pytest.mark.parametrize("name", CASES)
def test_it_is_where_torch_finds_a_gradient(name: str) -> None:
    case, rng = CASES[name], Random(name)
    plan, fields = case.space.plan, set[ReceptiveField | None]()
    for i in range(case.genotypes):
        genotype = plan.sample_per_choice(rng) if i % 2 else plan.sample(rng, 1)[0]
        decided, image = plan.read(genotype), ImageInput(channels=1, height=64, width=64)
        rough = receptive_field(lower(case.space.grammar, case.skeleton, image, decided))
        assert rough is not None
        # larger than the field however the middle is rounded; of any parity
        image = ImageInput(
            channels=1, height=rough.height + 40 + rng.randrange(9), width=rough.width + 40 + rng.randrange(9)
        )
        graph = lower(case.space.grammar, case.skeleton, image, decided)
        fields.add(found := receptive_field(graph))
        assert found == measured(graph), genotype
    assert len(fields) > 1 or case.genotypes < 3


def alone(b: Layers, x: Node) -> Graph:
    return b.finish([x])


@pytest.mark.parametrize("smooth", [False, True])
def test_resized_maps(smooth: bool) -> None:
    """Up and down by factors that are no whole numbers, beside what keeps its extents: the middle is what is told."""
    for source, target in ((40, 60), (60, 40), (41, 64), (64, 41), (50, 100), (63, 21)):
        b = Layers()
        x = b.input("x", 1, (source, target))
        mode = "bilinear" if smooth else "nearest"
        y = b.resize("to", b.conv("before", x, 1, 5), (target, source), mode)
        z = b.conv("after", y, 1, 3)
        graph = alone(b, b.conv("end", b.sum("sum", [(TRUE, z), (TRUE, b.conv("beside", y, 1, (1, 7)))]), 1, 3, 2))
        assert receptive_field(graph) == measured(graph), (source, target)


def test_padding_of_either_kind_and_shifts() -> None:
    """Windows without padding, of even extents, at odd steps; a factorised reduction reads one place more."""
    b = Layers()
    x = b.pool("pool", "avg_pool", b.input("x", 1, (61, 64)), 2, 2, pad=0, ceil=True)
    y = b.factorised_reduction("halved", b.conv("conv", x, 1, 2, pad=0), 2)
    z = b.conv("dilated", y, 1, 3, (1, 2), dilation=3)
    graph = alone(b, b.pool("last", "max_pool", z, 3))
    assert receptive_field(graph) == measured(graph)


def by_hand(op: str) -> ReceptiveField | None:
    b = Layers()
    x = b.input("x", 2, (32, 32))
    y = b.conv("conv", x, 2, 3)
    match op:
        case "squeeze":
            z = b.add("scale", "scale", [y, b.linear("linear", b.mean("mean", y), 2)], y.axis, y.size)
        case "squeeze of nothing":
            z = b.add(
                "scale", "scale", [y, b.linear("linear", b.mean("mean", b.zero("zero", y, 2)), 2)], y.axis, y.size
            )
        case "deformable":
            z = b.deformable("deformable", y, 2, 3)
        case "constant":
            z = b.resize("resize", b.mean("mean", y), y.size)
        case "row":
            z = b.add("row", "row", [y], Axis.of(64), (), index=3)
        case _:
            z = b.zero("zero", y, 2)
    return receptive_field(alone(b, b.classifier("head", z, 3) if z.size else b.linear("head", z, 3)))


def test_what_sees_everything_and_what_sees_nothing() -> None:
    for op in ("squeeze", "deformable", "row", "constant"):
        assert by_hand(op) is None, op
    assert by_hand("squeeze of nothing") == ReceptiveField(3, 3)
    assert by_hand("zero") == ReceptiveField(0, 0)


@pytest.mark.parametrize(
    "name", ["mobilenet_ofa", "mnasnet", "transformer", "autoformer_t", "darts_rnn", "autodeeplab"]
)
def test_what_gates_attends_or_recurs_sees_the_whole_image(name: str) -> None:
    """The control: its gradient with respect to the image is zero nowhere."""
    space = ZOO[name]
    image = ImageInput(channels=1, height=16, width=16)
    drawn = space.plan.sample_per_choice(Random(3))
    graph = lower(space.grammar, space.skeletons["small"], image, space.plan.read(drawn))
    assert receptive_field(graph) is None
    x = torch.rand(1, 1, 16, 16, requires_grad=True)
    y = Network(prune(dict(graph.nodes), (last_maps(graph)[0] if name != "darts_rnn" else graph.outputs[0],))).eval()(x)
    place = y[0, :, 0, 0] if y.ndim == 4 else y[0, 0] if y.ndim == 3 else y[0]
    place.square().sum().backward()
    assert isinstance(x.grad, Tensor)
    assert (x.grad != 0).all()


def test_open_decisions_have_no_field() -> None:
    space = ZOO["chain"]
    graph = lower(space.grammar, space.skeletons["small"], space.input)
    with pytest.raises(ValueError, match="still open"):
        receptive_field(graph)
    assert receptive_field(resolve(graph, space.plan.read(space.plan.unrank(0)))) is not None
