"""Supernets: the lowering of an undecided space as one network, its weights, and the way back to a genotype.

MixedOp(channels, operations)(x, weights)                one edge
DARTSCell(channels, num_nodes)(s0, s1, arch_weights)     one cell
relax(plan, graph.open), soft_weights(relaxed, alpha)    how decisions become weights
genotype_of(plan, weights, "darts" | "argmax")           and weights a genotype
inherit(small, big, decided)                             a supernet's tensors in its sub-network
"""

from workers.inheritance import inherit
from workers.supernet.cell import DARTSCell, MixedOp
from workers.supernet.discretise import decode, genotype_of
from workers.supernet.fit import SupernetFit
from workers.supernet.weights import Relaxed, Weights, initial_alpha, relax, soft_weights

__all__ = [
    "DARTSCell",
    "MixedOp",
    "Relaxed",
    "SupernetFit",
    "Weights",
    "decode",
    "genotype_of",
    "inherit",
    "initial_alpha",
    "relax",
    "soft_weights",
]
