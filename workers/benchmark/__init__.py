"""Published tables of architectures and what was measured of them: read row by row, judged, priced.

rows_of(path, columns)                 the rows of a CSV or Parquet file, a batch in memory at a time
prepare(request) -> Prepared           sound rows into a file of lines, and what was refused

A file is somebody else's and may be hostile: lines, batches and the memory of the process are bounded.
"""

from workers.benchmark.prepare import Prepared, TableRequest, prepare
from workers.benchmark.rows import TableError, rows_of

__all__ = ["Prepared", "TableError", "TableRequest", "prepare", "rows_of"]
