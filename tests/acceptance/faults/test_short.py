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
        ids += [site.tally() for _ in range(2)]
        time.sleep(rng.uniform(0.2, 0.8))
        fault = threading.Thread(target=DISTURBANCES[name], args=(site, rng))
        fault.start()
        fault.join(60)
        assert not fault.is_alive(), name
    for id in ids:
        assert site.final(id).state == "succeeded", (names, site.job(id))
    site.settle()
