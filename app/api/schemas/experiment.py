"""What can be asked of a worker: searches and trainings."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from app.api.schemas.architecture import SpaceReference
from app.api.schemas.dataset import DatasetName
from app.api.schemas.estimate import EstimateView
from app.api.schemas.genotype import Format, Genotype
from app.api.schemas.job import DeviceName
from app.api.schemas.model import Input, Output
from app.api.schemas.recipe import PressureBody, SearchRecipeChoice, TrainingRecipeChoice
from app.api.schemas.skeleton import SkeletonChoice
from app.api.schemas.space import SpaceIdentity

SupernetStrategy = Literal["darts", "darts_second_order", "snas", "gdas", "drnas", "pc_darts", "enas"]
RECOMPUTE = "Compute parts of a forward pass anew in the backward pass: less memory, more time, the same result"
SEED_LIMIT = 2**31  # what every generator that a seed reaches accepts
MAX_SEEDS = 16


def _all_different(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a seed twice is the same training again; give different ones")
    return seeds


Seeds = Annotated[
    list[Annotated[int, Field(ge=0, lt=SEED_LIMIT)]],
    Field(max_length=MAX_SEEDS, json_schema_extra={"uniqueItems": True}),
    AfterValidator(_all_different),
]
"""Seeds of trainings, none twice."""


class ExperimentBody(Input):
    """What searches and trainings have in common."""

    space: SpaceReference
    dataset: DatasetName = Field(description="`name` or `name@digest` of a data set; GET /v1/datasets lists them")
    seed: int = Field(default=0, ge=0, lt=SEED_LIMIT, description="Seed of everything random")
    device: DeviceName = Field(default="auto", description="`auto` takes a GPU where a live worker has one")


class SearchBody(ExperimentBody):
    """A supernet search: train the supernet, discretise it, train what it found, and report."""

    strategy: SupernetStrategy = Field(default="darts", description="GET /v1/strategies describes them")
    discretisation: Literal["darts", "argmax"] | None = Field(
        default=None,
        description="`darts`: the strongest inputs of each node; `argmax`: the strongest option of each decision; "
        "default: `darts` where nodes choose among inputs",
    )
    skeleton: SkeletonChoice | None = Field(
        default=None, description="Skeleton of the supernet; default: by image size"
    )
    recipe: SearchRecipeChoice | None = Field(default=None, description="Search recipe; default: the data set's")
    retrain_dataset: DatasetName | None = Field(
        default=None,
        description="Data set of the network trained from scratch and of the random one; default: the one searched on",
    )
    retrain_skeleton: SkeletonChoice | None = Field(
        default=None, description="Skeleton of the network trained from scratch; default: by image size"
    )
    retrain_recipe: TrainingRecipeChoice | None = Field(
        default=None, description="Recipe of that training; default: the data set's"
    )
    pressure: PressureBody | None = Field(
        default=None, description="What expensive options cost, in place of what the recipe says of it"
    )
    baseline: bool = Field(default=True, description="Also train a random genotype under the same recipe, to compare")
    seeds: Seeds = Field(
        default=[],
        description="Seeds of the trainings from scratch: what was found is trained once a seed, and another random "
        "genotype with it; default: the search's own seed",
    )

    max_params: int | None = Field(
        default=None,
        ge=0,
        lt=2**53,
        description="Learnable numbers of the genotype at most, on the skeleton that it is retrained on",
    )
    max_macs: int | None = Field(
        default=None, ge=0, lt=2**53, description="Multiply-adds of the genotype at most, as it is retrained"
    )
    max_latency_ms: float | None = Field(
        default=None,
        ge=0,
        le=1e9,
        allow_inf_nan=False,
        description="Milliseconds of the genotype at most, as it is retrained; from the table of `latency_device`",
    )
    latency_device: str | None = Field(
        default=None, min_length=1, max_length=200, description="Device whose lookup table the latencies are of"
    )
    recompute: bool = Field(default=False, description=RECOMPUTE)


class TrainingBody(ExperimentBody):
    """A training from scratch."""

    genotype: Genotype
    format: Format = Field(default="json", description="Format of the genotype")
    skeleton: SkeletonChoice | None = Field(default=None, description="Skeleton; default: by image size")
    recipe: TrainingRecipeChoice | None = Field(default=None, description="Recipe; default: the data set's")
    recompute: bool = Field(default=False, description=RECOMPUTE)
    processes: int = Field(
        default=1, ge=1, le=16, description="Processes that share every batch, each on a device of its own"
    )


class PlannedNetwork(Output):
    """A network that a job would train."""

    role: Literal["supernet", "retrained", "baseline", "architecture"] = Field(description="What it is in the job")
    skeleton: dict[str, Any] = Field(description="Its skeleton")
    params: int | None = Field(description="Learnable numbers; null where the search has yet to decide them")
    macs: int | None = Field(description="Multiply-adds for one image; null where the search has yet to decide them")
    peak_memory_bytes: int | None = Field(
        description="Memory of a training step at its largest moment in bytes, predicted for the CPU as in "
        "POST /v1/spaces/{space}/memory; null of a supernet, and where the search has yet to decide"
    )
    epochs: int = Field(description="Epochs it would be trained")
    images: int = Field(description="Training images of an epoch")


class PlanView(Output):
    """What a POST would start, without starting it, and what it would take."""

    kind: Literal["search", "training"] = Field(description="Kind of the job")
    space: SpaceIdentity = Field(description="The space")
    queue: Literal["gpu", "cpu"] = Field(description="The queue it would wait in")
    workers: int = Field(description="Live workers that serve this queue")
    networks: list[PlannedNetwork] = Field(description="What would be trained, and what is known of it")
    estimate: EstimateView = Field(description="Time and memory, from what was measured, and where it fits")
    measured: str | None = Field(description="Link to an evaluation that answers this already; null where none does")
    request: dict[str, Any] = Field(description="The job's request, with every default chosen")


class SearchView(Output):
    """A search."""

    id: str = Field(description="UUID of the search; also of its job")
    kind: Literal["search", "discrete_search"] = Field(
        description="`search`: of a supernet's weights; `discrete_search`: of members that are measured one by one"
    )
    state: str = Field(description="State of its job")
    space: SpaceIdentity = Field(description="The space that is searched")
    strategy: str = Field(description="The strategy")
    parameters: dict[str, int] | None = Field(description="Of a discrete strategy, every parameter; else null")
    dataset: str = Field(description="The data set")
    objectives: list[dict[str, str]] | None = Field(
        description="Of a discrete search, what it seeks: `metric` and `goal`; else null"
    )
    evaluator: str | None = Field(description="Of a discrete search, the kind of its evaluator; else null")
    budget: int | None = Field(description="Of a discrete search, its evaluations at most; else null")
    evaluations: int | None = Field(description="Of a discrete search, how many it has made, as last told; else null")
    best: dict[str, Any] | None = Field(
        description="The best so far of a discrete search. While it runs, its latest metrics: `best_` and the name of "
        "the one objective, or `front`, how many members nothing beats; then `index`, `genotype`, `values`, `n`. Null "
        "where there is none"
    )
    oracle: bool = Field(description="Whether it is guided by results on the test split: an experiment on strategies")
    label: str | None = Field(description="What is then to be shown with every number of it; else null")
    seed: int = Field(description="The seed")
    genotype: Any = Field(description="The genotype it found; null until then")
    links: dict[str, str] = Field(
        description="Its job, report, trajectory, evaluations, provenance, checklist as a page, and replay"
    )


class ReportView(Output):
    """The discretisation report of a search of a supernet."""

    search_id: str = Field(description="UUID of the search")
    space: SpaceIdentity = Field(description="The space that was searched")
    report: dict[str, Any] = Field(
        description="Accuracies in percent with their split and number of images, gaps in percentage points, "
        "entropies in nats, times in seconds"
    )


class TrajectoryView(Output):
    """How a search went."""

    search_id: str = Field(description="UUID of the search")
    space: SpaceIdentity = Field(description="The space that is searched")
    oracle: bool = Field(description="Whether it was guided by results on the test split")
    label: str | None = Field(description="What is then to be shown with every number of it; else null")
    items: list[dict[str, Any]] = Field(
        description="Of a supernet, one entry an epoch: `epoch`, `mean_entropy` in nats, `skip_share`, `weights` by "
        "decision path. Of a discrete search, one an evaluation: `n` from 1, `index`, `fidelity`, `values` by metric "
        "(null where it failed), `by` whom it was proposed, `several` results that the values are the mean of, their "
        "`deviations`, `job` and `failure`"
    )
    total: int = Field(description="How many entries there are")
    next: str | None = Field(description="Cursor of the next page; null on the last one")
