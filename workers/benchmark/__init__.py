"""Published tables of architectures and what was measured of them: read row by row, judged, priced.

rows_of(path, columns)                        the rows of a CSV or Parquet file, a batch in memory at a time
with_checksum(request, file) -> TableRequest  for what is in the file now
prepare(request, file, lines) -> TableReport  sound rows as lines, and what was refused

A file is somebody else's and may be hostile: lines, batches and their numbers are bounded, and whoever calls bounds the
memory of the process.
"""

from workers.benchmark.prepare import Identified, prepare, with_checksum
from workers.benchmark.rows import TableError, rows_of

__all__ = ["Identified", "TableError", "prepare", "rows_of", "with_checksum"]
