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
        asked("evaluations/summary", "table", "Mean and deviation over the seeds of a table", table | {"limit": 10}),
        Example(
            method="post",
            path="/v1/correlations",
            name="data sets",
            summary="Do two data sets order the same architectures alike? There are no such results",
            status=422,
            body={
                "space": "nasbench201",
                "x": {"dataset": "cifar10", "split": "selection", "recipe": "standard-200"},
                "y": {"dataset": "cifar100", "split": "selection", "recipe": "standard-200"},
                "tops": [10, 100],
            },
        ),
        Example(
            method="post",
            path="/v1/searches/{search_id}/replay",
            name="again",
            summary="Run a search again from its record; there is none of this id",
            status=404,
            parameters={"search_id": "00000000-0000-0000-0000-000000000000"},
        ),
    )
