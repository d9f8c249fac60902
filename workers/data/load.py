"""Which data set is read by what."""

from collections.abc import Callable
from pathlib import Path

from app.experiment import DATASETS, Dataset
from workers.data.digits import load_digits
from workers.data.fashion_mnist import load_idx_pair
from workers.data.images import DataError, Images
from workers.data.registered import load_registered
from workers.data.scenes import load_scenes

PACKAGED: dict[str, Callable[[Dataset], Images]] = {
    "digits": load_digits,
    "digit_scenes": load_scenes,
    "digit_boxes": load_scenes,
}
FOLDERS: dict[str, Callable[[Dataset, Path], Images]] = {"fashion_mnist": load_idx_pair}


def load(wanted: str | Dataset, data_root: Path | None = None) -> Images:
    """A built-in data set by its name, or a registered one by its description.

    Registered ones are read from `<data_root>/images`, built-in ones that are not packaged from
    `<data_root>/datasets/<name>`. Raises DataError where the name is unknown, the root is needed and missing, or the
    files are not right.
    """
    name = wanted if isinstance(wanted, str) else wanted.name
    if isinstance(wanted, str) and name not in DATASETS:
        raise DataError(f"no data set {name!r}; there are {sorted(DATASETS)}")
    if isinstance(wanted, str) and name in PACKAGED:
        return PACKAGED[name](DATASETS[name])
    if data_root is None:
        raise DataError(f"it needs a data root with the folder datasets/{name}", f"{name} is not packaged")
    if not isinstance(wanted, str):
        return load_registered(wanted, data_root)
    return FOLDERS[name](DATASETS[name], data_root / "datasets" / name)
