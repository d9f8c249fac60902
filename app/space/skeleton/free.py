"""Networks that a user's own terms describe."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeSkeleton:
    """A stem that may shrink the image, the body once or several times, a classifier.

    The body is the whole network with one stage of one cell; with more it is a cell, the same in every place, and
    between two stages the width doubles and the extents halve.
    """

    family: Literal["free"] = "free"
    channels: int = setting(16, "Channels of the stem", most=1024)
    halvings: int = setting(0, "Stride-2 convolutions in the stem, after its first convolution", least=0, most=5)
    num_stages: int = setting(1, "Number of stages; twice the width and half the extents from one to the next", most=6)
    num_cells: int = setting(1, "How often the body stands in each stage", most=40)
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
