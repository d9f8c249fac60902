"""The Zen-score: how far a small change of the input moves the feature map, normalisation taken out again."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from workers.proxies.definition import Undefined, maps
from workers.training.classification import Classification
from workers.training.tasks import Task

STEP = 0.01  # of the change of the input, which is itself of unit variance


def zen(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """log E‖f(x) - f(x + 0.01 ε)‖ + Σ log √(mean of σ²), with weights, x and ε from the unit normal distribution.

    f is the map before the last global average pooling; σ² are the variances of the channels that enter a batch
    normalisation, one term for each. One whose input is constant scales nothing and has no term. Skip connections
    stay: in a cell they are choices of the search. Only the shape of the images is read. (Lin et al., 2021)
    """
    if not isinstance(task, Classification):
        raise Undefined("it is of a classifier's map before its last pooling; this network answers with maps")
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    if not norms:
        raise Undefined("the network has no batch normalisation")
    redraw(network, norms)
    x, noise = normal_like(images), normal_like(images)
    variances: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        variances.append(inputs[0].double().var((0, 2, 3), correction=0).mean())

    handles = [module.register_forward_pre_hook(keep) for module in norms]
    before = feature_map(network, x)
    for handle in handles:
        handle.remove()
    after = feature_map(network, x + STEP * noise)
    moved = (before - after).double().flatten(1).norm(dim=1).mean()
    if moved == 0:
        raise Undefined("the feature map does not depend on the image")
    scales = torch.stack(variances)
    return (moved.log() + scales[scales > 0].log().sum() / 2).item()


def redraw(network: nn.Module, norms: list[nn.BatchNorm2d]) -> None:
    """Unit normal weights without biases; normalisations that only normalise."""
    with torch.no_grad():
        for module in maps(network):
            module.weight.copy_(normal_like(module.weight))
            if module.bias is not None:
                module.bias.zero_()
        for module in norms:
            if module.affine:
                module.weight.fill_(1)
                module.bias.zero_()


def normal_like(tensor: Tensor) -> Tensor:
    """Drawn by the generator of the CPU, whatever the device."""
    return torch.randn(tensor.shape, dtype=tensor.dtype).to(tensor.device)


def feature_map(network: nn.Module, images: Tensor) -> Tensor:
    """(N, C, H, W) before the last global average pooling. Raises Undefined where there is none."""
    pooled = Pooled()
    with torch.no_grad(), pooled:
        network(images)
    if pooled.last is None:
        raise Undefined("the network has no global average pooling")
    return pooled.last


class Pooled(TorchDispatchMode):
    """Keeps what the last mean over height and width was taken of."""

    def __init__(self) -> None:
        super().__init__()
        self.last: Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch.ops.aten.mean.dim and args[0].dim() == 4 and {d % 4 for d in args[1]} == {2, 3}:
            self.last = args[0]
        return func(*args, **(kwargs or {}))
