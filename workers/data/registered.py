"""Registered data sets: one checked file each, split after split."""

from pathlib import Path

import torch
from torch import Tensor

from app.experiment import SPLITS, Dataset, Split
from workers.data.images import Images, check_splits
from workers.ingest.errors import DataError
from workers.ingest.keeping import opened


def load_registered(dataset: Dataset, data_root: Path) -> Images:
    """The images of a registered data set. Raises DataError where its file is not there or not as it was written."""
    assert dataset.stored is not None, "chosen by it"
    pixels, labels = opened(data_root, dataset.stored)
    ends = torch.tensor([0, *(dataset.splits[split] for split in SPLITS)]).cumsum(0).tolist()
    if ends[-1] != len(pixels):
        raise DataError(f"splits of {ends[-1]} images in all, but there are {len(pixels)}", dataset.name)
    indices: dict[Split, Tensor] = {split: torch.arange(ends[i], ends[i + 1]) for i, split in enumerate(SPLITS)}
    check_splits(dataset, indices)
    return Images(
        dataset=dataset,
        pixels=torch.from_numpy(pixels),
        labels=torch.from_numpy(labels),
        levels=dataset.stored.levels,
        indices=indices,
    )
