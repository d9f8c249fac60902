"""A whole network as one directed acyclic graph."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class DagNetworkSkeleton:
    """A stem that may shrink the image, one graph whose vertices all have one width and one extent, a classifier."""

    family: Literal["dag_network"] = "dag_network"
    channels: int = setting(64, "Channels of every vertex", most=1024)
    halvings: int = setting(1, "Stride-2 convolutions in the stem, after its first convolution", least=0, most=5)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
