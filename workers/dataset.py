"""The handler of data set jobs: what was uploaded, or lies in the data root, becomes one checked file of images.

phase    epochs
read     1

Memory is bounded: what is given can be made so that reading it takes far more than it says.
"""

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from app.experiment import DatasetRequest, JobResult, TableRequest
from app.settings import load_settings
from workers.ingest import DataError, keep, read_source
from workers.ingest.keeping import sha256
from workers.progress import Progress, Stopped

PHASE = "read"
SPARE_BYTES = 1 << 30  # of address space beside several copies of the pixels
COPIES = 6  # as given, as bytes, in parts, together, and as it is written
LOOK_SECONDS = 0.2


def run(request: DatasetRequest, progress: Progress) -> JobResult:
    """Reads, divides, measures, keeps. Raises DataError, or Stopped where `progress` asks to stop."""
    started = time.monotonic()
    looked = 0.0

    def heed() -> None:
        nonlocal looked
        if time.monotonic() - looked >= LOOK_SECONDS:
            looked = time.monotonic()
            if reason := progress.should_stop():
                raise Stopped(reason)

    root = load_settings().data_root
    with bounded(SPARE_BYTES + COPIES * request.largest_bytes):
        path = source_of(root, request)
        dataset = keep(root, read_source(path, request, heed), request, heed)
    progress.report(PHASE, 1, 1, {"images": float(sum(dataset.splits.values()))})
    return JobResult(
        result={"dataset": asdict(dataset), "seconds": time.monotonic() - started},
        datasets=(dataset,),
    )


def source_of(root: Path, request: DatasetRequest | TableRequest) -> Path:
    """The file or folder of a request. Raises DataError where it is not there, outside, or not what was uploaded."""
    path = root.resolve() / request.path
    if ".." in Path(request.path).parts or path.resolve() != path:
        raise DataError(f"{request.path!r} is a link, or leads out of the data root")
    if not path.exists():
        raise DataError(f"{request.path!r} is not in the data root of this worker")
    if request.sha256 is not None and sha256(path) != request.sha256:
        raise DataError(f"{request.path!r} is not what was uploaded any more")
    return path


@contextmanager
def bounded(bytes: int) -> Iterator[None]:
    """Let this process take so much more address space and no more. Raises DataError where that is too little."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = pages * resource.getpagesize() + bytes
    resource.setrlimit(resource.RLIMIT_AS, (limit if hard == resource.RLIM_INFINITY else min(limit, hard), hard))
    try:
        yield
    except MemoryError as error:
        raise DataError(f"reading it takes more than {bytes} bytes of memory") from error
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
