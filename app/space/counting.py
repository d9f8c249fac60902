"""How large a space is: exact integers, each with what it counts and how it was counted.

raw      members of the grammar
valid    those that meet the constraints
unique   classes of the valid ones under a named equivalence; one that cannot be counted exactly is not there
"""

from dataclasses import dataclass
from math import log10

from app.space.document import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One exact count."""

    exact: int
    log10: float
    method: str
    equivalence: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSize:
    """The three sizes of a space."""

    raw: Size
    valid: Size
    unique: tuple[Size, ...]


def space_size(space: SearchSpace) -> SpaceSize:
    """Every size of a space that can be counted exactly."""
    raw = _size(space.plan.size, "product and sum over the grammar")
    return SpaceSize(raw=raw, valid=_size(raw.exact, "no constraint beside the grammar"), unique=())


def _size(exact: int, method: str, equivalence: str | None = None) -> Size:
    return Size(exact=exact, log10=log10(exact), method=method, equivalence=equivalence)
