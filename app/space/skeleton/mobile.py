"""Stages of mobile blocks: MobileNetV2 (Sandler et al., 2018), MobileNetV3 (Howard et al., 2019) and their searches."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class MobileSkeleton:
    """Stem, stages, head. A stage's first layer changes width and extents; lists have an item a stage."""

    family: Literal["mobile"] = "mobile"
    stem: int = setting(32, "Channels of the 3x3 convolution that the network begins with", most=1024)
    stem_stride: int = setting(2, "Stride of the stem", most=4)
    first: int = setting(
        16, "Channels of a fixed block without expansion after the stem; 0 without", least=0, most=1024
    )
    depths: tuple[int, ...] = setting(
        (4, 4, 4, 4, 4, 1), "Layers of each stage, or what a genotype's numbers of layers are relative to", most=64
    )
    widths: tuple[int, ...] = setting((24, 40, 80, 96, 192, 320), "Channels of each stage", most=4096)
    strides: tuple[int, ...] = setting((2, 2, 2, 1, 2, 1), "Stride of the first layer of each stage", most=4)
    se: tuple[bool, ...] = setting((), "Squeeze-and-excitation in the blocks of each stage; empty for none")
    activations: tuple[Literal["relu", "relu6", "hswish"], ...] = setting(
        (), "Activation in the blocks of each stage; empty for that of stem and head"
    )
    activation: Literal["relu", "relu6", "hswish"] = setting("relu6", "Activation of stem and head")
    tail: int = setting(
        0, "Channels of a fixed 3x3 block of expansion 6 after the stages; 0 without", least=0, most=4096
    )
    head: int = setting(1280, "Channels of the 1x1 convolution before the mean over all places", most=8192)
    features: int = setting(0, "Features of a map between mean and classifier; 0 without", least=0, most=8192)
    features_bias: bool = setting(False, "A bias in the map to the features, as in MobileNetV3", later=True)
    elastic: bool = setting(
        False, "Kernels, expansions and widths are slices of one tensor, else operations of their own"
    )
    affine: bool = setting(True, "Learnable scale and shift in batch normalisation; off while searching")
    num_classes: int = setting(1000, "Number of classes of the classifier")
