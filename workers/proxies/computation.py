"""What computes each proxy, and all that is asked for on one network. What each is: `app.experiment.PROXIES`."""

import copy
import math
from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from workers.proxies.definition import Function, Score, Undefined
from workers.proxies.saliency import fisher, grad_norm, grasp, snip, synflow
from workers.proxies.separation import jacov, naswot
from workers.proxies.sizes import macs, params
from workers.proxies.zen import zen
from workers.training.classification import Classification
from workers.training.determinism import seeded
from workers.training.tasks import Task

CLASSIFICATION = Classification()

FUNCTIONS: Mapping[str, Function] = {
    "synflow": synflow,
    "snip": snip,
    "grasp": grasp,
    "fisher": fisher,
    "grad_norm": grad_norm,
    "jacov": jacov,
    "naswot": naswot,
    "zen": zen,
    "params": params,
    "macs": macs,
}


def compute(
    names: Collection[str],
    network: nn.Module,
    batch: tuple[Tensor, Tensor],
    seed: int,
    task: Task = CLASSIFICATION,
) -> dict[str, Score]:
    """The named proxies of a network as it stands, in that order; the same for the same arguments.

    batch   images (N, C, H, W) of the network's type and device, labels int64 (N,), or as the task has them

    Each runs in training mode, with the statistics of the batch, on a copy of its own: the network's parameters,
    buffers, gradients, hooks and mode, and torch's generators, are afterwards as they were. What is not defined, or not
    finite, is None with the reason. Raises ValueError where a name is unknown or the batch is none.
    """
    unknown = [name for name in names if name not in FUNCTIONS]
    if unknown:
        raise ValueError(f"no proxy {unknown[0]!r}; there are {list(FUNCTIONS)}")
    images, labels = batch
    check(images, labels, task)
    return {name: _score(name, FUNCTIONS[name], network, images, labels, seed, task) for name in names}


def check(images: Tensor, labels: Tensor, task: Task) -> None:
    """Raises ValueError unless these are images with their labels."""
    if images.dim() != 4 or not len(images):
        raise ValueError(f"images: {tuple(images.shape)}, expected (N, C, H, W) of at least one image")
    if not isinstance(task, Classification):
        return  # checked where the data set was read
    if labels.dtype != torch.int64 or tuple(labels.shape) != (len(images),):
        raise ValueError(f"labels: {labels.dtype} {tuple(labels.shape)}, expected torch.int64 ({len(images)},)")
    if int(labels.min()) < 0:
        raise ValueError(f"labels: {int(labels.min())}, expected classes from 0")


def _score(
    name: str, function: Function, network: nn.Module, images: Tensor, labels: Tensor, seed: int, task: Task
) -> Score:
    with seeded(seed, "proxy", name), torch.enable_grad():
        own = copy.deepcopy(network).train().requires_grad_(True)
        try:
            value = function(own, images.detach(), labels, task)
        except Undefined as why:
            return Score(None, str(why))
    if not math.isfinite(value):
        return Score(None, f"{name} is {value}: it does not fit into a number of this network's type")
    return Score(value)
