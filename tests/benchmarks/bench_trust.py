"""What can be asked of results, over HTTP on the real tables: what it answers, and how long that takes.

    correlations   rank correlations of the accuracies of NAS-Bench-201 and NAS-Bench-Macro with costs; and, for the
                   time alone, of NAS-Bench-201 with itself, by architecture
    front          GET /v1/pareto with its hypervolume
    summary        a page of GET /v1/evaluations/summary
    replay         a random search of 200 evaluations, replayed and compared
    checklist      of that search

Seconds are medians of five requests, answered in this process, by the clock and by the processor (without that of
PostgreSQL); the tables are imported by the command, once.

Run it alone: CELLAR_BENCHMARK_TABLES=<folder> python tests/benchmarks/bench_trust.py [--root FOLDER]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any
from uuid import uuid4

from fastapi.testclient import TestClient

from app.catalogue import Database, migrate
from app.embedded import Engines
from app.jobs import claim
from app.main import create_app
from app.settings import Settings
from workers.fenced import Stop
from workers.run import run

TABLES = {  # file, format of the genotypes, column of the accuracies, licence
    "nasbench201": ("nasbench201_cifar10_200ep.csv.gz", "nasbench201", "test_accuracy_percent", "MIT"),
    "nasbench_macro": ("nasbench_macro_cifar10.csv.gz", "nasbench-macro", "test_accuracy_percent_mean", "Apache-2.0"),
}
REPEATS = 5
BUDGET = 200


def imported(client: TestClient, folder: Path, url: str, root: Path, space: str) -> None:
    """Import a table, if it was not before."""
    file, format, column, licence = TABLES[space]
    if client.get("/v1/evaluations", params={"space": space, "limit": 1}).json()["items"]:
        return
    started = time.monotonic()
    said = ("--recipe", "theirs", "--source", space, "--licence", licence, "--visibility", "public")
    words = ("--space", space, "--format", format, "--genotype", "arch", "--dataset", "cifar10")
    command = [sys.executable, "-m", "app.cli", "data", "add-benchmark", str(folder / file), *words, *said]
    environment = {**os.environ, "DATABASE_URL": url, "CELLAR_DATA_ROOT": str(root / "data")}
    subprocess.run([*command, "--metric", f"accuracy={column}"], check=True, env=environment)
    print(f"{space}: imported in {time.monotonic() - started:.0f} s", flush=True)


def timed(ask: Callable[[], Any]) -> tuple[Any, str]:
    """The answer, and the medians of the seconds that it took."""
    taken: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        started = time.perf_counter(), time.process_time()
        answer = ask()
        taken.append((time.perf_counter() - started[0], time.process_time() - started[1]))
        assert answer.status_code == 200, answer.text
    wall, processor = (median(column) for column in zip(*taken, strict=True))
    return answer.json(), f"{wall:.3f} s, of which {processor:.3f} s computing here"


def correlated(client: TestClient, space: str, x: Any, y: Any, what: str) -> None:
    """Print a line for each statistic."""
    body = {"space": space, "x": x, "y": y, "tops": [10, 100]}
    found, seconds = timed(lambda: client.post("/v1/correlations", json=body))
    print(f"{space}: accuracy and {what}, n={found['n']} of {found['total']}, {seconds}", flush=True)
    for one in found["correlations"]:
        name = one["statistic"] if one["k"] is None else f"{one['statistic']} {one['k']}"
        interval = f"[{one['low']:.3f}, {one['high']:.3f}] of {one['resamples']} resamples"
        print(f"    {name:16} {one['value']:.4f} {interval}, p={one['p_value']:.2g}", flush=True)


def searched(client: TestClient, settings: Settings, database: Database) -> str:
    """A search, run here; its id."""
    evaluator = {"kind": "catalogue", "dataset": "cifar10", "split": "test"}
    body = {"space": "nasbench201", "strategy": "random", "evaluator": evaluator, "budget": BUDGET}
    answer = client.post("/v1/searches", json=body)
    assert answer.status_code == 202, answer.text
    worked(settings, database)
    return answer.json()["id"]


def worked(settings: Settings, database: Database) -> None:
    """Run the job that waits."""
    with database.transaction() as session:
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
    assert taken is not None
    assert run(settings, database, taken.lease, Stop()) == 0


def measured(client: TestClient, settings: Settings, database: Database) -> None:
    """Print everything."""
    for space in TABLES:
        for cost in ("params", "macs"):
            correlated(client, space, {}, cost, cost)
    correlated(client, "nasbench201", {}, {}, "itself")
    for space in TABLES:
        query = {"space": space, "dataset": "cifar10", "split": "test", "x": "macs"}
        front, seconds = timed(lambda query=query: client.get("/v1/pareto", params=query))
        area, reference = front["hypervolume"]["value"], front["hypervolume"]["reference"]
        line = f"{space}: front of {front['total']} points, hypervolume {area:.6g} MACs x percent"
        print(f"{line} up to {reference}, {seconds}", flush=True)
    page, seconds = timed(lambda: client.get("/v1/evaluations/summary", params={"space": "nasbench201", "limit": 200}))
    print(f"summary: a page of {len(page['items'])} groups, {seconds}", flush=True)
    first = searched(client, settings, database)
    again = client.post(f"/v1/searches/{first}/replay").json()["id"]
    worked(settings, database)
    found, seconds = timed(lambda: client.get(f"/v1/searches/{again}/replay"))
    said = f"identical {found['identical']}, {found['equal_steps']} evaluations equal"
    print(f"replay of {BUDGET} evaluations: {said}, {seconds}", flush=True)
    found, seconds = timed(lambda: client.get(f"/v1/searches/{first}/checklist"))
    print(f"checklist: {found['counts']}, {seconds}", flush=True)


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder of the engines' data, kept; else one that is thrown away")
    given = parser.parse_args()
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    missing = [file for file, *_ in TABLES.values() if not folder or not (Path(folder) / file).is_file()]
    if not folder or missing:
        sys.exit(f"CELLAR_BENCHMARK_TABLES does not name a folder with {', '.join(missing)}: there is nothing to ask")
    with (
        nullcontext(given.root) if given.root else tempfile.TemporaryDirectory(prefix="cellar-bench-") as name,
        Engines(Path(name) / "engines", command="bench_trust", durable=False) as engines,
    ):
        url = engines.postgres.url("postgres")
        migrate(url)
        settings = Settings(
            database_url=url, redis_url=engines.redis_url, data_root=Path(name) / "data", allowed_hosts=("testserver",)
        )
        database = Database(url, pool_size=2)
        with TestClient(create_app(settings)) as client:
            for space in TABLES:
                imported(client, Path(folder), url, Path(name), space)
            measured(client, settings, database)
        database.dispose()


if __name__ == "__main__":
    main()
