"""Architecture parameters α of a supernet's decisions, learnt by Adam: what DARTS and its kin have in common."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from app.experiment import SearchRecipe
from app.space import Path
from workers.supernet.weights import Relaxed, initial_alpha
from workers.training import checkpoint
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import generator


class Alphas:
    """One α (O,) for every decision that has one, and Adam's moments of it.

    One α a decision path: cells of one kind name the same decisions, so they share theirs.
    """

    def __init__(self, relaxed: tuple[Relaxed, ...], recipe: SearchRecipe, *, seed: int, device: torch.device) -> None:
        self.relaxed = relaxed
        initial = initial_alpha(relaxed, generator(seed, "alpha"))
        self.values: dict[Path, Tensor] = {path: a.to(device).requires_grad_() for path, a in initial.items()}
        self.like = torch.zeros((), device=device)
        self.optimiser: torch.optim.Optimizer = torch.optim.Adam(
            [*self.values.values()] or [self.like],
            recipe.alpha_learning_rate,
            recipe.alpha_betas,
            weight_decay=recipe.alpha_weight_decay,
        )

    def learn(self, loss: Callable[[], Tensor]) -> None:
        """One Adam step on a loss (); only α's gradients are computed."""
        parameters = [*self.values.values()]
        if not parameters:
            return
        self.step(torch.autograd.grad(loss(), parameters, allow_unused=True))

    def step(self, gradients: Sequence[Tensor | None]) -> None:
        """One Adam step along gradients, one for each of `values`."""
        for parameter, gradient in zip(self.values.values(), gradients, strict=True):
            parameter.grad = gradient
        self.optimiser.step()

    def state(self) -> dict[str, Tensor]:
        """α by path, and Adam's moments."""
        return {
            **checkpoint.under("alpha", self.values),
            **checkpoint.under("adam/", checkpoint.optimiser_state(self.optimiser)),
        }

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Goes on where `state` was taken. Raises CheckpointError where it is another space's."""
        alpha = checkpoint.part("alpha", tensors)
        if alpha.keys() != self.values.keys():
            unlike = sorted(alpha.keys() ^ self.values.keys())
            raise CheckpointError(f"the checkpoint's decisions are not the space's: {unlike}")
        with torch.no_grad():
            for path, a in self.values.items():
                a.copy_(alpha[path])
        checkpoint.restore_optimiser(self.optimiser, checkpoint.part("adam/", tensors))
