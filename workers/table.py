"""The handler of table jobs: a published table that was uploaded, or lies in the data root, is read and judged.

phase    epochs
read     1

Its rows are written in the transaction that ends the job. What takes the most time, finding out which architectures
the genotypes are, is kept now and then, so that a job that was interrupted does not begin anew. Memory is bounded: a
file can be made so that reading it takes far more than it says.
"""

import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from tempfile import mkstemp
from typing import TextIO

from app.experiment import JobResult, ReadTable, TableRequest, TableRow
from app.settings import load_settings
from workers.benchmark import Identified, TableError, prepare, with_checksum
from workers.dataset import bounded, source_of
from workers.progress import Progress, Stopped

PHASE = "read"
MEMORY = 4 << 30  # bytes of addresses beside what the process has already
LOOK_SECONDS = 0.2
TOLD_SECONDS = 2.0
KEPT_SECONDS = 60.0


def run(request: TableRequest, progress: Progress) -> JobResult:
    """Reads and judges. Raises TableError, DataError, or Stopped where `progress` asks to stop."""
    started = time.monotonic()
    root = load_settings().data_root
    known = resumed(progress)
    with bounded(MEMORY):
        file = source_of(root, request)
        if not file.is_file():
            raise TableError(f"{request.path!r} is no file")
        request = with_checksum(request, file)
        lines = Lines(root)
        with lines.opened() as opened:
            report = prepare(request, file, opened, known=known, heed=Heed(progress, known))
    progress.report(PHASE, 1, 1, {"rows": float(report.rows), "sound": float(report.sound)})
    if not report.sound:
        first = f"row {report.refusals[0]['row']}: {report.refusals[0]['reason']}" if report.refusals else "it is empty"
        raise TableError(f"no row of the {report.rows} of {request.table.file} can be kept; {first}")
    assert request.sha256 is not None, "it was worked out"
    told = {"identity": request.identity(request.sha256), "sha256": request.sha256, "rows": asdict(report)}
    return JobResult(
        result=told | {"seconds": time.monotonic() - started},
        table=None if request.dry_run else ReadTable(request=request, report=report, rows=lines.rows),
    )


class Heed:
    """Looks whether to stop, tells how far it is, and keeps what was worked out."""

    def __init__(self, progress: Progress, known: dict[int, Identified]) -> None:
        self._progress, self._known = progress, known
        self._looked = self._told = self._kept = time.monotonic()
        self._size = len(known)

    def __call__(self, rows: int) -> None:
        """After so many rows. Raises Stopped."""
        moment = time.monotonic()
        if moment - self._looked < LOOK_SECONDS:
            return
        self._looked = moment
        reason = self._progress.should_stop()
        if reason == "drain" or (moment - self._kept >= KEPT_SECONDS and len(self._known) > self._size):
            self._kept, self._size = moment, len(self._known)
            self._progress.checkpoint(PHASE, 0, self._write)
        if reason is not None:
            raise Stopped(reason)
        if moment - self._told >= TOLD_SECONDS:
            self._told = moment
            self._progress.report(PHASE, 0, 1, {"architectures": float(len(self._known))}, step=rows)

    def _write(self, file: Path) -> None:
        with file.open("w", encoding="ascii") as opened:
            for index, of in self._known.items():
                opened.write(f"{index:x} {of.architecture} {of.params} {of.macs}\n")


def resumed(progress: Progress) -> dict[int, Identified]:
    """What an earlier attempt has worked out, by rank."""
    before = progress.resume()
    if before is None:
        return {}
    with before.file.open(encoding="ascii") as opened:
        parts = (line.split() for line in opened)
        return {int(index, 16): Identified(id, int(params), int(macs)) for index, id, params, macs in parts}


class Lines:
    """A file of rows without a name, so that nothing is left of it, whatever becomes of this process."""

    def __init__(self, folder: Path) -> None:
        self._descriptor, name = mkstemp(prefix="table-", dir=folder)
        os.unlink(name)

    def opened(self) -> TextIO:
        """The file, at its beginning."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        return open(self._descriptor, "r+", encoding="utf-8", closefd=False)

    def rows(self) -> Iterator[TableRow]:
        """Those that were written, from the first."""
        with self.opened() as lines:
            yield from map(TableRow.of_line, lines)

    def __del__(self) -> None:
        """Whoever held it last has no more need of it."""
        os.close(self._descriptor)
