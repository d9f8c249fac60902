"""DOT: cells and networks in the language of Graphviz (Gansner and North, 2000).

A group is a cluster, a family of operations has the colours that it has in our pictures, an edge says the shape of
the tensor on it and, where decisions are open, when it is there. `dot -Tsvg` lays it out; no Graphviz is needed here.
"""

from app.architecture.draw.canvas import label
from app.architecture.draw.condition import condition
from app.architecture.draw.diagram import Diagram, Link, Vertex, diagram, of_graph
from app.architecture.draw.palette import FAMILIES
from app.architecture.graph import Graph
from app.architecture.guard import TRUE
from app.space import ImageInput, SearchSpace, Skeleton

STATE = ("#f3f5f8", "#59636e")  # fill and line of what computes nothing
WIRE = "#7d8792"


def draw_dot(
    space: SearchSpace, genotype: object, skeleton: Skeleton | None = None, image: ImageInput | None = None
) -> str:
    """The cells of a genotype, or on a skeleton its network, as DOT. Raises what `draw_svg` raises."""
    return _written(diagram(space, genotype, skeleton, image), "LR" if skeleton is None else "TB")


def graph_dot(graph: Graph, title: str = "network") -> str:
    """A network as DOT, plain or open: then the edges say under which decisions they are there."""
    return _written(of_graph(title, graph), "TB")


def _written(drawn: Diagram, direction: str) -> str:
    lines = [
        f"digraph {quoted(drawn.title)} {{",
        f"  graph [rankdir={direction}, newrank=true, label={quoted(label(drawn.title))}, labelloc=t];",
        '  graph [fontname="Helvetica"];',
        '  node [shape=box, style="rounded,filled", fontname="Helvetica", fontsize=11];',
        f'  edge [color="{WIRE}", fontname="Helvetica", fontsize=9];',
    ]
    open_groups: tuple[str, ...] = ()
    seen: dict[tuple[str, ...], int] = {}
    for vertex in _together(drawn.vertices):
        shared = _shared(open_groups, vertex.group)
        for depth in range(len(open_groups), shared, -1):
            lines.append(f"{'  ' * depth}}}")
        for depth in range(shared, len(vertex.group)):
            group = vertex.group[: depth + 1]
            number = seen[group] = len(seen)
            indent = "  " * (depth + 1)
            lines += [
                f'{indent}subgraph "cluster_{number}" {{',
                f'{indent}  graph [label={quoted(label(group[-1]))}, color="{WIRE}", style=rounded];',
            ]
        open_groups = vertex.group
        lines.append(f"{'  ' * (len(open_groups) + 1)}{_vertex(vertex)}")
    lines += [f"{'  ' * depth}}}" for depth in range(len(open_groups), 0, -1)]
    lines += [f"  {_link(link)}" for link in drawn.links]
    return "\n".join([*lines, "}"]) + "\n"


def _together(vertices: tuple[Vertex, ...]) -> list[Vertex]:
    """The vertices of a group one after another, the groups in the order of their first vertices."""
    first: dict[tuple[str, ...], int] = {}
    for i, vertex in enumerate(vertices):
        for depth in range(len(vertex.group) + 1):
            first.setdefault(vertex.group[:depth], i)

    def place(item: tuple[int, Vertex]) -> tuple[int, ...]:
        i, vertex = item
        return (*(first[vertex.group[:depth]] for depth in range(1, len(vertex.group) + 1)), i)

    return [vertex for _, vertex in sorted(enumerate(vertices), key=place)]


def _shared(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))


def _vertex(vertex: Vertex) -> str:
    fill, line = FAMILIES[vertex.family][1:3] if vertex.family in FAMILIES else STATE
    said = f'label={quoted(label(vertex.label))}, fillcolor="{fill}", color="{line}"'
    return f"{quoted(vertex.id)} [{said}, tooltip={quoted(vertex.id)}];"


def _link(link: Link) -> str:
    shape = "x".join(map(str, link.shape or ()))
    words = [label(link.operation) if link.operation else "", shape]
    if link.guard is not TRUE:
        words.append(f"if {condition(link.guard)}")
    text = "\\n".join(escaped(word) for word in words if word)
    style = ", style=dashed" if link.guard is not TRUE else ""
    said = f' [label="{text}"{style}]' if text else ""
    return f"{quoted(link.source)} -> {quoted(link.target)}{said};"


def quoted(text: str) -> str:
    """A text as an ID of the language."""
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """A text between quotes: a backslash is doubled, what cannot be printed is written as its number after one."""
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
