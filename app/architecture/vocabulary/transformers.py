"""Attention, feed-forward networks and mixers over the places of maps."""

from collections.abc import Callable

from app.architecture.vocabulary.operation import Operation, norm, operation
from app.architecture.vocabulary.place import Cost, Place

_ATTENTION = "Vaswani et al. (2017), attention, arXiv:1706.03762"
_MULTI_QUERY = "Shazeer (2019), multi-query attention, arXiv:1911.02150"
_LINEAR = "Katharopoulos et al. (2020), linear attention, arXiv:2006.16236"
_GELU = "Hendrycks and Gimpel (2016), GELU, arXiv:1606.08415"
_SWIGLU = "Shazeer (2020), GLU variants, arXiv:2002.05202"
_CONVNEXT = "Liu et al. (2022), ConvNeXt, arXiv:2201.03545"
_MIXER = "Trockman and Kolter (2022), ConvMixer, arXiv:2201.09792"


def _attention(heads: int, shared: int) -> Callable[[Place], Cost]:
    """Queries of some heads, keys and values of `shared` ones, 32 features each."""

    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d, a, kv = place.channels, place.width, 32 * heads, 32 * shared
        weights = c * a + 2 * c * kv + a * d
        return weights + a + 2 * kv + d + norm(place) * c, weights * rows * columns

    return price


def _feed_forward(ratio: int, ups: int) -> Callable[[Place], Cost]:
    """`ups` maps to inner features, one back."""

    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d, inner = place.channels, place.width, ratio * place.channels
        weights = ups * c * inner + inner * d
        return weights + ups * inner + d + norm(place) * c, weights * rows * columns

    return price


def _mixer(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d = place.channels, place.width
        weights = k * k * c + c * d
        return weights + norm(place) * (c + d), weights * rows * columns

    return price


def _convnext(place: Place) -> Cost:
    """7x7 depthwise, two maps with four times the channels between, each with a bias."""
    rows, columns = place.output
    c, d = place.channels, place.width
    weights = 49 * c + 4 * c * c + 4 * c * d
    return weights + c + norm(place) * c + 4 * c + d, weights * rows * columns


def _attentions(name: str, title: str, source: str, heads: int, shared: int) -> Operation:
    title = f"Over the places as tokens: layer normalisation, {title}, a map out; at stride 2 averaged 3x3 first"
    a, kv = 32 * heads, 32 * shared
    weights = f"{a}·C + 2·{kv}·C + {a}·D"
    return operation(
        name,
        title,
        source,
        _attention(heads, shared),
        f"{weights} + {a} + 2·{kv} + D + n·C",
        f"({weights})·H·W",
        f"({a} + 2·{kv} + D)·H·W",
        family="attention",
        domain="transformer",
        said={"heads": heads, "head_dim": 32, "norm": "pre"},
    )


def _feed_forwards(kind: str, title: str, source: str, ratio: int, ups: int) -> Operation:
    title = f"At every place: layer normalisation, {title}, a map out; at stride 2 averaged 3x3 first"
    weights = f"{ups}·{ratio}·C² + {ratio}·C·D"
    return operation(
        f"ffn_{kind}_r{ratio}",
        title,
        source,
        _feed_forward(ratio, ups),
        f"{weights} + {ups}·{ratio}·C + D + n·C",
        f"({weights})·H·W",
        f"({ups}·{ratio}·C + D)·H·W",
        family="feed-forward network",
        domain="transformer",
        said={"ratio": ratio, "norm": "pre"},
    )


def _mixers(k: int) -> Operation:
    title = f"{k}x{k} depthwise convolution, GELU, norm, beside the input at stride 1; 1x1 convolution, GELU, norm"
    costs = f"{k}²·C + C·D + n·(C + D)", f"({k}²·C + C·D)·H·W", "(C + D)·H·W"
    family, domain = "convolutional mixer", "transformer"
    return operation(
        f"conv_mixer_{k}x{k}", title, _MIXER, _mixer(k), *costs, family=family, domain=domain, said={"kernel": k}
    )


TRANSFORMERS: tuple[Operation, ...] = (
    _attentions("attention_h4", "softmax attention of 4 heads", _ATTENTION, 4, 4),
    _attentions("multi_query_attention_h4", "attention, keys and values of one head", _MULTI_QUERY, 4, 1),
    _attentions("linear_attention_h4", "linear attention of 4 heads", _LINEAR, 4, 4),
    _feed_forwards("gelu", "a map to 4·C features, GELU", _GELU, 4, 1),
    _feed_forwards("swiglu", "two maps to 4·C features, one times SiLU of the other", _SWIGLU, 4, 2),
    *(_mixers(k) for k in (5, 7, 9)),
    operation(
        "convnext_7x7",
        "7x7 depthwise convolution, layer normalisation, a map to 4·C features, GELU, a map back; beside the input "
        "where it keeps the shape",
        _CONVNEXT,
        _convnext,
        "49·C + 4·C² + 4·C·D + 5·C + D + n·C",
        "(49·C + 4·C² + 4·C·D)·H·W",
        "(5·C + D)·H·W",
        family="convolutional mixer",
        domain="transformer",
        said={"kernel": 7, "ratio": 4},
    ),
)
