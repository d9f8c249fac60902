"""The splits of a built-in data set as tensors of indices."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from app.experiment import Split
from app.experiment.split import drawn
from workers.data.images import DataError


def stratified(name: str, labels: Sequence[int], sizes: Mapping[Split, int]) -> dict[Split, Tensor]:
    """Indices int64, ascending, of each split. Raises DataError where the sizes do not add up to the images."""
    if sum(sizes.values()) != len(labels):
        raise DataError(f"splits of {sum(sizes.values())} images in all, but there are {len(labels)}", name)
    return {s: torch.tensor(indices, dtype=torch.int64) for s, indices in drawn(name, labels, sizes).items()}
