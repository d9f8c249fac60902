"""Panels: what there is to draw of a cell or a chain, before any coordinates."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrow:
    """An operation from one vertex to a later one; none where the vertices carry them."""

    source: int
    target: int
    operation: str
    sure: bool = True  # False: whether it is there is open
    others: tuple[int, ...] = ()  # what it may read instead of its source

    @property
    def sources(self) -> tuple[int, ...]:
        """All that it may read."""
        return (self.source, *self.others)


@dataclass(frozen=True, slots=True)
class CellSketch:
    """A cell: vertices in topological order, the inputs first; one adds up its arrows unless its name says more."""

    title: str
    vertices: tuple[str, ...]
    inputs: int
    arrows: tuple[Arrow, ...]  # by target, then in the order of the genotype
    concat: tuple[int, ...] = ()  # the vertices that the output concatenates; empty where the last one is the output
    joins: str = "concat"  # or what else the output is of them
    labels: tuple[str, ...] = ()  # the operations of the vertices, where they carry them; empty of input and output
    notes: tuple[str, ...] = ()  # lines under the title
    asked: frozenset[str] = frozenset()  # the operations that stand for an open decision
    shapes: tuple[str, ...] = ()  # of the vertices, where they are known; then that of the output
    maybe: frozenset[int] = frozenset()  # of `concat`, those that the output holds in some cases only

    @property
    def operations(self) -> tuple[str, ...]:
        """All of them, those of arrows first."""
        return tuple(filter(None, [*(arrow.operation for arrow in self.arrows), *self.labels]))

    @property
    def names(self) -> tuple[str, ...]:
        """The vertices with their operations."""
        labels = self.labels or ("",) * len(self.vertices)
        return tuple([f"{name} {label}".strip() for name, label in zip(self.vertices, labels, strict=True)])

    def shape(self, vertex: int) -> str:
        """The shape of a vertex, empty where it is not known."""
        return self.shapes[vertex] if vertex < len(self.shapes) else ""


@dataclass(frozen=True, slots=True)
class ChainSketch:
    """Layers, one after another."""

    title: str
    operations: tuple[str, ...]
    notes: tuple[str, ...] = ()  # lines under the title
    asked: frozenset[str] = frozenset()  # the operations that stand for an open decision
    shapes: tuple[str, ...] = ()  # of the outputs, where they are known
    least: int | None = None  # layers that are there in any case, where their number is open
