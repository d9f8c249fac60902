"""What uniform random search finds, exactly, in a table that is known as a whole: the measure of every other strategy.

The best of n different members drawn from N, sorted from worst to best, is the i-th with probability
C(i - 1, n - 1) / C(N, n); of n drawn with repeats, with probability (i / N)^n - ((i - 1) / N)^n.
"""

from collections.abc import Sequence

LEAST = 1e-18  # a chance below this, and all that are smaller still, change no digit


def expected_best(values: Sequence[float], n: int, *, maximise: bool = True, repeats: bool = False) -> float:
    """The expectation of the best of `n` members drawn uniformly; of all of them where there are fewer.

    Raises ValueError without values, or where nothing is drawn.
    """
    if not values or n < 1:
        raise ValueError(f"{n} of {len(values)} values: expected at least one of at least one")
    ordered = sorted(values, reverse=maximise)  # the best first
    return _with_repeats(ordered, n) if repeats else _without(ordered, n)


def _without(ordered: Sequence[float], n: int) -> float:
    total = len(ordered)
    if n >= total:
        return ordered[0]
    expectation, chance = 0.0, n / total  # of the best member
    for place, value in enumerate(ordered):
        expectation += chance * value
        rank = total - place  # from the worst
        chance *= (rank - n) / (rank - 1) if rank > 1 else 0.0
        if chance < LEAST:
            break
    return expectation


def _with_repeats(ordered: Sequence[float], n: int) -> float:
    total = len(ordered)
    expectation, above = 0.0, 1.0  # chance that every draw is at most this member
    for place, value in enumerate(ordered):
        below = ((total - place - 1) / total) ** n
        expectation += (above - below) * value
        if below < LEAST:
            break
        above = below
    return expectation
