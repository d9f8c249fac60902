"""Bounds on what members cost, on a skeleton of their space, together with the conditions on their decisions.

faults_of(space, value)    every fault of any JSON value: of the grammar, of the conditions, of the costs
judge_of(space)            whether the member of a rank keeps to the bounds on costs; None where there are none
size_of(space)             the sizes of a space, bounds on costs included

A member is priced by lowering it, or, once many were, by the tariff of the open graph, which prices every member of the
space; both are exact. Depth is always that of the lowered graph.
"""

from collections.abc import Iterable
from random import Random

from app.architecture.cost import cost
from app.architecture.errors import LoweringError
from app.architecture.graph import Tariff, certain, tariff
from app.architecture.lower import lower
from app.space import Fault, SearchSpace, Size, SpaceSize, space_size
from app.space.classes import STRUCTURAL, canonical_rank, readings_of
from app.space.constraints import CostLimit, constraint_faults, cost_limits_of
from app.space.counting import SEED, accepted, estimated, exactly, unknown, valid_size
from app.space.derived import derived
from app.space.errors import Unmet
from app.space.places import read
from app.space.validity import Judge, valid_ranks
from app.space.value import shown

LARGEST_LISTED = 50_000  # members that are priced one by one where the tariff is short
_LARGEST_LOWERED = 500  # members that are lowered one by one
_SAMPLES = {True: 2_000, False: 300}  # priced by the tariff, or lowered
_MANY = 50  # members priced before a tariff is made
_DECISIONS = 120  # places of a grammar whose tariff is made
_ENTRIES = 500  # of a tariff that is quicker than lowering
_UNITS = {"max_params": "params", "max_macs": "MACs", "max_depth": "layers with weights"}


class _Prices:
    """What members cost on one skeleton."""

    def __init__(self, space: SearchSpace, skeleton: str | None) -> None:
        self._space = space
        self._skeleton = space.skeletons[skeleton or next(iter(space.skeletons))]
        self._asked = 0
        self._tariff: Tariff | None = None

    def of(self, index: int, names: Iterable[str]) -> dict[str, int]:
        """The costs of the member of a rank, by the names of their bounds; LoweringError where it has no network."""
        made = read(self._space.plan.part, index)
        self._asked += 1
        if self._asked == _MANY:
            self._tariff = self._made()
        if self._tariff is not None and "max_depth" not in names:
            params, macs = self._tariff.price(certain(made))
            return {"max_params": params, "max_macs": macs}
        found = cost(lower(self._space.grammar, self._skeleton, self._space.input, made))
        return {"max_params": found.params, "max_macs": found.macs, "max_depth": found.depth}

    @property
    def quick(self) -> bool:
        """Whether a price is looked up."""
        if self._asked < _MANY:
            self._asked, self._tariff = _MANY, self._made()
        return self._tariff is not None

    def _made(self) -> Tariff | None:
        if len(self._space.plan.decisions()) > _DECISIONS:
            return None
        try:
            found = tariff(lower(self._space.grammar, self._skeleton, self._space.input))
        except LoweringError:
            return None
        return found if len(found.entries) <= _ENTRIES else None


@derived
def _bounds(space: SearchSpace) -> tuple[tuple[_Prices, tuple[CostLimit, ...]], ...]:
    """The bounds of a space, by their skeletons."""
    limits: dict[str | None, list[CostLimit]] = {}
    for limit in cost_limits_of(space):
        limits.setdefault(limit.skeleton, []).append(limit)
    return tuple((_Prices(space, skeleton), tuple(found)) for skeleton, found in limits.items())


def _excesses(space: SearchSpace, index: int) -> list[Fault]:
    """The bounds that a member passes. What has no network on the skeleton passes them all."""
    found: list[Fault] = []
    for prices, limits in _bounds(space):
        try:
            costs = prices.of(index, [limit.name for limit in limits])
        except LoweringError as error:
            found.append(Fault("", f"its costs are bounded, but it has no network: {error}"))
            continue
        for limit in limits:
            if costs[limit.name] > limit.value:
                on = f" on the skeleton {limit.skeleton!r}" if limit.skeleton else ""
                message = (
                    f"at most {limit.value} {_UNITS[limit.name]} are allowed{on}, found {shown(costs[limit.name])}"
                )
                found.append(Fault("", message, costs[limit.name], (limit.value,)))
    return found


def faults_of(space: SearchSpace, value: object) -> tuple[Fault, ...]:
    """Every fault of any JSON value: those of the grammar, else those of all constraints; empty for a valid member."""
    index = space.plan.index(value)
    if index is None:
        return space.plan.check(value)
    return (*constraint_faults(space, value, index), *_excesses(space, index)) if space.constraints else ()


def judge_of(space: SearchSpace) -> Judge | None:
    """Whether the member of a rank keeps to the bounds on costs; None where its space has none."""
    return (lambda index: not _excesses(space, index)) if cost_limits_of(space) else None


def size_of(space: SearchSpace) -> SpaceSize:
    """Every size of a space. Bounded costs: exact where all members are priced, else estimated."""
    judge = judge_of(space)
    if judge is None:
        return space_size(space)
    on_decisions = valid_size(space, costs=False)
    quick = all(prices.quick and all(b.name != "max_depth" for b in bounds) for prices, bounds in _bounds(space))
    if space.plan.size <= (LARGEST_LISTED if quick else _LARGEST_LOWERED):
        members = [i for i in range(space.plan.size) if not faults_of(space, space.plan.unrank(i))]
        valid = exactly(len(members), f"all {space.plan.size} members priced")
        unique = [_classes(space, equivalence.name, members) for equivalence in space.equivalences]
    else:
        samples = _SAMPLES[quick]
        try:
            ranks, _ = valid_ranks(space, Random(SEED), samples)
        except Unmet as error:
            valid, unique = unknown(str(error)), [unknown(str(error), e.name) for e in space.equivalences]
        else:
            kept = [judge(index) for index in ranks]
            whole = on_decisions.exact
            valid = (
                unknown("the members that meet the conditions on decisions are not counted exactly")
                if whole is None
                else accepted(whole, sum(kept), samples, SEED)
            )
            unique = [_share(space, equivalence.name, ranks, kept) for equivalence in space.equivalences]
    raw = exactly(space.plan.size, "sums and products over the grammar")
    return SpaceSize(raw=raw, valid=valid, unique=tuple(unique))


def _classes(space: SearchSpace, equivalence: str, members: list[int]) -> Size:
    if equivalence not in readings_of(space):
        return unknown("nothing is known of it on this structure", equivalence)
    found = {canonical_rank(space, index, equivalence) for index in members}
    return exactly(len(found), f"the canonical forms of {len(members)} valid members compared", equivalence)


def _share(space: SearchSpace, equivalence: str, ranks: list[int], kept: list[bool]) -> Size:
    """Classes whose members cost alike, and all members are drawn from."""
    reading = readings_of(space).get(equivalence)
    if reading is None:
        return unknown("nothing is known of it on this structure", equivalence)
    conditions = len(space.constraints) > len(cost_limits_of(space))
    if reading.orbit is None or equivalence not in STRUCTURAL or conditions:
        return unknown("which members of a class are valid is not cheap to tell", equivalence)
    orbit = reading.orbit
    shares = [keep / orbit(space, space.plan.unrank(i)) for i, keep in zip(ranks, kept, strict=True)]
    return estimated(space.plan.size, shares, SEED, equivalence)
