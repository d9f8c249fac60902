"""Faults met with real processes: a job that was accepted is never lost, and its recorded effect is exactly once."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from app.catalogue import EvaluationQuery, artefacts, evaluations
from app.jobs import Broker, request_cancel
from app.space import space_to_json
from app.space.zoo import ZOO

EPOCHS, STEPS = 6, 4
SLOW = {"epochs": EPOCHS, "steps": STEPS, "seconds": 0.1}  # two and a half seconds


def assert_counted_once(workplace: Any, id: UUID) -> None:
    """Every epoch has one row and one event, with the total of an undisturbed run."""
    assert workplace.epochs(id) == [("train", epoch, {"total": float(STEPS * (epoch + 1))}) for epoch in range(EPOCHS)]
    told = Counter(
        event.data["epoch"] for event in workplace.events(id) if event.kind == "progress" and event.data["step"] is None
    )
    assert told == Counter(range(EPOCHS))
    job = workplace.job(id)
    assert job.state == "succeeded"
    assert job.result == {"total": EPOCHS * STEPS, "artefact": "count.json", "torch": False}
    with workplace.database.transaction() as session:
        (artefact,) = artefacts.of_job(session, id)
        assert artefacts.checkpoint(session, id) is None
    assert (workplace.data_root / artefact.path).stat().st_size == artefact.bytes
    workplace.until(lambda: not (workplace.data_root / "jobs" / str(id) / "checkpoints").exists(), seconds=10)


def reach(workplace: Any, id: UUID, epochs: int) -> None:
    """Wait until so many epochs are over, and the next one has begun."""
    workplace.until(lambda: len(workplace.epochs(id)) >= epochs)
    time.sleep(0.2)


def test_a_killed_worker_takes_its_child_along_and_the_job_resumes_and_finishes_once(
    workplace: Any, is_gone: Callable[[int], bool]
) -> None:
    journal = workplace.data_root / "journal"
    request = SLOW | {"journal": str(journal), "document": space_to_json(ZOO["chain"])}
    worker = workplace.worker("--no-spare")
    id = workplace.submit(request)
    reach(workplace, id, 2)
    child = workplace.child_of(id)
    worker.kill()
    worker.wait()
    workplace.until(lambda: is_gone(child), seconds=5)
    assert workplace.job(id).state == "running"  # nobody knows yet
    workplace.worker("--no-spare")
    workplace.until_final(id)
    assert_counted_once(workplace, id)
    assert workplace.states(id) == [("queued", 0), ("running", 1), ("queued", 1), ("running", 2), ("succeeded", 2)]
    lines = [line.split() for line in journal.read_text().splitlines()]
    second = [int(epoch) for pid, epoch, _ in lines if int(pid) != child]
    assert min(second) >= 2  # the epochs of the checkpoint were not counted again
    with workplace.database.transaction() as session:
        found = evaluations.query(session, EvaluationQuery(viewer="ada", job_id=id))
    assert Counter((e.split, e.architecture.index) for e in found) == Counter(
        {(split, index): 1 for split in ("selection", "test") for index in (0, 1)}
    )
    assert {(e.accuracy, tuple(e.metrics), e.weights) for e in found} == {(24.0, ("accuracy",), "count.json")}


def test_a_wiped_broker_loses_no_job_and_doubled_hints_do_no_harm(workplace: Any) -> None:
    quick = {"epochs": EPOCHS, "steps": STEPS, "seconds": 0.0}
    ids = [workplace.submit(quick, owner=f"owner{n % 2}") for n in range(3)]
    time.sleep(0.3)
    workplace.wipe_broker()
    broker = Broker(workplace.redis_url)
    for _ in range(5):
        broker.hint("cpu")
    broker.close()
    workplace.worker("--no-spare")
    ids.append(workplace.submit(quick))
    while not all(workplace.job(id).final for id in ids[:2]):
        workplace.wipe_broker()
        time.sleep(0.3)
    ids.append(workplace.submit(quick))
    workplace.wipe_broker()
    for id in ids:
        workplace.until_final(id)
        assert_counted_once(workplace, id)
        assert workplace.states(id) == [("queued", 0), ("running", 1), ("succeeded", 1)]


def test_sigterm_gives_the_job_back_without_counting_the_attempt(workplace: Any) -> None:
    worker = workplace.worker("--no-spare")
    id = workplace.submit(SLOW)
    reach(workplace, id, 2)
    begun = time.monotonic()
    worker.terminate()
    assert worker.wait(20) == 0
    assert time.monotonic() - begun < 8
    job = workplace.job(id)
    assert (job.state, job.attempt, job.fence, job.worker_id) == ("queued", 0, 1, None)
    with workplace.database.transaction() as session:
        checkpoint = artefacts.checkpoint(session, id)
    assert checkpoint is not None
    assert checkpoint.epoch >= 1
    assert worker.pid not in workplace.alive()
    workplace.worker("--no-spare")
    workplace.until_final(id)
    assert_counted_once(workplace, id)
    assert workplace.states(id) == [("queued", 0), ("running", 1), ("queued", 0), ("running", 1), ("succeeded", 1)]


def test_a_handler_that_does_not_listen_is_ended_and_the_attempt_does_not_count(workplace: Any) -> None:
    worker = workplace.worker("--no-spare")
    id = workplace.submit({"epochs": 1, "steps": 10_000, "deaf": True})
    workplace.until(lambda: any(e.kind == "progress" for e in workplace.events(id)))
    worker.terminate()
    assert worker.wait(20) == 0
    job = workplace.job(id)
    assert (job.state, job.attempt) == ("queued", 0)


def test_who_sleeps_past_the_lease_writes_nothing_when_it_wakes(workplace: Any, is_gone: Callable[[int], bool]) -> None:
    sleeper = workplace.worker("--no-spare")
    id = workplace.submit(SLOW | {"seconds": 0.25})
    reach(workplace, id, 1)
    child = workplace.child_of(id)
    os.kill(child, signal.SIGSTOP)
    sleeper.send_signal(signal.SIGSTOP)
    workplace.worker("--no-spare")
    workplace.until(lambda: workplace.job(id).fence == 2)
    workplace.until(lambda: any(e.kind == "note" for e in workplace.events(id)))  # resumed
    os.kill(child, signal.SIGCONT)  # its next write comes while the other one works
    sleeper.send_signal(signal.SIGCONT)
    workplace.until(lambda: is_gone(child), seconds=10)
    assert not workplace.job(id).final
    workplace.until_final(id)
    assert_counted_once(workplace, id)
    assert workplace.states(id) == [("queued", 0), ("running", 1), ("queued", 1), ("running", 2), ("succeeded", 2)]
    workplace.until(lambda: sleeper.pid in workplace.alive())
    assert sleeper.poll() is None  # and it goes on working for others


def test_poison_and_errors_end_as_what_they_are_and_the_worker_goes_on(workplace: Any) -> None:
    workplace.worker("--no-spare")
    poison = workplace.submit({"crash_at": 0, "seconds": 0.0})
    broken = workplace.submit({"fail_at": 1, "seconds": 0.0})
    unknown = workplace.submit({}, kind="latency")
    odd = workplace.submit({"epochs": "many"})
    good = workplace.submit({"epochs": EPOCHS, "steps": STEPS, "seconds": 0.0})
    workplace.until_final(poison)
    error = workplace.job(poison).error
    assert error is not None
    assert error["type"] == "attempts-exhausted"
    assert error["detail"] == "attempt 3 of 3 ended without an answer: its process ended with signal 9"
    assert workplace.job(poison).attempt == 3
    failed = workplace.until_final(broken)
    assert (failed.state, failed.attempt) == ("failed", 1)
    assert failed.error == {
        "type": "handler-error",
        "title": "The tally failed",
        "detail": "ValueError: cannot count beyond 4",
        "exception": "ValueError",
    }
    assert workplace.until_final(unknown).error["exception"] == "UnknownKind"
    assert workplace.until_final(odd).error["exception"] == "ValidationError"
    workplace.until_final(good)
    assert_counted_once(workplace, good)


def test_a_cancelled_job_keeps_its_best_so_far(workplace: Any) -> None:
    workplace.worker("--no-spare")
    id = workplace.submit({"epochs": 1000, "steps": STEPS, "seconds": 0.05})
    reach(workplace, id, 2)
    begun = time.monotonic()
    with workplace.database.transaction() as session:
        asked = request_cancel(session, id)
    assert asked is not None
    assert (asked.state, asked.cancel_requested) == ("running", True)
    job = workplace.until_final(id)
    assert time.monotonic() - begun < 10
    assert job.state == "cancelled"
    assert job.result is not None
    assert job.result["total"] == STEPS * job.result["epochs"] >= 2 * STEPS
    assert workplace.states(id)[-1] == ("cancelled", 1)


def test_a_process_without_torch_serves_the_next_job_too_and_ends_with_its_worker(
    workplace: Any, is_gone: Callable[[int], bool]
) -> None:
    worker = workplace.worker("--no-spare")

    def served_by(owner: str) -> int:
        id = workplace.submit({"epochs": 2, "steps": STEPS, "seconds": 0.1}, owner=owner)
        reach(workplace, id, 1)
        child = workplace.child_of(id)
        workplace.until_final(id)
        assert workplace.states(id) == [("queued", 0), ("running", 1), ("succeeded", 1)]
        return child

    first, second = served_by("ada"), served_by("grace")
    assert first == second
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split()
    assert [int(pid) for pid in children if not is_gone(int(pid))] == [first]
    worker.terminate()
    assert worker.wait(20) == 0
    workplace.until(lambda: is_gone(first), seconds=10)
