"""Pressure: the expected cost of a supernet's decisions, differentiable in their weights, as a part of a loss.

    strength · E[cost at the weights] / E[cost at the weights of a search that has learnt nothing]

The cost is that of all that the decisions decide; what is there anyhow takes no part. Where costs add up over the
decisions the quotient is a mean of Σ_o p_o w_o, with the options' cost weights w_o of `app.architecture.fairness`.
Each decision counts by its share of the whole, and each option by its cost over the mean of those beside it: neither
the unit nor the size of the network matters, and a dear option in a cheap place is not punished as one in a dear place.
Shapes: O options of a decision.
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from app.architecture import TRUE, Graph, Guard
from app.architecture.expectation import Drawn, Expectation
from app.architecture.graph import charges
from app.architecture.guard import position
from app.architecture.workload import workload
from app.experiment import PressedCost
from app.space import Path, Symbol
from workers.supernet.weights import Draws, as_vector

Numbers = Mapping[Path, tuple[float, ...]]


def decided_costs(graph: Graph, cost: PressedCost, latencies: Mapping[str, float]) -> list[tuple[Guard, float]]:
    """What is decided, and costs something. KeyError of an entry that the latencies lack."""
    match cost:
        case "params":
            found = ((guard, float(params)) for _, guard, params, _, _ in charges(graph))
        case "macs":
            found = ((guard, float(macs)) for _, guard, _, macs, _ in charges(graph))
        case "latency_ms":
            found = ((guard, latencies[entry.key]) for _, guard, entry in workload(graph) if guard is not TRUE)
    return [(guard, amount) for guard, amount in found if guard is not TRUE and amount]


class ExpectedCost:
    """The part of the loss, at any weights; `reference` is the expected cost at uniform ones, in its own unit."""

    def __init__(self, amounts: Iterable[tuple[Guard, float]], uniform: Numbers, strength: float) -> None:
        self._expectation = Expectation((guard, (amount,)) for guard, amount in amounts)
        self._options = {g.question.path: g.question.options for g in self._expectation.order if g.question is not None}
        self.strength = strength
        self.reference = self.expected(uniform)

    def expected(self, numbers: Numbers) -> float:
        """The expected cost at some weights, in its own unit."""
        return sum(self._expectation.at(self._drawn(numbers)))

    def __call__(self, weights: Draws) -> Tensor:
        """Its part of the loss at weights (O,), a scalar with the gradient that the expectation has there."""
        paths = [path for path in self._options if path in weights]
        flat = torch.cat([as_vector(weights[path], self._like(weights)) for path in paths])
        parts = iter(flat.detach().double().tolist())
        numbers = {path: tuple(next(parts) for _ in weights[path]) for path in paths}
        drawn = self._drawn(numbers)
        found = self._expectation.slopes(drawn)
        nothing = ((0.0,),)
        slopes = [slope for path in paths for (slope,) in found.get(path, nothing * len(numbers[path]))]
        scale = self.strength / self.reference
        gradient = torch.tensor(slopes, dtype=flat.dtype, device=flat.device) * scale
        return sum(self._expectation.at(drawn)) * scale + ((flat - flat.detach()) * gradient).sum()

    def _like(self, weights: Draws) -> Tensor:
        """A tensor like those among the weights."""
        found = (w for given in weights.values() for w in (given if isinstance(given, Sequence) else (given,)))
        return next((w for w in found if isinstance(w, Tensor)), torch.zeros(()))

    def _drawn(self, numbers: Numbers) -> Drawn:
        def weight(path: Path, symbols: tuple[Symbol, ...]) -> float:
            return sum(numbers[path][position(self._options[path], symbol)] for symbol in symbols)

        return Drawn(weight)
