"""Diagrams: vertices and links of cells or of a network, before they are written as DOT or as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from app.architecture.axis import Axis
from app.architecture.draw.palette import family
from app.architecture.draw.panels import CellSketch, ChainSketch
from app.architecture.draw.sketch import Sketch, sketches
from app.architecture.draw.tree import TreeSketch
from app.architecture.graph import Graph, Node, node_macs, node_params
from app.architecture.guard import FALSE, TRUE, Guard
from app.architecture.lower import lower
from app.architecture.vocabulary import is_operation
from app.space import ImageInput, SearchSpace, Skeleton

GROUPED = 2  # levels of places that are drawn as groups: the cell and the node within it


@dataclass(frozen=True, slots=True)
class Vertex:
    """A state of a cell, a layer or a node of a network."""

    id: str  # the place: unique in its diagram
    label: str
    family: str  # of its operation, as drawings colour it; `state` of what computes nothing
    group: tuple[str, ...] = ()  # the groups that it stands in, the widest first
    said: Mapping[str, Any] = field(default_factory=dict[str, Any])  # what else is known of it, as attributes


@dataclass(frozen=True, slots=True)
class Link:
    """An arrow: what the target reads at one position among its inputs."""

    source: str
    target: str
    position: int
    operation: str = ""  # of a cell, on the way
    shape: tuple[int, ...] | None = None  # of the tensor: channels and extents, the largest where they are open
    guard: Guard = TRUE  # when it is there


@dataclass(frozen=True, slots=True)
class Diagram:
    """What there is to draw, the vertices in topological order."""

    title: str
    vertices: tuple[Vertex, ...]
    links: tuple[Link, ...]
    said: Mapping[str, Any] = field(default_factory=dict[str, Any])


def diagram(
    space: SearchSpace, genotype: object, skeleton: Skeleton | None = None, image: ImageInput | None = None
) -> Diagram:
    """The cells of a genotype; on a skeleton its network. InvalidGenotype; LoweringError where they do not fit."""
    if skeleton is None:
        return of_sketches(space.name, sketches(space, genotype))
    graph = lower(space.grammar, skeleton, image or space.input, space.plan.read(genotype))
    return of_graph(space.name, graph)


def of_graph(title: str, graph: Graph) -> Diagram:
    """A network, plain or open: a vertex a node, a link an input."""
    inside: dict[str, int] = {}
    for name in graph.nodes:
        for place in _places(name):
            inside[place] = inside.get(place, 0) + 1
    vertices: list[Vertex] = []
    links: list[Link] = []
    for node in graph.nodes.values():
        group = tuple(place for place in _places(node.name) if inside[place] > 1)
        said: dict[str, Any] = {
            "op": node.op,
            "inputs": list(node.inputs),
            "shape": [len(node.axis), *node.size],
            "params": node_params(graph, node),
            "macs": node_macs(graph, node),
            "fields": dict(node.attrs),
        }
        if not node.axis.plain:
            said["axis"] = node.axis
        vertices.append(Vertex(node.name, _label(node), _kind(node), group, said))
        for i, source in enumerate(node.inputs):
            tensor = graph.nodes[source]
            guard = node.guards[i] if node.guards else TRUE
            if guard is not FALSE:
                links.append(Link(source, node.name, i, "", (len(tensor.axis), *tensor.size), guard))
    said = {"outputs": list(graph.outputs), "decisions": {p: [k, list(o)] for p, (k, o) in graph.open.items()}}
    return Diagram(title, tuple(vertices), tuple(links), said)


def of_sketches(title: str, found: tuple[Sketch, ...]) -> Diagram:
    """Cells, chains and derivations, a group each."""
    vertices: list[Vertex] = []
    links: list[Link] = []
    taken: set[str] = set()
    for sketch in found:
        at, number = sketch.title, 2
        while at in taken:
            at, number = f"{sketch.title} {number}", number + 1
        taken.add(at)
        match sketch:
            case CellSketch():
                _cell(at, sketch, vertices, links)
            case ChainSketch():
                _chain(at, sketch, vertices, links)
            case TreeSketch():
                _tree(at, sketch, vertices, links)
    return Diagram(title, tuple(vertices), tuple(links), {"groups": sorted(taken)})


def _cell(at: str, sketch: CellSketch, vertices: list[Vertex], links: list[Link]) -> None:
    ids = [f"{at}/{i}" for i in range(len(sketch.vertices))]
    labels = sketch.labels or ("",) * len(ids)
    for id, name, label, operation in zip(ids, sketch.vertices, sketch.names, labels, strict=True):
        said = {"name": name} | ({"op": operation} if operation else {})
        vertices.append(Vertex(id, label, family(operation) if operation else "state", (at,), said))
    position = [0] * len(ids)
    for arrow in sketch.arrows:
        links.append(Link(ids[arrow.source], ids[arrow.target], position[arrow.target], arrow.operation))
        position[arrow.target] += 1
    if sketch.concat:
        out = f"{at}/output"
        vertices.append(Vertex(out, sketch.joins, "state", (at,), {"name": "output", "op": sketch.joins}))
        links += [Link(ids[source], out, i) for i, source in enumerate(sketch.concat)]


def _chain(at: str, sketch: ChainSketch, vertices: list[Vertex], links: list[Link]) -> None:
    for i, operation in enumerate(sketch.operations):
        vertices.append(Vertex(f"{at}/{i}", operation, family(operation), (at,), {"op": operation}))
        if i:
            links.append(Link(f"{at}/{i - 1}", f"{at}/{i}", 0))


def _tree(at: str, sketch: TreeSketch, vertices: list[Vertex], links: list[Link]) -> None:
    """A derivation: a link from what holds to what it holds."""
    vertices.append(Vertex(at, sketch.title, "state", (at,), {"name": sketch.title}))
    above = [at]
    for i, row in enumerate(sketch.rows):
        id = f"{at}/{i}"
        kind = family(row.value) if is_operation(row.value) else "state"
        said = {"name": row.name} | ({"value": row.value} if row.value else {})
        vertices.append(Vertex(id, f"{row.name} {row.value}".strip(), kind, (at,), said))
        links.append(Link(above[row.level], id, 0))
        above[row.level + 1 :] = [id]


def _places(name: str) -> list[str]:
    """The groups that a node may stand in: what is above it, and the place that bears its name."""
    words = name.split("/")
    return ["/".join(words[: i + 1]) for i in range(min(len(words), GROUPED))]


def _label(node: Node) -> str:
    """An operation with its extents: `conv 3x3 /2` of a convolution with stride 2."""
    said = dict(node.attrs)
    words = ["depthwise conv" if said.get("depthwise") is True else node.op]
    if "kernel" in said:
        words.append("x".join(str(len(k) if isinstance(k, Axis) else k) for k in _both(said["kernel"])))
    for name, sign in (("stride", "/"), ("dilation", "dilated ")):
        rows, columns = _both(said.get(name, 1))
        if (rows, columns) != (1, 1):
            words.append(f"{sign}{rows}" if rows == columns else f"{sign}{rows}x{columns}")
    return " ".join(words)


def _both(value: Any) -> tuple[Any, Any]:
    """One number for rows and columns, or one each."""
    return cast("tuple[Any, Any]", value) if isinstance(value, tuple) else (value, value)


def _kind(node: Node) -> str:
    """The family of a node's operation; `state` of norms, activations and whatever else only passes on."""
    match node.op:
        case "conv" if node["depthwise"]:
            return "separable"
        case "conv" if node["dilation"] != 1:
            return "dilated"
        case "conv" | "deform_conv" | "group_conv" | "linear" | "tied_linear":
            return "convolution"
        case "max_pool":
            return "max"
        case "avg_pool" | "mean":
            return "average"
        case "attention":
            return "attention"
        case "zero":
            return "none"
        case "embedding" | "class_token" | "position" | "highway":
            return "other"
        case _:
            return "state"
