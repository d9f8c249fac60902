"""One member for each class, drawn uniformly over the classes.

A uniform valid member is kept exactly when it stands for its class: when it is the lowest-ranked valid member of it. So
a class of k valid members, met k times as often as a class of one, is kept once in k times. Where a reading knows fewer
members that hold one of every class (`labelled`), those are drawn from: cells each for itself, graphs without what
pruning drops.
"""

from random import Random

from app.space.classes import STRUCTURAL, Reading, canonical_rank, default_reading, reading_of
from app.space.constraints import valid
from app.space.document import SearchSpace
from app.space.errors import Unreadable
from app.space.validity import JUDGED, TRIES, Judge, Sample, kept_ranks, valid_ranks

_MOST = 200_000  # draws that a whole sample may take; some seconds


def class_sample(
    space: SearchSpace, rng: Random, count: int, equivalence: str | None = None, judge: Judge | None = None
) -> Sample:
    """`count` canonical valid members, independent and uniform over the classes; see `class_ranks`."""
    ranks, acceptance = class_ranks(space, rng, count, equivalence, judge)
    return Sample(tuple(map(space.plan.unrank, ranks)), acceptance)


def class_ranks(
    space: SearchSpace, rng: Random, count: int, equivalence: str | None = None, judge: Judge | None = None
) -> tuple[list[int], float]:
    """The ranks of such a sample under an equivalence, or the default one, and the share of the draws that was kept.

    Unreadable where it is not cheap to tell which member stands for a class; Unmet where too few of the draws do.
    """
    reading = default_reading(space) if equivalence is None else reading_of(space, equivalence)
    if reading is None:
        return valid_ranks(space, rng, count, judge)
    stands, most = stands_for_class(space, reading, judge), TRIES if judge is None else JUDGED

    def draws(n: int) -> list[int]:
        found = reading.labelled(space, rng, n) if reading.labelled is not None else None
        return valid_ranks(space, rng, n, judge)[0] if found is None else found

    return kept_ranks(draws, stands, count, lambda tried, kept: tried >= most and count * tried > _MOST * kept)


def stands_for_class(space: SearchSpace, reading: Reading, judge: Judge | None = None) -> Judge:
    """Whether a valid member is the lowest-ranked valid one of its class."""

    def lowest(index: int) -> bool:
        return canonical_rank(space, index, reading.equivalence) == index and (judge is None or judge(index))

    # Conditions on decisions that the reading knows, and costs under a structural equivalence, are those of a class.
    whole = reading.constrained and reading.count(space) is not None
    if not space.constraints or (whole and (judge is None or reading.equivalence in STRUCTURAL)):
        return lowest
    mates, meets = reading.mates, valid(space)

    def lowest_valid(index: int) -> bool:
        found = None if mates is None else mates(space, index)
        if found is None:
            raise Unreadable(reading.equivalence, ())
        return index == min(mate for mate in found if meets(mate) and (judge is None or judge(mate)))

    return lowest_valid
