"""Whether files can be kept. A bucket is tried with a small file, which goes again: nothing else tells."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from app.doctor.finding import Finding, failure, ok, one_line
from app.doctor.machine import nearest
from app.settings import Settings
from app.store import OBJECTS, Folder, Place, StoreDown, StoreError, open_store

TRIAL = "trial/doctor"
CORRECT = "correct CELLAR_STORE_URL"


def store(settings: Settings) -> Iterator[Finding]:
    """Whether the store can be reached, written and read."""
    try:
        place = open_store(settings).place
    except StoreError as error:
        yield failure("store", one_line(error), "pip install 'cellar[s3]', or unset CELLAR_STORE_URL")
        return
    yield folder_finding(place) if isinstance(place, Folder) else bucket_finding(place)


def folder_finding(place: Folder) -> Finding:
    """What the permissions say; nothing is written."""
    existing = nearest(place.root)
    if not existing.is_dir():
        return failure("store", f"{existing} is not a directory, so {place} cannot be one", CORRECT)
    if os.statvfs(existing).f_flag & os.ST_RDONLY:
        return failure("store", f"{existing} is on a file system that is read-only", f"remount it, or {CORRECT}")
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        says = f"this account may not read and write {existing}"
        return failure("store", says, f"give it that directory, or {CORRECT}")
    return ok("store", f"{place} can be read and written" if existing == place.root else f"{place} can be made")


def bucket_finding(place: Place) -> Finding:
    """What the bucket says to a file that comes and goes, and to a question for one that is not there."""
    try:
        with tempfile.NamedTemporaryFile(prefix="cellar-doctor-") as written:
            written.write(bytes(4096))
            written.flush()
            place.put(Path(written.name), TRIAL)
        place.remove(TRIAL)
        place.size(f"{OBJECTS}/none")
    except StoreDown as error:
        remedy = "see that it runs and can be reached, or correct CELLAR_STORE_ENDPOINT"
        return failure("store", one_line(error), remedy)
    except StoreError as error:
        remedy = f"let the key list, read, write and remove, or correct it with CELLAR_STORE_KEY_ID, or {CORRECT}"
        return failure("store", one_line(error), remedy)
    return ok("store", f"{place} can be reached, read and written")
