"""Skeletons: what surrounds a genotype and is never decided by it. One dataclass a family, all fields keywords.

family       published in
cells        DARTS (Liu et al., 2019), NASNet: stacked cells, reductions at 1/3 and 2/3
edge_cells   NAS-Bench-201 (Dong and Yang, 2020): three stages of one cell, residual reductions
chain        a plain chain of layers, reductions at given positions
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageInput:
    """One input image: channels, height and width in pixels."""

    channels: int = 3
    height: int = 32
    width: int = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class CellSkeleton:
    """Stacked cells (quark0/darts `cnn/model.py`): each cell reads the two before it."""

    family: Literal["cells"] = "cells"
    channels: int = 36  # width of the first cells; doubled at each reduction
    num_cells: int = 20
    stem: Literal["cifar", "imagenet"] = "cifar"
    stem_multiplier: int = 3  # width of the CIFAR stem over `channels`
    affine: bool = True  # learnable scale and shift in batch normalisation; off while searching
    norm_after_pool: bool = False  # DARTS normalises after pooling while searching only
    auxiliary: bool = False  # auxiliary classifier after the second reduction
    num_classes: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCellSkeleton:
    """NAS-Bench-201's macro skeleton: three stages of `num_cells` cells, width doubled between them."""

    family: Literal["edge_cells"] = "edge_cells"
    channels: int = 16
    num_cells: int = 5  # per stage
    affine: bool = True
    num_classes: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSkeleton:
    """A stem, one layer after another, a classifier; at each position of `reductions` the width doubles, stride 2."""

    family: Literal["chain"] = "chain"
    channels: int = 16
    reductions: tuple[int, ...] = (2, 5)
    affine: bool = True
    num_classes: int = 10


Skeleton = CellSkeleton | EdgeCellSkeleton | ChainSkeleton
