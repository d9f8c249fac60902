"""The examples of the OpenAPI. Answers to pure questions are computed, so that no documented answer can be wrong.

What a route makes in the catalogue (jobs, architectures) is shown by its request; its answer is described by schema.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from app.api.answers import canonical_form, costs, decisions, member, member_page, neighbours, sample, validation
from app.api.batches import in_order
from app.api.portrait import size_view
from app.api.problems import problem_of, problem_view
from app.api.schemas.genotype import CostQuestion, GenotypeQuestion, NeighbourQuestion, SampleQuestion
from app.api.schemas.model import Output
from app.space import space_from_json
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
    path: str, name: str, summary: str, body: Json, reply: Callable[[], Output] | None = None, **rest: Any
) -> Example:
    """An example of a POST below a space."""
    return Example(
        method="post",
        path=f"/v1/spaces/{{space}}/{path}",
        name=name,
        summary=summary,
        body=body,
        parameters=HERE,
        reply=reply,
        **rest,
    )


@cache
def examples() -> tuple[Example, ...]:
    """Every example, by route."""
    return (*about_spaces(), *about_members(), *about_genotypes(), *about_batches(), *about_experiments())


def about_spaces() -> tuple[Example, ...]:
    """Examples of the routes of spaces."""
    mine = {"space": MINE}
    return (
        Example(
            method="get",
            path="/v1/spaces/{space}/size",
            name="darts",
            summary="How large the DARTS space is",
            parameters=HERE,
            reply=lambda: size_view(DARTS),
        ),
        Example(
            method="post",
            path="/v1/size",
            name="mine",
            summary="How large a space of one's own is",
            body=mine,
            reply=lambda: size_view(space_from_json(MINE)),
        ),
        Example(
            method="get",
            path="/v1/spaces/{space}/decisions",
            name="darts",
            summary="What is decided in the DARTS space",
            parameters=HERE,
            reply=lambda: decisions(DARTS),
        ),
        Example(
            method="post",
            path="/v1/spaces",
            name="mine",
            summary="Two layers of two operations",
            status=201,
            body=MINE,
        ),
    )


def about_members() -> tuple[Example, ...]:
    """Examples of the routes of members."""
    drawn: Json = {"count": 2, "seed": 7}
    return (
        question(
            "sample",
            "two",
            "Two random members",
            drawn,
            lambda: sample(DARTS, SampleQuestion.model_validate(drawn)),
        ),
        Example(
            method="get",
            path="/v1/spaces/{space}/members",
            name="first",
            summary="The first members",
            parameters=HERE | {"start": "0", "limit": 2},
            reply=lambda: member_page(DARTS, 0, 2),
        ),
        Example(
            method="get",
            path="/v1/spaces/{space}/members/{index}",
            name="one",
            summary="A member by rank",
            parameters=HERE | {"index": "42"},
            reply=lambda: member(DARTS, 42),
        ),
    )


def about_genotypes() -> tuple[Example, ...]:
    """Examples of the questions about a genotype."""
    good, bad = {"genotype": DARTS_V2}, {"genotype": BROKEN}
    few: Json = good | {"limit": 2}
    priced: Json = good | {"skeleton": "cifar", "by_node": False}
    custom: Json = good | {"skeleton": TINY, "input": {"channels": 1, "height": 8, "width": 8}, "by_node": False}
    misspelt: Json = good | {"skeleton": "cifra"}
    return (
        question(
            "validate", "member", "A member", good, lambda: validation(DARTS, GenotypeQuestion.model_validate(good))
        ),
        question(
            "validate",
            "broken",
            "Everything that is wrong, and the nearest member",
            bad,
            lambda: validation(DARTS, GenotypeQuestion.model_validate(bad)),
        ),
        question(
            "neighbours",
            "two",
            "Two of the genotypes one decision away",
            few,
            lambda: neighbours(DARTS, NeighbourQuestion.model_validate(few)),
        ),
        question(
            "canonical", "v2", "DARTS_V2", good, lambda: canonical_form(DARTS, GenotypeQuestion.model_validate(good))
        ),
        question(
            "cost",
            "cifar",
            "DARTS_V2 as its paper trains it on CIFAR",
            priced,
            lambda: costs(DARTS, CostQuestion.model_validate(priced)),
        ),
        question(
            "cost",
            "custom",
            "The same on a skeleton and an image of one's own",
            custom,
            lambda: costs(DARTS, CostQuestion.model_validate(custom)),
        ),
        question("draw", "text", "The two cells as text", good | {"form": "text"}),
        question(
            "cost",
            "misspelt",
            "A skeleton that the space does not have",
            misspelt,
            refused(lambda: costs(DARTS, CostQuestion.model_validate(misspelt))),
            status=422,
        ),
        question(
            "canonical",
            "broken",
            "What is not a member has no canonical form",
            bad,
            refused(lambda: canonical_form(DARTS, GenotypeQuestion.model_validate(bad))),
            status=422,
        ),
    )


def about_batches() -> tuple[Example, ...]:
    """Examples of batches: a member and what is none."""
    both = [{"genotype": DARTS_V2}, {"genotype": BROKEN}]
    cheap = [item | {"skeleton": TINY, "by_node": False} for item in both]
    asked = [GenotypeQuestion.model_validate(item) for item in both]
    priced = [CostQuestion.model_validate(item) for item in cheap]
    few = [NeighbourQuestion.model_validate(item | {"limit": 1}) for item in both]
    batches: tuple[tuple[str, list[Json], Callable[[], Output]], ...] = (
        ("validate", both, lambda: in_order(DARTS, asked, validation, REQUEST_ID)),
        ("neighbours", [i | {"limit": 1} for i in both], lambda: in_order(DARTS, few, neighbours, REQUEST_ID)),
        ("canonical", both, lambda: in_order(DARTS, asked, canonical_form, REQUEST_ID)),
        ("cost", cheap, lambda: in_order(DARTS, priced, costs, REQUEST_ID)),
    )
    return (
        *(
            question(f"{path}/batch", "two", "A member, and a genotype that is none", {"items": items}, reply)
            for path, items, reply in batches
        ),
        question("draw/batch", "two", "A member, and a genotype that is none", {"items": both}),
    )


def about_experiments() -> tuple[Example, ...]:
    """Examples of what goes to a worker and of what is catalogued."""
    small: Json = {
        "space": "darts",
        "genotype": DARTS_V2,
        "skeleton": TINY,
        "input": {"channels": 1, "height": 8, "width": 8},
    }
    quick: Json = {"space": "darts", "dataset": "digits"}
    custom = quick | {"seed": 3, "recipe": {"epochs": 4, "learning_rate": 0.05}, "baseline": False, "device": "cpu"}
    training = quick | {"genotype": DARTS_V2, "skeleton": TINY, "recipe": "digits-quick", "seed": 1}

    def posted(path: str, name: str, summary: str, status: int, body: Json) -> Example:
        return Example(method="post", path=path, name=name, summary=summary, status=status, body=body)

    return (
        posted("/v1/architectures", "small", "DARTS_V2 on a small skeleton", 201, small),
        posted("/v1/searches", "digits", "DARTS on the packaged images, every default chosen", 202, quick),
        posted("/v1/searches", "custom", "With a recipe of one's own", 202, custom),
        posted("/v1/trainings", "digits", "DARTS_V2 from scratch on the packaged images", 202, training),
    )
