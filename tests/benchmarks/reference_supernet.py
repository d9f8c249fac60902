"""The supernet of DARTS as its paper draws it: one module for every edge and operation, nothing shared.

It is what the lowered supernet is compared with, in value and in time (Liu, Simonyan and Yang, 2019, section 2 and
appendix A.1; operations as in table 1 of the vocabulary). `take` gives it the lowered supernet's tensors.

Legend: B batch, C channels, H × W pixels, O operations.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

NODES = (2, 3, 4, 5)
CONCATENATED = 4  # states that leave a cell
Alpha = Mapping[str, Tensor]  # weights (O,) of an edge, by "normal/node2/0" and so on


class Halved(nn.Module):
    """Two strided 1×1 convolutions on pixels that are one apart: half the extents, `width` channels."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.conv0 = nn.Conv2d(channels, width // 2, 1, stride=2, bias=False)
        self.conv1 = nn.Conv2d(channels, width - width // 2, 1, stride=2, bias=False)
        self.norm = nn.BatchNorm2d(width, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, width, H / 2, W / 2)."""
        x = torch.relu(x)
        return self.norm(torch.cat([self.conv0(x), self.conv1(x[:, :, 1:, 1:])], 1))


class Zero(nn.Module):
    """No connection."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Zeros of the extents after the stride."""
        return x[:, :, :: self.stride, :: self.stride] * 0.0


def depthwise(channels: int, kernel: int, stride: int, dilation: int) -> list[tuple[str, nn.Module]]:
    """A depthwise convolution that keeps extents (or halves them), a pointwise one, normalisation."""
    padding = dilation * (kernel - 1) // 2
    return [
        (
            "depth",
            nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        ),
        ("point", nn.Conv2d(channels, channels, 1, bias=False)),
        ("norm", nn.BatchNorm2d(channels, affine=False)),
    ]


def named(*parts: Sequence[tuple[str, nn.Module]]) -> nn.Sequential:
    """Parts one after the other, each behind a ReLU."""
    found: list[tuple[str, nn.Module]] = []
    for i, part in enumerate(parts, 1):
        prefix = f"{i}/" if len(parts) > 1 else ""
        found += [(f"{prefix}relu", nn.ReLU()), *((f"{prefix}{name}", module) for name, module in part)]
    return nn.Sequential(OrderedDict(found))


def pooled(pool: nn.Module, channels: int) -> nn.Sequential:
    """Pooling with normalisation behind it."""
    return nn.Sequential(OrderedDict([("pool", pool), ("norm", nn.BatchNorm2d(channels, affine=False))]))


def operation(name: str, channels: int, stride: int) -> nn.Module:
    """An operation of the paper's eight."""
    match name:
        case "none":
            return Zero(stride)
        case "skip_connect":
            return nn.Identity() if stride == 1 else Halved(channels, channels)
        case "max_pool_3x3":
            return pooled(nn.MaxPool2d(3, stride, 1), channels)
        case "avg_pool_3x3":
            return pooled(nn.AvgPool2d(3, stride, 1, count_include_pad=False), channels)
        case _:
            family, _, kernel = name.rpartition("_")
            side = int(kernel.partition("x")[0])
            if family == "dil_conv":
                return named(depthwise(channels, side, stride, 2))
            return named(depthwise(channels, side, stride, 1), depthwise(channels, side, 1, 1))


class Mixed(nn.Module):
    """The weighted sum of all operations on an edge."""

    def __init__(self, operations: Sequence[str], channels: int, stride: int) -> None:
        super().__init__()
        self.operations = nn.ModuleDict({name: operation(name, channels, stride) for name in operations})

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """(B, C, H, W), (O,) -> (B, C, H / stride, W / stride)."""
        return sum((w * op(x) for w, op in zip(weights, self.operations.values(), strict=True)), x.new_zeros(()))


class Cell(nn.Module):
    """Four nodes that read every state before them, and leave the cell side by side."""

    def __init__(
        self, operations: Sequence[str], before: tuple[int, int], channels: int, *, reduces: bool, after_reduction: bool
    ) -> None:
        super().__init__()
        self.kind = "reduce" if reduces else "normal"
        first, second = before
        self.pre0 = Halved(first, channels) if after_reduction else reshaped(first, channels)
        self.pre1 = reshaped(second, channels)
        self.edges = nn.ModuleDict(
            {
                f"node{node}/{source}": Mixed(operations, channels, 2 if reduces and source < 2 else 1)
                for node in NODES
                for source in range(node)
            }
        )

    def forward(self, s0: Tensor, s1: Tensor, weights: Alpha) -> Tensor:
        """The states before -> (B, 4·C, H, W)."""
        states = [self.pre0(s0), self.pre1(s1)]
        for node in NODES:
            read = [
                self.edges[f"node{node}/{source}"](states[source], weights[f"{self.kind}/node{node}/{source}"])
                for source in range(node)
            ]
            states.append(sum(read[1:], read[0]))
        return torch.cat(states[-CONCATENATED:], 1)


def reshaped(channels: int, width: int) -> nn.Sequential:
    """ReLU, 1×1 convolution, normalisation."""
    parts: list[tuple[str, nn.Module]] = [
        ("relu", nn.ReLU()),
        ("conv", nn.Conv2d(channels, width, 1, bias=False)),
        ("norm", nn.BatchNorm2d(width, affine=False)),
    ]
    return nn.Sequential(OrderedDict(parts))


class Supernet(nn.Module):
    """Stem, cells of which two reduce, pooling, classifier."""

    def __init__(
        self,
        operations: Sequence[str],
        channels: int = 16,
        num_cells: int = 8,
        num_classes: int = 10,
        stem_multiplier: int = 3,
    ) -> None:
        super().__init__()
        width = stem_multiplier * channels
        self.stem = nn.Sequential(
            OrderedDict([("conv", nn.Conv2d(3, width, 3, padding=1, bias=False)), ("norm", nn.BatchNorm2d(width))])
        )
        before, reduced = (width, width), False
        self.cells = nn.ModuleDict()
        for i in range(num_cells):
            reduces = i in (num_cells // 3, 2 * num_cells // 3)
            channels *= 2 if reduces else 1
            self.cells[f"cell{i}"] = Cell(operations, before, channels, reduces=reduces, after_reduction=reduced)
            before, reduced = (before[1], CONCATENATED * channels), reduces
        self.linear = nn.Linear(before[1], num_classes)

    def forward(self, x: Tensor, weights: Alpha) -> Tensor:
        """(B, 3, H, W) -> (B, classes)."""
        s0 = s1 = self.stem(x)
        for cell in self.cells.values():
            s0, s1 = s1, cell(s0, s1, weights)
        return self.linear(s1.mean((2, 3)))


def take(reference: Supernet, tensors: Mapping[str, Tensor]) -> dict[str, str]:
    """Give the reference the state of a lowered supernet; the names of its parameters there, by their own.

    Raises KeyError, or RuntimeError, where one has what the other has not.
    """
    names = {own(name): name for name in tensors}
    reference.load_state_dict({name: tensors[theirs] for name, theirs in names.items()})
    return {name: names[name] for name, _ in reference.named_parameters()}


def own(name: str) -> str:
    """The reference's name of a tensor of the lowered supernet."""
    place, _, tensor = name.removeprefix("parts.").rpartition(".")
    first, *rest = place.split("/")
    if first == "stem":
        return f"stem.{rest[0]}.{tensor}"
    if first == "head":
        return f"linear.{tensor}"
    if rest[0].startswith("pre"):
        return f"cells.{first}.{'.'.join(rest)}.{tensor}"
    node, source, name, *inner = rest
    return f"cells.{first}.edges.{node}/{source}.operations.{name}.{'/'.join(inner)}.{tensor}"
