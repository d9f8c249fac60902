"""`cellar data`: data sets from wherever this account may read. Over HTTP there are only uploads and the data root."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from pydantic import TypeAdapter, ValidationError

from app.commands.benchmark import add_benchmark
from app.commands.opening import DataDir, catalogue, fail
from app.experiment import SPLITS, Dataset, DatasetFormat, DatasetRequest, Layout, Split
from app.settings import Settings, load_settings

if TYPE_CHECKING:
    from app.catalogue import Database

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
OWNER = "local"
FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts its files

commands = typer.Typer(name="data", no_args_is_help=True, help="Add, list and remove data sets.")
commands.command()(add_benchmark)

Owner = Annotated[str, typer.Option(help="Whom it belongs to.")]
Size = Annotated[int | None, typer.Option(min=1, help="Images to draw into this split; default: by share.")]


@commands.command()
def add(
    source: Annotated[
        str,
        typer.Argument(
            help="A file (.npz, .parquet, .zip of images, cifar-10-binary.tar.gz), a folder (of images, of Parquet "
            "files, of CIFAR's .bin or of MNIST's IDX files), an id of the Hugging Face hub, or `fashion_mnist`."
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the data set.", show_default="by the source")] = "",
    licence: Annotated[str, typer.Option(help="Its licence.")] = "",
    title: Annotated[str, typer.Option(help="What it is, in one line.")] = "",
    origin: Annotated[str, typer.Option(help="Where it comes from.", show_default="the source")] = "",
    notes: Annotated[str, typer.Option(help="What to know of it.")] = "",
    format: Annotated[str, typer.Option(help="npz, parquet, images, cifar-binary or idx.", show_default="seen")] = "",
    levels: Annotated[int, typer.Option(min=1, max=255, help="The largest value that a pixel can have.")] = 255,
    layout: Annotated[str, typer.Option(help="auto, channels-first or channels-last.")] = "auto",
    weights: Size = None,
    architecture: Size = None,
    selection: Size = None,
    test: Size = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of drawing splits.")] = 0,
    public: Annotated[bool, typer.Option("--public", help="Let everybody train on it.")] = False,
    owner: Owner = OWNER,
    data_dir: DataDir = None,
) -> None:
    """Read images and labels, check and divide them, and keep them as a data set."""
    if source == "fashion_mnist" and not Path(source).exists():
        _install_fashion_mnist(_settings(data_dir))
        return
    chosen = name or _name_of(source)
    if NAME.fullmatch(chosen) is None:
        fail(f"--name {chosen!r} is not a name: small letters, digits, '.', '_' and '-', 64 at most")
    given = dict(zip(SPLITS, (weights, architecture, selection, test), strict=True))
    sizes: dict[Split, int] = {split: n for split, n in given.items() if n is not None}
    try:
        request = TypeAdapter(DatasetRequest).validate_python(
            asdict(
                DatasetRequest(
                    name=chosen,
                    path=source,
                    format=cast("DatasetFormat | None", format or None),
                    visibility="public" if public else "private",
                    title=title,
                    licence=licence,
                    source=origin or source,
                    notes=notes,
                    levels=levels,
                    layout=cast("Layout", layout),
                    sizes=sizes or None,
                    seed=seed,
                    largest_bytes=_settings(data_dir).max_dataset_bytes,
                )
            )
        )
    except ValidationError as error:
        fail("; ".join(f"--{fault['loc'][0]}: {fault['msg']}, not {fault['input']!r}" for fault in error.errors()))
    with catalogue("cellar data add", data_dir) as (settings, database):
        dataset = _read(settings, source, request)
        _register(database, owner, request, dataset)
    typer.echo(_line(dataset))


@commands.command("list")
def listing(owner: Owner = OWNER, data_dir: DataDir = None) -> None:
    """List the data sets that an owner sees, with the bytes of the owner's own."""
    from app.catalogue import datasets
    from app.experiment import DATASETS

    for dataset in DATASETS.values():
        typer.echo(_line(dataset))
    after = None
    with catalogue("cellar data list", data_dir) as (_, database), database.transaction() as session:
        while page := datasets.listing(session, viewer=owner, after=after):
            for row in page:
                typer.echo(f"{_line(row.dataset)}  {row.visibility} of {row.owner}, {row.bytes} bytes")
            after = page[-1].name, page[-1].id
        typer.echo(f"{datasets.bytes_of(session, owner)} bytes are those of {owner}.")


@commands.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the data set.")], owner: Owner = OWNER, data_dir: DataDir = None
) -> None:
    """Forget a data set that no unfinished job needs, and its file; what was measured on it stays."""
    from app.catalogue import audit, datasets

    with catalogue("cellar data remove", data_dir) as (settings, database):
        with database.transaction() as session:
            row = datasets.owned(session, owner, name)
            if row is None:
                fail(f"{owner} has no data set {name!r}")
            if datasets.in_use(session, row.digest):
                fail(f"{name!r} is needed by a job that is not finished; cancel it, or wait")
            last = datasets.remove(session, row)
            audit.record(session, action="dataset.remove", subject=f"/v1/datasets/{name}", of=owner)
        if last:
            (settings.data_root / "images" / f"{row.digest}.safetensors").unlink(missing_ok=True)
    typer.echo(f"{row.dataset.reference} is gone{'' if last else '; its file is that of another data set too'}.")


def _read(settings: Settings, source: str, request: DatasetRequest) -> Dataset:
    """Have the source read by a process of the workers: nothing in `app` imports them."""
    if importlib.util.find_spec("safetensors") is None:
        fail("data sets are read by the worker's libraries: pip install 'cellar[worker]', or use the worker's image")
    asked = {"source": source, "data_root": str(settings.data_root), "request": asdict(request)}
    done = subprocess.run(
        [sys.executable, "-P", "-m", "workers.ingest"], input=json.dumps(asked), capture_output=True, text=True
    )
    if done.returncode != 0:
        fail(done.stderr.strip() or f"reading it ended with exit status {done.returncode}")
    return TypeAdapter(Dataset).validate_json(done.stdout)


def _register(database: "Database", owner: str, request: DatasetRequest, dataset: Dataset) -> None:
    from app.catalogue import NameTaken, audit, datasets

    try:
        with database.transaction() as session:
            datasets.register(
                session, owner=owner, visibility=request.visibility, dataset=dataset, request=asdict(request)
            )
            audit.record(session, action="dataset.add", subject=f"/v1/datasets/{dataset.name}", of=owner)
    except NameTaken as error:
        fail(str(error))


def _install_fashion_mnist(settings: Settings) -> None:
    """Copy Debian's files to where the built-in data set is read from."""
    if not FASHION_MNIST.is_dir():
        fail(f"{FASHION_MNIST} is not there: install Debian's package dataset-fashion-mnist, or name a folder")
    folder = settings.data_root / "datasets" / "fashion_mnist"
    folder.mkdir(parents=True, exist_ok=True)
    for file in sorted(FASHION_MNIST.glob("*-ubyte*")):
        shutil.copyfile(file, folder / file.name)
    typer.echo(f"fashion_mnist is in {folder}.")


def _name_of(source: str) -> str:
    """A name after a source: its last part without what the file is."""
    last = source.rstrip("/").rpartition("/")[2].lower()
    return re.sub(r"\.(npz|parquet|zip|tar\.gz|tgz|tar)$", "", last)


def _line(dataset: Dataset) -> str:
    """A data set in a line."""
    image, splits = dataset.input, " ".join(f"{split} {count}" for split, count in dataset.splits.items())
    shape = f"{image.channels}x{image.height}x{image.width}"
    return f"{dataset.reference}  {shape}, {dataset.num_classes} classes; {splits}; {dataset.licence or 'no licence'}"


def _settings(data_dir: Path | None) -> Settings:
    return load_settings() if data_dir is None else load_settings(data_root=data_dir)
