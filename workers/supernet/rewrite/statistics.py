"""What a normalisation normalises by, taken apart from the normalising: (2, C), mean and variance of each channel."""

import torch
from torch import Tensor

from workers.primitives.normalisation import BatchNorm
from workers.scales import Entry
from workers.supernet.native import usable


def statistics(norm: BatchNorm, x: Tensor, given: Tensor | None, *, moves: bool = True) -> Tensor:
    """Of x (B, C, H, W) in training, where nothing is `given`; the running ones otherwise.

    `moves`: the running statistics follow, as they do in a forward pass. Raises ValueError for one value a channel.
    """
    mean, variance = norm.running_mean, norm.running_var
    assert mean is not None
    assert variance is not None
    if not norm.training:
        return torch.stack([mean, variance])
    places = x.numel() // norm.num_features
    if places == 1:
        raise ValueError(f"batch statistics of one value a channel: the input is {tuple(x.shape)}")
    if not usable(x):  # nothing here reads them
        if moves:
            norm(x.detach())
        return x.new_empty(0)
    found = torch.ops.cellar.moments(x) if given is None else given
    if moves:
        momentum = norm.momentum
        if momentum is None:
            norm.batches += 1
            momentum = 1.0 / norm.batches
        if momentum:
            torch.ops.cellar.absorb([found], [mean], [variance], momentum, places)
    return found


def applied(norm: BatchNorm, x: Tensor, scale: Entry) -> Tensor:
    """What `norm(x, scale)` answers, without moving its running statistics."""
    mean, variance = (None, None) if norm.training else (norm.running_mean, norm.running_var)
    y = torch.batch_norm(
        x,
        norm.weight,
        norm.bias,
        mean,
        variance,
        norm.training,
        0.0,
        norm.eps,
        torch.backends.cudnn.enabled,
    )
    return y if not isinstance(scale, Tensor) and scale == 1 else y * scale
