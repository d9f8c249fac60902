"""Lowering: the one place where a grammar is given a meaning.

    builds                  skeleton family   module
    cells, shared_cell      cells             cells
    edge_cells              edge_cells        edge_cells
    chain                   chain             chain
    dag_cells               dag               dag
    dag_network             dag_network       dag
    free                    free              free
    mobile, units           mobile            mobile
    mnas                    mobile            mnas
    skips                   skips             skips
    branches                branches          branches
    hierarchy               hierarchy         hierarchy
    trellis                 trellis           trellis
    fpn                     fpn               fpn
    head                    head              detection
    transformer             transformer       transformer
    widths                  widths            widths
    recurrent               recurrent         recurrent

A meaning is an ordinary function over a cursor and a builder. It maps over guarded cases and never asks whether
something is decided, hence `lower(s, k, d) == resolve(lower(s, k), d)` for every d, also partial.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.architecture.cursor import Cursor
from app.architecture.errors import LoweringError
from app.architecture.graph import Graph, Node
from app.architecture.guard import Decided
from app.architecture.lower import (
    branches,
    cells,
    chain,
    dag,
    detection,
    edge_cells,
    fpn,
    free,
    hierarchy,
    mnas,
    mobile,
    recurrent,
    skips,
    transformer,
    trellis,
    widths,
)
from app.architecture.lower.layers import Layers
from app.architecture.lower.operation import operation
from app.space.algebra import Grammar, Record
from app.space.skeleton import (
    BranchSkeleton,
    CellSkeleton,
    ChainSkeleton,
    DagNetworkSkeleton,
    DagSkeleton,
    EdgeCellSkeleton,
    FpnSkeleton,
    FreeSkeleton,
    HeadSkeleton,
    HierarchySkeleton,
    ImageInput,
    MobileSkeleton,
    RecurrentSkeleton,
    Skeleton,
    SkipSkeleton,
    TransformerSkeleton,
    TrellisSkeleton,
    WidthSkeleton,
)

# Whether the first output is a vector of logits, logits at every pixel, or maps of anchors' classes (then of boxes)
Task = Literal["classification", "segmentation", "detection"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a root record builds, and the skeletons it can stand in."""

    skeleton: type[Skeleton]
    family: str
    network: Callable[[Layers, Cursor, Any, ImageInput], tuple[Node, ...]]
    task: Task = "classification"


MEANINGS: Mapping[str, Meaning] = {
    "cells": Meaning(CellSkeleton, "cells", cells.network),
    "shared_cell": Meaning(CellSkeleton, "cells", cells.network),
    "edge_cells": Meaning(EdgeCellSkeleton, "edge_cells", edge_cells.network),
    "chain": Meaning(ChainSkeleton, "chain", chain.network),
    "dag_cells": Meaning(DagSkeleton, "dag", dag.network),
    "dag_network": Meaning(DagNetworkSkeleton, "dag_network", dag.whole_network),
    "free": Meaning(FreeSkeleton, "free", free.network),
    "mobile": Meaning(MobileSkeleton, "mobile", mobile.network),
    "units": Meaning(MobileSkeleton, "mobile", mobile.units),
    "mnas": Meaning(MobileSkeleton, "mobile", mnas.network),
    "skips": Meaning(SkipSkeleton, "skips", skips.network),
    "branches": Meaning(BranchSkeleton, "branches", branches.network),
    "hierarchy": Meaning(HierarchySkeleton, "hierarchy", hierarchy.network),
    "trellis": Meaning(TrellisSkeleton, "trellis", trellis.network, "segmentation"),
    "fpn": Meaning(FpnSkeleton, "fpn", fpn.network, "detection"),
    "head": Meaning(HeadSkeleton, "head", detection.network, "detection"),
    "transformer": Meaning(TransformerSkeleton, "transformer", transformer.network),
    "widths": Meaning(WidthSkeleton, "widths", widths.network),
    "recurrent": Meaning(RecurrentSkeleton, "recurrent", recurrent.network),
}


def lower(grammar: Grammar, skeleton: Skeleton, image: ImageInput, decided: Decided | None = None) -> Graph:
    """What a grammar means on a skeleton once some decisions are made.

    `decided` is partial: all answers give an architecture, none the supernet, some anything between. The outputs are
    the logits (num_classes,), then those of the auxiliary head where the skeleton has one; of a segmentation one map
    (num_classes, height, width), of a detection one map of classes a level, then one of boxes. LoweringError says what
    does not fit together.
    """
    cursor = Cursor.root(grammar, decided)
    meaning = MEANINGS.get(cursor.builds)
    if meaning is None:
        raise LoweringError("", f"nothing is known that builds {cursor.builds!r}", cursor.builds, MEANINGS)
    if not isinstance(skeleton, meaning.skeleton):
        raise LoweringError(
            "/skeleton/family",
            f"{cursor.builds!r} stands in a skeleton of family {meaning.family!r}, not {skeleton.family!r}",
            skeleton.family,
            (meaning.family,),
        )
    norm_after_pool = isinstance(skeleton, CellSkeleton) and skeleton.norm_after_pool
    layers = Layers(affine=skeleton.affine, norm_after_pool=norm_after_pool)
    return layers.finish(meaning.network(layers, cursor, skeleton, image))


def task_of(grammar: Grammar) -> Task | None:
    """What the networks of a grammar are for; None where it has no meaning."""
    root = grammar.follow(grammar.root)
    meaning = MEANINGS.get(root.builds) if isinstance(root, Record) else None
    return None if meaning is None else meaning.task


def lower_cell(
    grammar: Grammar,
    rule: str,
    *,
    channels: int,
    size: tuple[int, int] = (32, 32),
    stride: int = 1,
    affine: bool = True,
    norm_after_pool: bool = False,
    decided: Decided | None = None,
) -> Graph:
    """One cell of a `cells` grammar without its skeleton: rule `rule` on two inputs of the cell's own width.

    Inputs `s0`, `s1` (channels, *size) -> (nodes x channels, *size over the stride). Decision paths start at the cell.
    """
    b = Layers(affine=affine, norm_after_pool=norm_after_pool)
    cell = cells.read_cell(Cursor.root(Grammar(grammar.rules, rule, grammar.depth), decided))
    inputs = (b.input("s0", channels, size), b.input("s1", channels, size))
    return b.finish([cells.build_cell(b, "cell", cell, inputs, channels, stride)])


def lower_operation(
    name: str,
    *,
    channels: int,
    width: int | None = None,
    size: tuple[int, int] = (32, 32),
    stride: int = 1,
    affine: bool = True,
    norm_after_pool: bool = False,
) -> Graph:
    """One operation of the vocabulary: input `x` (channels, *size) -> (width or channels, *size over the stride)."""
    b = Layers(affine=affine, norm_after_pool=norm_after_pool)
    x = b.input("x", channels, size)
    return b.finish([operation(b, "", name, name, x, channels if width is None else width, stride)])


__all__ = ["MEANINGS", "Meaning", "Task", "lower", "lower_cell", "lower_operation", "task_of"]
