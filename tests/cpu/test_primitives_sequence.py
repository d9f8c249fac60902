"""Attention, sequences and recurrent cells against torch's own modules and against their formulas, written out."""

from random import Random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import (
    Axis,
    Builder,
    Graph,
    LoweringError,
    Node,
    cost,
    count,
    lower,
    node_macs,
    node_params,
    resolve,
)
from app.space import ImageInput, SearchSpace
from app.space.skeleton import RecurrentSkeleton, TransformerSkeleton
from app.space.zoo import darts_rnn, transformer
from workers.inheritance import inherit, one_hot
from workers.network import Network
from workers.primitives import LayerNorm
from workers.primitives.attention import Attention, LinearAttention

pytestmark = pytest.mark.usefixtures("exactly")


def jittered(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module


# -- nodes -------------------------------------------------------------------------------------------------------


ATTENTION: dict[str, object] = {"kind": "softmax", "head_dim": 2, "relative": 0, "grid": (2, 3), "lead": 0}
NODES: dict[str, tuple[int, tuple[int, ...], int, tuple[int, ...], dict[str, object]]] = {
    # operation: inputs, extents of the input, features and extents of the output, attributes
    "layer_norm": (1, (6,), 4, (6,), {"affine": True}),
    "layer_norm, plain": (1, (6,), 4, (6,), {"affine": False}),
    "linear": (1, (6,), 5, (6,), {"bias": True}),
    "gelu": (1, (6,), 4, (6,), {}),
    "silu": (1, (6,), 4, (6,), {}),
    "sigmoid": (1, (), 4, (), {}),
    "tanh": (1, (), 4, (), {}),
    "multiply": (2, (6,), 4, (6,), {}),
    "average": (3, (), 4, (), {}),
    "highway": (3, (), 4, (), {}),
    "row": (1, (3, 2), 8, (), {"index": 1}),
    "tokens": (1, (3, 2), 4, (6,), {}),
    "maps": (1, (6,), 4, (3, 2), {"extents": (3, 2)}),
    "class_token": (1, (6,), 4, (7,), {}),
    "position": (1, (6,), 4, (6,), {"rows": 9}),
    "first": (1, (6,), 4, (), {}),
    "mean": (1, (6,), 4, (), {}),
    "attention": (3, (6,), 4, (6,), ATTENTION),
    "attention, relative": (3, (6,), 4, (6,), ATTENTION | {"relative": 2}),
    "attention, linear": (3, (6,), 4, (6,), ATTENTION | {"kind": "linear"}),
}


def shape(node: Node) -> tuple[int, ...]:
    """Of one sample: channels stand before height and width, features last."""
    return (*node.size, len(node.axis)) if len(node.size) == 1 else (len(node.axis), *node.size)


@pytest.mark.parametrize("name", NODES)
def test_every_node_holds_and_runs_what_is_said_of_it(name: str) -> None:
    inputs, size, width, out, attrs = NODES[name]
    b = Builder()
    xs = [b.add(f"x{i}", "input", [], Axis.of(4), size) for i in range(inputs)]
    node = b.add("y", name.split(",")[0], xs, Axis.of(width), out, **attrs)
    graph = b.finish([node])
    network = Network(graph)
    y = network({x.name: torch.randn(2, *shape(x)) for x in xs})
    assert y.shape == (2, *shape(node))
    assert sum(p.numel() for p in network.parameters()) == node_params(graph, node)
    assert node_macs(graph, node) == (6 * 4 * 5 if name == "linear" else 0)


def test_layer_normalisation_of_some_features_is_that_of_fewer() -> None:
    wide, narrow = LayerNorm(6), LayerNorm(4)
    jittered(wide)
    with torch.no_grad():
        narrow.weight.copy_(wide.weight[:4])
        narrow.bias.copy_(wide.bias[:4])
    x = torch.randn(3, 5, 6)
    x[..., 4:] = 0
    present = torch.tensor([1.0, 1, 1, 1, 0, 0])
    torch.testing.assert_close(wide(x, present)[..., :4], narrow(x[..., :4]))
    torch.testing.assert_close(wide(x, torch.ones(6)), wide(x))


def softmax_rows(scores: Tensor) -> Tensor:
    weights = scores.exp()
    return weights / weights.sum(-1, keepdim=True)


@pytest.mark.parametrize("lead", [0, 1])
@pytest.mark.parametrize("shared", [False, True])
def test_relative_positions_word_by_word(lead: int, shared: bool) -> None:
    """AutoFormer's form: a row for the distance along each direction in keys and values, row 0 for the class token."""
    heads, d, most, (height, width) = 2, 3, 1, (2, 3)
    module: Any = jittered(Attention(d, most, (height, width), lead))
    n = lead + height * width
    q = torch.randn(1, n, heads * d)
    k, v = torch.randn(2, 1, n, d if shared else heads * d)
    places: list[tuple[int, int] | None] = [None] * lead + [(i, j) for i in range(height) for j in range(width)]

    def way(a: int, b: int, direction: int) -> int:
        start, end = places[a], places[b]
        if start is None or end is None:
            return 0
        return max(-most, min(most, end[direction] - start[direction])) + most + 1

    expected = torch.zeros(1, n, heads * d)
    for h in range(heads):
        at, kv = slice(h * d, h * d + d), slice(0, d) if shared else slice(h * d, h * d + d)
        for a in range(n):
            keys = [k[0, b, kv] + module.key_rows[way(a, b, 0)] + module.key_columns[way(a, b, 1)] for b in range(n)]
            weights = softmax_rows(torch.stack([q[0, a, at] @ key for key in keys]) / d**0.5)
            for b in range(n):
                value = v[0, b, kv] + module.value_rows[way(a, b, 0)] + module.value_columns[way(a, b, 1)]
                expected[0, a, at] += weights[b] * value
    torch.testing.assert_close(module(q, k, v), expected)


def test_linear_attention_is_attention_with_a_kernel() -> None:
    q, k, v = torch.randn(3, 2, 7, 6)
    expected = torch.empty_like(q)
    for h in range(2):
        at = slice(3 * h, 3 * h + 3)
        weights = (F.elu(q[..., at]) + 1) @ (F.elu(k[..., at]) + 1).transpose(-2, -1)
        expected[..., at] = weights / weights.sum(-1, keepdim=True) @ v[..., at]
    torch.testing.assert_close(LinearAttention(3)(q, k, v), expected)


# -- networks ----------------------------------------------------------------------------------------------------


def built(space: SearchSpace, skeleton: Any, image: ImageInput, genotype: Any) -> tuple[Graph, Network]:
    graph = lower(space.grammar, skeleton, image, space.plan.read(genotype))
    network = Network(graph)
    jittered(network)
    return graph, network


@pytest.mark.parametrize("norm", ["pre", "post"])
def test_a_layer_is_that_of_torch(norm: str) -> None:
    layer = {"attention": "softmax", "heads": 3, "ffn": "gelu", "mlp_ratio": 2.0, "norm": norm}
    space = transformer((12,), (1,), heads=(3,), ratios=(2.0,))
    skeleton = TransformerSkeleton(
        patch=2, head_dim=4, class_token=False, absolute=False, final_norm=False, num_classes=5
    )
    graph, network = built(space, skeleton, ImageInput(channels=3, height=4, width=6), {"embed": 12, "layers": [layer]})
    own = nn.TransformerEncoderLayer(12, 3, 24, 0.0, "gelu", batch_first=True, norm_first=norm == "pre")
    state = network.state_dict()

    def tensors(place: str) -> tuple[Tensor, Tensor]:
        return state[f"parts.{place}.weight"], state[f"parts.{place}.bias"]

    at = "layer0/attention/softmax"
    parts: dict[str, Any] = {
        "self_attn.in_proj": tuple(torch.cat(t) for t in zip(*(tensors(f"{at}/{p}") for p in "qkv"), strict=True)),
        "self_attn.out_proj": tensors(f"{at}/out"),
        "linear1": tensors("layer0/ffn/gelu/up"),
        "linear2": tensors("layer0/ffn/gelu/down"),
        "norm1": tensors(f"layer0/attention/{norm}"),
        "norm2": tensors(f"layer0/ffn/{norm}"),
    }
    joined = {
        f"{name}{'_' if name.endswith('in_proj') else '.'}{kind}": value
        for name, pair in parts.items()
        for kind, value in zip(("weight", "bias"), pair, strict=True)
    }
    own.load_state_dict(joined)
    x = torch.randn(2, 3, 4, 6)
    tokens = F.conv2d(x, *tensors("stem/patch"), stride=2).flatten(2).transpose(1, 2)
    expected = F.linear(own(tokens).mean(1), *tensors("head/linear"))
    torch.testing.assert_close(network(x), expected)
    assert sum(p.numel() for p in network.parameters()) == count(graph)


def test_a_text_is_read_by_its_numbers_and_segments() -> None:
    space = transformer((8,), (2,), (), (2,), (), (), ())
    skeleton = TransformerSkeleton(
        stem="tokens", vocabulary=11, length=9, head_dim=4, norm="post", stem_norm=True, final_norm=False, pooler=True
    )
    genotype = {"embed": 8, "layers": [{"heads": 2}] * 2}
    one, single = built(space, skeleton, ImageInput(channels=1, height=1, width=6), genotype)
    _, double = built(space, skeleton, ImageInput(channels=2, height=2, width=3), genotype)
    double.load_state_dict(single.state_dict())
    numbers = torch.randint(11, (4, 1, 1, 6)).double()
    expected = single(numbers)
    assert expected.shape == (4, 1000)
    both = torch.cat([numbers, torch.zeros_like(numbers)], 1).reshape(4, 2, 2, 3)
    torch.testing.assert_close(double(both), expected)
    both[:, 1, 1] = 1
    assert not torch.allclose(double(both), expected)
    with pytest.raises(IndexError):
        single(numbers + 11)
    assert cost(one).params == sum(p.numel() for p in single.parameters())
    for image, pointer in ((ImageInput(channels=1, height=2, width=5), "/image"), (ImageInput(), "/image/channels")):
        with pytest.raises(LoweringError) as caught:
            built(space, skeleton, image, genotype)
        assert caught.value.pointer == pointer


@pytest.mark.parametrize("training", [False, True])
def test_a_supernet_of_texts_at_a_genotype_is_its_network(training: bool) -> None:
    """The law of tests/contracts/test_lowering_laws.py where the input is token numbers."""
    space = transformer((4, 8), (1, 3), heads=(1, 2), ratios=(1.0, 2.0))
    image = ImageInput(channels=2, height=1, width=5)
    skeleton = TransformerSkeleton(stem="tokens", vocabulary=7, length=9, head_dim=2, stem_norm=True, num_classes=3)
    graph = lower(space.grammar, skeleton, image)
    supernet = Network(graph)
    jittered(supernet).train(training)
    text = torch.cat([torch.randint(7, (3, 1, 1, 5)), torch.randint(2, (3, 1, 1, 5))], 1).double()
    for genotype in space.plan.sample(Random(0), 6):
        decided = space.plan.read(genotype)
        plain = lower(space.grammar, skeleton, image, decided)
        assert resolve(graph, decided) == plain
        network = Network(plain).train(training)
        inherit(network, supernet, decided)
        torch.testing.assert_close(supernet(text, one_hot(graph, decided)), network(text), rtol=1e-12, atol=1e-12)


ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "sigmoid": torch.sigmoid, "identity": lambda x: x}


def test_a_recurrent_cell_is_the_loop_of_its_paper() -> None:
    """DARTS, rnn/model.py: one matrix for the input and the hidden state, one a node, the mean of all nodes."""
    space, image = darts_rnn(), ImageInput(channels=2, height=5, width=3)
    for genotype in space.plan.sample(Random(0), 4):
        steps: Any = genotype
        graph, network = built(space, RecurrentSkeleton(hidden=4, num_classes=3), image, genotype)
        state = {name.removeprefix("parts."): tensor for name, tensor in network.state_dict().items()}
        assert sorted(state) == sorted(
            [f"step0/node{i}/{part}.weight" for i in range(9) for part in ("gate", "candidate")]
            + ["head/linear.weight", "head/linear.bias"]
        )
        x = torch.randn(6, 2, 5, 3)
        hidden = torch.zeros(6, 4)
        for t in range(5):
            joined = torch.cat([x[:, :, t].flatten(1), hidden], 1)
            states: list[Tensor] = []
            for i in range(9):
                gate, candidate = (state[f"step0/node{i}/{part}.weight"] for part in ("gate", "candidate"))
                source = states[steps[f"node{i}"]["input"]] if i else joined
                before = source if i else hidden
                act = ACTIVATIONS[steps[f"node{i}"]["activation"]] if i else torch.tanh
                c, h = torch.sigmoid(source @ gate.T), act(source @ candidate.T)
                states.append(before + c * (h - before))
            hidden = torch.stack(states[1:]).mean(0)
        expected = F.linear(hidden, state["head/linear.weight"], state["head/linear.bias"])
        torch.testing.assert_close(network(x), expected)
        assert cost(graph).macs == 5 * (2 * 4 * (6 + 4) + 8 * 2 * 4 * 4) + 4 * 3
