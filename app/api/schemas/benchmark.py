"""Tabular benchmarks as they travel, and what is said of one that is added."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.api.schemas.architecture import SpaceReference
from app.api.schemas.dataset import SourceName
from app.api.schemas.evaluation import SplitName
from app.api.schemas.model import FREE_TEXT, PRIORITY, Input, Output
from app.api.schemas.space import SpaceIdentity, VisibilityName
from app.experiment import MAX_PRIORITY

MAX_METRICS = 64

MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
Column = Annotated[str, Field(min_length=1, max_length=200, pattern=FREE_TEXT)]
Assigned = Annotated[str, Field(max_length=300, pattern=r"^[a-z][a-z0-9_]{0,63}=[^\x00]+$")]
Named = Annotated[str, Field(pattern=r"^[A-Za-z0-9][\w.@-]{0,127}$")]
Said = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
FileName = Annotated[str, Field(min_length=1, max_length=255, pattern=FREE_TEXT)]
FormatName = Annotated[str, Field(max_length=64, pattern=FREE_TEXT)]
SkeletonName = Annotated[str, Field(max_length=64, pattern=FREE_TEXT)]

SPACE = "Space of its genotypes; without a version, the latest"
GENOTYPE = "Column of the genotypes"
DATASET = "Data set that they were measured on, by the name that results are to carry"
RECIPE = "A name of the recipe that they were trained under"
SOURCE = "Where the table comes from: the paper, the repository. It tells recipes of one name apart"
LICENCE = "Licence of the table"
FORMAT = "Format of the genotypes; GET /v1/spaces/{space} lists those of the space"
SPLIT = "What was measured on; a search that is guided by `test` is an oracle experiment"
SKELETON = "Name of the space's skeleton; default: `cifar`, else its first"
SEED = "Seed of all rows, or the column of seeds"
FRACTIONS = "Whether accuracies are in [0, 1], not in percent"
DRY_RUN = "Whether the job only reads and judges every row, and writes nothing"


class BenchmarkBody(Input):
    """A table in the data root, and what its numbers are."""

    path: SourceName = Field(description="Name of a file in the folder `tables` of the data root")
    space: SpaceReference
    genotype: Column = Field(description=GENOTYPE)
    metrics: dict[MetricName, Column] = Field(
        min_length=1, max_length=MAX_METRICS, description="Column of each metric; `accuracy` is in percent"
    )
    dataset: Named = Field(description=DATASET)
    recipe: Named = Field(description=RECIPE)
    source: Said = Field(description=SOURCE)
    licence: Said = Field(description=LICENCE)
    format: FormatName = Field(default="json", description=FORMAT)
    split: SplitName = Field(default="test", description=SPLIT)
    skeleton: SkeletonName | None = Field(default=None, description=SKELETON)
    seed: Annotated[int, Field(ge=0, lt=10**18)] | Column = Field(default=0, description=SEED)
    fractions: bool = Field(default=False, description=FRACTIONS)


class BenchmarkQuery(BaseModel):
    """The same of a table that is uploaded, in the query, and how the job is given."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: FileName | None = Field(default=None, description="Name of the file, which its results tell; `table` if not")
    space: SpaceReference | None = Field(default=None, description=SPACE)
    genotype: Column | None = Field(default=None, description=GENOTYPE)
    metric: Annotated[list[Assigned], Field(max_length=MAX_METRICS)] | None = Field(
        default=None, description="`NAME=COLUMN`, once for each metric; `accuracy` is in percent"
    )
    dataset: Named | None = Field(default=None, description=DATASET)
    recipe: Named | None = Field(default=None, description=RECIPE)
    source: Said | None = Field(default=None, description=SOURCE)
    licence: Said | None = Field(default=None, description=LICENCE)
    format: FormatName | None = Field(default=None, description=FORMAT + "; default: `json`")
    split: SplitName | None = Field(default=None, description=SPLIT + "; default: `test`")
    skeleton: SkeletonName | None = Field(default=None, description=SKELETON)
    seed: Column | None = Field(default=None, description=SEED + "; default: 0")
    fractions: bool | None = Field(default=None, description=FRACTIONS)
    dry_run: bool = Field(default=False, description=DRY_RUN)
    visibility: Literal["private", "public"] = Field(
        default="private", description="Who sees the job and its results: their owner alone, or everyone"
    )
    priority: int = Field(default=0, ge=-MAX_PRIORITY, le=MAX_PRIORITY, description=PRIORITY)


class CatalogueView(Output):
    """How a search names the results of a table: its `evaluator`."""

    kind: Literal["catalogue"] = Field(description="Results that the catalogue has")
    dataset: str = Field(description="Data set that they were measured on")
    split: SplitName = Field(description="What was measured on")
    recipe: str = Field(description="Digest of their recipe")
    evaluation: Literal["trained"] = Field(description="How the weights came about")


class BenchmarkRows(Output):
    """What became of the rows of a table: sound + repeated + refused = rows."""

    rows: int = Field(description="Rows of the file")
    sound: int = Field(description="Rows that are an evaluation each")
    repeated: int = Field(description="Rows that say what an earlier one of the same architecture and seed has said")
    refused: int = Field(description="Rows that were not taken; the job's result names the first hundred, and why")
    architectures: int = Field(description="Architectures that the sound rows are of")


class BenchmarkLinks(Output):
    """Where to go from a table."""

    self: str = Field(description="The table")
    job: str = Field(description="The job that read it, whose request says every option")
    series: str = Field(description="Jobs of its further seeds, and of further results of one architecture")
    evaluations: str = Field(description="Its results, the best first")


class BenchmarkView(Output):
    """A table of architectures and what was measured of them, as it was imported."""

    id: str = Field(description="UUID of the table, and of its job")
    file: str = Field(description="Name of its file")
    source: str = Field(description="Where it comes from")
    licence: str = Field(description="Its licence")
    sha256: str = Field(description="SHA-256 of its file")
    visibility: VisibilityName = Field(description="Who sees it")
    space: SpaceIdentity = Field(description="Space of its genotypes")
    skeleton: str = Field(description="Name of the skeleton that its architectures are on")
    metrics: dict[str, str] = Field(description="Column of each metric")
    dataset: str = Field(description="Data set that they were measured on")
    split: SplitName = Field(description="What was measured on")
    recipe: str = Field(description="Name of the recipe")
    recipe_digest: str = Field(description="Its digest, unlike that of every recipe that is run here")
    seeds: list[int] = Field(description="Seeds that its rows have")
    rows: BenchmarkRows = Field(description="What became of its rows")
    evaluator: CatalogueView = Field(description="As the `evaluator` of POST /v1/searches: a search on this table")
    oracle: bool = Field(description="Whether such a search sees the split that is to be read once, at the end")
    label: str | None = Field(description="What is then to be shown with every number of it; else null")
    created_at: datetime = Field(description="When it was imported")
    links: BenchmarkLinks = Field(description="Where to go from here")


class BenchmarkList(Output):
    """A page of tables, the latest first."""

    items: list[BenchmarkView] = Field(description="The tables of this page")
    next: str | None = Field(description="Cursor of the next page; null at the end")
