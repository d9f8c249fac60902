"""From weights to a genotype: every decision takes the heaviest of its options.

    choice, length    the heaviest option; where options lead on to shared rules, that of the likeliest path
    subset            the k members with the highest score: their own weight, times that of the strongest option decided
                      within the member where there is one; a member that is there anyhow weighs 1

Two rules differ in what `none` counts for. `darts` follows quark0/darts: within a subset's members `none` is neither a
strength nor ever chosen, so a node keeps its two strongest inputs by the strongest operation other than `none`.
`argmax` treats `none` as an operation like the others. Ties go to the option that the grammar names first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from app.experiment import Discretisation
from app.space import Decision, Genotype, Path, Plan, Symbol
from workers.supernet.viterbi import onward
from workers.supernet.weights import below

NONE = "none"  # DARTS' and NAS-Bench-201's name for no connection


@dataclass(frozen=True, slots=True)
class Scores:
    """The weights of every open decision as plain numbers, under a rule."""

    weights: Mapping[Path, tuple[float, ...]]
    rule: Discretisation
    inside: frozenset[Path]  # decisions within a member of some subset

    def of(self, decision: Decision) -> tuple[float, ...]:
        """One number an option; a decision that the supernet never asks has nothing to tell its options apart."""
        given = self.weights.get(decision.path, (0.0,) * len(decision.options))
        if self.rule == "argmax" or decision.path not in self.inside:
            return given
        return tuple(-math.inf if o == NONE else w for o, w in zip(decision.options, given, strict=True))


def genotype_of(plan: Plan, weights: Mapping[Path, Tensor], rule: Discretisation) -> Genotype:
    """The genotype that weights (O,) of each decision stand for, in its written order; always a member of the space."""
    return plan.normalise(plan.write(decode(plan, plain(weights), rule)))


def plain(weights: Mapping[Path, Tensor]) -> dict[Path, tuple[float, ...]]:
    """Weights (O,) as plain numbers."""
    return {path: tuple(tensor.detach().double().tolist()) for path, tensor in weights.items()}


def decode(
    plan: Plan, weights: Mapping[Path, tuple[float, ...]], rule: Discretisation
) -> dict[Path, tuple[Symbol, ...]]:
    """An answer to every decision of the space, met or not. Raises ValueError for weights of another length."""
    found = strengths(plan, weights, rule) | onward(plan, weights)
    return {d.path: tuple(d.options[i] for i in sorted(heaviest(found[d.path], d.k))) for d in plan.decisions()}


def strengths(
    plan: Plan, weights: Mapping[Path, tuple[float, ...]], rule: Discretisation
) -> dict[Path, tuple[float, ...]]:
    """What each option of each decision is judged by; minus infinity for what the rule never takes."""
    decisions = plan.decisions()
    for decision in decisions:
        given = weights.get(decision.path)
        if given is not None and len(given) != len(decision.options):
            raise ValueError(f"{decision.path}: {len(given)} weights for the options {list(decision.options)}")
    by_path = {d.path: d for d in decisions}
    members = {p for d in decisions if d.kind == "subset" for o in d.options for p in below(d, o, by_path)}
    scores = Scores(weights, rule, frozenset(members))
    return {
        d.path: tuple(_strength(scores, d, o, by_path) for o in d.options) if d.kind == "subset" else scores.of(d)
        for d in decisions
    }


def heaviest(numbers: Sequence[float], k: int) -> list[int]:
    """The places of the k largest, the largest first; of equals the earlier."""
    return sorted(range(len(numbers)), key=lambda i: (-numbers[i], i))[:k]


def _strength(scores: Scores, decision: Decision, member: Symbol, by_path: Mapping[Path, Decision]) -> float:
    """Of one member of a subset: what is decided within it says how strong it is, else its own weight."""
    inner = [by_path[path] for path in below(decision, member, by_path)]
    own = scores.weights.get(decision.path)
    place = decision.options.index(member)
    if not inner:
        return scores.of(decision)[place]
    return (1.0 if own is None else own[place]) * max(max(scores.of(d)) for d in inner)
