"""Evaluations as they travel: one measured result, with everything that says what it means."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity

EvaluationKindName = Literal["inherited", "trained", "baseline"]
SplitName = Literal["weights", "architecture", "selection", "test"]


class EvaluationLinks(Output):
    """Where to go from an evaluation."""

    architecture: str = Field(description="What was measured")
    job: str = Field(description="The job that measured it")
    export: str = Field(description="The network as a file of PyTorch")
    weights: str | None = Field(description="The weights that this file loads; null where none were kept")


class EvaluationView(Output):
    """One measured result of an architecture under a recipe, on one split."""

    id: str = Field(description="UUID of the evaluation")
    architecture_id: str = Field(description="What was measured")
    space: SpaceIdentity = Field(description="The space of its genotype")
    genotype: Any = Field(description="Its genotype, as it was first met")
    kind: EvaluationKindName = Field(
        description="`trained` from scratch; `inherited`: a supernet's weights; `baseline`: a random genotype, trained"
    )
    dataset: str = Field(description="The data set")
    split: SplitName = Field(description="The split on which the metrics were measured")
    recipe: str = Field(description="Name of the recipe")
    recipe_digest: str = Field(description="Digest of the recipe: only equal ones compare")
    seed: int = Field(description="Seed of the training")
    accuracy: float | None = Field(
        description="Percent of images, pixels or boxes that are right, by the task; null where none was measured"
    )
    metrics: dict[str, float] = Field(
        description="Every metric: `loss` in nats; `accuracy`, `miou` of segmentation, `ap50` of detection in percent"
    )
    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear layers for one image")
    seconds: float = Field(description="Wall-clock time it took, in seconds")
    device: str = Field(description="The device it ran on")
    torch_version: str = Field(description="Version of torch")
    code_version: str = Field(description="Version of this service's code")
    weights: str | None = Field(description="Name of the job's artefact with the weights; null where none were kept")
    provenance: dict[str, Any] = Field(description="Whatever else tells where it comes from")
    created_at: datetime = Field(description="When it was recorded")
    links: EvaluationLinks = Field(description="Where to go from here")


class EvaluationPage(Output):
    """A page of evaluations."""

    items: list[EvaluationView] = Field(description="The evaluations of this page")
    next: str | None = Field(description="Cursor of the next page; null on the last one")
