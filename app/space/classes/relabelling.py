"""Cells up to the order of their inner nodes and of each node's operands, or up to that of the operands alone."""

from collections.abc import Callable
from math import prod
from typing import TYPE_CHECKING, Any

from app.space.algebra import Genotype, Grammar, Record
from app.space.classes.cells import cells_of
from app.space.classes.order import EdgeCell, NodeCell, smallest_order
from app.space.classes.reading import Classes, Reading
from app.space.classes.symmetry import LARGEST_WORK, operand_classes, relabelling_classes, work
from app.space.derived import derived
from app.space.part import Part, Product, bare
from app.space.plan import Plan

if TYPE_CHECKING:
    from app.space.document import SearchSpace

Rewrite = Callable[[Any], Any]  # a genotype, or a part of one, to its smallest form


def _itself(genotype: Any) -> Any:
    return genotype


def _rewrite(space: "SearchSpace", reorder: bool) -> Rewrite:
    root = space.grammar.follow(space.grammar.root)
    part = bare(space.plan.part)
    if not isinstance(root, Record) or not isinstance(part, Product):
        return _itself
    match root.builds:
        case "cells":
            rewrites = {name: _node_cell(space.grammar, inner, reorder) for name, inner in part.fields}
            return lambda genotype: {name: rewrites[name](cell) for name, cell in genotype.items()}
        case "shared_cell":
            return _node_cell(space.grammar, part, reorder)
        case "edge_cells" if reorder:
            return _edge_cell(space.grammar, part)
        case _:
            return _itself


def _node_cell(grammar: Grammar, part: Part, reorder: bool) -> Rewrite:
    cell = bare(part)
    if not isinstance(cell, Product):
        return _itself
    plans = tuple(Plan(grammar, node) for _, node in cell.fields)

    def rewrite(genotype: Any) -> Any:
        relabelling = NodeCell(genotype, plans, reorder)
        return relabelling.written(smallest_order(relabelling))

    return rewrite


def _edge_cell(grammar: Grammar, cell: Product) -> Rewrite:
    plans = {name: Plan(grammar, operations) for name, operations in cell.fields}
    last = max(int(name.split("->")[1]) for name in plans)

    def index(edge: str, operation: str) -> int | None:
        return plans[edge].index(operation)

    def rewrite(genotype: Any) -> Any:
        relabelling = EdgeCell(genotype, last, index)
        return relabelling.written(smallest_order(relabelling))

    return rewrite


def _canonical(reorder: bool) -> Callable[["SearchSpace", Genotype], Genotype]:
    rewrite = derived(lambda space: _rewrite(space, reorder))
    return lambda space, genotype: space.plan.normalise(rewrite(space)(space.plan.normalise(genotype)))


def _is_cells(space: "SearchSpace") -> bool:
    root = space.grammar.follow(space.grammar.root)
    return isinstance(root, Record) and root.builds in ("cells", "shared_cell", "edge_cells")


def _relabelled(space: "SearchSpace") -> Classes | None:
    cells = cells_of(space.grammar)
    if not cells or max(map(work, cells)) > LARGEST_WORK:
        return None
    classes = {cell: relabelling_classes(cell) for cell in set(cells)}
    method = "Burnside's lemma over the automorphisms of each wiring; cells count separately"
    return Classes(exact=prod(classes[cell] for cell in cells), method=method)


def _swapped(space: "SearchSpace") -> Classes | None:
    cells = cells_of(space.grammar)
    if not cells or not all(cell.pairs for cell in cells):
        return None
    return Classes(exact=prod(map(operand_classes, cells)), method="multisets of operands, node by node")


RELABELLING = (Reading(equivalence="relabelling", suits=_is_cells, canonical=_canonical(True), count=_relabelled),)
OPERAND_SWAP = (Reading(equivalence="operand-swap", suits=_is_cells, canonical=_canonical(False), count=_swapped),)
