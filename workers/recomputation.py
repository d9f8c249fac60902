"""Recomputation: what is computed anew in the backward pass instead of being kept for it.

Chen, Xu, Zhang and Guestrin, "Training Deep Nets with Sublinear Memory Cost" (2016), arXiv:1604.06174. Results and
gradients are what they are otherwise: running statistics move once, and generators draw the same again.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint


def recomputed(
    work: Callable[..., Any], *inputs: Tensor, norms: Sequence[_BatchNorm], generator: torch.Generator | None = None
) -> Any:
    """`work(*inputs)`, of which only the inputs are kept.

    `norms` are those that the work normalises by, `generator` is what it draws from. Differentiable as often as the
    work is.
    """
    again = _Again(norms, generator)
    return checkpoint(
        work, *inputs, use_reentrant=False, preserve_rng_state=False, context_fn=lambda: (nullcontext(), again)
    )


def norms_of(network: nn.Module) -> tuple[_BatchNorm, ...]:
    """The batch normalisations of a network, each once."""
    return tuple(m for m in network.modules() if isinstance(m, _BatchNorm))


class _Again(AbstractContextManager[None]):
    """Within, running statistics stay as they are, and what was drawn is drawn again; entered once a backward pass."""

    def __init__(self, norms: Sequence[_BatchNorm], generator: torch.Generator | None) -> None:
        self._norms, self._generator = norms, generator
        self._drawn = None if generator is None else generator.get_state()

    def __enter__(self) -> None:
        self._momenta = [norm.momentum for norm in self._norms]
        for norm in self._norms:
            norm.momentum = 0.0
        if self._generator is not None and self._drawn is not None:
            self._now = self._generator.get_state()
            self._generator.set_state(self._drawn)

    def __exit__(self, *raised: object) -> None:
        for norm, momentum in zip(self._norms, self._momenta, strict=True):
            norm.momentum = momentum
        if self._generator is not None:
            self._generator.set_state(self._now)
