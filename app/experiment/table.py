"""Tabular benchmarks: published tables of architectures and what their authors measured of them.

Isomorphic genotypes are one architecture, of which a table may so have several results for one seed: each further one
is in a further *series*, and a series is a job of the catalogue, which has one result of an architecture.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.experiment.dataset import Split
from app.experiment.job import SpaceVersion

UNKNOWN = "unknown"
"""What a table does not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTable:
    """Which table it is, and whose: the provenance of its results."""

    file: str
    source: str
    licence: str
    sha256: str | None  # of the file; None: whoever reads it works it out


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedRecipe:
    """Its authors' recipe, of which no more is known: it compares with itself alone."""

    name: str
    source: str

    @property
    def digest(self) -> str:
        """SHA-256; unlike that of any recipe that is run here."""
        return _digest({"name": self.name, "source": self.source})


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRequest:
    """What to read of a table, and what its numbers are taken to be."""

    table: PublishedTable
    space: SpaceVersion
    document: Mapping[str, Any]  # the space's own document
    skeleton: str  # name of one of its skeletons
    format: str  # of the genotypes
    genotype: str  # column
    metrics: Mapping[str, str]  # column of each metric
    dataset: str
    split: Split
    recipe: PublishedRecipe
    seed: str | int = 0  # column, or the seed of all rows
    fractions: bool = False  # accuracies are in [0, 1], not in percent
    path: str = ""  # relative to the data root; empty: a command reads it, wherever it is
    dry_run: bool = False  # read and judge, and write nothing
    device: Literal["cpu"] = "cpu"

    @property
    def sha256(self) -> str | None:
        """Of the file."""
        return self.table.sha256

    def identity(self, sha256: str) -> str:
        """What an owner imports once: the file, and what its numbers are taken to be."""
        recipe = {"name": self.recipe.name, "source": self.recipe.source}
        taken = [sha256, self.space.digest, self.skeleton, self.dataset, self.split, recipe, str(self.seed)]
        return _digest(taken)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row that is sound, and says what no row before it has said."""

    number: int  # from 1, the header not counted
    architecture: str  # its id
    first: bool  # of its architecture
    index: int  # rank of the genotype
    params: int
    macs: int
    series: tuple[int, int]  # seed, and number of the result among those of one architecture and seed
    metrics: Mapping[str, float]

    @property
    def line(self) -> str:
        """The row as a line of text."""
        fields = [self.number, self.architecture, self.first, self.index, self.params, self.macs, self.series]
        return json.dumps([*fields, dict(self.metrics)], separators=(",", ":")) + "\n"

    @classmethod
    def of_line(cls, line: str) -> "TableRow":
        """The row that a line holds."""
        number, architecture, first, index, params, macs, series, metrics = json.loads(line)
        return cls(
            number=number,
            architecture=architecture,
            first=first,
            index=index,
            params=params,
            macs=macs,
            series=(series[0], series[1]),
            metrics=metrics,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReport:
    """What became of the rows: sound + repeated + refused = rows."""

    rows: int
    sound: int
    repeated: int  # an earlier row has the same architecture, seed and values
    refused: int
    architectures: int  # of the sound ones
    series: tuple[tuple[int, int], ...]
    refusals: tuple[Mapping[str, Any], ...]  # the first of them: row, column, value, reason

    @property
    def seeds(self) -> tuple[int, ...]:
        """Those that sound rows have."""
        return tuple(sorted({seed for seed, _ in self.series}))


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTable:
    """A table that was read and is still to be written."""

    request: TableRequest  # with the checksum of the file
    report: TableReport
    rows: Callable[[], Iterable[TableRow]]  # the sound ones, from the first, at each call


def _digest(document: object) -> str:
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
