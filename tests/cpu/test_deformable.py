"""Deformable convolutions and resizing against their definitions, in float64."""

from math import floor
from random import Random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.architecture import Layers, lower_operation
from workers.network import Network, key
from workers.primitives.deformable import DeformableConv
from workers.primitives.resizing import Resize

pytestmark = pytest.mark.usefixtures("exactly")


def sample(x: Tensor, row: float, column: float) -> Tensor:
    """Channels of one image between its pixels, zero beyond: the sum over the four corners."""
    total = torch.zeros(len(x))
    for r in (floor(row), floor(row) + 1):
        for c in (floor(column), floor(column) + 1):
            if 0 <= r < x.shape[1] and 0 <= c < x.shape[2]:
                total += x[:, r, c] * (1 - abs(row - r)) * (1 - abs(column - c))
    return total


def by_definition(conv: DeformableConv, x: Tensor, offsets: Tensor, scales: Tensor) -> Tensor:
    """Place by place, image by image."""
    (rows, columns), stride, dilation = conv.kernel_size, conv.stride, conv.dilation
    out = torch.zeros(len(x), conv.out_channels, *offsets.shape[2:])
    for b in range(len(x)):
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                for k in range(rows * columns):
                    r, c = divmod(k, columns)
                    row = i * stride[0] + (r - (rows - 1) // 2) * dilation[0] + offsets[b, 2 * k, i, j].item()
                    column = j * stride[1] + (c - (columns - 1) // 2) * dilation[1] + offsets[b, 2 * k + 1, i, j].item()
                    out[b, :, i, j] += conv.weight[:, :, r, c] @ (sample(x[b], row, column) * scales[b, k, i, j])
    return out


@pytest.mark.parametrize(("stride", "dilation"), [((1, 1), 1), ((2, 2), 1), ((2, 1), 2)])
@torch.no_grad()
def test_samples_lie_where_the_offsets_say(stride: tuple[int, int], dilation: int) -> None:
    conv = DeformableConv(2, 3, (3, 3), stride, dilation=dilation, bias=False)
    x = torch.randn(2, 2, 6, 5)
    size = [(n - 1) // s + 1 for n, s in zip(x.shape[2:], stride, strict=True)]
    offsets, modulations = 2 * torch.randn(2, 18, *size), torch.randn(2, 9, *size)
    expected = by_definition(conv, x, offsets, torch.ones(2, 9, *size))
    assert torch.allclose(conv(x, offsets), expected, rtol=0, atol=1e-12)
    expected = by_definition(conv, x, offsets, modulations.sigmoid())
    assert torch.allclose(conv(x, offsets, modulations), expected, rtol=0, atol=1e-12)


@torch.no_grad()
def test_without_offsets_it_is_a_convolution() -> None:
    conv = DeformableConv(4, 6, (3, 3), (2, 2), bias=False)
    x = torch.randn(3, 4, 7, 1)
    still = torch.zeros(3, 18, 4, 1)
    assert torch.allclose(conv(x, still), F.conv2d(x, conv.weight, stride=2, padding=1), rtol=0, atol=1e-13)
    assert torch.allclose(
        conv(x, still, torch.zeros(3, 9, 4, 1)), 0.5 * F.conv2d(x, conv.weight, stride=2, padding=1), rtol=0, atol=1e-13
    )


def test_it_has_the_gradients_of_its_formula() -> None:
    conv = DeformableConv(1, 2, (3, 3), bias=False)
    x = torch.randn(1, 1, 3, 4, requires_grad=True)
    offsets = (0.3 * torch.rand(1, 18, 3, 4) + 0.2).requires_grad_()  # away from pixels, where it has a kink
    modulations = torch.randn(1, 9, 3, 4, requires_grad=True)
    assert torch.autograd.gradcheck(conv, (x, offsets, modulations))


@pytest.mark.parametrize(("name", "extra"), [("deform_conv_3x3", 18), ("modulated_conv_3x3", 27)])
def test_a_new_one_does_not_move_its_samples(name: str, extra: int) -> None:
    network = Network(lower_operation(name, channels=4, size=(5, 6)))
    found = [module for at, module in network.parts.items() if at.endswith(("offset", "modulation"))]
    assert sum(module.out_channels for module in found) == extra
    assert all(not parameter.any() for module in found for parameter in module.parameters())
    conv = network.parts[key(f"{name}/conv")]
    x = torch.randn(2, 4, 5, 6).relu()
    share = 1.0 if name == "deform_conv_3x3" else 0.5
    convolved = F.batch_norm(share * F.conv2d(x, conv.weight, padding=1), None, None, training=True)
    assert torch.allclose(network.train()(x), convolved, rtol=0, atol=1e-10)


def test_nearest_and_bilinear_resizing() -> None:
    x = torch.randn(2, 3, 4, 5)
    rng = Random(0)
    for _ in range(6):
        height, width = rng.randint(1, 11), rng.randint(1, 11)
        nearest = Resize((height, width), "nearest")(x)
        rows = [i * 4 // height for i in range(height)]
        columns = [j * 5 // width for j in range(width)]
        assert torch.equal(nearest, x[:, :, rows][:, :, :, columns])
        bilinear = Resize((height, width), "bilinear")(x)
        expected = torch.stack(
            [
                torch.stack(
                    [between(x[0], (i + 0.5) * 4 / height - 0.5, (j + 0.5) * 5 / width - 0.5) for j in range(width)], -1
                )
                for i in range(height)
            ],
            -2,
        )
        assert torch.allclose(bilinear[0], expected, rtol=0, atol=1e-12)


def between(x: Tensor, row: float, column: float) -> Tensor:
    """Between pixels, clamped to the maps."""
    return sample(x, min(max(row, 0), x.shape[1] - 1), min(max(column, 0), x.shape[2] - 1))


def test_a_vector_becomes_constant_maps() -> None:
    b = Layers()
    x = b.input("x", 3, (4, 4))
    graph = b.finish([b.resize("out", b.mean("mean", x), (2, 5))])
    maps = torch.randn(2, 3, 4, 4)
    found = Network(graph)(maps)
    assert found.shape == (2, 3, 2, 5)
    assert torch.equal(found[..., 1, 3], maps.mean((2, 3)))


def test_resizings_of_one_map_to_unlike_extents_are_two_steps() -> None:
    b = Layers()
    x = b.input("x", 1, (2, 2))
    small, large = b.resize("small", x, (3, 3)), b.resize("large", x, (5, 4))
    outputs = Network(b.finish([small, large]))(torch.ones(1, 1, 2, 2))
    assert [tuple(output.shape[2:]) for output in outputs] == [(3, 3), (5, 4)]
