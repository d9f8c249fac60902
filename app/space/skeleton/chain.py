"""A plain chain of layers."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainSkeleton:
    """A stem, one layer after another, a classifier; at each position of `reductions` the width doubles, stride 2."""

    family: Literal["chain"] = "chain"
    channels: int = setting(16, "Channels of the first layers", most=1024)
    reductions: tuple[int, ...] = setting(
        (2, 5), "Positions, from 0, at which the width doubles with stride 2", least=0, most=1000
    )
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
