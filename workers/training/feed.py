"""Batches of a data set for training and for evaluation, on the device that computes.

Shapes: B images, C channels, H × W pixels.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from app.experiment import Split
from workers.data.images import Images
from workers.training.augment import Augmentation, augmented_and_moved, normalised
from workers.training.determinism import generator
from workers.training.tasks import task_for

DEVICE_SHARE = 0.25  # of the free device memory that the images may take before they stay with the CPU


def fits(images: Images, device: torch.device) -> bool:
    """Whether the whole set may live on the device beside the work."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return images.size_bytes <= DEVICE_SHARE * free


class Feed:
    """Augmented training batches of some splits. The order of epoch e is a function of (seed, stream, e) alone.

    An epoch is `steps` batches of exactly `batch_size` images (all of them, where there are fewer); the remainder of
    the shuffled images sits this epoch out. A whole set lives on the device as bytes where it fits.
    """

    def __init__(
        self,
        images: Images,
        splits: tuple[Split, ...],
        *,
        batch_size: int,
        augmentation: Augmentation,
        seed: int,
        stream: str,
        device: torch.device,
    ) -> None:
        pixels, labels = images.of(*splits)
        self.resident = fits(images, device)
        self.pixels, self.labels = (pixels.to(device), labels.to(device)) if self.resident else (pixels, labels)
        self.task = task_for(images.dataset)
        self.normalisation = images.normalisation(*splits)
        self.levels = images.levels
        self.augmentation = augmentation
        self.batch_size = min(batch_size, len(self.labels))
        self.seed, self.stream, self.device = seed, stream, device
        self.generator = generator(seed, stream, "augment", device=device)
        self._order: tuple[int, Tensor] | None = None

    @property
    def steps(self) -> int:
        """Batches an epoch."""
        return len(self.labels) // self.batch_size

    def order(self, epoch: int) -> Tensor:
        """int64 (N,): the shuffle of one epoch, or of one pass where a feed is read faster than once an epoch."""
        if self._order is None or self._order[0] != epoch:
            shuffled = torch.randperm(len(self.labels), generator=generator(self.seed, self.stream, "order", epoch))
            self._order = epoch, shuffled.to(self.pixels.device)
        return self._order[1]

    def batch(self, number: int) -> tuple[Tensor, Tensor]:
        """Batch `number` counted from the first epoch on: float32 (B, C, H, W) and int64 (B, ...)."""
        epoch, step = divmod(number, self.steps)
        chosen = self.order(epoch)[step * self.batch_size : (step + 1) * self.batch_size]
        pixels, labels = self.pixels[chosen].to(self.device), self.labels[chosen].to(self.device)
        how = self.augmentation, self.normalisation, self.levels, self.generator
        x, movement = augmented_and_moved(pixels, *how)
        return x, self.task.moved(labels, movement)

    def plain(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Every image once, in order, normalised and otherwise untouched."""
        for start in range(0, len(self.labels), batch_size):
            pixels = self.pixels[start : start + batch_size].to(self.device)
            labels = self.labels[start : start + batch_size].to(self.device)
            yield normalised(pixels, self.normalisation, self.levels), labels
