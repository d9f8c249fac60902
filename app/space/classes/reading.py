"""What it takes to answer questions up to an equivalence: one reading per equivalence and kind of structure."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from app.space.algebra import Genotype

if TYPE_CHECKING:
    from app.space.document import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """An exact number of classes, and how it was counted."""

    exact: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One equivalence on one kind of structure.

    suits       whether a space has that structure, told from its grammar and skeletons, never from its name
    canonical   a member -> the lowest-ranked member of its class
    count       the exact number of classes where it takes seconds; None where it would take longer or is not known
    count_long  the same whatever it takes: what a job runs; None where there is no way but to list all members
    orbit       a member -> how many members are in its class; None where that is not cheap
    lowest      the rank of a member -> the rank of its canonical form; None where it is found by way of the JSON
    mates       the rank of a member -> the ranks of its class; None where they are too many or not cheap
    labelled    that many ranks, uniform over some of the valid members, among them the canonical one of each class:
                what to draw from where one member a class is wanted; None where no such set is known
    constrained whether the counts are of classes with a valid member; where not, they are asked of all members only
    """

    equivalence: str
    suits: Callable[["SearchSpace"], bool]
    canonical: Callable[["SearchSpace", Genotype], Genotype]
    count: Callable[["SearchSpace"], Classes | None]
    count_long: Callable[["SearchSpace"], Classes] | None = None
    orbit: Callable[["SearchSpace", Genotype], int] | None = None
    lowest: Callable[["SearchSpace", int], int] | None = None
    mates: Callable[["SearchSpace", int], Collection[int] | None] | None = None
    labelled: Callable[["SearchSpace", Random, int], list[int] | None] | None = None
    constrained: bool = False


def by_rank(lowest: Callable[["SearchSpace", int], int]) -> Callable[["SearchSpace", Genotype], Genotype]:
    """The `canonical` of a reading that works on ranks."""

    def canonical(space: "SearchSpace", genotype: Genotype) -> Genotype:
        return space.plan.unrank(lowest(space, space.plan.rank(genotype)))

    return canonical
