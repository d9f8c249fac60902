"""Classes of genotypes under the equivalences that spaces name: how many, which member stands for each, how large.

`READINGS` is searched in order: the first reading of an equivalence whose structure suits a space answers for it.

    reading_of(space, equivalence)      what answers under one of the space's equivalences
    default_reading(space)              what `canonical_id` is up to
    canonical_rank(space, index)        the rank of the member that stands for a class
"""

from dataclasses import replace
from typing import TYPE_CHECKING

from app.space.classes.branches import BRANCH_ORDER
from app.space.classes.edge_forms import EDGE_FORMS
from app.space.classes.isomorphism import ISOMORPHISM
from app.space.classes.motifs import MOTIF_RENAMING
from app.space.classes.reading import Classes, Reading, by_rank
from app.space.classes.relabelling import OPERAND_SWAP, RELABELLING
from app.space.classes.runs import RUNS
from app.space.derived import derived
from app.space.errors import Unreadable

if TYPE_CHECKING:
    from app.space.document import SearchSpace

READINGS: tuple[Reading, ...] = (
    *RELABELLING,
    *OPERAND_SWAP,
    *EDGE_FORMS,
    ISOMORPHISM,
    RUNS,
    MOTIF_RENAMING,
    BRANCH_ORDER,
)

# Equivalences that keep every operation, width and parameter, the widest first: what an id may be up to.
STRUCTURAL = ("relabelling", "isomorphism", "motif-renaming", "branch-order", "operand-swap")


@derived
def readings_of(space: "SearchSpace") -> dict[str, Reading]:
    """The equivalences that a space declares and its structure suits, each with what answers under it."""
    found: dict[str, Reading] = {}
    for equivalence in space.equivalences:
        for reading in READINGS:
            if reading.equivalence == equivalence.name and reading.suits(space):
                found[equivalence.name] = reading if reading.constrained or not space.constraints else _of_any(reading)
                break
    return found


def _of_any(reading: Reading) -> Reading:
    """A reading that counts classes of any members, on a space whose constraints it does not look at."""

    def uncounted(_: "SearchSpace") -> None:
        return None

    return replace(reading, count=uncounted, count_long=None, labelled=None)


def reading_of(space: "SearchSpace", equivalence: str) -> Reading:
    """What answers under an equivalence that the space declares; Unreadable where it does not, or none suits."""
    found = readings_of(space)
    if equivalence not in found:
        raise Unreadable(equivalence, tuple(found))
    return found[equivalence]


@derived
def default_reading(space: "SearchSpace") -> Reading | None:
    """The widest structural equivalence that is read, else the first that is; None where there is none."""
    found = readings_of(space)
    names = [name for name in STRUCTURAL if name in found] or list(found)
    return found[names[0]] if names else None


def canonical_rank(space: "SearchSpace", index: int, equivalence: str | None = None) -> int:
    """The rank of the canonical form of the member of a rank; under the default equivalence where none is named."""
    reading = default_reading(space) if equivalence is None else reading_of(space, equivalence)
    if reading is None:
        return index
    if reading.lowest is not None:
        return reading.lowest(space, index)
    return space.plan.rank(reading.canonical(space, space.plan.unrank(index)))


__all__ = [
    "READINGS",
    "STRUCTURAL",
    "Classes",
    "Reading",
    "by_rank",
    "canonical_rank",
    "default_reading",
    "reading_of",
    "readings_of",
]
