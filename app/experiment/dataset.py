"""Data sets as the front end knows them: shapes, classes, splits, licence. The images themselves are the workers'.

Splits have names and never mix: `weights` and `architecture` fit a supernet, `selection` compares, `test` is read
once, at the end. Training from scratch fits on `weights` and `architecture` together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.space.skeleton import ImageInput

Split = Literal["weights", "architecture", "selection", "test"]


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
