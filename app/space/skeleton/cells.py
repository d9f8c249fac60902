"""Stacked cells: DARTS (Liu et al., 2019), NASNet (Zoph et al., 2018)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSkeleton:
    """Stacked cells as in DARTS: each reads the two before it; reductions at a third and two thirds of the depth."""

    family: Literal["cells"] = "cells"
    channels: int = setting(36, "Channels of the first cells; doubled at each reduction", most=1024)
    num_cells: int = setting(20, "Number of cells", most=40)
    stem: Literal["cifar", "imagenet", "cells"] = setting(
        "cifar",
        "What comes before the first cell: a convolution, three with stride 2 (DARTS on ImageNet), or one with "
        "stride 2 and two narrow reduction cells (NASNet on ImageNet)",
    )
    stem_multiplier: int = setting(
        3, "Width of the stem's convolution over `channels`; of stem cells, over 32", most=16
    )
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    norm_after_pool: bool = setting(False, "Batch normalisation after pooling, as DARTS searches")
    auxiliary: bool = setting(False, "An auxiliary classifier after the second reduction")
    num_classes: int = setting(10, "Number of classes of the classifier")
