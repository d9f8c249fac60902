"""Members that meet their space's constraints: judged, drawn, repaired and moved between.

space_faults(space, value)            every fault of any JSON value; of a member, what its constraints have against it
valid_sample(space, rng, count)       independent and uniform over the valid members
space_repair(space, value)            the nearest valid member
valid_neighbours(space, genotype)     the valid ones among the neighbours

Only conditions on decisions are known here. `judge` may add another one, such as a bound on costs: it is asked about
members that meet the conditions, by their rank, and what it refuses is drawn or searched anew.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from app.space.algebra import Genotype
from app.space.constraints import constraint_faults, tables_of, valid
from app.space.constraints.drawing import draw
from app.space.constraints.nearest import nearest
from app.space.document import SearchSpace
from app.space.errors import Fault, Unmet

TRIES = 20_000  # members that are drawn or looked at in vain, one after another, before that is said
JUDGED = 1_000  # the same where a judge is asked about each: a price takes milliseconds
_CHUNK = 256  # members drawn at a time
_AROUND = 2_000  # neighbours whose own neighbours are looked at
Judge = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Sample:
    """Valid members, and how they were found."""

    genotypes: tuple[Genotype, ...]
    acceptance: float  # of the members that were drawn, the share that was valid; 1 where only valid ones are drawn


def space_faults(space: SearchSpace, value: object) -> tuple[Fault, ...]:
    """Every fault of any JSON value at once; empty for a valid member."""
    index = space.plan.index(value)
    if index is None:
        return space.plan.check(value)
    return constraint_faults(space, value, index) if space.constraints else ()


def valid_sample(space: SearchSpace, rng: Random, count: int, judge: Judge | None = None) -> Sample:
    """`count` valid members, independent and uniform; Unmet where too many draws in a row are none."""
    indices, acceptance = valid_ranks(space, rng, count, judge)
    return Sample(tuple(map(space.plan.unrank, indices)), acceptance)


def valid_ranks(space: SearchSpace, rng: Random, count: int, judge: Judge | None = None) -> tuple[list[int], float]:
    """The ranks of such a sample, and the share of the draws that was valid."""
    tables = tables_of(space) if space.constraints else None
    if tables is not None and not tables.size:
        raise Unmet(0)

    def uniform(n: int) -> list[int]:
        return [rng.randrange(space.plan.size) for _ in range(n)]

    def from_tables(n: int) -> list[int]:
        return uniform(n) if tables is None else draw(tables, rng, n)

    draws, judges = uniform, _both(valid(space), judge) if space.constraints else judge
    found: list[int] = []
    if tables is not None:
        try:
            found, draws, judges = from_tables(count), from_tables, judge
        except ValueError:  # a graph that is too large, or too seldom fits, to be drawn by itself
            found = []
    kept: list[int] = []
    tried = vain = 0
    most = TRIES if judge is None else JUDGED
    while len(kept) < count:
        for index in found or draws(min(count, 256)):
            if len(kept) == count:
                break
            tried += 1
            vain += 1
            if judges is None or judges(index):
                kept.append(index)
                vain = 0
            elif vain >= most:
                raise Unmet(tried, len(kept))
        found = []
    return kept, count / max(tried, 1) if count else 1.0


def kept_ranks(
    draws: Callable[[int], list[int]], keep: Judge, count: int, hopeless: Callable[[int, int], bool]
) -> tuple[list[int], float]:
    """The first so many of the ranks drawn that are kept, and their share of the draws.

    Unmet once it is hopeless to go on after so many draws of which so many were kept.
    """
    kept: list[int] = []
    tried = 0
    while len(kept) < count:
        if hopeless(tried, len(kept)):
            raise Unmet(tried, len(kept))
        for index in draws(min(_CHUNK, 2 * count)):
            if len(kept) == count:
                break
            tried += 1
            if keep(index):
                kept.append(index)
    return kept, len(kept) / max(tried, 1)


def _both(first: Judge, second: Judge | None) -> Judge:
    return first if second is None else lambda index: first(index) and second(index)


def space_repair(space: SearchSpace, value: object, judge: Judge | None = None) -> Genotype:
    """The nearest valid member: what fits is kept; Unmet where none is found.

    The nearest member of the grammar comes first. If it breaks conditions, the fewest of its decisions are changed
    where tables tell which; else its neighbours and their neighbours are looked at, and then members at random.
    """
    member = space.plan.repair(value)
    if not space.constraints and judge is None:
        return member
    index, is_valid = space.plan.rank(member), _both(valid(space), judge)
    if is_valid(index):
        return member
    tables = tables_of(space)
    found = nearest(tables, index) if tables is not None else None
    if found is not None and is_valid(found):
        return space.plan.unrank(found)
    start = index if found is None else found
    most = 2 * TRIES if judge is None else JUDGED
    around = next((near for near in islice(_around(space, start), most) if is_valid(near)), None)
    if around is None:
        ((around,), _) = valid_ranks(space, Random(0), 1, judge)
    return space.plan.unrank(around)


def _around(space: SearchSpace, index: int) -> Iterator[int]:
    """Neighbours, then neighbours of neighbours, up to a bound."""
    first = list(islice(space.plan.neighbour_indices(index), TRIES))
    yield from first
    further = (near for other in first[:_AROUND] for near in space.plan.neighbour_indices(other))
    yield from islice(further, TRIES)


def valid_neighbours(space: SearchSpace, genotype: object, judge: Judge | None = None) -> Iterator[Genotype]:
    """Every valid genotype one decision away, each once."""
    is_valid = _both(valid(space), judge)
    found = space.plan.neighbour_indices(space.plan.rank(genotype))
    return map(space.plan.unrank, filter(is_valid, found))
