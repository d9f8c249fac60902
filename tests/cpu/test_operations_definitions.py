"""Every operation with a name, in float64, against a reading of its definition in plain torch.

A reading takes an operation's tensors in the order in which its definition speaks of them. Norms are those of a batch
in training without scale and shift; offsets of deformable convolutions are drawn, so that they move their samples.
"""

import re
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.architecture import OPERATIONS, lower_operation
from workers.network import Network

pytestmark = pytest.mark.usefixtures("exactly")

Reading = Callable[[Tensor, int, int], Tensor]  # of an input, an output width and a stride


class Read:
    """The pieces that definitions are put together from, each taking its tensors where it stands."""

    def __init__(self, tensors: list[Tensor]) -> None:
        self.tensors = iter(tensors)

    def conv(self, x: Tensor, stride: int = 1, groups: int = 1, dilation: int = 1) -> Tensor:
        """A convolution without bias that keeps the extents, over the stride."""
        weight = next(self.tensors)
        pad = [dilation * (n - 1) // 2 for n in weight.shape[2:]]
        return F.conv2d(x, weight, None, stride, pad, dilation, groups)

    def depth(self, x: Tensor, stride: int = 1, dilation: int = 1) -> Tensor:
        return self.conv(x, stride, x.shape[1], dilation)

    def linear(self, x: Tensor) -> Tensor:
        return F.linear(x, next(self.tensors), next(self.tensors))

    def bn(self, x: Tensor) -> Tensor:
        mean, var = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), keepdim=True, unbiased=False)
        return (x - mean) / (var + 1e-5).sqrt()

    def fit(self, x: Tensor, width: int) -> Tensor:
        """ReLU, 1x1 convolution and norm where the width changes."""
        return x if x.shape[1] == width else self.bn(self.conv(x.relu()))


def tokens(x: Tensor) -> Tensor:
    return F.layer_norm(x.flatten(2).mT, (x.shape[1],), eps=1e-5)


def maps(y: Tensor, like: Tensor) -> Tensor:
    return y.mT.unflatten(2, like.shape[2:])


def shuffle(x: Tensor, groups: int) -> Tensor:
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)


def heads(y: Tensor, dim: int = 32) -> Tensor:
    return y.unflatten(-1, (-1, dim)).transpose(1, 2)


def squeezed(inner: Tensor, read: Read) -> Tensor:
    """Hu et al. (2018) with MobileNetV3's hard sigmoid."""
    gate = read.linear(read.linear(inner.mean((2, 3))).relu())
    return inner * ((gate + 3).clamp(0, 6) / 6)[..., None, None]


def factorised_reduction(read: Read, x: Tensor) -> Tensor:
    y = x.relu()
    first = F.conv2d(y, next(read.tensors), stride=2)
    shifted = F.pad(y, (0, x.shape[3] % 2, 0, x.shape[2] % 2))[:, :, 1:, 1:]
    return read.bn(torch.cat([first, F.conv2d(shifted, next(read.tensors), stride=2)], 1))


def pooled(kind: str, x: Tensor, k: int, stride: int) -> Tensor:
    """Windows one by one: maxima, or means of what is not padding."""
    pad = (k - 1) // 2
    outside = F.pad(x, (pad,) * 4, value=float("-inf"))
    windows = outside.unfold(2, k, stride).unfold(3, k, stride).flatten(-2)
    if kind == "max":
        return windows.amax(-1)
    inside = windows.isfinite()
    return torch.where(inside, windows, 0.0).sum(-1) / inside.sum(-1)


def deformed(read: Read, x: Tensor, k: int, stride: int, modulated: bool) -> Tensor:
    """Every tap of the window read where its offset says, between pixels and 0 outside."""
    pad = k // 2
    offsets = F.conv2d(x, next(read.tensors), next(read.tensors), stride, pad)
    scales = torch.ones_like(offsets[:, ::2])
    if modulated:
        scales = F.conv2d(x, next(read.tensors), next(read.tensors), stride, pad).sigmoid()
    weight, (height, width) = next(read.tensors), x.shape[2:]
    rows = torch.arange(offsets.shape[2])[:, None] * stride - pad
    columns = torch.arange(offsets.shape[3])[None] * stride - pad
    total = torch.zeros(())
    for tap in range(k * k):
        at_row = rows + tap // k + offsets[:, 2 * tap]
        at_column = columns + tap % k + offsets[:, 2 * tap + 1]
        # the whole picture of a grid lies from -1 to 1
        grid = torch.stack([2 * at_column / (width - 1) - 1, 2 * at_row / (height - 1) - 1], -1)
        sampled = F.grid_sample(x, grid, "bilinear", "zeros", align_corners=True) * scales[:, tap : tap + 1]
        total = total + torch.einsum("bchw,dc->bdhw", sampled, weight[:, :, tap // k, tap % k])
    return total


def inverted(read: Read, x: Tensor, width: int, stride: int, name: str) -> Tensor:
    """Expand, filter, gate, project; beside the input where the shape is kept."""
    act = F.hardswish if "hswish" in name else F.relu
    groups, inner = (2 if name.endswith("_g2") else 1), x
    if not name.startswith("mb1_"):
        inner = act(read.bn(read.conv(x, groups=groups)))
        inner = shuffle(inner, groups)
    inner = act(read.bn(read.depth(inner, stride)))
    if "_se" in name:
        inner = squeezed(inner, read)
    y = read.bn(read.conv(inner, groups=groups))
    return x + y if y.shape == x.shape else y


def halves(read: Read, x: Tensor, width: int, stride: int, xception: bool) -> Tensor:
    """ShuffleNetV2's block and Single Path One-Shot's."""
    keeps = stride == 1 and x.shape[1] == width
    passed, y = x.chunk(2, 1) if keeps else (x, x)
    if not keeps:
        passed = read.bn(read.conv(read.bn(read.depth(passed, stride)))).relu()
    if xception:
        for step in (stride, 1, 1):
            y = read.bn(read.conv(read.bn(read.depth(y, step)))).relu()
    else:
        y = read.bn(read.conv(y)).relu()
        y = read.bn(read.conv(read.bn(read.depth(y, stride)))).relu()
    return shuffle(torch.cat([passed, y], 1), 2)


def attended(read: Read, x: Tensor, stride: int, name: str) -> Tensor:
    """Scaled products of queries and keys, or a kernel of both."""
    x = x if stride == 1 else pooled("avg", x, 3, 2)
    y = tokens(x)
    q, k, v = (heads(read.linear(y)) for _ in range(3))
    if name.startswith("linear"):
        q, k = F.elu(q) + 1, F.elu(k) + 1
        pairs = q @ k.mT
        mixed = pairs / pairs.sum(-1, keepdim=True) @ v
    else:
        mixed = (q @ k.mT / q.shape[-1] ** 0.5).softmax(-1) @ v
    return maps(read.linear(mixed.transpose(1, 2).flatten(2)), x)


def fed_forward(read: Read, x: Tensor, stride: int, name: str) -> Tensor:
    x = x if stride == 1 else pooled("avg", x, 3, 2)
    up = read.linear(tokens(x))
    inner = F.silu(read.linear(tokens(x))) * up if "swiglu" in name else F.gelu(up)
    return maps(read.linear(inner), x)


def pyramid(read: Read, x: Tensor, stride: int) -> Tensor:
    parts = [read.bn(read.conv(x, stride)).relu()]
    parts += [read.bn(read.conv(x, stride, dilation=rate)).relu() for rate in (6, 12, 18)]
    mean = read.linear(x.mean((2, 3))).relu()
    parts.append(mean[..., None, None].expand_as(parts[0]))
    return read.bn(read.conv(torch.cat(parts, 1))).relu()


def defined(name: str, tensors: list[Tensor], x: Tensor, width: int, stride: int) -> Tensor:
    """What an operation is, by the words of its paper."""
    read, k = Read(tensors), kernel(name)
    match OPERATIONS[name].family:
        case "no connection":
            return torch.zeros(x.shape[0], width, *(-(-n // stride) for n in x.shape[2:]))
        case "identity" if name == "skip":
            return x if stride == 1 and x.shape[1] == width else read.bn(read.conv(x, stride)).relu()
        case "identity":
            return factorised_reduction(read, x) if stride == 2 else read.fit(x, width)
        case "pooling":
            return read.fit(pooled("avg" if name.startswith("avg") else "max", x, k, stride), width)
        case "convolution" if name.endswith("-bn-relu"):
            return read.bn(read.conv(x, stride)).relu()
        case "convolution":
            return read.bn(read.conv(x.relu(), stride))
        case "factorised convolution":
            y = F.conv2d(x.relu(), next(read.tensors), None, (1, stride), (0, k // 2))
            return read.bn(F.conv2d(y, next(read.tensors), None, (stride, 1), (k // 2, 0)))
        case "separable convolution" if name.startswith("sep_"):
            y = read.bn(read.conv(read.depth(x.relu(), stride)))
            return read.bn(read.conv(read.depth(y.relu())))
        case "separable convolution" if name.startswith("depth_"):
            return read.fit(read.bn(read.depth(x.relu(), stride)), width)
        case "separable convolution":
            return read.bn(read.conv(read.depth(x.relu(), stride)))
        case "dilated convolution" if name.startswith("dil_"):
            return read.bn(read.conv(read.depth(x.relu(), stride, 2)))
        case "dilated convolution":
            return read.bn(read.conv(x.relu(), stride, dilation=2))
        case "deformable convolution":
            return read.bn(deformed(read, x.relu(), k, stride, name.startswith("modulated")))
        case "inverted residual":
            return inverted(read, x, width, stride, name)
        case "shuffle block":
            return halves(read, x, width, stride, name.endswith("xception"))
        case "attention":
            return attended(read, x, stride, name)
        case "feed-forward network":
            return fed_forward(read, x, stride, name)
        case "convolutional mixer" if name.startswith("convnext"):
            y = F.conv2d(x, next(read.tensors), next(read.tensors), stride, 3, 1, x.shape[1])
            y = maps(read.linear(F.gelu(read.linear(tokens(y)))), y)
            return x + y if y.shape == x.shape else y
        case "convolutional mixer":
            y = read.bn(F.gelu(read.depth(x, stride)))
            return read.bn(F.gelu(read.conv(x + y if stride == 1 else y)))
        case "atrous pyramid":
            return pyramid(read, x, stride)
        case family:
            raise AssertionError(f"{name}: nobody has read the definition of a {family}")


def kernel(name: str) -> int:
    """The window that a name speaks of: the last of its numbers that is odd."""
    numbers = [int(n) for n in re.findall(r"\d+", name)]
    return max((n for n in numbers if n % 2), default=1)


def jittered(network: Network) -> Iterator[Tensor]:
    """The tensors of a network in its order, none of them left at nothing."""
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
        yield parameter


@pytest.mark.parametrize("name", OPERATIONS)
@torch.no_grad()
def test_it_computes_what_its_definition_says(name: str) -> None:
    for width, stride, size in ((4, 1, (6, 5)), (6, 1, (5, 6)), (4, 2, (6, 6)), (6, 2, (5, 8))):
        if name == "aspp":
            size = (4 * size[0], 4 * size[1])  # within the reach of its rates
        graph = lower_operation(name, channels=4, width=width, size=size, stride=stride, affine=False)
        network = Network(graph).train()
        tensors = list(jittered(network))
        x = torch.randn(3, 4, *size)
        expected = defined(name, tensors, x, width, stride)
        found = network(x)
        assert found.shape == expected.shape
        assert torch.allclose(found, expected, rtol=1e-9, atol=1e-9), (width, stride, (found - expected).abs().max())
