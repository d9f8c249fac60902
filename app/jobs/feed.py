"""Events of jobs as they happen, for whoever follows one: a single LISTEN connection a process wakes all of them."""

import asyncio
import threading
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import Database, JobEvent, events, jobs
from app.experiment import FINAL_STATES

log = structlog.get_logger(__name__)

DEAF_SECONDS = 1.0  # how often to look while notifications cannot be heard
HEARING_SECONDS = 15.0  # the same while they can: only in case one was missed
PAGE = 500
LOOKERS = 4  # threads that look on behalf of all streams, and so the connections of the pool that they can hold


class EventFeed:
    """Follow jobs from asyncio. `start` and `stop` belong to the process that serves the streams."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._followers: dict[UUID, set[_Follower]] = {}
        self._guard = threading.Lock()
        self._stopping = threading.Event()
        self._hearing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="event feed", daemon=True)
        # Threads of its own: hundreds of streams that look at once would take those that requests are answered in.
        self._lookers = ThreadPoolExecutor(LOOKERS, thread_name_prefix="event feed look")

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def stop(self) -> None:
        """Wake every follower so that its stream ends, and stop listening; within about a second."""
        self._stopping.set()
        self._wake_all()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._lookers.shutdown(wait=False)

    async def stream(self, job_id: UUID, after: int = 0) -> AsyncGenerator[JobEvent]:
        """The job's events with ids above `after`, as they happen, until the job is final or the feed stops.

        An unknown job has none. Resuming after the last id seen neither loses nor repeats an event.
        """
        loop = asyncio.get_running_loop()
        follower = _Follower(loop)
        with self._guard:
            self._followers.setdefault(job_id, set()).add(follower)
        try:
            while not self._stopping.is_set():
                # Cleared before looking: what is written after the look sets it again.
                follower.woken.clear()
                try:
                    page, final = await loop.run_in_executor(self._lookers, self._look, job_id, after)
                except SQLAlchemyError as error:
                    log.warning("event feed cannot look", job=str(job_id), error=str(error))
                    await follower.wait(DEAF_SECONDS)
                    continue
                for event in page:
                    yield event
                    after = event.id
                if len(page) == PAGE:
                    continue
                if final:
                    return
                await follower.wait(HEARING_SECONDS if self._hearing.is_set() else DEAF_SECONDS)
        finally:
            with self._guard:
                followers = self._followers[job_id]
                followers.discard(follower)
                if not followers:
                    del self._followers[job_id]

    def _look(self, job_id: UUID, after: int) -> tuple[tuple[JobEvent, ...], bool]:
        """A page of events, and whether none can follow. The state is read first: final before means all is seen."""
        with self._database.transaction() as session:
            job = jobs.get(session, job_id)
            page = events.after(session, job_id, after, limit=PAGE)
        return page, job is None or job.state in FINAL_STATES

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._database.listen(events.CHANNEL) as connection:
                    self._hearing.set()
                    self._wake_all()
                    while not self._stopping.is_set():
                        for notification in connection.notifies(timeout=DEAF_SECONDS):
                            self._wake(notification.payload)
                            if self._stopping.is_set():
                                break
            except (SQLAlchemyError, psycopg.Error) as error:
                log.warning("event feed lost the database", error=str(error))
            except Exception:  # followers would fall back to looking every second, for ever
                log.exception("event feed failed")
            self._hearing.clear()
            self._wake_all()
            self._stopping.wait(DEAF_SECONDS)

    def _wake(self, payload: str) -> None:
        with self._guard:
            for follower in self._followers.get(UUID(payload), ()):
                follower.wake()

    def _wake_all(self) -> None:
        with self._guard:
            for followers in self._followers.values():
                for follower in followers:
                    follower.wake()


class _Follower:
    """One stream, woken from the listening thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.woken = asyncio.Event()

    def wake(self) -> None:
        """Set the event in its own loop, unless that has ended."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.woken.set)

    async def wait(self, seconds: float) -> None:
        """Until woken, or for so long."""
        try:
            await asyncio.wait_for(self.woken.wait(), seconds)
        except TimeoutError:
            return
