"""How large a space is: exact integers, each with what it counts and how it was counted; none of them is declared.

    raw      members of the grammar
    valid    those that meet the constraints
    unique   classes of the valid ones under each equivalence that the space names and that can be counted exactly

How classes are counted follows from the grammar (`classes/`). An equivalence that nothing reads, or that would take
more than seconds, is left out.
"""

from dataclasses import dataclass
from math import log10

from app.space.classes import readings_of
from app.space.document import SearchSpace


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
    reading = readings_of(space).get(equivalence)
    classes = None if reading is None else reading.count(space)
    return None if classes is None else _size(classes.exact, classes.method, equivalence)


def _size(exact: int, method: str, equivalence: str | None = None) -> Size:
    return Size(exact=exact, log10=log10(exact), method=method, equivalence=equivalence)
