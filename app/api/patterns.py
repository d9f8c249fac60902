"""Connectivity patterns: what each builds, how many members it has, and the numbers that make the case for cells."""

from math import log10
from typing import Annotated

from fastapi import APIRouter, Query

from app.api.schemas.pattern import CaseForCells, CountedView, PatternList, PatternView
from app.space.patterns import PATTERNS, cell_saving

router = APIRouter(prefix="/v1/patterns", tags=["reference"])

Operations = Annotated[int, Query(ge=1, le=100, description="Operations that every place offers")]
Nodes = Annotated[int, Query(ge=1, le=1000, description="Places, or nodes, of each pattern")]
Layers = Annotated[int, Query(ge=1, le=1000, description="Layers of a network of which each is decided by itself")]
Blocks = Annotated[int, Query(ge=1, le=1000, description="Layers of a cell that is decided once and repeated")]


@router.get("")
async def list_patterns(
    operations: Operations = 7, nodes: Nodes = 4, layers: Layers = 20, blocks: Blocks = 4
) -> PatternList:
    """Connectivity patterns with their closed-form counts, and |C|^L against |C|^B for the same operations: a whole
    network of L layers against a cell of B layers that is repeated."""
    items = [
        PatternView(
            name=name,
            meaning=pattern.meaning,
            formula=pattern.formula,
            most_nodes=pattern.most,
            size=counted(pattern.count(nodes, operations)) if nodes <= pattern.most else None,
        )
        for name, pattern in PATTERNS.items()
    ]
    network, cell = cell_saving(operations, layers, blocks)
    case = CaseForCells(
        operations=operations,
        layers=layers,
        blocks=blocks,
        network=counted(network),
        cell=counted(cell),
        log10_ratio=(layers - blocks) * log10(operations),
    )
    return PatternList(operations=operations, nodes=nodes, items=items, case_for_cells=case)


def counted(size: int) -> CountedView:
    """A number of members as it travels."""
    return CountedView(exact=str(size), log10=log10(size))
