"""`cellar data add-benchmark`: a published table of architectures and their results into the catalogue."""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NoReturn, cast

import typer
from pydantic import TypeAdapter

from app.commands.opening import DataDir, catalogue, fail
from app.experiment import (
    SPLITS,
    PublishedRecipe,
    PublishedTable,
    ReadTable,
    SpaceVersion,
    Split,
    TableReport,
    TableRequest,
    TableRow,
)
from app.space import SearchSpace, space_from_json, space_to_json
from app.space.zoo import ZOO

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from app.catalogue import Database, Visibility

METRIC = re.compile(r"([a-z][a-z0-9_]{0,63})=(.+)", re.DOTALL)
NAME = re.compile(r"[A-Za-z0-9][\w.@-]{0,127}")
SEED = re.compile(r"[0-9]{1,18}")  # what is longer is the name of a column


def add_benchmark(
    file: Annotated[Path, typer.Argument(help="CSV with a header, plain or .gz, or Parquet.", dir_okay=False)],
    space: Annotated[str, typer.Option(help="The space of its genotypes: NAME or NAME@VERSION.")],
    genotype: Annotated[str, typer.Option(help="The column of genotypes.")],
    metric: Annotated[list[str], typer.Option(help="NAME=COLUMN; `accuracy` is in percent. Can be given again.")],
    dataset: Annotated[str, typer.Option(help="The data set that they were measured on.")],
    recipe: Annotated[str, typer.Option(help="A name of the recipe that they were trained under.")],
    source: Annotated[str, typer.Option(help="Where the table comes from: the paper, the repository.")],
    licence: Annotated[str, typer.Option(help="The licence of the table.")],
    format: Annotated[str, typer.Option(help="The format of genotypes.")] = "json",
    split: Annotated[str, typer.Option(help=f"One of {', '.join(SPLITS)}.")] = "test",
    skeleton: Annotated[str, typer.Option(help="The skeleton.", show_default="`cifar`, else the first")] = "",
    seed: Annotated[str, typer.Option(help="The seed of all rows, or the column of seeds.")] = "0",
    fractions: Annotated[bool, typer.Option("--fractions", help="Accuracies are in [0, 1].")] = False,
    visibility: Annotated[str, typer.Option(help="private or public.")] = "private",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and judge every row, and write nothing.")] = False,
    owner: Annotated[str, typer.Option(help="Whom it belongs to.")] = "local",
    data_dir: DataDir = None,
) -> None:
    """Read a table of architectures and what was measured of them, and keep all that is sound of it, or nothing."""
    metrics = _metrics(metric)
    _check(
        file=file, split=split, visibility=visibility, dataset=dataset, recipe=recipe, source=source, licence=licence
    )
    with catalogue("cellar data add-benchmark", data_dir) as (settings, database):
        chosen = _space(database, space, owner, visibility)
        sha256 = _sha256(file)
        request = TableRequest(
            table=PublishedTable(file=file.name, source=source, licence=licence, sha256=sha256),
            space=SpaceVersion(name=chosen.name, version=chosen.version, digest=chosen.digest),
            document=space_to_json(chosen),
            skeleton=_skeleton(chosen, skeleton),
            format=format,
            genotype=genotype,
            metrics=metrics,
            dataset=dataset,
            split=cast("Split", split),
            recipe=PublishedRecipe(name=recipe, source=source),
            seed=int(seed) if SEED.fullmatch(seed) else seed,
            fractions=fractions,
        )
        with database.transaction() as session:
            _refuse_known(session, owner, request.identity(sha256), file)
        settings.data_root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix="table-", dir=settings.data_root) as folder:  # not in /tmp, which may be memory
            lines = Path(folder) / "rows"
            report = _prepare(request, file.resolve(), lines)
            if _sha256(file) != sha256:
                fail(f"{file.name} was changed while it was read; nothing was written")
            _tell(report)
            if not report.sound:
                fail("no row of the table can be kept")
            if dry_run:
                typer.echo("Nothing was written: it is a dry run.")
                return
            table = ReadTable(request=request, report=report, rows=lambda: _rows(lines))
            with database.transaction() as session:
                jobs = _keep(session, table, owner, cast("Visibility", visibility))
    typer.echo(f"{report.sound} evaluations are kept, of {owner}, {visibility}; jobs {', '.join(jobs)}.")


def _keep(session: "Session", table: ReadTable, owner: str, visibility: "Visibility") -> tuple[str, ...]:
    """Write the table in this transaction; the ids of its jobs. Ends the command where it is there already."""
    from app.catalogue import audit, benchmarks

    written = benchmarks.keep(session, table, owner=owner, visibility=visibility)
    jobs = tuple(map(str, written.jobs))
    if written.known:
        _say_known(table.request.table.file, jobs)
    subject = f"/v1/jobs/{jobs[0]}"
    audit.record(session, action="table.add", subject=subject, of=owner, sha256=table.request.sha256)
    return jobs


def _rows(lines: Path) -> Iterator[TableRow]:
    with lines.open(encoding="utf-8") as opened:
        yield from map(TableRow.of_line, opened)


def _metrics(given: Sequence[str]) -> dict[str, str]:
    """Columns by metric."""
    found: dict[str, str] = {}
    for text in given:
        match = METRIC.fullmatch(text)
        if match is None or match[1] in found:
            fail(f"--metric {text!r} is not NAME=COLUMN, each name once, of small letters, digits and _")
        found[match[1]] = match[2]
    return found


def _check(*, file: Path, split: str, visibility: str, dataset: str, recipe: str, source: str, licence: str) -> None:
    if not file.is_file():
        fail(f"{file} is no file")
    for option, value, allowed in (("split", split, SPLITS), ("visibility", visibility, ("private", "public"))):
        if value not in allowed:
            fail(f"--{option} {value!r} is none of {', '.join(allowed)}")
    for option, value in (("dataset", dataset), ("recipe", recipe)):
        if NAME.fullmatch(value) is None:
            fail(f"--{option} {value!r} is not a name: letters, digits, '.', '_', '@' and '-', 128 at most")
    for option, value in (("source", source), ("licence", licence)):
        if not value.strip() or len(value) > 1000 or "\0" in value:
            fail(f"--{option} says nothing, or too much: 1 to 1000 characters, not {value[:40]!r}")


def _space(database: "Database", reference: str, owner: str, visibility: str) -> SearchSpace:
    """The space of a reference that the owner sees; what is in a private one stays private."""
    from app.catalogue import spaces

    name, _, version = reference.partition("@")
    if version and not (version.isdecimal() and len(version) < 10):
        fail(f"--space {reference!r} is not NAME or NAME@VERSION")
    if name in ZOO and (not version or int(version) == ZOO[name].version):
        return ZOO[name]
    with database.transaction() as session:
        row = spaces.find(session, name, int(version) if version else None, viewer=owner)
    if row is None:
        fail(f"{owner} sees no space {reference!r}; the zoo has {', '.join(ZOO)}")
    if visibility == "public" and row.visibility == "private":
        fail(f"the space {reference!r} is private, so results in it cannot be public; publish it first")
    return space_from_json(dict(row.document) | {"version": row.version})


def _skeleton(space: SearchSpace, name: str) -> str:
    chosen = name or ("cifar" if "cifar" in space.skeletons else next(iter(space.skeletons), ""))
    if chosen not in space.skeletons:
        fail(f"--skeleton {chosen!r}: the space {space.name} has {', '.join(space.skeletons) or 'none'}")
    return chosen


def _refuse_known(session: "Session", owner: str, identity: str, file: Path) -> None:
    """End the command, with status 0, where this has been imported."""
    from app.catalogue import benchmarks

    if jobs := benchmarks.imported(session, owner=owner, identity=identity):
        _say_known(file.name, tuple(map(str, jobs)))


def _say_known(file: str, jobs: Sequence[str]) -> NoReturn:
    typer.echo(f"{file} has been imported already, by {', '.join(jobs)}; nothing was changed.")
    raise typer.Exit


def _prepare(request: TableRequest, file: Path, lines: Path) -> TableReport:
    """Have the table read by a process of its own, whose memory is bounded: nothing in `app` imports the workers."""
    asked = json.dumps({"request": asdict(request), "file": str(file), "lines": str(lines)})
    words = [sys.executable, "-P", "-m", "workers.benchmark"]
    done = subprocess.run(words, input=asked, capture_output=True, text=True)
    if done.returncode != 0:
        fail(done.stderr.strip() or f"reading it ended with exit status {done.returncode}")
    return TypeAdapter(TableReport).validate_json(done.stdout)


def _tell(report: TableReport) -> None:
    """Say what became of the rows."""
    typer.echo(
        f"{report.rows} rows: {report.sound} sound, {report.repeated} that repeat the result of an "
        f"architecture, {report.refused} refused."
    )
    for refusal in report.refusals:
        place = f"row {refusal['row']}" + ("" if refusal["column"] is None else f", {refusal['column']}")
        found = "" if refusal["value"] is None else f" {refusal['value']!r}:"
        typer.echo(f"  {place}:{found} {refusal['reason']}")
    if report.refused > len(report.refusals):
        typer.echo(f"  and {report.refused - len(report.refusals)} more")


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
