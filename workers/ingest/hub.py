"""Data sets of the Hugging Face hub, by the library that knows it, where it is installed: for the command line only."""

import importlib
import importlib.util
from pathlib import Path
from typing import Any

from workers.ingest.errors import DataError

LIBRARY = "huggingface_hub"


def fetched(id: str, folder: Path, revision: str | None = None) -> Path:
    """The Parquet files of a data set, in a folder. Raises DataError where the library is missing, or refuses."""
    if importlib.util.find_spec(LIBRARY) is None:
        raise DataError(
            f"{id!r} is no file or folder here; to fetch it from the Hugging Face hub, install {LIBRARY}, or give the "
            "folder of Parquet files that was fetched otherwise"
        )
    library: Any = importlib.import_module(LIBRARY)
    try:
        found = library.snapshot_download(
            id, repo_type="dataset", revision=revision, allow_patterns=["*.parquet"], local_dir=str(folder)
        )
    except Exception as error:  # the library raises what its transport does
        raise DataError(f"{id!r} cannot be fetched: {error}") from error
    return Path(found)
