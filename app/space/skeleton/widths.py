"""A fixed topology of open widths: the size space of NATS-Bench (Dong et al., 2021)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class WidthSkeleton:
    """Cells and residual reductions in turn, each as wide as the genotype says; the stem is as wide as the first."""

    family: Literal["widths"] = "widths"
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
