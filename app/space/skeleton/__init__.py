"""Skeletons: what surrounds a genotype and is never decided by it. One dataclass a family, all fields keywords.

family       published in
cells        DARTS (Liu et al., 2019), NASNet: stacked cells, reductions at 1/3 and 2/3
edge_cells   NAS-Bench-201 (Dong and Yang, 2020): three stages of one cell, residual reductions
dag          NAS-Bench-101 (Ying et al., 2019): stacks of one cell, pooling between them
dag_network  a whole network as one graph
chain        a plain chain of layers, reductions at given positions
mobile       MobileNetV2, OFA, FBNet, ...: stages of inverted residuals
transformer  ViT (Dosovitskiy et al., 2021), AutoFormer, BERT: an encoder over patches or tokens
widths       NATS-Bench (Dong et al., 2021): one topology of open widths
recurrent    DARTS' recurrent cell (Liu et al., 2019), unrolled over the rows of an image
skips        ENAS macro (Pham et al., 2018): layers that merge any of the earlier ones
branches     parallel chains and their merge
trellis      Auto-DeepLab (Liu et al., 2019): a path through layers and resolutions
hierarchy    motifs of motifs (Liu et al., 2018)
fpn          NAS-FPN (Ghiasi et al., 2019): merges that make a feature pyramid
head         detection heads: links between levels, a tower at each
free         the terms of a user's own document

A new family is a module here and a line in `Skeleton`: documents, HTTP and the bounds of its numbers follow from it.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, get_args

from app.space.skeleton.branches import BranchSkeleton
from app.space.skeleton.cells import CellSkeleton
from app.space.skeleton.chain import ChainSkeleton
from app.space.skeleton.dag import DagSkeleton
from app.space.skeleton.dag_network import DagNetworkSkeleton
from app.space.skeleton.edge_cells import EdgeCellSkeleton
from app.space.skeleton.fpn import FpnSkeleton
from app.space.skeleton.free import FreeSkeleton
from app.space.skeleton.head import HeadSkeleton
from app.space.skeleton.hierarchy import HierarchySkeleton
from app.space.skeleton.image import ImageInput
from app.space.skeleton.mobile import MobileSkeleton
from app.space.skeleton.recurrent import RecurrentSkeleton
from app.space.skeleton.setting import Bounds
from app.space.skeleton.skips import SkipSkeleton
from app.space.skeleton.transformer import TransformerSkeleton
from app.space.skeleton.trellis import TrellisSkeleton
from app.space.skeleton.widths import WidthSkeleton

Skeleton = (
    CellSkeleton
    | EdgeCellSkeleton
    | ChainSkeleton
    | DagSkeleton
    | DagNetworkSkeleton
    | MobileSkeleton
    | TransformerSkeleton
    | WidthSkeleton
    | RecurrentSkeleton
    | TrellisSkeleton
    | SkipSkeleton
    | HierarchySkeleton
    | HeadSkeleton
    | FpnSkeleton
    | BranchSkeleton
    | FreeSkeleton
)

FAMILIES: Mapping[str, type[Any]] = MappingProxyType({str(kind().family): kind for kind in get_args(Skeleton)})

__all__ = [
    "FAMILIES",
    "Bounds",
    "BranchSkeleton",
    "CellSkeleton",
    "ChainSkeleton",
    "DagNetworkSkeleton",
    "DagSkeleton",
    "EdgeCellSkeleton",
    "FpnSkeleton",
    "FreeSkeleton",
    "HeadSkeleton",
    "HierarchySkeleton",
    "ImageInput",
    "MobileSkeleton",
    "RecurrentSkeleton",
    "Skeleton",
    "SkipSkeleton",
    "TransformerSkeleton",
    "TrellisSkeleton",
    "WidthSkeleton",
]
