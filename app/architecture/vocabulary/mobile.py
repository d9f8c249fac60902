"""Blocks of mobile networks: inverted residuals, FBNet's, ShuffleNetV2's."""

from collections.abc import Callable

from app.architecture.vocabulary.formula import squeezed
from app.architecture.vocabulary.operation import Operation, Scalar, norm, operation
from app.architecture.vocabulary.place import Cost, Place

_V2 = "Sandler et al. (2018), MobileNetV2, arXiv:1801.04381"
_V3 = "Howard et al. (2019), MobileNetV3, arXiv:1905.02244"
_FBNET = "Wu et al. (2019), FBNet, arXiv:1812.03443"
_PROXYLESS = "Cai et al. (2019), ProxylessNAS, arXiv:1812.00332"
_SINGLE_PATH = "Guo et al. (2020), single path one-shot, arXiv:1904.00420"
_SHUFFLE = "Ma et al. (2018), ShuffleNet V2, arXiv:1807.11164"


_FUNCTIONS = {"relu": "ReLU", "hswish": "h-swish"}


def _block(k: int, e: int, groups: int, expands: bool, se: bool) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d, inner = place.channels, place.width, e * place.channels
        first = c * inner // groups if expands else 0
        rest = k * k * inner + inner * d // groups
        gate = 2 * inner * squeezed(inner) if se else 0
        params = first + rest + norm(place) * ((1 + expands) * inner + d)
        params += gate + squeezed(inner) + inner if se else 0
        return params, first * place.size[0] * place.size[1] + rest * rows * columns + gate

    return price


def _blocks(
    name: str,
    k: int,
    e: int,
    source: str,
    *,
    groups: int = 1,
    expands: bool = True,
    se: bool = False,
    act: str = "relu",
) -> Operation:
    parts = [f"1x1 convolution to {e}·C channels" if expands else "", f"{k}x{k} depthwise convolution"]
    parts += ["squeeze-and-excitation" if se else "", "1x1 convolution; beside the input where it keeps the shape"]
    title = f"{', '.join(part for part in parts if part)}; norms, {_FUNCTIONS[act]} after the first"
    title += f"; 1x1 in {groups} groups, channels shuffled between" if groups > 1 else ""
    over = f"/{groups}" if groups > 1 else ""
    x = f"{e}·C" if e > 1 else "C"
    first, rest = f"C·{x}{over}" if expands else "", f"{k}²·{x} + {x}·D{over}"
    gate, biases = (f"2·{x}·M({x})", f" + M({x}) + {x}") if se else ("", "")
    norms = f"n·({'2·' if expands else ''}{x} + D)"
    params = " + ".join(part for part in (first, rest, norms, gate) if part) + biases
    macs = " + ".join(part for part in (f"{first}·h·w" if first else "", f"({rest})·H·W", gate) if part)
    outputs = " + ".join(part for part in (f"{x}·h·w" if expands else "", f"({x} + D)·H·W") if part)
    said: dict[str, Scalar] = {"kernel": k, "expansion": e}
    said |= {"groups": groups} if groups > 1 else {}
    said |= {"se": se, "activation": act}
    return operation(
        name,
        title,
        source,
        _block(k, e, groups, expands, se),
        params,
        macs,
        outputs + (f" + M({x}) + {x}" if se else ""),
        family="inverted residual",
        domain="mobile",
        multiple=groups,
        said=said,
    )


def _residual(k: int, e: int, *, se: bool = False, hswish: bool = False) -> Operation:
    name = f"mb{e}_k{k}{'_se' if se else ''}{'_hswish' if hswish else ''}"
    act = "hswish" if hswish else "relu"
    return _blocks(name, k, e, _V3 if se or hswish else _V2, expands=e > 1, se=se, act=act)


def _skip(place: Place) -> Cost:
    rows, columns = place.output
    there = place.channels != place.width or place.stride != 1
    weights = place.channels * place.width * there
    return weights + norm(place) * place.width * there, weights * rows * columns


def _shuffle(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, half = place.channels, place.width // 2
        if c == place.width and place.stride == 1:
            weights = 2 * half * half + k * k * half
            return weights + norm(place) * 3 * half, weights * rows * columns
        before, after = c * half, k * k * (c + half) + c * half + half * half
        params = before + after + norm(place) * (c + 4 * half)
        return params, before * place.size[0] * place.size[1] + after * rows * columns

    return price


def _shuffles(k: int) -> Operation:
    title = (
        f"Half the channels as they are, half by 1x1, {k}x{k} depthwise and 1x1 convolution, then shuffled; where the "
    )
    title += "shape changes all channels both ways, one of them without the first 1x1"
    kept, before = f"D²/2 + {k}²·D/2", "C·D/2"
    after = f"{k}²·(C + D/2) + C·D/2 + D²/4"
    params = f"(1 - r)·({kept} + 3·n·D/2) + r·({before} + {after} + n·(C + 2·D))"
    macs = f"(1 - r)·({kept})·H·W + r·({before}·h·w + ({after})·H·W)"
    outputs = "(1 - r)·(3·D/2)·H·W + r·(D/2·h·w + (C + 3·D/2)·H·W)"
    return operation(
        f"shuffle_k{k}",
        title,
        _SHUFFLE,
        _shuffle(k),
        params,
        macs,
        outputs,
        family="shuffle block",
        domain="mobile",
        multiple=2,
        said={"kernel": k, "groups": 2},
    )


def _xception(place: Place) -> Cost:
    """Three depthwise separable convolutions in half of the channels, or in all of them and one beside them."""
    rows, columns = place.output
    c, half = place.channels, place.width // 2
    if c == place.width and place.stride == 1:
        weights, norms = 3 * (9 * half + half * half), 6 * half
    else:
        weights, norms = 2 * (9 * c + c * half) + 2 * (9 * half + half * half), 2 * c + 6 * half
    return weights + norm(place) * norms, weights * rows * columns


_XCEPTION = operation(
    "shuffle_xception",
    "Half the channels as they are, half by 3x3 depthwise and 1x1 convolution three times, then shuffled; where the "
    "shape changes all channels both ways, once on the way that passes by",
    _SINGLE_PATH,
    _xception,
    "(1 - r)·(27·D/2 + 3·D²/4 + 3·n·D) + r·(18·C + C·D + 9·D + D²/2 + n·(2·C + 3·D))",
    "((1 - r)·(27·D/2 + 3·D²/4) + r·(18·C + C·D + 9·D + D²/2))·H·W",
    "((1 - r)·3·D + r·(2·C + 3·D))·H·W",
    family="shuffle block",
    domain="mobile",
    multiple=2,
    said={"kernel": 3, "groups": 2},
)


MOBILE: tuple[Operation, ...] = (
    *(_residual(k, 1) for k in (3, 5, 7)),
    *(_residual(k, e) for e in (3, 4, 6) for k in (3, 5, 7)),
    *(_residual(k, e, se=True) for e in (3, 4, 6) for k in (3, 5, 7)),
    *(_residual(k, e, se=True, hswish=True) for e in (3, 4, 6) for k in (3, 5, 7)),
    *(_blocks(f"k{k}_e{e}", k, e, _FBNET) for k in (3, 5) for e in (1, 3, 6)),
    *(_blocks(f"k{k}_e1_g2", k, 1, _FBNET, groups=2) for k in (3, 5)),
    *(_shuffles(k) for k in (3, 5, 7)),
    _XCEPTION,
    operation(
        "skip",
        "The input itself; 1x1 convolution, norm and ReLU where the shape changes",
        _FBNET,
        _skip,
        "r·(C·D + n·D)",
        "r·C·D·H·W",
        "r·D·H·W",
        family="identity",
        domain="mobile",
    ),
    operation(
        "zero",
        "No block: zeros, so that a layer with a residual is its input",
        _PROXYLESS,
        lambda place: (0, 0),
        "0",
        "0",
        "0",
        family="no connection",
        domain="mobile",
    ),
)
