"""The vocabulary: what the operations in genotypes are, what they do to shapes and what they cost.

`LETTERS` is the legend of the rules and formulas. Costs are for one sample; MACs are the multiply-adds of convolutions
and linear maps. The products of queries, keys and values have no weights and are not among them: of t places they are
2·t² times the features of all heads. Batch normalisation after pooling, which DARTS uses while searching, learns
nothing and costs no MACs. Activations are the numbers that convolutions and linear maps put out.

    OPERATIONS       one name each, as grammars and genotypes write it
    BETWEEN_LEVELS   merges of several maps, changes of their level: what structures name beside the operations of edges
    BLOCKS           of many fields: names that spell them (`mb4_k9_se`), and the layer of a transformer
"""

from collections.abc import Mapping
from difflib import get_close_matches

from app.architecture.vocabulary.blocks import BLOCKS, spelling_of, spelt
from app.architecture.vocabulary.convolutions import CONVOLUTIONS
from app.architecture.vocabulary.mobile import MOBILE
from app.architecture.vocabulary.operation import DOMAINS, Field, Operation, Scalar
from app.architecture.vocabulary.place import Place
from app.architecture.vocabulary.pyramids import MERGES, PYRAMIDS, RESIZINGS
from app.architecture.vocabulary.transformers import TRANSFORMERS

LETTERS: Mapping[str, str] = {
    "C": "channels of the input; of a merge, of each of its inputs",
    "D": "channels of the output",
    "h": "rows of the input",
    "w": "columns of the input",
    "H": "rows of the output",
    "W": "columns of the output",
    "s": "stride: 1 or 2; of a change of level, the factor between the extents",
    "n": "learnable numbers a channel of a norm: 2, or 0 without affine",
    "c": "1 where the number of channels changes, else 0",
    "r": "1 where any extent or the number of channels changes, else 0",
    "M(x)": "features of squeeze-and-excitation on x channels: x / 4 as a multiple of 8, never a tenth less",
    "x": "inner channels of an inverted residual: e·C, rounded",
    "u": "maps to the inner features: 2 of a gated feed-forward network; of an inverted residual, 1 where it expands",
    "q": "1 with squeeze-and-excitation, else 0",
    "a": "features of all heads: heads·head_dim",
    "v": "features of keys, and of values: a, or head_dim where all heads share them",
    "m": "inner features of the feed-forward network of a layer: mlp_ratio·C, rounded down",
    "N": "channels that the norm sees: C of pre, D of post",
}

OPERATIONS: Mapping[str, Operation] = {o.name: o for o in (*CONVOLUTIONS, *MOBILE, *TRANSFORMERS, *PYRAMIDS)}

# What structures name beside the operations of edges: merges of several maps, changes of their level
BETWEEN_LEVELS: Mapping[str, Operation] = {o.name: o for o in (*MERGES, *RESIZINGS)}

CATALOGUE: Mapping[str, Operation] = dict(sorted({**OPERATIONS, **BETWEEN_LEVELS, **BLOCKS}.items()))


def operation_of(name: str) -> Operation | None:
    """What a name means, one that spells its fields too; None where it means nothing."""
    return CATALOGUE.get(name) or spelling_of(name)


def is_operation(value: object) -> bool:
    """Whether a symbol of a genotype names an operation, or spells one."""
    return value in OPERATIONS or spelt(value) is not None


def near(name: object) -> tuple[str, ...]:
    """Names of operations that are written like another, nearest first; at most five."""
    return tuple(get_close_matches(name.lower(), OPERATIONS, 5, 0.6)) if isinstance(name, str) else ()


__all__ = [
    "BETWEEN_LEVELS",
    "BLOCKS",
    "CATALOGUE",
    "DOMAINS",
    "LETTERS",
    "OPERATIONS",
    "Field",
    "Operation",
    "Place",
    "Scalar",
    "is_operation",
    "near",
    "operation_of",
    "spelt",
]
