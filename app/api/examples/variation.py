"""Examples of members beside one another: mutants, children, differences, encodings, conversions."""

from collections.abc import Callable
from typing import Any

from app.api.batches import in_order
from app.api.examples.example import BROKEN, DARTS, DARTS_V2, NASBENCH201, REQUEST_ID, Example, Json, question
from app.api.schemas.model import Input, Output
from app.api.schemas.variation import (
    ConversionQuestion,
    CrossoverQuestion,
    DifferenceQuestion,
    EncodingQuestion,
    MutationQuestion,
)
from app.api.variation import conversion, crossover, difference, encoding, mutation
from app.space import SearchSpace

OTHER: Json = DARTS_V2 | {"reduce": DARTS_V2["normal"]}
CELL: Json = {
    "0->1": "nor_conv_3x3",
    "0->2": "none",
    "1->2": "skip_connect",
    "0->3": "none",
    "1->3": "avg_pool_3x3",
    "2->3": "nor_conv_1x1",
}
Answer = Callable[[SearchSpace, Any], Output]


def about_variation() -> tuple[Example, ...]:
    """One example a question, and one of its batch."""
    pair: Json = {"first": DARTS_V2, "second": OTHER}
    ways: Json = {"genotype": CELL, "encoding": "path"}
    turned: Json = {"genotype": DARTS_V2, "from": "json", "to": "json"}
    asked: tuple[tuple[str, str, SearchSpace, Json, type[Input], Answer], ...] = (
        ("mutate", "Two mutants", DARTS, {"genotype": DARTS_V2, "count": 2, "seed": 7}, MutationQuestion, mutation),
        ("crossover", "Two children", DARTS, pair | {"count": 2, "seed": 7}, CrossoverQuestion, crossover),
        ("diff", "One cell exchanged for the other", DARTS, pair, DifferenceQuestion, difference),
        ("encode", "The ways through a cell", NASBENCH201, ways, EncodingQuestion, encoding),
        (
            "convert",
            "As it is",
            DARTS,
            turned,
            ConversionQuestion,
            conversion,
        ),
    )
    return tuple(
        example
        for path, summary, space, body, kind, answer in asked
        for example in (alone(path, summary, space, body, kind, answer), batch(path, space, body, kind, answer))
    )


def alone(path: str, summary: str, space: SearchSpace, body: Json, kind: type[Input], answer: Answer) -> Example:
    """A question by itself."""
    return question(path, "one", summary, body, lambda: answer(space, kind.model_validate(body)), space=space)


def batch(path: str, space: SearchSpace, body: Json, kind: type[Input], answer: Answer) -> Example:
    """The same in a batch, with a genotype that is none."""
    place = "genotype" if "genotype" in body else "second"
    items = [body, body | {place: BROKEN}]
    asked = [kind.model_validate(item) for item in items]
    reply = lambda: in_order(space, asked, answer, REQUEST_ID)  # noqa: E731
    return question(
        f"{path}/batch", "two", "A member, and a genotype that is none", {"items": items}, reply, space=space
    )
