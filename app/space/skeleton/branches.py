"""Parallel chains between a stem and a classifier."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchSkeleton:
    """A stem, modules of parallel chains one after another with a halving between them, a classifier."""

    family: Literal["branches"] = "branches"
    channels: int = setting(32, "Channels of the first module; doubled at each halving", most=1024)
    num_modules: int = setting(3, "Number of modules, all alike", most=20)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
