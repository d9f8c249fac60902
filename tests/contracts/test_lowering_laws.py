"""The four laws of the lowering, over every family and random genotypes, in float64.

1. lower(s, k, d) == resolve(lower(s, k), d), also for partial d
2. the supernet at one-hot weights equals the genotype's network, in eval and train mode, zero terms skipped or
   computed, whatever the weights of decisions it never meets
3. the price of the open graph at a genotype equals the cost of its graph equals what torch holds and runs
4. write(read(g)) == g
"""

import copy
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from random import Random

import pytest
import torch
from torch import Tensor, nn

from app.architecture import Graph, certain, cost, count, lower, macs, price, resolve
from app.space import (
    CellSkeleton,
    ChainSkeleton,
    Choice,
    DagNetworkSkeleton,
    DagSkeleton,
    Decisions,
    EdgeCellSkeleton,
    FreeSkeleton,
    Grammar,
    ImageInput,
    MobileSkeleton,
    Ref,
    Repeat,
    SearchSpace,
    Skeleton,
    Subset,
    Term,
    Value,
    one_of,
    record,
)
from app.space.skeleton import (
    BranchSkeleton,
    FpnSkeleton,
    HeadSkeleton,
    HierarchySkeleton,
    RecurrentSkeleton,
    SkipSkeleton,
    TransformerSkeleton,
    TrellisSkeleton,
    WidthSkeleton,
)
from app.space.zoo import (
    amoebanet,
    autodeeplab,
    autoformer_t,
    chain,
    darts,
    darts_rnn,
    detection_head,
    enas_macro,
    enas_micro,
    fbnet,
    hierarchical,
    mnasnet,
    mobilenet_ofa,
    multibranch,
    nas_fpn,
    nasbench101,
    nasbench201,
    nasbench301,
    nasbench_macro,
    nasnet,
    nats_size,
    pnasnet,
    proxylessnas,
    simple_cell,
    transformer,
    unconstrained_dag,
)
from app.space.zoo.autoformer import autoformer
from workers.inheritance import inherit, one_hot
from workers.network import Network

GAP = 1e-12  # of float64 outputs, relative


SMALL = ImageInput(channels=1, height=8, width=8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    space: Callable[[], SearchSpace]
    skeleton: Skeleton
    image: ImageInput = SMALL
    genotypes: int = 3


def recursive_terms() -> SearchSpace:
    """Terms that hold terms, to a depth of three."""
    inner = Ref("term")
    term = Choice(
        (
            record("apply", kind=Value("apply"), op=one_of("none", "identity", "conv_1x1", "max_pool_3x3")),
            record("sequence", kind=Value("sequence"), first=inner, second=inner),
            record("parallel", kind=Value("parallel"), a=inner, b=inner, merge=one_of("add", "concat")),
            record("residual", kind=Value("residual"), inner=inner),
            record("scale", kind=Value("scale"), inner=inner, width=one_of(1, 2)),
        )
    )
    return free(term, depth=3)


def every_term() -> SearchSpace:
    """Each combinator once, and terms that a choice, a subset, a list or an operation's name alone stand for."""
    edge = one_of("none", "conv_1x1", "identity")
    body = record(
        "sequence",
        first=record("residual", inner=record("stack", layers=Repeat(one_of("conv_3x3", "none"), (0, 1, 3)))),
        second=record("graph", **{"0->1": edge, "0->2": edge, "1->2": edge, "0->3": Value("identity"), "2->3": edge}),
        third=Subset((Value("max_pool_3x3"), Value("conv_1x1"), record("apply", op=Value("sep_conv_3x3"))), 2),
        fourth=record("apply", op=one_of("conv_3x3", "max_pool_3x3"), stride=Value(2), width=Value(1.5)),
        fifth=Repeat(record("residual", inner=one_of("conv_1x1", "none")), (2,)),
        sixth=record("mbconv", kernel=one_of(3, 5), expand=one_of(1, 2.5), se=one_of(False, True), width=Value(2)),
        seventh=record("layer", heads=one_of(2, 4), mlp_ratio=one_of(1, 2), attention=one_of("softmax", "linear")),
    )
    return free(body)


def free(body: Term, depth: int = 1) -> SearchSpace:
    grammar = Grammar({"net": record("free", body=Ref("term")), "term": body}, "net", depth)
    return SearchSpace(name="mine", version=1, title="", paper="", grammar=grammar, skeletons={})


SEARCH = CellSkeleton(channels=2, num_cells=3, affine=False, norm_after_pool=True, num_classes=3)
TWO_STAGES = MobileSkeleton(
    stem=4, first=0, depths=(2, 2), widths=(4, 6), strides=(1, 2), activation="relu", head=8, num_classes=3
)
UNITS = replace(
    TWO_STAGES,
    first=4,
    widths=(4, 8),
    se=(True, False),
    activations=("hswish", "relu6"),
    features=6,
    elastic=True,
    stem_stride=1,
)
MNAS = replace(TWO_STAGES, stem=3, first=2, widths=(4, 8), tail=5, elastic=True)
CASES: Mapping[str, Case] = {
    "darts": Case(space=darts, skeleton=CellSkeleton(channels=2, num_cells=3)),
    "darts with none, searching": Case(space=lambda: darts(none=True), skeleton=SEARCH),
    "darts, five nodes, odd extents": Case(
        space=lambda: darts(5, ("skip_connect", "conv_7x1_1x7", "dil_conv_3x3")),
        skeleton=CellSkeleton(channels=3, num_cells=2, stem_multiplier=1),
        image=ImageInput(channels=2, height=9, width=7),
        genotypes=2,
    ),
    "darts, imagenet stem, auxiliary head": Case(
        space=lambda: darts(2, ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3")),
        skeleton=CellSkeleton(channels=4, num_cells=3, stem="imagenet", auxiliary=True, num_classes=5),
        image=ImageInput(height=200, width=224),
        genotypes=1,
    ),
    "simple cell": Case(space=simple_cell, skeleton=CellSkeleton(channels=2, num_cells=2), genotypes=2),
    "simple cell, searching": Case(space=lambda: simple_cell(2), skeleton=SEARCH),
    "nasbench301": Case(
        space=nasbench301, skeleton=CellSkeleton(channels=1, num_cells=1, stem_multiplier=1), genotypes=2
    ),
    "nasnet, every block adds or concatenates": Case(
        space=lambda: nasnet(3, ("skip_connect", "conv_3x1_1x3", "max_pool_5x5"), combine=("add", "concat")),
        skeleton=CellSkeleton(channels=2, num_cells=3),
    ),
    "nasnet, stem of cells, odd extents": Case(
        space=lambda: nasnet(2, ("skip_connect", "conv_1x1", "dil_conv_3x3")),
        skeleton=CellSkeleton(channels=4, num_cells=3, stem="cells", stem_multiplier=1, num_classes=3),
        image=ImageInput(channels=1, height=53, width=40),
        genotypes=2,
    ),
    "amoebanet": Case(space=lambda: amoebanet(2), skeleton=CellSkeleton(channels=1, num_cells=3), genotypes=2),
    "pnasnet": Case(
        space=lambda: pnasnet(4, ("sep_conv_3x3", "skip_connect")),
        skeleton=CellSkeleton(channels=2, num_cells=2),
        genotypes=2,
    ),
    "enas micro, searching": Case(space=lambda: enas_micro(2), skeleton=SEARCH),
    "nasbench201": Case(space=nasbench201, skeleton=EdgeCellSkeleton(channels=4, num_cells=1), genotypes=4),
    "nasbench201, odd extents": Case(
        space=nasbench201,
        skeleton=EdgeCellSkeleton(channels=3, num_cells=2, affine=False, num_classes=4),
        image=ImageInput(channels=3, height=7, width=10),
    ),
    "nasbench101, up to four vertices": Case(
        space=lambda: nasbench101((2, 3, 4)),
        skeleton=DagSkeleton(channels=5, num_stacks=2, num_cells=2),
        genotypes=6,
    ),
    "nasbench101, five vertices, odd extents": Case(
        space=lambda: nasbench101((5,), ("none", "conv3x3-bn-relu", "maxpool3x3", "skip_connect", "sep_conv_3x3")),
        skeleton=DagSkeleton(channels=8, num_stacks=2, num_cells=1, affine=False, num_classes=4),
        image=ImageInput(channels=2, height=7, width=5),
        genotypes=6,
    ),
    "nasbench101, all its cells": Case(
        space=nasbench101,
        skeleton=DagSkeleton(channels=5, num_stacks=1, num_cells=1, num_classes=3),
        image=ImageInput(channels=1, height=4, width=4),
        genotypes=2,
    ),
    "unconstrained graph": Case(
        space=lambda: unconstrained_dag(6, ("none", "conv_3x3", "max_pool_3x3", "skip_connect")),
        skeleton=DagNetworkSkeleton(channels=3),
        genotypes=6,
    ),
    "chain, several depths": Case(space=chain, skeleton=ChainSkeleton(channels=3), genotypes=4),
    "chain, exits of unlike widths": Case(
        space=lambda: chain((0, 1, 2, 4), ("none", "identity", "avg_pool_3x3", "conv_1x1", "sep_conv_5x5")),
        skeleton=ChainSkeleton(channels=3, reductions=(1, 2), num_classes=4),
        image=ImageInput(channels=2, height=8, width=5),
        genotypes=6,
    ),
    "free, recursive": Case(space=recursive_terms, skeleton=FreeSkeleton(channels=2), genotypes=4),
    "free, every term, stages of odd extents": Case(
        space=every_term,
        skeleton=FreeSkeleton(channels=4, halvings=1, num_stages=2, num_classes=3),
        image=ImageInput(channels=2, height=13, width=9),
    ),
    "autoformer": Case(
        space=autoformer_t,
        skeleton=TransformerSkeleton(patch=4, relative=1, head_dim=2, divisor=24, num_classes=3),
        genotypes=2,
    ),
    "autoformer, no class token, nothing learnt by norms": Case(
        space=lambda: autoformer("X", (4, 6), (1.5, 2.0), (1, 3), (0, 1, 3)),
        skeleton=TransformerSkeleton(
            patch=3, relative=2, head_dim=3, class_token=False, affine=False, qkv_bias=False, num_classes=3
        ),
        image=ImageInput(channels=2, height=7, width=10),
        genotypes=4,
    ),
    "transformer": Case(
        space=lambda: transformer((4, 8), (1, 2), heads=(1, 2), ratios=(1.0, 2.0)),
        skeleton=TransformerSkeleton(patch=4, relative=2, head_dim=2, stem_norm=True, num_classes=3),
        genotypes=4,
    ),
    "transformer, the skeleton decides": Case(
        space=lambda: transformer((), (1, 2, 3), ("linear", "multi_query"), (), (), (), ()),
        skeleton=TransformerSkeleton(
            patch=4, embed=6, heads=2, head_dim=3, ffn="swiglu", mlp_ratio=1.5, norm="post", pooler=True, num_classes=3
        ),
    ),
    "nasbench101 of mobile blocks, whose widths are open": Case(
        space=lambda: nasbench101((3, 4), ("mb3_k3", "k3_e3")),
        skeleton=DagSkeleton(channels=4, num_stacks=2, num_cells=1, num_classes=3),
    ),
    "nasbench macro": Case(space=nasbench_macro, skeleton=nasbench_macro().skeletons["small"], genotypes=4),
    "nasbench macro, slices of one tensor": Case(
        space=lambda: nasbench_macro(4),
        skeleton=replace(TWO_STAGES, elastic=True),
        image=ImageInput(channels=2, height=9, width=6),
        genotypes=6,
    ),
    "proxylessnas": Case(
        space=lambda: proxylessnas((1, 3)), skeleton=replace(TWO_STAGES, depths=(1, 3), affine=False), genotypes=4
    ),
    "fbnet": Case(space=lambda: fbnet(4), skeleton=TWO_STAGES, genotypes=4),
    "fbnet, slices of one tensor": Case(
        space=lambda: fbnet(4), skeleton=replace(TWO_STAGES, elastic=True), genotypes=6
    ),
    "mobile operations, several lengths": Case(
        space=lambda: SearchSpace(
            name="mobile",
            version=1,
            title="Names that say more than their stage, and operations of the vocabulary",
            paper="",
            grammar=Grammar(
                {
                    "mobile": record(
                        "mobile",
                        layers=Repeat(
                            one_of("mb1_k3", "mb2.5_k5_se_hswish", "mb3_k3_relu6", "k3_e3_g2", "k5_e1_g2", "conv_3x3"),
                            (2, 3, 4),
                        ),
                    )
                },
                "mobile",
            ),
            skeletons={},
        ),
        skeleton=replace(TWO_STAGES, depths=(1, 3), elastic=True),
        genotypes=6,
    ),
    "mobilenet ofa": Case(space=lambda: mobilenet_ofa(num_units=2, depths=(1, 2, 3)), skeleton=UNITS, genotypes=6),
    "mobilenet ofa, separate operations": Case(
        space=lambda: mobilenet_ofa(num_units=2, depths=(1, 2), kernels=(3, 7), expansions=(1, 2)),
        skeleton=replace(UNITS, elastic=False),
        image=ImageInput(channels=2, height=7, width=10),
    ),
    "mobilenet ofa, units that may be empty": Case(
        space=lambda: mobilenet_ofa(num_units=2, depths=(0, 2), expansions=(1, 3)),
        skeleton=replace(UNITS, widths=(4, 4), strides=(1, 1)),
        genotypes=6,
    ),
    "mnasnet": Case(space=lambda: mnasnet(2), skeleton=MNAS, genotypes=6),
    "mnasnet, separate operations": Case(
        space=lambda: mnasnet(2, ("conv", "sepconv", "mb2"), (3,), (0.75, 1.25), (-1, 0)),
        skeleton=replace(MNAS, elastic=False, tail=0),
        genotypes=4,
    ),
    "nats size": Case(space=nats_size, skeleton=WidthSkeleton(num_classes=3), genotypes=3),
    "nats size, equal widths often": Case(
        space=lambda: nats_size((2, 3), 3),
        skeleton=WidthSkeleton(affine=False, num_classes=3),
        image=ImageInput(channels=2, height=7, width=6),
        genotypes=6,
    ),
    "darts' recurrent cell": Case(
        space=darts_rnn,
        skeleton=RecurrentSkeleton(hidden=3, num_classes=3),
        image=ImageInput(channels=1, height=4, width=5),
    ),
    "a recurrent cell, rows mapped first": Case(
        space=lambda: darts_rnn(3, ("tanh", "identity")),
        skeleton=RecurrentSkeleton(hidden=3, embed=2, num_classes=3),
        image=ImageInput(channels=2, height=3, width=4),
        genotypes=4,
    ),
    "enas macro": Case(
        space=lambda: enas_macro(6), skeleton=SkipSkeleton(channels=4, reductions=(0, 2, 4)), genotypes=4
    ),
    "enas macro, odd extents": Case(
        space=lambda: enas_macro(4, ("conv_1x1", "max_pool_3x3", "identity", "none")),
        skeleton=SkipSkeleton(channels=5, reductions=(2,), num_classes=3),
        image=ImageInput(channels=2, height=7, width=5),
        genotypes=4,
    ),
    "parallel branches": Case(space=multibranch, skeleton=BranchSkeleton(channels=3, num_modules=2), genotypes=5),
    "parallel branches, none or empty": Case(
        space=lambda: multibranch((0, 1, 3), (0, 1, 2), ("sep_conv_5x5", "conv_3x3", "avg_pool_3x3")),
        skeleton=BranchSkeleton(channels=5, num_modules=2, num_classes=3),
        image=ImageInput(channels=2, height=5, width=9),
        genotypes=8,
    ),
    "motifs": Case(
        space=lambda: hierarchical(2, 3, 3), skeleton=HierarchySkeleton(channels=2, num_classes=3), genotypes=5
    ),
    "motifs, added up": Case(
        space=lambda: hierarchical(2, 3, 3, ("none", "conv_3x3", "identity", "max_pool_3x3")),
        skeleton=HierarchySkeleton(channels=4, merge="add", num_classes=4),
        image=ImageInput(channels=2, height=9, width=6),
        genotypes=6,
    ),
    "auto-deeplab": Case(
        space=lambda: autodeeplab(3, num_blocks=1),
        skeleton=TrellisSkeleton(channels=3, stem_channels=4, head_channels=6, rate=8, num_classes=3),
        image=ImageInput(channels=2, height=18, width=13),
        genotypes=4,
    ),
    "auto-deeplab, free start": Case(
        space=lambda: autodeeplab(3, (4, 8), fixed=False, num_blocks=1, operations=("skip_connect", "dil_conv_3x3")),
        skeleton=TrellisSkeleton(channels=3, stem_channels=3, head_channels=6, affine=False, num_classes=2),
        genotypes=6,
    ),
    "nas-fpn": Case(
        space=lambda: nas_fpn(5, (3, 4, 5), ("sum", "global_pool_attention", "concat")),
        skeleton=FpnSkeleton(backbone_channels=2, channels=3, head_depth=1, num_anchors=2, num_classes=3),
        image=ImageInput(channels=2, height=40, width=33),
        genotypes=8,
    ),
    "detection head": Case(
        space=lambda: detection_head((3, 4, 5), (0, 1, 2)),
        skeleton=HeadSkeleton(backbone_channels=2, channels=3, num_anchors=1, num_classes=3),
        image=ImageInput(channels=2, height=25, width=34),
        genotypes=5,
    ),
    "detection head, modulated": Case(
        space=lambda: detection_head((3, 5), (1, 2), ("modulated_conv_3x3", "atrous_conv_5x5")),
        skeleton=HeadSkeleton(backbone_channels=2, channels=2, num_anchors=1, affine=False, num_classes=2),
        image=ImageInput(channels=1, height=33, width=18),
    ),
}


@pytest.fixture(autouse=True)
def exactly() -> Iterator[None]:
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(2)  # networks start alike, whatever ran before
    yield
    torch.set_num_threads(threads)
    torch.set_default_dtype(dtype)


@cache
def lowered(name: str) -> tuple[SearchSpace, Graph, tuple[Decisions, ...]]:
    """The space, its open graph, and the decisions of some genotypes: half uniform, half uniform per decision."""
    case = CASES[name]
    space = case.space()
    rng = Random(name)
    genotypes = [
        space.plan.sample_per_choice(rng) if i % 2 else space.plan.sample(rng, 1)[0] for i in range(case.genotypes)
    ]
    decisions = tuple(space.plan.read(genotype) for genotype in genotypes)
    return space, lower(space.grammar, case.skeleton, case.image), decisions


def decide(name: str, decided: Decisions) -> Graph:
    case = CASES[name]
    return lower(lowered(name)[0].grammar, case.skeleton, case.image, decided)


def jittered(network: Network, seed: int) -> Network:
    """Non-trivial parameters and statistics everywhere, so that nothing agrees by accident."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
        for buffer in filter(Tensor.is_floating_point, network.buffers()):
            buffer.add_(0.3 * torch.rand(buffer.shape, generator=generator))
    return network


def parts(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    outputs = output if isinstance(output, tuple) else (output,)
    return torch.cat([found.flatten(1) for found in outputs], 1)


@pytest.mark.parametrize("name", CASES)
def test_deciding_before_or_after_lowering_is_the_same(name: str) -> None:
    _, graph, genotypes = lowered(name)
    rng = Random(name)
    for decided in genotypes:
        plain = decide(name, decided)
        assert plain.plain
        assert all(node.axis.plain and not [g for g in node.guards if g.question] for node in plain.nodes.values())
        assert resolve(graph, decided) == plain
        for _ in range(3):
            part = {path: answer for path, answer in decided.items() if rng.random() < 0.5}
            between = decide(name, part)
            assert resolve(graph, part) == between
            assert between.open.keys() == resolve(graph, part).open.keys()
            assert resolve(between, decided) == plain


@pytest.mark.parametrize("name", CASES)
def test_every_open_decision_is_one_of_the_space(name: str) -> None:
    space, graph, _ = lowered(name)
    decisions = {decision.path: decision for decision in space.plan.decisions()}
    for path, (kind, options) in graph.open.items():
        assert (decisions[path].kind, decisions[path].options) == (kind, options)
    rules = list(space.grammar.rules)
    places = [
        (rules.index(path[1:].partition("/")[0]), 0) if path.startswith("@") else (-1, list(decisions).index(path))
        for path in graph.open
    ]
    assert places == sorted(places), "open decisions are in the order of the grammar, then of the shared rules"


@pytest.mark.parametrize("name", CASES)
def test_the_supernet_at_a_genotype_is_its_network(name: str) -> None:
    _, graph, genotypes = lowered(name)
    image = CASES[name].image
    torch.manual_seed(0)
    supernet = jittered(Network(graph), 0)
    x = torch.randn(2, image.channels, image.height, image.width)
    before = copy.deepcopy(supernet.state_dict())
    for decided in genotypes:
        network = Network(decide(name, decided))
        hot = one_hot(graph, decided)
        idle = {
            path: w if path in decided else torch.rand(w.shape, generator=torch.Generator().manual_seed(2)).softmax(0)
            for path, w in hot.items()
        }
        for training in (False, True):
            inherit(network, supernet, decided)
            expected = parts(network.train(training)(x)).detach()
            assert expected.isfinite().all()
            assert expected.abs().max() > 0
            settings: list[tuple[bool, Mapping[str, Tensor | list[float]]]] = [(True, hot)]
            if decided is genotypes[0]:
                settings += [
                    (False, hot),
                    (True, {path: w.clone().requires_grad_() for path, w in hot.items()}),
                    (True, idle),
                    (True, {path: w.tolist() for path, w in hot.items()}),
                ]
            for lazy, weights in settings:
                supernet.lazy = lazy
                found = parts(supernet.train(training)(x, weights)).detach()
                assert (found - expected).abs().max() <= GAP * expected.abs().max()
                supernet.load_state_dict(before)


@pytest.mark.parametrize("name", CASES)
def test_another_genotype_differs(name: str) -> None:
    """The control of the law above: with the same weights another genotype computes something else."""
    space, graph, _ = lowered(name)
    image = CASES[name].image
    supernet = jittered(Network(graph), 0).eval()
    x = torch.randn(2, image.channels, image.height, image.width, generator=torch.Generator().manual_seed(1))
    outputs = [
        parts(supernet(x, one_hot(graph, space.plan.read(genotype)))).detach()
        for genotype in space.plan.sample(Random(f"{name}, others"), 6)
    ]
    # some pairs may compute one function, as the 341 cells of NAS-Bench-201 that are zero do
    pairs = [(a, b) for i, a in enumerate(outputs) for b in outputs[:i]]
    differ = [(a - b).abs().max() > 1e-6 * a.abs().max() for a, b in pairs]
    assert sum(differ) >= 0.7 * len(pairs)


class Counter:
    """Multiply-adds of what runs, by hooks on the modules: the other half of the double entry."""

    def __init__(self, network: Network) -> None:
        self.macs = 0
        network.lazy = False  # what only feeds a zero is built and counts
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(self.count)

    def count(self, module: nn.Module, _: object, output: Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, Tensor)
        self.macs += weight[0].numel() * output[0].numel()


@pytest.mark.parametrize("name", CASES)
def test_the_price_of_a_genotype_is_what_torch_holds_and_runs(name: str) -> None:
    _, graph, genotypes = lowered(name)
    image = CASES[name].image
    for decided in genotypes:
        plain = decide(name, decided)
        network = Network(plain).eval()
        held = sum(p.numel() for p in network.parameters())
        counter = Counter(network)
        network(torch.zeros(1, image.channels, image.height, image.width))
        total = cost(plain)
        assert price(graph, certain(decided)) == (held, counter.macs)
        assert (count(plain), macs(plain)) == (held, counter.macs)
        assert (total.params, total.macs) == (held, counter.macs)


@pytest.mark.parametrize("name", CASES)
def test_the_expected_price_is_the_mean_over_genotypes(name: str) -> None:
    """At weights that are a distribution the price is between the cheapest and the dearest, and differentiable."""
    _, graph, _ = lowered(name)
    weights = {path: torch.full((len(options),), 1 / len(options)) for path, (_, options) in graph.open.items()}
    for weight in weights.values():
        weight.requires_grad_()

    def weight_of(path: str, symbols: tuple[object, ...]) -> Tensor:
        options = graph.open[path][1]
        return torch.stack([weights[path][options.index(symbol)] for symbol in symbols]).sum()

    params, work = price(graph, weight_of)
    if not isinstance(params, Tensor):  # every genotype costs the same: what is decided learns nothing
        assert (params, work) == (count(graph), macs(graph))
        return
    assert 0 < params.item() <= count(graph)
    assert 0 < work.item() <= macs(graph)
    params.backward()
    assert any(w.grad is not None and w.grad.abs().sum() > 0 for w in weights.values())


@pytest.mark.parametrize("name", CASES)
def test_decisions_write_the_genotype_they_were_read_from(name: str) -> None:
    space, _, _ = lowered(name)
    for genotype in space.plan.sample(Random(name), 20):
        assert space.plan.write(space.plan.read(genotype)) == genotype


@pytest.mark.parametrize("name", CASES)
def test_every_open_decision_gets_a_gradient(name: str) -> None:
    _, graph, _ = lowered(name)
    image = CASES[name].image
    supernet = jittered(Network(graph), 0).train()
    x = torch.randn(4, image.channels, image.height, image.width)
    weights = {
        path: torch.full((len(options),), 1 / len(options)).requires_grad_()
        for path, (_, options) in graph.open.items()
    }
    parts(supernet(x, weights)).square().sum().backward()
    assert not [path for path, w in weights.items() if w.grad is None or not w.grad.abs().sum() > 0]
