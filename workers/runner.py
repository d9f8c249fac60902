"""A worker's own work: claim a job, give it to a child, keep its lease, and see to it that the job is settled."""

import os
import queue
import random
import socket
import threading
import time
from dataclasses import asdict, dataclass, field
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.catalogue import Database, jobs, workers
from app.experiment import Device, Queue
from app.jobs import Claim, Lease, LeaseLost, claim, crash, heartbeat, release
from app.settings import Settings
from app.store import StoreError, open_store
from workers.child import Child
from workers.fenced import patiently
from workers.files import JobFiles, jobs_with_checkpoints
from workers.gauges import NOTHING, GpuGauge
from workers.hardware import device_name, memory
from workers.progress import StopReason
from workers.tasks import TORCH_KINDS

log = structlog.get_logger(__name__)

CLAIM_SECONDS = 3.0  # between two looks for a job where no hint comes: the mean of half as much and half more
LOOK_SECONDS = 0.1  # how often to look at the child and at what the worker was asked
DRAIN_SECONDS = 6.0  # for a child to finish its step and write a checkpoint; a supervisor waits a little longer
CANCEL_SECONDS = 60.0  # the same after a cancellation, which nobody waits for
EXIT_SECONDS = 5.0  # for a process whose job is final
SETTLE_SECONDS = 10.0  # how long a worker tries to say how a child ended; after that the lease runs out


@dataclass(slots=True)
class _Running:
    """The job that runs now. The thread of `work` waits for its child, the pulse keeps its lease."""

    lease: Lease
    child: Child
    cancel: threading.Event = field(default_factory=threading.Event)
    lost: threading.Event = field(default_factory=threading.Event)  # somebody else may have the job: kill
    ended: threading.Event = field(default_factory=threading.Event)  # the job is final: the process has only to exit


class Runner:
    """One worker's jobs, one at a time. `start` and `work` belong in one thread that lasts: children end with it."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        queues: tuple[Queue, ...] | None,
        gpus: list[str],
        *,
        spares: bool = True,
    ) -> None:
        """
        Args:
            settings: of the deployment.
            database: a pool for this worker's threads.
            queues: those to serve, or None for what suits the device that this worker gets.
            gpus: UUIDs of the devices of this host.
            spares: whether a child with its imports done stands ready.
        """
        self.id: UUID = uuid4()
        self._settings = settings
        self._database = database
        self._store = open_store(settings)
        self._gpus = gpus
        self._wanted = queues
        self._queues: list[Queue] = []
        self._devices: list[Device] = ["cpu"]
        self._gpu: str | None = None
        self._gauge: GpuGauge | None = None
        self._device_name: str | None = None
        self._spares = spares
        self._busy = False
        self._running: _Running | None = None
        self._spare: Child | None = None  # has its imports done
        self._free: Child | None = None  # has served a job that needed none
        self._hints = queue.SimpleQueue[threading.Event | None]()  # each to be set when a look has found no job
        self._draining = threading.Event()
        self._stopping = threading.Event()
        self._failure: Exception | None = None  # of the pulse
        self._pulse = threading.Thread(target=self._beat_on, name="pulse", daemon=True)

    def start(self) -> None:
        """Take a device if there is a free one, say that this worker lives, and get a spare child ready."""
        patiently(self._database, self._register)
        log.info("worker ready", queues=self._queues, devices=self._devices, gpu=self._gpu)
        if self._gpu is not None:
            self._gauge = GpuGauge(self._gpu)
            self._gauge.start()
        self._sweep()
        self._pulse.start()
        self._prepare()

    @property
    def queues(self) -> tuple[Queue, ...]:
        """What it serves; known once it has started."""
        return tuple(self._queues)

    def drain(self) -> None:
        """Take no more jobs, and give back the one that runs. Returns at once; safe in a signal handler."""
        self._draining.set()
        self._hints.put(None)  # safe there, as an event that this very thread waits for is not

    def stop(self) -> None:
        """Leave. The job that runs, if any, has been given back by `work`."""
        self._draining.set()
        self._stopping.set()
        if self._pulse.is_alive():
            self._pulse.join(timeout=10)
        if self._gauge is not None:
            self._gauge.stop()
        for child in (self._spare, self._free):
            if child is not None:
                child.close()
        try:
            with self._database.transaction() as session:
                workers.leave(session, self.id)
        except SQLAlchemyError as error:
            log.warning("could not say goodbye", error=str(error))

    def hint(self) -> None:
        """Look for a job now. Returns when there is none for this worker: a busy one takes no hints from others."""
        looked = threading.Event()
        self._hints.put(looked)
        looked.wait()

    def work(self) -> None:
        """Run jobs until it drains: when a hint comes, and now and then without one. Raises what ended the pulse."""
        hint: threading.Event | None = None
        while not self._draining.is_set():
            self._run_all()
            if hint is not None:
                hint.set()
            try:
                hint = self._hints.get(timeout=CLAIM_SECONDS * random.uniform(0.5, 1.5))
            except queue.Empty:
                hint = None
        if self._failure is not None:
            raise self._failure

    def _run_all(self) -> None:
        """Run jobs until there are none for this worker, or it drains."""
        while not self._draining.is_set():
            try:
                taken = self._claim()
            except SQLAlchemyError as error:
                # The job stays queued, and the next look is soon.
                log.warning("could not claim", error=str(error))
                return
            if taken is None:
                return
            self._run(taken)

    def _claim(self) -> Claim | None:
        with self._database.transaction() as session:
            taken = claim(
                session,
                worker_id=self.id,
                queues=self._queues,
                devices=self._devices,
                lease_seconds=self._settings.lease_seconds,
            )
            if self._busy != (taken is not None):
                self._busy = taken is not None
                self._beat(session)
        return taken

    def _run(self, taken: Claim) -> None:
        """The job to its end; every line of the log says which it is."""
        lease, job = taken.lease, taken.job
        with structlog.contextvars.bound_contextvars(
            job=str(lease.job_id), kind=job.kind, fence=lease.fence, attempt=job.attempt, request_id=job.request_id
        ):
            log.info("job claimed")
            child = self._child_for(taken)
            self._running = running = _Running(lease, child)
            try:
                self._watch(running)
            finally:
                self._running = None
            status = child.wait()
            if child.free:
                self._free = child
            else:
                child.close()
            log.info("job's process ended", status=status, free=child.free)
            try:
                patiently(self._database, lambda session: self._settle(session, lease, status), seconds=SETTLE_SECONDS)
            except SQLAlchemyError as error:
                log.warning("could not settle the job, its lease will run out", error=str(error))

    def _child_for(self, taken: Claim) -> Child:
        """The spare one for a job that needs torch, with another one made ready; for any other one that is free."""
        if not self._spares or taken.job.kind not in TORCH_KINDS:
            return self._free_child(taken.lease)
        spare, self._spare = self._spare, None
        if spare is None or not spare.alive:
            if spare is not None:
                spare.close()
            spare = Child.spare(self._environment())
        spare.assign(taken.lease)
        self._prepare()
        return spare

    def _free_child(self, lease: Lease) -> Child:
        """The one that waits for another job, given this one, or a fresh one."""
        free, self._free = self._free, None
        if free is None:
            return Child.for_job(lease, self._environment())
        if not free.alive:
            free.close()
            return Child.for_job(lease, self._environment())
        free.assign(lease)
        return free

    def _prepare(self) -> None:
        """Have a child do its imports now, for the next job that needs them."""
        if self._spares:
            self._spare = Child.spare(self._environment())

    def _watch(self, running: _Running) -> None:
        """Wait for the child; pass on what it is asked, and kill it when that takes too long or the lease is lost."""
        asked: dict[StopReason, float] = {}
        ended: float | None = None
        reasons: tuple[tuple[StopReason, threading.Event, float], ...] = (
            ("cancel", running.cancel, CANCEL_SECONDS),
            ("drain", self._draining, DRAIN_SECONDS),
        )
        while running.child.wait(LOOK_SECONDS) is None:
            if running.lost.is_set():
                log.warning("lease lost, killing the job's process")
                running.child.kill()
                running.child.wait()
                return
            if running.ended.is_set():
                ended = ended or time.monotonic()
                if time.monotonic() - ended > EXIT_SECONDS:
                    running.child.kill()
                continue
            for reason, event, patience in reasons:
                if event.is_set():
                    if reason not in asked:
                        asked[reason] = time.monotonic()
                        running.child.stop(reason)
                    elif time.monotonic() - asked[reason] > patience:
                        log.warning("job did not stop in time", reason=reason)
                        running.child.kill()

    def _settle(self, session: Session, lease: Lease, status: int | None) -> None:
        """Say how the child ended, unless it has said so itself; clean up after a job that is final."""
        try:
            if self._draining.is_set():
                release(session, lease)
            else:
                end = f"its process ended with {_ending(status)}"
                crash(session, lease, detail=end, max_attempts=self._settings.max_attempts)
        except LeaseLost:
            pass  # the usual case: the child has ended its job
        job = jobs.get(session, lease.job_id)
        if job is None or job.final:
            JobFiles(self._store, lease.job_id).drop_checkpoints()

    def _sweep(self) -> None:
        """Remove checkpoints of final jobs whose worker died before it could."""
        try:
            here = jobs_with_checkpoints(self._store)
        except StoreError as error:
            log.warning("could not look for old checkpoints", error=str(error))
            return
        with self._database.transaction() as session:
            for job_id in here:
                job = jobs.get(session, job_id)
                if job is not None and job.final:
                    JobFiles(self._store, job_id).drop_checkpoints()

    def _register(self, session: Session) -> None:
        self._gpu = workers.claim_gpu(session, self._gpus, within_seconds=self._settings.lease_seconds)
        if self._gpu is not None:
            self._devices = ["cuda", "cpu"]
        self._device_name = device_name(self._gpu)
        # Where there are GPUs and all have an owner, what waits for one is not for a worker without.
        suitable: tuple[Queue, ...] = ("cpu",) if self._gpus and self._gpu is None else ("gpu", "cpu")
        self._queues = list(self._wanted or suitable)
        self._beat(session)

    def _beat(self, session: Session) -> None:
        use = NOTHING if self._gauge is None else self._gauge.use
        workers.beat(
            session,
            id=self.id,
            host=socket.gethostname(),
            pid=os.getpid(),
            queues=self._queues,
            devices=self._devices,
            gpu=self._gpu,
            state="draining" if self._draining.is_set() else "busy" if self._busy else "idle",
            device_name=self._device_name,
            **asdict(use),
            **asdict(memory(self._gpu, use)),
        )

    def _beat_on(self) -> None:
        """The pulse. Whatever ends it ends the worker too, which nobody would take for alive."""
        try:
            self._beat_until_stopped()
        except Exception as error:
            self._failure = error
            self.drain()

    def _beat_until_stopped(self) -> None:
        """Keep the lease of the job that runs, learn of its cancellation, say that the worker lives."""
        while not self._stopping.wait(self._settings.lease_seconds / 3):
            running = self._running
            try:
                if running is not None:
                    with self._database.transaction() as session:
                        if heartbeat(session, running.lease, lease_seconds=self._settings.lease_seconds):
                            running.cancel.set()
                with self._database.transaction() as session:
                    self._beat(session)
            except LeaseLost:
                assert running is not None
                self._look_into(running)
            except SQLAlchemyError as error:
                # Nobody can claim the job while the database is away, and fences guard it when it is back.
                log.warning("no heartbeat", error=str(error).splitlines()[0])

    def _look_into(self, running: _Running) -> None:
        """The lease is not held: because the child has just ended its job, or because it is lost."""
        try:
            with self._database.transaction() as session:
                job = jobs.get(session, running.lease.job_id)
        except SQLAlchemyError:
            job = None
        mine = job is not None and job.final and job.fence == running.lease.fence
        (running.ended if mine else running.lost).set()

    def _environment(self) -> dict[str, str]:
        return {**self._settings.environment(), "CUDA_VISIBLE_DEVICES": self._gpu or ""}


def _ending(status: int | None) -> str:
    if status is not None and status < 0:
        return f"signal {-status}"
    return f"exit status {status}"
