"""The outbox publisher: turns queued jobs into hints, and never into more hints than there are workers."""

import threading
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import Database, Worker, outbox, workers
from app.catalogue.repositories.jobs import QUEUED_CHANNEL
from app.catalogue.repositories.outbox import Unhinted
from app.experiment import Device, Queue
from app.jobs.queue import Broker, BrokerDown
from app.jobs.reconciliation import attend

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0  # how often to look when no notification comes
GATHER_SECONDS = 0.05  # after a round: what is queued meanwhile is seen to in the next one together
RETRY_SECONDS = 2.0  # after the database or the broker failed


def allot(
    pending: Sequence[Unhinted], idle: Collection[Worker], depth: Mapping[Queue, int]
) -> tuple[tuple[UUID, Queue], ...]:
    """The hints to publish now: at most one for each idle worker that no hint in the broker is there for already.

    A hint wakes a worker, and a worker takes jobs until there are none: more hints than idle workers do nothing.
    """
    # Who serves the fewest queues first, so that a hint of a common queue leaves the flexible workers free.
    free = sorted(idle, key=lambda worker: len(worker.queues))
    for queue, count in depth.items():
        for _ in range(count):
            taker = next((worker for worker in free if queue in worker.queues), None)
            if taker is not None:
                free.remove(taker)
    hints: list[tuple[UUID, Queue]] = []
    for job in pending:
        taker = next((worker for worker in free if able(worker, job.queue, job.device)), None)
        if taker is not None:
            free.remove(taker)
            hints.append((job.job_id, job.queue))
    return tuple(hints)


def able(worker: Worker, queue: Queue, device: Device) -> bool:
    """Whether a worker may take a job of this queue that needs this device."""
    return queue in worker.queues and (device == "auto" or device in worker.devices)


class Publisher:
    """A thread that publishes hints whenever a job is queued or a worker turns idle, and wakes jobs that wait."""

    def __init__(self, database: Database, broker_url: str, *, alive_seconds: float) -> None:
        self._database = database
        self._broker = Broker(broker_url)
        self._alive_seconds = alive_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End within about a second."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._broker.close()

    def publish(self) -> int:
        """One round; says how many hints were published. Raises BrokerDown: what was not taken stays owed."""
        with self._database.transaction() as session:
            if not outbox.lock(session):
                return 0
            attend(session)
            alive = workers.alive(session, within_seconds=self._alive_seconds)
            idle = [worker for worker in alive if worker.state == "idle"]
            pending = outbox.pending(session) if idle else ()
            hints = allot(pending, idle, self._broker.depth()) if pending else ()
            for job_id, queue in hints:
                self._broker.hint(queue)
                outbox.published(session, [job_id])
        return len(hints)

    def _run(self) -> None:
        broker_is_down = False
        while not self._stopping.is_set():
            try:
                with self._database.listen(QUEUED_CHANNEL) as connection:
                    while not self._stopping.is_set():
                        self.publish()
                        if broker_is_down:
                            broker_is_down = False
                            log.info("broker is back")
                        self._stopping.wait(GATHER_SECONDS)
                        for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                            pass
            except BrokerDown as error:
                if not broker_is_down:
                    broker_is_down = True
                    log.warning("broker is down, hints wait in the outbox", error=str(error))
                self._stopping.wait(RETRY_SECONDS)
            except (SQLAlchemyError, psycopg.Error) as error:
                log.warning("publisher lost the database", error=str(error))
                self._stopping.wait(RETRY_SECONDS)
            except Exception:  # without this thread no job would ever start again
                log.exception("publisher failed")
                self._stopping.wait(RETRY_SECONDS)
