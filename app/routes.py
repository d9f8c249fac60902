"""Every route with every status it can answer, as docs/api.md has it.

python -m app.routes > docs/api.md
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.api.openapi import TAGS, operations
from app.api.statuses import MEANINGS, PROBLEM_TYPES
from app.main import create_app
from app.settings import Settings

Json = dict[str, Any]

OPENING = """# Every route, and what it can answer

Made from the application's OpenAPI by `python -m app.routes > docs/api.md`; a test compares the two, and another
provokes the statuses. `/openapi.json` has the same with every field, `/docs` shows it.

Every status from 400 on is a problem: `application/problem+json` (RFC 9457), whose `type` is `urn:cellar:problem:`
and a name from the second table. Its `errors` has a JSON pointer to everything that is wrong, its `request_id` is in
the log. HEAD is answered as GET is, without the body.

Outside of these routes: 404 where there is no such path, 405 where the path has other methods, 500 where the service
failed; 408, 414 and 431 where a request comes too slowly, or is too long before its body."""

SUCCESSES: Json = {"200": "Answered", "201": "Made", "202": "Accepted: a job will do it"}


def guide(schema: Json) -> str:
    """The whole of docs/api.md."""
    return "\n".join((OPENING, "", *statuses(schema), *problem_types(), *routes(schema)))


def statuses(schema: Json) -> Iterator[str]:
    """What each status means."""
    answered = {int(s) for _, _, o in operations(schema) for s in o["responses"] if s.isdecimal()}
    yield from ("## Statuses", "", "| status | means |", "| --- | --- |")
    yield from (f"| {status} | {SUCCESSES.get(str(status)) or MEANINGS[status]} |" for status in sorted(answered))
    yield ""


def problem_types() -> Iterator[str]:
    """Every problem, with its status."""
    yield from ("## Problems", "", "| status | type | is answered where |", "| --- | --- | --- |")
    yield from (f"| {status} | `{slug}` | {means} |" for slug, (status, means) in PROBLEM_TYPES.items())
    yield ""


def routes(schema: Json) -> Iterator[str]:
    """The routes of each tag, with what they answer."""
    for tag in TAGS:
        yield from (f"## {tag['name'].capitalize()}", "", f"{tag['description']}.", "")
        yield from ("| route | answers | statuses |", "| --- | --- | --- |")
        for method, path, operation in operations(schema):
            if operation["tags"] == [tag["name"]]:
                yield f"| `{method.upper()} {path}` | {first_sentence(operation)} | {answered_by(operation)} |"
        yield ""


def first_sentence(operation: Json) -> str:
    """What a route is for."""
    paragraph = " ".join(operation["description"].split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".").replace("|", "\\|")


def answered_by(operation: Json) -> str:
    """The statuses of a route; a conflict with its types, which differ from route to route."""
    listed = sorted((int(s), answer) for s, answer in operation["responses"].items() if s.isdecimal())
    return ", ".join(
        f"{status} ({', '.join(answer['x-problem-types'])})" if status == 409 else str(status)
        for status, answer in listed
    )


def openapi() -> Json:
    """The OpenAPI of an application that is only asked for it."""
    with TemporaryDirectory() as root:
        asked = Settings(
            database_url="postgresql://127.0.0.1:1/none", redis_url="redis://127.0.0.1:1/0", data_root=Path(root)
        )
        app = create_app(asked)
        app.state.services.offload.close()
        return app.openapi()


if __name__ == "__main__":
    print(guide(openapi()))
