"""Motifs within motifs: hierarchical representations (Liu et al., 2018)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchySkeleton:
    """Three stages of one cell, separable convolutions of stride 2 between them, one of stride 1 at the end."""

    family: Literal["hierarchy"] = "hierarchy"
    channels: int = setting(16, "Channels of the first stage; doubled at each later one", most=1024)
    num_cells: int = setting(1, "Number of cells of each stage", most=20)
    merge: Literal["concat", "add"] = setting(
        "concat", "What a node does with its edges: side by side and a 1x1 convolution, or their sum"
    )
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
