"""Every proxy by its name, and all that is asked for computed on one network."""

import copy
import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from workers.proxies.definition import Proxy, Score, Undefined
from workers.proxies.saliency import fisher, grad_norm, grasp, snip, synflow
from workers.proxies.separation import jacov, naswot
from workers.proxies.sizes import macs, params
from workers.proxies.zen import zen
from workers.training.determinism import seeded

ABDELFATTAH = "https://arxiv.org/abs/2101.08134"

PROXIES: Mapping[str, Proxy] = {
    proxy.name: proxy
    for proxy in (
        Proxy(
            name="synflow",
            paper="https://arxiv.org/abs/2006.05467",
            formula="Σ |∂R/∂w · w|, R the sum of the logits of an image of ones under |parameters|",
            needs=("classes",),
            function=synflow,
        ),
        Proxy(
            name="snip",
            paper="https://arxiv.org/abs/1810.02340",
            formula="Σ |∂L/∂w · w|",
            needs=("images", "labels", "classes"),
            function=snip,
        ),
        Proxy(
            name="grasp",
            paper="https://arxiv.org/abs/2002.07376",
            formula="-Σ (H ∂L/∂w) · w, H the Hessian of L",
            needs=("images", "labels", "classes"),
            function=grasp,
        ),
        Proxy(
            name="fisher",
            paper="https://arxiv.org/abs/1906.04113",
            formula="Σ over channels of 1/2N Σₙ (Σ a · ∂Lₙ/∂a)²",
            needs=("images", "labels", "classes"),
            function=fisher,
        ),
        Proxy(
            name="grad_norm",
            paper=ABDELFATTAH,
            formula="Σ over layers of ‖∂L/∂w‖₂",
            needs=("images", "labels", "classes"),
            function=grad_norm,
        ),
        Proxy(
            name="jacov",
            paper="https://arxiv.org/abs/2006.04647v1",
            formula="-Σ (log(σᵢ + k) + 1/(σᵢ + k)), σ the eigenvalues of the correlations of ∂Σ logits/∂xₙ, k = 1e-5",
            needs=("images", "classes"),
            function=jacov,
        ),
        Proxy(
            name="naswot",
            paper="https://arxiv.org/abs/2006.04647",
            formula="log |det K|, Kᵢⱼ the number of ReLUs that are on for both images or off for both",
            needs=("images", "relu"),
            function=naswot,
        ),
        Proxy(
            name="zen",
            paper="https://arxiv.org/abs/2102.01063",
            formula="log E‖f(x) - f(x + 0.01 ε)‖ + Σ log √(mean of σ²), all drawn from the unit normal distribution",
            needs=("batch_norm",),
            function=zen,
        ),
        Proxy(name="params", paper=ABDELFATTAH, formula="numbers in the parameters", needs=(), function=params),
        Proxy(
            name="macs",
            paper=ABDELFATTAH,
            formula="multiply-adds of convolutions and linear maps for one image",
            needs=(),
            function=macs,
        ),
    )
}


def compute(names: Collection[str], network: nn.Module, batch: tuple[Tensor, Tensor], seed: int) -> dict[str, Score]:
    """The named proxies of a network as it stands, in that order; the same for the same arguments.

    batch   images (N, C, H, W) of the network's type and device, labels int64 (N,)

    Each runs in training mode, with the statistics of the batch, on a copy of its own: the network's parameters,
    buffers, gradients, hooks and mode, and torch's generators, are afterwards as they were. What is not defined, or not
    finite, is None with the reason. Raises ValueError where a name is unknown or the batch is none.
    """
    unknown = [name for name in names if name not in PROXIES]
    if unknown:
        raise ValueError(f"no proxy {unknown[0]!r}; there are {list(PROXIES)}")
    images, labels = batch
    check(images, labels)
    return {name: _score(PROXIES[name], network, images, labels, seed) for name in names}


def check(images: Tensor, labels: Tensor) -> None:
    """Raises ValueError unless these are images with their labels."""
    if images.dim() != 4 or not len(images):
        raise ValueError(f"images: {tuple(images.shape)}, expected (N, C, H, W) of at least one image")
    if labels.dtype != torch.int64 or tuple(labels.shape) != (len(images),):
        raise ValueError(f"labels: {labels.dtype} {tuple(labels.shape)}, expected torch.int64 ({len(images)},)")
    if int(labels.min()) < 0:
        raise ValueError(f"labels: {int(labels.min())}, expected classes from 0")


def _score(proxy: Proxy, network: nn.Module, images: Tensor, labels: Tensor, seed: int) -> Score:
    with seeded(seed, "proxy", proxy.name), torch.enable_grad():
        own = copy.deepcopy(network).train().requires_grad_(True)
        try:
            value = proxy.function(own, images.detach(), labels)
        except Undefined as why:
            return Score(None, str(why))
    if not math.isfinite(value):
        return Score(None, f"{proxy.name} is {value}: it does not fit into a number of this network's type")
    return Score(value)
