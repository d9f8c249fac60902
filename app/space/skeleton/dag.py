"""Stacks of cells whose vertices carry the operations: NAS-Bench-101 (Ying et al., 2019)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DagSkeleton:
    """A 3x3 stem and stacks of one cell as in NAS-Bench-101; 2x2 max pooling and twice the width between stacks."""

    family: Literal["dag"] = "dag"
    channels: int = setting(128, "Channels of the stem and of the first stack's cells", most=1024)
    num_stacks: int = setting(3, "Number of stacks", most=6)
    num_cells: int = setting(3, "Number of cells of each stack", most=20)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
