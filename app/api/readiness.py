"""Whether the service can do its work: what is down, what is degraded, and what each part has to say.

| part | down | degraded |
| --- | --- | --- |
| database | it does not answer | it lets nobody in: who is connected is answered |
| migrations | the tables are older than this version's, or of a newer one that its code does not work on | of a newer \
version that its code works on: an upgrade is under way |
| broker | | it does not answer: jobs start some seconds later, none is lost |
| workers | | none is alive |
| outbox | | a job waits for its hint although a worker is idle |
| store | | nothing can be written: what keeps files waits |

Down: requests fail, so a load balancer should send them elsewhere. Degraded: they are answered, jobs may have to wait.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.api.question import Question
from app.catalogue import Database, Worker, workers
from app.catalogue.migration import fits, revisions
from app.catalogue.repositories import census
from app.catalogue.repositories.census import Owed
from app.experiment import Queue
from app.jobs import Broker, able
from app.settings import Settings
from app.store import open_store

Part = Literal["database", "migrations", "broker", "workers", "outbox", "store"]
State = Literal["ok", "degraded", "down"]

LIMIT_SECONDS = 3.0
"""For all parts, which are asked side by side."""

DATABASE_SECONDS = 2  # to connect, and for a statement
KEPT_SECONDS = 2.0
STORE_KEPT_SECONDS = 15.0  # a bucket counts what is asked of it
OWED_SECONDS = 15.0  # a hint is published within one or two


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one part."""

    part: Part
    state: State
    says: str


@dataclass(frozen=True, slots=True)
class Standing:
    """What the database says, as far as readiness goes."""

    revision: str | None
    comment: str | None
    alive: int = 0
    neglected_seconds: float = 0.0
    lets_in: bool = True  # a new connection


class Readiness:
    """The parts of the service, as this process sees them."""

    def __init__(self, settings: Settings, pool: Database, watching: Database) -> None:
        """
        Args:
            settings: of the deployment.
            pool: through which requests are answered.
            watching: connects anew each time.
        """
        self._settings = settings
        self._pool = pool
        self._watching = watching
        self._standing = Question("database", self._ask_database, seconds=LIMIT_SECONDS, kept=KEPT_SECONDS)
        self._broker = Question("broker", self._ask_broker, seconds=LIMIT_SECONDS, kept=KEPT_SECONDS)
        self._store = Question("store", self._ask_store, seconds=LIMIT_SECONDS, kept=STORE_KEPT_SECONDS)

    async def findings(self) -> tuple[Finding, ...]:
        """Every part of which something is known: without a database nothing is of migrations, workers and outbox."""
        of_database, broker, store = await asyncio.gather(self._of_database(), self._of_broker(), self._of_store())
        return (*of_database, broker, store)

    async def hints(self) -> Mapping[Queue, int]:
        """How many hints lie in the broker, by queue. Raises where it does not answer."""
        return await self._broker.answer()

    async def _of_database(self) -> tuple[Finding, ...]:
        try:
            standing = await self._standing.answer()
        except Exception as error:
            # The driver's message may name hosts and users: the log has it, an answer does not.
            return (Finding("database", "down", f"does not answer ({type(error).__name__})"),)
        if standing.lets_in:
            return Finding("database", "ok", "answers"), *judged(standing)
        return Finding("database", "degraded", "lets nobody in: who is connected is answered"), *judged(standing)

    async def _of_broker(self) -> Finding:
        try:
            await self._broker.answer()
        except Exception as error:
            return Finding("broker", "degraded", f"does not answer ({type(error).__name__}): jobs start seconds later")
        return Finding("broker", "ok", "answers")

    async def _of_store(self) -> Finding:
        try:
            await self._store.answer()
        except Exception as error:
            return Finding("store", "degraded", f"cannot be written ({type(error).__name__}): files wait until it can")
        return Finding("store", "ok", "can be written")

    def _ask_database(self) -> Standing:
        try:
            with self._watching.transaction() as session:
                return self._standing_by(session)
        except DBAPIError as error:
            if error.statement is not None:  # it was let in
                raise
        with self._pool.transaction() as session:
            return replace(self._standing_by(session), lets_in=False)

    def _standing_by(self, session: Session) -> Standing:
        revision, comment = census.tables_revision(session)
        if revision not in known_revisions() and not (revision and fits(comment)):
            return Standing(revision, comment)  # the other tables may not be there, or be others
        alive = workers.alive(session, within_seconds=self._settings.lease_seconds)
        idle = [worker for worker in alive if worker.state == "idle"]
        owed = census.owed_by_device(session) if idle else ()
        return Standing(revision, comment, len(alive), neglected_seconds(owed, idle))

    def _ask_broker(self) -> Mapping[Queue, int]:
        assert self._settings.redis_url is not None
        broker = Broker(self._settings.redis_url)
        try:
            return broker.depth()
        finally:
            broker.close()

    def _ask_store(self) -> None:
        open_store(self._settings).try_writing()


@cache
def known_revisions() -> tuple[str, ...]:
    """The revisions of this version, the oldest first."""
    return tuple(revisions())


def neglected_seconds(owed: Sequence[Owed], idle: Collection[Worker]) -> float:
    """For how long a job has waited for a hint although a worker that could take it is idle; 0 where none has.

    While all workers are busy nobody is owed one: each looks for another job when it has done its own.
    """
    waiting = (one.seconds for one in owed for worker in idle if able(worker, one.queue, one.device))
    return max(waiting, default=0.0)


def judged(standing: Standing) -> tuple[Finding, ...]:
    """What follows from what the database says."""
    migrations = of_migrations(standing.revision, standing.comment)
    if migrations.state == "down":
        return (migrations,)
    if standing.alive:
        live = Finding("workers", "ok", f"alive: {standing.alive}")
    else:
        live = Finding("workers", "degraded", "none is alive: jobs wait until one is")
    waited = standing.neglected_seconds
    if waited > OWED_SECONDS:
        outbox = Finding("outbox", "degraded", f"a job waits for its hint for {waited:.0f} s although a worker is idle")
    else:
        outbox = Finding("outbox", "ok", "no hint is owed to an idle worker")
    return migrations, live, outbox


def of_migrations(revision: str | None, comment: str | None) -> Finding:
    """Whether this version's code works on the tables; `comment` is what the tables say of the code that they need."""
    known = known_revisions()
    if revision is None:
        return Finding("migrations", "down", "the database has no tables: run `cellar migrate`")
    if revision == known[-1]:
        return Finding("migrations", "ok", f"the tables are of revision {revision}")
    if revision in known:
        says = f"the tables are of revision {revision}, this version needs {known[-1]}: run `cellar migrate`"
        return Finding("migrations", "down", says)
    newer = f"the tables are of revision {revision}, newer than {known[-1]}, which this version knows"
    if fits(comment):
        return Finding("migrations", "degraded", f"{newer}; its code works on them")
    return Finding("migrations", "down", f"{newer}; its code does not work on them: start the newer version")
