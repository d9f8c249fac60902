"""Evaluations as tables: lines of comma-separated values, or a Parquet file, made as they are read."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import islice
from typing import Any

from fastapi.responses import StreamingResponse

from app.catalogue import Evaluation

COLUMNS = (
    *("id", "architecture_id", "space", "space_version", "space_digest", "index", "genotype", "kind", "dataset"),
    *("split", "recipe", "recipe_digest", "seed", "accuracy", "metrics", "params", "macs", "seconds", "device"),
    *("torch_version", "code_version", "provenance", "created_at"),
)
WHOLE = ("space_version", "seed", "params", "macs")
REAL = ("accuracy", "seconds")
LINES = 200  # of a piece of CSV
ROW_GROUP = 5000  # rows of Parquet in memory at a time
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of a formula
NOTHING: Mapping[str, object] = {}
PARQUET = "application/vnd.apache.parquet"


def record_of(row: Evaluation) -> dict[str, Any]:
    """An evaluation as one flat record; documents are JSON."""
    space = row.architecture
    given = {
        "id": str(row.id),
        "space": space.space_name,
        "space_version": space.space_version,
        "space_digest": space.space_digest,
        "index": str(space.index),
        "genotype": json.dumps(space.genotype),
        "recipe": row.recipe_name,
        "metrics": json.dumps(dict(row.metrics)),
        "provenance": json.dumps(dict(row.provenance)),
        "created_at": row.created_at.isoformat(),
    }
    return {name: given[name] if name in given else getattr(row, name) for name in COLUMNS}


def csv_pieces(rows: Iterable[Evaluation], beside: Sequence[Mapping[str, object]] = ()) -> Iterator[str]:
    """Lines of comma-separated values. Text that a spreadsheet would take for a formula is marked as text by `'`.

    `beside` has further columns: as many rows, or none.
    """
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow((*COLUMNS, *(beside[0] if beside else ())))
    rest, more = iter(rows), iter(beside)
    while True:
        yield written.getvalue()
        written.seek(0)
        written.truncate()
        records = [record_of(row) | dict(next(more, NOTHING)) for row in islice(rest, LINES)]
        if not records:
            return
        for record in records:
            writer.writerow([f"'{v}" if isinstance(v, str) and v.startswith(FORMULA) else v for v in record.values()])


def parquet_pieces(rows: Iterable[Evaluation]) -> Iterator[bytes]:
    """The bytes of a Parquet file, a group of rows after another."""
    # Here, and without the types that it lacks: whoever asks for no table need not wait for it.
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")

    def kind(name: str) -> Any:
        return arrow.int64() if name in WHOLE else arrow.float64() if name in REAL else arrow.string()

    schema = arrow.schema([(name, kind(name)) for name in COLUMNS])
    written = io.BytesIO()
    position = 0

    class Sink(io.RawIOBase):
        """Where the writer writes: bytes that are sent and forgotten, at a position that goes on."""

        def writable(self) -> bool:
            return True

        def write(self, data: Any) -> int:
            nonlocal position
            size = written.write(data)
            position += size
            return size

        def tell(self) -> int:
            return position

    def taken() -> bytes:
        piece = written.getvalue()
        written.seek(0)
        written.truncate()
        return piece

    rest = iter(rows)
    with parquet.ParquetWriter(Sink(), schema, compression="zstd") as writer:
        while records := [record_of(row) for row in islice(rest, ROW_GROUP)]:
            writer.write_table(arrow.Table.from_pylist(records, schema=schema))
            yield taken()
    yield taken()


def table_response(
    rows: Iterable[Evaluation], name: str, suffix: str, beside: Sequence[Mapping[str, object]] = ()
) -> StreamingResponse:
    """The answer that a browser saves as a file. `beside`: further columns of CSV."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{suffix}"'}
    if suffix == "parquet":
        return StreamingResponse(parquet_pieces(rows), media_type=PARQUET, headers=headers)
    return StreamingResponse(csv_pieces(rows, beside), media_type="text/csv", headers=headers)
