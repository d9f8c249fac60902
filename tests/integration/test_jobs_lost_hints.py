"""Hints that were lost are owed again, but never for a job that is being claimed."""

from typing import Any
from uuid import uuid4

from sqlalchemy import text

from app.catalogue import Database, jobs, outbox
from app.jobs import claim, submit


def owed(database: Database) -> list[Any]:
    with database.transaction() as session:
        return list(session.execute(text("SELECT job_id FROM outbox")).scalars())


def test_a_hint_is_not_owed_again_for_a_job_that_is_being_claimed(database: Database) -> None:
    with database.transaction() as session:
        id = submit(session, kind="tally", request={}, owner="ada", queue="cpu").job.id
        outbox.published(session, [id])
    with database.transaction() as session:
        assert claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=30) is not None
        with database.transaction() as reconciling:
            assert outbox.lost(reconciling, older_than_seconds=0) == ()
    assert owed(database) == []


def test_a_job_is_not_claimed_before_its_lost_hint_is_owed_again(database: Database) -> None:
    with database.transaction() as session:
        id = submit(session, kind="tally", request={}, owner="ada", queue="cpu").job.id
        outbox.published(session, [id])

    def taken() -> bool:
        with database.transaction() as session:
            return claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=30) is not None

    with database.transaction() as reconciling:
        assert outbox.lost(reconciling, older_than_seconds=0) == (id,)
        assert not taken()
        jobs.owe_hints(reconciling, [id])
    assert owed(database) == [id]
    assert taken()
    assert owed(database) == []
