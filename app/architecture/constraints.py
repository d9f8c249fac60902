"""Bounds on what members cost, on a skeleton of their space, together with the conditions on their decisions.

faults_of(space, value)    every fault of any JSON value: of the grammar, of the conditions, of the costs
judge_of(space)            whether the member of a rank keeps to the bounds on costs; None where there are none
excess_of(space)           by how much the member of a rank passes them; None where there are none
size_of(space)             the sizes of a space, bounds on costs included

Prices are exact (`prices.py`).
"""

from collections.abc import Callable
from math import inf
from random import Random

from app.architecture.errors import LoweringError
from app.architecture.prices import price_of, priced_quickly
from app.space import Fault, SearchSpace, Size, Skeleton, SpaceSize, space_size
from app.space.classes import STRUCTURAL, canonical_rank, readings_of
from app.space.constraints import CostLimit, constraint_faults, cost_limits_of
from app.space.counting import SEED, accepted, estimated, exactly, unknown, valid_size
from app.space.errors import Unmet
from app.space.validity import Judge, valid_ranks
from app.space.value import shown

LARGEST_LISTED = 50_000  # members that are priced one by one where prices are looked up
_LARGEST_LOWERED = 500  # members that are lowered one by one
_SAMPLES = {True: 2_000, False: 300}  # looked up, or lowered
_BOUNDED = {
    "max_params": ("params", "params"),
    "max_macs": ("macs", "MACs"),
    "max_depth": ("depth", "layers with weights"),
}


def _skeleton(space: SearchSpace, limit: CostLimit) -> Skeleton:
    """The skeleton that a bound names, else the space's first."""
    return space.skeletons[limit.skeleton or next(iter(space.skeletons))]


def _excesses(space: SearchSpace, index: int) -> list[Fault]:
    """The bounds that a member passes. What has no network on the skeleton passes them all."""
    found: list[Fault] = []
    lost: set[str | None] = set()  # skeletons on which it has none
    for limit in cost_limits_of(space):
        if limit.skeleton in lost:
            continue
        try:
            price = price_of(space, _skeleton(space, limit), space.input, index)
        except LoweringError as error:
            lost.add(limit.skeleton)
            found.append(Fault("", f"its costs are bounded, but it has no network: {error}"))
            continue
        what, unit = _BOUNDED[limit.name]
        value: int = getattr(price, what)
        if value > limit.value:
            on = f" on the skeleton {limit.skeleton!r}" if limit.skeleton else ""
            message = f"at most {limit.value} {unit} are allowed{on}, found {shown(value)}"
            found.append(Fault("", message, value, (limit.value,)))
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


def excess_of(space: SearchSpace) -> Callable[[int], float] | None:
    """By how much the member of a rank passes the bounds on costs; None where there are none.

    Each excess is a share of its bound, and they are summed; 0 of a member that keeps to all of them, infinite of one
    that has no network.
    """

    def excess(index: int) -> float:
        found = 0.0
        for fault in _excesses(space, index):
            match fault:
                case Fault(value=int(value), allowed=(int(bound),)):
                    found += (value - bound) / max(bound, 1)
                case _:
                    return inf
        return found

    return excess if cost_limits_of(space) else None


def size_of(space: SearchSpace) -> SpaceSize:
    """Every size of a space. Bounded costs: exact where all members are priced, else estimated."""
    judge = judge_of(space)
    if judge is None:
        return space_size(space)
    on_decisions = valid_size(space, costs=False)
    quick = all(priced_quickly(space, _skeleton(space, limit), space.input) for limit in cost_limits_of(space))
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
