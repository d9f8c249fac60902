"""Examples of the routes of spaces and their members."""

from app.api.answers import decisions, identity, member, member_page, sample
from app.api.examples.example import DARTS, HERE, MINE, NASBENCH201, Example, Json, question
from app.api.schemas.genotype import SampleQuestion
from app.api.schemas.space import CountView
from app.api.sizes import size_view
from app.space import space_from_json

# A graph of four nodes, an operation on every way.
DENSE: Json = {
    "name": "dense",
    "grammar": {
        "start": "net",
        "rules": {
            "net": {
                "record": "free",
                "fields": {"body": {"pattern": "dense", "nodes": 4, "operations": ["conv_3x3", "skip_connect"]}},
            }
        },
    },
}


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
            method="post",
            path="/v1/size",
            name="pattern",
            summary="How large a connectivity pattern is",
            body={"space": DENSE},
            reply=lambda: size_view(space_from_json(DENSE)),
        ),
        Example(
            method="get",
            path="/v1/patterns",
            name="cells",
            summary="The patterns, and 20 layers against a cell of 4",
            parameters={"operations": 7, "nodes": 4, "layers": 20, "blocks": 4},
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
        question(
            "count",
            "known",
            "What is counted at once needs no job",
            {"equivalence": "functional"},
            lambda: CountView(space=identity(NASBENCH201), size=size_view(NASBENCH201).unique[3]),
            space=NASBENCH201,
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
