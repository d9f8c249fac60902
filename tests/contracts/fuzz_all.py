"""Every operation of the OpenAPI, thousands of times, with every check of schemathesis, on a service of its own.

PYTHONPATH=$PWD python tests/contracts/fuzz_all.py --examples 5000 [--minutes 60] [--report fuzz.json] [--only GET]
PYTHONPATH=$PWD python tests/contracts/fuzz_all.py --examples 5000 --shard 1/4 --report fuzz-1.json   # and 2/4, ...
PYTHONPATH=$PWD python tests/contracts/fuzz_all.py --examples 5000 --summary fuzz-*.json

The default run of the tests sends a few examples to each operation; this command sends as many as are asked for, to
a real process over real HTTP, and says for each operation what it took: seconds, and the most memory that the process
held. It writes the report after every operation, and goes on from there when it is called again. Shards are processes
with engines of their own, on as many machines as one likes; `--summary` says what their reports have together, what
is missing, and how long so many examples would take by what was measured.

Each operation is fuzzed twice, with half of the examples: with parameters of any kind, and with path parameters that
name something. Nobody runs the jobs that are made; they are cancelled, so that the streams of their events end.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from app.api.examples import DARTS_V2, TINY, examples
from app.routes import openapi
from app.settings import Settings
from app.supervisor import Service

Json = dict[str, Any]
# What a schema cannot say is refused with 422 although it fits: a genotype's shape, names of what is there, a signed
# cursor, a rank within its space, parameters that need one another, a priority above the owner's, 2.0 for an integer, a
# header that is left out and not null. Whatever else fits is accepted.
JUDGED = {"cursor", "start", "skeleton", "device", "channels", "last-event-id", "priority"}
REFUSALS = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 431]
SLOWEST_SECONDS = 10
SHOWN = 12  # operations that are named in a summary; more are counted


def excluded(parameters: set[str], *, body: bool, known: bool) -> list[str]:
    """The checks that say nothing of an operation. A fault in a path parameter is gone where that is `known`."""
    checks = ["positive_data_acceptance"] if body or parameters & JUDGED else []
    return [*checks, "negative_data_rejection"] if known else checks


def api_process(port: int) -> int:
    """The id of the process that listens on a port, which is the one below this one that was told so."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            words = (place / "cmdline").read_bytes().split(b"\0")
            environment = (place / "environ").read_bytes().split(b"\0")
            if b"--listening" in words and f"CELLAR_PORT={port}".encode() in environment:
                return int(place.name)
    raise RuntimeError(f"no process listens on port {port}")


def peak_megabytes(pid: int) -> float:
    """The most memory that a process held since this was last asked."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kibibytes,) = re.findall(r"VmHWM:\s+(\d+) kB", status)
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    return int(kibibytes) * 1024 / 1e6


def cancel_all(url: str, ended: threading.Event) -> None:
    """Cancel whatever is queued, again and again."""
    with httpx.Client(base_url=url, timeout=30) as client:
        while not ended.wait(0.5):
            with suppress(httpx.HTTPError, KeyError):
                for job in client.get("/v1/jobs", params={"state": "queued", "limit": 200}).json()["items"]:
                    client.post(f"/v1/jobs/{job['id']}/cancel")


def known(client: httpx.Client) -> dict[str, str]:
    """Path parameters that name something, made for it."""
    body = {"space": "darts", "genotype": DARTS_V2, "skeleton": TINY}
    architecture = client.post("/v1/architectures", json=body).json()["id"]
    search = client.post("/v1/searches", json={"space": "darts", "dataset": "digits"}).json()["id"]
    transfer = client.post("/v1/transfers", json=next(e.body for e in examples() if e.path == "/v1/transfers")).json()
    key = client.post("/v1/keys", json={"owner": "ada", "scopes": ["read"]}).json()["id"]
    return {
        "space": "nasbench201",
        "index": "15624",
        "architecture_id": architecture,
        "job_id": search,
        "search_id": search,
        "transfer_id": transfer["id"],
        "name": "mbconv",
        "key_id": key,
    }


def configuration(fixed: dict[str, str]) -> str:
    """The configuration of schemathesis."""
    lines = ["[parameters]", *(f'"path.{name}" = "{value}"' for name, value in fixed.items())]
    refusals = ["[checks.negative_data_rejection]", f"expected-statuses = {REFUSALS}"]
    return "\n".join(["[output.sanitization]", "enabled = false", *refusals, *(lines if fixed else [])]) + "\n"


def fuzz(
    url: str, name: str, without: list[str], examples: int, seed: int, fixed: dict[str, str], directory: Path
) -> Json:
    """What schemathesis says of one operation, without some of its checks."""
    config = directory / "schemathesis.toml"
    config.write_text(configuration(fixed))
    words = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{url}/openapi.json"]
    words += ["--include-name", name, "--max-examples", str(examples)]
    words += ["--exclude-checks", ",".join(without)] if without else []
    words += ["--checks", "all", "--seed", str(seed), "--no-color"]
    words += ["--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--continue-on-failure"]
    words += ["--request-timeout", str(2 * SLOWEST_SECONDS), "--max-response-time", str(SLOWEST_SECONDS)]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    said = subprocess.run(words, capture_output=True, text=True, cwd=directory, env=environment, check=False)
    cases = re.findall(r"(\d+) generated", said.stdout)
    return {"passed": said.returncode == 0, "cases": int(cases[-1]) if cases else 0, "said": said.stdout + said.stderr}


def asked_of(schema: Json, only: str, shard: str) -> list[tuple[str, str]]:
    """The (method, path) of a shard `I/N`, every N-th from the I-th on, of those that have `only` in their names."""
    number, of = map(int, shard.split("/"))
    every = [(method, path) for path, methods in schema["paths"].items() for method in methods]
    return [(m, p) for m, p in every[number - 1 :: of] if only in f"{m.upper()} {p}"]


def fuzz_both(
    service: Service,
    method: str,
    path: str,
    operation: Json,
    examples: int,
    seed: int,
    places: dict[str, str],
    directory: Path,
) -> Json:
    """What is reported of one operation: with any parameters, and with those that name something."""
    places = places | ({"name": "digits"} if path.startswith("/v1/datasets") else {})
    fixed = {name: value for name, value in places.items() if f"{{{name}}}" in path}
    pid = api_process(service.settings.port)
    started, _ = time.monotonic(), peak_megabytes(pid)
    share = examples // 2 if fixed else examples
    ways = [{}, fixed] if fixed else [{}]
    parameters, body = {one["name"] for one in operation.get("parameters", ())}, "requestBody" in operation
    runs = [
        fuzz(service.url, f"{method.upper()} {path}", without, share, seed, given, directory)
        for given in ways
        for without in [excluded(parameters, body=body, known=bool(given))]
    ]
    passed = all(run["passed"] for run in runs)
    return {
        "passed": passed,
        "examples": examples,
        "cases": sum(run["cases"] for run in runs),
        "seconds": round(time.monotonic() - started, 1),
        "peak_megabytes": round(peak_megabytes(pid), 1),
        "said": "" if passed else "\n".join(run["said"] for run in runs if not run["passed"]),
    }


def fuzz_all(asked: argparse.Namespace, report: Json, directory: Path) -> None:
    """Fuzz what the report does not have yet, on a service of its own, and write it down."""
    begun = time.monotonic()
    settings = Settings(data_root=directory / "data", port=0, database_url=None, redis_url=None)
    with Service(settings, workers=0, command="fuzz_all") as service:
        ended = threading.Event()
        canceller = threading.Thread(target=cancel_all, args=(service.url, ended))
        canceller.start()
        try:
            with httpx.Client(base_url=service.url, timeout=60) as client:
                places, schema = known(client), client.get("/openapi.json").json()
            for method, path in asked_of(schema, asked.only, asked.shard):
                name = f"{method.upper()} {path}"
                done = report.get(name, {"passed": False, "examples": 0})
                if done["passed"] and done["examples"] >= asked.examples:
                    continue
                if time.monotonic() - begun > 60 * asked.minutes:
                    break
                operation = schema["paths"][path][method]
                found = fuzz_both(service, method, path, operation, asked.examples, asked.seed, places, directory)
                report[name] = found
                asked.report.write_text(json.dumps(report, indent=1))
                print(name, {n: v for n, v in found.items() if n != "said"}, flush=True)
        finally:
            ended.set()
            canceller.join()


def summary(report: Json, examples: int) -> str:
    """What was found, and what is left."""
    operations = [f"{m.upper()} {p}" for p, methods in openapi()["paths"].items() for m in methods]
    failed = [name for name, found in report.items() if not found["passed"]]
    left = [name for name in operations if report.get(name, {"examples": 0})["examples"] < examples]
    cases, seconds = (sum(found[what] for found in report.values()) for what in ("cases", "seconds"))
    peak = max((found["peak_megabytes"] for found in report.values()), default=0)
    hours = sum(found["seconds"] * examples / found["examples"] for found in report.values()) / 3600
    lines = [
        f"{len(report)} of {len(operations)} operations, {cases} requests in {seconds / 3600:.2f} h, at most {peak} MB",
        f"failed: {', '.join(failed) or 'none'}",
        f"without {examples} examples yet: {', '.join(left) if len(left) <= SHOWN else len(left)}",
        f"{examples} examples each of those {len(report)}: about {hours:.1f} h in one process, if time grows with them",
    ]
    return "\n".join(lines)


def main() -> None:
    """Fuzz what is not in the report yet, or say what reports have."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    options.add_argument("--examples", type=int, default=5000, help="of each operation")
    options.add_argument("--minutes", type=float, default=24 * 60, help="begin no operation after so many")
    options.add_argument("--report", type=Path, default=Path("fuzz.json"), help="where to write, and to go on from")
    options.add_argument("--only", default="", help="part of the names of the operations, e.g. 'POST /v1/searches'")
    options.add_argument("--shard", default="1/1", help="I/N: every N-th operation from the I-th on")
    options.add_argument("--seed", type=int, default=1, help="of the examples")
    options.add_argument("--summary", type=Path, nargs="+", help="only say what these reports have together")
    asked = options.parse_args()
    report: Json = {}
    for file in asked.summary or [asked.report]:
        report |= json.loads(file.read_text()) if file.exists() else {}
    if not asked.summary:
        with tempfile.TemporaryDirectory(prefix="cellar-fuzz-", dir="/tmp") as root:
            directory = Path(root)
            directory.chmod(0o755)
            fuzz_all(asked, report, directory)
    print(summary(report, asked.examples))
    sys.exit(0 if all(found["passed"] for found in report.values()) else 1)


if __name__ == "__main__":
    main()
