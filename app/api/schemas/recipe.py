"""Recipes as they are asked for: a name, or every field that differs from the family's defaults."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, ValidationInfo, field_validator

from app.api.schemas.model import Input, Output, name_or_object
from app.api.schemas.skeleton import Name
from app.experiment import Pressure, SearchRecipe, TrainingRecipe

RecipeName = Annotated[Name, Field(description="Name under which results are listed; it takes no part in the digest")]
Rate = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Pixels = Annotated[int, Field(ge=0, le=256)]
PrecisionName = Literal["float32", "bfloat16"]


class TrainingRecipeBody(Input):
    """SGD with a cosine schedule: everything that decides a training besides architecture, data and seed."""

    name: RecipeName = "custom"
    epochs: int = Field(default=600, ge=1, le=2000, description="Passes over the training images")
    batch_size: int = Field(default=96, ge=1, le=8192, description="Images in a step")
    learning_rate: Rate = Field(default=0.025, description="Learning rate at the start")
    min_learning_rate: Rate = Field(default=0.0, description="Learning rate at the end")
    warmup_epochs: int = Field(default=0, ge=0, le=2000, description="Epochs of linear warm-up")
    momentum: Share = Field(default=0.9, description="Momentum of SGD")
    nesterov: bool = Field(default=False, description="Nesterov's momentum, which needs `momentum` above 0")
    weight_decay: Rate = Field(default=3e-4, description="Weight decay")
    gradient_clip: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = Field(
        default=5.0, description="Largest norm of a gradient; 0 leaves gradients alone"
    )
    label_smoothing: Share = Field(default=0.0, description="Share of the label spread over all classes")
    auxiliary_weight: Rate = Field(default=0.4, description="Weight of the auxiliary head's loss, where there is one")
    drop_path: Share = Field(default=0.2, description="Probability of dropping a path at the end; grows from 0")
    cutout: Pixels = Field(default=16, description="Side of the blanked square, in pixels; 0 for none")
    crop_padding: Pixels = Field(default=4, description="Padding before a random crop, in pixels; 0 for none")
    flip: bool = Field(default=True, description="Random horizontal flips")
    precision: PrecisionName = Field(default="float32", description="Precision of activations where the device has it")
    deterministic: bool = Field(default=False, description="Repeatable to the bit on one device, and slower")

    @field_validator("nesterov")
    @classmethod
    def _has_momentum(cls, nesterov: bool, info: ValidationInfo) -> bool:
        if nesterov and not info.data.get("momentum", 1.0):
            raise ValueError("Nesterov's momentum needs `momentum` above 0")
        return nesterov

    def recipe(self) -> TrainingRecipe:
        """The domain's value."""
        return TrainingRecipe(**self.model_dump())


class PressureBody(Input):
    """What a search pays for expensive options."""

    cost: Literal["params", "macs", "latency_ms"] = Field(description="What makes an option expensive")
    strength: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = Field(
        description="Nats added to the architecture loss for what undecided options cost; in proportion to the "
        "expected cost of all that is decided"
    )
    device: str | None = Field(
        default=None, min_length=1, max_length=200, description="Device whose lookup table the latencies are of"
    )

    def pressure(self) -> Pressure:
        """The domain's value."""
        return Pressure(**self.model_dump())


class SearchRecipeBody(Input):
    """DARTS' bilevel search: SGD on weights, Adam on architecture parameters."""

    name: RecipeName = "custom"
    epochs: int = Field(default=50, ge=1, le=1000, description="Passes over the images of the split `weights`")
    batch_size: int = Field(default=64, ge=1, le=8192, description="Images in a step")
    learning_rate: Rate = Field(default=0.025, description="Learning rate of the weights at the start")
    min_learning_rate: Rate = Field(default=0.001, description="Learning rate of the weights at the end")
    momentum: Share = Field(default=0.9, description="Momentum of SGD")
    weight_decay: Rate = Field(default=3e-4, description="Weight decay of the weights")
    gradient_clip: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = Field(
        default=5.0, description="Largest norm of a gradient; 0 leaves gradients alone"
    )
    alpha_learning_rate: Rate = Field(default=3e-4, description="Learning rate of the architecture parameters")
    alpha_weight_decay: Rate = Field(default=1e-3, description="Weight decay of the architecture parameters")
    alpha_betas: Annotated[list[Annotated[float, Field(ge=0, lt=1)]], Field(min_length=2, max_length=2)] = Field(
        default=[0.5, 0.999], description="Adam's two decay rates for the architecture parameters"
    )
    alpha_warmup_epochs: int = Field(default=0, ge=0, le=1000, description="Epochs in which only the weights learn")
    crop_padding: Pixels = Field(default=4, description="Padding before a random crop, in pixels; 0 for none")
    flip: bool = Field(default=True, description="Random horizontal flips")
    cutout: Pixels = Field(default=0, description="Side of the blanked square, in pixels; 0 for none")
    precision: PrecisionName = Field(default="float32", description="Precision of activations where the device has it")
    deterministic: bool = Field(default=False, description="Repeatable to the bit on one device, and slower")
    pressure: PressureBody | None = Field(default=None, description="What expensive options cost; default: nothing")
    curvature_every: int = Field(
        default=0,
        ge=0,
        le=1000,
        description="Epochs between two measurements of how sharply the loss bends along the architecture parameters; "
        "0 for none",
    )
    curvature_stop: Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)] = Field(
        default=0.0, description="End the search where that has grown to so many times what it was; 0 never"
    )

    def recipe(self) -> SearchRecipe:
        """The domain's value."""
        first, second = self.alpha_betas
        pressure = None if self.pressure is None else self.pressure.pressure()
        fields: dict[str, Any] = self.model_dump() | {"alpha_betas": (first, second), "pressure": pressure}
        return SearchRecipe(**fields)


TrainingRecipeChoice = Annotated[
    Annotated[Name, Tag("name")] | Annotated[TrainingRecipeBody, Tag("object")], Discriminator(name_or_object)
]
SearchRecipeChoice = Annotated[
    Annotated[Name, Tag("name")] | Annotated[SearchRecipeBody, Tag("object")], Discriminator(name_or_object)
]


class RecipeView(Output):
    """A recipe; two results compare only where their recipe digests are equal."""

    name: str = Field(description="Name of the recipe")
    kind: Literal["search", "training"] = Field(description="What it is a recipe for")
    digest: str = Field(description="SHA-256 over every field but the name, hexadecimal")
    fields: dict[str, Any] = Field(description="Every field, as POST /v1/searches and /v1/trainings accept them")


class RecipeList(Output):
    """The recipes that have a name."""

    items: list[RecipeView] = Field(description="All of them, by kind and name")
