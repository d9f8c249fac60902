"""What a job waits for: whatever the database cannot do now and can do later."""

from typing import Any

import pytest
from sqlalchemy import text

from app.catalogue import Database
from workers import fenced
from workers.fenced import patiently


@pytest.mark.parametrize("code", ["57014", "40P01", "40001", "53100", "53200", "53300", "55P03", "25006", "58030"])
def test_what_the_database_cannot_do_now_is_tried_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    monkeypatch.setattr(fenced, "RETRY_SECONDS", 0.01)
    calls: list[int] = []

    def refused_twice(session: Any) -> str:
        calls.append(1)
        if len(calls) < 3:
            session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{code}'; END $$"))
        return "done"

    assert patiently(database, refused_twice) == "done"
    assert len(calls) == 3


def test_a_statement_that_takes_too_long_is_tried_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fenced, "RETRY_SECONDS", 0.01)
    calls: list[int] = []

    def slow_once(session: Any) -> str:
        calls.append(1)
        session.execute(text("SET LOCAL statement_timeout = 20"))
        if len(calls) < 2:
            session.execute(text("SELECT pg_sleep(5)"))
        return "done"

    assert patiently(database, slow_once) == "done"
    assert len(calls) == 2
