"""Blocks of many fields: what their names spell, in place of a name for every combination.

A name spells one by its fields: `mb4.5_k9_se_hswish`, `linear_attention_h8_d16`, `ffn_swiglu_r3_post`. A layer of a
transformer has no such name; documents build it as a record, `layer`, of the same fields.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from math import floor

from app.architecture.vocabulary.operation import (
    AFFINE,
    CHANNELS,
    SHAPE,
    STRIDE,
    WIDTH,
    Field,
    Operation,
    Scalar,
)
from app.architecture.vocabulary.place import Cost, Place

_V3 = "Howard et al. (2019), MobileNetV3, arXiv:1905.02244; Sandler et al. (2018), arXiv:1801.04381"
_ATTENTION = "Vaswani et al. (2017), arXiv:1706.03762; Shazeer (2019), arXiv:1911.02150; Katharopoulos et al. (2020)"
_FEED = "Vaswani et al. (2017), arXiv:1706.03762; Shazeer (2020), GLU variants, arXiv:2002.05202"
_NORM = "Xiong et al. (2020), on layer normalisation in the transformer, arXiv:2002.04745"

ATTENTION_KINDS = ("softmax", "multi_query", "linear")
FEED_FORWARD_KINDS = ("gelu", "swiglu")
ACTIVATIONS = ("relu", "relu6", "hswish")

_PLACE = Field(
    name="norm",
    unit="",
    meaning="Whether layer normalisation stands before (pre) or after (post)",
    values=("pre", "post"),
    default="pre",
)
_HEADS = Field(name="heads", letter="heads", unit="heads", meaning="Attention heads", least=1, most=128, default=4)
_HEAD_DIM = Field(
    name="head_dim", letter="head_dim", unit="features", meaning="Features of a head", least=1, most=1024, default=32
)


def _value(place: Place, field: Field) -> Scalar:
    found = dict(place.fields).get(field.name, field.default)
    assert found is not None, field.name
    return found


# -- inverted residuals ------------------------------------------------------------------------------------------------

_MBCONV = (
    Field(name="kernel", letter="k", unit="places", meaning="Height and width of the depthwise window", least=1,
          most=99, odd=True, default=3),
    Field(name="expansion", letter="e", unit="factor", meaning="Inner channels over those of the input; of 1 no "
          "convolution expands", least=0.01, most=99, default=6),
    Field(name="se", letter="q", unit="", meaning="Squeeze-and-excitation after the depthwise convolution",
          values=(False, True), default=False),
    Field(name="activation", unit="", meaning="The function after the first convolutions", values=ACTIVATIONS,
          default="relu"),
)  # fmt: skip


def _inverted(place: Place) -> Mapping[str, int]:
    expansion = float(_value(place, _MBCONV[1]))
    return {
        "x": max(1, round(expansion * place.channels)) if expansion != 1 else place.channels,
        "u": int(expansion != 1),
        "q": int(_value(place, _MBCONV[2])),
    }


# -- attention and feed-forward networks -------------------------------------------------------------------------------

_ATTENDING = (
    Field(name="kind", unit="", meaning="Softmax attention, one with keys and values of one head, or linear attention",
          values=ATTENTION_KINDS, default="softmax"),
    _HEADS,
    _HEAD_DIM,
    _PLACE,
)  # fmt: skip
_FEEDING = (
    Field(name="kind", unit="", meaning="GELU inside, or one of two maps times SiLU of the other", values=
          FEED_FORWARD_KINDS, default="gelu"),
    Field(name="ratio", letter="ratio", unit="features", meaning="Inner features over the channels of the input",
          least=1, most=16, default=4),
    _PLACE,
)  # fmt: skip
_LAYER = (
    Field(name="attention", unit="", meaning="Kind of attention", values=ATTENTION_KINDS, default="softmax"),
    replace(_HEADS, default=12),
    replace(_HEAD_DIM, default=64),
    Field(name="ffn", unit="", meaning="Kind of feed-forward network", values=FEED_FORWARD_KINDS, default="gelu"),
    Field(name="mlp_ratio", unit="factor", meaning="Inner features over the channels, rounded down", least=0.01,
          most=16, default=4.0),
    _PLACE,
)  # fmt: skip


def _attending(place: Place, fields: tuple[Field, ...] = _ATTENDING) -> Mapping[str, int]:
    kind, heads, head_dim = (_value(place, field) for field in fields[:3])
    a = int(heads) * int(head_dim)
    return {
        "a": a,
        "v": int(head_dim) if kind == "multi_query" else a,
        "N": place.channels if _value(place, _PLACE) == "pre" else place.width,
    }


def _feeding(place: Place) -> Mapping[str, int]:
    pre = _value(place, _PLACE) == "pre"
    return {"u": 1 + (_value(place, _FEEDING[0]) == "swiglu"), "N": place.channels if pre else place.width}


def _layer(place: Place) -> Mapping[str, int]:
    ratio = float(_value(place, _LAYER[4]))
    inner = {"u": 1 + (_value(place, _LAYER[3]) == "swiglu"), "m": max(1, floor(place.channels * ratio))}
    return {**_attending(place, _LAYER), **inner}


def _block(
    name: str,
    title: str,
    family: str,
    domains: tuple[str, ...],
    source: str,
    fields: tuple[Field, ...],
    derived: Callable[[Place], Mapping[str, int]],
    costs: tuple[str, str, str],
    spelling: str,
    *,
    keeps: bool = False,
) -> Operation:
    def price(place: Place) -> Cost:
        params, macs, _ = block.count(place)
        return params, macs

    once = replace(STRIDE, meaning="It keeps the extents", values=(1,))
    block = Operation(
        name=name,
        title=title,
        family=family,
        domains=domains,
        fields=(CHANNELS, *(() if keeps else (WIDTH,)), once if keeps else STRIDE, AFFINE, *fields),
        shape_rule="(C, h, w) -> (C, h, w)" if keeps else SHAPE,
        params=costs[0],
        macs=costs[1],
        activations=costs[2],
        source=source,
        price=price,
        shape=lambda place: (place.width, *place.output),
        keeps=keeps,
        spelling=spelling,
        derived=derived,
    )
    return block


BLOCKS: Mapping[str, Operation] = {
    o.name: o
    for o in (
        _block(
            "mbconv",
            "1x1 convolution to x channels, depthwise convolution, squeeze-and-excitation, 1x1 convolution; beside the "
            "input where it keeps the shape; x is e·C, rounded",
            "inverted residual",
            ("mobile", "detection"),
            _V3,
            _MBCONV,
            _inverted,
            (
                "u·(C·x + n·x) + k²·x + x·D + n·(x + D) + q·(2·x·M(x) + M(x) + x)",
                "u·C·x·h·w + (k²·x + x·D)·H·W + q·2·x·M(x)",
                "u·x·h·w + (x + D)·H·W + q·(M(x) + x)",
            ),
            "mb{expansion}_k{kernel}[_se][_relu6|_hswish]",
        ),
        _block(
            "attention",
            "Over the places as tokens: attention of queries (a = heads·head_dim features), keys and values (v "
            "features each: a, or head_dim where all heads share them), a map out; layer normalisation of N features",
            "attention",
            ("transformer",),
            _ATTENTION,
            _ATTENDING,
            _attending,
            ("C·a + 2·C·v + a·D + a + 2·v + D + n·N", "(C·a + 2·C·v + a·D)·H·W", "(a + 2·v + D)·H·W"),
            "[multi_query_|linear_]attention_h{heads}[_d{head_dim}][_post]",
        ),
        _block(
            "ffn",
            "At every place: a map to ratio·C features, or u = 2 of them, its function, a map out; layer normalisation "
            "of N features",
            "feed-forward network",
            ("transformer",),
            _FEED,
            _FEEDING,
            _feeding,
            ("u·ratio·C² + ratio·C·D + u·ratio·C + D + n·N", "(u·ratio·C² + ratio·C·D)·H·W", "(u·ratio·C + D)·H·W"),
            "ffn_{kind}_r{ratio}[_post]",
        ),
        _block(
            "layer",
            "Attention (a, v as of attention), then a feed-forward network of m = mlp_ratio·C inner features, u = 2 "
            "maps to them where it is gated; each beside its input, each with layer normalisation",
            "transformer layer",
            ("transformer",),
            _NORM,
            _LAYER,
            _layer,
            (
                "2·C·a + 2·C·v + a + 2·v + (u + 1)·C·m + u·m + 2·C + 2·n·C",
                "(2·C·a + 2·C·v + (u + 1)·C·m)·H·W",
                "(a + 2·v + u·m + 2·C)·H·W",
            ),
            "a record, {builds: layer}, of the same fields",
            keeps=True,
        ),
    )
}

_SPELT: Mapping[str, re.Pattern[str]] = {
    "mbconv": re.compile(
        r"mb(?P<expansion>\d{1,2}(?:\.\d{1,2})?)_k(?P<kernel>\d{1,2})(?P<se>_se)?(?:_(?P<activation>relu6|relu|hswish))?"
    ),
    "attention": re.compile(
        r"(?:(?P<kind>multi_query|linear)_)?attention_h(?P<heads>\d{1,3})(?:_d(?P<head_dim>\d{1,4}))?(?P<norm>_post)?"
    ),
    "ffn": re.compile(r"ffn_(?P<kind>gelu|swiglu)_r(?P<ratio>\d{1,2})(?P<norm>_post)?"),
}


def _read(field: str, text: str) -> Scalar:
    match field:
        case "se":
            return True
        case "norm":
            return "post"
        case "expansion":
            return float(text) if "." in text else int(text)
        case "kernel" | "heads" | "head_dim" | "ratio":
            return int(text)
        case _:
            return text


def spelt(name: object) -> tuple[str, Mapping[str, Scalar]] | None:
    """(block, its fields) that a name spells; None of any other name, and of numbers that a field does not allow."""
    for block, pattern in _SPELT.items():
        match = pattern.fullmatch(name) if isinstance(name, str) else None
        if match is not None:
            given = {field: _read(field, text) for field, text in match.groupdict().items() if text is not None}
            fields = {f.name: f for f in BLOCKS[block].fields}
            if any(fields[field].refuses(value) for field, value in given.items()):
                return None
            return block, {f.name: f.default for f in _own(BLOCKS[block]) if f.default is not None} | given
    return None


def _own(block: Operation) -> tuple[Field, ...]:
    return tuple(f for f in block.fields if f.name not in ("channels", "output_channels", "stride", "affine"))


def spelling_of(name: str) -> Operation | None:
    """The operation that a name spells, its fields fixed."""
    read = spelt(name)
    if read is None:
        return None
    block, values = read
    general = BLOCKS[block]

    def at(place: Place) -> Place:
        return replace(place, fields=tuple(values.items()))

    def price(place: Place) -> Cost:
        return general.price(at(place))

    def derived(place: Place) -> Mapping[str, int]:
        assert general.derived is not None
        return general.derived(at(place))

    said = {f.name: replace(f, default=values[f.name], values=(values[f.name],), fixed=True) for f in _own(general)}
    fields = tuple(said.get(f.name, f) for f in general.fields)
    return replace(general, name=name, fields=fields, price=price, derived=derived, spelling="")


__all__ = ["ACTIVATIONS", "ATTENTION_KINDS", "BLOCKS", "FEED_FORWARD_KINDS", "spelling_of", "spelt"]
