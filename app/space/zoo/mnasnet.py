"""MnasNet: five blocks around MobileNetV2, each of equal layers, different from block to block.

Tan et al., "MnasNet: Platform-Aware Neural Architecture Search for Mobile", CVPR 2019, arXiv:1807.11626. A block has
432 options: a regular convolution, a depthwise separable one, or an inverted residual of expansion 3 or 6; kernel 3
or 5; squeeze-and-excitation or none; pooling, identity or nothing beside each layer; width 0.75, 1 or 1.25 times
MobileNetV2's; one layer less than there, as many, or one more. 4 * 2 * 2 * 3 * 3 * 3 = 432.
"""

from app.space.algebra import Grammar, Record, Ref, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import ImageInput, MobileSkeleton

MNASNET_CONVOLUTIONS = ("conv", "sepconv", "mb3", "mb6")

SKELETONS = {
    "imagenet": MobileSkeleton(
        depths=(2, 3, 4, 3, 3),
        widths=(24, 32, 64, 96, 160),
        strides=(2, 2, 2, 1, 2),
        activation="relu",
        tail=320,
        elastic=True,
    ),
    "small": MobileSkeleton(
        depths=(2, 2, 2, 2, 2),
        stem=8,
        stem_stride=1,
        first=4,
        widths=(4, 8, 8, 12, 16),
        strides=(1, 2, 1, 1, 1),
        activation="relu",
        tail=24,
        head=64,
        elastic=True,
        num_classes=10,
    ),
}


def mnasnet(
    num_blocks: int = 5,
    convolutions: tuple[str, ...] = MNASNET_CONVOLUTIONS,
    kernels: tuple[int, ...] = (3, 5),
    widths: tuple[float, ...] = (0.75, 1.0, 1.25),
    layers: tuple[int, ...] = (-1, 0, 1),
) -> SearchSpace:
    """The space of the paper."""
    block = record(
        "block",
        conv=one_of(*convolutions),
        kernel=one_of(*kernels),
        se=one_of(0.0, 0.25),
        skip=one_of("none", "identity", "pool"),
        width=one_of(*widths),
        layers=one_of(*layers),
    )
    return SearchSpace(
        name="mnasnet",
        version=1,
        title="MnasNet: convolution, kernel, skip, width and number of layers of five blocks",
        paper="https://arxiv.org/abs/1807.11626",
        grammar=Grammar(
            {"mnasnet": Record("mnas", tuple((f"block{i}", Ref("block")) for i in range(num_blocks))), "block": block},
            "mnasnet",
        ),
        skeletons=SKELETONS if num_blocks == 5 else {},  # its skeletons hold five blocks
        input=ImageInput(height=224, width=224),
        literature="The paper says about 1e13 and means 432^5 = 1.5e13 for its typical case of five blocks.",
        notes=(
            "The paper names the options and their number of 432; how they multiply to it is read from both.",
            "A skip joins the layers of a block after its first, which changes width and extents; pooling is the "
            "average over 3x3.",
            "Widths and kernels are slices of one tensor and depths are exits: draw them hard in a search.",
        ),
    )
