"""What the OpenAPI says beyond the routes' own signatures: problems of every route, and examples that are real."""

from collections.abc import Container, Iterator
from typing import Any, cast

from fastapi import FastAPI

from app.api.callers import SCOPES
from app.api.examples import Example, examples
from app.api.problems import MEDIA_TYPE
from app.api.schemas.problem import ProblemView
from app.api.scopes import needed_for
from app.api.statuses import MEANINGS, may_be_known, problems_of, touching_database

DESCRIPTION = """Neural architecture search as a service.

Questions about search spaces are answered at once and exactly. Searches and trainings are jobs: a POST answers 202
with the job, whose events can be followed as they happen. Every result is in the catalogue, with its recipe, split
and seed. Errors are `application/problem+json` (RFC 9457) with a JSON pointer to everything that is wrong.

Numbers that can pass 2^53 (sizes, ranks) are decimal strings. An index or an id means something only together with
the space's name, version and digest, which every answer repeats. Costs are exact and count multiply-adds (MACs).
"""

TAGS = [
    {"name": "spaces", "description": "Search spaces: the zoo and registered ones"},
    {"name": "members", "description": "Genotypes by rank, and random ones"},
    {"name": "genotypes", "description": "Questions about one genotype, each with its batch"},
    {"name": "architectures", "description": "Genotypes on skeletons, catalogued"},
    {"name": "experiments", "description": "Searches, trainings and transfers"},
    {"name": "profiles", "description": "Measured latency and memory, and the lookup tables they make"},
    {"name": "jobs", "description": "What runs, what it reports, who runs it"},
    {"name": "evaluations", "description": "What was measured"},
    {"name": "reference", "description": "Operations, strategies, recipes, data sets"},
    {"name": "access", "description": "Keys, and what was done with them"},
    {"name": "health", "description": "Liveness, readiness, counters"},
]

PROBLEM_SCHEMA = {"$ref": "#/components/schemas/ProblemView"}
Json = dict[str, Any]


def install_openapi(app: FastAPI, *, asks: bool) -> None:
    """Make the application's OpenAPI the complete one; it is made when it is first asked for. `asks`: for keys."""

    def openapi() -> Json:
        if app.openapi_schema is None:
            schema = FastAPI.openapi(app)
            describe_problems(schema, touching_database(app))
            describe_keys(schema, asks=asks)
            for example in examples():
                show(schema, example)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi


def operations(schema: Json) -> Iterator[tuple[str, str, Json]]:
    """Every (method, path, operation)."""
    for path, methods in cast("Json", schema["paths"]).items():
        for method, operation in methods.items():
            yield method, path, operation


def describe_keys(schema: Json, *, asks: bool) -> None:
    """Say which scope a key needs for each route; where nobody is asked for a key, that none is needed too."""
    schema["components"]["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "cellar_<id>_<secret>",
            "description": "A key, which `cellar keys add` makes. Its scopes: "
            + "; ".join(f"`{scope}`: {meaning}" for scope, meaning in SCOPES.items()),
        }
    }
    for method, path, operation in operations(schema):
        needed = needed_for(method, path)
        if needed == "public":
            operation["security"] = []
        else:
            operation["security"] = [{"key": [needed]}] if asks else [{"key": [needed]}, {}]


def describe_problems(schema: Json, database: Container[tuple[str, str]]) -> None:
    """Errors are problems: say which at every route, in place of the framework's own error schema."""
    definitions = ProblemView.model_json_schema(mode="serialization", ref_template="#/components/schemas/{model}")
    schemas = schema["components"]["schemas"]
    schemas.update(definitions.pop("$defs"))
    schemas["ProblemView"] = definitions
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    for method, path, operation in operations(schema):
        possible = problems_of(method, path, operation, database=(method, path) in database)
        responses = {s: answer for s, answer in operation["responses"].items() if s < "400"}
        if may_be_known(method, operation):
            responses.setdefault("304", {"description": MEANINGS[304]})
        for status, slugs in possible.items():
            responses[str(status)] = problem_response(MEANINGS[status]) | {"x-problem-types": slugs}
        operation["responses"] = responses
        responses["default"] = problem_response("Any other error")


def problem_response(description: str) -> Json:
    """A response that is a problem."""
    return {"description": description, "content": {MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}


def show(schema: Json, example: Example) -> None:
    """Put an example's request and answer where its operation describes them."""
    operation = schema["paths"][example.path][example.method]
    if example.body is not None:
        content = operation["requestBody"]["content"]["application/json"]
        content.setdefault("examples", {})[example.name] = {"summary": example.summary, "value": example.body}
    if example.reply is not None:
        media_type = MEDIA_TYPE if example.status >= 400 else "application/json"
        content = operation["responses"][str(example.status)]["content"][media_type]
        content.setdefault("examples", {})[example.name] = {"summary": example.summary, "value": example.answer()}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] in example.parameters:
            parameter["example"] = example.parameters[parameter["name"]]
