"""Examples of questions to the catalogue: their answers depend on what it holds, and are described by their schemas."""

from app.api.examples.example import Example, Json


def about_catalogue() -> tuple[Example, ...]:
    """One question a route."""
    table: Json = {"space": "nasbench201", "dataset": "cifar10", "recipe": "standard-200", "split": "test"}
    small = table | {"max_params": 1_000_000}

    def asked(path: str, name: str, summary: str, parameters: Json) -> Example:
        return Example(method="get", path=f"/v1/{path}", name=name, summary=summary, parameters=parameters)

    return (
        asked(
            "architectures", "smallest", "The smallest architectures of a space", {"space": "darts", "sort": "params"}
        ),
        asked("evaluations", "best", "The most accurate under a bound", small | {"sort": "-accuracy", "limit": 10}),
        asked("evaluations.csv", "table", "A whole table, the most accurate first", table | {"sort": "-accuracy"}),
        asked("evaluations.parquet", "table", "A whole table, the smallest first", table | {"sort": "params"}),
        asked("pareto", "macs", "Accuracy against multiply-adds", small | {"x": "macs", "y": "accuracy", "limit": 100}),
        asked("pareto.csv", "params", "Accuracy against learnable numbers", table | {"x": "params", "y": "accuracy"}),
    )
