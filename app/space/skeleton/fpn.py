"""Feature pyramids that are searched: NAS-FPN (Ghiasi et al., 2019)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class FpnSkeleton:
    """A plain backbone, the searched pyramid one or more times, a head of its own at every level.

    The head puts out `num_anchors` x `num_classes` class logits and `num_anchors` x 4 box offsets at every place.
    """

    family: Literal["fpn"] = "fpn"
    backbone_channels: int = setting(64, "Channels of the backbone at stride 4; doubled at each level to the fifth")
    channels: int = setting(256, "Channels of every map of the pyramid", most=4096)
    num_pyramids: int = setting(1, "How often the pyramid is stacked, its decisions the same", most=16)
    head_depth: int = setting(4, "3x3 convolutions of each head before the last", least=0, most=16)
    num_anchors: int = setting(9, "Anchors at every place", most=64)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(90, "Number of classes of every anchor")
