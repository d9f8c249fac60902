"""The likeliest path through shared rules (Viterbi, 1967): a choice counts with everything that it leads on to.

Where options lead to shared rules, as the steps of Auto-DeepLab's path do, the heaviest option of each choice alone
may lead to states that are unlikely to go on well. An option is worth its own weight times the best of what follows:

    best(rule) = max over genotypes of the rule of the product of the weights of its decisions
"""

import math
from collections.abc import Mapping

from app.space import Path, Plan, shared_path, step
from app.space.part import Alternatives, Part, Product, Shared


def onward(plan: Plan, weights: Mapping[Path, tuple[float, ...]]) -> dict[Path, tuple[float, ...]]:
    """For each choice whose options lead to shared rules: the logarithm of what every option is worth."""
    return _Walk(weights).over(plan.part)


class _Walk:
    """One way over all parts; a shared rule is walked once, however many ways lead to it."""

    def __init__(self, weights: Mapping[Path, tuple[float, ...]]) -> None:
        self.weights = weights
        self.rules: dict[str, float] = {}
        self.found: dict[Path, tuple[float, ...]] = {}

    def over(self, part: Part) -> dict[Path, tuple[float, ...]]:
        self.best(part, "")
        return self.found

    def best(self, part: Part, path: Path) -> tuple[float, bool]:
        """(logarithm of the best product of weights, whether a shared rule is in it)."""
        match part:
            case Shared(rule, inner):
                if rule not in self.rules:
                    self.rules[rule] = self.best(inner, shared_path(rule))[0]
                return self.rules[rule], True
            case Product(fields):
                inner = [self.best(part, step(path, name)) for name, part in fields]
                return sum(value for value, _ in inner), any(shared for _, shared in inner)
            case Alternatives(menu):
                inner = [
                    self.best(option, step(path, symbol))
                    for symbol, option in zip(menu.symbols, menu.parts, strict=True)
                ]
                given = self.weights.get(path, (1.0,) * len(inner))  # one that is never asked says nothing
                values = [_log(w) + value for w, (value, _) in zip(given, inner, strict=True)]
                shared = any(shared for _, shared in inner)
                if shared:
                    self.found[path] = tuple(values)
                return max(values), shared
            case _:
                return 0.0, False  # a shared rule in a list or a subset is met alone


def _log(weight: float) -> float:
    return math.log(weight) if weight > 0 else -math.inf
