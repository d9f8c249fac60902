"""`python -m workers.benchmark`: read a published table for `cellar data add-benchmark`.

On standard input one JSON object, a TableRequest. On standard output what was prepared, as JSON; where there is a
fault, exit status 1 and a sentence on standard error.
"""

import json
import resource
import sys
from dataclasses import asdict

from workers.benchmark import TableError, TableRequest, prepare

MEMORY = 4 << 30  # bytes of addresses


def main() -> int:
    """The process."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        prepared = prepare(TableRequest(**json.load(sys.stdin)))
    except (TableError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    except MemoryError:
        print(f"the table needs more than {MEMORY >> 30} GiB of memory", file=sys.stderr)
        return 1
    json.dump(asdict(prepared), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
