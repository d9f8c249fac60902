"""What a network holds and does for one image."""

import torch
from torch import Tensor, nn

from workers.proxies.definition import maps
from workers.training.tasks import Task


def params(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """Numbers in its parameters, each parameter once."""
    return float(sum(parameter.numel() for parameter in network.parameters()))


def macs(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """Multiply-adds of the convolutions and linear maps that run, for one image."""
    total = 0

    def add(module: nn.Module, _: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(module, nn.Conv2d | nn.Linear)
        total += module.weight[0].numel() * output[0].numel()

    for module in maps(network):
        module.register_forward_hook(add)
    with torch.no_grad():
        network.eval()(images[:1])
    return float(total)
