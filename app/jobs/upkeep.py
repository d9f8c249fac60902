"""The upkeep of an installation, once in a while by one process: what is old goes.

Stored files that no row names, after their grace period; and after `history_days` the trail of what was done: entries
of the audit log, events and idempotency keys of final jobs, GPU leases that no quota counts any more, workers that are
gone. What was measured stays.
"""

import threading
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue import Database, audit, history
from app.jobs.collection import Collected, collect
from app.store import StoreError, StoreSettings, open_store

log = structlog.get_logger(__name__)

BATCH = 5000  # rows of a table in one transaction
LOOK_SECONDS = 60.0


class UpkeepSettings(StoreSettings, Protocol):
    """The settings that upkeep goes by."""

    @property
    def upkeep_hours(self) -> float:
        """From one to the next; 0: never."""
        ...

    @property
    def history_days(self) -> float:
        """How long the trail is kept."""
        ...

    @property
    def quota_gpu_days(self) -> float:
        """How long GPU leases count, whatever `history_days` says."""
        ...

    @property
    def store_grace_hours(self) -> float:
        """How long a file may lie there unnamed."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Upkeep:
    """What one upkeep removed."""

    files: Collected
    rows: dict[str, int] = field(default_factory=dict[str, int])  # by table


def keep_up(database: Database, settings: UpkeepSettings) -> Upkeep | None:
    """Do it if it is due; None where it is not. Raises StoreError; the next is due in `upkeep_hours` all the same.

    It is in the audit log when one began and what it removed: that is how processes know of each other's.
    """
    if not settings.upkeep_hours:
        return None
    with database.transaction() as session:
        if not history.due(session, every_hours=settings.upkeep_hours):
            return None
        audit.record(session, action="upkeep.begin")
    rows = forget(database, max(settings.history_days, settings.quota_gpu_days))
    files = collect(database, open_store(settings), grace_seconds=settings.store_grace_hours * 3600)
    with database.transaction() as session:
        audit.record(session, action="upkeep.end", objects=files.objects, bytes=files.bytes, rows=rows)
    return Upkeep(files=files, rows=rows)


def forget(database: Database, days: float) -> dict[str, int]:
    """Remove what is older, a batch at a time, so that nothing waits long for it; how many rows went, by table."""
    total: dict[str, int] = {}
    while True:
        with database.transaction() as session:
            gone = history.forget(session, older_than_days=days, limit=BATCH)
        for table, rows in gone.items():
            total[table] = total.get(table, 0) + rows
        if all(rows < BATCH for rows in gone.values()):
            return total


class UpkeepThread:
    """Looks now and then whether upkeep is due; every API process runs one."""

    def __init__(self, database: Database, settings: UpkeepSettings, *, look_seconds: float = LOOK_SECONDS) -> None:
        self._database = database
        self._settings = settings
        self._look_seconds = look_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin; the first look is a while after that."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more. An upkeep that runs is cut off where it is: each of its steps is whole."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.wait(self._look_seconds):
            try:
                done = keep_up(self._database, self._settings)
            except (SQLAlchemyError, StoreError) as error:
                log.warning("upkeep was cut off", error=str(error))
            except Exception:  # without this thread nothing would ever go
                log.exception("upkeep failed")
            else:
                if done is not None:
                    log.info("upkeep", objects=done.files.objects, bytes=done.files.bytes, rows=done.rows)
