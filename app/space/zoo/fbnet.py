"""FBNet: one of nine blocks in each of 22 layers.

Wu et al., "FBNet: Hardware-Aware Efficient ConvNet Design via Differentiable Neural Architecture Search", CVPR 2019,
arXiv:1812.03443. `k5_e3` is an inverted residual of kernel 5 and expansion 3; its expanding 1x1 convolution is there
also at expansion 1. `g2`: both 1x1 convolutions in two groups, the channels shuffled between. `skip` is allowed
everywhere and becomes a 1x1 convolution where the shape changes.
"""

from functools import partial

from app.space.algebra import Grammar, Repeat, one_of, record
from app.space.document import Equivalence, SearchSpace
from app.space.skeleton import ImageInput, MobileSkeleton

FBNET_OPERATIONS = ("k3_e1", "k3_e1_g2", "k3_e3", "k3_e6", "k5_e1", "k5_e1_g2", "k5_e3", "k5_e6", "skip")

WIDTHS = (16, 24, 32, 64, 112, 184, 352)

_stages = partial(MobileSkeleton, first=0, depths=(1, 4, 4, 4, 4, 4, 1), activation="relu")
SKELETONS = {
    "imagenet": _stages(stem=16, widths=WIDTHS, strides=(1, 2, 2, 2, 1, 2, 1), head=1984),
    # as HW-NAS-Bench (Li et al., 2021) measures it for CIFAR-100
    "cifar": _stages(stem=16, stem_stride=1, widths=WIDTHS, strides=(1, 1, 2, 2, 1, 2, 1), head=1504, num_classes=100),
    "small": _stages(
        stem=4,
        stem_stride=1,
        widths=(4, 6, 8, 12, 16, 20, 24),
        strides=(1, 1, 2, 1, 1, 2, 1),
        head=64,
        num_classes=10,
    ),
}


def fbnet(num_layers: int = 22, operations: tuple[str, ...] = FBNET_OPERATIONS) -> SearchSpace:
    """The space of the paper, in the order of HW-NAS-Bench's indices."""
    return SearchSpace(
        name="fbnet",
        version=1,
        title="FBNet: one of nine blocks in each of 22 layers",
        paper="https://arxiv.org/abs/1812.03443",
        grammar=Grammar({"fbnet": record("mobile", layers=Repeat(one_of(*operations), (num_layers,)))}, "fbnet"),
        skeletons=SKELETONS if num_layers == 22 else {},  # its skeletons hold 22 layers
        input=ImageInput(height=224, width=224),
        equivalences=(Equivalence("functional"),),
        literature="The paper says about 1e21 and means 9^22 = 9.8e20. A skip where nothing changes shape may stand "
        "anywhere in its stage, so that 3.3e20 networks differ.",
    )
