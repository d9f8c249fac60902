"""Strided 1x1 convolutions of few channels: torch's own backward damages the heap on some CPUs, ours must not."""

import pytest
import torch

from app.architecture import TRUE, Axis, Graph, Node
from workers.network import Network
from workers.primitives.convolution import StridedPointwise
from workers.training.determinism import generator


@pytest.mark.parametrize("channels", [1, 3, 4, 6, 8])
@pytest.mark.parametrize("extent", [7, 8])
def test_strided_pointwise_is_the_formula(channels: int, extent: int) -> None:
    source = Node("x", "input", (), Axis.of(channels), (extent, extent))
    attrs = {"kernel": (Axis.of(1), Axis.of(1)), "stride": (2, 2), "dilation": 1, "depthwise": False}
    conv = Node(
        "c", "conv", ("x",), Axis.of(8), (4, 4), (), tuple(sorted({**attrs, "bias": False, "pad": None}.items()))
    )
    network = Network(Graph({"x": source, "c": conv}, ("c",)))
    (layer,) = network.parts.values()
    assert isinstance(layer, StridedPointwise)
    assert Axis.of(1).segments == ((1, TRUE),)
    for seed in range(20):
        x = torch.randn(64, channels, extent, extent, generator=generator(seed, "x"))
        x = x.to(memory_format=torch.channels_last).requires_grad_()
        found = network(x)
        expected = torch.einsum("bchw,dc->bdhw", x[:, :, ::2, ::2], layer.weight[:, :, 0, 0])
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
        pull = torch.randn(64, 16, 4, 4, generator=generator(seed, "pull"))[:, :8]
        for a, b in zip(
            torch.autograd.grad(found, [x, layer.weight], pull),
            torch.autograd.grad(expected, [x, layer.weight], pull),
            strict=True,
        ):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-3)
