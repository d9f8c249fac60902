"""Mobile blocks against plain torch, and the small skeletons of the mobile spaces on grey digits."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Axis, Builder, Graph, lower, lower_operation
from app.space import Grammar, ImageInput, MobileSkeleton, SearchSpace, record
from app.space.zoo import fbnet, mnasnet, mobilenet_ofa, nasbench_macro, proxylessnas
from workers.network import Network

pytestmark = pytest.mark.usefixtures("exactly")


def of_one(op: str, width: int, inputs: int = 1, **attrs: object) -> Graph:
    """A graph of one node on maps of 6 channels, a second input being a number for each."""
    b = Builder()
    sources = [b.add("x", "input", [], Axis.of(6), (5, 4)), b.add("gate", "input", [], Axis.of(6), ())][:inputs]
    return b.finish([b.add("y", op, sources, Axis.of(width), (5, 4), **attrs)])


@pytest.mark.parametrize("op", ["relu6", "hsigmoid", "hswish"])
def test_activations(op: str) -> None:
    x = torch.linspace(-8, 8, 6 * 20).reshape(1, 6, 5, 4)
    gate = ((x + 3).clamp(0, 6)) / 6
    expected = {"relu6": x.clamp(0, 6), "hsigmoid": gate, "hswish": x * gate}[op]
    assert torch.allclose(Network(of_one(op, 6))(x), expected, atol=1e-15)


def test_groups_of_channels() -> None:
    x = torch.randn(2, 6, 5, 4)
    network = Network(of_one("group_conv", 4, groups=2))
    (weight,) = network.parameters()
    assert weight.shape == (4, 3, 1, 1)
    halves = [F.conv2d(part, w) for part, w in zip(x.chunk(2, 1), weight.chunk(2), strict=True)]
    assert torch.allclose(network(x), torch.cat(halves, 1))
    shuffled = Network(of_one("shuffle", 6, groups=2))(x)
    assert torch.equal(shuffled, x[:, [0, 3, 1, 4, 2, 5]])
    assert torch.equal(shuffled, F.channel_shuffle(x, 2))
    assert torch.equal(Network(of_one("rest", 2))(x), x[:, 4:])


def test_a_gate_scales_channels() -> None:
    x, gate = torch.randn(2, 6, 5, 4), torch.randn(2, 6)
    found = Network(of_one("scale", 6, inputs=2))({"x": x, "gate": gate})
    assert torch.equal(found, torch.einsum("bchw,bc->bchw", x, gate))


def norm(x: Tensor, part: nn.Module) -> Tensor:
    """A norm in evaluation, from its tensors."""
    mean, var, weight, bias = (
        getattr(part, n)[:, None, None] for n in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / (var + 1e-5).sqrt() * weight + bias


def jittered(graph: Graph) -> Network:
    network = Network(graph).eval()
    for tensor in (*network.parameters(), *network.buffers()):
        tensor.data.add_(torch.rand(tensor.shape))
    return network


def test_an_inverted_residual_with_squeeze_and_excitation() -> None:
    network = jittered(lower_operation("mb3_k5_se_hswish", channels=4, size=(6, 6)))
    x, parts, at = torch.randn(2, 4, 6, 6), network.parts, "mb3_k5_se_hswish"
    y = F.hardswish(norm(F.conv2d(x, parts[f"{at}/expand/conv"].weight), parts[f"{at}/expand/norm"]))
    y = F.conv2d(y, parts[f"{at}/depth/conv"].weight, padding=2, groups=12)
    y = F.hardswish(norm(y, parts[f"{at}/depth/norm"]))
    gate = F.hardsigmoid(parts[f"{at}/se/expand"](F.relu(parts[f"{at}/se/reduce"](y.mean((2, 3))))))
    assert gate.shape == (2, 12)
    y = F.conv2d(y * gate[:, :, None, None], parts[f"{at}/project/conv"].weight)
    assert torch.allclose(network(x), x + norm(y, parts[f"{at}/project/norm"]))


def test_fbnet_shuffles_between_its_groups() -> None:
    network = jittered(lower_operation("k3_e1_g2", channels=4, width=6, size=(6, 6), stride=2))
    x, parts, at = torch.randn(2, 4, 6, 6), network.parts, "k3_e1_g2"
    y = F.relu(norm(F.conv2d(x, parts[f"{at}/expand/conv"].weight, groups=2), parts[f"{at}/expand/norm"]))
    y = F.conv2d(y[:, [0, 2, 1, 3]], parts[f"{at}/depth/conv"].weight, stride=2, padding=1, groups=4)
    y = F.conv2d(F.relu(norm(y, parts[f"{at}/depth/norm"])), parts[f"{at}/project/conv"].weight, groups=2)
    assert torch.allclose(network(x), norm(y, parts[f"{at}/project/norm"]))


def test_half_of_the_channels_pass_a_shuffle_block() -> None:
    network = jittered(lower_operation("shuffle_k3", channels=6, size=(4, 4)))
    x = torch.randn(1, 6, 4, 4)
    assert torch.equal(network(x)[:, ::2], x[:, :3])


def test_a_small_kernel_is_the_centre_of_a_large_one() -> None:
    """Once-for-all's elastic kernel, without learned transformations between the sizes."""
    space = mobilenet_ofa(num_units=1, depths=(1,), expansions=(1,))
    skeleton = MobileSkeleton(
        stem=3,
        stem_stride=1,
        first=0,
        widths=(4,),
        strides=(1,),
        activation="relu",
        head=0,
        elastic=True,
        num_classes=2,
    )
    network = jittered(lower(space.grammar, skeleton, ImageInput(channels=3, height=9, width=9)))
    depth = network.parts["unit0/block0/mb1_relu/depth/conv"]
    path, x = "/unit0/blocks/0/kernel", torch.randn(1, 3, 9, 9)
    assert isinstance(depth.weight, Tensor)
    assert depth.weight.shape == (3, 1, 7, 7)
    small = network(x, {path: [1.0, 0.0, 0.0]})
    ring = torch.ones(7, 7)
    ring[2:5, 2:5] = 0
    depth.weight.data += 5 * ring
    assert torch.equal(network(x, {path: [1.0, 0.0, 0.0]}), small)
    assert not torch.allclose(network(x, {path: [0.0, 1.0, 0.0]}), small)
    depth.weight.data *= ring
    assert not torch.allclose(network(x, {path: [1.0, 0.0, 0.0]}), small)


@pytest.mark.parametrize(
    "space", [nasbench_macro(), proxylessnas(), fbnet(), mobilenet_ofa(), mnasnet()], ids=lambda s: s.name
)
def test_small_supernets_learn_from_grey_digits(space: SearchSpace) -> None:
    graph = lower(space.grammar, space.skeletons["small"], ImageInput(channels=1, height=8, width=8))
    network = Network(graph).train()
    weights = {path: torch.full((len(o),), 1 / len(o), requires_grad=True) for path, (_, o) in graph.open.items()}
    logits = network(torch.randn(4, 1, 8, 8), weights)
    assert logits.shape == (4, 10)
    logits.square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in network.parameters())
    assert not [path for path, w in weights.items() if w.grad is None or not w.grad.abs().sum() > 0]


def test_a_resolution_resizes_the_image() -> None:
    space = mobilenet_ofa((8, 12), num_units=1, depths=(1,))
    skeleton = MobileSkeleton(stem=3, first=0, widths=(4,), strides=(1,), head=0, elastic=True, num_classes=2)
    image = ImageInput(channels=3, height=8, width=8)
    decided = {"/resolution": (12,), "/unit0/blocks/0/kernel": (3,), "/unit0/blocks/0/expand": (3,)}
    large = Network(lower(space.grammar, skeleton, image, decided)).eval()
    plain = Network(
        lower(
            Grammar({"net": record("units", unit0=space.grammar.rules["unit"])}, "net"),
            skeleton,
            ImageInput(channels=3, height=12, width=12),
            {path: answer for path, answer in decided.items() if path != "/resolution"},
        )
    ).eval()
    plain.load_state_dict(large.state_dict())
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(large(x), plain(F.interpolate(x, (12, 12), mode="bilinear")))
