"""Profiles: measured latency and memory of operations, of whole architectures, and of what these are made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from app.experiment.recipe import Precision
from app.space.skeleton import ImageInput, Skeleton

Direction = Literal["forward", "forward+backward"]
Target = Literal["operation", "architecture", "entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledOperation:
    """An operation of the vocabulary at one place."""

    operation: str
    channels: int
    width: int  # channels of the output
    size: tuple[int, int]  # height and width of the input
    stride: int = 1
    affine: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownEntries:
    """Entries that a table has: they need no measuring on its device, with its version of torch."""

    device: str
    threads: int
    torch_version: str
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfiledArchitecture:
    """An architecture with its identity in the catalogue."""

    id: str
    index: int  # rank of the genotype
    genotype: object
    skeleton: Skeleton
    input: ImageInput


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredProfile:
    """One measurement: a sample is the mean of several runs in a row, and n samples were taken in interleaved rounds.

    Times are milliseconds of one pass over a batch.
    """

    target: Target
    key: str  # names what was measured: equal keys of a target are the same computation
    operation: str | None  # of the vocabulary, or of a graph; None of an architecture
    description: Mapping[str, object]  # what was measured, in full
    entries: Mapping[str, int]  # how often it computes what; of an entry, itself once
    architecture: ProfiledArchitecture | None
    params: int
    macs: int  # of one sample of the batch
    batch_size: int
    precision: Precision
    direction: Direction
    device: str  # name of the processor or GPU
    device_type: Literal["cpu", "cuda"]
    threads: int
    torch_version: str
    code_version: str
    n: int
    runs: int  # in a sample
    median_ms: float
    q1_ms: float
    q3_ms: float
    minimum_ms: float
    peak_memory_bytes: int | None  # weights, input, gradients and everything between at its largest
    memory_method: str  # how that was counted, or why it was not
