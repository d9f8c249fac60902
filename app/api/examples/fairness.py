"""Examples of how unequal options are."""

from app.api.examples.example import NASBENCH201, Example, Json, question
from app.api.fairness import fairness
from app.api.schemas.fairness import FairnessQuestion


def about_fairness() -> tuple[Example, ...]:
    """Examples of how unequal options are."""
    asked: Json = {"skeleton": "cifar"}
    return (
        question(
            "fairness",
            "nasbench201",
            "The five operations of NAS-Bench-201",
            asked,
            lambda: fairness(NASBENCH201, FairnessQuestion.model_validate(asked)),
            NASBENCH201,
        ),
    )
