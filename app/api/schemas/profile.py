"""Profiles as they travel: what is to be measured, what was, and what follows for what was not."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.architecture import SpaceReference
from app.api.schemas.genotype import Format, Genotype, GenotypeQuestion, Index
from app.api.schemas.job import DeviceName
from app.api.schemas.model import Input, Output
from app.api.schemas.skeleton import ImageBody, SkeletonChoice
from app.api.schemas.space import SpaceIdentity
from app.experiment.proxies import PROXIES, ProxyName

DirectionName = Literal["forward", "forward+backward"]
PrecisionName = Literal["float32", "bfloat16"]
TargetName = Literal["operation", "architecture", "entry"]

BatchSize = Annotated[int, Field(ge=1, le=1024, description="Samples in a batch")]
Precision = Annotated[PrecisionName, Field(description="Arithmetic; `bfloat16`: torch's autocast")]
Direction = Annotated[DirectionName, Field(description="One pass over a batch: without gradients, or with all of them")]


class OperationBody(Input):
    """An operation of the vocabulary at one place."""

    operation: str = Field(max_length=64, description="Name of the operation; GET /v1/operations lists them")
    channels: int = Field(ge=1, le=4096, description="Channels of the input")
    width: int | None = Field(default=None, ge=1, le=4096, description="Channels of the output; default: as many")
    size: list[Annotated[int, Field(ge=1, le=1024)]] = Field(
        default=[32, 32], min_length=2, max_length=2, description="Height and width of the input in pixels"
    )
    stride: Literal[1, 2] = Field(default=1, description="Stride")
    affine: bool = Field(default=True, description="Whether normalisation learns a scale and a shift")


class ProfileBody(Input):
    """What is to be measured: operations, members of a space, or both, under one set of conditions."""

    operations: list[OperationBody] = Field(default=[], max_length=200, description="Operations of the vocabulary")
    space: SpaceReference | None = Field(default=None, description="Space of the genotypes and members")
    genotypes: list[Genotype] = Field(default=[], max_length=64, description="Genotypes of the space")
    format: Format = Field(default="json", description="Format of the genotypes")
    members: list[Annotated[str, Field(pattern=r"^[0-9]+$", max_length=4000)]] = Field(
        default=[], max_length=64, description="Further members of the space, by rank"
    )
    skeleton: SkeletonChoice | None = Field(
        default=None, description="Their skeleton; default: `cifar`, else the first"
    )
    input: ImageBody | None = Field(default=None, description="Their input image; default: the space's own")
    batch_size: BatchSize = 1
    precision: Precision = "float32"
    direction: Direction = "forward"
    whole: bool | None = Field(
        default=None,
        description="Measure each operation and architecture as a whole; default: unless only proxies are asked for",
    )
    entries: bool | None = Field(
        default=None,
        description="Measure every distinct computation in them alone, for the device's lookup table; default: unless "
        "only proxies are asked for",
    )
    every: bool = Field(
        default=False,
        description="Also measure every computation that any member of the space can need on the skeleton, so that "
        "the table predicts all of them; then genotypes and members may be left out",
    )
    lacked_by: str | None = Field(
        default=None,
        min_length=1,
        max_length=200,
        description="Name of a device: leave out the computations that its table for these conditions has already; "
        "default: measure all of them, which renews the table",
    )
    proxies: list[ProxyName] = Field(
        default=[],
        max_length=len(PROXIES),
        description="Zero-cost proxies to compute of the genotypes and members; GET /v1/proxies says what they are",
    )
    dataset: str | None = Field(
        default=None,
        max_length=200,
        description="Data set whose split `weights` the proxies' images are drawn from, and whose images and classes "
        "the networks are for; default: `digits`. Without proxies nothing is read",
    )
    images: int = Field(default=64, ge=1, le=1024, description="Images of the proxies' batch")
    seed: int = Field(
        default=0, ge=0, lt=2**63, description="Seed of the proxies' images and of the networks' initial weights"
    )
    rounds: int = Field(default=15, ge=3, le=200, description="Samples of each measurement, in interleaved rounds")
    threads: int | None = Field(
        default=None, ge=1, le=1024, description="Threads of a CPU; default: as many as any job takes"
    )
    device: DeviceName = Field(default="auto", description="`auto` takes a GPU where a live worker has one")


class ProfilePlanView(Output):
    """What a profile would measure, without measuring it."""

    kind: Literal["profile"] = Field(description="Kind of the job")
    space: SpaceIdentity | None = Field(description="The space of its architectures; null without any")
    queue: Literal["gpu", "cpu"] = Field(description="The queue it would wait in")
    workers: int = Field(description="Live workers that serve this queue")
    operations: int = Field(description="Operations that would be measured as a whole")
    architectures: int = Field(description="Architectures that would be measured as a whole")
    entries: list[str] = Field(description="Computations that would be measured alone, as the lookup table names them")
    known: int = Field(description="Computations left out because the table has them")
    proxies: list[str] = Field(description="Zero-cost proxies that would be computed")
    scored: int = Field(description="Architectures that they would be computed of")
    seconds: float | None = Field(description="How long it would take on a worker; null where nothing is known of that")
    seconds_basis: str = Field(description="What that is reckoned from, or why it is not known")
    samples: int = Field(description="Samples in all, about 5 milliseconds each or one pass where that is longer")
    request: dict[str, Any] = Field(description="The job's request, with every default chosen")


class ProfileLinks(Output):
    """Where to go from a measurement."""

    self: str = Field(description="The measurement")
    job: str = Field(description="The job that measured it")
    architecture: str | None = Field(description="What was measured; null of an operation or an entry")


class ProfileView(Output):
    """One measurement of latency and peak memory."""

    id: str = Field(description="UUID of the measurement")
    target: TargetName = Field(
        description="`operation` of the vocabulary, whole `architecture`, or `entry`: one computation of a graph"
    )
    key: str = Field(description="Names what was measured: equal keys of a target are the same computation")
    operation: str | None = Field(description="Name of the operation or of the graph's node; null of an architecture")
    architecture_id: str | None = Field(description="Id of the architecture; null of anything else")
    description: dict[str, Any] = Field(description="What was measured, in full")
    entries: dict[str, int] = Field(description="How often it computes what, by keys of the lookup table")
    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear layers for one sample")
    batch_size: int = Field(description="Samples in a batch")
    precision: PrecisionName = Field(description="Arithmetic")
    direction: DirectionName = Field(description="What a pass was")
    device: str = Field(description="Name of the processor or GPU")
    device_type: Literal["cpu", "cuda"] = Field(description="Kind of device")
    threads: int = Field(description="CPU threads that torch computed on")
    torch_version: str = Field(description="Version of torch")
    code_version: str = Field(description="Version of this service's code")
    unit: Literal["ms"] = Field(description="Times are milliseconds of one pass over a batch")
    n: int = Field(description="Samples")
    runs: int = Field(description="Passes in a sample, of which it is the mean")
    median_ms: float = Field(description="Median of the samples")
    q1_ms: float = Field(description="First quartile")
    q3_ms: float = Field(description="Third quartile")
    minimum_ms: float = Field(description="Least sample")
    peak_memory_bytes: int | None = Field(
        description="Weights, input, gradients and all between at the largest moment of a pass; null where not counted"
    )
    memory_method: str = Field(description="How memory was counted, or why it was not")
    created_at: datetime = Field(description="When it was recorded")
    links: ProfileLinks = Field(description="Where to go from here")


class ProfilePage(Output):
    """A page of measurements, the newest first."""

    items: list[ProfileView] = Field(description="The measurements of this page")
    next: str | None = Field(description="Cursor of the next page; null on the last one")


class TableView(Output):
    """A lookup table: measurements of one device under the same conditions."""

    device: str = Field(description="Name of the processor or GPU")
    device_type: Literal["cpu", "cuda"] = Field(description="Kind of device")
    threads: int = Field(description="CPU threads that torch computed on")
    torch_version: str = Field(description="Version of torch")
    batch_size: int = Field(description="Samples in a batch")
    precision: PrecisionName = Field(description="Arithmetic")
    direction: DirectionName = Field(description="What a pass was")
    operations: int = Field(description="Operations measured")
    architectures: int = Field(description="Architectures measured as a whole")
    entries: int = Field(description="Computations measured alone: what predictions add up")
    first: datetime = Field(description="When the first of it was recorded")
    last: datetime = Field(description="When the last of it was recorded")


class TableList(Output):
    """The lookup tables there are."""

    items: list[TableView] = Field(description="The one that was last measured for comes first")


class LatencyQuestion(GenotypeQuestion):
    """How long does a genotype take on a device?"""

    device: str = Field(
        min_length=1, max_length=200, description="Name of a device; GET /v1/profiles/devices lists them"
    )
    skeleton: SkeletonChoice | None = Field(default=None, description="Skeleton; default: `cifar`, else the first")
    input: ImageBody | None = Field(default=None, description="Input image; default: the space's own")
    threads: int | None = Field(default=None, ge=1, le=1024, description="CPU threads; default: the newest table's")
    batch_size: BatchSize = 1
    precision: Precision = "float32"
    direction: Direction = "forward"


class LatencyErrorView(Output):
    """How far predictions were from architectures that were measured as a whole."""

    mape_percent: float = Field(description="Mean absolute percentage error")
    architectures: int = Field(description="Measured architectures it is the mean over")
    scope: Literal["space", "table"] = Field(description="Whether these are of the same space, or any of the table")
    method: str = Field(description="What was compared with what")


class LatencyView(Output):
    """A predicted latency."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    latency_ms: float = Field(description="Predicted milliseconds of one pass over a batch: `sum_ms` times `factor`")
    sum_ms: float = Field(description="Sum over all that the architecture computes, each as measured alone")
    factor: float = Field(
        description="Median of measured over summed latency of the architectures measured whole; 1 with less than two"
    )
    error: LatencyErrorView | None = Field(description="Error of such predictions; null where none was measured whole")
    computations: int = Field(description="Nodes that were added up")
    entries: int = Field(description="Distinct ones among them")
    table: TableView = Field(description="The lookup table")
