"""How alike two orders of the same things are. Ties share their mean rank; what has no order answers None.

    kendall    tau-b: (concordant - discordant) / sqrt((pairs - ties in x) (pairs - ties in y))   Kendall (1945)
               counted in O(n log n), exactly: W. R. Knight (1966), doi:10.1080/01621459.1966.10480879
    spearman   Pearson's correlation of the ranks                                                  Spearman (1904)

`correlation` adds what a number from few things needs: a bootstrap interval and a permutation test.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import permutations
from math import factorial, sqrt
from random import Random

Values = Sequence[float]
Measure = Callable[[Values, Values], float | None]

EXACT = 7  # things whose orders are all listed: 5,040
DRAWS = 2000  # orders drawn otherwise
RESAMPLES = 1000
LEVEL = 0.95
_ROUNDING = 1e-12  # two ways to the same coefficient differ by less


@dataclass(frozen=True, slots=True, kw_only=True)
class RankCorrelation:
    """A coefficient in [-1, 1], how much it moves with the things it was found on, and how likely chance gives it."""

    coefficient: float | None  # None where one side has no order: all its values are equal
    low: float | None  # of the percentile bootstrap's 95 % interval
    high: float | None
    p_value: float | None  # two-sided: share of orders with a coefficient at least as far from 0
    p_method: str
    n: int


def ranks(values: Values) -> list[float]:
    """Ranks from 1 for the smallest; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for place in order[start:end]:
            found[place] = (start + 1 + end) / 2
        start = end
    return found


def kendall(x: Values, y: Values) -> float | None:
    """Kendall's tau-b."""
    both = list(zip(x, y, strict=True))
    pairs = _pairs(len(both))
    untied_x, untied_y = pairs - _tied(x), pairs - _tied(y)
    if not (untied_x and untied_y):
        return None
    # Of all pairs those are left that neither side ties; each is concordant or discordant.
    agreement = untied_x + untied_y - pairs + _tied(both) - 2 * _inversions([b for _, b in sorted(both)])
    return agreement / sqrt(untied_x * untied_y)


def spearman(x: Values, y: Values) -> float | None:
    """Spearman's rho."""
    return _pearson(ranks(x), ranks(y))


def correlation(measure: Measure, x: Values, y: Values, seed: int) -> RankCorrelation:
    """A coefficient with its interval and its p-value; chance comes from `seed`.

    The interval resamples things with replacement; resamples without an order on both sides are left out.
    """
    found = measure(x, y)
    p_value, method = (None, "one side has no order") if found is None else _p_value(measure, x, y, found, seed)
    low, high = (None, None) if found is None else _interval(measure, x, y, seed)
    return RankCorrelation(coefficient=found, low=low, high=high, p_value=p_value, p_method=method, n=len(x))


def top_overlap(x: Values, y: Values, k: int) -> float:
    """Share of the k largest of `x` among the k largest of `y`; of equal ones the earlier goes first."""
    return len(set(_best(x, k)) & set(_best(y, k))) / k


def regret(x: Values, y: Values) -> float:
    """The largest of `y`, less what `y` has where `x` is largest: the mean over these where several are."""
    largest = max(x)
    chosen = [b for a, b in zip(x, y, strict=True) if a == largest]
    return max(y) - sum(chosen) / len(chosen)


def _pairs(n: int) -> int:
    return n * (n - 1) // 2


def _tied(values: Iterable[object]) -> int:
    """Pairs of equal values."""
    return sum(map(_pairs, Counter(values).values()))


def _inversions(values: Values) -> int:
    """Pairs of which the earlier is larger, by counts of what came before in a tree of partial sums (Fenwick, 1994)."""
    place = {value: i for i, value in enumerate(sorted(set(values)), 1)}
    seen = [0] * (len(place) + 1)
    found = 0
    for before, value in enumerate(values):
        at = i = place[value]
        while i:  # those before that are no larger
            before -= seen[i]
            i &= i - 1
        found += before
        while at < len(seen):
            seen[at] += 1
            at += at & -at
    return found


def _pearson(x: Values, y: Values) -> float | None:
    n = len(x)
    if not n:
        return None
    mx, my = sum(x) / n, sum(y) / n
    sxx = sum((a - mx) ** 2 for a in x)
    syy = sum((b - my) ** 2 for b in y)
    if not (sxx and syy):
        return None
    return sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True)) / sqrt(sxx * syy)


def _best(values: Values, k: int) -> list[int]:
    return sorted(range(len(values)), key=lambda i: -values[i])[:k]


def _p_value(measure: Measure, x: Values, y: Values, found: float, seed: int) -> tuple[float, str]:
    n = len(x)

    def as_far(order: Values) -> bool:
        value = measure(x, order)
        return value is not None and abs(value) >= abs(found) - _ROUNDING

    if n <= EXACT:
        orders = factorial(n)
        return sum(map(as_far, permutations(y))) / orders, f"permutation test over all {orders} orders"
    rng, shuffled, hits = Random(f"{seed} permutation"), list(y), 0
    for _ in range(DRAWS):
        rng.shuffle(shuffled)
        hits += as_far(shuffled)
    return (hits + 1) / (DRAWS + 1), f"permutation test over {DRAWS} random orders and this one"


def _interval(measure: Measure, x: Values, y: Values, seed: int) -> tuple[float | None, float | None]:
    rng, n, found = Random(f"{seed} bootstrap"), len(x), list[float]()
    for _ in range(RESAMPLES):
        drawn = rng.choices(range(n), k=n)
        value = measure([x[i] for i in drawn], [y[i] for i in drawn])
        if value is not None:
            found.append(value)
    if not found:
        return None, None
    found.sort()
    cut = (1 - LEVEL) / 2
    last = len(found) - 1
    return found[round(cut * last)], found[round((1 - cut) * last)]
