"""Data sets as the front end knows them: shapes, classes, splits, licence. The images themselves are the workers'.

Splits have names and never mix: `weights` and `architecture` fit a supernet, `selection` compares, `test` is read
once, at the end. Training from scratch fits on `weights` and `architecture` together.

A registered data set is told apart by what is in it: `name@` and the first twelve digits of its digest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from app.space.skeleton import ImageInput

Split = Literal["weights", "architecture", "selection", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
SHOWN_DIGITS = 12  # of a digest in a reference

DatasetFormat = Literal["npz", "parquet", "images", "cifar-binary", "idx"]
"""What data sets are read from: arrays, tables, folders of images, CIFAR's binary records, MNIST's IDX files."""

Layout = Literal["auto", "channels-first", "channels-last"]

Task = Literal["classification", "segmentation", "detection"]
"""What the labels of a data set teach: a class an image, a class a pixel, or boxes with classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImages:
    """The file of a registered data set, and what was measured when it was made."""

    digest: str  # SHA-256 of the file: pixels, labels, splits and nothing else
    pixels_digest: str  # SHA-256 of the pixels, in the order of the splits
    bytes: int  # of the file
    levels: int  # the largest value that a pixel can have
    mean: tuple[float, ...]  # by channel, on the scale [0, 1], of `weights` and `architecture` together
    deviation: tuple[float, ...]
    classes: tuple[str, ...] = ()  # their names in the order of the labels, where they have any


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
    stored: StoredImages | None = None  # of a registered one; None: a built-in one
    task: Task = "classification"

    @property
    def reference(self) -> str:
        """What results name: for a registered data set, its name and its digest."""
        return self.name if self.stored is None else f"{self.name}@{self.stored.digest[:SHOWN_DIGITS]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetRequest:
    """Read images and labels from a file or a folder below the data root, and keep them as a data set."""

    name: str
    path: str  # relative to the data root
    format: DatasetFormat | None = None  # None: by what is there
    sha256: str | None = None  # of a file that was uploaded
    visibility: Literal["private", "public"] = "private"
    title: str = ""
    licence: str = ""
    source: str = ""
    notes: str = ""
    levels: int = 255
    layout: Layout = "auto"  # of arrays
    sizes: Mapping[Split, int] | None = None  # of splits that are drawn; None: by share
    seed: int = 0  # of that drawing
    largest_bytes: int = 2 << 30  # that the pixels may take
    device: Literal["cpu"] = "cpu"


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

SCENES = (
    "Composed, not photographed: up to four of the digits of a split stand on black, at one, two or three times their "
    "size, without touching. Which and where is drawn once and for all, from the split's own digits alone. Nothing "
    "overlaps and nothing clutters, so that numbers measured here compare architectures and say little about "
    "photographs."
)

DIGIT_SCENES = Dataset(
    name="digit_scenes",
    title="Scenes of handwritten digits, a class at every pixel (32×32 grey images)",
    input=ImageInput(channels=1, height=32, width=32),
    num_classes=11,
    splits=MappingProxyType({"weights": 480, "architecture": 480, "selection": 160, "test": 320}),
    licence=DIGITS.licence,
    source=f"Composed of {DIGITS.source}",
    packaged=True,
    notes=f"{SCENES} Class 0 is the background, class 1 + d the ink of the digit d.",
    task="segmentation",
)

DIGIT_BOXES = Dataset(
    name="digit_boxes",
    title="Scenes of handwritten digits, a box around each (32×32 grey images)",
    input=DIGIT_SCENES.input,
    num_classes=10,
    splits=DIGIT_SCENES.splits,
    licence=DIGITS.licence,
    source=DIGIT_SCENES.source,
    packaged=True,
    notes=f"{SCENES} The scenes are those of `digit_scenes`; a box is the least one around a digit's ink.",
    task="detection",
)

DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {d.name: d for d in (DIGITS, DIGIT_BOXES, DIGIT_SCENES, FASHION_MNIST)}
)
"""The built-in data sets by name."""


def described(name: str, registered: Dataset | None) -> Dataset:
    """The data set of a request: the registered one that it carries, else the built-in one that it names."""
    return DATASETS[name] if registered is None else registered
