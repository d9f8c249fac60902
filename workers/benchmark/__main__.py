"""`python -m workers.benchmark`: read a published table for `cellar data add-benchmark`.

On standard input one JSON object: `file`, `lines` (paths) and `request` (a TableRequest). On standard output the
TableReport, as JSON; where there is a fault, exit status 1 and a sentence on standard error.
"""

import json
import resource
import sys
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter

from app.experiment import TableRequest
from workers.benchmark import TableError, prepare

MEMORY = 4 << 30  # bytes of addresses


def main() -> int:
    """The process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        asked = json.load(sys.stdin)
        request = TypeAdapter(TableRequest).validate_python(asked["request"])
        with Path(asked["lines"]).open("w", encoding="utf-8") as lines:
            report = prepare(request, Path(asked["file"]), lines)
    except (TableError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print(f"the table needs more than {MEMORY >> 30} GiB of memory", file=sys.stderr)
        return 1
    json.dump(asdict(report), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
