"""Detection heads: a tower of convolutions at every level of a pyramid, and links between neighbouring levels.

After NAS-FCOS (Wang et al., CVPR 2020, arXiv:1906.04423) and FPN (Lin et al., CVPR 2017, arXiv:1612.03144), with the
deformable convolutions of Dai et al. (ICCV 2017, arXiv:1703.06211). Links first lead down in resolution order from the
coarsest level, as in FPN, then back up, as in PANet (Liu et al., CVPR 2018, arXiv:1803.01534).
"""

from itertools import pairwise

from app.space.algebra import Grammar, Record, Ref, Repeat, Term, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import HeadSkeleton, ImageInput

DETECTION_HEAD_OPERATIONS = ("conv_3x3", "sep_conv_3x3", "atrous_conv_3x3", "deform_conv_3x3")

SKELETONS = {
    "coco": HeadSkeleton(channels=256),
    "small": HeadSkeleton(backbone_channels=4, channels=4, num_anchors=1, num_classes=10),
}


def detection_head(
    levels: tuple[int, ...] = (3, 4, 5, 6, 7),
    lengths: tuple[int, ...] = (1, 2, 3, 4),
    operations: tuple[str, ...] = DETECTION_HEAD_OPERATIONS,
    links: tuple[str, ...] = ("none", *DETECTION_HEAD_OPERATIONS),
) -> SearchSpace:
    """Towers of any of the lengths, and a link or none from every level to each of its neighbours."""
    neighbours = list(pairwise(levels))
    names = [f"{b}->{a}" for a, b in reversed(neighbours)] + [f"{a}->{b}" for a, b in neighbours]
    fields: tuple[tuple[str, Term], ...] = (
        *((name, one_of(*links)) for name in names),
        *((f"level{level}", Ref("tower")) for level in levels),
    )
    tower = record("tower", layers=Repeat(one_of(*operations), lengths))
    return SearchSpace(
        name="detection_head",
        version=1,
        title="Links between the levels of a pyramid and a tower of convolutions at each",
        paper="https://arxiv.org/abs/1906.04423",
        grammar=Grammar({"detection_head": Record("head", fields), "tower": tower}, "detection_head"),
        skeletons=SKELETONS,
        input=ImageInput(height=640, width=640),
        notes=(
            "Its networks answer with maps of class logits and box offsets, and learn from data sets with boxes.",
            "The backbone is a plain row of strided convolutions, and each level has a head of its own.",
        ),
    )
