"""Convolutions, pooling and connections: the operations of cells, of dense prediction too."""

from collections.abc import Callable

from app.architecture.vocabulary.operation import Operation, norm, operation
from app.architecture.vocabulary.place import Cost, Place

_DARTS = "Liu et al. (2019), DARTS, arXiv:1806.09055"
_NASNET = "Zoph et al. (2018), NASNet, arXiv:1707.07012"
_MOTIFS = "Liu et al. (2018), hierarchical representations, arXiv:1711.00436"
_ATROUS = "Chen et al. (2017), DeepLabv3, arXiv:1706.05587"
_DEFORMABLE = "Dai et al. (2017), deformable convolutional networks, arXiv:1703.06211"
_MODULATED = "Zhu et al. (2019), Deformable ConvNets v2, arXiv:1811.11168"
_SAMPLES = "two offsets and a modulation a weight and place"
_NB101 = "Ying et al. (2019), NAS-Bench-101, arXiv:1902.09635"
_NB201 = "Dong and Yang (2020), NAS-Bench-201, arXiv:2001.00326"


def _nothing(place: Place) -> Cost:
    return 0, 0


def _pointwise(place: Place, there: bool) -> Cost:
    """A 1x1 convolution with its norm, where it is there."""
    rows, columns = place.output
    weights = place.channels * place.width
    return (weights + norm(place) * place.width, weights * rows * columns) if there else (0, 0)


def _identity(place: Place) -> Cost:
    return _pointwise(place, place.channels != place.width or place.stride != 1)


def _pool(place: Place) -> Cost:
    return _pointwise(place, place.channels != place.width)


def _conv(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        weights = k * k * place.channels * place.width
        return weights + norm(place) * place.width, weights * rows * columns

    return price


def _separable_twice(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d = place.channels, place.width
        weights = 2 * k * k * c + c * c + c * d
        return weights + norm(place) * (c + d), weights * rows * columns

    return price


def _dilated(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        weights = k * k * place.channels + place.channels * place.width
        return weights + norm(place) * place.width, weights * rows * columns

    return price


def _factorised(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        first, second = k * place.channels * place.width, k * place.width * place.width
        return first + second + norm(place) * place.width, (first * place.size[0] + second * rows) * columns

    return price


def _depthwise(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d = place.channels, place.width
        fit = c * d if c != d else 0
        weights = k * k * c + fit
        return weights + norm(place) * (c + d if fit else c), weights * rows * columns

    return price


def _deformable(k: int, numbers: int) -> Callable[[Place], Cost]:
    """A convolution that puts out `numbers` for each of its places, and the one that samples where they say."""

    def price(place: Place) -> Cost:
        rows, columns = place.output
        offsets = numbers * k * k
        weights = k * k * place.channels * (offsets + place.width)
        return weights + offsets + norm(place) * place.width, weights * rows * columns

    return price


def _identities(name: str) -> Operation:
    title = "The input itself; a factorised reduction at stride 2, a 1x1 convolution where only the width changes"
    costs = "r·(C·D + n·D)", "r·C·D·H·W", "r·D·H·W"
    return operation(name, title, _DARTS, _identity, *costs, family="identity")


def _pools(kind: str, word: str, k: int, source: str, name: str = "") -> Operation:
    title = f"{word} over {k}x{k} windows, padding not counted; a 1x1 convolution follows where the width changes"
    costs = "c·(C·D + n·D)", "c·C·D·H·W", "c·D·H·W"
    return operation(name or f"{kind}_pool_{k}x{k}", title, source, _pool, *costs, family="pooling", said={"kernel": k})


def _convs(name: str, k: int, source: str) -> Operation:
    title = f"ReLU, {k}x{k} convolution, batch normalisation"
    costs = f"{k}²·C·D + n·D", f"{k}²·C·D·H·W", "D·H·W"
    return operation(name, title, source, _conv(k), *costs, family="convolution", said={"kernel": k})


def _convs_first(k: int) -> Operation:
    title = f"{k}x{k} convolution, batch normalisation, ReLU"
    costs = f"{k}²·C·D + n·D", f"{k}²·C·D·H·W", "D·H·W"
    return operation(f"conv{k}x{k}-bn-relu", title, _NB101, _conv(k), *costs, family="convolution", said={"kernel": k})


def _separables(k: int, source: str) -> Operation:
    title = f"Twice: ReLU, {k}x{k} depthwise and 1x1 convolution, batch normalisation; the stride is in the first"
    costs = f"2·{k}²·C + C² + C·D + n·(C + D)", f"(2·{k}²·C + C² + C·D)·H·W", "(3·C + D)·H·W"
    price = _separable_twice(k)
    return operation(
        f"sep_conv_{k}x{k}", title, source, price, *costs, family="separable convolution", said={"kernel": k}
    )


def _dilateds(k: int) -> Operation:
    title = f"ReLU, {k}x{k} depthwise convolution of dilation 2, 1x1 convolution, batch normalisation"
    costs = f"{k}²·C + C·D + n·D", f"({k}²·C + C·D)·H·W", "(C + D)·H·W"
    family = "dilated convolution"
    return operation(
        f"dil_conv_{k}x{k}", title, _DARTS, _dilated(k), *costs, family=family, said={"kernel": k, "dilation": 2}
    )


def _factoriseds(k: int) -> Operation:
    title = f"ReLU, 1x{k} convolution, {k}x1 convolution, batch normalisation; each takes its direction's stride"
    costs = f"{k}·C·D + {k}·D² + n·D", f"{k}·C·D·h·W + {k}·D²·H·W", "D·h·W + D·H·W"
    price = _factorised(k)
    return operation(
        f"conv_{k}x1_1x{k}", title, _NASNET, price, *costs, family="factorised convolution", said={"kernel": k}
    )


def _depthwises(k: int) -> Operation:
    title = f"ReLU, {k}x{k} depthwise convolution, batch normalisation; then 1x1 where the width changes"
    costs = f"{k}²·C + n·C + c·(C·D + n·D)", f"({k}²·C + c·C·D)·H·W", "(C + c·D)·H·W"
    price = _depthwise(k)
    return operation(
        f"depth_conv_{k}x{k}", title, _MOTIFS, price, *costs, family="separable convolution", said={"kernel": k}
    )


def _separables_once(k: int) -> Operation:
    title = f"ReLU, {k}x{k} depthwise convolution, 1x1 convolution, batch normalisation, each once"
    costs = f"{k}²·C + C·D + n·D", f"({k}²·C + C·D)·H·W", "(C + D)·H·W"
    name, family = f"separable_conv_{k}x{k}", "separable convolution"
    return operation(name, title, _MOTIFS, _dilated(k), *costs, family=family, said={"kernel": k})


def _atrous(k: int) -> Operation:
    title = f"ReLU, {k}x{k} convolution of dilation 2, batch normalisation"
    return operation(
        f"atrous_conv_{k}x{k}",
        title,
        _ATROUS,
        _conv(k),
        f"{k}²·C·D + n·D",
        f"{k}²·C·D·H·W",
        "D·H·W",
        family="dilated convolution",
        domain="segmentation",
        also=("detection",),
        said={"kernel": k, "dilation": 2},
    )


def _deformables(name: str, k: int, numbers: int, title: str, source: str) -> Operation:
    title = f"ReLU, {k}x{k} convolution that samples where another one says, {title}, batch normalisation"
    return operation(
        f"{name}_{k}x{k}",
        title,
        source,
        _deformable(k, numbers),
        f"{numbers}·{k}²·({k}²·C + 1) + {k}²·C·D + n·D",
        f"({numbers}·{k}²·{k}²·C + {k}²·C·D)·H·W",
        f"({numbers}·{k}² + D)·H·W",
        family="deformable convolution",
        domain="detection",
        said={"kernel": k, "offsets": numbers},
    )


CONVOLUTIONS: tuple[Operation, ...] = (
    operation(
        "none", "No connection: zeros of the output's shape", _DARTS, _nothing, "0", "0", "0", family="no connection"
    ),
    _identities("skip_connect"),
    _identities("identity"),
    *(_pools("max", "Maximum", k, _DARTS if k == 3 else _NASNET) for k in (3, 5, 7)),
    *(_pools("avg", "Average", k, _DARTS if k == 3 else _NASNET) for k in (3, 5, 7)),
    *(_convs(f"conv_{k}x{k}", k, _NASNET) for k in (1, 3, 5, 7)),
    *(_convs(f"nor_conv_{k}x{k}", k, _NB201) for k in (1, 3)),
    *(_convs_first(k) for k in (1, 3)),
    _pools("max", "Maximum", 3, _NB101, "maxpool3x3"),
    *(_separables(k, _DARTS if k < 7 else _NASNET) for k in (3, 5, 7)),
    *(_dilateds(k) for k in (3, 5)),
    *(_depthwises(k) for k in (3, 5, 7)),
    *(_separables_once(k) for k in (3, 5, 7)),
    *(_atrous(k) for k in (3, 5)),
    *(_deformables("deform_conv", k, 2, "two offsets a weight and place", _DEFORMABLE) for k in (3, 5)),
    *(_deformables("modulated_conv", k, 3, _SAMPLES, _MODULATED) for k in (3, 5)),
    *(_factoriseds(k) for k in (3, 7)),
)
