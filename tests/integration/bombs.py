"""Requests that are made to hurt a process, and what each takes of it.

PYTHONPATH=$PWD python -m tests.integration.bombs     prints the table of docs/security.md

A bomb is (what it may be answered with, method, path, body, headers). It is thrown at a real API process, whose
processor time (its own and its processes') and growth in memory are measured: neither depends on who else is busy.
"""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from app.architecture.formats import formats_of
from app.embedded import Engines
from app.settings import VARIABLES
from app.space.zoo import ZOO
from tests.contracts.test_document_bombs import ACCEPTED
from tests.contracts.test_document_bombs import BOMBS as DOCUMENTS

MIB = 1 << 20
BODY = MIB - 64  # nearly all that a body may have
JSON = {"Content-Type": "application/json"}
VALIDATE = "/v1/spaces/darts/validate"
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bomb:
    statuses: tuple[int, ...] = (422,)
    method: str = "POST"
    path: str = VALIDATE
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=lambda: JSON)


def genotype(value: bytes) -> bytes:
    return b'{"genotype": ' + value + b"}"


def filled(start: bytes, piece: bytes, end: bytes) -> bytes:
    """As many pieces as a body takes."""
    return start + piece * ((BODY - len(start) - len(end)) // len(piece)) + end


def members(prefix: bytes, value: bytes) -> bytes:
    """An object of so many members that the body is nearly full."""
    size = len(prefix) + len(value) + 12
    return b"{" + b",".join(b'"%s%07d":%s' % (prefix, i, value) for i in range(BODY // size)) + b"}"


BOMBS: dict[str, Bomb] = {
    "lists in lists without end": Bomb(statuses=(400,), body=b'{"genotype": ' + b"[" * (BODY - 16)),
    "500,000 lists in lists": Bomb(statuses=(400,), body=genotype(b"[" * 500_000 + b"]" * 500_000)),
    "170,000 objects in objects": Bomb(statuses=(400,), body=genotype(b'{"a":' * 170_000 + b"0" + b"}" * 170_000)),
    "an integer of a million digits": Bomb(statuses=(400,), body=genotype(b"9" * 1_000_000)),
    "a negative integer of a million digits for a count": Bomb(
        statuses=(400,), path="/v1/spaces/darts/sample", body=b'{"count": -' + b"9" * 1_000_000 + b"}"
    ),
    "an integer of 4,300 digits": Bomb(statuses=(200,), body=genotype(b"9" * 4_300)),
    "the exponent 999999": Bomb(statuses=(200,), body=genotype(b"1e999999")),
    "a count of 1e999999": Bomb(path="/v1/spaces/darts/sample", body=b'{"count": 1e999999}'),
    "a fraction of a million digits": Bomb(statuses=(200,), body=genotype(b"0." + b"1" * 1_000_000)),
    "a string of a million characters": Bomb(statuses=(200,), body=genotype(b'"' + b"a" * 1_000_000 + b'"')),
    "a million escaped characters": Bomb(statuses=(200,), body=filled(b'{"genotype": "', rb"\u0041", b'"}')),
    "a name of a million characters": Bomb(body=b'{"' + b"a" * 1_000_000 + b'": 1}'),
    "60,000 names": Bomb(statuses=(200,), body=genotype(members(b"k", b"0"))),
    "80,000 times the same name": Bomb(statuses=(200,), body=filled(b'{"genotype": {"a": 0', b',"a": [1]', b"}}")),
    "340,000 empty lists": Bomb(statuses=(200,), body=filled(b'{"genotype": [[]', b",[]", b"]}")),
    "340,000 empty objects": Bomb(statuses=(200,), body=filled(b'{"genotype": [{}', b",{}", b"]}")),
    "fields that nobody knows": Bomb(body=members(b"x", b"0")),
    "NaN and infinities": Bomb(statuses=(200,), body=genotype(b"[NaN, Infinity, -Infinity]")),
    "bytes that are no UTF-8": Bomb(statuses=(400,), body=genotype(b'"\xff\xfe\xc0\xaf"')),
    "a surrogate alone": Bomb(statuses=(200,), body=genotype(rb'"\ud800"')),
    "a byte order mark": Bomb(statuses=(200,), body=b"\xef\xbb\xbf" + genotype(b"{}")),
    "UTF-16": Bomb(statuses=(200,), body=genotype(b"{}").decode().encode("utf-16")),
    "UTF-32": Bomb(statuses=(200,), body=genotype(b"{}").decode().encode("utf-32")),
    "a mebibyte of spaces": Bomb(body=b" " * BODY),
    "one byte too many": Bomb(statuses=(413,), body=b" " * (MIB + 1)),
    "a gzip of a gibibyte": Bomb(
        statuses=(415,), body=gzip.compress(bytes(64 * MIB)), headers=JSON | {"Content-Encoding": "gzip"}
    ),
    "a deflate of a gibibyte": Bomb(
        statuses=(415,), body=zlib.compress(bytes(64 * MIB)), headers=JSON | {"Content-Encoding": "deflate"}
    ),
    "codings in codings": Bomb(
        statuses=(415,), body=b"x", headers=JSON | {"Content-Encoding": ", ".join(["gzip"] * 1000)}
    ),
    "a batch of nothing": Bomb(
        path=f"{VALIDATE}/batch", body=filled(b'{"items": [{"genotype": 0}', b',{"genotype": 0}', b"]}")
    ),
    "a batch of unknown fields": Bomb(path=f"{VALIDATE}/batch", body=filled(b'{"items": [{"a":0}', b',{"a":0}', b"]}")),
    "a sample of 10^18": Bomb(path="/v1/spaces/darts/sample", body=b'{"count": 1000000000000000000}'),
    "the largest sample": Bomb(
        statuses=(200,), path="/v1/spaces/hierarchical/sample", body=b'{"count": 1000, "seed": 1}'
    ),
    "the largest sample of classes": Bomb(
        path="/v1/spaces/hierarchical/sample",
        body=b'{"count": 1000, "distribution": "uniform-unique"}',
    ),
    "10^18 mutants": Bomb(path="/v1/spaces/darts/mutate", body=b'{"genotype": {}, "count": 1000000000000000000}'),
    "an index of 15,000 digits": Bomb(method="GET", path="/v1/spaces/darts/members/" + "9" * 15_000, headers={}),
    "a page from 10^15000 on": Bomb(method="GET", path="/v1/spaces/darts/members?start=" + "9" * 15_000, headers={}),
    "a cursor of 15,000 characters": Bomb(method="GET", path="/v1/spaces?cursor=" + "A" * 15_000, headers={}),
    "4,000 parameters": Bomb(statuses=(200,), method="GET", path="/v1/spaces?" + "&".join(["a=1"] * 4_000), headers={}),
    "1,000 names of operations": Bomb(
        method="GET", path="/v1/patterns?" + "&".join(["operations=x"] * 1_000), headers={}
    ),
    "60,000 tags to compare": Bomb(
        statuses=(200,), method="GET", path="/v1/spaces", headers={"If-None-Match": '"a",' * 15_000}
    ),
    "an idempotency key of 60,000 characters": Bomb(
        path="/v1/searches", body=b"{}", headers=JSON | {"Idempotency-Key": "a" * 60_000}
    ),
    **{
        f"space: {name}": Bomb(
            statuses=(200,) if name in ACCEPTED else (422,), path="/v1/size", body=json.dumps({"space": made}).encode()
        )
        for name in (
            "digits of lists in lists",
            "digits of doubling",
            "a large subset",
            "a recursive mesh",
            "a long way",
            "a trellis",
            "constraints on many places",
        )
        if (made := DOCUMENTS[name]())
    },
    "space: 160,000 terms in terms": Bomb(
        statuses=(400,),
        path="/v1/size",
        body=b'{"space": {"name": "x", "grammar": ' + b'{"a":' * 160_000 + b"0" + b"}" * 160_000 + b"}}",
    ),
}

PIECES = (
    " ",
    "(",
    "[",
    "a",
    "|",
    "|a~0",
    "a~0|",
    "'",
    "('a', 1), ",
    "1,",
    "0 ",
    "Genotype(",
    "\\",
    "\x00",
    "1->2",
    ":",
)


def texts() -> Iterator[tuple[str, str, bytes]]:
    """(space, format, body): a long text of one repeated piece for every format that is text, of every space."""
    seen: set[str] = set()
    for name, space in ZOO.items():
        for form in formats_of(space):
            if form.name in seen:
                continue
            seen.add(form.name)
            for piece in PIECES:
                text = piece * (900_000 // len(json.dumps(piece)))
                yield name, form.name, json.dumps({"genotype": text, "format": form.name}).encode()


@dataclass(frozen=True, slots=True)
class Cost:
    status: int
    cpu_seconds: float
    megabytes: float  # of growth, at the highest


class Target:
    """An API process of its own, with whatever it starts."""

    def __init__(self, url: str, pid: int, data_root: Path) -> None:
        self.pid, self.data_root = pid, data_root
        self.client = httpx.Client(base_url=url, timeout=60)
        self.tree: list[int] = []

    def look(self) -> None:
        """Find its process, and those below it."""
        parents: dict[int, int] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        below = {self.pid}
        while more := {pid for pid, parent in parents.items() if parent in below} - below:
            below |= more
        self.tree = sorted(below)

    def cpu(self) -> float:
        """Seconds of the processor so far."""
        total = 0
        for pid in self.tree:
            with suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory(self, name: str) -> float:
        """VmRSS or VmHWM, in megabytes."""
        total = 0
        for pid in self.tree:
            with suppress(OSError):
                (kibibytes,) = re.findall(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
                total += int(kibibytes) * 1024
        return total / 1e6

    def start_counting(self) -> float:
        """The memory now, in megabytes; the highest is counted from here."""
        for pid in self.tree:
            Path(f"/proc/{pid}/clear_refs").write_text("5")
        return self.memory("VmRSS")

    def hit(self, bomb: Bomb) -> tuple[Cost, httpx.Response]:
        """Throw one bomb and measure."""
        resident, used = self.start_counting(), self.cpu()
        answer = self.client.request(bomb.method, bomb.path, content=bomb.body or None, headers=bomb.headers)
        grown = self.memory("VmHWM") - resident
        return Cost(answer.status_code, self.cpu() - used, max(0.0, grown)), answer

    def __enter__(self) -> "Target":
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()


@contextmanager
def target(database_url: str, redis_url: str, data_root: Path, **more: str) -> Iterator[Target]:
    """`cellar api` on engines that run already."""
    inherited = {name: value for name, value in os.environ.items() if name not in VARIABLES.values()}
    environment = {"DATABASE_URL": database_url, "REDIS_URL": redis_url, "CELLAR_DATA_ROOT": str(data_root)}
    command = [sys.executable, "-P", "-m", "app.cli", "api", "--host", "127.0.0.1", "--port", "0"]
    said = data_root / "said"
    with said.open("w") as output:
        process = subprocess.Popen(
            command, env=inherited | environment | more, stdout=output, stderr=subprocess.STDOUT, cwd="/"
        )
    try:
        deadline = time.monotonic() + 60
        while not (found := re.search(r"listens on (http://\S+?),", said.read_text())):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < deadline, said.read_text()
            time.sleep(0.05)
        with Target(found[1], process.pid, data_root) as opened:
            while time.monotonic() < deadline:
                with suppress(httpx.TransportError):
                    if opened.client.get("/readyz").status_code == 200:
                        break
                time.sleep(0.05)
            for name in ("darts", "hierarchical"):  # the first of a kind builds what the others find
                opened.client.post(f"/v1/spaces/{name}/sample", json={"count": 10})
                opened.client.post(f"/v1/spaces/{name}/validate/batch", json={"items": [{"genotype": 0}] * 300})
            opened.look()
            yield opened
    finally:
        process.terminate()
        process.wait(30)


def table(costs: Mapping[str, Cost]) -> str:
    """As docs/security.md has it."""
    lines = ["| request | answer | processor, ms | growth, MB |", "| --- | --- | --- | --- |"]
    lines += [f"| {name} | {c.status} | {1000 * c.cpu_seconds:.0f} | {c.megabytes:.1f} |" for name, c in costs.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure each once, on engines of its own."""
    from app.catalogue import migrate

    with tempfile.TemporaryDirectory(prefix="cellar-bombs-", dir="/tmp") as root:
        directory = Path(root)
        directory.chmod(0o755)
        with Engines(directory / "data", command="bombs", durable=False) as engines:
            url: Any = engines.postgres.url("postgres")
            migrate(url)
            with target(url, engines.redis_url, directory) as opened:
                print(table({name: opened.hit(bomb)[0] for name, bomb in BOMBS.items()}))


if __name__ == "__main__":
    main()
