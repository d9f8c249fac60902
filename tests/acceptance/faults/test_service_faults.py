"""The API, its reconciler and its publisher that die, and two launchers of one data root."""

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from app.catalogue import Database, jobs
from app.embedded import attach, wait_until
from app.jobs import submit
from tests.acceptance.faults.disturbances import api_killed
from tests.acceptance.faults.site import HANDLERS, QUICK, Site, end
from tests.acceptance.faults.work import training

pytestmark = pytest.mark.slow


def test_api_killed_between_commit_and_publish(site: Site, rng: Random) -> None:
    """The job is committed and its hint cannot go out, because the broker is silent; then the API is killed."""
    api = site.api()
    site.worker()
    site.valkey.silence()
    id = site.post(*training(rng))
    assert site.job(id).state == "queued"
    with site.database.transaction() as session:
        owed = session.execute(text("SELECT count(*) FROM outbox")).scalar_one()
    assert owed == 1
    end(api)
    site.valkey.heal()
    site.api()
    assert site.final(id, seconds=90).state == "succeeded"
    site.settle()


def test_api_killed_while_it_is_asked(site: Site, rng: Random) -> None:
    """Clients repeat their requests with one idempotency key each: every request makes one job."""
    site.api()
    site.worker()
    requests = [training(rng) for _ in range(4)]
    asking = [threading.Thread(target=site.post, args=request) for request in requests]
    for thread in asking:
        thread.start()
        time.sleep(rng.uniform(0, 0.1))
    api_killed(site, rng)
    for thread in asking:
        thread.join(90)
    assert len({id for id in site.submitted if site.job(id).kind == "training" and not site.job(id).final}) <= 4
    site.settle(seconds=180)


def test_reconciler_killed(site: Site, rng: Random) -> None:
    """With the only API the reconciler is gone: a dead worker's job waits, and goes on when there is one again."""
    api = site.api()
    worker = site.worker()
    id = site.tally()
    site.begun(id)
    end(api)
    end(worker)
    site.worker()
    time.sleep(5)
    assert site.job(id).state == "running", "nobody took the lease away"
    site.api()
    assert site.final(id).attempt == 2
    site.settle()


def test_reconciler_asleep_with_its_lock(site: Site) -> None:
    """One API sleeps in the middle of a round, holding the lock of all reconcilers: another one goes on."""
    sleeper = site.api()
    worker = site.worker()
    id = site.tally()
    site.begun(id)
    url = site.engines.database_url.replace("+psycopg", "")
    with psycopg.connect(url) as holding, psycopg.connect(url, autocommit=True) as looking:
        holding.execute("LOCK TABLE workers IN ACCESS EXCLUSIVE MODE")  # a round asks who is alive
        site.until(lambda: looking.execute(LOCKED).fetchone() == (True,), seconds=20)
        sleeper.send_signal(signal.SIGSTOP)
        holding.rollback()
    end(worker)
    site.apis.remove(sleeper)
    try:
        site.worker()
        site.api()
        assert site.final(id, seconds=150).attempt == 2  # its session is ended after a minute
    finally:
        end(sleeper)
    site.settle()


LOCKED = """SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND ((classid::bigint << 32) | objid::bigint) = 7162249995149770755"""


def test_two_launchers_on_one_data_root(cellar: Callable[..., Any], open_directory: Path) -> None:
    """Started in the same moment: one owns it, the other says who does, and disturbs nothing."""
    root = open_directory / "data"
    both = [cellar("up", "--port", "0", "--data-dir", root, "--workers", "0") for _ in range(2)]
    said = "Ctrl-C stops everything."
    assert wait_until(lambda: any(said in tree.output for tree in both), 60, pause=0.1)
    (owner,) = [tree for tree in both if said in tree.output]
    (other,) = [tree for tree in both if tree is not owner]
    assert other.process.wait(30) == 1
    assert f"in use by process {owner.process.pid}" in other.output
    assert attach(root).pid == owner.process.pid
    owner.process.send_signal(signal.SIGTERM)
    assert owner.process.wait(20) == 0
    assert owner.left() == {}


def test_job_of_a_killed_worker_runs_again_within_45_seconds(
    cellar: Callable[..., Any], open_directory: Path, record_property: Callable[[str, object], None]
) -> None:
    """`cellar up` with the settings that it has by default: a lease of 30 s, a reconciler every 5 s."""
    root = open_directory / "data"
    environment = {
        "CELLAR_EXTRA_KINDS": json.dumps({"tally": "fault_handlers:tally"}),
        "PYTHONPATH": os.pathsep.join([str(HANDLERS), *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    up = cellar("up", "--port", "0", "--data-dir", root, environment=environment)
    up.wait_for("Ctrl-C stops everything.")
    database = Database(attach(root).database_url)

    def job(id: UUID) -> Any:
        with database.transaction() as session:
            return jobs.get(session, id)

    try:
        with database.transaction() as session:
            request = QUICK | {"epochs": 60}
            id = submit(session, kind="tally", request=request, queue="cpu", owner="ada").job.id
        assert wait_until(lambda: job(id).progress is not None, 60)
        killed = time.monotonic()
        os.kill(up.one("workers.main"), signal.SIGKILL)
        assert wait_until(lambda: job(id).attempt == 2 and job(id).state == "running", 45)
        seconds = time.monotonic() - killed
        record_property("seconds", round(seconds, 1))
        print(f"ran again after {seconds:.1f} s")
    finally:
        database.dispose()
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(20) == 0
    assert up.left() == {}
