"""Weighted sums: what a mixed operation does with the outputs of its options."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def weighted_sum(weights: Tensor, indices: Sequence[int], terms: Sequence[Tensor]) -> Tensor:
    """Σ weights[indices[i]] · terms[i], in one buffer.

    weights (O,), terms all of one shape -> that shape. The gradient of a weight is the dot product of the incoming
    gradient with its term, so no product of the size of a term is ever kept. First derivatives only.
    """
    dtype = terms[0].dtype
    if any(term.dtype != dtype for term in terms):  # under autocast some options are computed in another precision
        for term in terms:
            dtype = torch.promote_types(dtype, term.dtype)
        terms = [term.to(dtype) for term in terms]
    return _WeightedSum.apply(weights, tuple(indices), *terms)  # pyright: ignore[reportReturnType]


def flat(x: Tensor) -> Tensor:
    """The elements of a tensor in the order in which they lie, without a copy where they lie densely."""
    if x.ndim == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last):
        return x.permute(0, 2, 3, 1).reshape(-1)
    return x.reshape(-1)


class _WeightedSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weights: Tensor, indices: tuple[int, ...], *terms: Tensor) -> Tensor:
        ctx.indices = indices
        ctx.save_for_backward(weights, *terms)
        scales = weights.unbind(0)
        total = terms[0] * scales[indices[0]]
        for i, term in zip(indices[1:], terms[1:], strict=True):
            total.addcmul_(term, scales[i])
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (gradient,) = gradients
        weights, *terms = ctx.saved_tensors
        to_weights: Tensor | None = None
        if ctx.needs_input_grad[0]:
            dots: dict[int, Tensor] = {}
            for i, term in zip(ctx.indices, terms, strict=True):
                dot = _dot(gradient, term)
                dots[i] = dots[i] + dot if i in dots else dot
            nothing = gradient.new_zeros(())
            to_weights = torch.stack([dots.get(i, nothing) for i in range(len(weights))]).to(weights.dtype)
        scales = weights.unbind(0)
        to_terms = [
            gradient * scales[i] if needed else None
            for i, needed in zip(ctx.indices, ctx.needs_input_grad[2:], strict=True)
        ]
        return to_weights, None, *to_terms


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Σ a · b over all elements."""
    if a.stride() == b.stride():
        return torch.dot(flat(a), flat(b))
    return torch.dot(flat(a.contiguous()), flat(b.contiguous()))
