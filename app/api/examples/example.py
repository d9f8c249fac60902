"""One documented request and its answer, and the genotypes and spaces that the examples are about."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.api.problems import problem_of, problem_view
from app.api.schemas.model import Output
from app.space import SearchSpace
from app.space.zoo import ZOO

Json = dict[str, Any]

DARTS, NASBENCH201 = ZOO["darts"], ZOO["nasbench201"]
REQUEST_ID = "5f0e6c1b2a3d4e5f8091a2b3c4d5e6f7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One request and its answer."""

    method: str
    path: str
    name: str
    summary: str
    status: int = 200
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])  # of path and query
    body: Json | None = None
    reply: Callable[[], Output] | None = None  # None: described by its schema alone

    def answer(self) -> Json | None:
        """The JSON of the answer; None where it depends on the catalogue."""
        return None if self.reply is None else self.reply().model_dump(mode="json")


def edge(op: str, source: int) -> Json:
    """An edge of a DARTS genotype."""
    return {"input": source, "op": op}


# The cells that DARTS found with its second-order approximation (quark0/darts `cnn/genotypes.py`, DARTS_V2).
DARTS_V2: Json = {
    "normal": {
        "node2": [edge("sep_conv_3x3", 0), edge("sep_conv_3x3", 1)],
        "node3": [edge("sep_conv_3x3", 0), edge("sep_conv_3x3", 1)],
        "node4": [edge("skip_connect", 0), edge("sep_conv_3x3", 1)],
        "node5": [edge("skip_connect", 0), edge("dil_conv_3x3", 2)],
    },
    "reduce": {
        "node2": [edge("max_pool_3x3", 0), edge("max_pool_3x3", 1)],
        "node3": [edge("max_pool_3x3", 1), edge("skip_connect", 2)],
        "node4": [edge("max_pool_3x3", 0), edge("skip_connect", 2)],
        "node5": [edge("max_pool_3x3", 1), edge("skip_connect", 2)],
    },
}

# The same with a misspelt operation and a node that reads one state twice.
BROKEN: Json = DARTS_V2 | {
    "normal": DARTS_V2["normal"]
    | {
        "node3": [edge("sep_conv_3x3", 1), edge("sep_conv_5x5", 1)],
        "node5": [edge("skip_conect", 0), edge("dil_conv_3x3", 2)],
    }
}

# A space of one's own: two layers, each of two operations.
MINE: Json = {
    "name": "two-layers",
    "title": "Two layers of two operations",
    "grammar": {
        "start": "chain",
        "rules": {
            "chain": {
                "record": "chain",
                "fields": {"layers": {"repeat": {"choice": ["conv_3x3", "skip_connect"]}, "lengths": [2]}},
            }
        },
    },
    "skeletons": {"tiny": {"family": "chain", "channels": 8, "reductions": [1]}},
}
TINY: Json = {"family": "cells", "channels": 8, "num_cells": 3}
HERE: Json = {"space": "darts"}


def refused(answer: Callable[[], Output]) -> Callable[[], Output]:
    """The problem that a question ends in."""

    def problem() -> Output:
        try:
            answer()
        except Exception as error:
            if found := problem_of(error):
                return problem_view(found, REQUEST_ID)
            raise
        raise AssertionError("the example is answered, not refused")

    return problem


def question(
    path: str,
    name: str,
    summary: str,
    body: Json,
    reply: Callable[[], Output] | None = None,
    space: SearchSpace = DARTS,
    **rest: Any,
) -> Example:
    """An example of a POST below a space."""
    return Example(
        method="post",
        path=f"/v1/spaces/{{space}}/{path}",
        name=name,
        summary=summary,
        body=body,
        parameters={"space": space.name},
        reply=reply,
        **rest,
    )
