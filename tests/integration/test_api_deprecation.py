"""What will be gone is announced in every answer of it, also where that is a problem."""

from collections.abc import Iterator
from datetime import date

import pytest
from fastapi import Request
from fastapi.testclient import TestClient

from app.api.deprecation import Deprecation, announce, deprecated
from app.api.problems import not_found
from app.main import create_app
from app.settings import Settings

GOING = Deprecation(since=date(2026, 11, 24), sunset=date(2027, 6, 1), successor="/v1/new")


@pytest.fixture(scope="module")
def client(api_settings: Settings) -> Iterator[TestClient]:
    app = create_app(api_settings)

    def old(name: str) -> str:
        if name == "gone":
            raise not_found("thing", name)
        return name

    async def field(request: Request, old: str | None = None) -> str:
        if old is not None:
            announce(request, GOING)
        return old or "new"

    app.add_api_route("/v1/old/{name}", old, **deprecated(GOING))
    app.add_api_route("/v1/field", field)
    with TestClient(app) as running:
        yield running


@pytest.mark.parametrize(("path", "status"), [("/v1/old/there", 200), ("/v1/old/gone", 404), ("/v1/field?old=x", 200)])
def test_what_is_deprecated_says_so(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["deprecation"] == "@1795478400"
    assert answer.headers["sunset"] == "Tue, 01 Jun 2027 00:00:00 GMT"
    assert '</v1/new>; rel="successor-version"' in answer.headers["link"]
    known = client.get(path, headers={"If-None-Match": "*"})
    assert known.status_code == (304 if status == 200 else status)
    assert known.headers["sunset"] == answer.headers["sunset"]


def test_what_is_not_says_nothing(client: TestClient) -> None:
    for path in ("/v1/field", "/v1/spaces"):
        assert not {"deprecation", "sunset"} & set(client.get(path).headers)


def test_the_openapi_marks_a_deprecated_route(client: TestClient) -> None:
    routes = [route for route in client.app.routes if getattr(route, "path", "") == "/v1/old/{name}"]
    assert [route.deprecated for route in routes] == [True]


def test_notice_is_half_a_year() -> None:
    with pytest.raises(ValueError, match="183 days"):
        Deprecation(since=date(2026, 1, 1), sunset=date(2026, 6, 30), successor="/v1/new")
