"""What a proxy computes, and what it reads of a network."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from workers.training.classification import Classification
from workers.training.tasks import Task

Function = Callable[[nn.Module, Tensor, Tensor, Task], float]
"""(network, images (N, C, H, W), labels (N, ...), task) -> the score. It may alter its network; raises Undefined."""


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


def answers(network: nn.Module, images: Tensor, task: Task) -> list[Tensor]:
    """What a network says of images (N, C, H, W), without auxiliary heads: logits (N, K), or maps. Raises Undefined."""
    output: Any = network(images)
    said = list(output) if isinstance(output, tuple | list) else [output]
    if not isinstance(task, Classification):
        return said
    if said[0].dim() != 2 or len(said[0]) != len(images):
        raise Undefined(f"the first output is {tuple(said[0].shape)}, no logits of {len(images)} images (N, K)")
    return said[:1]


def total(network: nn.Module, images: Tensor, task: Task) -> Tensor:
    """The sum of all that a network says: (). Raises Undefined."""
    return torch.stack([said.sum() for said in answers(network, images, task)]).sum()


def loss(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> Tensor:
    """The task's mean loss of a batch: (). Raises Undefined, or ValueError where a label is no class."""
    said = answers(network, images, task)
    if isinstance(task, Classification) and int(labels.max()) >= said[0].shape[1]:
        raise ValueError(f"label {int(labels.max())} is none of the network's classes 0..{said[0].shape[1] - 1}")
    return task.loss(said[0] if len(said) == 1 else tuple(said), labels)
