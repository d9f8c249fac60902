"""Workers and the processes of jobs that die, sleep or are told to go."""

import os
import signal
import time
from random import Random
from typing import Any

import pytest

from tests.acceptance.faults.disks import fill, small_disk
from tests.acceptance.faults.processes import running
from tests.acceptance.faults.site import Site

pytestmark = pytest.mark.slow


def somewhere(rng: Random, seconds: float) -> None:
    """Let some time pass, so that a fault comes at another step with another seed."""
    time.sleep(rng.uniform(0, seconds))


def test_worker_killed_mid_step(site: Site, rng: Random) -> None:
    site.api()
    first = site.worker()
    id, other = site.tally(), site.tally()
    site.begun(id)
    somewhere(rng, 0.3)
    first.kill()
    site.worker()
    assert site.final(id).attempt == 2
    assert site.final(other).attempt == 1
    site.settle()


@pytest.mark.parametrize("whole_worker", [False, True], ids=["child", "worker"])
@pytest.mark.parametrize("place", ["checkpoint", "kept", "uncommitted", "committed"])
def test_killed_at(site: Site, seed: int, place: str, whole_worker: bool) -> None:
    site.api()
    site.worker()
    site.worker()
    marker = site.data_root / f"{place}-{whole_worker}-{seed}"
    id = site.tally(dies=place, whole_worker=whole_worker, marker=str(marker))
    others = [site.tally() for _ in range(3)]
    if whole_worker:
        site.until(marker.exists)
        site.worker()  # as its supervisor would; it sweeps up what the dead one left
    job = site.final(id)
    assert marker.exists(), "the place was reached"
    assert (job.state, job.attempt) == ("succeeded", 1 if place == "committed" else 2)
    assert all(site.final(other).attempt == 1 for other in others)
    site.settle()


def test_child_out_of_memory(site: Site, seed: int) -> None:
    site.api()
    site.worker()
    ill = site.tally(dies="memory", marker=str(site.data_root / f"memory-{seed}"))
    well = site.tally()
    error = site.final(ill).error
    assert error is not None
    assert error["exception"] == "MemoryError"
    assert site.final(well).state == "succeeded"
    site.settle()


def test_child_killed_for_its_memory(site: Site, rng: Random) -> None:
    """What the kernel does to the largest process: SIGKILL of the job's process alone."""
    site.api()
    site.worker()
    id = site.tally()
    site.begun(id)
    somewhere(rng, 0.3)
    os.kill(site.child_of(id), signal.SIGKILL)
    job = site.final(id)
    assert (job.state, job.attempt) == ("succeeded", 2)
    site.settle()


@pytest.mark.parametrize("who", ["worker", "child", "both"])
def test_asleep_past_the_lease(site: Site, rng: Random, who: str) -> None:
    site.api()
    sleeper = site.worker()
    id = site.tally(seconds=0.25)
    site.begun(id)
    somewhere(rng, 0.5)
    child = site.child_of(id)
    if who != "worker":
        os.kill(child, signal.SIGSTOP)
    if who != "child":
        sleeper.send_signal(signal.SIGSTOP)
        site.worker()
        if who == "both":
            site.until(lambda: site.job(id).fence == 2, seconds=20)
        else:
            # Its child works on without a heartbeat: whoever comes first, the job ends once.
            site.until(lambda: site.job(id).fence == 2 or site.job(id).final, seconds=20)
        somewhere(rng, 0.5)
        sleeper.send_signal(signal.SIGCONT)
    else:
        time.sleep(4)  # the worker keeps the lease of a child that sleeps
        assert site.job(id).fence == 1
    if any(process.pid == child for process in running()):
        os.kill(child, signal.SIGCONT)
    assert site.final(id).state == "succeeded"
    site.until(lambda: sleeper.pid in site.alive())
    site.settle()


def test_drained(site: Site, rng: Random) -> None:
    site.api()
    worker = site.worker()
    id = site.tally()
    site.begun(id)
    somewhere(rng, 0.4)
    begun = time.monotonic()
    worker.terminate()
    assert worker.wait(15) == 0
    assert time.monotonic() - begun < 8
    assert site.job(id).attempt in (0, 1)  # 1: it had ended before it heard
    site.worker()
    assert site.final(id).attempt == 1
    site.settle()


def test_all_workers_killed_then_restarted(site: Site, rng: Random) -> None:
    site.api()
    ids = [site.tally() for _ in range(8)]
    for _ in range(2):
        for process in [site.worker() for _ in range(3)]:
            site.until(lambda: any(site.epochs(id) for id in ids))
            somewhere(rng, 0.3)
            process.kill()
            process.wait()
    site.worker()
    for id in ids:
        assert site.final(id).state == "succeeded"
    site.settle()


def test_poison_jobs_fail_and_the_worker_goes_on(site: Site, rng: Random) -> None:
    site.api()
    site.worker()
    site.worker()
    request = [site.tally(dies="poison") if rng.random() < 0.5 else site.tally() for _ in range(4)]
    poison = site.tally(dies="poison")
    job = site.final(poison, seconds=90)
    assert (job.state, job.attempt) == ("failed", 3)
    assert job.error is not None
    assert job.error["type"] == "attempts-exhausted"
    for id in request:
        assert site.final(id).state == ("failed" if site.job(id).request.get("dies") else "succeeded")
    site.settle()


def test_disk_full_under_a_worker(sites: Any) -> None:
    """The disk of everything but the engines is a tmpfs of its own, and full; then it is not."""
    sites.close()  # the files of other tests would be hidden
    site = sites.sound()
    site.sound = False
    with small_disk(site.data_root, kilobytes=2048):
        site.api()
        site.worker()
        id = site.tally()
        site.begun(id)
        everything = fill(site.data_root)
        site.until(lambda: "no room" in (site.data_root / "workers.log").read_text(errors="replace"))
        everything.unlink()
        assert site.final(id).state == "succeeded"  # it has waited
        assert site.final(site.tally()).state == "succeeded"
        site.settle()
    site.sound = False  # the disk went, and with it the files
