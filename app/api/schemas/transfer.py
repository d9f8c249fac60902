"""One architecture in several places: what it costs in each, and whether training in one tells about another."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.architecture import SpaceReference
from app.api.schemas.dataset import DatasetName
from app.api.schemas.experiment import SEED_LIMIT
from app.api.schemas.genotype import Format, Genotype, GenotypeQuestion, Index
from app.api.schemas.job import DeviceName
from app.api.schemas.model import Input, Output
from app.api.schemas.problem import FaultView
from app.api.schemas.recipe import TrainingRecipeChoice
from app.api.schemas.skeleton import ImageBody, SkeletonChoice
from app.api.schemas.space import SpaceIdentity

MAX_PLACES = 12
MAX_MEMBERS = 64


class PlaceBody(Input):
    """A skeleton and an image."""

    skeleton: SkeletonChoice | None = Field(
        default=None,
        description="Name of one of the space's skeletons, or one as an object; default: `cifar`, else the first",
    )
    input: ImageBody | None = Field(default=None, description="The input image; default: the space's own")


class TransferQuestion(GenotypeQuestion):
    """What does a genotype cost in several places?"""

    places: Annotated[list[PlaceBody], Field(min_length=1, max_length=MAX_PLACES)] | None = Field(
        default=None,
        description=f"At most {MAX_PLACES}; default: every named skeleton of the space, on the space's own image",
    )


class PlacedCostView(Output):
    """What the genotype costs in one place; exact, for one image."""

    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear layers for one image")
    activations: int = Field(description="Numbers that convolutions and linear layers put out for one image")
    depth: int = Field(description="Convolutions and linear layers on the longest way from image to logits")
    params_ratio: float | None = Field(description="`params` over those of the first place; null where these are none")
    macs_ratio: float | None = Field(description="`macs` over those of the first place; null where these are none")


class PlacedView(Output):
    """One place, with the cost there or the reason why there is no network."""

    name: str | None = Field(description="Name of the skeleton in the space; null of one given as an object")
    skeleton: dict[str, Any] = Field(description="The skeleton")
    input: dict[str, int] = Field(description="The image: channels, height, width (pixels)")
    cost: PlacedCostView | None = Field(description="The cost; null where there is no network")
    fault: FaultView | None = Field(description="Why there is no network, with its place in the question; else null")


class TransferCostView(Output):
    """One genotype in several places."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    places: list[PlacedView] = Field(description="The places, in the order of the question")


class TrainedPlaceBody(Input):
    """Where architectures are trained."""

    dataset: DatasetName = Field(description="`name` or `name@digest` of a data set; GET /v1/datasets lists them")
    skeleton: SkeletonChoice | None = Field(default=None, description="Skeleton; default: by image size")
    recipe: TrainingRecipeChoice | None = Field(default=None, description="Recipe; default: the data set's")


class MemberSample(Input):
    """Random members of the space."""

    count: int = Field(ge=1, le=MAX_MEMBERS, description="How many, all different and none of those given")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed of the drawing")
    distribution: Literal["uniform", "uniform-unique", "per-choice"] = Field(
        default="uniform", description="As of POST /v1/spaces/{space}/sample"
    )


class TransferBody(Input):
    """Train a set of architectures in two places, and compare the orders of their accuracies."""

    space: SpaceReference
    genotypes: list[Genotype] = Field(default=[], max_length=MAX_MEMBERS, description="Genotypes of the space")
    format: Format = Field(default="json", description="Format of the genotypes")
    search: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
        description="UUID of a finished search of the space, whose genotype joins the set",
    )
    sample: MemberSample | None = Field(
        default=None, description=f"Random members that join the set, which has 2 to {MAX_MEMBERS} in all"
    )
    source: TrainedPlaceBody = Field(description="The place whose accuracies are to predict")
    target: TrainedPlaceBody = Field(description="The place whose accuracies are to be predicted")
    keep_weights: bool = Field(default=False, description="Keep the weights of every network, as trainings do")
    fan_out: bool = Field(
        default=False, description="Have every training done by a job of its own, on whichever worker is free"
    )
    seed: int = Field(default=0, ge=0, lt=SEED_LIMIT, description="Seed of everything random in the trainings")
    device: DeviceName = Field(default="auto", description="`auto` takes a GPU where a live worker has one")


class PlannedTransfer(Output):
    """One architecture that would be trained in both places."""

    index: Index
    origin: Literal["given", "search", "sampled"] = Field(description="How it came into the set")
    source: PlacedCostView = Field(description="Its cost on the source; ratios are to the source")
    target: PlacedCostView = Field(description="Its cost on the target; ratios are to the source")


class TransferPlanView(Output):
    """What a POST would start, without starting it. No time is given: it is that of its jobs."""

    kind: Literal["transfer"] = Field(description="Kind of the job")
    space: SpaceIdentity = Field(description="The space")
    queue: Literal["gpu", "cpu"] = Field(description="The queue it would wait in")
    workers: int = Field(description="Live workers that serve this queue")
    architectures: list[PlannedTransfer] = Field(description="What would be trained, each twice")
    epochs: int = Field(description="Epochs in all")
    training_macs: str = Field(
        description="Multiply-adds of all forward passes over training images, as a decimal string: a backward pass "
        "takes about twice as many again"
    )
    request: dict[str, Any] = Field(description="The job's request, with every default chosen")


class TransferView(Output):
    """A transfer."""

    id: str = Field(description="UUID of the transfer; also of its job")
    state: str = Field(description="State of its job")
    space: SpaceIdentity = Field(description="The space of its architectures")
    architectures: int = Field(description="How many architectures it trains in both places")
    source: dict[str, Any] = Field(description="The place whose accuracies are to predict")
    target: dict[str, Any] = Field(description="The place whose accuracies are to be predicted")
    seed: int = Field(description="The seed")
    links: dict[str, str] = Field(description="Its job, report, evaluations, and the search where one is part of it")


class TransferReportView(Output):
    """Whether accuracies in one place order architectures in another."""

    transfer_id: str = Field(description="UUID of the transfer")
    space: SpaceIdentity = Field(description="The space of its architectures")
    report: dict[str, Any] = Field(
        description="Accuracies in percent with their split and number of images, ranks (1 is the best), rank "
        "correlations with their 95 % interval, p-value and n, shares of the best that agree, regret in percentage "
        "points, and what these numbers do not say"
    )
