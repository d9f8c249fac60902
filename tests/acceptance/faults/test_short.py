"""The part of the suite that every run has: two installations that meet one fault after another while jobs run."""

import threading
import time
from random import Random

import pytest

from tests.acceptance.faults.disturbances import DISTURBANCES
from tests.acceptance.faults.site import Site

ROUNDS = {
    "processes": ("worker_killed", "api_killed", "worker_asleep", "postmaster_killed"),
    "connections": ("backends_terminated", "valkey_killed", "database_reset", "valkey_wiped", "statements_cancelled"),
}


@pytest.mark.parametrize("faults", ROUNDS)
def test_one_fault_after_another(site: Site, rng: Random, faults: str) -> None:
    site.api()
    site.worker()
    site.worker()
    names = rng.sample(ROUNDS[faults], k=len(ROUNDS[faults]))
    ids = []
    for name in names:
        ids += [site.tally(), site.tally(parts=2, epochs=2)]
        time.sleep(rng.uniform(0.2, 0.8))
        fault = threading.Thread(target=DISTURBANCES[name], args=(site, rng))
        fault.start()
        fault.join(60)
        assert not fault.is_alive(), name
    for id in ids:
        assert site.final(id).state == "succeeded", (names, site.job(id))
        assert site.job(id).gpu_seconds > 0, "its workers are said to have GPUs"
    site.settle()


def test_broker_away_for_good(site: Site, rng: Random) -> None:
    """Nobody ever reaches Valkey: a worker starts, runs what is asked for, is drained in a job, and another goes on."""
    site.valkey.refuse()
    site.api()
    first = site.worker()
    assert site.final(site.tally()).state == "succeeded"
    id, other = site.tally(), site.tally()
    site.until(lambda: site.epochs(id) > 0 or site.epochs(other) > 0)
    time.sleep(rng.uniform(0, 0.4))
    begun = time.monotonic()
    first.terminate()
    assert first.wait(15) == 0
    assert time.monotonic() - begun < 8
    assert {site.job(id).state, site.job(other).state} <= {"queued", "succeeded"}
    site.worker()
    assert [site.final(job).attempt for job in (id, other)] == [1, 1]
    assert not site.get("/v1/jobs?state=queued")["items"]
    site.settle()
