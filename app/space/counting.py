"""How large a space is: exact integers, each with what it counts and how it was counted; none of them is declared.

    raw      members of the grammar
    valid    those that meet the constraints
    unique   classes of the valid ones under each equivalence that the space names and that can be counted exactly

How classes are counted follows from the grammar: orbits of cells where it is one of cells (`cells.py`, `symmetry.py`),
forms of all members where it is an edge cell that is small enough (`forms.py`). An equivalence that fits neither, or
would take more than seconds, is left out.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from math import factorial, log10, prod

from app.space.algebra import Record
from app.space.cells import cells_of, edges_of
from app.space.document import SearchSpace
from app.space.forms import FORMS, Edges
from app.space.symmetry import LARGEST_WORK, operand_classes, relabelling_classes, work
from app.space.value import is_object

_LARGEST_LISTED = 100_000  # members times orders of the inner nodes whose forms are compared; a second or two


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One exact count."""

    exact: int
    log10: float
    method: str
    equivalence: str | None = None  # what counts as the same; None where every member counts


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSize:
    """The sizes of a space."""

    raw: Size
    valid: Size
    unique: tuple[Size, ...]


def space_size(space: SearchSpace) -> SpaceSize:
    """Every size of a space that can be counted exactly, in its equivalences' order."""
    raw = _size(space.plan.size, "sums and products over the grammar")
    valid = _size(raw.exact, "the grammar; there are no constraints beside it")
    unique = (_unique(space, equivalence.name) for equivalence in space.equivalences)
    return SpaceSize(raw=raw, valid=valid, unique=tuple(size for size in unique if size is not None))


def _unique(space: SearchSpace, equivalence: str) -> Size | None:
    match equivalence:
        case "relabelling":
            cells = cells_of(space.grammar)
            if not cells or max(map(work, cells)) > LARGEST_WORK:
                return None
            classes = {cell: relabelling_classes(cell) for cell in set(cells)}
            method = "Burnside's lemma over the automorphisms of each wiring; cells count separately"
            return _size(prod(classes[cell] for cell in cells), method, equivalence)
        case "operand-swap":
            cells = cells_of(space.grammar)
            if not cells or not all(cell.pairs for cell in cells):
                return None
            return _size(prod(map(operand_classes, cells)), "multisets of operands, node by node", equivalence)
        case _:
            form = FORMS.get(equivalence)
            return None if form is None else _forms(space, form, equivalence)


def _forms(space: SearchSpace, form: Callable[[Edges], Hashable], equivalence: str) -> Size | None:
    root = space.grammar.follow(space.grammar.root)
    edges = tuple(edges_of(space.grammar, root)) if isinstance(root, Record) and root.builds == "edge_cells" else ()
    if not edges or space.plan.size * factorial(max(target for _, target in edges) - 1) > _LARGEST_LISTED:
        return None
    found: set[Hashable] = set()
    for index in range(space.plan.size):
        genotype = space.plan.unrank(index)
        operations = genotype.values() if is_object(genotype) else ()
        found.add(form(dict(zip(edges, operations, strict=True))))
    return _size(len(found), f"all {space.plan.size} members, their forms compared", equivalence)


def _size(exact: int, method: str, equivalence: str | None = None) -> Size:
    return Size(exact=exact, log10=log10(exact), method=method, equivalence=equivalence)
