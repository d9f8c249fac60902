"""Transformer encoders: attention and feed-forward network of every layer, and where their norms stand.

Layers as in Vaswani et al., "Attention Is All You Need", NeurIPS 2017, arXiv:1706.03762, with what later work offers:
multi-query attention (Shazeer, 2019, arXiv:1911.02150), linear attention (Katharopoulos et al., 2020,
arXiv:2006.16236), SwiGLU (Shazeer, 2020, arXiv:2002.05202), norms before or after the sublayers (Xiong et al., 2020,
arXiv:2002.04745).
"""

from app.space.algebra import Grammar, Record, Ref, Repeat, Scalar, one_of, record
from app.space.document import SearchSpace
from app.space.skeleton import ImageInput, TransformerSkeleton

SKELETONS = {
    "imagenet": TransformerSkeleton(),
    "small": TransformerSkeleton(patch=2, head_dim=4, divisor=24, num_classes=10),
}


def transformer(
    embeds: tuple[int, ...] = (192, 384, 768),
    depths: tuple[int, ...] = (4, 6, 8, 10, 12),
    attentions: tuple[str, ...] = ("softmax", "multi_query", "linear"),
    heads: tuple[int, ...] = (3, 6, 12),
    ffns: tuple[str, ...] = ("gelu", "swiglu"),
    ratios: tuple[float, ...] = (2.0, 4.0),
    norms: tuple[str, ...] = ("pre", "post"),
) -> SearchSpace:
    """Encoders of any of the depths; an empty list leaves that decision to the skeleton."""
    lists: dict[str, tuple[Scalar, ...]] = {
        "attention": attentions,
        "heads": heads,
        "ffn": ffns,
        "mlp_ratio": ratios,
        "norm": norms,
    }
    layer = Record("layer", tuple((name, one_of(*options)) for name, options in lists.items() if options))
    embed = {"embed": one_of(*embeds)} if embeds else {}
    return SearchSpace(
        name="transformer",
        version=1,
        title="A transformer encoder: attention, feed-forward network and norm place of every layer",
        paper="https://arxiv.org/abs/1706.03762",
        grammar=Grammar(
            {"transformer": record("transformer", **embed, layers=Repeat(Ref("layer"), depths)), "layer": layer},
            "transformer",
        ),
        skeletons=SKELETONS,
        input=ImageInput(height=224, width=224),
        notes=(
            "With stem `tokens` a skeleton reads a text: one channel whose places, row by row, hold token numbers.",
            "Widths, heads and ratios are slices of one tensor and depth is an exit: draw them hard in a search.",
        ),
    )
