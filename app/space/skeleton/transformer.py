"""A transformer encoder over image patches or tokens: ViT (Dosovitskiy et al., 2021), BERT (Devlin et al., 2019)."""

from dataclasses import dataclass
from typing import Literal

from app.space.skeleton.setting import setting


@dataclass(frozen=True, slots=True, kw_only=True)
class TransformerSkeleton:
    """What stands before, inside and after the layers; `embed` to `norm` hold where the genotype does not decide."""

    family: Literal["transformer"] = "transformer"
    stem: Literal["patches", "tokens"] = setting("patches", "Image patches, or a text: token numbers in one channel")
    patch: int = setting(16, "Height and width of an image patch in pixels", most=1024)
    vocabulary: int = setting(30_522, "Number of different tokens of a text", most=1_000_000)
    length: int = setting(512, "Tokens of the longest text: rows of its position table", most=65_536)
    token_types: int = setting(2, "Number of segments of a text; 0 without their embedding", least=0, most=16)
    class_token: bool = setting(True, "A learnt token before the patches, which the head reads; else it reads the mean")
    absolute: bool = setting(True, "A learnt embedding of each position")
    relative: int = setting(
        0, "Largest distance of learnt relative positions in attention; 0 without", least=0, most=64
    )
    embed: int = setting(768, "Features of a token", most=8192)
    attention: Literal["softmax", "multi_query", "linear"] = setting("softmax", "Kind of attention")
    heads: int = setting(12, "Attention heads", most=128)
    head_dim: int = setting(64, "Features of a head", most=1024)
    ffn: Literal["gelu", "swiglu"] = setting("gelu", "Kind of feed-forward network")
    mlp_ratio: float = setting(4.0, "Inner features of the feed-forward network over those of a token", most=16)
    norm: Literal["pre", "post"] = setting("pre", "Layer normalisation before attention and feed-forward, or after")
    qkv_bias: bool = setting(True, "A bias in the maps to queries, keys and values")
    stem_norm: bool = setting(False, "Layer normalisation of the embedding, as in BERT")
    final_norm: bool = setting(True, "Layer normalisation after the last layer")
    pooler: bool = setting(False, "A linear map and tanh before the classifier, as in BERT")
    classifier: bool = setting(True, "A linear map to the classes at the end")
    divisor: int = setting(1, "What the features of a token are divided by: for small experiments", most=1024)
    affine: bool = setting(True, "Learnable scale and shift in layer normalisation")
    num_classes: int = setting(1000, "Number of classes of the classifier")
