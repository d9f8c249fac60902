"""Which data set is read by what."""

from collections.abc import Callable
from pathlib import Path

from app.experiment import DATASETS, Dataset
from workers.data.digits import load_digits
from workers.data.fashion_mnist import load_idx_pair
from workers.data.images import DataError, Images

PACKAGED: dict[str, Callable[[Dataset], Images]] = {"digits": load_digits}
FOLDERS: dict[str, Callable[[Dataset, Path], Images]] = {"fashion_mnist": load_idx_pair}


def load(name: str, data_root: Path | None = None) -> Images:
    """A data set by its name; those that are not packaged are read from `<data_root>/datasets/<name>`.

    Raises DataError where the name is unknown, the root is needed and missing, or the files are not right.
    """
    if name not in DATASETS:
        raise DataError(f"no data set {name!r}; there are {sorted(DATASETS)}")
    if name in PACKAGED:
        return PACKAGED[name](DATASETS[name])
    if data_root is None:
        raise DataError(f"{name} is not packaged: it needs a data root with the folder datasets/{name}")
    return FOLDERS[name](DATASETS[name], data_root / "datasets" / name)
