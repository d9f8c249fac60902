"""Jobs: what can be asked of a worker. Requests are plain data, complete in themselves, and stored as JSON."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from app.experiment.bounds import Bounds
from app.experiment.dataset import Dataset
from app.experiment.profile import Direction, KnownEntries, MeasuredProfile, ProfiledOperation
from app.experiment.proxies import WantedProxies
from app.experiment.recipe import Precision, SearchRecipe, TrainingRecipe
from app.space.skeleton import ImageInput, Skeleton

if TYPE_CHECKING:
    from app.experiment.table import ReadTable

JobKind = Literal[
    "search",
    "discrete_search",
    "comparison",
    "training",
    "transfer",
    "judging",
    "count",
    "profile",
    "dataset",
    "table",
]
JobState = Literal["queued", "running", "waiting", "succeeded", "failed", "cancelled"]
Queue = Literal["gpu", "cpu"]
Device = Literal["auto", "cpu", "cuda"]
Strategy = Literal["darts", "darts_second_order", "snas", "gdas", "drnas", "pc_darts", "enas"]
"""What weighs the decisions of one supernet."""

Discretisation = Literal["darts", "argmax"]
EvaluationKind = Literal["inherited", "trained", "baseline"]

MAX_PRIORITY = 100
"""Of any job, and the least is its negative; what an owner may give is among the owner's limits."""

FINAL_STATES: frozenset[JobState] = frozenset({"succeeded", "failed", "cancelled"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SpaceVersion:
    """Which space, exactly: every index and id is answered together with this."""

    name: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """Train one discrete architecture from scratch under a recipe."""

    space: SpaceVersion
    document: Mapping[str, object]  # the space's own document, so that a worker needs no look-up
    genotype: object
    skeleton: Skeleton  # its `num_classes` is the data set's
    dataset: str
    recipe: TrainingRecipe
    data: Dataset | None = None  # what `dataset` stands for, where it is a registered one
    keep_weights: bool = True
    recompute: bool = False  # parts of a forward pass anew in the backward pass: less memory, more time
    processes: int = 1  # that share the batch, each on a device of its own
    seed: int = 0
    device: Device = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """Search a supernet, discretise it, and find out what discretising cost."""

    space: SpaceVersion
    document: Mapping[str, object]
    strategy: Strategy
    discretisation: Discretisation
    skeleton: Skeleton  # of the supernet
    dataset: str
    recipe: SearchRecipe
    retrain_skeleton: Skeleton  # of the discrete network that is trained from scratch, and of the baseline
    retrain_recipe: TrainingRecipe
    data: Dataset | None = None  # what `dataset` stands for, where it is a registered one
    retrain_dataset: str | None = None  # of that training and the baseline's; None: what was searched on
    retrain_data: Dataset | None = None
    baseline: bool = True  # also train a uniformly random genotype under the same recipe
    seeds: tuple[int, ...] = ()  # of the trainings from scratch, a random genotype each; empty: the search's own
    bounds: Bounds = field(default_factory=Bounds)  # that the genotype keeps to
    latencies: Mapping[str, float] = field(default_factory=dict[str, float])  # ms by entry of the supernet: pressure's
    bound_latencies: Mapping[str, float] = field(default_factory=dict[str, float])  # of what is retrained: the bounds'
    latency_factor: float = 1.0  # a bounded latency is so many times the sum of its entries
    recompute: bool = False  # parts of a forward pass anew in the backward pass: less memory, more time
    replays: str | None = None  # UUID of the search whose record this repeats
    seed: int = 0
    device: Device = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class CountRequest:
    """Count the classes of a space under an equivalence, exactly, however long it takes."""

    space: SpaceVersion
    document: Mapping[str, object]
    equivalence: str
    version: int  # of the equivalence
    device: Device = "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileRequest:
    """Measure operations and members of a space on one device: whole, by entries of the lookup table, by proxies."""

    operations: tuple[ProfiledOperation, ...] = ()
    space: SpaceVersion | None = None
    document: Mapping[str, object] | None = None
    genotypes: tuple[object, ...] = ()
    skeleton: Skeleton | None = None
    input: ImageInput | None = None
    batch_size: int = 1
    precision: Precision = "float32"
    direction: Direction = "forward"
    whole: bool = True  # measure each of them as it is
    entries: bool = True  # measure every distinct computation in them, for the device's lookup table
    every: bool = False  # and every one that any member of the space may need
    known: KnownEntries | None = None  # but not these again
    proxies: WantedProxies | None = None  # of the members
    rounds: int = 15
    threads: int | None = None  # of a CPU; None: as many as jobs take
    device: Device = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobResult:
    """What a handler returns when it is done: it becomes visible in one transaction or not at all.

    `result` is JSON. A search's: "genotype", "report" (a DiscretisationReport), "trajectory" (one entry an epoch:
    "epoch", "mean_entropy", "skip_share", "weights" by decision path), "weights" (artefact name), "device",
    "torch_version", "code_version", "seconds". A training's: "genotype", "metrics" by split, "weights" and the
    same provenance. A count's: "space", "equivalence", "exact" (decimal), "method", "seconds". A profile's:
    "measurements", how many, "proxies", where they are wanted, and the same provenance. A transfer's: "report" (a
    TransferReport) and the same provenance; of one that fans out also "children", their job ids by name. A dataset's:
    "dataset" (a Dataset), "seconds". A table's: "identity", "sha256", "rows" (a TableReport), "jobs" of its series,
    "known" where an earlier import has written them, "seconds". A discrete search's: "genotype", "report" (a
    DiscreteReport), "trajectory" (Measurements) and provenance. A judging's: "members" (each "index", "fidelity",
    "values", "failure") and provenance.
    A comparison's: "report" (a ComparisonReport) and provenance. A cancelled job's result holds what there is of
    these, and "stopped_in", the phase.
    """

    result: Mapping[str, object]
    evaluations: tuple["MeasuredEvaluation", ...] = ()
    counted: tuple["MeasuredCount", ...] = ()
    profiles: tuple[MeasuredProfile, ...] = ()
    datasets: tuple[Dataset, ...] = ()  # that were made
    table: "ReadTable | None" = None  # that is to be written


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredEvaluation:
    """One measured result of an architecture, before it has an id in the catalogue."""

    genotype: object
    skeleton: Skeleton
    kind: EvaluationKind
    dataset: str  # a reference
    split: str
    recipe: TrainingRecipe | SearchRecipe
    seed: int
    metrics: Mapping[str, float]  # "accuracy" in percent, "loss" in nats, ...
    params: int
    macs: int
    device: str
    torch_version: str
    code_version: str
    seconds: float
    weights: str | None = None  # artefact name of the safetensors file, where weights are kept
    provenance: Mapping[str, object] = field(default_factory=dict[str, object])
    input: ImageInput | None = None  # of the data set; None: of the built-in one that is named


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCount:
    """An exact number of classes, for whoever asks next."""

    digest: str  # of the space
    surroundings: str  # of its skeletons and image, which an equivalence may look at
    equivalence: str
    version: int  # of the equivalence
    exact: int
    method: str
