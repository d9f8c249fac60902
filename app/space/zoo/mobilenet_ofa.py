"""Once-for-all: five units of two to four MobileNetV3 blocks, each with a kernel and an expansion.

Cai et al., "Once-for-All: Train One Network and Specialize It for Efficient Deployment", ICLR 2020, arXiv:1908.09791.
Every option is a slice of the largest network: the centre of a kernel, the first channels of an expansion, the first
blocks of a unit. Learned transformations between kernels, with which the paper trains, are no part of the space.
"""

from functools import partial

from app.space.algebra import Grammar, Record, Ref, Repeat, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import ImageInput, MobileSkeleton

OFA_KERNELS = (3, 5, 7)
OFA_EXPANSIONS = (3, 4, 6)
OFA_RESOLUTIONS = tuple(range(128, 225, 4))  # 25 of them

_stages = partial(
    MobileSkeleton,
    depths=(4, 4, 4, 4, 4),
    se=(False, True, False, True, True),
    activations=("relu", "relu", "hswish", "hswish", "hswish"),
    activation="hswish",
    elastic=True,
)
STRIDES = (2, 2, 2, 1, 2)
SKELETONS = {
    "imagenet": _stages(stem=16, first=16, widths=(24, 40, 80, 112, 160), strides=STRIDES, head=960, features=1280),
    "imagenet_1.2": _stages(
        stem=24, first=24, widths=(32, 48, 96, 136, 192), strides=STRIDES, head=1152, features=1536
    ),
    "small": _stages(
        stem=8,
        stem_stride=1,
        first=8,
        widths=(8, 12, 16, 20, 24),
        strides=(1, 2, 1, 1, 1),
        head=64,
        features=64,
        num_classes=10,
    ),
}


def mobilenet_ofa(
    resolutions: tuple[int, ...] = (),
    num_units: int = 5,
    depths: tuple[int, ...] = (2, 3, 4),
    kernels: tuple[int, ...] = OFA_KERNELS,
    expansions: tuple[int, ...] = OFA_EXPANSIONS,
) -> SearchSpace:
    """The space of the paper; with `resolutions` the genotype also decides the extents that images are resized to."""
    unit = record("unit", blocks=Repeat(record("mbconv", kernel=one_of(*kernels), expand=one_of(*expansions)), depths))
    units = tuple((f"unit{i}", Ref("unit")) for i in range(num_units))
    fields = (("resolution", one_of(*resolutions)), *units) if resolutions else units
    return SearchSpace(
        name="mobilenet_ofa",
        version=1,
        title="Once-for-all: depth of five units, kernel and expansion of each of their blocks",
        paper="https://arxiv.org/abs/1908.09791",
        grammar=Grammar({"mobilenet_ofa": Record("units", fields), "unit": unit}, "mobilenet_ofa"),
        skeletons=SKELETONS if num_units == 5 else {},  # its skeletons hold five units
        input=ImageInput(height=224, width=224),
        literature="The paper says about 2e19: (9^2 + 9^3 + 9^4)^5 = 2.18e19, which is exact; its 25 resolutions "
        "multiply it. The dictionaries that are exchanged name kernels and expansions of blocks that are not there.",
        notes=(
            "Kernels and expansions are slices of one tensor and depths are exits: draw them hard in a search.",
            "A resolution is a property of the input, not of a tensor: while it is open there is no supernet.",
        )
        if resolutions
        else ("Kernels and expansions are slices of one tensor and depths are exits: draw them hard in a search.",),
    )
