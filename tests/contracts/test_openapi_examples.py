"""The OpenAPI: every field is described, every example is real."""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.examples import Example, examples
from app.api.openapi import operations

Json = dict[str, Any]
VOLATILE = {"request_id"}


def requested(api: TestClient, example: Example):
    """The answer to an example, asked as a client would ask it."""
    path, query = example.path, dict(example.parameters)
    for name in list(query):
        if f"{{{name}}}" in path:
            path = path.replace(f"{{{name}}}", str(query.pop(name)))
    return api.request(example.method, path, params=query, json=example.body)


def steady(value: Any) -> Any:
    """An answer without what differs from request to request."""
    match value:
        case dict():
            return {k: steady(v) for k, v in value.items() if k not in VOLATILE}
        case list():
            return [steady(v) for v in value]
        case _:
            return value


@pytest.mark.parametrize("example", examples(), ids=lambda e: f"{e.method} {e.path} {e.name}")
def test_every_documented_example_is_answered_as_documented(api: TestClient, example: Example) -> None:
    answer = requested(api, example)
    assert answer.status_code == example.status, answer.text
    operation = api.get("/openapi.json").json()["paths"][example.path][example.method]
    if example.body is not None:
        shown = operation["requestBody"]["content"]["application/json"]["examples"][example.name]["value"]
        assert shown == example.body
    if example.reply is not None:
        media_type = answer.headers["content-type"]
        shown = operation["responses"][str(example.status)]["content"][media_type]["examples"][example.name]["value"]
        assert steady(shown) == steady(answer.json())


def test_every_route_that_takes_a_body_has_an_example(api: TestClient) -> None:
    schema = api.get("/openapi.json").json()
    bare = {f"{method} {path}" for method, path, operation in operations(schema) if lacks_example(operation)}
    assert bare == set()


def test_every_question_to_the_catalogue_has_an_example(api: TestClient) -> None:
    schema = api.get("/openapi.json").json()
    for path in ("architectures", "evaluations", "evaluations.csv", "evaluations.parquet", "pareto", "pareto.csv"):
        parameters = schema["paths"][f"/v1/{path}"]["get"]["parameters"]
        assert any("example" in parameter for parameter in parameters), path


def lacks_example(operation: Json) -> bool:
    """Whether a body is asked for and none is shown."""
    body = operation.get("requestBody")
    return body is not None and not body["content"]["application/json"].get("examples")


def test_every_route_and_parameter_and_field_is_described(api: TestClient) -> None:
    schema = api.get("/openapi.json").json()
    for method, path, operation in operations(schema):
        assert operation.get("description"), f"{method} {path}"
        assert operation.get("tags"), f"{method} {path}"
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{method} {path} {parameter['name']}"
    silent = [place for place, field in fields(schema) if not field.get("description") and "$ref" not in field]
    assert silent == []


def fields(schema: Json) -> Iterator[tuple[str, Json]]:
    """Every field of every schema."""
    for name, definition in schema["components"]["schemas"].items():
        for field, described in definition.get("properties", {}).items():
            yield f"{name}.{field}", described


def test_errors_are_problems_on_every_route(api: TestClient) -> None:
    schema = api.get("/openapi.json").json()
    assert "HTTPValidationError" not in str(schema)
    for method, path, operation in operations(schema):
        for status, response in operation["responses"].items():
            if status == "default" or status.startswith(("4", "5")):
                assert list(response["content"]) == ["application/problem+json"], f"{method} {path} {status}"


def test_inputs_refuse_what_they_do_not_know(api: TestClient) -> None:
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    inputs = {name: s for name, s in schemas.items() if name.endswith(("Question", "Body", "Batch"))}
    assert len(inputs) > 10
    assert [name for name, definition in inputs.items() if definition.get("additionalProperties") is not False] == []


def test_outputs_have_every_field_always(api: TestClient) -> None:
    schemas = api.get("/openapi.json").json()["components"]["schemas"]
    outputs = {name: s for name, s in schemas.items() if "View" in name or name.endswith(("Page", "List", "Links"))}
    assert len(outputs) > 20
    for name, definition in outputs.items():
        assert set(definition.get("required", ())) == set(definition["properties"]), name
