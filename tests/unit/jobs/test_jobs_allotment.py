"""How many hints are published: never more than there are idle workers that could follow one."""

import random
from datetime import UTC, datetime
from uuid import UUID, uuid4

from app.catalogue import Worker
from app.catalogue.repositories.outbox import Unhinted
from app.experiment import Device, Queue
from app.jobs.publisher import able, allot

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def worker(*queues: Queue, devices: tuple[Device, ...] = ("cpu",)) -> Worker:
    return Worker(
        id=uuid4(),
        host="here",
        pid=1,
        queues=list(queues),
        devices=list(devices),
        gpu=None,
        state="idle",
        started_at=NOW,
        last_seen=NOW,
        gpu_utilisation=None,
        gpu_memory_used=None,
        gpu_memory_total=None,
    )


def job(queue: Queue = "cpu", device: Device = "auto") -> Unhinted:
    return Unhinted(uuid4(), queue, device)


def test_one_hint_for_each_idle_worker_in_the_order_of_the_jobs() -> None:
    jobs = [job() for _ in range(5)]
    assert allot(jobs, [worker("cpu"), worker("cpu")], {}) == ((jobs[0].job_id, "cpu"), (jobs[1].job_id, "cpu"))


def test_hints_that_lie_in_the_broker_already_count() -> None:
    assert allot([job()], [worker("cpu")], {"cpu": 1}) == ()
    assert len(allot([job(), job()], [worker("cpu"), worker("cpu")], {"cpu": 1})) == 1
    assert allot([job()], [worker("cpu")], {"cpu": 7}) == ()


def test_a_hint_of_one_queue_leaves_the_worker_that_serves_both_to_the_other() -> None:
    both, only = worker("gpu", "cpu"), worker("cpu")
    wanted = job("gpu")
    assert allot([wanted], [both, only], {"cpu": 1}) == ((wanted.job_id, "gpu"),)


def test_no_hint_for_what_nobody_can_take() -> None:
    assert allot([job("gpu")], [worker("cpu")], {}) == ()
    assert allot([job("cpu", "cuda")], [worker("cpu")], {}) == ()
    possible = job("cpu", "cuda")
    assert allot([job("gpu"), possible], [worker("cpu", devices=("cuda", "cpu"))], {}) == ((possible.job_id, "cpu"),)


def test_hints_never_exceed_the_workers_and_each_has_a_taker() -> None:
    rng = random.Random(7)
    queues: tuple[Queue, ...] = ("gpu", "cpu")
    for _ in range(500):
        idle = [
            worker(*rng.choice((queues, ("gpu",), ("cpu",))), devices=rng.choice((("cpu",), ("cuda", "cpu"))))
            for _ in range(rng.randrange(5))
        ]
        pending = [job(rng.choice(queues), rng.choice(("auto", "cpu", "cuda"))) for _ in range(rng.randrange(9))]
        depth: dict[Queue, int] = {queue: rng.randrange(3) for queue in queues}
        hints = allot(pending, idle, depth)
        by_id: dict[UUID, Unhinted] = {waiting.job_id: waiting for waiting in pending}
        assert len(hints) == len({id for id, _ in hints}) <= len(idle)
        if all(len(w.queues) == 2 for w in idle):
            assert len(hints) <= max(len(idle) - sum(depth.values()), 0)
        for id, queue in hints:
            assert queue == by_id[id].queue
            assert any(able(w, by_id[id].queue, by_id[id].device) for w in idle)
