"""The UCI optical digits: 1,797 images of 8 × 8 pixels with 17 grey levels, shipped in this folder (CC BY 4.0).

`digits.npz` holds `images` uint8 (1797, 8, 8) with values 0 to 16 and `labels` uint8 (1797,), in the order of the
source's test part (`optdigits.tes`). Its SHA-256 is checked on every load.
"""

import hashlib
import io
from importlib.resources import files

import numpy as np
import torch

from app.experiment import Dataset
from workers.data.images import DataError, Images, check_splits
from workers.data.split import stratified

SHA256 = "b2dab7b501728c22e9119ad76740b2e17c77a231e42d1e592380d90886f1a05e"


def load_digits(dataset: Dataset) -> Images:
    """The packaged images with their four splits."""
    pixels, labels = read_digits(files(__name__).joinpath("digits.npz").read_bytes())
    indices = stratified(dataset.name, labels.tolist(), dataset.splits)
    check_splits(dataset, indices)
    return Images(dataset=dataset, pixels=pixels.unsqueeze(1), labels=labels, levels=16, indices=indices)


def read_digits(content: bytes) -> tuple[torch.Tensor, torch.Tensor]:
    """uint8 (1797, 8, 8) and int64 (1797,). Raises DataError where the content is not the file that was shipped."""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256:
        raise DataError(f"SHA-256 {found}, expected {SHA256}; the installation is damaged", "digits.npz")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return torch.from_numpy(arrays["images"]), torch.from_numpy(arrays["labels"]).long()
