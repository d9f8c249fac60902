"""Every operation of the OpenAPI, thousands of times, with every check of schemathesis, on a service of its own.

python tests/contracts/fuzz_all.py --examples 5000 [--minutes 60] [--report fuzz.json] [--only GET]

The default run of the tests sends a few examples to each operation; this command sends as many as are asked for, to
a real process over real HTTP, and says for each operation what it took: seconds, and the most memory that the process
held. It writes the report after every operation, and goes on from there when it is called again.

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

from app.api.examples import DARTS_V2, TINY
from app.settings import Settings
from app.supervisor import Service

Json = dict[str, Any]
# What a schema cannot say (a genotype's shape, the names of recipes) is refused with 422 all the same.
EXCLUDED = ["positive_data_acceptance"]
EXCLUDED_WHERE_KNOWN = ["negative_data_rejection"]  # a fault in a path parameter is gone where that is given
REFUSALS = [400, 401, 403, 404, 405, 409, 413, 414, 415, 422, 429, 431]
SLOWEST_SECONDS = 10


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
    key = client.post("/v1/keys", json={"owner": "ada", "scopes": ["read"]}).json()["id"]
    return {
        "space": "nasbench201",
        "index": "15624",
        "architecture_id": architecture,
        "job_id": search,
        "search_id": search,
        "name": "mbconv",
        "key_id": key,
    }


def configuration(fixed: dict[str, str]) -> str:
    """The configuration of schemathesis."""
    lines = ["[parameters]", *(f'"path.{name}" = "{value}"' for name, value in fixed.items())]
    refusals = ["[checks.negative_data_rejection]", f"expected-statuses = {REFUSALS}"]
    return "\n".join(["[output.sanitization]", "enabled = false", *refusals, *(lines if fixed else [])]) + "\n"


def fuzz(url: str, method: str, path: str, examples: int, seed: int, fixed: dict[str, str], directory: Path) -> Json:
    """What schemathesis says of one operation."""
    config = directory / "schemathesis.toml"
    config.write_text(configuration(fixed))
    excluded = EXCLUDED + (EXCLUDED_WHERE_KNOWN if fixed else [])
    words = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(config), "run", f"{url}/openapi.json"]
    words += ["--include-name", f"{method.upper()} {path}", "--max-examples", str(examples)]
    words += ["--checks", "all", "--exclude-checks", ",".join(excluded), "--seed", str(seed), "--no-color"]
    words += ["--phases", "examples,coverage,fuzzing", "--suppress-health-check", "all", "--continue-on-failure"]
    words += ["--request-timeout", str(2 * SLOWEST_SECONDS), "--max-response-time", str(SLOWEST_SECONDS)]
    environment = os.environ | {"PYTHONWARNINGS": "ignore"}
    said = subprocess.run(words, capture_output=True, text=True, cwd=directory, env=environment, check=False)
    cases = re.findall(r"(\d+) generated", said.stdout)
    return {"passed": said.returncode == 0, "cases": int(cases[-1]) if cases else 0, "said": said.stdout + said.stderr}


def main() -> None:
    """Fuzz what is not in the report yet."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    options.add_argument("--examples", type=int, default=5000, help="of each operation")
    options.add_argument("--minutes", type=float, default=24 * 60, help="begin no operation after so many")
    options.add_argument("--report", type=Path, default=Path("fuzz.json"), help="where to write, and to go on from")
    options.add_argument("--only", default="", help="part of the names of the operations, e.g. 'POST /v1/searches'")
    options.add_argument("--seed", type=int, default=1, help="of the examples")
    asked = options.parse_args()
    report: Json = json.loads(asked.report.read_text()) if asked.report.exists() else {}
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="cellar-fuzz-", dir="/tmp") as root:
        directory = Path(root)
        directory.chmod(0o755)
        settings = Settings(data_root=directory / "data", port=0, database_url=None, redis_url=None)
        with Service(settings, workers=0, command="fuzz_all") as service:
            ended = threading.Event()
            canceller = threading.Thread(target=cancel_all, args=(service.url, ended))
            canceller.start()
            try:
                with httpx.Client(base_url=service.url, timeout=60) as client:
                    places = known(client)
                pid = api_process(service.settings.port)
                schema = httpx.get(f"{service.url}/openapi.json", timeout=60).json()
                for path, methods in schema["paths"].items():
                    for method in methods:
                        name = f"{method.upper()} {path}"
                        late = time.monotonic() - begun > 60 * asked.minutes
                        done = report.get(name, {"passed": False, "examples": 0})
                        if late or asked.only not in name or (done["passed"] and done["examples"] >= asked.examples):
                            continue
                        fixed = {n: v for n, v in places.items() if f"{{{n}}}" in path}
                        started, _ = time.monotonic(), peak_megabytes(pid)
                        share = asked.examples // 2 if fixed else asked.examples
                        runs = [
                            fuzz(service.url, method, path, share, asked.seed, given, directory)
                            for given in ([{}, fixed] if fixed else [{}])
                        ]
                        passed = all(run["passed"] for run in runs)
                        report[name] = {
                            "passed": passed,
                            "examples": asked.examples,
                            "cases": sum(run["cases"] for run in runs),
                            "seconds": round(time.monotonic() - started, 1),
                            "peak_megabytes": round(peak_megabytes(pid), 1),
                            "said": "" if passed else "\n".join(run["said"] for run in runs if not run["passed"]),
                        }
                        asked.report.write_text(json.dumps(report, indent=1))
                        shown = {n: v for n, v in report[name].items() if n != "said"}
                        print(name, shown, flush=True)
            finally:
                ended.set()
                canceller.join()
    failed = [name for name, found in report.items() if not found["passed"]]
    cases = sum(found["cases"] for found in report.values())
    peak = max((found["peak_megabytes"] for found in report.values()), default=0)
    print(f"{len(report)} operations, {cases} requests, at most {peak} MB, failed: {failed or 'none'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
