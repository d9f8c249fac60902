"""Rank correlations of thousands of things within a second or two: what `ranks` says of a few, by bounded work.

spearman     Pearson's correlation of the ranks
kendall      tau-b
top_overlap  share of the k best by x that are among the k best by y; of equal ones each has the same chance

interval     percentile bootstrap, 95 %: things are drawn with replacement, as often as `WORK` allows    Efron (1979)
p-value      n <= 7: all orders; n <= 200: random orders; above: the normal limit with ties counted      Kendall (1970)
             of an overlap without ties at the k-th place: the hypergeometric distribution, exactly
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import comb, erfc, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from app.experiment.ranks import DRAWS, EXACT, LEVEL, RESAMPLES, Values, kendall, spearman

Statistic = Literal["spearman", "kendall", "top_overlap"]
Numbers = NDArray[np.float64]
Whole = NDArray[np.int64]

DRAWN = 200  # things up to which random orders are drawn; the normal limit is near enough from here on
LEAST_RESAMPLES = 100
OVERLAPS = 500  # resamples for overlaps
WORK = 3_000_000  # things in all resamples of Kendall's tau; the others take less for each
LEAST_P = 1e-300  # what is smaller is written so
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Association:
    """How alike two orders are, how much that moves with the things it was found on, and how likely chance gives it."""

    statistic: Statistic
    k: int | None  # of an overlap
    value: float | None  # None where one side has no order: all its values are equal
    low: float | None  # of the interval
    high: float | None
    resamples: int  # that the interval is from
    p_value: float | None  # two-sided; of an overlap: at least as large
    p_method: str
    n: int


def associations(x: Values, y: Values, tops: Sequence[int], seed: int) -> tuple[Association, ...]:
    """Spearman's rho, Kendall's tau and the overlap of the best k for each of `tops`; chance comes from `seed`.

    Args:
        x: a number for each thing, larger is better; finite.
        y: another, of the same things.
        tops: how many are the best, each from 1 to the number of things.
        seed: of resamples and orders.

    Raises ValueError where there are no things, or a number of best ones is not among them.
    """
    a, b = (np.asarray(values, dtype=np.float64) for values in (x, y))
    n = len(a)
    if not n or len(b) != n or any(not 1 <= k <= n for k in tops):
        raise ValueError(f"{n} and {len(b)} values, tops {tuple(tops)}: expected as many, and tops from 1 to {n}")
    gx, gy = (np.unique(values, return_inverse=True)[1].astype(np.int64) for values in (a, b))
    rho = _coefficient("spearman", gx, gy, seed)
    tau = _coefficient("kendall", gx, gy, seed)
    return (rho, tau, *_overlaps(gx, gy, tops, seed))


# -- coefficients


def _coefficient(statistic: Literal["spearman", "kendall"], gx: Whole, gy: Whole, seed: int) -> Association:
    n = len(gx)
    measure = spearman if statistic == "spearman" else kendall
    found = measure(gx.tolist(), gy.tolist())  # orders are all that counts
    if found is None:
        return _unordered(statistic, None, n)
    low, high, resamples = _interval(statistic, gx, gy, seed)
    p_value, method = _chance(statistic, found, gx, gy, seed)
    return Association(
        statistic=statistic,
        k=None,
        value=found,
        low=low,
        high=high,
        resamples=resamples,
        p_value=p_value,
        p_method=method,
        n=n,
    )


def _unordered(statistic: Statistic, k: int | None, n: int) -> Association:
    return Association(
        statistic=statistic,
        k=k,
        value=None,
        low=None,
        high=None,
        resamples=0,
        p_value=None,
        p_method="one side has no order",
        n=n,
    )


def _interval(
    statistic: Literal["spearman", "kendall"], gx: Whole, gy: Whole, seed: int
) -> tuple[float | None, float | None, int]:
    n = len(gx)
    if statistic == "spearman":
        return _percentiles(lambda drawn: _rho(gx, gy, np.bincount(drawn, minlength=n)), n, RESAMPLES, seed)
    order = np.lexsort((gy, gx))
    gx, gy = gx[order], gy[order]  # so that things drawn come in order by sorting their places
    resamples = max(LEAST_RESAMPLES, min(RESAMPLES, WORK // n))
    return _percentiles(lambda drawn: _tau(gx, gy, np.sort(drawn)), n, resamples, seed)


def _percentiles(
    measure: Callable[[Whole], float | None], n: int, resamples: int, seed: int
) -> tuple[float | None, float | None, int]:
    """Of resamples that have an order on both sides; also how many these are."""
    rng = np.random.default_rng([seed, 1])
    values = [value for _ in range(resamples) if (value := measure(rng.integers(n, size=n))) is not None]
    if not values:
        return None, None, 0
    return *_cut(values), len(values)


def _cut(values: Sequence[float]) -> tuple[float, float]:
    """The interval that holds the middle 95 % of some values."""
    ordered, cut, last = sorted(values), (1 - LEVEL) / 2, len(values) - 1
    return ordered[round(cut * last)], ordered[round((1 - cut) * last)]


def _rho(gx: Whole, gy: Whole, times: Whole) -> float | None:
    """Spearman's rho of things that are there so many times."""
    middle = (times.sum() + 1) / 2
    x, y = (_ranks(group, times) - middle for group in (gx, gy))
    # Sums, not dot products: a library that shares those among threads waits longer for the threads than it adds.
    sxx, syy, sxy = (float((times * product).sum()) for product in (x * x, y * y, x * y))
    return sxy / sqrt(sxx * syy) if sxx > 0 and syy > 0 else None


def _ranks(group: Whole, times: Whole) -> Numbers:
    size = np.bincount(group, weights=times)
    return (np.cumsum(size) - (size - 1) / 2)[group]


def _tau(gx: Whole, gy: Whole, drawn: Whole) -> float | None:
    """Tau-b of the things at these places, which rise; things are in order of x, and of y among equal ones."""
    x, y = gx[drawn], gy[drawn]
    n = len(x)
    pairs = n * (n - 1) // 2
    both = np.cumsum(np.concatenate(([0], (x[1:] != x[:-1]) | (y[1:] != y[:-1]))))
    untied_x, untied_y = (pairs - _tied(values) for values in (x, y))
    if not (untied_x and untied_y):
        return None
    return (untied_x + untied_y - pairs + _tied(both) - 2 * inversions(y)) / sqrt(untied_x * untied_y)


def _tied(group: Whole) -> int:
    size = np.bincount(group)
    return int((size * (size - 1) // 2).sum())


def inversions(values: Whole) -> int:
    """Pairs of which the earlier is larger, of whole numbers from 0: bit by bit from the highest.

    Two numbers are told apart by the highest bit in which they differ. Numbers that agree so far stand together in
    their first order; among them, every 1 that stands before a 0 is such a pair.
    """
    rest = np.ascontiguousarray(values, dtype=np.uint16 if values.max(initial=0) < 1 << 16 else np.int64)
    found = 0
    for bit in range(int(rest.max(initial=0)).bit_length() - 1, -1, -1):
        head, one = rest >> (bit + 1), ((rest >> bit) & 1).astype(np.int64)
        starts = np.flatnonzero(np.concatenate(([True], head[1:] != head[:-1])))
        before = np.cumsum(one) - one
        length = np.diff(np.append(starts, len(rest)))
        within = before - np.repeat(before[starts], length)
        found += int(within[one == 0].sum())
        rest = rest[np.argsort(rest >> bit, kind="stable")]
    return found


def _chance(
    statistic: Literal["spearman", "kendall"], found: float, gx: Whole, gy: Whole, seed: int
) -> tuple[float, str]:
    n = len(gx)
    if n > DRAWN:
        z = found * sqrt(n - 1) if statistic == "spearman" else _kendall_z(found, gx, gy)
        return max(LEAST_P, erfc(abs(z) / sqrt(2))), "normal limit of random orders, ties counted"
    measure = spearman if statistic == "spearman" else kendall
    x, y = gx.tolist(), gy.tolist()

    def as_far(order: Sequence[float]) -> bool:
        value = measure(x, order)
        return value is not None and abs(value) >= abs(found) - _ROUNDING

    if n <= EXACT:
        orders = list(permutations(y))
        return sum(map(as_far, orders)) / len(orders), f"permutation test over all {len(orders)} orders"
    rng = np.random.default_rng([seed, 2])
    hits = sum(as_far(rng.permutation(gy).tolist()) for _ in range(DRAWS))
    return (hits + 1) / (DRAWS + 1), f"permutation test over {DRAWS} random orders and this one"


def _kendall_z(found: float, gx: Whole, gy: Whole) -> float:
    """Tau-b over its standard deviation among random orders. M. G. Kendall (1970), Rank Correlation Methods, ch. 4."""
    n = len(gx)
    pairs = n * (n - 1) // 2
    t, u = ([int(size) for size in np.bincount(group) if size > 1] for group in (gx, gy))

    def summed(term: Callable[[int], int], ties: list[int]) -> int:
        return sum(map(term, ties))

    def cubic(m: int) -> int:
        return m * (m - 1) * (2 * m + 5)

    def two(m: int) -> int:
        return m * (m - 1)

    def three(m: int) -> int:
        return m * (m - 1) * (m - 2)

    variance = (cubic(n) - summed(cubic, t) - summed(cubic, u)) / 18
    variance += summed(two, t) * summed(two, u) / (2 * two(n)) + summed(three, t) * summed(three, u) / (9 * three(n))
    agreement = found * sqrt((pairs - _tied(gx)) * (pairs - _tied(gy)))
    return agreement / sqrt(variance)


# -- the best


def _overlaps(gx: Whole, gy: Whole, tops: Sequence[int], seed: int) -> Iterator[Association]:
    n = len(gx)
    if not (gx.any() and gy.any()):
        yield from (_unordered("top_overlap", k, n) for k in tops)
        return
    once, rng = np.ones(n, dtype=np.int64), np.random.default_rng([seed, 1])
    resamples = _shared(gx, gy, (np.bincount(rng.integers(n, size=n), minlength=n) for _ in range(OVERLAPS)), tops)
    for k, values in zip(tops, resamples, strict=True):
        (x,), (y,) = (list(_among_best(group, once, (k,))) for group in (gx, gy))
        found = float((x * y).sum()) / k
        p_value, method = _chance_overlap(x, y, found, k, seed)
        low, high = _cut(values)
        yield Association(
            statistic="top_overlap",
            k=k,
            value=found,
            low=low,
            high=high,
            resamples=OVERLAPS,
            p_value=p_value,
            p_method=method,
            n=n,
        )


def _shared(gx: Whole, gy: Whole, every: Iterable[Whole], tops: Sequence[int]) -> list[list[float]]:
    """For each number of best ones the overlap in each resample, of things that are there so many times."""
    found: list[list[float]] = [[] for _ in tops]
    if tops:
        for times in every:
            best = zip(_among_best(gx, times, tops), _among_best(gy, times, tops), strict=True)
            for values, k, (x, y) in zip(found, tops, best, strict=True):
                values.append(float((times * x * y).sum()) / k)
    return found


def _among_best(group: Whole, times: Whole, tops: Sequence[int]) -> Iterator[Numbers]:
    """For each thing the chance that it is among the k largest, where equal ones have equal chances."""
    size = np.bincount(group, weights=times)
    above = np.cumsum(size[::-1])[::-1] - size
    for k in tops:
        yield np.clip((k - above) / np.maximum(size, 1), 0.0, 1.0)[group]


def _chance_overlap(x: Numbers, y: Numbers, found: float, k: int, seed: int) -> tuple[float, str]:
    n = len(x)
    certain: Any = ((x == 0) | (x == 1)) & ((y == 0) | (y == 1))
    if certain.all():
        both = round(found * k)
        ways = sum(comb(k, j) * comb(n - k, k - j) for j in range(both, k + 1))
        return max(LEAST_P, ways / comb(n, k)), "hypergeometric distribution, exactly"
    rng, some = np.random.default_rng([seed, 3]), np.flatnonzero(x)
    hits = sum(
        bool((x[some] * y[rng.choice(n, len(some), replace=False)]).sum() >= (found - _ROUNDING) * k)
        for _ in range(DRAWS)
    )
    return (hits + 1) / (
        DRAWS + 1
    ), f"permutation test over {DRAWS} random orders and this one: ties at the {k}th place"
