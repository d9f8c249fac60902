"""Builder: the combinators that every meaning is written with."""

from collections.abc import Iterable, Sequence
from typing import Any

from app.architecture.axis import Axis
from app.architecture.errors import LoweringError
from app.architecture.graph import Graph, Node, prune
from app.architecture.guard import FALSE, TRUE, Guard

NODES = 50_000  # of one graph: six times the supernet of DARTS with 20 cells


class Builder:
    """Collects nodes in topological order under their structural names."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}

    def add(
        self,
        at: str,
        op: str,
        inputs: Iterable[Node],
        axis: Axis,
        size: tuple[int, ...],
        *,
        guards: Iterable[Guard] = (),
        **attrs: Any,
    ) -> Node:
        """A node at a place that no other has."""
        if len(self.nodes) >= NODES:
            raise LoweringError(at, f"the network has more than {NODES} nodes", None, (NODES,))
        if at in self.nodes:
            raise LoweringError(at, "two nodes at one place", op, ())
        names = tuple([i.name for i in inputs])
        node = Node(at, op, names, axis, size, tuple(guards), tuple(sorted(attrs.items())))
        self.nodes[at] = node
        return node

    def sum(self, at: str, terms: Iterable[tuple[Guard, Node]], *, drop_path: bool = False) -> Node:
        """The sum of guard times term; one certain term is that term itself.

        `drop_path`: the terms made below this place may be dropped in training, sample by sample.
        """
        alive = [(g, x) for g, x in terms if g is not FALSE]
        if not alive:
            raise LoweringError(at, "a sum of nothing")
        if len(alive) == 1 and alive[0][0] is TRUE:
            return alive[0][1]
        first = alive[0][1]
        for _, x in alive[1:]:
            if (len(x.axis), x.size) != (len(first.axis), first.size):
                raise LoweringError(
                    at, f"{x.name} is {_shape(x)}, {first.name} is {_shape(first)}", _shape(x), [_shape(first)]
                )
        return self.add(
            at, "sum", [x for _, x in alive], first.axis, first.size, guards=[g for g, _ in alive], drop_path=drop_path
        )

    def concat(self, at: str, parts: Iterable[tuple[Guard, Node]]) -> Node:
        """Guarded parts side by side; also joins alternatives of unlike axes. One certain part is that part itself."""
        alive = [(g, x) for g, x in parts if g is not FALSE]
        if not alive:
            raise LoweringError(at, "a concatenation of nothing")
        if len(alive) == 1 and alive[0][0] is TRUE:
            return alive[0][1]
        size = alive[0][1].size
        for _, x in alive[1:]:
            if x.size != size:
                raise LoweringError(at, f"{x.name} has extents {x.size}, {alive[0][1].name} {size}", x.size, [size])
        axis = Axis.of([segment for g, x in alive for segment in x.axis.under(g).segments])
        return self.add(at, "concat", [x for _, x in alive], axis, size, guards=[g for g, _ in alive])

    def truncate(self, at: str, x: Node, axis: Axis) -> Node:
        """The first channels of `x`, zeros beyond them where it has fewer."""
        return x if x.axis == axis else self.add(at, "truncate", [x], axis, x.size)

    def finish(self, outputs: Sequence[Node]) -> Graph:
        """The graph of only what the outputs need."""
        return prune(self.nodes, tuple(o.name for o in outputs))


def _shape(node: Node) -> tuple[int, ...]:
    return (len(node.axis), *node.size)
