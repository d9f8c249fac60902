"""Identity and canonical forms.

    architecture_id    two genotypes are the same architecture: isomorphic graphs on one skeleton and input
    canonical          the lowest-ranked genotype of a class under the equivalences that the space declares

Identity is not equivalence: relabelling the nodes of a cell is an equivalence of genotypes and gives, for cells that
concatenate all their nodes, one architecture; looser equivalences only count and compare.
"""

import dataclasses
import hashlib
import json
from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from app.architecture.isomorphism import certificate
from app.architecture.lower import lower
from app.architecture.relabel import EdgeCell, NodeCell, smallest_order
from app.space import Genotype, Grammar, ImageInput, Plan, Record, SearchSpace, Skeleton
from app.space.part import Part, Product, bare

Rewrite = Callable[[Any], Any]  # a genotype, or a part of one, to its smallest form

_REWRITES: WeakKeyDictionary[SearchSpace, Rewrite] = WeakKeyDictionary()  # compiled once a space, gone with it


def architecture_id(space: SearchSpace, skeleton: Skeleton, image: ImageInput, genotype: object) -> str:
    """32 hexadecimal digits, equal exactly for isomorphic graphs on the same skeleton, input and space digest."""
    graph = lower(space.grammar, skeleton, image, space.plan.read(genotype))
    surroundings = {"skeleton": dataclasses.asdict(skeleton), "image": dataclasses.asdict(image)}
    text = json.dumps([space.digest, surroundings, certificate(graph)], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def canonical(space: SearchSpace, genotype: object) -> Genotype:
    """The lowest-ranked member that is the same under the space's declared equivalences; InvalidGenotype of others."""
    written = space.plan.normalise(genotype)
    rewrite = _REWRITES.get(space)
    if rewrite is None:
        rewrite = _REWRITES[space] = _rewrite(space)
    return space.plan.normalise(rewrite(written))


def canonical_id(space: SearchSpace, genotype: object) -> str:
    """A compact name of the class: the space's digest, shortened, and the rank of the canonical form."""
    return f"{space.digest[:16]}-{space.plan.rank(canonical(space, genotype))}"


def _rewrite(space: SearchSpace) -> Rewrite:
    names = {equivalence.name for equivalence in space.equivalences}
    reorder = "relabelling" in names
    root = space.grammar.follow(space.grammar.root)
    part = bare(space.plan.part)
    if not isinstance(root, Record) or not isinstance(part, Product) or not names & {"relabelling", "operand-swap"}:
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


def _itself(genotype: Any) -> Any:
    return genotype


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
