"""A path through layers and levels of resolution: Auto-DeepLab (Liu et al., 2019)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TrellisSkeleton:
    """A stem of stride 4, a cell at every step of the path, an atrous spatial pyramid, logits at every pixel."""

    family: Literal["trellis"] = "trellis"
    channels: int = setting(20, "Channels of every node of a cell at level 4; doubled at each level down", most=1024)
    stem_channels: int = setting(128, "Channels of the stem; half of them before its last stride", most=4096)
    head_channels: int = setting(256, "Channels of the atrous spatial pyramid", most=4096)
    rate: int = setting(96, "Dilation of the pyramid's 3x3 convolution times the stride of the level", most=1024)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(19, "Number of classes of every pixel")
