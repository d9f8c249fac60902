"""Panels: what there is to draw of a cell or a chain, before any coordinates."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Arrow:
    """An operation from one vertex to a later one."""

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

    @property
    def operations(self) -> tuple[str, ...]:
        """One an arrow."""
        return tuple(arrow.operation for arrow in self.arrows)


@dataclass(frozen=True, slots=True)
class ChainSketch:
    """Layers, one after another."""

    title: str
    operations: tuple[str, ...]
