"""The rows of a table: CSV with a header, plain or compressed by gzip, or Parquet; told by the first bytes."""

import csv
import gzip
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa
import pyarrow.parquet as pq

LONGEST = 1 << 20  # characters of a line, of a field
BATCH = 1024  # rows of a Parquet file that are read at a time
BATCH_BYTES = 256 << 20
MOST_ROWS = 50_000_000  # or lines of a text, empty ones too
MOST_BYTES = 16 << 30  # of a text, unpacked

Row = list[object] | str  # the values of the columns that were asked for, or what is wrong with the row


class TableError(ValueError):
    """A file is no table, or lacks what was asked of it."""


def rows_of(path: Path, columns: Sequence[str], name: str = "") -> Iterator[Row]:
    """The values of the named columns, row by row. Those of CSV are texts. `name` is what faults call the file.

    Raises TableError where the file is damaged, is no table, or has not exactly one column of each name.
    """
    with path.open("rb") as file:
        first = file.read(4)
        file.seek(0)
        try:
            if first == b"PAR1":
                yield from _parquet(path, columns)
            elif first[:2] == b"\x1f\x8b":
                with gzip.open(file) as unpacked:
                    yield from _csv(cast("BinaryIO", unpacked), columns)
            else:
                yield from _csv(file, columns)
        except MemoryError:  # Arrow's is an ArrowException too
            raise
        except (pa.ArrowException, csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
            raise TableError(f"{name or path.name} is no CSV or Parquet file that can be read: {error}") from error


def _csv(file: BinaryIO, columns: Sequence[str]) -> Iterator[Row]:
    csv.field_size_limit(LONGEST)
    rows = csv.reader(_lines(file), strict=True)
    header = next(rows, None)
    if header is None:
        raise TableError("the table is empty: its first line names the columns")
    places = [_place(header, column) for column in columns]
    for row in filter(None, rows):  # an empty line is no row
        if len(row) != len(header):
            yield f"{len(row)} fields, and the header has {len(header)}"
        else:
            yield [row[place] for place in places]


def _lines(file: BinaryIO) -> Iterator[str]:
    """The lines of a text in UTF-8; a byte order mark is no part of it."""
    number = size = 0
    while line := file.readline(LONGEST):
        number, size = number + 1, size + len(line)
        if len(line) == LONGEST:
            raise TableError(f"line {number} has more than {LONGEST - 1} bytes")
        if number > MOST_ROWS or size > MOST_BYTES:
            raise TableError(f"the table is too long: at most {MOST_ROWS} lines and {MOST_BYTES} bytes are accepted")
        yield line.decode("utf-8-sig" if number == 1 else "utf-8")


def _parquet(path: Path, columns: Sequence[str]) -> Iterator[Row]:
    with pq.ParquetFile(path, memory_map=False, pre_buffer=False) as file:
        for column in columns:
            _place(file.schema_arrow.names, column)
        rows = 0
        for batch in file.iter_batches(batch_size=BATCH, columns=list(columns), use_threads=False):
            rows += batch.num_rows
            if rows > MOST_ROWS:
                raise TableError(f"the table is too long: at most {MOST_ROWS} rows are accepted")
            if batch.nbytes > BATCH_BYTES:
                raise TableError(f"{batch.num_rows} rows hold {batch.nbytes} bytes, at most {BATCH_BYTES} are accepted")
            for values in zip(*(batch.column(column).to_pylist() for column in columns), strict=True):
                yield list(values)


def _place(header: Sequence[str], column: str) -> int:
    if (times := list(header).count(column)) != 1:
        found = "no column" if times == 0 else f"{times} columns"
        names = ", ".join(map(repr, header[:20])) + (", …" if len(header) > 20 else "")
        raise TableError(f"the table has {found} {column!r}; it has {names}")
    return list(header).index(column)
