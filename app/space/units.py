"""Units: the small independent parts of a space, of which the rank of a member is the digits in a mixed radix.

A product or a list of fixed length falls apart into what it holds until its parts are small; what does not fall apart
is a unit whatever its size.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from app.space.algebra import Path
from app.space.part import Part, Point, Product, Sequence, Shared
from app.space.path import shared_path, step

SMALL = 1_000  # members of a part that stays whole


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """One of them: the path of its decisions, and the part itself."""

    path: Path
    part: Part


def units_of(part: Part, path: Path = "") -> Iterator[Unit]:
    """The units of a part, from the most significant digit to the least."""
    match part:
        case Point():
            return
        case Product(fields) if part.size > SMALL:
            for name, inner in fields:
                yield from units_of(inner, step(path, name))
        case Sequence(body, (length,)) if part.size > SMALL:
            for i in range(length):
                yield from units_of(body, step(path, i))
        case Shared(rule, inner):
            yield from units_of(inner, shared_path(rule))
        case _:
            yield Unit(path, part)
