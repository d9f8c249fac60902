"""DARTS: Liu, Simonyan and Yang, "DARTS: Differentiable architecture search" (2019), arXiv:1806.09055.

    first order     α ← Adam step on ∇_α L_architecture(w, α)                        ξ = 0 in the paper's equation 6
    second order    α ← Adam step on ∇_α L_architecture(w', α) - ξ ∇²_αw L_weights(w, α) ∇_w' L_architecture(w', α)
                    w' = w - ξ (μ m + ∇_w L_weights(w, α) + λ w)                     equation 7
    both            w ← SGD step on ∇_w L_weights(w, α)

alternating, one batch each, as in quark0/darts `cnn/train_search.py` without and with `--unrolled`. The product with
the second derivatives is a central difference (equation 8), or exact by differentiating twice.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from app.experiment import SearchRecipe
from workers.strategies.alpha import Alphas
from workers.strategies.protocol import Loss
from workers.supernet.weights import Relaxed, Weights, soft_weights

Tensors = Sequence[Tensor]
Gradients = Sequence[Tensor | None]


class Darts:
    """Softmax over α, learnt by Adam on the architecture split; one of `workers.strategies.Strategy`."""

    def __init__(self, relaxed: tuple[Relaxed, ...], recipe: SearchRecipe, *, seed: int, device: torch.device) -> None:
        self.alpha = Alphas(relaxed, recipe, seed=seed, device=device)

    def reach(self, share: float) -> None:
        """Nothing here depends on how far the search is."""

    def draw(self) -> Weights:
        """The softmax weights, detached."""
        return self.settled()

    def students(self) -> tuple[Weights, ...]:
        """None."""
        return ()

    def learn(self, loss: Loss) -> None:
        """One Adam step on α."""
        self.alpha.learn(lambda: loss(self._weights()))

    @torch.no_grad()
    def settled(self) -> Weights:
        """The softmax weights at the present α."""
        return self._weights()

    def relaxed_weights(self) -> Weights:
        """The same, differentiable in α."""
        return self._weights()

    def state(self) -> dict[str, Tensor]:
        """See `Alphas`."""
        return self.alpha.state()

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """See `Alphas`."""
        self.alpha.restore(tensors)

    def _weights(self) -> Weights:
        return soft_weights(self.alpha.relaxed, self.alpha.values, self.alpha.like)


class SecondOrderDarts(Darts):
    """The same, looking one step of the weights ahead."""

    NEAR = 0.01  # length of the difference's step in the weights; the paper's

    def __init__(
        self,
        relaxed: tuple[Relaxed, ...],
        recipe: SearchRecipe,
        *,
        seed: int,
        device: torch.device,
        exact: bool = False,
    ) -> None:
        """`exact`: differentiate twice, which keeps the graph of a backward pass in memory."""
        super().__init__(relaxed, recipe, seed=seed, device=device)
        self.exact = exact

    def learn(self, loss: Loss) -> None:
        """One Adam step on α. The network's weights are what they were afterwards."""
        alphas, parameters = [*self.alpha.values.values()], loss.parameters
        if not alphas:
            return
        ahead = torch.autograd.grad(loss.training(self.settled()), parameters, allow_unused=True)
        with loss.ahead(ahead) as xi:
            found = torch.autograd.grad(loss(self._weights()), [*alphas, *parameters], allow_unused=True)
        direct, towards = found[: len(alphas)], found[len(alphas) :]
        mixed = (self._differentiated if self.exact else self._differenced)(loss, alphas, parameters, towards)
        gradients: list[Tensor | None] = []
        for along, through in zip(direct, mixed, strict=True):
            turned = None if through is None else -xi * through
            gradients.append(
                along + turned if along is not None and turned is not None else turned if along is None else along
            )
        self.alpha.step(gradients)

    def _differentiated(self, loss: Loss, alphas: Tensors, parameters: Tensors, towards: Gradients) -> Gradients:
        """∇_α (∇_w L_weights · v), exactly."""
        first = torch.autograd.grad(loss.training(self._weights()), parameters, create_graph=True, allow_unused=True)
        products = [(g * v).sum() for g, v in zip(first, towards, strict=True) if g is not None and v is not None]
        total = torch.stack(products).sum() if products else None
        if total is None or not total.requires_grad:
            return [None] * len(alphas)
        return torch.autograd.grad(total, alphas, allow_unused=True)

    def _differenced(self, loss: Loss, alphas: Tensors, parameters: Tensors, towards: Gradients) -> Gradients:
        """The same by a central difference along v."""
        if all(v is None for v in towards):
            return [None] * len(alphas)
        norm = torch.stack([v.norm() for v in towards if v is not None]).norm()
        length = self.NEAR / norm.clamp_min(torch.finfo(norm.dtype).tiny)
        before = [p.detach().clone() for p in parameters]
        sides: list[Gradients] = []
        try:
            for sign in (1.0, -1.0):
                with torch.no_grad():
                    for p, value, v in zip(parameters, before, towards, strict=True):
                        p.copy_(value if v is None else value + sign * length * v)
                sides.append(torch.autograd.grad(loss.training(self._weights()), alphas, allow_unused=True))
        finally:
            with torch.no_grad():
                for p, value in zip(parameters, before, strict=True):
                    p.copy_(value)
        return [
            None if above is None or below is None else (above - below) / (2 * length)
            for above, below in zip(*sides, strict=True)
        ]
