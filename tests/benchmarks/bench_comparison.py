"""Comparisons of strategies on real tables, by the job kind: what the report says, and what it takes.

    import           by the command `cellar data add-benchmark`, on engines of a data root of its own; once, it is kept
    NAS-Bench-201    accuracy: four strategies, each with 200 evaluations a run
    NAS-Bench-Macro  accuracy and MACs, by hypervolume: two strategies, each with 500 evaluations a run

A line a strategy: mean ± deviation of the final values over the seeds, beside what the whole table says; then what the
tests say of every pair. A search on a test table is an oracle experiment: it ranks strategies, and is no estimate of an
architecture. Lines that something is asked of end with it; the exit code is 1 where that is missed.

Run it alone: CELLAR_BENCHMARK_TABLES=<folder> python tests/benchmarks/bench_comparison.py [--root FOLDER] [--out F]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import select

from app.api.comparison_drawings import drawn_report
from app.api.comparison_tables import curve_lines, strategy_lines, written_lines
from app.catalogue import Database, jobs, migrate
from app.catalogue.tables import cohorts
from app.embedded import Engines
from app.experiment import (
    CatalogueEvaluator,
    ComparedStrategy,
    ComparisonRequest,
    DiscreteSearchRequest,
    SoughtMetric,
    SpaceVersion,
)
from app.experiment.strategies import DISCRETE_STRATEGIES
from app.jobs import claim, submit
from app.settings import Settings
from app.space import SearchSpace, space_to_json
from app.space.zoo import nasbench201, nasbench_macro
from workers.fenced import Stop
from workers.run import run

ACCURACY, MACS = SoughtMetric(metric="accuracy"), SoughtMetric(metric="macs", goal="minimise")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A table, and what is compared on it."""

    file: str
    space: SearchSpace
    format: str
    column: str
    recipe: str
    objectives: tuple[SoughtMetric, ...]
    strategies: tuple[str, ...]
    budget: int


TABLES = (
    Published(
        file="nasbench201_cifar10_200ep.csv.gz",
        space=nasbench201(),
        format="nasbench201",
        column="test_accuracy_percent",
        recipe="200-epochs",
        objectives=(ACCURACY,),
        strategies=("random", "evolution", "local_search", "bananas"),
        budget=200,
    ),
    Published(
        file="nasbench_macro_cifar10.csv.gz",
        space=nasbench_macro(),
        format="nasbench-macro",
        column="test_accuracy_percent_mean",
        recipe="50-epochs",
        objectives=(ACCURACY, MACS),
        strategies=("random", "nsga2"),
        budget=500,
    ),
)


def imported(table: Published, folder: Path, database: Database, settings: Settings) -> str:
    """Digest of the recipe of the table, which is imported now if it was not before."""
    known = select(cohorts.c.recipe_digest).where(cohorts.c.space_name == table.space.name)
    with database.transaction() as session:
        found = session.execute(known).scalar_one_or_none()
    if found is not None:
        return found
    started = time.monotonic()
    words = ("--space", table.space.name, "--format", table.format, "--genotype", "arch", "--dataset", "cifar10")
    said = ("--recipe", table.recipe, "--source", "published", "--licence", "MIT", "--visibility", "public")
    metric = ("--metric", f"accuracy={table.column}")
    command = [sys.executable, "-m", "app.cli", "data", "add-benchmark", str(folder / table.file)]
    environment = {"DATABASE_URL": str(settings.database_url), "CELLAR_DATA_ROOT": str(settings.data_root)}
    subprocess.run([*command, *words, *said, *metric], check=True, env={**os.environ, **environment})
    print(f"imported in {time.monotonic() - started:.0f} s", flush=True)
    with database.transaction() as session:
        return session.execute(known).scalar_one()


def request(table: Published, digest: str, seeds: int) -> ComparisonRequest:
    """Every strategy by its defaults, from as many seeds."""
    space = table.space
    search = DiscreteSearchRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        strategy="random",
        parameters={},
        objectives=table.objectives,
        evaluator=CatalogueEvaluator(
            dataset="cifar10",
            split="test",
            recipe_name=table.recipe,
            recipe_digest=digest,
            viewer="local",
            as_of="2100-01-01T00:00:00+00:00",
        ),
        budget=table.budget,
        skeleton=next(iter(space.skeletons.values())),
        image=space.input,
        device="cpu",
    )
    declared = [DISCRETE_STRATEGIES[name] for name in table.strategies]
    strategies = tuple(ComparedStrategy(label=d.name, strategy=d.name, parameters=d.completed({})) for d in declared)
    return ComparisonRequest(search=search, strategies=strategies, seeds=tuple(range(seeds)), device="cpu")


def compared(database: Database, settings: Settings, asked: ComparisonRequest) -> Mapping[str, Any]:
    """The report, by a job."""
    with database.transaction() as session:
        submit(session, kind="comparison", request=asdict(asked), owner="local", queue="cpu", device="cpu")
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=36_000)
    assert taken is not None
    status = run(settings, database, taken.lease, Stop())
    job = ended(database, taken.lease.job_id)
    assert (status, job.state) == (0, "succeeded"), job.error
    assert job.result is not None
    return job.result["report"]


def ended(database: Database, id: UUID) -> jobs.Job:
    with database.transaction() as session:
        job = jobs.get(session, id)
    assert job is not None
    return job


def told(report: Mapping[str, Any]) -> list[bool]:
    """Print the report in lines; what is asked of it, and whether it is kept to."""
    table, kept = report["table"], list[bool]()
    several = report["compared"] == "hypervolume"
    if several:
        print(f"true front {table['front_hypervolume']:.6g}, of {table['members']} members, {report['reference']}")
    else:
        print(
            f"best of {table['members']} members {table['best']['accuracy']:.2f}; exact expectation of random search "
            f"{table['random'][-1]:.4f}"
        )
    for one in report["strategies"]:
        line = f"{one['label']:14} {one['mean']:.6g} ± {one['deviation']:.4g} (n={one['n']})"
        if several:
            line += f", {one['of_front']:.4f} of the true front"
        else:
            line += f", regret {one['regret']:.3f}, area {one['area']:.3f}"
            line += f", target after {one['evaluations_to_target']} in {one['reached']} runs"
        line += f", {one['strategy_seconds'] / len(one['runs']):.4f} s of thinking a run"
        asked = expectation(report, one)
        if asked is not None:
            kept.append(asked[1])
            line += f"  {asked[0]}: {'kept' if asked[1] else 'MISSED'}"
        print(line)
    for pair in report["pairs"]:
        print(f"  {pair['says']}")
    for note in report["notes"]:
        print(f"  note: {note}")
    return kept


def expectation(report: Mapping[str, Any], one: Mapping[str, Any]) -> tuple[str, bool] | None:
    """What is asked of a strategy on this table, and whether it holds."""
    better = {pair["better"] for pair in report["pairs"] if "random" in (pair["first"], pair["second"])}
    match report["compared"], one["label"]:
        case "accuracy", "random":
            return "within 0.1 of it", abs(one["mean"] - report["table"]["random"][-1]) <= 0.1
        case "accuracy", label:
            return "at least 94.25, better than random", one["mean"] >= 94.25 and label in better
        case _, "nsga2":
            return "at least 0.995", one["of_front"] >= 0.995
        case _:
            return None


def written(report: Mapping[str, Any], space: SearchSpace, folder: Path) -> None:
    """The report's table, curves and drawing."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in (("report", strategy_lines(report)), ("curves", curve_lines(report))):
        (folder / f"{space.name}-{name}.csv").write_text("".join(written_lines(lines)))
    drawn = drawn_report(report, {"name": space.name, "version": space.version}, width=900, theme="auto")
    (folder / f"{space.name}.svg").write_text(drawn)


def measured(folder: Path, settings: Settings, seeds: Sequence[int], out: Path | None) -> bool:
    """Print everything; whether what is asked is kept to."""
    assert settings.database_url is not None
    database, kept = Database(settings.database_url, pool_size=1), list[bool]()
    for table, count in zip(TABLES, seeds, strict=True):
        digest = imported(table, folder, database, settings)
        before, started = time.process_time(), time.monotonic()
        report = compared(database, settings, request(table, digest, count))
        wall, processor = time.monotonic() - started, time.process_time() - before
        runs, made = len(table.strategies) * count, sum(one["evaluations"] for one in report["strategies"])
        print(f"{table.space.name}: {runs} runs, {made} evaluations in {wall:.0f} s, {processor:.0f} s of processor")
        kept += told(report)
        if out is not None:
            written(report, table.space, out)
        sys.stdout.flush()
    database.dispose()
    return all(kept)


def reachable(folder: Path) -> Path:
    """A folder that the engines' own account can reach too, where they do not run as this one."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder of the engines' data, kept; else one that is thrown away")
    parser.add_argument("--out", type=Path, help="folder for the tables and drawings of the reports")
    parser.add_argument("--seeds", type=int, nargs=2, default=(200, 20), help="of the two comparisons")
    given = parser.parse_args()
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if not folder or not all((Path(folder) / table.file).is_file() for table in TABLES):
        sys.exit("CELLAR_BENCHMARK_TABLES does not name a folder with the two tables: there is nothing to compare on")
    with (
        nullcontext(given.root) if given.root else tempfile.TemporaryDirectory(prefix="cellar-bench-") as name,
        Engines(reachable(Path(name)) / "engines", command="bench_comparison", durable=False) as engines,
    ):
        url = engines.postgres.url("postgres")
        migrate(url)
        kept = measured(Path(folder), Settings(database_url=url, data_root=Path(name) / "data"), given.seeds, given.out)
    sys.exit(not kept)


if __name__ == "__main__":
    main()
