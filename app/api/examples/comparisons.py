"""Examples of comparisons of strategies."""

from app.api.examples.example import Example, Json


def about_comparisons() -> tuple[Example, ...]:
    """Examples of comparisons of strategies."""
    untrained: Json = {
        "space": "nasbench201",
        "evaluator": {"kind": "proxies", "dataset": "digits", "images": 32},
        "objectives": [{"metric": "naswot"}],
        "strategies": [
            {"strategy": "random"},
            {"strategy": "evolution", "label": "young", "parameters": {"population": 10, "tournament": 5}},
        ],
        "seeds": 10,
        "budget": 50,
    }
    table: Json = {
        "space": "nasbench_macro",
        "evaluator": {"kind": "catalogue", "dataset": "cifar10", "split": "test"},
        "strategies": [{"strategy": "random"}, {"strategy": "evolution"}, {"strategy": "local_search"}],
        "seeds": 200,
        "budget": 200,
    }
    gone: Json = {
        "searches": ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"],
        "form": "svg",
    }

    def posted(path: str, name: str, summary: str, status: int, body: Json) -> Example:
        return Example(method="post", path=path, name=name, summary=summary, status=status, body=body)

    path = "/v1/comparisons"
    return (
        posted(path, "proxies", "Two strategies by a zero-cost proxy, ten seeds each", 202, untrained),
        posted(path, "catalogue", "By a published table; refused where none was imported", 422, table),
        posted(f"{path}/of-searches", "drawn", "Searches that exist; 404 where one does not", 404, gone),
    )
