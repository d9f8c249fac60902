"""Accuracy of a network on a split, and batch statistics measured anew.

Shapes: B images, C channels, H × W pixels.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from app.experiment import Split
from workers.data.images import Images, Normalisation
from workers.training.augment import normalised
from workers.training.metrics import Tally
from workers.training.micro_batches import MicroBatches
from workers.training.tasks import task_for

Forward = Callable[[Tensor], Tensor | tuple[Tensor, ...]]
BATCH = 256


@contextmanager
def mode(network: nn.Module, training: bool) -> Iterator[None]:
    """Within, the network is in training or in evaluation mode; afterwards as it was."""
    before = network.training
    network.train(training)
    try:
        yield
    finally:
        network.train(before)


def split_batches(
    images: Images, split: Split, normalisation: Normalisation, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """A split's images in order: float32 (B, C, H, W), int64 (B, ...)."""
    pixels, labels = images.of(split)
    for start in range(0, len(labels), BATCH):
        batch = pixels[start : start + BATCH].to(device)
        yield normalised(batch, normalisation, images.levels), labels[start : start + BATCH].to(device)


@torch.no_grad()
def evaluate(
    network: nn.Module,
    forward: Forward,
    images: Images,
    split: Split,
    normalisation: Normalisation,
    device: torch.device,
) -> Tally:
    """Loss, accuracy and what else the data set's task measures, in evaluation mode.

    `forward` is the network, or the network at some decision weights. Where memory is short fewer images are
    computed at a time, which changes no answer.
    """
    batches = MicroBatches(lambda text: None)

    def answers(x: Tensor, labels: Tensor) -> list[tuple[Tensor | tuple[Tensor, ...], Tensor]]:
        return [(forward(x[part.rows]), labels[part.rows]) for part in batches.of(len(labels))]

    task, tally = task_for(images.dataset), Tally.empty(device)
    measure = task.measure()
    with mode(network, training=False):
        for x, labels in split_batches(images, split, normalisation, device):
            for output, of_part in batches.compute(len(labels), partial(answers, x, labels)):
                tally.add(task.loss(output, of_part), task.hits(output, of_part), len(of_part))
                measure.add(output, of_part)
    tally.more = measure.metrics()
    return tally


@torch.no_grad()
def recalibrate(network: nn.Module, forward: Forward, batches: Iterator[tuple[Tensor, Tensor]]) -> int:
    """Replaces every batch normalisation's running statistics by their average over the batches; returns how many.

    Statistics gathered by a supernet are of a mixture that the discretised network does not compute (as in BigNAS,
    Yu et al., 2020, section 3.5).
    """
    norms = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a cumulative average
    count = 0
    with mode(network, training=True):
        for x, _ in batches:
            forward(x)
            count += 1
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return count
