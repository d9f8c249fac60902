"""DrNAS: weights drawn from a Dirichlet distribution; Chen et al. (2021), arXiv:2006.10355.

    β = ELU(α) + 1,  w ~ Dirichlet(β)                  equation 3, pathwise gradients
    α ← Adam step on ∇_α (L_architecture(w) + STRENGTH · KL(Dirichlet(β) ‖ Dirichlet(1)))

with the mean β / Σβ at the end. A member of a subset that is decided on its own is drawn from two options, there or
not, with α and -α as their parameters. The paper's growing channels and pruned options are other rewrites.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence
from torch.nn.functional import elu

from app.experiment import SearchRecipe
from workers.strategies.alpha import Alphas
from workers.strategies.protocol import Loss
from workers.supernet.weights import Draws, Relaxed, Weights
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import generator

STRENGTH = 1e-3  # of the divergence, in its loss; the paper's
LEAST = 1e-6  # of a concentration: ELU(α) + 1 underflows to 0


class DrNas:
    """One of `workers.strategies.Strategy`."""

    def __init__(self, relaxed: tuple[Relaxed, ...], recipe: SearchRecipe, *, seed: int, device: torch.device) -> None:
        self.alpha = Alphas(relaxed, recipe, seed=seed, device=device)
        self.generator = generator(seed, "dirichlet")

    def reach(self, share: float) -> None:
        """Nothing here depends on how far the search is."""

    def draw(self) -> Draws:
        """Weights drawn at the present α; no gradient flows into it."""
        with torch.no_grad():
            return self._weights(self._concentrations())

    def students(self) -> tuple[Weights, ...]:
        """None."""
        return ()

    def learn(self, loss: Loss) -> None:
        """One Adam step on α, at weights drawn anew."""

        def regularised() -> Tensor:
            concentrations = self._concentrations()
            divergences = [
                kl_divergence(Dirichlet(b), Dirichlet(torch.ones_like(b))).sum() for b in concentrations.values()
            ]
            return loss(self._weights(concentrations)) + STRENGTH * torch.stack(divergences).sum()

        self.alpha.learn(regularised)

    @torch.no_grad()
    def settled(self) -> Weights:
        """The means."""
        return self.relaxed_weights()

    def relaxed_weights(self) -> Weights:
        """The same, differentiable in α."""
        concentrations = self._concentrations()
        means = {path: b / b.sum(-1, keepdim=True) for path, b in concentrations.items()}
        return {r.path: self._answers(r, means) for r in self.alpha.relaxed}

    def state(self) -> dict[str, Tensor]:
        """α, Adam's moments, the generator."""
        return {**self.alpha.state(), "rng/dirichlet": self.generator.get_state()}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another space's or strategy's."""
        if "rng/dirichlet" not in tensors:
            raise CheckpointError("the checkpoint has no rng/dirichlet: it is of another strategy")
        self.alpha.restore(tensors)
        self.generator.set_state(tensors["rng/dirichlet"])

    def _concentrations(self) -> dict[str, Tensor]:
        """β of every decision: (O,), of members decided on their own (O, 2)."""
        found: dict[str, Tensor] = {}
        for r in self.alpha.relaxed:
            if r.rule != "present":
                alpha = self.alpha.values[r.path]
                both = alpha if r.rule == "softmax" else torch.stack((alpha, -alpha), -1)
                found[r.path] = (elu(both) + 1).clamp_min(LEAST)
        return found

    def _weights(self, concentrations: Mapping[str, Tensor]) -> Weights:
        drawn = {path: self._drawn(b) for path, b in concentrations.items()}
        return {r.path: self._answers(r, drawn) for r in self.alpha.relaxed}

    def _drawn(self, concentration: Tensor) -> Tensor:
        """A sample with its pathwise gradient; torch's own generator is borrowed, and given back as it was."""
        with torch.random.fork_rng(devices=_devices(concentration)):
            torch.manual_seed(int(torch.randint(2**62, (), generator=self.generator)))
            return Dirichlet(concentration).rsample()

    def _answers(self, r: Relaxed, known: Mapping[str, Tensor]) -> Tensor:
        if r.rule == "present":
            return torch.ones(len(r.options), device=self.alpha.like.device)
        return known[r.path] if r.rule == "softmax" else known[r.path][..., 0]


def _devices(tensor: Tensor) -> list[torch.device]:
    return [tensor.device] if tensor.device.type == "cuda" else []
