"""What stands at the places of a graph: `cell3` and `cell3/node2` are the prefixes of their nodes' names."""

from app.architecture.graph import Graph, Node


class Places:
    """The last node at or below every place of a graph, which is what the place puts out."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._last: dict[str, Node] = {}
        for name, node in graph.nodes.items():
            while name:
                self._last[name] = node
                name = name.rpartition("/")[0]

    def last(self, place: str) -> Node | None:
        """The node that a place puts out; None where it left none."""
        return self._last.get(place)

    def shape(self, *places: str) -> str:
        """The shape of the first of some places that left a node, empty where none did."""
        node = next((node for place in places if (node := self.last(place)) is not None), None)
        return "" if node is None else shape_of(node)

    def below(self, place: str) -> list[str]:
        """The places directly below one, in their order."""
        start = f"{place}/" if place else ""
        depth = start.count("/") + 1
        names = [name for name in self.graph.nodes if name.startswith(start)]
        return list(dict.fromkeys("/".join(name.split("/")[:depth]) for name in names))


def shape_of(node: Node) -> str:
    """Channels, height and width of maps; length and features of a sequence; features of a vector."""
    channels, size = len(node.axis), node.size
    match size:
        case ():
            return f"{channels} features"
        case (length,):
            return f"{length}×{channels}"
        case _:
            return "×".join(map(str, (channels, *size)))
