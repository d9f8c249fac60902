"""Free terms: networks put together from a few combinators, as a user's document names them.

    builds     fields                                     what it makes of its input x
    sequence   any, each a term                           one term after another
    residual   inner                                      x + inner(x)
    parallel   any, each a term; merge                    the terms side by side: added up, or concatenated
    graph      "0->1", "0->2", ...: a term each           vertices add up what arrives; 0 is x, the last is the output
    stack      layers: a Repeat of a term                 one item after another, of any of the lengths
    apply      op: an operation; stride, width            the operation; `width` is a factor on the channels
    scale      inner; width                               inner at half the extents, and back to the shape of x
    mbconv     kernel, expand; se, stride, width          an inverted residual, kernel and expansion elastic
    layer      heads, head_dim, attention, ffn,           a transformer's layer, the places of the maps its tokens
               mlp_ratio, norm: each may be left out

A term is also the name of an operation alone, a Repeat (a stack), a Subset (its members in parallel, added up) or a
Choice of terms, whose options have one shape. A field `kind` tells the alternatives of a Choice apart and means
nothing. Recursion of the grammar is recursion here.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product

from app.architecture.axis import Axis
from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Node
from app.architecture.guard import FALSE, TRUE, Guard, all_of, not_
from app.architecture.lower.edge_cells import read_edges
from app.architecture.lower.layers import Layers, positive
from app.architecture.lower.mbconv import Block, mbconv, squeeze, squeezed
from app.architecture.lower.operation import operation
from app.architecture.lower.transformer import Stream, build_layer
from app.space.algebra import Record, Repeat, Scalar, Value
from app.space.skeleton import FreeSkeleton, ImageInput, TransformerSkeleton

LABEL = "kind"
HEAD_DIM = 16  # features of an attention head where a layer does not say
HEAD_RULE = "a head has 1 to 1024 features"


def network(b: Layers, cursor: Cursor, skeleton: FreeSkeleton, image: ImageInput) -> tuple[Node, ...]:
    """Stem, the body in every place of every stage, classifier."""
    positive(
        channels=skeleton.channels,
        num_stages=skeleton.num_stages,
        num_cells=skeleton.num_cells,
        num_classes=skeleton.num_classes,
    )
    x = b.conv_norm("stem", b.image(image), skeleton.channels, 3, affine=True)
    for i in range(skeleton.halvings):
        x = b.relu_conv_norm(f"stem/{i}", x, skeleton.channels, 3, 2)
    body = cursor["body"]
    for stage in range(skeleton.num_stages):
        if stage:
            x = b.relu_conv_norm(f"reduction{stage}", x, 2 * len(x.axis), 3, 2)
        for cell in range(skeleton.num_cells):
            x = build(b, f"stage{stage}/cell{cell}", body, x)
    return (b.classifier("head", b.unary("last/relu", "relu", x), skeleton.num_classes),)


def build(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    """A term at a place, on one input."""
    if isinstance(cursor.term, Repeat):
        return _stack(b, at, cursor, x)
    if isinstance(cursor.term, Record | Value):
        return _term(b, at, cursor, x)
    return meet(b, at, cursor, [(g, _term(b, f"{at}/{case.step}", case, x)) for g, case in cursor.cases()])


def _term(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    if not isinstance(cursor.term, Record):
        return operation(b, cursor.path, cursor.value, at, x, len(x.axis))
    meaning = TERMS.get(cursor.builds)
    if meaning is None:
        message = f"no term builds {cursor.builds!r}; there are {', '.join(TERMS)}"
        raise LoweringError(cursor.path, message, cursor.builds, TERMS)
    return meaning(b, at, cursor, x)


def meet(b: Layers, at: str, cursor: Cursor, terms: Sequence[tuple[Guard, Node]]) -> Node:
    """Terms in one place, added up; those that may be there have one shape."""
    possible = [(g, x) for g, x in terms if g is not FALSE]
    _alike(cursor, [x for _, x in possible], channels=True)
    return b.sum(at, possible)


def _alike(cursor: Cursor, nodes: Sequence[Node], *, channels: bool) -> None:
    """Refuse nodes of unlike shapes at the decision path where they would meet."""
    shapes = {(len(x.axis), *x.size) if channels else x.size: x.name for x in nodes}
    if len(shapes) > 1:
        told = ["x".join(map(str, shape)) for shape in shapes]
        what = "channels x height x width" if channels else "height x width"
        raise LoweringError(
            cursor.path, f"shapes that meet are alike, not {' and '.join(told)} ({what})", told, told[:1]
        )


def parts(cursor: Cursor, *others: str) -> Mapping[str, Cursor]:
    """The fields that are terms."""
    parts = {name: part for name, part in cursor.fields.items() if name not in (LABEL, *others)}
    if not parts:
        raise LoweringError(cursor.path, f"a {cursor.builds} needs at least one term")
    return parts


def _sequence(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    for part in parts(cursor).values():
        x = build(b, f"{at}/{part.step}", part, x)
    return x


def _residual(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    inner = cursor["inner"]
    return meet(b, at, cursor, [(TRUE, x), (TRUE, build(b, f"{at}/{inner.step}", inner, x))])


def _parallel(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    """Branches on one input; concatenated, a 1x1 convolution brings them to the width of the first."""
    ends = [(TRUE, build(b, f"{at}/{part.step}", part, x)) for part in parts(cursor, "merge").values()]
    first = ends[0][1]

    def merged(how: Scalar) -> Node:
        match how:
            case "add":
                return meet(b, f"{at}#add", cursor, ends)
            case "concat":
                _alike(cursor, [end for _, end in ends], channels=False)
                return b.relu_conv_norm(f"{at}#concat", b.concat(f"{at}#concat", ends), len(first.axis))
            case _:
                raise LoweringError(cursor.path, f"branches do not merge by {how!r}", how, ("add", "concat"))

    ways = cursor["merge"].values() if "merge" in cursor.fields else [(TRUE, "add")]
    return b.sum(at, [(g, merged(how)) for g, how in ways])


def _graph(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    states = [x]
    for j, sources in read_edges(cursor, parts(cursor)).items():
        terms = [(TRUE, build(b, f"{at}/{edge.step}", edge, states[i])) for i, edge in sources]
        states.append(meet(b, f"{at}#{j}", cursor, terms))
    return states[-1]


def _stack(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    items = cursor.items()
    ends = [(not_(items[0][0]) if items else TRUE, x)]  # a length of nothing
    for _, last, item in items:
        x = build(b, f"{at}/{item.step}", item, x)
        ends.append((last, x))
    return meet(b, at, cursor, ends)


def _layers(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    return _stack(b, at, cursor["layers"], x)


def _apply(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    choice = cursor["op"]
    terms: list[tuple[Guard, Node]] = []
    for (g, op), (h, end, stride, width) in product(choice.values(), _shapes(cursor, x)):
        terms.append((all_of(g, h), operation(b, choice.path, op, f"{at}/{op}{end}", x, width, stride)))
    return meet(b, at, cursor, terms)


def _mbconv(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    """Blocks of MobileNet; those with and without squeeze-and-excitation are two."""
    kernels = _numbers(cursor["kernel"], lambda n: n in range(1, 32, 2), "a kernel is odd, at most 31")
    ratios = _numbers(cursor["expand"], lambda n: 0 < n <= 16, "an expansion is above 0, at most 16")
    gates = cursor["se"].values() if "se" in cursor.fields else [(TRUE, False)]
    kernel = Axis.rings([(g, int(n)) for g, n in kernels])
    inner = Axis.elastic([(g, _scaled(x, ratio)) for g, ratio in ratios])
    features = Axis.elastic([(g, squeezed(_scaled(x, ratio))) for g, ratio in ratios])

    def gated(place: str, y: Node) -> Node:
        return squeeze(b, place, y, features)

    terms: list[tuple[Guard, Node]] = []
    for (g, se), (h, end, stride, width) in product(gates, _shapes(cursor, x)):
        place = f"{at}{'/se' if se else ''}{end}"
        y = mbconv(b, place, x, width, stride, Block(), kernel, inner, gated if se else None)
        kept = (x.axis, x.size) == (y.axis, y.size)
        terms.append((all_of(g, h), b.sum(f"{place}/add", [(TRUE, x), (TRUE, y)]) if kept else y))
    return meet(b, at, cursor, terms)


def _attend(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    """A transformer's layer between maps and maps; positions are left to the convolutions around."""
    rows, columns = x.size
    tokens = b.add(f"{at}#tokens", "tokens", [x], x.axis, (rows * columns,))
    terms: list[tuple[Guard, Node]] = []
    for guard, features in _numbers(cursor.fields.get("head_dim"), lambda n: n in range(1, 1025), HEAD_RULE, HEAD_DIM):
        stream = Stream(x.axis, [(TRUE, len(x.axis))], (rows, columns), 0, TransformerSkeleton(head_dim=int(features)))
        terms.append((guard, build_layer(b, f"{at}/head_dim{features:g}", cursor, tokens, stream)))
    y = b.sum(f"{at}#layer", terms)
    return b.add(f"{at}#maps", "maps", [y], x.axis, x.size, extents=x.size)


def _shapes(cursor: Cursor, x: Node) -> list[tuple[Guard, str, int, int]]:
    """(when, end of the place's name, stride, channels) of the optional fields `stride` and `width`."""
    strides = _numbers(cursor.fields.get("stride"), lambda n: n in (1, 2), "the stride is 1 or 2")
    found: list[tuple[Guard, str, int, int]] = []
    for (g, stride), (h, factor) in product(strides, _widths(cursor)):
        given = (("stride", stride), ("width", factor))
        end = "".join(f"/{name}{n:g}" for name, n in given if name in cursor.fields)
        found.append((all_of(g, h), end, int(stride), _scaled(x, factor)))
    return found


def _numbers(
    cursor: Cursor | None, legal: Callable[[float], bool], rule: str, default: float = 1
) -> list[tuple[Guard, float]]:
    """A numeric field, the default where it is not there."""
    if cursor is None:
        return [(TRUE, default)]
    found: list[tuple[Guard, float]] = []
    for guard, value in cursor.values():
        if isinstance(value, bool | str) or not legal(value):
            raise LoweringError(cursor.path, f"{rule}, not {value!r}", value)
        found.append((guard, value))
    return found


def _scale(b: Layers, at: str, cursor: Cursor, x: Node) -> Node:
    """A strided convolution, the inner term, nearest neighbours and a 1x1 convolution."""
    terms: list[tuple[Guard, Node]] = []
    for guard, factor in _widths(cursor):
        place = f"{at}/width{factor:g}" if "width" in cursor.fields else at
        y = b.relu_conv_norm(f"{place}#down", x, _scaled(x, factor), 3, 2)
        y = b.resize(f"{place}#up/resize", build(b, f"{place}/inner", cursor["inner"], y), x.size)
        terms.append((guard, b.relu_conv_norm(f"{place}#up", y, len(x.axis))))
    return meet(b, at, cursor, terms)


def _widths(cursor: Cursor) -> list[tuple[Guard, float]]:
    rule = "the width is a factor above 0, at most 16"
    return _numbers(cursor.fields.get("width"), lambda n: 0 < n <= 16, rule)


def _scaled(x: Node, factor: float) -> int:
    return max(round(len(x.axis) * factor), 1)


TERMS: Mapping[str, Callable[[Layers, str, Cursor, Node], Node]] = {
    "sequence": _sequence,
    "residual": _residual,
    "parallel": _parallel,
    "graph": _graph,
    "stack": _layers,
    "apply": _apply,
    "scale": _scale,
    "mbconv": _mbconv,
    "layer": _attend,
}
