"""How large a space is: exact integers or stated estimates, each with what it counts and how; none of them is declared.

    raw      members of the grammar
    valid    those that meet the constraints
    unique   classes of the valid ones, under each equivalence that the space names

Valid members are counted by automata (`constraints/`), or their share is estimated. How classes are counted follows
from the grammar (`classes/`): exactly where that takes seconds, else by listing all members of a small space, else from
the orbits of a sample: a class of k members is met k times as often as one of one, so size · E[1/|orbit|] is an
unbiased estimate. What can be had in none of these ways says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import log10, sqrt
from random import Random
from statistics import NormalDist, fmean, variance

from app.space.classes import Reading, canonical_rank, readings_of
from app.space.constraints import conditions_of, cost_limits_of, tables_of, valid
from app.space.document import SearchSpace
from app.space.errors import Unmet
from app.space.validity import valid_ranks

LARGEST_LISTED = 20_000  # members that are put in canonical form one by one; about a second
SAMPLES = 2_000
_PILOT = 10
_MATES = 6_000  # members that are judged for one estimate of classes
_LARGEST_CLASS = 300  # members that a class has on average
_FEWEST = 100  # samples of a space whose members take long to judge
_JUDGED = 2_000_000  # decisions that are judged for one estimate, times conditions; about two seconds
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
    unique = tuple(unique_size(space, e.name) for e in space.equivalences)
    return SpaceSize(raw=raw, valid=valid_size(space), unique=unique)


def valid_size(space: SearchSpace, *, samples: int = SAMPLES, seed: int = SEED, costs: bool = True) -> Size:
    """How many members meet the constraints. Bounds on costs are not judged here: `costs=False` leaves them out."""
    if costs and cost_limits_of(space):
        return unknown("bounded by costs, which members have only on a skeleton")
    if not space.constraints:
        return exactly(space.plan.size, "the grammar; there are no constraints beside it")
    tables = tables_of(space)
    if tables is not None:
        return exactly(tables.size, "dynamic programming over the parts of the grammar, a state a condition")
    is_valid, rng = valid(space), Random(seed)
    if space.plan.size <= LARGEST_LISTED:
        found = sum(map(is_valid, range(space.plan.size)))
        return exactly(found, f"all {space.plan.size} members judged")
    samples = max(_FEWEST, min(samples, _JUDGED // (len(conditions_of(space)) * len(space.plan.decisions()))))
    met = sum(is_valid(rng.randrange(space.plan.size)) for _ in range(samples))
    return accepted(space.plan.size, met, samples, seed)


def accepted(whole: int, met: int, samples: int, seed: int) -> Size:
    """`whole` times an acceptance rate, with its Wilson interval (1927)."""
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share, spread = met / samples, z * sqrt(met * (samples - met) / samples + z * z / 4)
    low, high = ((met + z * z / 2 + sign * spread) / (samples + z * z) for sign in (-1, 1))
    method = f"members times the {met} of {samples} uniform members that are valid, {CONFIDENCE:.0%} Wilson interval"
    return _estimate(whole, (max(low, 0.0), share, min(high, 1.0)), samples, seed, method)


def unique_size(space: SearchSpace, equivalence: str, *, samples: int = SAMPLES, seed: int = SEED) -> Size:
    """How many classes there are under an equivalence: with constraints, those that hold a valid member."""
    reading = readings_of(space).get(equivalence)
    if reading is None:
        return unknown("nothing is known of it on this structure", equivalence)
    if cost_limits_of(space):
        return unknown("bounded by costs, which members have only on a skeleton", equivalence)
    classes = reading.count(space)
    if classes is not None:
        return exactly(classes.exact, classes.method, equivalence)
    if space.plan.size <= LARGEST_LISTED:
        members = filter(valid(space), range(space.plan.size)) if space.constraints else range(space.plan.size)
        found = {canonical_rank(space, index, equivalence) for index in members}
        return exactly(len(found), f"all {space.plan.size} members, their canonical forms compared", equivalence)
    if space.constraints:
        return _valid_classes(space, reading, samples, seed)
    if reading.orbit is None:
        why = "an exact count takes longer than an answer may, and the size of a class is not cheap to tell"
        return unknown(why, equivalence)
    shares = [1 / reading.orbit(space, genotype) for genotype in space.plan.sample(Random(seed), samples)]
    return estimated(space.plan.size, shares, seed, equivalence)


def _valid_classes(space: SearchSpace, reading: Reading, samples: int, seed: int) -> Size:
    """Of each valid member that is drawn, which share of its class it is."""
    whole, is_valid, shares = valid_size(space), valid(space), list[float]()
    if reading.mates is None or whole.exact is None:
        return unknown("which members of a class are valid is not cheap to tell", reading.equivalence)
    if not whole.exact:
        return exactly(0, whole.method, reading.equivalence)
    try:
        pilot, _ = valid_ranks(
            space, Random(seed + 1), _PILOT
        )  # how large classes are, for a sample that takes seconds
        classes = [reading.mates(space, index) for index in pilot]
        held = sum(len(mates) for mates in classes if mates is not None) // _PILOT + 1
        if None in classes or held > _LARGEST_CLASS:
            return unknown("classes are too large to tell which of their members are valid", reading.equivalence)
        ranks, _ = valid_ranks(space, Random(seed), max(_FEWEST, min(samples, _MATES // held)))
    except Unmet as error:
        return unknown(str(error), reading.equivalence)
    for index in ranks:
        mates = reading.mates(space, index)
        if mates is None:
            return unknown("some classes are too large to list", reading.equivalence)
        shares.append(1 / sum(map(is_valid, mates)))
    return estimated(whole.exact, shares, seed, reading.equivalence)


def unknown(why: str, equivalence: str | None = None) -> Size:
    """No count, and why not."""
    return Size(exact=None, log10=None, method=why, equivalence=equivalence)


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
    method = f"members times the mean of 1/|class| over {n} uniform members, {CONFIDENCE:.0%} normal interval"
    return _estimate(whole, (max(low, 0.0), mean, min(high, 1.0)), n, seed, method, equivalence)


def _estimate(
    whole: int, shares: tuple[float, float, float], samples: int, seed: int, method: str, equivalence: str | None = None
) -> Size:
    """A share of `whole`, of which the lower end, the mean and the upper end are given."""
    low, mean, high = (round(whole * Fraction(share)) for share in shares)
    found = Estimate(mean=mean, low=low, high=high, confidence=CONFIDENCE, samples=samples, seed=seed)
    return Size(exact=None, log10=log10(mean) if mean else None, method=method, equivalence=equivalence, estimate=found)
