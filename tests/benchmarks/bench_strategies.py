"""Discrete strategies on real tables: what they find, and what a search costs in process.

table              what is reported
NAS-Bench-201      200 evaluations, 200 seeds: mean ± deviation of the best test accuracy in percent, beside the exact
                   expectation of random search; CPU seconds a search, its table loaded
NAS-Bench-Macro    500 evaluations, 20 seeds: hypervolume of accuracy and MACs as a share of the true front's

A search on a test table is an oracle experiment: it ranks strategies, and is no estimate of an architecture.
Each line ends with what is asked of it; the exit code is 1 where that is missed.
Run it alone: CELLAR_BENCHMARK_TABLES=<folder> python tests/benchmarks/bench_strategies.py
"""

import csv
import gzip
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from statistics import fmean, stdev, variance

from app.architecture.formats import read_format
from app.experiment.chance import expected_best
from app.space import SearchSpace
from app.space.zoo import nasbench201, nasbench_macro
from workers.strategies.discrete import (
    NSGA2,
    Bananas,
    DiscreteStrategy,
    Evolution,
    LocalSearch,
    Measured,
    Objective,
    Problem,
    RandomSearch,
)

Table = Mapping[int, tuple[float, ...]]  # by rank
ACCURACY, MACS = Objective("accuracy"), Objective("macs", "minimise")


def rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    with gzip.open(folder / name, "rt") as stream:
        yield from csv.DictReader(stream)


def nasbench201_table(folder: Path) -> tuple[SearchSpace, Table]:
    """Test accuracy in percent of every member."""
    space = nasbench201()
    found = {
        space.plan.rank(read_format(space, "nasbench201", row["arch"])): (float(row["test_accuracy_percent"]),)
        for row in rows(folder, "nasbench201_cifar10_200ep.csv.gz")
    }
    return space, found


def nasbench_macro_table(folder: Path) -> tuple[SearchSpace, Table]:
    """Test accuracy in percent and MACs of every member."""
    space = nasbench_macro()
    found = {
        space.plan.rank(read_format(space, "nasbench-macro", row["arch"])): (
            float(row["test_accuracy_percent_mean"]),
            float(row["macs"]),
        )
        for row in rows(folder, "nasbench_macro_cifar10.csv.gz")
    }
    return space, found


def search(strategy: DiscreteStrategy, table: Table, evaluations: int) -> list[tuple[float, ...]]:
    """What one search measures, one member at a time."""
    found: list[tuple[float, ...]] = []
    while len(found) < evaluations and (asked := strategy.ask(1)):
        measured = [Measured(proposal, table[proposal.rank]) for proposal in asked]
        strategy.tell(measured)
        found += [one.values for one in measured if one.values is not None]
    return found


def hypervolume(points: Iterable[tuple[float, ...]], reference: tuple[float, float]) -> float:
    """The area that points (larger better, smaller better) dominate above a reference."""
    area, best = 0.0, reference[0]
    for accuracy, macs in sorted(points, key=lambda point: (point[1], -point[0])):
        if accuracy > best and macs < reference[1]:
            area += (accuracy - best) * (reference[1] - macs)
            best = accuracy
    return area


SINGLE: Mapping[str, Callable[[Problem], DiscreteStrategy]] = {
    "random": RandomSearch,
    "evolution": Evolution,
    "local_search": LocalSearch,
    "bananas": Bananas,
}
EARLY = (25, 50, 100)  # evaluations after which the best so far is told too
SECONDS: Mapping[str, float] = {"bananas": 2.0}
"""CPU seconds that a search may take; 0.3 of the others."""
SEVERAL: Mapping[str, Callable[[Problem], DiscreteStrategy]] = {"random": RandomSearch, "nsga2": NSGA2}


def kept(line: str, asked: str, *holds: bool) -> bool:
    """Print a line with what is asked of it, and say whether that holds."""
    print(f"{line}  {asked}: {'kept' if all(holds) else 'MISSED'}", flush=True)
    return all(holds)


def welch(first: list[float], second: list[float]) -> float:
    """The t statistic of two means of unequal variances (Welch, 1947)."""
    return (fmean(first) - fmean(second)) / (variance(first) / len(first) + variance(second) / len(second)) ** 0.5


def best_found(folder: Path, evaluations: int = 200, seeds: int = 200) -> Iterator[bool]:
    """One line a strategy on NAS-Bench-201; whether each keeps to what is asked."""
    space, table = nasbench201_table(folder)
    exact = expected_best([accuracy for (accuracy,) in table.values()], evaluations)
    print(f"nasbench201, {evaluations} evaluations: exact expectation of random search {exact:.4f}")
    by_random: list[float] = []
    for name, make in SINGLE.items():
        started = time.process_time()
        problems = (Problem(space=space, objectives=(ACCURACY,), seed=seed) for seed in range(seeds))
        found = [[value for (value,) in search(make(problem), table, evaluations)] for problem in problems]
        seconds = (time.process_time() - started) / seeds
        best = [max(values) for values in found]
        mean = fmean(best)
        early = ", ".join(f"{fmean(max(values[:n]) for values in found):.3f} after {n}" for n in EARLY)
        print(f"{name:12} {early}")
        line = f"{name:12} {mean:8.4f} ± {stdev(best):.4f} (n={seeds})  {seconds:.4f} s a search"
        most = SECONDS.get(name, 0.3)
        if name == "random":
            by_random = best
            yield kept(line, f"within 0.1 of it, under {most} s", abs(mean - exact) <= 0.1, seconds < most)
        else:
            t = welch(best, by_random)
            line = f"{line}  t={t:.1f} against random"
            yield kept(line, f"at least 94.25, t over 3, under {most} s", mean >= 94.25, t > 3, seconds < most)


def front_found(folder: Path, evaluations: int = 500, seeds: int = 20) -> Iterator[bool]:
    """One line a strategy on NAS-Bench-Macro; whether NSGA-II keeps to what is asked."""
    space, table = nasbench_macro_table(folder)
    reference = min(a for a, _ in table.values()), max(m for _, m in table.values())
    whole = hypervolume(table.values(), reference)
    print(f"nasbench_macro, {evaluations} evaluations: hypervolume as a share of the true front's")
    for name, make in SEVERAL.items():
        problems = (Problem(space=space, objectives=(ACCURACY, MACS), seed=seed) for seed in range(seeds))
        found = [hypervolume(search(make(problem), table, evaluations), reference) / whole for problem in problems]
        line = f"{name:12} {fmean(found):8.4f} ± {stdev(found):.4f} (n={seeds}), least {min(found):.4f}"
        if name == "nsga2":
            yield kept(line, "mean at least 0.995", fmean(found) >= 0.995)
        else:
            print(line, flush=True)


def main() -> None:
    """Print one line a table and strategy."""
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if not folder:
        sys.exit("CELLAR_BENCHMARK_TABLES does not say where the benchmark tables are")
    if not all([*best_found(Path(folder)), *front_found(Path(folder))]):
        sys.exit(1)


if __name__ == "__main__":
    main()
