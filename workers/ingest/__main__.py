"""`python -m workers.ingest`: read a file, a folder or a data set of the hub for `cellar data add`.

On standard input one JSON object: `source` (a path or the hub's id), `data_root`, `request` (a DatasetRequest). On
standard output the Dataset that was made and kept, as JSON; where there is a fault, exit status 1 and a sentence on
standard error.
"""

import json
import re
import sys
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import TypeAdapter

from app.experiment import Dataset, DatasetRequest
from workers.ingest import DataError, keep, read_source
from workers.ingest.hub import fetched

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")


def made(source: str, data_root: Path, request: DatasetRequest) -> Dataset:
    """The data set of a source, kept. Raises DataError."""
    path = Path(source).expanduser()
    if path.exists():
        return keep(data_root, read_source(path.resolve(), request, nothing), request, nothing)
    if HUB_ID.fullmatch(source) is None:
        raise DataError(f"{source!r} is no file or folder here, and no id of the Hugging Face hub")
    with TemporaryDirectory(prefix="hub-", dir=data_root) as folder:  # not in /tmp, which may be memory
        return keep(data_root, read_source(fetched(source, Path(folder)), request, nothing), request, nothing)


def nothing() -> None:
    """Nobody asks a command to stop but by a signal."""


def main() -> int:
    """The process."""
    asked = json.load(sys.stdin)
    request = TypeAdapter(DatasetRequest).validate_python(asked["request"])
    try:
        dataset = made(asked["source"], Path(asked["data_root"]), request)
    except (DataError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    json.dump(asdict(dataset), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
