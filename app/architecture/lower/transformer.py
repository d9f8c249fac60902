"""Transformer encoders (Vaswani et al., 2017; Dosovitskiy et al., 2021) of elastic width, heads, ratio and depth.

    builds         fields
    transformer    layers: a Repeat of `layer`; embed: features of a token
    layer          attention, heads, ffn, mlp_ratio, norm

What a record leaves out is the skeleton's. Attention is softmax attention, multi-query attention (keys and values of
one head) or linear attention; the feed-forward network GELU or SwiGLU, `mlp_ratio` times the features wide inside.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, all_of, not_
from app.architecture.lower.layers import Layers, positive
from app.space.skeleton import ImageInput, TransformerSkeleton

Cases = list[tuple[Guard, Any]]


@dataclass(frozen=True, slots=True)
class Stream:
    """What runs through the layers: its features, as an axis and as cases, and where its tokens come from."""

    axis: Axis
    widths: Cases
    grid: tuple[int, int]
    lead: int  # tokens before those of the grid
    skeleton: TransformerSkeleton


def _cases(record: Cursor, field: str, skeleton: TransformerSkeleton, kind: type[Any] | tuple[type[Any], ...]) -> Cases:
    """The cases of a field, or the skeleton's where the record has none."""
    if field not in record.fields:
        return [(TRUE, getattr(skeleton, field))]
    choice = record[field]
    cases = choice.values()
    for _, value in cases:
        if isinstance(value, bool) or not isinstance(value, kind) or not (isinstance(value, str) or value > 0):
            wanted = "a word" if kind is str else "a positive number"
            raise LoweringError(choice.path, f"{value!r} is not {wanted}", value)
    return cases


def _branches(b: Layers, at: str, cases: Cases, table: Mapping[str, Callable[..., Node]], *given: Any) -> Node:
    """One of several builders, told by their names."""
    for _, name in cases:
        if name not in table:
            raise LoweringError(at, f"no {name!r} is known", name, table)
    return b.sum(f"{at}/kind", [(g, table[name](b, f"{at}/{name}", *given)) for g, name in cases])


# -- attention -----------------------------------------------------------------------------------------------------


def _attend(kind: str, b: Layers, at: str, x: Node, stream: Stream, heads: Axis) -> Node:
    """Queries, keys, values; attention; a linear map back to the features."""
    k = stream.skeleton
    shared = Axis.of(k.head_dim) if kind == "multi_query" else heads
    parts = [
        b.linear(f"{at}/{n}", x, axis, bias=k.qkv_bias) for n, axis in (("q", heads), ("k", shared), ("v", shared))
    ]
    y = b.add(
        f"{at}/attend",
        "attention",
        parts,
        heads,
        x.size,
        kind="linear" if kind == "linear" else "softmax",
        head_dim=k.head_dim,
        relative=0 if kind == "linear" else k.relative,
        grid=stream.grid,
        lead=stream.lead,
    )
    return b.linear(f"{at}/out", y, stream.axis)


ATTENTIONS: Mapping[str, Callable[..., Node]] = {
    kind: partial(_attend, kind) for kind in ("softmax", "multi_query", "linear")
}


# -- feed-forward ----------------------------------------------------------------------------------------------------


def _gelu(b: Layers, at: str, x: Node, stream: Stream, inner: Axis) -> Node:
    y = b.unary(f"{at}/gelu", "gelu", b.linear(f"{at}/up", x, inner))
    return b.linear(f"{at}/down", y, stream.axis)


def _swiglu(b: Layers, at: str, x: Node, stream: Stream, inner: Axis) -> Node:
    gate = b.unary(f"{at}/silu", "silu", b.linear(f"{at}/gate", x, inner))
    up = b.linear(f"{at}/up", x, inner)
    y = b.add(f"{at}/multiply", "multiply", [gate, up], inner, x.size)
    return b.linear(f"{at}/down", y, stream.axis)


NETWORKS: Mapping[str, Callable[..., Node]] = {"gelu": _gelu, "swiglu": _swiglu}


# -- layers ----------------------------------------------------------------------------------------------------------


def layer_norm(b: Layers, at: str, x: Node) -> Node:
    """Layer normalisation; learnable as the skeleton has it."""
    return b.add(at, "layer_norm", [x], x.axis, x.size, affine=b.affine)


def _residual(b: Layers, at: str, x: Node, norms: Cases, inner: Callable[[Node], Node]) -> Node:
    """`inner` beside its input, the norm before it or after the sum: both read the same tensors inside."""
    wrong = [name for _, name in norms if name not in ("pre", "post")]
    if wrong:
        raise LoweringError(at, f"a norm stands pre or post, not {wrong[0]!r}", wrong[0], ("pre", "post"))
    y = inner(b.sum(f"{at}/in", [(g, layer_norm(b, f"{at}/pre", x) if n == "pre" else x) for g, n in norms]))
    out = b.sum(at, [(TRUE, x), (TRUE, y)], drop_path=True)
    return b.sum(f"{at}/normed", [(g, layer_norm(b, f"{at}/post", out) if n == "post" else out) for g, n in norms])


def build_layer(b: Layers, at: str, record: Cursor, x: Node, stream: Stream) -> Node:
    """One layer: attention, then the feed-forward network, each beside its input."""
    k = stream.skeleton
    norms = _cases(record, "norm", k, str)
    heads = Axis.elastic([(g, n * k.head_dim) for g, n in _cases(record, "heads", k, int)])
    ratios = _cases(record, "mlp_ratio", k, (int, float))
    inner = Axis.elastic([(all_of(g, h), max(int(n * r), 1)) for g, n in stream.widths for h, r in ratios])

    def attend(y: Node) -> Node:
        kinds = _cases(record, "attention", k, str)
        return _branches(b, f"{at}/attention", kinds, ATTENTIONS, y, stream, heads)

    def feed_forward(y: Node) -> Node:
        return _branches(b, f"{at}/ffn", _cases(record, "ffn", k, str), NETWORKS, y, stream, inner)

    x = _residual(b, f"{at}/attention", x, norms, attend)
    return _residual(b, f"{at}/ffn", x, norms, feed_forward)


# -- the network -------------------------------------------------------------------------------------------------------


def network(b: Layers, cursor: Cursor, skeleton: TransformerSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Embedding, layers, their exits, a last norm, the first token or the mean, pooler and classifier."""
    k = skeleton
    positive(patch=k.patch, heads=k.heads, head_dim=k.head_dim, divisor=k.divisor, num_classes=k.num_classes)
    embeds = _cases(cursor, "embed", k, int)
    uneven = [n for _, n in embeds if n % k.divisor]
    if uneven:
        raise LoweringError("/skeleton/divisor", f"{k.divisor} does not divide {uneven[0]} features", k.divisor)
    widths = [(g, n // k.divisor) for g, n in embeds]
    axis = Axis.elastic(widths)
    x, grid = _patches(b, k, image, axis) if k.stem == "patches" else _text(b, k, image, axis)
    lead = int(k.stem == "patches" and k.class_token)
    stream = Stream(axis, widths, grid, lead, k)
    layers = cursor["layers"].items()
    # a length of nothing leaves the embedding alone
    exits = [(not_(layers[0][0]) if layers else TRUE, x)]
    for i, (_, last, record) in enumerate(layers):
        x = build_layer(b, f"layer{i}", record, x, stream)
        exits.append((last, x))
    x = b.sum("exits", exits)
    if k.final_norm:
        x = layer_norm(b, "norm", x)
    mean = k.stem == "patches" and not k.class_token
    x = b.mean("head/mean", x) if mean else b.add("head/first", "first", [x], axis, ())
    if k.pooler:
        x = b.unary("head/tanh", "tanh", b.linear("head/pooler", x, axis))
    return (b.linear("head/linear", x, k.num_classes) if k.classifier else x,)


def _patches(b: Layers, k: TransformerSkeleton, image: ImageInput, axis: Axis) -> tuple[Node, tuple[int, int]]:
    """Patches as tokens, the class token before them, positions. Returns the tokens and the extents of the patches."""
    maps = b.conv("stem/patch", b.image(image), axis, k.patch, k.patch, bias=True, pad=0)
    rows, columns = maps.size
    x = b.add("stem/tokens", "tokens", [maps], axis, (rows * columns,))
    if k.class_token:
        x = b.add("stem/class", "class_token", [x], axis, (1 + x.size[0],))
    if k.absolute:
        x = b.add("stem/position", "position", [x], axis, x.size, rows=x.size[0])
    return layer_norm(b, "stem/norm", x) if k.stem_norm else x, (rows, columns)


def _text(b: Layers, k: TransformerSkeleton, image: ImageInput, axis: Axis) -> tuple[Node, tuple[int, int]]:
    """Tokens, numbered in channel 0, segments in channel 1 or all in segment 0; a text is one row of places."""
    many = image.height * image.width
    if image.channels > 2:
        raise LoweringError("/image/channels", "a text has one channel of tokens and one of segments", image.channels)
    if k.absolute and many > k.length:
        raise LoweringError("/image", f"a text of {many} tokens is longer than {k.length}", many, (k.length,))
    text = b.image(image)
    terms = [(TRUE, b.add("stem/token", "embedding", [text], axis, (many,), rows=k.vocabulary, channel=0))]
    if k.token_types:
        source, channel = text, 1
        if image.channels == 1:
            source, channel = b.add("stem/segments", "zero", [text], Axis.of(1), text.size, stride=1), 0
        segments = b.add("stem/segment", "embedding", [source], axis, (many,), rows=k.token_types, channel=channel)
        terms.append((TRUE, segments))
    x = b.sum("stem/sum", terms)
    if k.absolute:
        x = b.add("stem/position", "position", [x], axis, x.size, rows=k.length)
    return layer_norm(b, "stem/norm", x) if k.stem_norm else x, (1, many)
