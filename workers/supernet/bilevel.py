"""The two losses of one step of a bilevel search, and the step of the weights that a strategy may look ahead by.

loss(draws)              on a batch of the split `architecture`; gradients flow into the draws
loss.right(draws)        the share of that batch that is answered rightly
loss.pressure(draws)     what loss(draws) holds of the expected cost
loss.training(draws)     on the batch of `weights` that the network's weights learn from in this step
loss.ahead(gradients)    within, w is w - ξ (μ m + ∇ + λ w): the step that SGD is about to make
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from workers.supernet.weights import Draws


class BilevelLoss:
    """One of `workers.strategies.protocol.Loss`."""

    def __init__(
        self,
        architecture: Callable[[Draws], Tensor],
        training: Callable[[Draws], Tensor],
        optimiser: torch.optim.SGD,
        right: Callable[[Draws], float],
        pressure: Callable[[Draws], Tensor] | None = None,
    ) -> None:
        self._architecture, self._training, self._right = architecture, training, right
        self._pressure = pressure
        self._optimiser = optimiser

    def __call__(self, draws: Draws) -> Tensor:
        """The loss on the split `architecture`: ()."""
        return self._architecture(draws)

    def right(self, draws: Draws) -> float:
        """The share of the batch of `architecture` that is answered rightly, without a gradient."""
        return self._right(draws)

    @torch.no_grad()
    def pressure(self, draws: Draws) -> float:
        """What the loss on `architecture` holds of the expected cost, without a gradient; 0 without pressure."""
        return 0.0 if self._pressure is None else float(self._pressure(draws))

    def training(self, draws: Draws) -> Tensor:
        """The loss on the split `weights`: ()."""
        return self._training(draws)

    @property
    def parameters(self) -> Sequence[Tensor]:
        """The weights of the network."""
        return [p for group in self._optimiser.param_groups for p in group["params"]]

    @contextmanager
    def ahead(self, gradients: Sequence[Tensor | None]) -> Iterator[float]:
        """Within, the weights are one step of SGD further, in place; gives ξ, the learning rate.

        Gradients are clipped by nobody here, as in quark0/darts `cnn/architect.py`.
        """
        (group,) = self._optimiser.param_groups
        xi, momentum, decay = group["lr"], group["momentum"], group["weight_decay"]
        parameters = self.parameters
        before = [p.detach().clone() for p in parameters]
        with torch.no_grad():
            for p, gradient in zip(parameters, gradients, strict=True):
                step = p * decay if gradient is None else gradient + p * decay
                buffer = self._optimiser.state.get(p, {}).get("momentum_buffer")
                p.sub_(step if buffer is None else step + momentum * buffer, alpha=xi)
        try:
            yield xi
        finally:
            with torch.no_grad():
                for p, value in zip(parameters, before, strict=True):
                    p.copy_(value)
