"""Examples of one architecture in several places."""

from app.api.batches import in_order
from app.api.examples.example import BROKEN, DARTS, DARTS_V2, REQUEST_ID, TINY, Example, Json, question
from app.api.places import placed
from app.api.schemas.transfer import TransferQuestion


def about_transfers() -> tuple[Example, ...]:
    """Examples of what goes from one skeleton, image and data set to another."""
    published: Json = {
        "genotype": DARTS_V2,
        "places": [{"skeleton": "cifar"}, {"skeleton": "imagenet", "input": {"height": 224, "width": 224}}],
    }
    small: list[Json] = [{"genotype": g, "places": [{"skeleton": "small"}]} for g in (DARTS_V2, BROKEN)]
    asked = [TransferQuestion.model_validate(item) for item in small]
    training: Json = {
        "space": "nasbench201",
        "sample": {"count": 6, "seed": 1},
        "source": {"dataset": "digits"},
        "target": {"dataset": "digits", "skeleton": {"family": "edge_cells", "channels": 16, "num_cells": 3}},
    }
    given: Json = {
        "space": "darts",
        "genotypes": [DARTS_V2],
        "sample": {"count": 3, "distribution": "per-choice"},
        "source": {"dataset": "digits", "skeleton": TINY, "recipe": {"epochs": 2}},
        "target": {"dataset": "fashion_mnist", "recipe": {"epochs": 1}},
        "keep_weights": True,
    }

    def started(name: str, summary: str, body: Json) -> Example:
        return Example(method="post", path="/v1/transfers", name=name, summary=summary, status=202, body=body)

    return (
        question(
            "transfer",
            "published",
            "DARTS_V2 as its paper trains it on CIFAR and on ImageNet",
            published,
            lambda: placed(DARTS, TransferQuestion.model_validate(published)),
        ),
        question(
            "transfer/batch",
            "two",
            "A member, and a genotype that is none",
            {"items": small},
            lambda: in_order(DARTS, asked, placed, REQUEST_ID),
        ),
        started("skeletons", "From a small skeleton to a larger one, over six random members", training),
        started("data-sets", "From one data set to another, a given genotype among random ones", given),
    )
