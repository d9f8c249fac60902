"""The catalogue at scale: a million architectures, three million evaluations, and how long it takes to ask about them.

    generate   fill a database by the product's own import (COPY), on engines of its own data root or at `--url`
    measure    p50 and p95 of every kind of question, asked of the repositories
    explain    the plans of these questions, as docs/catalogue.md has them
    insert     rows a second that an import writes, with the indexes and without; rolled back
    stream     every visible evaluation as CSV and as Parquet: rows a second, and how much memory that takes

Genotypes, ranks and ids are those of real spaces; costs and accuracies are drawn: small networks are worse, and the
more so the smaller they are. Half of the evaluations are public tables of one recipe, the rest belongs to twenty teams.

Run it alone: python tests/benchmarks/bench_catalogue.py generate [--root /tmp/catalogue] [--architectures N]
"""

import argparse
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice, product
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, DropIndex

from app.api.answers import chosen_skeleton
from app.api.tabulated import csv_pieces, parquet_pieces
from app.architecture import architecture_id
from app.catalogue import Database, Evaluation, EvaluationQuery, architectures, evaluations, migrate
from app.catalogue.repositories import fronts
from app.catalogue.repositories.imports import ArchitectureRow, EvaluationRow, import_architectures, import_evaluations
from app.catalogue.streams import every_evaluation
from app.catalogue.tables import evaluations as evaluations_table
from app.embedded import Engines
from app.experiment.recipe import TrainingRecipe, recipe_digest
from app.jobs import submit
from app.space import SearchSpace
from app.space.zoo import ZOO

Numbers = np.ndarray[Any, np.dtype[Any]]
Row = TypeVar("Row")
BATCH = 50_000  # rows a transaction
TEAMS = 20
# Space, share of the architectures, and the range of its params (millions) and MACs (millions) in the literature.
SPACES: Sequence[tuple[str, float, tuple[float, float], tuple[float, float]]] = (
    ("nasbench101", 0.40, (0.23, 50.0), (60.0, 10_000.0)),
    ("darts", 0.40, (1.5, 5.5), (250.0, 900.0)),
    ("nasbench201", 0.015625, (0.07, 1.53), (7.8, 220.0)),
    ("nats_size", 0.03, (0.02, 0.9), (2.0, 170.0)),
    ("mobilenet_ofa", 0.154375, (3.0, 14.0), (100.0, 1_000.0)),
)
RECIPES = tuple(TrainingRecipe(name=f"standard-{epochs}", epochs=epochs) for epochs in (108, 200, 600))
DATASETS = ("cifar10", "cifar100", "imagenet16")


@dataclass(frozen=True, slots=True)
class Table:
    """The architectures of a space: ids, and what accuracies are drawn from."""

    space: SearchSpace
    ids: list[str]
    quality: Numbers  # in [0, 1]: large networks have more
    params: Numbers
    macs: Numbers


def tables(rng: np.random.Generator, architectures: int) -> Iterator[Table]:
    """The architectures to be made."""
    for name, share, params, macs in SPACES:
        space = ZOO[name]
        count = min(int(architectures * share), space.plan.size)
        place = rng.beta(2.5, 2.5, count)  # from the smallest to the largest
        other = np.clip(place + rng.normal(0, 0.06, count), 0, 1)
        yield Table(
            space,
            [hashlib.sha256(f"{space.digest} {number}".encode()).hexdigest()[:32] for number in range(count)],
            np.clip(place + rng.normal(0, 0.15, count), 0, 1.2),
            (np.exp(np.log(params[0]) + place * np.log(params[1] / params[0])) * 1e6).astype(np.int64),
            (np.exp(np.log(macs[0]) + other * np.log(macs[1] / macs[0])) * 1e6).astype(np.int64),
        )


def rows_of(table: Table) -> Iterator[ArchitectureRow]:
    """The rows of a space's architectures, their ranks evenly spaced."""
    space, plan = table.space, table.space.plan
    skeleton = chosen_skeleton(space, None)
    shape, image = asdict(skeleton), asdict(space.input)
    step = plan.size // len(table.ids)
    for number, id in enumerate(table.ids):
        index = number * step
        yield ArchitectureRow(
            id=id,
            space_name=space.name,
            space_version=space.version,
            space_digest=space.digest,
            index=index,
            genotype=plan.unrank(index),
            skeleton=shape,
            input=image,
            params=int(table.params[number]),
            macs=int(table.macs[number]),
        )


def give_true_ids(table: Table, centres: int) -> None:
    """Make the ids of the neighbours of some genotypes true, so that they are found by their graphs."""
    space, plan = table.space, table.space.plan
    if plan.size != len(table.ids):
        return  # ranks are too thin: no neighbour is among them
    skeleton = chosen_skeleton(space, None)
    used = set(table.ids)
    for centre in range(centres):
        for genotype in islice(plan.neighbours(plan.unrank(centre * 101 % plan.size)), 60):
            id = architecture_id(space, skeleton, space.input, genotype)
            if id not in used:
                table.ids[plan.rank(genotype)] = id
                used.add(id)


def evaluation_rows(
    table: Table, chosen: Numbers, rng: np.random.Generator, *, dataset: str, recipe: TrainingRecipe, **same: Any
) -> Iterator[EvaluationRow]:
    """One evaluation of each chosen architecture."""
    document, digest = json.dumps(asdict(recipe)), recipe_digest(recipe)
    ceiling = {"cifar10": 95.0, "cifar100": 76.0, "imagenet16": 48.0}[dataset]
    accuracies = np.clip(
        ceiling * (0.6 + 0.4 * np.tanh(2 * table.quality[chosen])) + rng.normal(0, 0.4, len(chosen)), 0, 100
    )
    losses, seconds = rng.gamma(2.0, 0.2, len(chosen)), rng.lognormal(7, 1, len(chosen))
    for place, number in enumerate(chosen):
        yield EvaluationRow(
            architecture_id=table.ids[number],
            dataset=dataset,
            recipe_name=recipe.name,
            recipe_digest=digest,
            recipe=document,
            metrics={"accuracy": round(float(accuracies[place]), 4), "loss": round(float(losses[place]), 4)},
            seconds=round(float(seconds[place]), 1),
            device="NVIDIA H100 80GB HBM3",
            torch_version="2.13.0",
            code_version="generated",
            **same,
        )


def batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """The rows of one transaction after another."""
    rest = iter(rows)
    while batch := list(islice(rest, BATCH)):
        yield batch


def fill(database: Database, architectures: int, evaluations: int, seed: int = 1) -> None:
    """Make the catalogue."""
    rng = np.random.default_rng(seed)
    began = time.monotonic()
    made = list(tables(rng, architectures))
    for table in made:
        give_true_ids(table, 20)
        for rows in batches(rows_of(table)):
            with database.transaction() as session:
                report = import_architectures(session, rows)
            assert report.written == len(rows), report
        print(f"{time.monotonic() - began:8.1f} s  {len(table.ids):9,} architectures of {table.space.name}", flush=True)
    total = 0
    for number, (table, count, owner, visibility, same) in enumerate(plan(made, evaluations, rng)):
        chosen = rng.permutation(len(table.ids))[:count]
        with database.transaction() as session:
            job = submit(session, kind="import", request={"table": number}, owner=owner, queue="cpu").job
            session.execute(text("DELETE FROM outbox"))
            session.execute(
                text("UPDATE jobs SET state = 'succeeded', finished_at = now() WHERE id = :id"), {"id": job.id}
            )
        for rows in batches(evaluation_rows(table, chosen, rng, **same)):
            with database.transaction() as session:
                report = import_evaluations(session, rows, job_id=job.id, owner=owner, visibility=visibility)
            assert report.written == len(rows), report
            total += report.written
        if count >= 10_000 or number % 100 == 0:
            print(f"{time.monotonic() - began:8.1f} s  {total:9,} evaluations", flush=True)
    print(f"{time.monotonic() - began:8.1f} s  {total:9,} evaluations")


def rebuilt(database: Database, change: Callable[[Connection], None]) -> None:
    """Change the shape of the database, however long that takes."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SET statement_timeout = 0"))
        connection.execute(text("SET maintenance_work_mem = '512MB'"))
        change(connection)
        connection.execute(text("RESET ALL"))


def without_indexes(connection: Connection) -> None:
    """Indexes are built faster over all rows than row by row."""
    for index in evaluations_table.indexes:
        connection.execute(DropIndex(index))


def with_indexes(connection: Connection) -> None:
    """The indexes that `without_indexes` took away; and what index-only scans and the planner go by."""
    for index in evaluations_table.indexes:
        connection.execute(CreateIndex(index))
    connection.execute(text("VACUUM (ANALYZE)"))


def plan(
    made: Sequence[Table], evaluations: int, rng: np.random.Generator
) -> Iterator[tuple[Table, int, str, str, dict[str, Any]]]:
    """Which table has how many evaluations of whom: public tables of three seeds first, then the teams' own."""
    left = evaluations
    for seed, table in product(range(3), made):
        count = min(len(table.ids), int(evaluations * 0.5) - (evaluations - left))
        if count > 0:
            left -= count
            same = {"dataset": "cifar10", "recipe": RECIPES[0], "split": "test", "kind": "trained", "seed": seed}
            yield table, count, "benchmarks", "public", same
    number = 0
    while left > 0:
        table = made[int(rng.integers(len(made)))]
        count = min(left, len(table.ids), max(1, int(evaluations / 600)))
        left -= count
        number += 1
        same = {
            "dataset": DATASETS[int(rng.integers(3))],
            "recipe": RECIPES[int(rng.integers(3))],
            "split": ("test", "selection")[int(rng.integers(2))],
            "kind": ("trained", "inherited", "baseline")[int(rng.integers(3))],
            "seed": number,
        }
        yield table, count, f"team{number % TEAMS}", "public" if number % 4 == 0 else "private", same


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[str]:
    """The URL of the database: the one given, or that of embedded engines."""
    if arguments.url:
        yield arguments.url
        return
    with Engines(arguments.root, command="bench_catalogue") as engines:
        yield engines.database_url


def generate(arguments: argparse.Namespace, url: str) -> None:
    """Fill the database."""
    migrate(url)
    database = Database(url)
    began = time.monotonic()
    rebuilt(database, without_indexes)
    fill(database, arguments.architectures, arguments.evaluations)
    print(f"{time.monotonic() - began:8.1f} s  filled; now the indexes", flush=True)
    rebuilt(database, with_indexes)
    print(f"{time.monotonic() - began:8.1f} s  indexed, vacuumed and analysed", flush=True)
    database.dispose()


def questions(rng: np.random.Generator) -> dict[str, Callable[[Session], object]]:
    """Every kind of question, with filters and bounds that are drawn anew: a public table and a team's own results."""
    space, _, params, macs = SPACES[int(rng.integers(3))]
    viewer = f"team{int(rng.integers(TEAMS))}"
    bounds = {
        "max_params": int(np.exp(rng.uniform(np.log(params[0]), np.log(params[1]))) * 1e6),
        "max_macs": int(np.exp(rng.uniform(np.log(macs[0]), np.log(macs[1]))) * 1e6),
    }
    table = EvaluationQuery(viewer=viewer, space=space, dataset="cifar10", recipe="standard-108", split="test")
    table = replace(table, kind="trained", sort="accuracy")
    all_small = EvaluationQuery(viewer=viewer, sort="accuracy", max_params=bounds["max_params"])
    small, cheap = replace(table, max_params=bounds["max_params"]), replace(table, max_macs=bounds["max_macs"])

    def deep(session: Session) -> object:
        # A page somewhere in the middle: its cursor is any value that the order may have.
        return evaluations.query(session, replace(table, after=(float(rng.uniform(60, 95)), UUID(int=0))))

    def look_up(session: Session) -> object:
        return evaluations.query(session, EvaluationQuery(viewer=viewer, architecture_id=id_of(space, rng)))

    return {
        "newest of everything": lambda s: evaluations.query(s, EvaluationQuery(viewer=viewer)),
        "newest of a space": lambda s: evaluations.query(s, EvaluationQuery(viewer=viewer, space=space)),
        "newest within a bound": lambda s: evaluations.query(s, replace(small, sort="created_at")),
        "top 50 of a table": lambda s: evaluations.query(s, table),
        "top 50 within max_params": lambda s: evaluations.query(s, small),
        "top 50 within max_macs": lambda s: evaluations.query(s, cheap),
        "top 50 within both": lambda s: evaluations.query(s, replace(small, **bounds)),
        "top 50 across everything": lambda s: evaluations.query(s, EvaluationQuery(viewer=viewer, sort="accuracy")),
        "smallest 50 of a table": lambda s: evaluations.query(s, replace(table, sort="params", descending=False)),
        "a page deep in a table": deep,
        "what a ranking would mix": lambda s: evaluations.mixture(s, EvaluationQuery(viewer=viewer, space=space)),
        "evaluations of an architecture": look_up,
        "front of macs": lambda s: fronts.front(s, table, "macs"),
        "front of params": lambda s: fronts.front(s, table, "params"),
        "front of macs within max_macs": lambda s: fronts.front(s, cheap, "macs"),
        "front of macs within max_params": lambda s: fronts.front(s, small, "macs"),
        "newest of everything within max_params": lambda s: evaluations.query(s, replace(all_small, sort="created_at")),
        "top 50 of everything within max_params": lambda s: evaluations.query(s, all_small),
        "front of macs of everything": lambda s: fronts.front(s, EvaluationQuery(viewer=viewer), "macs"),
        "architecture by its id": lambda s: architectures.get(s, id_of(space, rng)),
        "smallest 50 architectures": lambda s: architectures.listing(
            s, ZOO[space].digest, sort="params", descending=False
        ),
        "neighbours with results": lambda s: neighbours_with_results(s, rng, viewer),
    }


def neighbours_with_results(session: Session, rng: np.random.Generator, viewer: str) -> object:
    """What was measured of the neighbours of a member of NAS-Bench-201, all of which are there."""
    space = ZOO["nasbench201"]
    ranks = list(space.plan.neighbour_indices(int(rng.integers(space.plan.size))))
    same = {"skeleton": asdict(chosen_skeleton(space, None)), "input": asdict(space.input)}
    met = architectures.at_ranks(session, space.digest, ranks, **same)
    wanted = EvaluationQuery(viewer=viewer, dataset="cifar10", recipe="standard-108")
    found = evaluations.of_architectures(session, [row.id for row in met], wanted, 10)
    assert len(found) == len(ranks)
    return found


def id_of(space: str, rng: np.random.Generator) -> str:
    """The id of a generated architecture."""
    number = int(rng.integers(15_000))
    return hashlib.sha256(f"{ZOO[space].digest} {number}".encode()).hexdigest()[:32]


def measure(arguments: argparse.Namespace, url: str) -> None:
    """p50, p95 and the slowest of each question, in milliseconds: on a session, so without HTTP and JSON."""
    database, rng = Database(url), np.random.default_rng(2)
    taken: dict[str, list[float]] = {}
    for number in range(arguments.rounds + 1):
        for name, ask in questions(rng).items():
            with database.transaction() as session:
                began = time.perf_counter()
                ask(session)
                if number:  # the first round warms the connection
                    taken.setdefault(name, []).append(1000 * (time.perf_counter() - began))
    database.dispose()
    print("| question | p50 ms | p95 ms | slowest ms |\n| --- | --- | --- | --- |")
    for name, times in taken.items():
        p50, p95 = np.percentile(times, [50, 95])
        print(f"| {name} | {p50:.1f} | {p95:.1f} | {max(times):.1f} |")


def insert(arguments: argparse.Namespace, url: str) -> None:
    """How fast an import is into what is there already; nothing of it stays."""
    database, rng = Database(url), np.random.default_rng(4)
    same = {"dataset": "cifar10", "recipe": RECIPES[0], "split": "test", "kind": "trained", "seed": 9}
    space = ZOO["darts"]
    ids = [hashlib.sha256(f"{space.digest} {number}".encode()).hexdigest()[:32] for number in range(BATCH)]
    costs = np.zeros(BATCH)
    table = Table(space, ids, rng.uniform(size=BATCH), costs, costs)
    rows = list(evaluation_rows(table, np.arange(BATCH), rng, **same))
    for indexed in (True, False):
        with database.engine.connect() as connection, Session(connection) as session:
            session.execute(text("SET LOCAL statement_timeout = 0"))
            job = submit(session, kind="import", request={}, owner="benchmarks", queue="cpu").job
            if not indexed:
                without_indexes(session.connection())
            began = time.perf_counter()
            report = import_evaluations(session, rows, job_id=job.id, owner="benchmarks")
            seconds = time.perf_counter() - began
            assert report.written == BATCH, report
            session.rollback()
        print(f"{'with' if indexed else 'without'} the indexes: {BATCH / seconds:,.0f} evaluations a second")
    database.dispose()


def stream(arguments: argparse.Namespace, url: str) -> None:
    """The tables that the API answers with, made in this process as it makes them."""
    database = Database(url)
    wanted = EvaluationQuery(viewer="benchmarks")
    for name, pieces in (("CSV", csv_pieces), ("Parquet", parquet_pieces)):
        size = rows = 0
        begun = most = 0.0
        began = time.perf_counter()

        def counted(found: Iterable[Evaluation]) -> Iterator[Evaluation]:
            nonlocal rows
            for row in found:
                rows += 1
                yield row

        for number, piece in enumerate(pieces(counted(every_evaluation(database, wanted)))):
            size += len(piece)
            if number == 50:
                begun = resident()
            most = max(most, resident())
        seconds = time.perf_counter() - began
        print(
            f"{name}: {rows:,} rows, {size / 2**20:,.0f} MiB, {seconds:.0f} s, {rows / seconds:,.0f} rows a second; "
            f"resident {begun:.0f} MiB after 50 pieces, at most {most:.0f} MiB",
            flush=True,
        )
    database.dispose()


def resident() -> float:
    """Memory of this process that is in use, in MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def explain(arguments: argparse.Namespace, url: str) -> None:
    """The plans of each question's statements."""
    database, rng = Database(url), np.random.default_rng(3)
    with database.engine.connect() as connection:
        connection.execute(text("LOAD 'auto_explain'"))
        for setting in (
            *("log_min_duration = 0", "log_analyze = on", "log_buffers = on", "log_timing = off"),
            "log_level = 'notice'",
        ):
            connection.execute(text(f"SET auto_explain.{setting}"))
        connection.execute(text("SET client_min_messages = 'notice'"))
        connection.commit()
        heard: list[str] = []
        driver: Any = connection.connection.driver_connection
        driver.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        for name, ask in questions(rng).items():
            heard.clear()
            with Session(connection) as session:
                ask(session)
            connection.rollback()  # the last statement's plan comes when it is closed
            plans = [said.partition("\n")[2] for said in heard]
            buffers = [re.search(r"Buffers: shared(?: hit=(\d+))?(?: read=(\d+))?", plan) for plan in plans]
            pages = sum(int(number or 0) for found in buffers if found for number in found.groups())
            print(f"### {name}: {pages:,} pages\n")
            for said in plans:
                nodes = said[said.find("  (cost") :].splitlines() if "Query Text" not in said else said.splitlines()
                shown = [line for line in nodes if "(cost=" in line or "Index Cond" in line or "Rows Removed" in line]
                print("```", *(line[:160] for line in shown), "```\n", sep="\n")
    database.dispose()


COMMANDS: dict[str, Callable[[argparse.Namespace, str], None]] = {
    "generate": generate,
    "measure": measure,
    "explain": explain,
    "insert": insert,
    "stream": stream,
}


def main(given: Sequence[str]) -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--root", type=Path, default=Path("/tmp/catalogue"), help="data root of the embedded engines")
    parser.add_argument("--url", help="a database of one's own instead")
    parser.add_argument("--architectures", type=int, default=1_000_000)
    parser.add_argument("--evaluations", type=int, default=3_000_000)
    parser.add_argument("--rounds", type=int, default=40, help="how often each question is asked, each time another")
    arguments = parser.parse_args(given)
    with opened(arguments) as url:
        COMMANDS[arguments.command](arguments, url)


if __name__ == "__main__":
    main(sys.argv[1:])
