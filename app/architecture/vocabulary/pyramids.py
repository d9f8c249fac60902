"""What joins the maps of several levels, and what changes a level: merges and resizings, and the atrous pyramid.

Of a merge C, h and w are those of each of the two inputs, brought to one level before; D is the width it puts out.
"""

from app.architecture.vocabulary.operation import Cost, Operation, Place, norm, operation

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


def _merge(name: str, title: str, source: str, params: str = "0", macs: str = "0") -> Operation:
    return Operation(
        name=name,
        title=title,
        domain="detection",
        fields=("channels", "width") if name == "concat" else ("channels",),
        shape_rule="(C, h, w), twice -> " + ("(D, h, w)" if name == "concat" else "(C, h, w)"),
        params=params,
        macs=macs,
        source=source,
        price=_concat if name == "concat" else _nothing,
    )


def _resizing(name: str, title: str, source: str, shape: str, domain: str) -> Operation:
    return Operation(
        name=name,
        title=title,
        domain=domain,
        fields=("extents",),
        shape_rule=f"(C, h, w) -> (C, H, W), {shape}",
        params="0",
        macs="0",
        source=source,
        price=_nothing,
    )


MERGES: tuple[Operation, ...] = (
    _merge("sum", "The maps added up", _FPN),
    _merge("global_pool_attention", "The first, plus the second times the sigmoid of the first's means", _NAS_FPN),
    _merge(
        "concat", "The maps side by side; ReLU, 1x1 convolution, batch normalisation", _FPN, "2·C·D + n·D", "2·C·D·h·w"
    ),
)

RESIZINGS: tuple[Operation, ...] = (
    _resizing("upsample", "Every place repeated", _FPN, "H >= h and W >= w", "detection"),
    _resizing(
        "downsample",
        "Maxima over 3x3 windows of stride 2, as often as it takes",
        _NAS_FPN,
        "h and w halved, rounded up",
        "detection",
    ),
    _resizing("resize_bilinear", "Interpolated between places", _AUTODEEPLAB, "any extents", "segmentation"),
)

PYRAMIDS: tuple[Operation, ...] = (
    operation(
        "aspp",
        "1x1, atrous 3x3 convolutions of rates 6, 12, 18 and the mean over all places, side by side; 1x1 convolution",
        _ASPP,
        _pyramid,
        "28·C·D + C·D + D + 5·D² + 5·n·D",
        "(28·C·D + 5·D²)·H·W + C·D",
        "rates=6 12 18",
        domain="segmentation",
    ),
)
