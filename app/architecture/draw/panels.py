"""Panels: what there is to draw of a cell or a chain, before any coordinates."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrow:
    """An operation from one vertex to a later one; none where the vertices carry them."""

    source: int
    target: int
    operation: str


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

    @property
    def operations(self) -> tuple[str, ...]:
        """All of them, those of arrows first."""
        return tuple(filter(None, [*(arrow.operation for arrow in self.arrows), *self.labels]))

    @property
    def names(self) -> tuple[str, ...]:
        """The vertices with their operations."""
        labels = self.labels or ("",) * len(self.vertices)
        return tuple([f"{name} {label}".strip() for name, label in zip(self.vertices, labels, strict=True)])


@dataclass(frozen=True, slots=True)
class ChainSketch:
    """Layers, one after another."""

    title: str
    operations: tuple[str, ...]
