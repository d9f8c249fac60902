"""Detection heads that are searched: links between levels and a tower at each."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadSkeleton:
    """A plain backbone, 1x1 projections to one width, the searched links and towers, class and box outputs."""

    family: Literal["head"] = "head"
    backbone_channels: int = setting(64, "Channels of the backbone at stride 4; doubled at each level to the fifth")
    channels: int = setting(256, "Channels of every level", most=4096)
    num_anchors: int = setting(9, "Anchors at every place", most=64)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(90, "Number of classes of every anchor")
