"""Partial channels and edge normalisation (PC-DARTS) against what the paper's equations give, in float64."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Arena, Graph, Layers, Question, count, lower, resolve
from app.architecture.lower.operation import operation as built
from app.architecture.partial import NoMixture, partial
from app.experiment import SearchRecipe
from app.space import ImageInput, SearchSpace, space_from_json
from app.space.zoo import ZOO, darts
from tests.benchmarks.reference_supernet import Mixed, Supernet, operation, own
from workers.inheritance import inherit, one_hot
from workers.network import Network
from workers.strategies.shared_weights import STRATEGIES, PcDarts, undecided
from workers.supernet.bilevel import BilevelLoss
from workers.supernet.discretise import genotype_of
from workers.supernet.native import kernels
from workers.supernet.rewrite import FusedNetwork, NativeNetwork
from workers.supernet.weights import Relaxed, initial_alpha, soft_weights

IMAGE = ImageInput(channels=3, height=16, width=16)
DOCUMENTS = Path(__file__).parents[2] / "docs" / "spaces"
STATISTICS = ("running_mean", "running_var")
OPTIONS = ("none", "skip_connect", "max_pool_3x3", "nor_conv_3x3")
SMALL: dict[str, dict[str, Any]] = {
    "darts": {"channels": 8, "num_cells": 3, "auxiliary": False},
    "nasbench201": {"channels": 4, "num_cells": 1},
    "nasnet": {"channels": 8, "num_cells": 1, "stem": "cifar", "auxiliary": False},
    "chain": {},
    "metaqnn.json": {},
    "nas_unet.json": {},
}
NONE = ("nasbench101", "nats_size", "mobilenet_ofa", "autoformer_t", "transformer", "nas_fpn", "genetic_cnn.json")
SLOW = ("enas_micro", "enas_macro", "unconstrained_dag", "multibranch", "fbnet", "hierarchical", "inception.json")


@pytest.fixture
def kinds(request: pytest.FixtureRequest) -> tuple[type[Network], ...]:
    """The plain network and rewritten ones; that with kernels where this machine can compile them."""
    folder = request.config.cache.mkdir("native")  # pyright: ignore[reportOptionalMemberAccess]
    found = kernels("auto", folder)
    return (Network, FusedNetwork, NativeNetwork) if found else (Network, FusedNetwork)


def space_of(name: str) -> SearchSpace:
    return space_from_json(json.loads((DOCUMENTS / name).read_text())) if name.endswith(".json") else ZOO[name]


def graph_of(name: str, **changed: Any) -> tuple[SearchSpace, Graph]:
    space = space_of(name)
    skeletons = space.skeletons
    skeleton = skeletons.get("small" if name in SLOW else "search") or next(iter(skeletons.values()))
    changed = SMALL.get(name, {}) | changed
    image = IMAGE if name in SMALL else ImageInput(channels=3, height=32, width=32)
    return space, lower(space.grammar, replace(skeleton, **changed), image)


def network_of(graph: Graph, kind: type[Network] = Network) -> Network:
    torch.manual_seed(0)
    network = kind(graph).double()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor.copy_(torch.randn(tensor.shape, dtype=torch.float64) * 0.3)
    return network


def alphas(relaxed: tuple[Relaxed, ...]) -> dict[str, Tensor]:
    found = initial_alpha(relaxed, torch.Generator().manual_seed(1), 1.0)
    return {path: a.double().requires_grad_() for path, a in found.items()}


def mixture(channels: int, stride: int, extent: int = 6) -> Graph:
    """Operations of a choice on one input, not yet partial."""
    b, arena = Layers(affine=False, norm_after_pool=True), Arena()
    question = Question((0,), "/op", "choice", OPTIONS)
    x = b.input("x", channels, (extent, extent))
    terms = [
        (arena.when(question, [i]), built(b, "/op", name, f"mix/{name}", x, channels, stride))
        for i, name in enumerate(OPTIONS)
    ]
    return b.finish([b.sum("mix", terms)])


def shuffled(x: Tensor, groups: int) -> Tensor:
    """Channel c of the answer is channel c // groups of group c % groups."""
    each = x.shape[1] // groups
    return torch.stack([x[:, (c % groups) * each + c // groups] for c in range(x.shape[1])], 1)


def batch_normal(x: Tensor) -> Tensor:
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), unbiased=False, keepdim=True)
    return (x - mean) / (variance + 1e-5).sqrt()


@pytest.mark.parametrize("kind", [Network, FusedNetwork])
@pytest.mark.parametrize(("channels", "stride", "extent"), [(8, 1, 6), (8, 2, 6), (8, 2, 7), (12, 1, 6)])
def test_a_mixed_operation_is_that_of_the_paper(kind: type[Network], channels: int, stride: int, extent: int) -> None:
    """Equation 1 of arXiv:1907.05737, K = 4; the others are pooled where operations stride."""
    network = network_of(partial(mixture(channels, stride, extent)), kind)
    x = torch.randn(2, channels, extent, extent, dtype=torch.float64)
    w = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
    first, rest = x[:, : channels // 4], x[:, channels // 4 :]
    tensors = {name.rpartition("/op/")[2]: tensor for name, tensor in network.named_parameters()}
    if stride == 1:
        skipped = first
    else:
        ahead = F.pad(F.relu(first)[:, :, 1:, 1:], (0, extent % 2, 0, extent % 2))
        parts = [F.relu(first), ahead]
        halves = [
            F.conv2d(part, tensors[f"skip_connect/conv{i}.weight"], stride=2)
            for i, part in enumerate(parts)
            if f"skip_connect/conv{i}.weight" in tensors
        ]
        skipped = batch_normal(torch.cat(halves, 1))
        rest = F.max_pool2d(F.pad(rest, (0, extent % 2, 0, extent % 2), value=float("-inf")), 2)
    pooled = batch_normal(F.max_pool2d(first, 3, stride, 1))
    convolved = batch_normal(F.conv2d(F.relu(first), tensors["nor_conv_3x3/conv.weight"], stride=stride, padding=1))
    expected = shuffled(torch.cat([w[1] * skipped + w[2] * pooled + w[3] * convolved, rest], 1), 4)
    assert torch.allclose(network(x, {"/op": w}), expected, rtol=1e-12, atol=1e-12)


def test_its_gradients_are_those_of_differences() -> None:
    network = network_of(partial(mixture(8, 2, 4)), FusedNetwork).eval()
    x = torch.randn(2, 8, 4, 4, dtype=torch.float64, requires_grad=True)
    w = torch.tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64, requires_grad=True)

    def answer(x: Tensor, w: Tensor) -> Any:
        return network(x, {"/op": w})

    assert torch.autograd.gradcheck(answer, (x, w))


class PartialMixed(Mixed):
    """A mixed operation on one channel in four; the last of its weights is that of its edge."""

    def __init__(self, operations: Sequence[str], channels: int, stride: int) -> None:
        nn.Module.__init__(self)
        self.stride = stride
        self.operations = nn.ModuleDict({name: operation(name, channels // 4, stride) for name in operations})

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        first, rest = x.split([x.shape[1] // 4, x.shape[1] - x.shape[1] // 4], 1)
        terms = [w * op(first) for w, op in zip(weights[:-1], self.operations.values(), strict=True)]
        rest = F.max_pool2d(rest, 2) if self.stride == 2 else rest
        return weights[-1] * shuffled(torch.cat([torch.stack(terms).sum(0), rest], 1), 4)


@pytest.mark.parametrize("kind", [Network, FusedNetwork])
def test_whole_cells_with_normalised_edges_are_those_of_the_paper(kind: type[Network]) -> None:
    """Equations 1 and 2 edge by edge, three cells of which two reduce; values, and gradients of α, β and weights."""
    space, whole = graph_of("darts")
    graph, relaxed = undecided("pc_darts", space.plan, whole)
    network = network_of(graph, kind)
    operations = [str(name) for name in graph.open["/normal/node2/0/op"][1]]
    reference = Supernet(operations, 8, 3)
    for i, cell in enumerate(reference.cells.values()):
        for name, edge in cell.edges.items():  # pyright: ignore
            halves = cell.kind == "reduce" and int(name.rpartition("/")[2]) < 2
            cell.edges[name] = PartialMixed(operations, 8 * (1, 2, 4)[i], 2 if halves else 1)  # pyright: ignore
            assert isinstance(edge, Mixed)
    reference.double().load_state_dict(
        {own(name.replace("partial/op/", "")): tensor for name, tensor in network.state_dict().items()}
    )
    x = torch.randn(3, 3, 16, 16, dtype=torch.float64)
    labels = torch.tensor([0, 3, 5])

    mine, theirs = alphas(relaxed), alphas(relaxed)
    F.cross_entropy(network(x, soft_weights(relaxed, mine)), labels).backward()
    edges: dict[str, Tensor] = {}
    for kind_of_cell in ("normal", "reduce"):
        for node in range(2, 6):
            here = f"/{kind_of_cell}/node{node}"
            competes = here in theirs  # of the first node both inputs are taken: nothing competes
            beta = theirs[here].exp() / theirs[here].exp().sum() if competes else torch.ones(2, dtype=torch.float64)
            for source in range(node):
                alpha = theirs[f"{here}/{source}/op"]
                edges[f"{here[1:]}/{source}"] = torch.cat([alpha.exp() / alpha.exp().sum(), beta[source : source + 1]])
    answer = reference(x, edges)
    assert torch.allclose(network(x, soft_weights(relaxed, mine)), answer, rtol=1e-9, atol=1e-11)
    F.cross_entropy(answer, labels).backward()
    for path in mine:
        assert torch.allclose(_grad(mine[path]), _grad(theirs[path]), rtol=1e-8, atol=1e-12), path
    of_reference = {name: p.grad for name, p in reference.named_parameters()}
    for name, p in network.named_parameters():
        other = of_reference[own(name.replace("partial/op/", ""))]
        assert other is not None
        assert torch.allclose(_grad(p), other, rtol=1e-7, atol=1e-10), name


def _grad(tensor: Tensor) -> Tensor:
    assert tensor.grad is not None
    return tensor.grad


def test_it_holds_as_many_parameters_as_the_code_of_the_paper() -> None:
    """Counted from yuhuixu1993/PC-DARTS `model_search.py`, commit b74702f: Network(16, 10, 8) and Network(8, 10, 5)."""
    for channels, cells, params in ((16, 8, 299_578), (8, 5, 66_586)):
        _, graph = graph_of("darts", channels=channels, num_cells=cells)
        assert count(partial(graph)) == params


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_rewritten_partial_supernets_are_the_same(name: str, kinds: tuple[type[Network], ...]) -> None:
    """Values and gradients of the plain network and of rewritten ones."""
    space, whole = graph_of(name)
    graph, relaxed = undecided("pc_darts", space.plan, whole)
    found: list[tuple[Tensor, list[Tensor | None]]] = []
    x = torch.randn(2, *_shape(graph), dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    state: Any = None
    for kind in kinds:
        network = network_of(graph, kind)
        state = network.state_dict() if state is None else state
        network.load_state_dict(state)
        alpha = alphas(relaxed)
        answer = network(x, soft_weights(relaxed, alpha))
        loss = (answer if isinstance(answer, Tensor) else answer[0]).square().mean()
        loss.backward()
        tensors = dict(network.named_parameters()) | alpha
        found.append((loss.detach(), [tensors[place].grad for place in sorted(tensors)]))
    value, gradients = found[0]
    scale = torch.stack([g.norm() for g in gradients if g is not None]).norm()
    for same, also in found[1:]:
        assert torch.allclose(value, same, rtol=1e-9)
        for one, other in zip(gradients, also, strict=True):
            assert (one is None) == (other is None)
            if one is not None and other is not None:
                assert (one - other).norm() < 1e-8 * scale


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_at_one_hot_weights_only_what_is_chosen_is_left(name: str) -> None:
    """The law of supernets, partial as they are: the same answer, and fewer tensors with the same names."""
    space, whole = graph_of(name)
    graph = partial(whole)
    assert graph.open == whole.open
    big = network_of(graph).eval()
    x = torch.randn(2, *_shape(graph), dtype=torch.float64)
    names = set(big.state_dict())
    for genotype in space.plan.sample(Random(0), 2):
        decided = space.plan.read(genotype)
        chosen = resolve(graph, decided)
        assert chosen.plain
        small = Network(chosen).double().eval()
        inherit(small, big, decided)
        assert set(small.state_dict()) < names
        for one, other in zip(_all(big(x, one_hot(graph, decided))), _all(small(x)), strict=True):
            assert torch.allclose(one, other, rtol=1e-10, atol=1e-12)


def _shape(graph: Graph) -> tuple[int, ...]:
    node = next(node for node in graph.nodes.values() if node.op == "input")
    return len(node.axis), *node.size


def _all(answer: Any) -> tuple[Tensor, ...]:
    return answer if isinstance(answer, tuple) else (answer,)


def test_the_chosen_operations_stay_partial() -> None:
    """Of an edge with a 3x3 convolution on 4 channels one channel is convolved."""
    space, whole = graph_of("nasbench201")
    decided = dict(space.plan.read(space.plan.unrank(0))) | {path: ("nor_conv_3x3",) for path, _ in whole.open.items()}
    chosen = resolve(partial(whole), decided)
    (conv,) = [
        node for name, node in chosen.nodes.items() if name.startswith("stage0/cell0/node1/0/") and node.op == "conv"
    ]
    assert conv.name == "stage0/cell0/node1/0/partial/op/nor_conv_3x3/conv"
    assert (len(conv.axis), len(chosen.nodes[conv.inputs[0]].axis)) == (1, 1)
    assert {node.op for node in chosen.nodes.values()} >= {"shuffle", "rest", "truncate"}


def test_names_say_where_operations_are_partial() -> None:
    """They are unlike those of whole channels, whose tensors have other shapes, and never change."""
    graph = partial(mixture(8, 2))
    assert set(Network(graph).state_dict()) == {
        f"parts.mix/partial/op/{name}"
        for name in (
            "skip_connect/conv0.weight",
            "skip_connect/conv1.weight",
            *(f"{place}.{of}" for place in ("skip_connect/norm", "max_pool_3x3/norm") for of in STATISTICS),
            "nor_conv_3x3/conv.weight",
            *(f"nor_conv_3x3/norm.{of}" for of in STATISTICS),
        )
    }


@pytest.mark.parametrize(("channels", "stride", "share"), [(8, 1, 4), (6, 1, 3), (10, 1, 2), (4, 2, 2), (6, 2, 3)])
def test_the_share_divides_the_channels_and_what_operations_derive_from_them(
    channels: int, stride: int, share: int
) -> None:
    """Halves of a strided skip are divided, too: of 4 channels 2 and 2, which no 4 does."""
    graph = partial(mixture(channels, stride))
    assert graph.nodes["mix"]["groups"] == share
    assert len(graph.nodes["mix/partial/first"].axis) == channels // share


def test_where_no_decision_mixes_operations_the_missing_property_is_named() -> None:
    for name in NONE:
        _, graph = graph_of(name)
        with pytest.raises(NoMixture, match="no decision chooses between operations on the maps of one source"):
            partial(graph)
    for graph in (mixture(7, 1), resolve(mixture(8, 1), {"/op": ("skip_connect",)})):
        with pytest.raises(NoMixture, match="a share divides"):
            partial(graph)
    with pytest.raises(ValueError, match="share: 1"):
        partial(mixture(8, 1), 1)


def test_inputs_compete_only_for_partial_channels() -> None:
    space, graph = graph_of("darts")
    for strategy, rule in (("pc_darts", "softmax"), ("darts", "present")):
        searched, relaxed = undecided(strategy, space.plan, graph)  # pyright: ignore[reportArgumentType]
        assert {r.rule for r in relaxed if r.decision.kind == "subset"} == {rule}
        assert (searched is graph) == (strategy == "darts")


def test_inputs_are_kept_by_the_product_of_both_weights() -> None:
    """The two inputs with the largest β times the strongest operation other than `none`, and those operations."""
    space = darts(none=True)
    skeleton = replace(space.skeletons["search"], channels=4, num_cells=1)
    graph, relaxed = undecided("pc_darts", space.plan, lower(space.grammar, skeleton, IMAGE))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        alpha = {
            path: torch.randn(len(options), generator=generator, dtype=torch.float64)
            for path, (_, options) in graph.open.items()
        }
        assert {r.path for r in relaxed} == alpha.keys()
        found: Any = genotype_of(space.plan, soft_weights(relaxed, alpha), "darts")
        for node in range(2, 6):
            beta = alpha.get(f"/reduce/node{node}", torch.zeros(node)).softmax(0).tolist()
            scored: list[tuple[float, int, str]] = []
            for source in range(node):
                path = f"/reduce/node{node}/{source}/op"
                weights = zip(alpha[path].softmax(0).tolist(), map(str, graph.open[path][1]), strict=True)
                scored.append(max((beta[source] * w, source, name) for w, name in weights if name != "none"))
            kept = {(source, name) for _, source, name in sorted(scored)[-2:]}
            assert {(edge["input"], edge["op"]) for edge in found["reduce"][f"node{node}"]} == kept


def test_operations_and_inputs_learn_by_one_adam() -> None:
    """Both move against the gradient of the architecture loss; the first step of Adam is its learning rate long."""
    space, whole = graph_of("darts")
    graph, relaxed = undecided("pc_darts", space.plan, whole)
    assert STRATEGIES["pc_darts"] is PcDarts
    recipe = SearchRecipe(name="pc", alpha_learning_rate=6e-4, alpha_weight_decay=0.0)
    strategy = PcDarts(relaxed, recipe, seed=0, device=torch.device("cpu"))
    network = network_of(graph, FusedNetwork).float()
    x, labels = torch.randn(4, 3, 16, 16), torch.tensor([0, 1, 2, 3])

    def loss(weights: Any) -> Tensor:
        return F.cross_entropy(network(x, weights), labels)

    before = {path: a.detach().clone() for path, a in strategy.alpha.values.items()}
    spread = torch.cat([*before.values()]).std()
    assert 0.8e-3 < spread < 1.2e-3
    started = loss(strategy.draw()).item()
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    strategy.learn(BilevelLoss(loss, loss, optimiser, lambda weights: 0.0))
    assert "/normal/node3" in before
    for path, a in strategy.alpha.values.items():
        assert torch.allclose((a.detach() - before[path]).abs(), torch.tensor(6e-4), rtol=0.05), path
    assert loss(strategy.draw()).item() < started
