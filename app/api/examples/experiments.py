"""Examples of what goes to a worker and of what is catalogued."""

from app.api.examples.example import DARTS_V2, TINY, Example, Json


def about_experiments() -> tuple[Example, ...]:
    """Examples of what goes to a worker and of what is catalogued."""
    small: Json = {
        "space": "darts",
        "genotype": DARTS_V2,
        "skeleton": TINY,
        "input": {"channels": 1, "height": 8, "width": 8},
    }
    beside: Json = {"spaces": ["darts", "nasbench201"], "skeletons": ["small", "small"], "count": 20, "bins": 5}
    quick: Json = {"space": "darts", "dataset": "digits"}
    custom = quick | {"seed": 3, "recipe": {"epochs": 4, "learning_rate": 0.05}, "baseline": False, "device": "cpu"}
    training = quick | {"genotype": DARTS_V2, "skeleton": TINY, "recipe": "digits-quick", "seed": 1}

    def posted(path: str, name: str, summary: str, status: int, body: Json) -> Example:
        return Example(method="post", path=path, name=name, summary=summary, status=status, body=body)

    return (
        posted("/v1/compare", "cells", "DARTS and NAS-Bench-201 side by side", 200, beside),
        posted("/v1/architectures", "small", "DARTS_V2 on a small skeleton", 201, small),
        posted("/v1/searches", "digits", "DARTS on the packaged images, every default chosen", 202, quick),
        posted("/v1/searches", "custom", "With a recipe of one's own", 202, custom),
        posted("/v1/trainings", "digits", "DARTS_V2 from scratch on the packaged images", 202, training),
    )
