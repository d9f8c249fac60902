"""Transformer encoders (Vaswani et al., 2017; Dosovitskiy et al., 2021) of elastic width, heads, ratio and depth.

    builds         fields
    transformer    layers: a Repeat of `layer`; embed: features of a token
    layer          attention, heads, ffn, mlp_ratio, norm

What a record leaves out is the skeleton's. The feed-forward network is `mlp_ratio` times the features wide inside,
rounded down; the norm stands before attention and feed-forward network or after them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import TRUE, Guard, all_of, not_
from app.architecture.lower.attention import ATTENTIONS, NETWORKS, attend, feed_forward, layer_norm
from app.architecture.lower.layers import Layers, positive
from app.space.skeleton import ImageInput, TransformerSkeleton

MOST = 65_536  # features, heads and ratios of a layer

Cases = list[tuple[Guard, Any]]


@dataclass(frozen=True, slots=True)
class Stream:
    """What runs through the layers: its features, as an axis and as cases, and where its tokens come from."""

    axis: Axis
    widths: Cases
    grid: tuple[int, int]
    lead: int  # tokens before those of the grid
    skeleton: TransformerSkeleton


def _cases(record: Cursor, field: str, skeleton: TransformerSkeleton, words: tuple[str, ...] = ()) -> Cases:
    """The cases of a field, or the skeleton's where the record has none: some words, or positive numbers."""
    if field not in record.fields:
        return [(TRUE, getattr(skeleton, field))]
    choice = record[field]
    cases = choice.values()
    for _, value in cases:
        if words and value not in words:
            raise LoweringError(choice.path, f"no {value!r} is known", value, words)
        if not words and (isinstance(value, bool | str) or not 0 < value <= MOST):
            raise LoweringError(choice.path, f"expected a positive number, at most {MOST}, found {value!r}", value)
    return cases


def _whole(record: Cursor, field: str, skeleton: TransformerSkeleton) -> list[tuple[Guard, int]]:
    """The cases of a field of whole numbers."""
    cases = _cases(record, field, skeleton)
    for _, value in cases:
        if not isinstance(value, int):
            raise LoweringError(record[field].path, f"{value!r} is not a whole number", value)
    return cases


def _residual(b: Layers, at: str, x: Node, norms: Cases, inner: Callable[[Node], Node]) -> Node:
    """`inner` beside its input, the norm before it or after the sum: both read the same tensors inside."""
    y = inner(b.sum(f"{at}/in", [(g, layer_norm(b, f"{at}/pre", x) if n == "pre" else x) for g, n in norms]))
    out = b.sum(at, [(TRUE, x), (TRUE, y)], drop_path=True)
    return b.sum(f"{at}/normed", [(g, layer_norm(b, f"{at}/post", out) if n == "post" else out) for g, n in norms])


def build_layer(b: Layers, at: str, record: Cursor, x: Node, stream: Stream) -> Node:
    """One layer: attention, then the feed-forward network, each beside its input."""
    k = stream.skeleton
    norms = _cases(record, "norm", k, ("pre", "post"))
    heads = Axis.elastic([(g, n * k.head_dim) for g, n in _whole(record, "heads", k)])
    ratios = _cases(record, "mlp_ratio", k)
    inner = Axis.elastic([(all_of(g, h), max(int(n * r), 1)) for g, n in stream.widths for h, r in ratios])

    def attention(y: Node) -> Node:
        place, terms = f"{at}/attention", list[tuple[Guard, Node]]()
        for g, kind in _cases(record, "attention", k, ATTENTIONS):
            z = attend(
                b,
                f"{place}/{kind}",
                kind,
                y,
                heads,
                stream.axis,
                head_dim=k.head_dim,
                bias=k.qkv_bias,
                relative=k.relative,
                grid=stream.grid,
                lead=stream.lead,
            )
            terms.append((g, z))
        return b.sum(f"{place}/kind", terms)

    def network(y: Node) -> Node:
        place, kinds = f"{at}/ffn", _cases(record, "ffn", k, NETWORKS)
        return b.sum(
            f"{place}/kind", [(g, feed_forward(b, f"{place}/{n}", n, y, inner, stream.axis)) for g, n in kinds]
        )

    x = _residual(b, f"{at}/attention", x, norms, attention)
    return _residual(b, f"{at}/ffn", x, norms, network)


# -- the network -------------------------------------------------------------------------------------------------------


def network(b: Layers, cursor: Cursor, skeleton: TransformerSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Embedding, layers, their exits, a last norm, the first token or the mean, pooler and classifier."""
    k = skeleton
    positive(patch=k.patch, heads=k.heads, head_dim=k.head_dim, divisor=k.divisor, num_classes=k.num_classes)
    embeds = _whole(cursor, "embed", k)
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
