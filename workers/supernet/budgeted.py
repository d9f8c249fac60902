"""Budgeted discretisation: the genotype that weights stand for, among those that cost no more than they may.

Every decision has one number an option (`strengths` of `workers.supernet.discretise`; of choices that lead on to shared
rules, what the path is worth), and the score of a genotype is what its answers lack of the best ones, in logarithms:

    score = Σ over the decisions that it meets of  log(strengths of its answer) - log(strengths of the best answer)

Of a subset, the logarithms of its members are summed. So the best score is 0, without bounds the genotype is that of
`decode`, and for DARTS the score is, but for a constant, the sum of log weights of the operations that are kept: a
member is as strong as its strongest operation, and keeping another one costs the difference. A strength of 0 counts as
e^-745, the least number there is, and what the rule never takes (`none`) as e^-1000: where nothing else fits.
Conditions of the space hold with and without bounds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.architecture import lower
from app.architecture.bounded import COSTS, Meter, Unattainable, bounded
from app.experiment import Bounds, Discretisation
from app.space import Genotype, ImageInput, Path, SearchSpace, Skeleton
from workers.supernet.discretise import strengths
from workers.supernet.viterbi import onward

ZERO, NEVER = 745.0, 1000.0  # what is lacking where a strength is 0, or minus infinity


@dataclass(frozen=True, slots=True)
class Budgeted:
    """A genotype within bounds, its score, and the score of the best valid one without bounds."""

    genotype: Genotype
    optimal: bool  # whether no valid genotype within the bounds has a higher score
    score: float
    unbounded: float
    costs: Mapping[str, float]  # params, macs; latency_ms where it is bounded


def within(
    space: SearchSpace,
    skeleton: Skeleton,
    image: ImageInput,
    weights: Mapping[Path, tuple[float, ...]],
    rule: Discretisation,
    bounds: Bounds,
    latencies: Mapping[str, float] | None = None,
    factor: float = 1.0,
) -> Budgeted:
    """The valid genotype of highest score whose network on a skeleton and image keeps to bounds.

    Latencies are milliseconds by entry key, of a network their sum times a factor. Raises Unattainable (a ValueError)
    with the least cost where nothing fits, Unmet where the space has no valid member, KeyError of a latency that is
    missing.
    """
    meter = Meter(space, skeleton, image, lower(space.grammar, skeleton, image), latencies or {}, factor)
    lacks = regrets(space, weights, rule)
    limits = {name: getattr(bounds, f"max_{name}") for name in COSTS if getattr(bounds, f"max_{name}") is not None}
    free = bounded(meter, lacks, {})
    found = bounded(meter, lacks, limits) if limits else free
    names = [name for name in COSTS if name in limits or name != "latency_ms"]
    costs = meter.of(found.index, names)
    return Budgeted(space.plan.unrank(found.index), found.exact, 0.0 - found.regret, 0.0 - free.regret, costs)


def regrets(
    space: SearchSpace, weights: Mapping[Path, tuple[float, ...]], rule: Discretisation
) -> dict[Path, tuple[float, ...]]:
    """Minus the logarithm of every option's strength, finite."""
    logarithms = onward(space.plan, weights)
    found = {path: _lacks(numbers) for path, numbers in strengths(space.plan, weights, rule).items()}
    return found | {path: tuple([min(-value, NEVER) for value in values]) for path, values in logarithms.items()}


def _lacks(numbers: Sequence[float]) -> tuple[float, ...]:
    return tuple([NEVER if n == -math.inf else -math.log(n) if n > 0 else ZERO for n in numbers])


__all__ = ["Budgeted", "Unattainable", "regrets", "within"]
