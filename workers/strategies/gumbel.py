"""Decisions drawn from the concrete distribution: SNAS softly, GDAS hard.

    SNAS    w = softmax((α + g) / λ)                                 Xie et al. (2019), arXiv:1812.09926, equation 7
    GDAS    h = one_hot(argmax(α + g)),  w = h + p - stop(p),        Dong and Yang (2019), arXiv:1910.04465, section 3.2
            p = softmax((log softmax(α) + g) / τ)

with g standard Gumbel, drawn anew for every decision and step. What GDAS does not draw is not computed, and of the
straight-through gradient it keeps, as the paper does, what flows through the drawn option: ∂L/∂h of the others would
need their outputs. Members of a subset that are decided each on their own are drawn from two options, there or not,
with α and 0 as their parameters: the difference of two Gumbels is logistic.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from app.experiment import SearchRecipe
from workers.scales import Entry
from workers.strategies.alpha import Alphas
from workers.strategies.protocol import Loss
from workers.supernet.weights import Draws, Relaxed, Weights, soft_weights
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import generator

LEAST = torch.finfo(torch.float32).tiny  # of a uniform number, whose logarithm is taken


class _Drawn(ABC):
    """What both have in common: α, a generator, a temperature that falls from the first to the last value."""

    TEMPERATURES = (1.0, 1.0)

    def __init__(self, relaxed: tuple[Relaxed, ...], recipe: SearchRecipe, *, seed: int, device: torch.device) -> None:
        self.alpha = Alphas(relaxed, recipe, seed=seed, device=device)
        self.generator = generator(seed, "gumbel")
        self.temperature = self.TEMPERATURES[0]

    def draw(self) -> Draws:
        """Weights drawn at the present α; no gradient flows into it."""
        with torch.no_grad():
            return self._weights()

    def students(self) -> tuple[Weights, ...]:
        """None."""
        return ()

    def learn(self, loss: Loss) -> None:
        """One Adam step on α, at weights drawn anew."""
        self.alpha.learn(lambda: loss(self._weights()))

    @torch.no_grad()
    def settled(self) -> Weights:
        """The probabilities: softmax(α), which no temperature changes the order of."""
        return self.relaxed_weights()

    def relaxed_weights(self) -> Weights:
        """The same, differentiable in α."""
        return soft_weights(self.alpha.relaxed, self.alpha.values, self.alpha.like)

    def state(self) -> dict[str, Tensor]:
        """α, Adam's moments, the generator."""
        return {**self.alpha.state(), "rng/gumbel": self.generator.get_state()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another space's or strategy's."""
        if "rng/gumbel" not in tensors:
            raise CheckpointError("the checkpoint has no rng/gumbel: it is of a strategy that draws nothing")
        self.alpha.restore(tensors)
        self.generator.set_state(tensors["rng/gumbel"])

    def _weights(self) -> Draws:
        return {r.path: self._of(r) for r in self.alpha.relaxed}

    @abstractmethod
    def _of(self, relaxed: Relaxed) -> Tensor | list[Entry]:
        """The weights (O,) of one decision, at the present temperature."""

    def _gumbel(self, *shape: int) -> Tensor:
        """Standard Gumbel numbers; drawn on the CPU, so that a seed means the same everywhere."""
        uniform = torch.rand(shape, generator=self.generator).clamp_min(LEAST)
        return -(-uniform.log()).clamp_min(LEAST).log().to(self.alpha.like.device)

    def _present(self, relaxed: Relaxed) -> Tensor:
        return torch.ones(len(relaxed.options), device=self.alpha.like.device)


class Snas(_Drawn):
    """Soft draws; one of `workers.strategies.Strategy`. λ falls geometrically; the paper says that it falls, not from
    where to where."""

    TEMPERATURES = (1.0, 0.03)

    def reach(self, share: float) -> None:
        """The temperature for this part of the search."""
        first, last = self.TEMPERATURES
        self.temperature = first * (last / first) ** share

    def _of(self, relaxed: Relaxed) -> Tensor:
        if relaxed.rule == "present":
            return self._present(relaxed)
        alpha = self.alpha.values[relaxed.path]
        if relaxed.rule == "softmax":
            return ((alpha + self._gumbel(len(alpha))) / self.temperature).softmax(0)
        return ((alpha + self._gumbel(len(alpha)) - self._gumbel(len(alpha))) / self.temperature).sigmoid()


class Gdas(_Drawn):
    """Hard draws, one option a decision; one of `workers.strategies.Strategy`. τ falls linearly, as in section 4 of the
    paper and in D-X-Y/AutoDL-Projects."""

    TEMPERATURES = (10.0, 0.1)

    def reach(self, share: float) -> None:
        """The temperature for this part of the search."""
        first, last = self.TEMPERATURES
        self.temperature = first + (last - first) * share

    def _of(self, relaxed: Relaxed) -> Tensor | list[Entry]:
        if relaxed.rule == "present":
            return self._present(relaxed)
        alpha = self.alpha.values[relaxed.path]
        if relaxed.rule == "softmax":
            soft = ((alpha.log_softmax(0) + self._gumbel(len(alpha))) / self.temperature).softmax(0)
            hard = torch.zeros_like(soft).scatter_(0, soft.argmax(0, keepdim=True), 1.0)
        else:
            logits = alpha + self._gumbel(len(alpha)) - self._gumbel(len(alpha))
            soft = (logits / self.temperature).sigmoid()
            hard = (logits > 0).to(soft.dtype)
        straight = hard + hard * (soft - soft.detach())
        if not straight.requires_grad:
            return straight
        # What is not drawn weighs the number 0, not a tensor of it: the network computes nothing for it.
        return [weight if drawn else 0.0 for weight, drawn in zip(straight, hard.tolist(), strict=True)]
