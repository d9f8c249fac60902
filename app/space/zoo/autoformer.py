"""AutoFormer: vision transformers of elastic depth and width, heads and MLP ratio decided layer by layer.

Chen, Peng, Fu and Ling, "AutoFormer: Searching Transformers for Visual Recognition", ICCV 2021, arXiv:2107.00651.
Three spaces, tiny, small and base. Every head has 64 features, whatever their number.
"""

from math import gcd

from app.space.algebra import Grammar, Ref, Repeat, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import ImageInput, TransformerSkeleton


def autoformer(
    letter: str, embeds: tuple[int, ...], ratios: tuple[float, ...], heads: tuple[int, ...], depths: tuple[int, ...]
) -> SearchSpace:
    """One of the spaces: features of a token, MLP ratios, heads and numbers of layers."""
    return SearchSpace(
        name=f"autoformer_{letter.lower()}",
        version=1,
        title=f"AutoFormer-{letter}: depth and embedding of a vision transformer, heads and MLP ratio of every layer",
        paper="https://arxiv.org/abs/2107.00651",
        grammar=Grammar(
            {
                "autoformer": record("transformer", embed=one_of(*embeds), layers=Repeat(Ref("layer"), depths)),
                "layer": record("layer", heads=one_of(*heads), mlp_ratio=one_of(*ratios)),
            },
            "autoformer",
        ),
        skeletons={
            "imagenet": TransformerSkeleton(relative=14),
            "small": TransformerSkeleton(
                patch=2, relative=3, head_dim=8, divisor=max(gcd(*embeds) // 2, 1), num_classes=10
            ),
        },
        input=ImageInput(height=224, width=224),
        literature="1.7e16 is said of the paper's spaces, without a formula. Three embeddings, three depths and 16 "
        "layers of nine options each would be 9^17 = 1.67e16; but shallower networks have fewer layers: the exact size "
        "of the base space, the largest, is 3·(9^14 + 9^15 + 9^16) = 6.2e15.",
        notes=(
            "Widths, heads and ratios are slices of one tensor and depth is an exit: draw them hard in a search.",
            "The T network that was released with the paper uses an MLP ratio of 3.0, which its own space does not "
            "have; it is no member.",
        ),
    )


def autoformer_t() -> SearchSpace:
    """The tiny space."""
    return autoformer("T", (192, 216, 240), (3.5, 4.0), (3, 4), (12, 13, 14))


def autoformer_s() -> SearchSpace:
    """The small space."""
    return autoformer("S", (320, 384, 448), (3.0, 3.5, 4.0), (5, 6, 7), (12, 13, 14))


def autoformer_b() -> SearchSpace:
    """The base space."""
    return autoformer("B", (528, 576, 624), (3.0, 3.5, 4.0), (8, 9, 10), (14, 15, 16))
