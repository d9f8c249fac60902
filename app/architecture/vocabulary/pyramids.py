"""What joins the maps of several levels, and what changes a level: merges and resizings, and the atrous pyramid.

Of a merge C, h and w are those of each of the two inputs, brought to one level before; D is the width it puts out.
"""

from collections.abc import Callable

from app.architecture.vocabulary.operation import AFFINE, CHANNELS, WIDTH, Field, Operation, norm, operation
from app.architecture.vocabulary.place import Cost, Place, Shape

_FPN = "Lin et al. (2017), feature pyramid networks, arXiv:1612.03144"
_NAS_FPN = "Ghiasi et al. (2019), NAS-FPN, arXiv:1904.07392"
_ASPP = "Chen et al. (2017), DeepLabv3, arXiv:1706.05587"
_AUTODEEPLAB = "Liu et al. (2019), Auto-DeepLab, arXiv:1901.02985"


def _nothing(place: Place) -> Cost:
    return 0, 0


def _concat(place: Place) -> Cost:
    rows, columns = place.size
    weights = 2 * place.channels * place.width
    return weights + norm(place) * place.width, weights * rows * columns


def _pyramid(place: Place) -> Cost:
    rows, columns = place.output
    c, d = place.channels, place.width
    weights = 28 * c * d + 5 * d * d
    return weights + c * d + d + 5 * norm(place) * d, weights * rows * columns + c * d


def _merge(name: str, title: str, source: str, costs: tuple[str, str, str] = ("0", "0", "0")) -> Operation:
    joins = name == "concat"
    return Operation(
        name=name,
        title=title,
        family="merge",
        domains=("detection",),
        fields=(CHANNELS, WIDTH, _ONCE, AFFINE) if joins else (CHANNELS, _ONCE),
        shape_rule="(C, h, w), twice -> " + ("(D, h, w)" if joins else "(C, h, w)"),
        params=costs[0],
        macs=costs[1],
        activations=costs[2],
        source=source,
        price=_concat if joins else _nothing,
        shape=lambda place: (place.width, *place.size),
        keeps=not joins,
    )


def _grown(place: Place) -> Shape:
    h, w = place.size
    return place.channels, place.stride * h, place.stride * w


def _shrunk(place: Place) -> Shape:
    return (place.channels, *place.output)


def _resizing(
    name: str, title: str, source: str, shape: str, domains: tuple[str, ...], code: Callable[[Place], Shape]
) -> Operation:
    return Operation(
        name=name,
        title=title,
        family="resizing",
        domains=domains,
        fields=(CHANNELS, _FACTOR),
        shape_rule=f"(C, h, w) -> (C, H, W), {shape}",
        params="0",
        macs="0",
        activations="0",
        source=source,
        price=_nothing,
        shape=code,
        keeps=True,
    )


_ONCE = Field(
    name="stride",
    letter="s",
    unit="places",
    meaning="Its inputs were brought to one level before",
    values=(1,),
    default=1,
)
_FACTOR = Field(
    name="stride",
    letter="s",
    unit="factor",
    meaning="Extents of the larger maps over those of the smaller ones; between levels that do not divide, what is "
    "left over is rounded up",
    values=(1, 2, 4, 8, 16),
    default=1,
)
_BOTH = ("detection", "segmentation")

MERGES: tuple[Operation, ...] = (
    _merge("sum", "The maps added up", _FPN),
    _merge("global_pool_attention", "The first, plus the second times the sigmoid of the first's means", _NAS_FPN),
    _merge(
        "concat",
        "The maps side by side; ReLU, 1x1 convolution, batch normalisation",
        _FPN,
        ("2·C·D + n·D", "2·C·D·h·w", "D·h·w"),
    ),
)

RESIZINGS: tuple[Operation, ...] = (
    _resizing("upsample", "Every place repeated", _FPN, "H = s·h, W = s·w", _BOTH, _grown),
    _resizing(
        "downsample",
        "Maxima over 3x3 windows of stride 2, as often as it takes",
        _NAS_FPN,
        "H = ceil(h / s), W = ceil(w / s)",
        _BOTH,
        _shrunk,
    ),
    _resizing(
        "resize_bilinear",
        "Interpolated between places",
        _AUTODEEPLAB,
        "H = s·h, W = s·w",
        ("segmentation",),
        _grown,
    ),
)

PYRAMIDS: tuple[Operation, ...] = (
    operation(
        "aspp",
        "1x1, atrous 3x3 convolutions of rates 6, 12, 18 and the mean over all places, side by side; 1x1 convolution",
        _ASPP,
        _pyramid,
        "28·C·D + C·D + D + 5·D² + 5·n·D",
        "(28·C·D + 5·D²)·H·W + C·D",
        "5·D·H·W + D",
        family="atrous pyramid",
        domain="segmentation",
        said={"rates": "6 12 18"},
    ),
)
