"""Engines and connections that fail while jobs run and are submitted."""

import shutil
import threading
import time
from random import Random

import psycopg
import pytest

from tests.acceptance.faults.disks import fill, small_disk
from tests.acceptance.faults.disturbances import DISTURBANCES
from tests.acceptance.faults.site import Site
from tests.acceptance.faults.work import training

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", DISTURBANCES)
def test_disturbed(site: Site, rng: Random, name: str) -> None:
    """While two workers run jobs and more are submitted over HTTP, before, during and after."""
    site.api()
    site.worker()
    site.worker()
    ids = [site.tally(), site.tally(parts=3), site.tally()]
    site.begun(ids[0])
    time.sleep(rng.uniform(0, 0.4))
    submitting = threading.Thread(target=site.post, args=training(rng))
    submitting.start()
    DISTURBANCES[name](site, rng)
    submitting.join(90)
    assert not submitting.is_alive()
    ids += [site.tally(), site.tally(parts=2)]
    for id in ids:
        assert site.final(id, seconds=90).state == "succeeded", site.job(id)
    site.settle()


def test_pool_exhausted(site: Site, rng: Random) -> None:
    """More requests than connections, all waiting for one lock: some are told to come again, and all succeed."""
    site.api()
    site.worker()
    running = site.tally(epochs=6)
    site.begun(running)
    answers: list[object] = []

    def ask() -> None:
        answers.append(site.ask("/v1/jobs"))

    with psycopg.connect(site.engines.database_url.replace("+psycopg", "")) as holding:
        holding.execute("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE")
        asking = [threading.Thread(target=ask) for _ in range(30)]
        for thread in asking:
            thread.start()
        time.sleep(11 + rng.random())  # a request waits ten seconds for a connection
        holding.rollback()
    for thread in asking:
        thread.join(30)
    statuses = {answer[0] for answer in answers if answer is not None}  # pyright: ignore[reportIndexIssue]
    assert statuses <= {200, 503}, statuses
    assert len(answers) == 30
    assert site.get("/v1/jobs") is not None
    assert site.final(running).state == "succeeded"
    site.settle()


def test_disk_full_under_postgresql(site: Site) -> None:
    """The disk of the events is a tmpfs that is full for some seconds: what is written waits until there is room."""
    site.api()
    site.worker()
    place = site.directory / "small"
    with small_disk(place, kilobytes=24 * 1024):
        inside = place / "space"
        inside.mkdir()
        shutil.chown(inside, "postgres", "postgres")
        site.execute(f"CREATE TABLESPACE small LOCATION '{inside}'")
        site.execute("ALTER TABLE job_events SET TABLESPACE small")
        everything = fill(place)
        ids = [site.tally(epochs=60, steps=2, seconds=0.02) for _ in range(3)]
        time.sleep(6)
        everything.unlink()
        for id in ids:
            assert site.final(id).state == "succeeded", site.job(id)
        site.settle()
        site.execute("ALTER TABLE job_events SET TABLESPACE pg_default")
        site.execute("DROP TABLESPACE small")
