"""Three stages of one cell: NAS-Bench-201 (Dong and Yang, 2020)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeCellSkeleton:
    """Three stages of one cell as in NAS-Bench-201: width doubled, residual reductions between them."""

    family: Literal["edge_cells"] = "edge_cells"
    channels: int = setting(16, "Channels of the first stage", most=1024)
    num_cells: int = setting(5, "Number of cells of each stage", most=20)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
