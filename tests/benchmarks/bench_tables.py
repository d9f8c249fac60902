"""A published table of a million rows: how long a job reads and writes it, and how much memory that takes.

The rows are every genotype of NAS-Bench-201 for each of 64 seeds, seed after seed, as a CSV file compressed by gzip;
accuracies are drawn. The job is run as a worker's child runs it, on engines of its own with a durable database.

Run it alone: python tests/benchmarks/bench_tables.py [--seeds 64] [--root /tmp/tables]
"""

import argparse
import gzip
import os
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

from sqlalchemy import text

from app.architecture.formats import write_format
from app.catalogue import Database, jobs, migrate
from app.embedded import Engines
from app.experiment import PublishedRecipe, PublishedTable, SpaceVersion, TableRequest
from app.jobs import claim, submit
from app.settings import Settings
from app.space import space_to_json
from app.space.zoo import ZOO
from workers.fenced import Stop
from workers.run import run

SPACE = ZOO["nasbench201"]
REQUEST = TableRequest(
    table=PublishedTable(file="synthetic.csv.gz", source="bench_tables", licence="none", sha256=None),
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    skeleton="cifar",
    format="nasbench201",
    genotype="arch",
    metrics={"accuracy": "acc", "loss": "loss"},
    dataset="cifar10",
    split="test",
    recipe=PublishedRecipe(name="drawn", source="bench_tables"),
    seed="seed",
    path="tables/synthetic.csv.gz",
)


def lines(seeds: int) -> Iterator[str]:
    """The table."""
    yield "arch,seed,acc,loss\n"
    drawn = random.Random(0)
    texts = [str(write_format(SPACE, "nasbench201", SPACE.plan.unrank(rank))) for rank in range(SPACE.plan.size)]
    for seed in range(seeds):
        for genotype in texts:
            yield f"{genotype},{seed},{drawn.uniform(10, 95):.4f},{drawn.uniform(0.1, 2.5):.6f}\n"


def timed(settings: Settings, database: Database) -> None:
    """Run one job, and print what it took."""
    with database.transaction() as session:
        id = submit(session, kind="table", request=asdict(REQUEST), owner="bench", queue="cpu", device="cpu").job.id
        held = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=3600)
    assert held is not None
    began, used = time.monotonic(), time.process_time()
    run(settings, database, held.lease, Stop())
    wall, cpu = time.monotonic() - began, time.process_time() - used
    with database.transaction() as session:
        job = jobs.get(session, id)
    assert job is not None
    assert job.result is not None, job.error
    rows, reading = job.result["rows"], job.result["seconds"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows['rows']:,} rows: {rows['sound']:,} sound of {rows['architectures']:,} architectures; ", end="")
    print(f"read in {reading:.0f} s, ended after {wall:.0f} s, {cpu:.0f} s of processor time of this process, ", end="")
    print(f"peak memory {peak:.0f} MiB; {'known' if 'known' in job.result else 'written'}", flush=True)


def main() -> None:
    """Make the table, import it, import it again."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=64)
    parser.add_argument("--root", type=Path)
    given = parser.parse_args()
    root = given.root or Path(tempfile.mkdtemp(prefix="cellar-tables-", dir="/tmp"))
    root.mkdir(parents=True, exist_ok=True)
    root.chmod(0o755)
    with Engines(root / "data", command="bench_tables") as engines:
        settings = Settings(
            database_url=engines.database_url, redis_url=engines.redis_url, data_root=root / "data", code_version="b"
        )
        os.environ.update(settings.environment())
        migrate(engines.database_url)
        database = Database(engines.database_url)
        try:
            folder = settings.data_root / "tables"
            folder.mkdir(exist_ok=True)
            with gzip.open(folder / "synthetic.csv.gz", "wt", compresslevel=3) as file:
                file.writelines(lines(given.seeds))
            timed(settings, database)
            timed(settings, database)
            with database.transaction() as session:
                for table in ("evaluations", "architectures", "jobs"):
                    size = f"SELECT count(*), pg_size_pretty(pg_total_relation_size('{table}')) FROM {table}"
                    print(f"{table}: {session.execute(text(size)).one()}")
        finally:
            database.dispose()


if __name__ == "__main__":
    main()
