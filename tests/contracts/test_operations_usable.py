"""Every operation with a name may be used in a user's own document, on the skeleton of every family that takes any.

A family is skipped by no operation but where its shape rule forbids it; those places are listed, each with its reason.
"""

from collections.abc import Callable
from typing import Any

import pytest

from app.architecture import OPERATIONS, Graph, LoweringError, lower
from app.architecture.lower.combinators import COMBINATORS
from app.space import space_from_json

Json = dict[str, Any]


def record(builds: str, **fields: Any) -> Json:
    return {"record": builds, "fields": fields}


def many(term: Any, *lengths: int) -> Json:
    return {"repeat": term, "lengths": list(lengths)}


def edge(state: int, op: Json) -> Json:
    return record("edge", input=state, op=op)


def pair(op: Json) -> Json:
    return {"subset": [edge(0, op), edge(1, op)], "k": 2}


def hierarchy(op: Json) -> Json:
    return record("hierarchy", cell=record("motif", **{"0->1": op, "1->2": op, "0->2": "none"}))


def trellis(op: Json) -> Json:
    path = record("state", level=4, next=record("state", level=8))
    return record("trellis", cell=record("cell", node0=record("pair", left=edge(0, op), right=edge(1, op))), path=path)


def dag(op: Json) -> Json:
    cell = record("dag", vertices=3, **{"0->1": 1, "1->2": 1, "0->2": 1, "v1": op})
    return record("dag_cells", cell=cell)


# family of skeletons -> a network of it that chooses an operation, and its skeleton
FAMILIES: dict[str, tuple[Callable[[Json], Json], Json]] = {
    "chain": (lambda op: record("chain", layers=many(op, 2)), {"channels": 8, "reductions": [1]}),
    "cells": (
        lambda op: record("cells", normal=record("cell", node0=pair(op)), reduce=record("cell", node0=pair(op))),
        {"channels": 8, "num_cells": 3},
    ),
    "edge_cells": (
        lambda op: record("edge_cells", **{"0->1": op, "0->2": "skip_connect", "1->2": op}),
        {"channels": 8, "num_cells": 1},
    ),
    "dag": (dag, {"channels": 8, "num_stacks": 2, "num_cells": 1}),
    "dag_network": (
        lambda op: record("dag_network", **{"0->1": 1, "1->2": 1, "0->2": 0, "v1": op}),
        {"channels": 8},
    ),
    "branches": (
        lambda op: record("branches", paths=many(record("branch", layers=many(op, 1)), 2), merge="concat"),
        {"channels": 8},
    ),
    "skips": (
        lambda op: record("skips", layer0=record("layer", op=op), layer1=record("layer", op=op, skip0=1)),
        {"channels": 8},
    ),
    "mobile": (
        lambda op: record("mobile", layers=many(op, 4)),
        {"stem": 8, "first": 0, "widths": [8, 16], "depths": [2, 2], "strides": [1, 2], "head": 8},
    ),
    "hierarchy": (hierarchy, {"channels": 8}),
    "trellis": (trellis, {"channels": 4}),
    "head": (
        lambda op: record("head", level3=record("tower", layers=many(op, 1)), **{"3->4": op},
                          level4=record("tower", layers=many(op, 1))),
        {"channels": 8, "backbone_channels": 4},
    ),
    "free": (
        lambda op: record("free", body=record("sequence", a=record("apply", op=op), b=record("apply", op=op, stride=2,
                          width=2))),
        {"channels": 8},
    ),
}  # fmt: skip

# No skeleton of these has an operation of the vocabulary
WITHOUT = {"widths", "transformer", "recurrent", "fpn"}

# (family, operation) that the shape rule forbids: why
FORBIDDEN = {("mobile", "zero"): "leaves the residual of a layer, and there is none"}


def lowered(family: str, operation: str) -> Graph:
    """A user's document with one operation everywhere, from JSON to a graph."""
    network, skeleton = FAMILIES[family]
    document = {
        "name": f"mine-{family.replace('_', '-')}",
        "grammar": {"start": "network", "rules": {"network": network({"choice": [operation]})}},
        "skeletons": {"mine": {"family": family, "num_classes": 4} | skeleton},
        "input": {"channels": 3, "height": 32, "width": 32},
    }
    space = space_from_json(document)
    genotype = space.plan.unrank(0)
    return lower(space.grammar, space.skeletons["mine"], space.input, space.plan.read(genotype))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_operation_stands_on_the_skeleton(family: str) -> None:
    for name in OPERATIONS:
        if (family, name) in FORBIDDEN:
            with pytest.raises(LoweringError, match=FORBIDDEN[family, name]):
                lowered(family, name)
            continue
        graph = lowered(family, name)
        assert graph.plain
        there = any(name in node.split("/") or "mb" in name for node in graph.nodes)
        assert there or OPERATIONS[name].family == "identity", name


def test_the_families_are_all_that_take_operations() -> None:
    families = {c.family for c in COMBINATORS}
    takes = {c.family for c in COMBINATORS if any("operation" in part.holds for part in c.fields)}
    assert set(FAMILIES) | WITHOUT == families
    assert takes - {"fpn"} == set(FAMILIES)


def test_an_unknown_operation_is_named_with_what_is_near() -> None:
    for family in FAMILIES:
        with pytest.raises(LoweringError) as caught:
            lowered(family, "sep_conv_3")
        error = caught.value
        assert error.value == "sep_conv_3"
        assert error.pointer.startswith("/"), family
        assert error.allowed[0] == "sep_conv_3x3"
        assert "'sep_conv_3x3'" in error.message
        assert set(error.allowed) == set(OPERATIONS)


def test_a_block_that_a_name_spells_stands_there_too() -> None:
    for family in FAMILIES:
        for name in ("mb2_k9_se", "attention_h2_d3_post", "ffn_swiglu_r1"):
            assert lowered(family, name).plain, (family, name)
