"""The vocabulary: what the operations in genotypes are, what they do to shapes and what they cost.

Letters in the rules and formulas:

    C  input channels        D  output channels      k  kernel       s  stride, 1 or 2
    H  W  output extents     h  input height         n  learnable numbers a channel of a norm: 2, or 0 without affine
    c  1 where the operation changes the number of channels, else 0       r  1 where it changes any extent, else 0

Costs are for one sample; MACs are the multiply-adds of convolutions and linear maps. The products of queries, keys and
values have no weights and are not among them: of t places they are 2·t² times the features of all heads. Batch
normalisation after pooling, which DARTS uses while searching, learns nothing and costs no MACs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Cost = tuple[int, int]  # (params, macs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an operation stands: what its shape rule and formulas need to know."""

    channels: int  # C
    width: int  # D
    size: tuple[int, int]  # input extents (h, w)
    stride: int = 1  # s
    affine: bool = True

    @property
    def output(self) -> tuple[int, int]:
        """Output extents (H, W)."""
        h, w = self.size
        return (h - 1) // self.stride + 1, (w - 1) // self.stride + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the vocabulary."""

    name: str  # as grammars and genotypes write it
    title: str
    domain: str
    fields: tuple[str, ...]  # numbers that parametrise it, "name=value" where the name of the operation fixes them
    shape_rule: str
    params: str  # as a formula
    macs: str  # as a formula
    source: str
    price: Callable[[Place], Cost]  # the same two formulas as code


_SHAPE = "(C, h, w) -> (D, H, W) with H = ceil(h / s), W = ceil(w / s)"
_DARTS = "Liu et al. (2019), DARTS, arXiv:1806.09055"
_NASNET = "Zoph et al. (2018), NASNet, arXiv:1707.07012"
_MOTIFS = "Liu et al. (2018), hierarchical representations, arXiv:1711.00436"
_ATROUS = "Chen et al. (2017), DeepLabv3, arXiv:1706.05587"
_DEFORMABLE = "Dai et al. (2017), deformable convolutional networks, arXiv:1703.06211"
_MODULATED = "Zhu et al. (2019), Deformable ConvNets v2, arXiv:1811.11168"
_NB101 = "Ying et al. (2019), NAS-Bench-101, arXiv:1902.09635"
_ATTENTION = "Vaswani et al. (2017), attention, arXiv:1706.03762"
_MULTI_QUERY = "Shazeer (2019), multi-query attention, arXiv:1911.02150"
_LINEAR = "Katharopoulos et al. (2020), linear attention, arXiv:2006.16236"
_GELU = "Hendrycks and Gimpel (2016), GELU, arXiv:1606.08415"
_SWIGLU = "Shazeer (2020), GLU variants, arXiv:2002.05202"
_MIXER = "Trockman and Kolter (2022), ConvMixer, arXiv:2201.09792"
_NB201 = "Dong and Yang (2020), NAS-Bench-201, arXiv:2001.00326"


def _norm(place: Place) -> int:
    return 2 if place.affine else 0


def _nothing(place: Place) -> Cost:
    return 0, 0


def _pointwise(place: Place, there: bool) -> Cost:
    """A 1x1 convolution with its norm, where it is there."""
    rows, columns = place.output
    weights = place.channels * place.width
    return (weights + _norm(place) * place.width, weights * rows * columns) if there else (0, 0)


def _identity(place: Place) -> Cost:
    return _pointwise(place, place.channels != place.width or place.stride != 1)


def _pool(place: Place) -> Cost:
    return _pointwise(place, place.channels != place.width)


def _conv(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        weights = k * k * place.channels * place.width
        return weights + _norm(place) * place.width, weights * rows * columns

    return price


def _separable_twice(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d = place.channels, place.width
        weights = 2 * k * k * c + c * c + c * d
        return weights + _norm(place) * (c + d), weights * rows * columns

    return price


def _dilated(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        weights = k * k * place.channels + place.channels * place.width
        return weights + _norm(place) * place.width, weights * rows * columns

    return price


def _factorised(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        first, second = k * place.channels * place.width, k * place.width * place.width
        return first + second + _norm(place) * place.width, (first * place.size[0] + second * rows) * columns

    return price


def _depthwise(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d = place.channels, place.width
        fit = c * d if c != d else 0
        weights = k * k * c + fit
        return weights + _norm(place) * (c + d if fit else c), weights * rows * columns

    return price


def _deformable(k: int, numbers: int) -> Callable[[Place], Cost]:
    """A convolution that puts out `numbers` for each of its places, and the one that samples where they say."""

    def price(place: Place) -> Cost:
        rows, columns = place.output
        offsets = numbers * k * k
        weights = k * k * place.channels * (offsets + place.width)
        return weights + offsets + _norm(place) * place.width, weights * rows * columns

    return price


def _attention(heads: int, shared: int) -> Callable[[Place], Cost]:
    """Queries of some heads, keys and values of `shared` ones, 32 features each."""

    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d, a, kv = place.channels, place.width, 32 * heads, 32 * shared
        weights = c * a + 2 * c * kv + a * d
        return weights + a + 2 * kv + d + _norm(place) * c, weights * rows * columns

    return price


def _feed_forward(ratio: int, ups: int) -> Callable[[Place], Cost]:
    """`ups` maps to inner features, one back."""

    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d, inner = place.channels, place.width, ratio * place.channels
        weights = ups * c * inner + inner * d
        return weights + ups * inner + d + _norm(place) * c, weights * rows * columns

    return price


def _mixer(k: int) -> Callable[[Place], Cost]:
    def price(place: Place) -> Cost:
        rows, columns = place.output
        c, d = place.channels, place.width
        weights = k * k * c + c * d
        return weights + _norm(place) * (c + d), weights * rows * columns

    return price


def _operation(
    name: str,
    title: str,
    source: str,
    price: Callable[[Place], Cost],
    params: str,
    macs: str,
    *fields: str,
    domain: str = "classification",
) -> Operation:
    return Operation(
        name=name,
        title=title,
        domain=domain,
        fields=("channels", "width", "stride", *fields),
        shape_rule=_SHAPE,
        params=params,
        macs=macs,
        source=source,
        price=price,
    )


def _identities(name: str) -> Operation:
    title = "The input itself; a factorised reduction at stride 2, a 1x1 convolution where only the width changes"
    return _operation(name, title, _DARTS, _identity, "r·(C·D + n·D)", "r·C·D·H·W")


def _pools(kind: str, word: str, k: int, source: str, name: str = "") -> Operation:
    title = f"{word} over {k}x{k} windows, padding not counted; a 1x1 convolution follows where the width changes"
    params, macs = "c·(C·D + n·D)", "c·C·D·H·W"
    return _operation(name or f"{kind}_pool_{k}x{k}", title, source, _pool, params, macs, f"kernel={k}")


def _convs(name: str, k: int, source: str) -> Operation:
    title = f"ReLU, {k}x{k} convolution, batch normalisation"
    return _operation(name, title, source, _conv(k), f"{k}²·C·D + n·D", f"{k}²·C·D·H·W", f"kernel={k}")


def _convs_first(k: int) -> Operation:
    title = f"{k}x{k} convolution, batch normalisation, ReLU"
    params, macs = f"{k}²·C·D + n·D", f"{k}²·C·D·H·W"
    return _operation(f"conv{k}x{k}-bn-relu", title, _NB101, _conv(k), params, macs, f"kernel={k}")


def _separables(k: int, source: str) -> Operation:
    title = f"Twice: ReLU, {k}x{k} depthwise and 1x1 convolution, batch normalisation; the stride is in the first"
    params = f"2·{k}²·C + C² + C·D + n·(C + D)"
    macs = f"(2·{k}²·C + C² + C·D)·H·W"
    return _operation(f"sep_conv_{k}x{k}", title, source, _separable_twice(k), params, macs, f"kernel={k}")


def _dilateds(k: int) -> Operation:
    title = f"ReLU, {k}x{k} depthwise convolution of dilation 2, 1x1 convolution, batch normalisation"
    params, macs = f"{k}²·C + C·D + n·D", f"({k}²·C + C·D)·H·W"
    return _operation(f"dil_conv_{k}x{k}", title, _DARTS, _dilated(k), params, macs, f"kernel={k}", "dilation=2")


def _factoriseds(k: int) -> Operation:
    title = f"ReLU, 1x{k} convolution, {k}x1 convolution, batch normalisation; each takes its direction's stride"
    params, macs = f"{k}·C·D + {k}·D² + n·D", f"{k}·C·D·h·W + {k}·D²·H·W"
    return _operation(f"conv_{k}x1_1x{k}", title, _NASNET, _factorised(k), params, macs, f"kernel={k}")


def _depthwises(k: int) -> Operation:
    title = f"ReLU, {k}x{k} depthwise convolution, batch normalisation; then 1x1 where the width changes"
    params, macs = f"{k}²·C + n·C + c·(C·D + n·D)", f"({k}²·C + c·C·D)·H·W"
    return _operation(f"depth_conv_{k}x{k}", title, _MOTIFS, _depthwise(k), params, macs, f"kernel={k}")


def _separables_once(k: int) -> Operation:
    title = f"ReLU, {k}x{k} depthwise convolution, 1x1 convolution, batch normalisation, each once"
    params, macs = f"{k}²·C + C·D + n·D", f"({k}²·C + C·D)·H·W"
    return _operation(f"separable_conv_{k}x{k}", title, _MOTIFS, _dilated(k), params, macs, f"kernel={k}")


def _atrous(k: int) -> Operation:
    title = f"ReLU, {k}x{k} convolution of dilation 2, batch normalisation"
    params, macs, fields = f"{k}²·C·D + n·D", f"{k}²·C·D·H·W", (f"kernel={k}", "dilation=2")
    return _operation(f"atrous_conv_{k}x{k}", title, _ATROUS, _conv(k), params, macs, *fields, domain="segmentation")


def _deformables(name: str, k: int, numbers: int, title: str, source: str) -> Operation:
    title = f"ReLU, {k}x{k} convolution that samples where another one says, {title}, batch normalisation"
    params = f"{numbers}·{k}²·({k}²·C + 1) + {k}²·C·D + n·D"
    macs = f"({numbers}·{k}²·{k}²·C + {k}²·C·D)·H·W"
    price = _deformable(k, numbers)
    return _operation(f"{name}_{k}x{k}", title, source, price, params, macs, f"kernel={k}", domain="detection")


def _attentions(name: str, title: str, source: str, heads: int, shared: int) -> Operation:
    title = f"Over the places as tokens: layer normalisation, {title}, a map out; at stride 2 averaged 3x3 first"
    a, kv = 32 * heads, 32 * shared
    weights = f"{a}·C + 2·{kv}·C + {a}·D"
    params, macs = f"{weights} + {a} + 2·{kv} + D + n·C", f"({weights})·H·W"
    fields = (f"heads={heads}", "head_dim=32", "norm=pre")
    return _operation(name, title, source, _attention(heads, shared), params, macs, *fields, domain="transformer")


def _feed_forwards(kind: str, title: str, source: str, ratio: int, ups: int) -> Operation:
    title = f"At every place: layer normalisation, {title}, a map out; at stride 2 averaged 3x3 first"
    weights = f"{ups}·{ratio}·C² + {ratio}·C·D"
    params, macs = f"{weights} + {ups}·{ratio}·C + D + n·C", f"({weights})·H·W"
    price, fields = _feed_forward(ratio, ups), (f"ratio={ratio}", "norm=pre")
    return _operation(f"ffn_{kind}_r{ratio}", title, source, price, params, macs, *fields, domain="transformer")


def _mixers(k: int) -> Operation:
    title = f"{k}x{k} depthwise convolution, GELU, norm, beside the input at stride 1; 1x1 convolution, GELU, norm"
    params, macs = f"{k}²·C + C·D + n·(C + D)", f"({k}²·C + C·D)·H·W"
    return _operation(
        f"conv_mixer_{k}x{k}", title, _MIXER, _mixer(k), params, macs, f"kernel={k}", domain="transformer"
    )


def _table() -> dict[str, Operation]:
    found = [
        _operation("none", "No connection: zeros of the output's shape", _DARTS, _nothing, "0", "0"),
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
        _depthwises(3),
        _separables_once(3),
        *(_atrous(k) for k in (3, 5)),
        _deformables("deform_conv", 3, 2, "two offsets a weight and place", _DEFORMABLE),
        _deformables("modulated_conv", 3, 3, "two offsets and a modulation a weight and place", _MODULATED),
        *(_factoriseds(k) for k in (3, 7)),
        _attentions("attention_h4", "softmax attention of 4 heads", _ATTENTION, 4, 4),
        _attentions("multi_query_attention_h4", "attention, keys and values of one head", _MULTI_QUERY, 4, 1),
        _attentions("linear_attention_h4", "linear attention of 4 heads", _LINEAR, 4, 4),
        _feed_forwards("gelu", "a map to 4·C features, GELU", _GELU, 4, 1),
        _feed_forwards("swiglu", "two maps to 4·C features, one times SiLU of the other", _SWIGLU, 4, 2),
        *(_mixers(k) for k in (5, 9)),
    ]
    return {operation.name: operation for operation in found}


OPERATIONS: Mapping[str, Operation] = _table()
