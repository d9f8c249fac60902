"""A row of layers with skips from all earlier ones: the macro space of ENAS (Pham et al., 2018)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class SkipSkeleton:
    """A stem and a row of layers; before each position of `reductions` every state halves and doubles its width."""

    family: Literal["skips"] = "skips"
    channels: int = setting(96, "Channels of the first layers", most=1024)
    reductions: tuple[int, ...] = setting(
        (4, 8), "Positions of layers, from 0, before which all states halve and double their width", least=0, most=1000
    )
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(10, "Number of classes of the classifier")
