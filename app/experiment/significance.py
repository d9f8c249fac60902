"""Whether two strategies differ: a rank test, the size of the effect, an interval, and a correction for many tests.

    question                                             answered by
    could chance have ordered the two samples so?        `mann_whitney`
    how often does one beat the other?                   `vargha_delaney`
    by how much do the means differ?                     `resampled_means`, `difference`
    and where many pairs are tested?                     `holm`

Samples are the final values of runs, one a seed, independent of each other; what they measure has no unit here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb, erfc, sqrt
from random import Random

from app.experiment.ranks import ranks

EXACT = 400  # product of the two sizes up to which every way to divide the ranks is counted
RESAMPLES = 2000
LEVEL = 0.95
SMALL, MEDIUM, LARGE = 0.56, 0.64, 0.71  # of an A12 on its better side; Vargha and Delaney (2000), table 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RankTest:
    """The outcome of a Mann-Whitney test."""

    u: float  # pairs in which the first is larger, ties by half
    p_value: float  # two-sided
    method: str
    least_p: float  # that samples of these sizes can have at all, without ties


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A difference of two means, and the percentile bootstrap's 95 % interval of it."""

    mean: float
    low: float | None  # None where a sample has one value
    high: float | None


def mann_whitney(x: Sequence[float], y: Sequence[float]) -> RankTest:
    """The Mann-Whitney U test, two-sided, of two samples of at least one value.

    Up to EXACT pairs the p-value is exact, given the ties: the share of all ways to divide the ranks whose sum is at
    least as far from its expectation. Beyond, it is normal, corrected for ties and for continuity. H. B. Mann and
    D. R. Whitney (1947), doi:10.1214/aoms/1177730491; of ties, E. L. Lehmann (1975), Nonparametrics, section 1.4.
    """
    n, m = len(x), len(y)
    doubled = [round(2 * rank) for rank in ranks([*x, *y])]  # ranks of ties are halves
    total = sum(doubled[:n])
    u = (total - n * (n + 1)) / 2
    least = min(1.0, 2 / comb(n + m, n))
    if n * m <= EXACT:
        p, method = _exact(doubled, n, total), f"exact, over all {comb(n + m, n)} ways to divide the ranks"
    else:
        p, method = _normal(doubled, n, total), "normal approximation, corrected for ties and continuity"
    return RankTest(u=u, p_value=p, method=method, least_p=least)


def vargha_delaney(x: Sequence[float], y: Sequence[float]) -> float:
    """A12: the chance that a value of `x` is larger than one of `y`, ties by half; 0.5 where neither tends to be.

    A. Vargha and H. D. Delaney (2000), doi:10.3102/10769986025002101.
    """
    n, m = len(x), len(y)
    return (sum(ranks([*x, *y])[:n]) - n * (n + 1) / 2) / (n * m)


def magnitude(a12: float) -> str:
    """What a Vargha-Delaney effect is called: negligible, small, medium or large."""
    side = max(a12, 1 - a12)
    return "negligible" if side < SMALL else "small" if side < MEDIUM else "medium" if side < LARGE else "large"


def resampled_means(values: Sequence[float], seed: str) -> tuple[float, ...]:
    """Means of RESAMPLES bootstrap samples; empty of a single value. B. Efron (1979), doi:10.1214/aos/1176344552.

    `seed` decides the samples: those of two strategies need different ones, as the strategies are independent.
    """
    if len(values) < 2:
        return ()
    rng, n = Random(seed), len(values)
    return tuple(sum(rng.choices(values, k=n)) / n for _ in range(RESAMPLES))


def difference(x: Sequence[float], y: Sequence[float], of_x: Sequence[float], of_y: Sequence[float]) -> Difference:
    """The mean of `x` less that of `y`, with its interval from the resampled means of both."""
    mean = sum(x) / len(x) - sum(y) / len(y)
    if not of_x or not of_y:
        return Difference(mean=mean, low=None, high=None)
    found = sorted(a - b for a, b in zip(of_x, of_y, strict=True))
    cut, last = (1 - LEVEL) / 2, len(found) - 1
    return Difference(mean=mean, low=found[round(cut * last)], high=found[round((1 - cut) * last)])


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values: at any level, those below it are significant with that family-wise error rate.

    S. Holm (1979), A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6:65-70.
    """
    tests, adjusted, largest = len(p_values), [0.0] * len(p_values), 0.0
    for place, i in enumerate(sorted(range(tests), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (tests - place) * p_values[i]))
        adjusted[i] = largest
    return adjusted


def _exact(doubled: Sequence[int], n: int, total: int) -> float:
    """The share of ways to take `n` of the ranks whose sum is at least as far from the mean as `total`.

    The ways to take k ranks are a polynomial in the sum, kept in one integer, a slot of `width` bits a coefficient:
    taking a further rank shifts it by so many slots.
    """
    places = len(doubled)
    if 2 * n > places:  # the other sample's sum is as far from its own mean
        n, total = places - n, sum(doubled) - total
    every = comb(places, n)
    width = 8 * (every.bit_length() // 8 + 1)
    ways = [1] + [0] * n
    for rank in doubled:
        for k in range(n, 0, -1):
            ways[k] += ways[k - 1] << (width * rank)
    step, sums = width // 8, sum(doubled) + 1
    raw = ways[n].to_bytes(step * sums, "little")
    expected = n * (places + 1)  # of doubled ranks
    far = abs(total - expected)
    counted = sum(
        int.from_bytes(raw[step * s : step * (s + 1)], "little") for s in range(sums) if abs(s - expected) >= far
    )
    return counted / every


def _normal(doubled: Sequence[int], n: int, total: int) -> float:
    places = len(doubled)
    m = places - n
    ties = sum(t**3 - t for t in Counter(doubled).values())
    variance = n * m / 12 * (places + 1 - ties / (places * (places - 1)))
    if variance <= 0:  # all values are equal
        return 1.0
    off = max(0.0, abs(total - n * (places + 1)) / 2 - 0.5)
    return erfc(off / sqrt(2 * variance))
