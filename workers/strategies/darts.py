"""DARTS, first order: Liu, Simonyan and Yang, "DARTS: Differentiable architecture search" (2019).

    α ← Adam step on ∇_α L_architecture(w, α)      (ξ = 0 in the paper's equation 6)
    w ← SGD step on ∇_w L_weights(w, α)

alternating, one batch each, as in quark0/darts `cnn/train_search.py` without `--unrolled`. One α a decision path: cells
of one kind name the same decisions, so they share theirs.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from app.experiment import SearchRecipe
from workers.strategies.protocol import Loss
from workers.supernet.weights import Relaxed, Weights, initial_alpha, soft_weights
from workers.training import checkpoint
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import generator


class Darts:
    """Softmax over α, learnt by Adam on the architecture split; see `protocol.py`."""

    def __init__(self, relaxed: tuple[Relaxed, ...], recipe: SearchRecipe, *, seed: int, device: torch.device) -> None:
        self.relaxed = relaxed
        initial = initial_alpha(relaxed, generator(seed, "alpha"))
        self.alpha = {path: a.to(device).requires_grad_() for path, a in initial.items()}
        self.like = torch.zeros((), device=device)
        self.optimiser = torch.optim.Adam(
            [*self.alpha.values()] or [self.like],
            recipe.alpha_learning_rate,
            recipe.alpha_betas,
            weight_decay=recipe.alpha_weight_decay,
        )

    def draw(self) -> Weights:
        """The softmax weights, detached."""
        return self.settled()

    def learn(self, loss: Loss) -> None:
        """One Adam step on α; only α's gradients are computed."""
        parameters = [*self.alpha.values()]
        if not parameters:
            return
        value = loss(soft_weights(self.relaxed, self.alpha, self.like))
        gradients = torch.autograd.grad(value, parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        self.optimiser.step()

    @torch.no_grad()
    def settled(self) -> Weights:
        """The softmax weights at the present α."""
        return soft_weights(self.relaxed, self.alpha, self.like)

    def state(self) -> dict[str, Tensor]:
        """α by path, and Adam's moments."""
        return {
            **checkpoint.under("alpha", self.alpha),
            **checkpoint.under("adam/", checkpoint.optimiser_state(self.optimiser)),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another space's."""
        alpha = checkpoint.part("alpha", tensors)
        if alpha.keys() != self.alpha.keys():
            unlike = sorted(alpha.keys() ^ self.alpha.keys())
            raise CheckpointError(f"the checkpoint's decisions are not the space's: {unlike}")
        with torch.no_grad():
            for path, a in self.alpha.items():
                a.copy_(alpha[path])
        checkpoint.restore_optimiser(self.optimiser, checkpoint.part("adam/", tensors))
