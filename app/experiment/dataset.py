"""Data sets as the front end knows them: shapes, classes, splits, licence. The images themselves are the workers'.

Splits have names and never mix: `weights` and `architecture` fit a supernet, `selection` compares, `test` is read
once, at the end. Training from scratch fits on `weights` and `architecture` together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from app.space.skeleton import ImageInput

Split = Literal["weights", "architecture", "selection", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """What a data set is, where it comes from and how it is divided."""

    name: str
    title: str
    input: ImageInput
    num_classes: int
    splits: Mapping[Split, int]  # images in each
    licence: str
    source: str
    packaged: bool  # shipped with the worker; otherwise its files are read from the data root
    notes: str = ""


DIGITS = Dataset(
    name="digits",
    title="Optical recognition of handwritten digits (8×8 grey images, 17 levels)",
    input=ImageInput(channels=1, height=8, width=8),
    num_classes=10,
    splits=MappingProxyType({"weights": 640, "architecture": 480, "selection": 177, "test": 500}),
    licence="CC BY 4.0",
    source="E. Alpaydin and C. Kaynak (1998), UCI Machine Learning Repository, doi:10.24432/C50P49",
    packaged=True,
    notes=(
        "The 1,797 images of the source's test part, written by 13 people who did not write its training part. The "
        "file does not say who wrote which image, and our four splits are drawn from all of it: the same writers "
        "occur in every split, so accuracy on `test` says nothing about people who wrote no training image."
    ),
)

FASHION_MNIST = Dataset(
    name="fashion_mnist",
    title="Fashion-MNIST (28×28 grey images of clothes)",
    input=ImageInput(channels=1, height=28, width=28),
    num_classes=10,
    splits=MappingProxyType({"weights": 25_000, "architecture": 25_000, "selection": 10_000, "test": 10_000}),
    licence="MIT",
    source="H. Xiao, K. Rasul and R. Vollgraf (2017), arXiv:1708.07747",
    packaged=False,
    notes=(
        "Four IDX files (plain or .gz) in the folder `datasets/fashion_mnist` of the data root; Debian's package "
        "dataset-fashion-mnist holds them. `test` is the source's own test part, the rest divides its training part."
    ),
)

DATASETS: Mapping[str, Dataset] = MappingProxyType({d.name: d for d in (DIGITS, FASHION_MNIST)})
