"""How sure a search is: entropy and margin of its decisions, and the entry it leaves in the trajectory."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from app.architecture.guard import position
from app.experiment import DecisionSummary, Discretisation
from app.space import Genotype, Path, Plan
from workers.supernet.collapse import skip_share
from workers.supernet.discretise import decode, strengths
from workers.supernet.weights import Relaxed

Numbers = Mapping[Path, tuple[float, ...]]


def entropy(numbers: Sequence[float]) -> float:
    """Nats of the distribution that some weights, none negative, are in proportion to."""
    total = sum(numbers)
    return -sum(w / total * math.log(w / total) for w in numbers if w > 0) if total > 0 else 0.0


def mean_entropy(relaxed: tuple[Relaxed, ...], weights: Numbers) -> float:
    """Nats a decision, over the decisions whose options compete; 0 where there are none."""
    found = [entropy(weights[r.path]) for r in relaxed if r.rule == "softmax"]
    return sum(found) / len(found) if found else 0.0


def decision_summaries(
    plan: Plan, relaxed: tuple[Relaxed, ...], weights: Numbers, rule: Discretisation, genotype: Genotype
) -> tuple[DecisionSummary, ...]:
    """Every open decision with what was chosen: what the genotype says, or the heaviest where it does not meet it.

    Where a subset's members are all present, its weights are what they are judged by: the strongest operation of each.
    The margin is the weakest chosen strength less the strongest that was not chosen; bounds may make it negative.
    """
    judged, answers = strengths(plan, weights, rule), decode(plan, weights, rule) | dict(plan.read(genotype))
    found: list[DecisionSummary] = []
    for r in relaxed:
        numbers = judged[r.path]
        shown = tuple(max(w, 0.0) for w in numbers) if r.rule == "present" else weights[r.path]
        taken = {position(r.options, symbol) for symbol in answers[r.path]}
        left = [w for i, w in enumerate(numbers) if i not in taken and w > -math.inf]
        chosen = min(numbers[i] for i in taken)
        found.append(
            DecisionSummary(
                path=r.path,
                options=r.options,
                weights=shown,
                chosen=answers[r.path],
                entropy=entropy(shown),
                margin=chosen - max(left) if left else chosen,
            )
        )
    return tuple(found)


def trajectory_entry(
    plan: Plan, relaxed: tuple[Relaxed, ...], weights: Numbers, rule: Discretisation, epoch: int
) -> dict[str, Any]:
    """One epoch's weights, rounded to six places, their mean entropy (nats) and the skip share of their genotype."""
    genotype = plan.write(decode(plan, weights, rule))
    return {
        "epoch": epoch,
        "mean_entropy": mean_entropy(relaxed, weights),
        "skip_share": skip_share(plan, genotype),
        "weights": {r.path: [round(w, 6) for w in weights[r.path]] for r in relaxed if r.rule != "present"},
    }
