"""DARTS, first order: Liu, Simonyan and Yang, "DARTS: Differentiable architecture search" (2019).

    α ← Adam step on ∇_α L_architecture(w, α)      (ξ = 0 in the paper's equation 6)
    w ← SGD step on ∇_w L_weights(w, α)

alternating, one batch each, as in quark0/darts `cnn/train_search.py` without `--unrolled`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from app.experiment import SearchRecipe
from workers.strategies.alpha import Alphas
from workers.strategies.protocol import Loss
from workers.supernet.weights import Relaxed, Weights, soft_weights


class Darts:
    """Softmax over α, learnt by Adam on the architecture split; one of `workers.strategies.Strategy`."""

    def __init__(self, relaxed: tuple[Relaxed, ...], recipe: SearchRecipe, *, seed: int, device: torch.device) -> None:
        self.alpha = Alphas(relaxed, recipe, seed=seed, device=device)

    def reach(self, share: float) -> None:
        """Nothing here depends on how far the search is."""

    def draw(self) -> Weights:
        """The softmax weights, detached."""
        return self.settled()

    def learn(self, loss: Loss) -> None:
        """One Adam step on α."""
        self.alpha.learn(lambda: loss(self._weights()))

    @torch.no_grad()
    def settled(self) -> Weights:
        """The softmax weights at the present α."""
        return self._weights()

    def state(self) -> dict[str, Tensor]:
        """See `Alphas`."""
        return self.alpha.state()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Alphas`."""
        self.alpha.restore(tensors)

    def _weights(self) -> Weights:
        return soft_weights(self.alpha.relaxed, self.alpha.values, self.alpha.like)
