"""How large a space is: exact integers or stated estimates, each with what it counts and how; none of them is declared.

    raw      members of the grammar
    valid    those that meet the constraints
    unique   classes of the valid ones, under each equivalence that the space names

How classes are counted follows from the grammar (`classes/`): exactly where that takes seconds, else by listing all
members of a small space, else from the orbits of a sample: a class of k members is met k times as often as one of one,
so raw · E[1/|orbit|] is its unbiased estimate. What can be had in none of these ways says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log10, sqrt
from random import Random
from statistics import NormalDist, fmean, variance

from app.space.classes import Reading, canonical_rank, readings_of
from app.space.document import SearchSpace

LARGEST_LISTED = 20_000  # members that are put in canonical form one by one; about a second
SAMPLES = 2_000
SEED = 0
CONFIDENCE = 0.95
_RARE = 3.0  # what n draws never met has, with 95 % confidence, a share below 3/n (Hanley and Lippman-Hand, 1983)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a sample says of a count: its unbiased mean and an interval."""

    mean: int
    low: int
    high: int
    confidence: float  # that the interval holds the exact count
    samples: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """One count: exact, or estimated, or neither, and then `method` says why not."""

    exact: int | None
    log10: float | None  # of the exact count, else of the estimate's mean; None where there is neither or it is zero
    method: str
    equivalence: str | None = None  # what counts as the same; None where every member counts
    estimate: Estimate | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceSize:
    """The sizes of a space."""

    raw: Size
    valid: Size
    unique: tuple[Size, ...]


def space_size(space: SearchSpace) -> SpaceSize:
    """Every size of a space, in its equivalences' order."""
    raw = exactly(space.plan.size, "sums and products over the grammar")
    valid = exactly(space.plan.size, "the grammar; there are no constraints beside it")
    return SpaceSize(raw=raw, valid=valid, unique=tuple(unique_size(space, e.name) for e in space.equivalences))


def unique_size(space: SearchSpace, equivalence: str, *, samples: int = SAMPLES, seed: int = SEED) -> Size:
    """How many classes there are under an equivalence."""
    reading = readings_of(space).get(equivalence)
    if reading is None:
        return Size(exact=None, log10=None, method="nothing is known of it on this structure", equivalence=equivalence)
    classes = reading.count(space)
    if classes is not None:
        return exactly(classes.exact, classes.method, equivalence)
    if space.plan.size <= LARGEST_LISTED:
        found = {canonical_rank(space, index, equivalence) for index in range(space.plan.size)}
        return exactly(len(found), f"all {space.plan.size} members, their canonical forms compared", equivalence)
    if reading.orbit is None:
        return Size(
            exact=None,
            log10=None,
            method="an exact count takes longer than an answer may, and the size of a class is not cheap to tell",
            equivalence=equivalence,
        )
    return estimated(space.plan.size, _inverse_orbits(space, reading, samples, seed), seed, equivalence)


def _inverse_orbits(space: SearchSpace, reading: Reading, samples: int, seed: int) -> list[float]:
    assert reading.orbit is not None
    return [1 / reading.orbit(space, genotype) for genotype in space.plan.sample(Random(seed), samples)]


def exactly(exact: int, method: str, equivalence: str | None = None) -> Size:
    """An exact count."""
    return Size(exact=exact, log10=log10(exact) if exact else None, method=method, equivalence=equivalence)


def estimated(whole: int, shares: Sequence[float], seed: int, equivalence: str) -> Size:
    """`whole` times the mean of the shares, with the normal interval of a mean."""
    n, mean = len(shares), fmean(shares)
    spread = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * sqrt(variance(shares) / n)
    low, high = mean - spread, mean + spread
    if spread == 0:
        low, high = mean * (1 - _RARE / n), mean * (1 - _RARE / n) + _RARE / n
    found = Estimate(
        mean=_times(whole, mean),
        low=_times(whole, max(low, 0.0)),
        high=_times(whole, min(high, 1.0)),
        confidence=CONFIDENCE,
        samples=n,
        seed=seed,
    )
    method = f"members times the mean of 1/|class| over {n} uniform members, {CONFIDENCE:.0%} normal interval"
    return Size(
        exact=None,
        log10=log10(whole) + log10(mean),
        method=method,
        equivalence=equivalence,
        estimate=found,
    )


def _times(whole: int, share: float) -> int:
    """A product that may pass the largest float."""
    return round(whole * Fraction(share))
