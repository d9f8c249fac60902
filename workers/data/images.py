"""A data set in memory: every image as bytes, and which of them belong to which split.

Shapes: N images, C channels, H × W pixels, K places for boxes.

    task              labels, int64
    classification    (N,)         a class
    segmentation      (N, H, W)    a class a pixel, VOID where there is none
    detection         (N, K, 5)    class, left, top, right, bottom in pixels, the last two beyond the box;
                                   a place without a box has the class VOID
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.experiment import SPLITS, Dataset, Split
from workers.ingest.errors import DataError

VOID = -1  # the class of what is nothing: neither learnt nor judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Normalisation:
    """Mean and standard deviation of each channel on the scale [0, 1], measured on the named splits."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    splits: tuple[Split, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Images:
    """A whole data set as uint8; its splits are indices and never overlap."""

    dataset: Dataset
    pixels: Tensor  # uint8 (N, C, H, W)
    labels: Tensor  # int64, see above
    levels: int  # the largest value a pixel can have: 255, or 16 for the digits
    indices: Mapping[Split, Tensor]  # int64, ascending

    def __post_init__(self) -> None:
        expected = (self.dataset.input.channels, self.dataset.input.height, self.dataset.input.width)
        if self.pixels.dtype != torch.uint8 or tuple(self.pixels.shape[1:]) != expected:
            found = f"{self.pixels.dtype} images of {tuple(self.pixels.shape[1:])}"
            raise DataError(f"{found}, expected torch.uint8 images of {expected}", self.dataset.name)
        if len(self.labels) != len(self.pixels):
            raise DataError(f"{len(self.pixels)} images but {len(self.labels)} labels", self.dataset.name)
        self._check_shape()
        classes, least = self.labels, 0
        if self.dataset.task != "classification":
            classes, least = self.labels if self.dataset.task == "segmentation" else self.labels[..., 0], VOID
        if classes.numel() and not least <= int(classes.min()) <= int(classes.max()) < self.dataset.num_classes:
            span = f"{int(classes.min())} to {int(classes.max())}"
            allowed = f"{least}..{self.dataset.num_classes - 1}"
            raise DataError(f"labels run from {span}, not within {allowed}", self.dataset.name)

    def _check_shape(self) -> None:
        n, height, width = len(self.pixels), self.dataset.input.height, self.dataset.input.width
        wanted: tuple[int | None, ...]
        match self.dataset.task:
            case "classification":
                wanted = (n,)
            case "segmentation":
                wanted = (n, height, width)
            case "detection":
                wanted = (n, None, 5)
        found = tuple(self.labels.shape)
        fits = len(found) == len(wanted) and all(w in (None, f) for w, f in zip(wanted, found, strict=True))
        if self.labels.dtype != torch.int64 or not fits:
            expected = tuple("K" if w is None else w for w in wanted)
            message = f"labels: {self.labels.dtype} {found}, expected torch.int64 {expected} for {self.dataset.task}"
            raise DataError(message, self.dataset.name)

    def of(self, *splits: Split) -> tuple[Tensor, Tensor]:
        """Pixels uint8 (N, C, H, W) and labels int64 (N, ...) of some splits together, on the set's device."""
        for split in splits:
            if split not in self.indices:
                raise DataError(f"{self.dataset.name} has no split {split!r}; it has {sorted(self.indices)}")
        chosen = torch.cat([self.indices[split] for split in splits]).to(self.pixels.device)
        return self.pixels[chosen], self.labels[chosen]

    def normalisation(self, *splits: Split) -> Normalisation:
        """Channel statistics of these splits, which must be the ones that are fitted to."""
        pixels, _ = self.of(*splits)
        scaled = pixels.double() / self.levels
        deviation, mean = torch.std_mean(scaled, dim=(0, 2, 3), correction=0)
        return Normalisation(mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()), splits=splits)

    def to(self, device: torch.device) -> "Images":
        """The set with its bytes on a device."""
        return replace(self, pixels=self.pixels.to(device), labels=self.labels.to(device))

    @property
    def size_bytes(self) -> int:
        """Bytes that the pixels and labels take."""
        return self.pixels.nbytes + self.labels.nbytes


def check_splits(dataset: Dataset, indices: Mapping[Split, Tensor]) -> None:
    """Raises DataError unless the indices are disjoint and as many as the data set says."""
    for split in SPLITS:
        if len(indices[split]) != dataset.splits[split]:
            found = f"split {split!r} has {len(indices[split])} images, not {dataset.splits[split]}"
            raise DataError(found, dataset.name)
    together = torch.cat([indices[split] for split in SPLITS])
    if len(together.unique()) != len(together):
        raise DataError("an image is in two splits", dataset.name)
