"""What a proxy computes, and what it reads of a network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

Function = Callable[[nn.Module, Tensor, Tensor], float]
"""(network, images (N, C, H, W), labels (N,)) -> the score. It may alter its network; raises Undefined."""


class Undefined(ValueError):
    """A proxy has no value for this network; the message says why."""


@dataclass(frozen=True, slots=True)
class Score:
    """A finite value, or None and the reason."""

    value: float | None
    reason: str | None = None


def maps(network: nn.Module) -> list[nn.Conv2d | nn.Linear]:
    """The convolutions and linear maps of a network. Raises Undefined where it has none."""
    found = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    if not found:
        raise Undefined("the network has no convolution and no linear map")
    return found


def weights(network: nn.Module) -> list[Tensor]:
    """The weights of its convolutions and linear maps, without biases. Raises Undefined where it has none."""
    return [module.weight for module in maps(network)]


def logits(network: nn.Module, images: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, K): the first output, without those of auxiliary heads. Raises Undefined."""
    output: Any = network(images)
    first = output[0] if isinstance(output, tuple | list) else output
    if first.dim() != 2 or len(first) != len(images):
        raise Undefined(f"the first output is {tuple(first.shape)}, no logits of {len(images)} images (N, K)")
    return first


def loss(network: nn.Module, images: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
    """Cross-entropy of a batch in nats. Raises Undefined, or ValueError where a label is no class."""
    scores = logits(network, images)
    if int(labels.max()) >= scores.shape[1]:
        raise ValueError(f"label {int(labels.max())} is none of the network's classes 0..{scores.shape[1] - 1}")
    return F.cross_entropy(scores, labels, reduction=reduction)
