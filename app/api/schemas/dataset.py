"""Data sets as they travel, and what is said of one that is added."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.model import FREE_TEXT, PRIORITY, Output
from app.experiment import MAX_PRIORITY, DatasetFormat, Layout, Task

DatasetName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}(@[0-9a-f]{8,64})?$")]
OwnName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
SourceName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Text = Annotated[str, Field(max_length=2000, pattern=FREE_TEXT)]
Size = Annotated[int | None, Field(ge=1, le=2_000_000)]


class DatasetOptions(BaseModel):
    """What is said of images that are uploaded, in the query."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: OwnName | None = Field(default=None, description="Name of the data set; it never stands for another one")
    format: DatasetFormat | None = Field(default=None, description="What is sent; default: by its first bytes")
    visibility: Literal["private", "public"] = Field(default="private", description="Who may see it and train on it")
    title: Text = Field(default="", description="What it is, in one line; default: its name")
    licence: Text = Field(default="", description="Its licence, e.g. CC BY 4.0")
    source: Text = Field(default="", description="Where it comes from")
    notes: Text = Field(default="", description="What to know before believing a number measured on it")
    levels: int = Field(default=255, ge=1, le=255, description="The largest value that a pixel can have")
    layout: Layout = Field(default="auto", description="Which axis of an array of four has the channels")
    weights: Size = Field(default=None, description="Images to draw into the split `weights`; default: by share")
    architecture: Size = Field(default=None, description="Images to draw into the split `architecture`")
    selection: Size = Field(default=None, description="Images to draw into the split `selection`")
    test: Size = Field(default=None, description="Images to draw into the split `test`")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Seed of drawing splits, stratified by class")


class DatasetQuery(DatasetOptions):
    """The same, and how urgent the job is."""

    priority: int = Field(default=0, ge=-MAX_PRIORITY, le=MAX_PRIORITY, description=PRIORITY)


class DatasetBody(DatasetOptions):
    """A file or a folder in the data root to make a data set of."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: OwnName = Field(description="Name of the data set; it never stands for another one")  # pyright: ignore[reportGeneralTypeIssues, reportIncompatibleVariableOverride]
    path: SourceName = Field(description="Name of a file or a folder in the folder `datasets` of the data root")


class NormalisationView(Output):
    """Statistics of the images that are fitted to, `weights` and `architecture` together, on the scale [0, 1]."""

    mean: list[float] = Field(description="Mean of each channel")
    deviation: list[float] = Field(description="Standard deviation of each channel")


class DatasetView(Output):
    """A data set: shapes, classes, splits, licence."""

    name: str = Field(description="Name of the data set")
    reference: str = Field(description="What results name: of a registered one, its name and digits of its digest")
    origin: Literal["built-in", "registered"] = Field(description="Where it comes from")
    visibility: Literal["private", "public"] = Field(description="Who may see it")
    title: str = Field(description="What it is, in one line")
    task: Task = Field(description="What its labels teach: a class an image, a class a pixel, or boxes with classes")
    input: dict[str, int] = Field(description="One image: channels, height, width (pixels)")
    num_classes: int = Field(description="Number of classes")
    classes: list[str] = Field(description="Their names in the order of the labels; empty where they have none")
    splits: dict[Literal["weights", "architecture", "selection", "test"], int] = Field(
        description="Images in each split; `test` is read once, at the end"
    )
    licence: str = Field(description="Its licence; empty where nobody said")
    source: str = Field(description="Where it comes from")
    packaged: bool = Field(
        description="Whether it is shipped with the workers; otherwise its files are in the data root"
    )
    notes: str = Field(description="What to know before believing a number measured on it")
    digest: str | None = Field(description="SHA-256 of its file: pixels, labels and splits; null of a built-in one")
    pixels_digest: str | None = Field(description="SHA-256 of its pixels alone; null of a built-in one")
    bytes: int | None = Field(description="Bytes of its file; null of a built-in one")
    levels: int | None = Field(description="The largest value a pixel can have; null of a built-in one")
    normalisation: NormalisationView | None = Field(description="Measured statistics; null of a built-in one")
    created_at: datetime | None = Field(description="When it was registered; null of a built-in one")


class DatasetList(Output):
    """A page of data sets."""

    items: list[DatasetView] = Field(description="Built-in ones on the first page, then registered ones, by name")
    next: str | None = Field(description="Cursor of the next page; null at the end")
