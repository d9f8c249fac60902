"""Node-link JSON: cells and networks as networkx's `node_link_graph` reads them, a directed multigraph.

    {"directed": true, "multigraph": true,
     "graph": {"title", "outputs", "decisions", "guards", ...},
     "nodes": [{"id", "label", "family", "group", ...}, ...],
     "edges": [{"source", "target", "key", "op", "shape", "guard", "when"}, ...]}

    node      of a cell: "name", "op"; of a derivation: "name", "value"; of a network: "op", "inputs" in their order,
              "shape" (channels, then the extents), "params", "macs", "fields"
    edge      "key": the position among the inputs of its target, from 0; "op": the operation on the way, of a cell;
              "shape": of the tensor; "guard": an index into the guards, null where the edge is always there;
              "when": the guard as text, cut where it is long
    guards    decision diagrams, each after those that it leads to: {"decision", "answers", "then"}, where then[i] is
              true, false or the index of the guard to go on with at answers[i]; a question whether a subset has a
              member has that "member", and the answers true and false
    an axis   a number; an open one is {"extent", "segments": [[extent, guard or null], ...]}

`decisions` holds what is open: path -> [kind, options]. Both are empty of an architecture.
"""

import json
from typing import Any, cast

from app.architecture.axis import Axis
from app.architecture.draw.condition import condition
from app.architecture.draw.diagram import Diagram, diagram, of_graph
from app.architecture.graph import Graph
from app.architecture.guard import TRUE, Guard
from app.space import ImageInput, SearchSpace, Skeleton


def draw_json(
    space: SearchSpace, genotype: object, skeleton: Skeleton | None = None, image: ImageInput | None = None
) -> str:
    """The cells of a genotype, or on a skeleton its network, as node-link JSON. Raises what `draw_svg` raises."""
    return _written(diagram(space, genotype, skeleton, image))


def graph_json(graph: Graph, title: str = "network") -> str:
    """A network as node-link JSON, plain or open."""
    return _written(of_graph(title, graph))


def _written(drawn: Diagram) -> str:
    guards = _Guards()
    nodes = [
        {"id": v.id, "label": v.label, "family": v.family, "group": list(v.group)}
        | {name: guards.value(value) for name, value in v.said.items()}
        for v in drawn.vertices
    ]
    edges = [
        {
            "source": link.source,
            "target": link.target,
            "key": link.position,
            "op": link.operation or None,
            "shape": None if link.shape is None else list(link.shape),
            "guard": guards.number(link.guard),
            "when": condition(link.guard) or None,
        }
        for link in drawn.links
    ]
    about = {"title": drawn.title, **drawn.said, "guards": guards.found}
    document = {"directed": True, "multigraph": True, "graph": about, "nodes": nodes, "edges": edges}
    return json.dumps(document, allow_nan=False) + "\n"


class _Guards:
    """The guards of one document, each written once."""

    def __init__(self) -> None:
        self.found: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}

    def number(self, guard: Guard) -> int | None:
        """The index of a guard that may hold, null of TRUE; what it leads to is written before it."""
        question = guard.question
        if question is None:
            return None
        if (known := self._numbers.get(id(guard))) is not None:
            return known
        then = [t is TRUE if t.question is None else self.number(t) for t in guard.then]
        entry: dict[str, Any] = {"decision": question.path}
        if question.member is not None:
            entry["member"] = question.options[question.member]
        answers = question.options if question.member is None else (True, False)
        self._numbers[id(guard)] = len(self.found)
        self.found.append(entry | {"answers": list(answers), "then": then})
        return len(self.found) - 1

    def value(self, value: Any) -> Any:
        """An attribute as JSON."""
        match value:
            case Axis():
                if value.plain:
                    return len(value)
                return {"extent": len(value), "segments": [[n, self.number(g)] for n, g in value.segments]}
            case tuple() | list():
                return [self.value(item) for item in cast("tuple[Any, ...] | list[Any]", value)]
            case dict():
                return {str(k): self.value(v) for k, v in cast("dict[str, Any]", value).items()}
            case _:
                return value
