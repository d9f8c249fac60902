"""Requests made to hurt, thrown at a real API process: refused or answered, in bounded time and memory."""

from collections.abc import Callable, Iterator

import pytest

from app.embedded import Engines
from app.space.zoo import ZOO
from tests.integration.bombs import BOMBS, Bomb, Target, target, texts

CPU_SECONDS = 2.0  # of one request; measured on a quiet machine: 0.6 at most
MEGABYTES = 160.0  # of growth, at the highest; measured: 101 at most
LEFT_MEGABYTES = 160.0  # more than before, after all of them


@pytest.fixture(scope="module")
def hurt(
    new_database: Callable[[], str], engines: Engines, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Target]:
    root = tmp_path_factory.mktemp("data")
    with target(new_database(), engines.redis_url, root, CELLAR_RECONCILE_SECONDS="3600") as opened:
        before = opened.memory("VmRSS")
        yield opened
        assert opened.memory("VmRSS") - before < LEFT_MEGABYTES


@pytest.mark.parametrize("name", BOMBS)
def test_what_is_made_to_hurt_does_not(hurt: Target, name: str) -> None:
    bomb = BOMBS[name]
    cost, answer = hurt.hit(bomb)
    assert cost.status in bomb.statuses, answer.text[:300]
    if cost.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    assert len(answer.content) < 4_000_000
    assert cost.cpu_seconds <= CPU_SECONDS
    assert cost.megabytes <= MEGABYTES
    assert hurt.client.get("/healthz").status_code == 200


def test_no_text_makes_a_reader_search_for_long(hurt: Target) -> None:
    forms = set()
    for space, form, body in texts():
        cost, answer = hurt.hit(Bomb(path=f"/v1/spaces/{space}/validate", body=body))
        assert cost.status in (200, 422), (form, answer.text[:300])
        assert cost.cpu_seconds <= 0.5, (space, form, body[:60])
        assert cost.megabytes <= 32, (space, form, body[:60])
        forms.add(form)
    assert len(forms) > 10
    assert len(ZOO) > len({space for space, _, _ in texts()}) > 1
