"""Which stored files stay: what a row names stays, anything else goes after a grace period.

A writer puts a file first and commits the row that names it afterwards, so between the two nothing names it. Both
sides hold a lock on the content while they decide: a writer who shares it finds the file there or puts it again, and
whoever removes the file has it alone and has seen that no row names it. The grace period only saves needless work.
"""

import time
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.catalogue import Database, artefacts
from app.store import MissingObject, Store, StoredFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one collection removed, or would have."""

    objects: int = 0  # that no row names
    bytes: int = 0  # of those
    leftovers: int = 0  # of writers that died, and copies that nobody asked for lately
    kept: int = 0  # objects that rows name, that are young, or that a backup may name that is made just now


def secure(session: Session, store: Store, stored: StoredFile) -> None:
    """Let this transaction name a file by its content: it stays until the row is committed, and then for good.

    Raises MissingObject where it was collected meanwhile: put it again. Raises StoreDown and StoreUnusable.
    """
    artefacts.share_content(session, stored.sha256)
    if not store.has(stored):
        raise MissingObject(stored.path)


def collect(database: Database, store: Store, *, grace_seconds: float, dry_run: bool = False) -> Collected:
    """Remove what no row names and what is older than the grace period. Safe beside writers and other collections.

    Raises StoreError; what was removed by then is gone.
    """
    before = time.time() - grace_seconds
    with database.transaction() as session:
        named = artefacts.contents(session)
    objects = size = kept = 0
    for digest, entry in store.objects():
        if digest in named or entry.modified >= before:
            kept += 1
            continue
        with database.transaction() as session:
            if not artefacts.lock_collecting(session) or artefacts.claim_content(session, digest):
                kept += 1
                continue
            if not dry_run:
                store.remove(entry.path)
        objects, size = objects + 1, size + entry.bytes
    leftovers = store.clear(grace_seconds, dry_run=dry_run)
    return Collected(objects=objects, bytes=size, leftovers=leftovers, kept=kept)
