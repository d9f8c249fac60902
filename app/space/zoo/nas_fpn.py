"""NAS-FPN: a pyramid of merging cells, each of two earlier maps, at any level, by a sum or with attention.

Ghiasi, Lin, Pang and Le, "NAS-FPN: Learning Scalable Feature Pyramid Architecture for Object Detection", CVPR 2019,
arXiv:1904.07392. Maps 0 to 4 are the backbone's at levels 3 to 7, map 5 + i is merge i; the last five merges are the
outputs, one a level.
"""

from app.space.algebra import Grammar, Record, Subset, Value, one_of, record
from app.space.document import Constraint, SearchSpace
from app.space.skeleton import FpnSkeleton, ImageInput

SKELETONS = {
    "coco": FpnSkeleton(channels=256, num_pyramids=7),
    "small": FpnSkeleton(backbone_channels=4, channels=4, head_depth=0, num_anchors=1, num_classes=10),
}


def nas_fpn(
    num_merges: int = 7,
    levels: tuple[int, ...] = (3, 4, 5, 6, 7),
    merges: tuple[str, ...] = ("sum", "global_pool_attention"),
) -> SearchSpace:
    """The space of the paper, merges beside the outputs' own included in `num_merges`."""

    def merge(i: int) -> Record:
        return record(
            "merge",
            inputs=Subset(tuple(map(Value, range(len(levels) + i))), 2),
            level=one_of(*levels),
            op=one_of(*merges),
        )

    fields = tuple((f"merge{i}", merge(i)) for i in range(num_merges))
    outputs = tuple(f"/merge{i}/level" for i in range(num_merges - len(levels), num_merges))
    return SearchSpace(
        name="nas_fpn",
        version=1,
        title="NAS-FPN: merging cells that make a feature pyramid",
        paper="https://arxiv.org/abs/1904.07392",
        grammar=Grammar({"nas_fpn": Record("fpn", fields)}, "nas_fpn"),
        skeletons=SKELETONS,
        input=ImageInput(height=640, width=640),
        constraints=(Constraint("permutation", (("at", outputs),)),),
        notes=(
            "Its networks answer with maps of class logits and box offsets, and learn from data sets with boxes.",
            "The backbone is a plain row of strided convolutions, not the published ResNet-50, and each level has a "
            "head of its own.",
        ),
        literature="The paper gives no size. Members whose last five levels are no permutation are in the grammar and "
        "not valid.",
    )
