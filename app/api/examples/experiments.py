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
    sought = [{"metric": "accuracy"}, {"metric": "macs", "goal": "minimise"}]
    evolving: Json = {
        "space": "nasbench201",
        "strategy": "evolution",
        "parameters": {"population": 10, "tournament": 5},
        "evaluator": {"kind": "training", "dataset": "digits", "recipe": {"epochs": 3}},
        "budget": 20,
        "max_params": 200_000,
    }
    fronts: Json = {
        "space": "darts",
        "strategy": "nsga2",
        "evaluator": {"kind": "inherited", "dataset": "digits"},
        "objectives": sought,
        "budget": 100,
        "seed": 1,
    }
    untrained: Json = {
        "space": "nasbench201",
        "strategy": "random",
        "evaluator": {"kind": "proxies", "dataset": "digits", "images": 32},
        "objectives": [{"metric": "naswot"}],
        "budget": 50,
    }
    table: Json = {
        "space": "nasbench_macro",
        "strategy": "local_search",
        "evaluator": {"kind": "catalogue", "dataset": "cifar10", "split": "test"},
        "budget": 200,
    }

    def posted(path: str, name: str, summary: str, status: int, body: Json) -> Example:
        return Example(method="post", path=path, name=name, summary=summary, status=status, body=body)

    return (
        posted("/v1/compare", "cells", "DARTS and NAS-Bench-201 side by side", 200, beside),
        posted("/v1/architectures", "small", "DARTS_V2 on a small skeleton", 201, small),
        posted("/v1/searches", "digits", "DARTS on the packaged images, every default chosen", 202, quick),
        posted("/v1/searches", "custom", "With a recipe of one's own", 202, custom),
        posted("/v1/searches", "training", "Regularised evolution, every member trained from scratch", 202, evolving),
        posted("/v1/searches", "inherited", "NSGA-II with the weights of one supernet", 202, fronts),
        posted("/v1/searches", "proxies", "Random search by a zero-cost proxy", 202, untrained),
        posted("/v1/searches", "catalogue", "By a published table; refused where none was imported", 422, table),
        posted("/v1/trainings", "digits", "DARTS_V2 from scratch on the packaged images", 202, training),
    )
