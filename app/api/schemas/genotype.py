"""Questions about genotypes and their answers, one at a time and in batches."""

from typing import Annotated, Any, Literal

from pydantic import Field

from app.api.schemas.model import Input, Output
from app.api.schemas.problem import FaultView
from app.api.schemas.skeleton import ImageBody, SkeletonChoice
from app.api.schemas.space import SpaceIdentity

Genotype = Annotated[Any, Field(description="A genotype: JSON in the space's own shape, or what `format` says")]
Equivalence = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Index = Annotated[str, Field(description="Rank in [0, size), as a decimal string: it can pass 2^53")]
Format = Annotated[
    str,
    Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="Name of one of the space's formats; GET /v1/spaces/{space} lists them",
    ),
]


class GenotypeQuestion(Input):
    """A question about one genotype."""

    genotype: Genotype
    format: Format = Field(default="json", description="Format of the genotype")


class NeighbourQuestion(GenotypeQuestion):
    """Which genotypes are one decision away?"""

    limit: int = Field(default=200, ge=1, le=1000, description="At most so many neighbours are answered")


class CanonicalQuestion(GenotypeQuestion):
    """Which form stands for everything that is the same?"""

    equivalence: Equivalence | None = Field(
        default=None,
        description="What counts as the same: one of the space's equivalences; default: its structural one",
    )


class NetworkQuestion(GenotypeQuestion):
    """A question about the network that a genotype is on a skeleton."""

    skeleton: SkeletonChoice | None = Field(
        default=None,
        description="Name of one of the space's skeletons, or one as an object; default: `cifar`, else the first",
    )
    input: ImageBody | None = Field(default=None, description="The input image; default: the space's own")


class SampleQuestion(Input):
    """A question for random genotypes."""

    count: int = Field(default=1, ge=1, le=1000, description="How many genotypes")
    seed: int = Field(default=0, ge=0, lt=2**63, description="Seed; the same seed gives the same genotypes")
    distribution: Literal["uniform", "uniform-unique", "per-choice"] = Field(
        default="uniform",
        description="`uniform` over the members, `uniform-unique` over the classes of an equivalence, each by its "
        "canonical form, or independently `per-choice` over the options",
    )
    equivalence: Equivalence | None = Field(
        default=None, description="Whose classes `uniform-unique` draws; default: the space's structural equivalence"
    )


class ValidationView(Output):
    """Whether a genotype is a valid member; if not, everything that is wrong and the nearest valid member."""

    space: SpaceIdentity = Field(description="The space")
    valid: bool = Field(description="Whether it is a member that meets the constraints")
    errors: list[FaultView] = Field(description="Everything that is wrong, each with its place; empty for a member")
    repair: Any = Field(description="The nearest valid member; null for one, and for what is not given as JSON")
    index: str | None = Field(description="Rank in [0, size), as a decimal string; null unless valid")
    canonical_id: str | None = Field(description="Identity up to the space's relabelling; null unless valid")


class IndexedGenotype(Output):
    """A genotype with its rank."""

    index: Index
    genotype: Genotype
    valid: bool = Field(description="Whether it meets the space's constraints; without any, every member does")


class SampleView(Output):
    """Random genotypes."""

    space: SpaceIdentity = Field(description="The space")
    distribution: str = Field(description="What they were drawn from")
    equivalence: str | None = Field(description="The equivalence whose classes were drawn; null unless asked for")
    seed: int = Field(description="The seed")
    acceptance: float = Field(description="Share of the draws that were kept: 1 where none had to be rejected")
    items: list[IndexedGenotype] = Field(description="The genotypes, in the order they were drawn")


class MemberLinks(Output):
    """Where to go from a member; each is immutable and may be cached for ever."""

    self: str = Field(description="The member")
    cost: str = Field(description="Its cost on the space's default skeleton")
    canonical: str = Field(description="Its canonical form")
    svg: str = Field(description="Its drawing")


class MemberView(Output):
    """A member of a space."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    genotype: Genotype
    valid: bool = Field(description="Whether it meets the space's constraints; without any, every member does")
    links: MemberLinks = Field(description="Where to go from here")


class MemberPage(Output):
    """Members by rank."""

    space: SpaceIdentity = Field(description="The space")
    items: list[IndexedGenotype] = Field(description="Members of consecutive rank")
    next: str | None = Field(description="`start` of the next page, as a decimal string; null after the last member")


class NeighbourView(Output):
    """The genotypes one decision away."""

    space: SpaceIdentity = Field(description="The space")
    index: Index
    items: list[IndexedGenotype] = Field(description="The neighbours, each once")
    complete: bool = Field(description="Whether these are all; false where `limit` cut them off")


class CanonicalView(Output):
    """The member that stands for a genotype and everything that is the same: the lowest-ranked of its class."""

    space: SpaceIdentity = Field(description="The space")
    equivalence: str | None = Field(
        description="The equivalence whose class it stands for; null where the space has none and it stands for itself"
    )
    index: Index
    genotype: Genotype
    canonical_id: str = Field(description="Digest of the space and rank of the canonical form")
