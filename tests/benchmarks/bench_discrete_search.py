"""Discrete searches on the real NAS-Bench-201 table in the catalogue, in process: what a search costs.

    import    by the command `cellar data add-benchmark`, on engines of a data root of its own; once, it is kept
    table     seconds to read every result of it from PostgreSQL, and MiB of memory that they take
    look-ups  a second: of members that are catalogued themselves, of isomorphic ones the first time and again
    searches  a line a strategy: CPU seconds of 200 evaluations, ask, look up, tell, trajectory and report, and of which
              proposing and learning; mean ± deviation of the best accuracy that is found, over the seeds

A search on a test table is an oracle experiment: it ranks strategies, and is no estimate of an architecture.
`first` is one search with a table and price list that nobody has asked before, `again` the mean of the others.
Each line ends with what is asked of it; the exit code is 1 where that is missed.

Run it alone: CELLAR_BENCHMARK_TABLES=<folder> python tests/benchmarks/bench_discrete_search.py [--root FOLDER]
"""

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from statistics import fmean, stdev
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.catalogue import Database, migrate
from app.catalogue.tables import cohorts
from app.embedded import Engines
from app.experiment import CatalogueEvaluator, DiscreteSearchRequest, SoughtMetric, SpaceVersion
from app.experiment.strategies import DISCRETE_STRATEGIES
from app.space import SearchSpace, space_to_json
from app.space.zoo import nasbench201
from workers.discrete.exploration import Exploration
from workers.evaluators import Costs
from workers.evaluators.catalogue import Catalogue, Table
from workers.strategies.discrete import DISCRETE

T = TypeVar("T")
FILE = "nasbench201_cifar10_200ep.csv.gz"
QUICK = ("random", "evolution", "local_search")
MOST_SECONDS = 0.3
LOOKED_UP = 1_000


class Reading:
    """What a search's progress needs to be here: it reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, work: Callable[[Session], T]) -> T:
        with self._database.transaction() as session:
            return work(session)


def imported(folder: Path, url: str, database: Database, root: Path) -> tuple[str, str]:
    """Name and digest of the recipe of the table, imported now if it was not before."""
    known = select(cohorts.c.recipe_name, cohorts.c.recipe_digest).where(cohorts.c.space_name == "nasbench201")
    with database.transaction() as session:
        found = session.execute(known).one_or_none()
    if found is None:
        started = time.monotonic()
        words = ("--space", "nasbench201", "--format", "nasbench201", "--genotype", "arch", "--dataset", "cifar10")
        said = ("--recipe", "200-epochs", "--source", "NAS-Bench-201", "--licence", "MIT", "--visibility", "public")
        command = [sys.executable, "-m", "app.cli", "data", "add-benchmark", str(folder / FILE), *words, *said]
        environment = {"DATABASE_URL": url, "CELLAR_DATA_ROOT": str(root / "data")}
        metric = ("--metric", "accuracy=test_accuracy_percent")
        subprocess.run([*command, *metric], check=True, env={**os.environ, **environment})
        print(f"imported in {time.monotonic() - started:.0f} s", flush=True)
        with database.transaction() as session:
            found = session.execute(known).one()
    return found.recipe_name, found.recipe_digest


def request(
    space: SearchSpace, recipe: tuple[str, str], strategy: str, seed: int, budget: int
) -> DiscreteSearchRequest:
    name, digest = recipe
    declared = DISCRETE_STRATEGIES[strategy]
    objectives = (SoughtMetric(metric="accuracy"), SoughtMetric(metric="macs", goal="minimise"))
    return DiscreteSearchRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        strategy=declared.name,
        parameters=declared.completed({}),
        objectives=objectives if strategy == "nsga2" else objectives[:1],
        evaluator=CatalogueEvaluator(
            dataset="cifar10",
            split="test",
            recipe_name=name,
            recipe_digest=digest,
            viewer="local",
            as_of="2100-01-01T00:00:00+00:00",
        ),
        budget=budget,
        skeleton=next(iter(space.skeletons.values())),
        image=space.input,
        seed=seed,
    )


def resident() -> float:
    """MiB of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def look_ups(table: Table, size: int) -> None:
    """How many a second."""
    (results,) = table.recipes.values()
    ranks = list(results.by_rank)
    rng = random.Random(0)
    others = [rank for rank in rng.sample(range(size), size) if rank not in results.by_rank][:LOOKED_UP]
    asked = {"catalogued": rng.choices(ranks, k=100 * LOOKED_UP), "isomorphic, first": others, "again": 100 * others}
    for what, wanted in asked.items():
        started = time.process_time()
        missing = sum(table.reading(rank).values is None for rank in wanted)
        seconds = time.process_time() - started
        print(f"{what:18} {len(wanted) / seconds:12,.0f} look-ups a second, {missing} without a result", flush=True)


def reachable(folder: Path) -> Path:
    """A folder that the engines' own account can reach too, where they do not run as this one."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder


def main() -> None:
    """Print one line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="folder of the engines' data, kept; else one that is thrown away")
    parser.add_argument("--seeds", type=int, default=50)
    parser.add_argument("--budget", type=int, default=200)
    given = parser.parse_args()
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if not folder or not (Path(folder) / FILE).is_file():
        sys.exit(f"CELLAR_BENCHMARK_TABLES does not name a folder with {FILE}: there is nothing to search on")
    with (
        nullcontext(given.root) if given.root else tempfile.TemporaryDirectory(prefix="cellar-bench-") as name,
        Engines(reachable(Path(name)) / "engines", command="bench_discrete_search", durable=False) as engines,
    ):
        url = engines.postgres.url("postgres")
        migrate(url)
        kept = measured(Path(folder), url, Path(name), given.seeds, given.budget)
    sys.exit(not kept)


def measured(folder: Path, url: str, root: Path, seeds: int, budget: int) -> bool:
    """Print everything; whether what is asked is kept to."""
    database, space = Database(url, pool_size=1), nasbench201()
    recipe = imported(folder, url, database, root)
    progress = Reading(database)
    before, started = resident(), time.monotonic()
    asked = request(space, recipe, "random", 0, budget)
    table = Table.read(asked, space, progress)  # pyright: ignore[reportArgumentType]
    seconds = time.monotonic() - started
    (results,) = table.recipes.values()
    line = f"{results.count} results of {len(results.by_rank)} architectures read in {seconds:.2f} s"
    print(f"{line}, {resident() - before:.0f} MiB; {space.plan.size} genotypes", flush=True)
    kept = []
    for strategy in DISCRETE:
        if strategy == "successive_halving":
            continue  # one recipe has no fidelities
        fresh, costs = Table(asked, space, table.recipes), Costs(asked, space)
        taken: list[float] = []
        thinking: list[float] = []
        found: list[float] = []
        for seed in range(seeds):
            one = request(space, recipe, strategy, seed, budget)
            begun = time.process_time()
            exploration = Exploration(one, space, Catalogue(one, fresh), costs=costs)
            exploration.run()
            report = exploration.report()
            taken.append(time.process_time() - begun)
            thinking.append(report.strategy_seconds)
            accuracies = [m.values["accuracy"] for m in exploration.trajectory if m.values is not None]
            found.append(max(accuracies))
        again = fmean(taken[1:])
        line = f"{strategy:14} first {taken[0]:.3f} s, again {again:.4f} ± {stdev(taken[1:]):.4f} s"
        line += (
            f", of which thinking {fmean(thinking[1:]):.4f}; best {fmean(found):.4f} ± {stdev(found):.4f} (n={seeds})"
        )
        if strategy in QUICK:
            kept.append(again < MOST_SECONDS)
            line += f"  under {MOST_SECONDS} s: {'kept' if kept[-1] else 'MISSED'}"
        print(line, flush=True)
    look_ups(table, space.plan.size)
    database.dispose()
    return all(kept)


if __name__ == "__main__":
    main()
