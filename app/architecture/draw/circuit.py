"""Free terms as a circuit: vertices that add up or concatenate what arrives, an operation on every way between two."""

from app.architecture.cursor import Cursor
from app.architecture.draw.panels import Arrow, CellSketch
from app.architecture.lower.edge_cells import read_edges
from app.architecture.lower.free import LABEL, parts
from app.space.algebra import Choice, Record, Repeat, Subset, Value
from app.space.path import symbol_text

Pending = list[tuple[int, str]]  # arrows that wait for their target: (source, operation)


def circuit(body: Cursor) -> CellSketch:
    """The circuit of a term whose decisions are all made; LoweringError of what is no term."""
    drawing = _Circuit()
    drawing.vertex(drawing.term(body, 0), "output")
    return CellSketch("body", tuple(drawing.vertices), 1, tuple(drawing.arrows))


class _Circuit:
    """One circuit being drawn; a vertex comes after everything that leads to it."""

    def __init__(self) -> None:
        self.vertices = ["input"]
        self.arrows: list[Arrow] = []

    def vertex(self, into: Pending, name: str = "") -> int:
        """A new vertex that some arrows lead to."""
        target = len(self.vertices)
        self.vertices.append(" ".join([f"{target}", name]).strip() if name != "output" else name)
        self.arrows += [Arrow(source, target, operation) for source, operation in into]
        return target

    def term(self, cursor: Cursor, source: int) -> Pending:
        """What leads from a vertex through a term to the vertex after it."""
        match cursor.term:
            case Value(value):
                return [(source, symbol_text(value))]
            case Choice():
                return self.term(cursor.cases()[0][1], source)
            case Subset():
                return [arrow for _, member in cursor.cases() for arrow in self.term(member, source)]
            case Repeat():
                return self.row([item for _, _, item in cursor.items()], source)
            case Record() | _:
                return self.record(cursor, source)

    def row(self, terms: list[Cursor], source: int) -> Pending:
        """Terms one after another."""
        for term in terms[:-1]:
            source = self.vertex(self.term(term, source))
        return self.term(terms[-1], source) if terms else [(source, "identity")]

    def record(self, cursor: Cursor, source: int) -> Pending:
        match cursor.builds:
            case "sequence":
                return self.row(list(parts(cursor).values()), source)
            case "stack":
                return self.term(cursor["layers"], source)
            case "residual":
                return [(source, "identity"), *self.term(cursor["inner"], source)]
            case "parallel":
                branches = [self.term(part, source) for part in parts(cursor, "merge").values()]
                if "merge" in cursor.fields and cursor["merge"].values()[0][1] == "concat":
                    ends = [b if len(b) == 1 else [(self.vertex(b), "identity")] for b in branches]
                    return [(self.vertex([arrow for end in ends for arrow in end], "concat"), "conv_1x1")]
                return [arrow for branch in branches for arrow in branch]
            case "scale":
                down = self.vertex([(source, "conv_3x3 stride 2")], "half the extents")
                inner = self.vertex(self.term(cursor["inner"], down))
                return [(inner, "conv_1x1 resized")]
            case "graph":
                return self.graph(cursor, source)
            case _:
                return [(source, _label(cursor))]

    def graph(self, cursor: Cursor, source: int) -> Pending:
        states, into = [source], Pending()
        edges = read_edges(cursor, parts(cursor))
        for j, sources in edges.items():
            into = [arrow for i, edge in sources for arrow in self.term(edge, states[i])]
            if j < max(edges):
                states.append(self.vertex(into))
        return into


def _label(cursor: Cursor) -> str:
    """An operation with its numbers: `conv_3x3 stride 2`, `mbconv kernel 3 expand 6`."""
    values = {name: field.values()[0][1] for name, field in cursor.fields.items() if name != LABEL}
    first = symbol_text(values.pop("op", cursor.builds))
    return " ".join([first, *(f"{name} {symbol_text(value)}" for name, value in values.items())])
