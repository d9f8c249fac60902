"""How differently a network treats the images of a batch."""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from workers.proxies.definition import Undefined, total
from workers.training.tasks import Task

SMALL = 1e-5  # keeps the logarithm and the inverse of an eigenvalue of 0 finite
ROUNDING = 1e-12  # relative: less is a difference of equal numbers


def jacov(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """-Σ (log(σᵢ + k) + 1/(σᵢ + k)), σ the eigenvalues of the correlations of Jₙ = ∂Σ answers/∂xₙ, k = 1e-5.

    Largest, -N, where no two images have correlated gradients. (Mellor et al., 2020, the first version of
    arXiv:2006.04647; Abdelfattah et al., 2021)
    """
    several(images)
    x = images.detach().clone().requires_grad_()
    out = total(network, x, task)
    if not out.requires_grad:
        raise Undefined("the output does not depend on the image")
    (jacobian,) = torch.autograd.grad(out, x, allow_unused=True)
    if jacobian is None:
        raise Undefined("the output does not depend on the image")
    rows = jacobian.flatten(1).double()
    around = rows - rows.mean(1, keepdim=True)
    lengths = around.norm(dim=1, keepdim=True)
    if bool((lengths <= ROUNDING * rows.norm(dim=1, keepdim=True)).any()):
        raise Undefined("the gradient of an image is constant, so that it has no correlation with another")
    if not bool(lengths.isfinite().all()):
        return math.nan
    rows = around / lengths
    eigenvalues = torch.linalg.eigvalsh(rows @ rows.T).clamp_min(0) + SMALL
    return -(eigenvalues.log() + 1 / eigenvalues).sum().item()


def naswot(network: nn.Module, images: Tensor, labels: Tensor, task: Task) -> float:
    """log |det K|, Kᵢⱼ the number of ReLUs that are on for both images i and j or off for both.

    (Mellor et al., 2021)
    """
    several(images)
    patterns = Patterns()
    with torch.no_grad(), patterns:
        network(images)
    if patterns.kernel is None:
        raise Undefined("the network has no ReLU")
    if int(torch.linalg.matrix_rank(patterns.kernel, hermitian=True)) < len(images):
        raise Undefined("the patterns of the images are not independent: the determinant is 0")
    return torch.linalg.slogdet(patterns.kernel).logabsdet.item()


class Patterns(TorchDispatchMode):
    """Sums the kernel over every ReLU and ReLU6 that runs, whether a module, a function or in place.

    kernel   (N, N) float64, None before the first; units   how many ReLUs there are for one image
    """

    def __init__(self) -> None:
        super().__init__()
        self.units = 0
        self.kernel: Tensor | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        name = func.overloadpacket.__name__.rstrip("_")
        if name == "relu" or (name == "hardtanh" and len(args) > 1 and args[1] == 0):
            self.add(output)
        return output

    def add(self, output: Tensor) -> None:
        """Takes the values of one layer, (N, ...)."""
        on = (output > 0).flatten(1).float()
        both, counts = (on @ on.T).double(), on.sum(1).double()
        agreed = on.shape[1] - counts[:, None] - counts[None, :] + 2 * both  # on for both, or off for both
        self.kernel = agreed if self.kernel is None else self.kernel + agreed
        self.units += on.shape[1]


def several(images: Tensor) -> None:
    """Raises Undefined where there are no two images to tell apart."""
    if len(images) < 2:
        raise Undefined("the batch has one image: there is nothing to tell it from")
