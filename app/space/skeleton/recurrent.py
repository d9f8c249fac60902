"""A recurrent cell read over a sequence: DARTS' recurrent cell (Liu et al., 2019)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurrentSkeleton:
    """One cell, unrolled with tied weights over the rows of an image from top to bottom; a row is one input vector."""

    family: Literal["recurrent"] = "recurrent"
    hidden: int = setting(850, "Features of the hidden state", most=8192)
    embed: int = setting(0, "Features that a row is mapped to first; 0 leaves it as it is", least=0, most=8192)
    affine: bool = setting(True, "Without effect: the cell has no norm that learns")
    num_classes: int = setting(10, "Number of classes of the classifier")
