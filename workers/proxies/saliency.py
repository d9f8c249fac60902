"""How much the loss, or the flow through the network, hangs on its weights and feature maps.

L is the loss of the batch by its task (of a classification the cross-entropy), w the weights of convolutions and linear
maps. A weight that the output does not depend on has a gradient of 0.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from workers.proxies.definition import Undefined, loss, maps, total, weights
from workers.training.tasks import Task

NORMALISATIONS = (nn.BatchNorm2d, nn.LayerNorm)


def synflow(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """Σ |∂R/∂w w|, R the sum of all that is said of an image of ones, of |parameters| and without normalisation.

    In float64: without normalisation the flow of a deep network passes what float32 can hold. (Tanaka et al., 2020)
    """
    network.double()
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, NORMALISATIONS):
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    w = weights(network)
    ones = torch.ones_like(images[:1], dtype=torch.float64)
    found = gradients(total(network, ones, task), w)
    return products(w, [g.abs() for g in found]).item()  # w is not negative


def snip(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """Σ |∂L/∂w w| (Lee et al., 2019)."""
    w = weights(network)
    found = gradients(loss(network, images, labels, task), w)
    return products([x.abs() for x in w], [g.abs() for g in found]).item()


def grad_norm(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """Σ ‖∂L/∂w‖₂, one term a layer (Abdelfattah et al., 2021)."""
    found = gradients(loss(network, images, labels, task), weights(network))
    return sum(g.double().norm().item() for g in found)


def grasp(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """-Σ (H g) w, g = ∂L/∂w and H the Hessian of L (Wang et al., 2020), at temperature 1."""
    w = weights(network)
    with sdpa_kernel(SDPBackend.MATH):  # the others have no second derivative
        g = gradients(loss(network, images, labels, task), w, again=True)
        curved = sum((x * x.detach()).sum() for x in g)
        assert isinstance(curved, Tensor)
        if not curved.requires_grad:
            raise Undefined("the loss does not depend on the weights")
        try:
            product = gradients(curved, w)
        except RuntimeError as error:
            if "is not implemented" not in str(error):
                raise
            raise Undefined(f"torch has no second derivative: {error}") from error
    return 0.0 - products(w, product).item()


def fisher(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """Σ over channels of 1/2N Σₙ (Σ a ∂Lₙ/∂a)², a the values of a channel of image n, Lₙ the loss of image n.

    The channels are those that convolutions and linear maps put out. (Theis et al., 2018; Turner et al., 2020)
    """
    values: list[tuple[Tensor, int]] = []

    def keep(module: nn.Module, _: object, output: Tensor) -> None:
        values.append((output, 1 if isinstance(module, nn.Conv2d) else output.dim() - 1))

    for module in maps(network):
        module.register_forward_hook(keep)
    summed = loss(network, images, labels, task) * len(images)  # it is a mean over images
    found = gradients(summed, [value for value, _ in values])
    score = 0.0
    for (value, channels), g in zip(values, found, strict=True):
        felt = (value.detach() * g).double().movedim(channels, 1).reshape(len(images), g.shape[channels], -1)
        score += felt.sum(2).square().sum().item() / (2 * len(images))
    return score


def gradients(value: Tensor, of: Sequence[Tensor], *, again: bool = False) -> list[Tensor]:
    """The gradient of a number; `again` where it is differentiated once more. Raises Undefined where it has none."""
    if not value.requires_grad:
        raise Undefined("the output does not depend on the weights")
    found = torch.autograd.grad(value, list(of), create_graph=again, allow_unused=True)
    return [torch.zeros_like(x) if g is None else g for x, g in zip(of, found, strict=True)]


def products(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    """Σ a b over all their numbers, summed in float64."""
    return torch.stack([(x.detach().double() * y.detach().double()).sum() for x, y in zip(a, b, strict=True)]).sum()
