"""Layers: the pieces of networks that several meanings share."""

from collections.abc import Sequence
from typing import Any

from app.architecture.axis import Axis
from app.architecture.builder import Builder
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import FALSE, TRUE, Guard
from app.space.skeleton import ImageInput

Pair = tuple[int, int]


def pair(value: int | Pair) -> Pair:
    """One number for height and width, or one each."""
    return (value, value) if isinstance(value, int) else value


class Layers(Builder):
    """A builder of layers; `affine` and `norm_after_pool` are the skeleton's."""

    def __init__(self, *, affine: bool = True, norm_after_pool: bool = False) -> None:
        super().__init__()
        self.affine = affine
        self.norm_after_pool = norm_after_pool

    def image(self, image: ImageInput) -> Node:
        """The input of a network."""
        for name, extent in (("channels", image.channels), ("height", image.height), ("width", image.width)):
            if extent < 1:
                raise LoweringError(f"/image/{name}", f"{extent} is not a positive number", extent)
        return self.input("image", image.channels, (image.height, image.width))

    def input(self, at: str, channels: int, size: Pair) -> Node:
        """An input of a fragment."""
        return self.add(at, "input", [], Axis.of(channels), size)

    def conv(
        self,
        at: str,
        x: Node,
        width: Axis | int,
        kernel: int | Pair | tuple[Axis, Axis] = 1,
        stride: int | Pair = 1,
        *,
        dilation: int = 1,
        depthwise: bool = False,
        bias: bool = False,
        pad: int | None = None,
        zero: bool = False,
    ) -> Node:
        """A convolution; `pad=None` keeps the extents (over the stride), also of a kernel that is still open.

        `zero`: it starts with nothing but zeros.
        """
        axis = Axis.of(width) if isinstance(width, int) else width
        rows, columns = (kernel, kernel) if isinstance(kernel, int) else kernel
        axes = tuple(Axis.of(k) if isinstance(k, int) else k for k in (rows, columns))
        strides = pair(stride)
        if pad is None:
            if any(len(k) % 2 == 0 for k in axes):
                raise LoweringError(
                    at, "an even kernel cannot keep the extents: give its padding", [len(k) for k in axes]
                )
            size = tuple((n - 1) // s + 1 for n, s in zip(x.size, strides, strict=True))
        else:
            reach = [dilation * (len(k) - 1) + 1 - 2 * pad for k in axes]
            self.fits(at, x, reach)
            size = tuple((n - r) // s + 1 for n, r, s in zip(x.size, reach, strides, strict=True))
        attrs: dict[str, Any] = {"zero": True} if zero else {}
        attrs |= {"stride": strides, "dilation": dilation, "depthwise": depthwise, "bias": bias, "pad": pad}
        return self.add(at, "conv", [x], axis, size, kernel=axes, **attrs)

    def deformable(
        self, at: str, x: Node, width: Axis | int, kernel: int, stride: int = 1, *, modulated: bool = False
    ) -> Node:
        """A convolution that samples at offsets from its places, which another one finds (Dai et al., 2017).

        `modulated`: every sample is also scaled, between 0 and 1 (Zhu et al., 2019).
        """
        found = [x, self.conv(f"{at}/offset", x, 2 * kernel * kernel, kernel, stride, bias=True, zero=True)]
        if modulated:
            found.append(self.conv(f"{at}/modulation", x, kernel * kernel, kernel, stride, bias=True, zero=True))
        axes = (Axis.of(kernel), Axis.of(kernel))
        size = found[1].size
        return self.add(
            f"{at}/conv",
            "deform_conv",
            found,
            Axis.of(width) if isinstance(width, int) else width,
            size,
            kernel=axes,
            stride=pair(stride),
            dilation=1,
        )

    def resize(self, at: str, x: Node, extents: tuple[int, ...], mode: str = "nearest") -> Node:
        """Maps at other extents; a vector as constant maps."""
        return x if x.size == extents else self.add(at, "resize", [x], x.axis, extents, extents=extents, mode=mode)

    def fits(self, at: str, x: Node, window: Sequence[int]) -> None:
        """Refuse maps that are smaller than a window without padding."""
        if any(n < w for n, w in zip(x.size, window, strict=True)):
            needed = "x".join(map(str, window))
            found = "x".join(map(str, x.size))
            raise LoweringError(
                at, f"the image is too small: {found} maps, a {needed} window", list(x.size), [f"at least {needed}"]
            )

    def unary(self, at: str, op: str, x: Node) -> Node:
        """An elementwise function."""
        return self.add(at, op, [x], x.axis, x.size)

    def norm(self, at: str, x: Node, *, affine: bool | None = None) -> Node:
        """Batch normalisation."""
        return self.add(at, "batch_norm", [x], x.axis, x.size, affine=self.affine if affine is None else affine)

    def pool(
        self, at: str, op: str, x: Node, kernel: int = 3, stride: int = 1, *, pad: int | None = None, ceil: bool = False
    ) -> Node:
        """Maximum or average over windows; `ceil` keeps a last window that is not full."""
        if pad is None:
            pad = (kernel - 1) // 2
        else:
            self.fits(at, x, [kernel if not ceil else 1] * len(x.size))
        size = tuple((n + 2 * pad - kernel + (stride - 1 if ceil else 0)) // stride + 1 for n in x.size)
        return self.add(at, op, [x], x.axis, size, kernel=kernel, stride=stride, pad=pad, ceil=ceil)

    def relu_conv_norm(self, at: str, x: Node, width: Axis | int, kernel: int = 1, stride: int = 1) -> Node:
        """ReLU, convolution, batch normalisation: the order of cells."""
        x = self.unary(f"{at}/relu", "relu", x)
        return self.norm(f"{at}/norm", self.conv(f"{at}/conv", x, width, kernel, stride))

    def conv_norm(
        self,
        at: str,
        x: Node,
        width: Axis | int,
        kernel: int = 1,
        stride: int = 1,
        *,
        pad: int | None = None,
        affine: bool | None = None,
    ) -> Node:
        """Convolution, batch normalisation."""
        return self.norm(f"{at}/norm", self.conv(f"{at}/conv", x, width, kernel, stride, pad=pad), affine=affine)

    def conv_norm_relu(self, at: str, x: Node, width: Axis | int, kernel: int = 1, stride: int = 1) -> Node:
        """Convolution, batch normalisation, ReLU: the order of NAS-Bench-101."""
        return self.unary(f"{at}/relu", "relu", self.conv_norm(at, x, width, kernel, stride))

    def zero(self, at: str, x: Node, width: Axis | int, stride: int = 1) -> Node:
        """Zeros. They read their input: what feeds them was chosen, is built, and counts in published costs."""
        size = tuple((n - 1) // stride + 1 for n in x.size)
        return self.add(at, "zero", [x], Axis.of(width) if isinstance(width, int) else width, size, stride=stride)

    def factorised_reduction(self, at: str, x: Node, width: int) -> Node:
        """Two offset strided 1x1 convolutions side by side (DARTS): half the extents, nothing lost but aliasing."""
        x = self.unary(f"{at}/relu", "relu", x)
        # of even extents the shifted copy is one shorter and still gives half; of odd ones it is padded to its extent
        shifted = self.add(f"{at}/shift", "shift", [x], x.axis, tuple(n - 1 + n % 2 for n in x.size))
        first = self.conv(f"{at}/conv0", x, (width + 1) // 2, stride=2)
        parts = [(TRUE, first)]
        if width > 1:
            parts.append((TRUE, self.conv(f"{at}/conv1", shifted, width // 2, stride=2)))
        return self.norm(f"{at}/norm", self.concat(f"{at}/concat", parts))

    def fit(self, at: str, x: Node, width: int, *, halved: bool = False) -> Node:
        """A cell's input brought to its width, and to half its extents where the cell before halved them."""
        return self.factorised_reduction(at, x, width) if halved else self.relu_conv_norm(at, x, width)

    def classifier(self, at: str, x: Node, num_classes: int) -> Node:
        """Mean over all places, then a linear map to the classes."""
        return self.linear(f"{at}/linear", self.mean(f"{at}/mean", x), num_classes)

    def mean(self, at: str, x: Node) -> Node:
        """Mean over all places."""
        return self.add(at, "mean", [x], x.axis, ())

    def linear(self, at: str, x: Node, width: Axis | int, *, bias: bool = True) -> Node:
        """A linear map of the features at every place."""
        axis = Axis.of(width) if isinstance(width, int) else width
        return self.add(at, "linear", [x], axis, x.size, bias=bias)

    def join(self, at: str, alternatives: Sequence[tuple[Guard, Node]]) -> Node:
        """Alternatives in one place: their guarded sum, or side by side where their widths differ."""
        possible = [(g, x) for g, x in alternatives if g is not FALSE]
        widths = {len(x.axis) for _, x in possible}
        return self.sum(at, possible) if len(widths) == 1 else self.concat(at, possible)


def positive(**values: int) -> None:
    """Refuse a skeleton with a number below one."""
    for name, value in values.items():
        if value < 1:
            raise LoweringError(f"/skeleton/{name}", f"{value} is not a positive number", value)
