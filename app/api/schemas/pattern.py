"""Connectivity patterns as they travel."""

from pydantic import Field

from app.api.schemas.model import Output


class CountedView(Output):
    """A number of members."""

    exact: str = Field(description="The exact count, as a decimal string: it can pass 2^53")
    log10: float = Field(description="Its decimal logarithm")


class PatternView(Output):
    """A connectivity pattern: in a document it stands where a term may."""

    name: str = Field(description="Its name: `{pattern: name, nodes: n, operations: [...]}` in a space's grammar")
    meaning: str = Field(description="What it builds, in one line")
    formula: str = Field(description="How many members it has: c operations, n nodes")
    most_nodes: int = Field(description="The most nodes it may have")
    size: CountedView | None = Field(description="The count for what was asked; null for more nodes than it may have")


class CaseForCells(Output):
    """The same operations in a whole network, and in a cell that is decided once and repeated."""

    operations: int = Field(description="|C|: operations that every layer offers")
    layers: int = Field(description="L: layers of the network")
    blocks: int = Field(description="B: layers of the cell")
    network: CountedView = Field(description="|C|^L: networks of which each layer is decided by itself")
    cell: CountedView = Field(description="|C|^B: cells")
    log10_ratio: float = Field(description="Decimal logarithm of how many times more networks there are than cells")


class PatternList(Output):
    """The patterns."""

    operations: int = Field(description="c: operations that were counted with")
    nodes: int = Field(description="n: nodes that were counted with")
    items: list[PatternView] = Field(description="The patterns")
    case_for_cells: CaseForCells = Field(description="Why cells are searched and not networks, in numbers")
