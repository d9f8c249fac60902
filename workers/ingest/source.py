"""Which reader reads what is there."""

from pathlib import Path

from app.experiment import DatasetFormat, DatasetRequest
from workers.ingest.arrays import read_npz
from workers.ingest.cifar import HUNDRED, TEN, TEN_TEST, read_cifar
from workers.ingest.errors import DataError
from workers.ingest.idx import read_pairs
from workers.ingest.part import Heed, Read
from workers.ingest.pictures import read_folder, read_zipped
from workers.ingest.tables import read_parquet

PICKLED = ("data_batch_1", "batches.meta", "meta")  # CIFAR's Python version


def read_source(path: Path, request: DatasetRequest, heed: Heed) -> Read:
    """The images and labels of a file or a folder. Raises DataError: what is wrong, and where."""
    heed()
    if path.is_dir() and any(entry.is_symlink() for entry in path.rglob("*")):
        raise DataError("has links in it; only files and folders are read", path.name)
    kind = request.format or format_of(path)
    match kind:
        case "npz":
            return read_npz(a_file(path, kind), request.levels, request.layout, request.largest_bytes, heed)
        case "parquet":
            return read_parquet(tables_of(path), request.levels, request.largest_bytes, heed)
        case "images" if path.is_dir():
            return read_folder(path, request.largest_bytes, heed)
        case "images":
            return read_zipped(path, request.largest_bytes, heed)
        case "cifar-binary":
            return read_cifar(path)
        case "idx":
            return read_pairs(path)


def format_of(path: Path) -> DatasetFormat:
    """The format of a file by its name or its first bytes, of a folder by what is in it."""
    if path.is_dir():
        return format_of_folder(path)
    with path.open("rb") as file:
        first = file.read(4)
    if path.name.endswith((".tar.gz", ".tgz", ".tar")):
        return "cifar-binary"
    if first == b"PAR1":
        return "parquet"
    if first[:2] == b"PK":
        return "npz" if path.suffix == ".npz" else "images"
    raise DataError("neither NumPy arrays (.npz), nor Parquet, nor a ZIP of images, nor CIFAR's archive", path.name)


def format_of_folder(folder: Path) -> DatasetFormat:
    """The format of a folder by what is in it."""
    names = {entry.name for entry in folder.iterdir()}
    if TEN_TEST in names or TEN[0] in names or HUNDRED in names:
        return "cifar-binary"
    if any(name.startswith("train-images-idx3-ubyte") for name in names):
        return "idx"
    if any(folder.rglob("*.parquet")):
        return "parquet"
    if names & set(PICKLED):
        raise DataError("CIFAR's Python version is pickles, which are never read; give the binary one", folder.name)
    return "images"


def tables_of(path: Path) -> dict[str, Path]:
    """The Parquet files of a folder by name, or the one file."""
    if path.is_file():
        return {path.name: path}
    found = {p.name: p for p in sorted(path.rglob("*.parquet"))}
    if not found:
        raise DataError("no Parquet files are in this folder", path.name)
    if len(found) < len(list(path.rglob("*.parquet"))):
        raise DataError("two Parquet files have one name: give the folder of one configuration", path.name)
    return found


def a_file(path: Path, kind: DatasetFormat) -> Path:
    """A file, where a folder will not do."""
    if not path.is_file():
        raise DataError(f"{kind} is read from one file, and this is none", path.name)
    return path
