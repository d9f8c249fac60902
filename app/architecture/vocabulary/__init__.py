"""The vocabulary: what the operations in genotypes are, what they do to shapes and what they cost.

Letters in the rules and formulas:

    C  input channels        D  output channels      k  kernel       s  stride, 1 or 2
    H  W  output extents     h  w  input extents     n  learnable numbers a channel of a norm: 2, or 0 without affine
    c  1 where the operation changes the number of channels, else 0       r  1 where it changes any extent, else 0
    M(x)  features of squeeze-and-excitation on x channels: x / 4 as a multiple of 8, never a tenth less

Costs are for one sample; MACs are the multiply-adds of convolutions and linear maps. The products of queries, keys and
values have no weights and are not among them: of t places they are 2·t² times the features of all heads. Batch
normalisation after pooling, which DARTS uses while searching, learns nothing and costs no MACs.
"""

from collections.abc import Mapping

from app.architecture.vocabulary.convolutions import CONVOLUTIONS
from app.architecture.vocabulary.mobile import MOBILE
from app.architecture.vocabulary.operation import Operation, Place
from app.architecture.vocabulary.pyramids import MERGES, PYRAMIDS, RESIZINGS
from app.architecture.vocabulary.transformers import TRANSFORMERS

OPERATIONS: Mapping[str, Operation] = {o.name: o for o in (*CONVOLUTIONS, *MOBILE, *TRANSFORMERS, *PYRAMIDS)}

# What structures name beside the operations of edges: merges of several maps, changes of their level
BETWEEN_LEVELS: Mapping[str, Operation] = {o.name: o for o in (*MERGES, *RESIZINGS)}

__all__ = ["BETWEEN_LEVELS", "OPERATIONS", "Operation", "Place"]
