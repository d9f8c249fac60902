"""Spaces as they travel: identity, document, sizes, decisions."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.model import Input, Output

Origin = Literal["zoo", "registered"]
VisibilityName = Literal["private", "public"]


class SpaceIdentity(Output):
    """Which space, exactly: an index or an id means nothing without it."""

    name: str = Field(description="Name of the space")
    version: int = Field(description="Version; a changed grammar is a new version")
    digest: str = Field(description="SHA-256 over the space's document, hexadecimal")


class EstimateView(Output):
    """What a sample says of a count."""

    mean: str = Field(description="The unbiased estimate, as a decimal string")
    low: str = Field(description="Lower end of the interval")
    high: str = Field(description="Upper end of the interval")
    confidence: float = Field(description="Probability that such an interval holds the exact count")
    samples: int = Field(description="Members that were drawn")
    seed: int = Field(description="Seed of the draws")


class SizeView(Output):
    """A number of genotypes, and what was counted: exactly, by an estimate, or not at all."""

    exact: str | None = Field(description="The exact count, as a decimal string: it can pass 2^53; null where unknown")
    log10: float | None = Field(description="Decimal logarithm of the exact count, or of the estimate")
    method: str = Field(description="How it was obtained, or why it was not")
    equivalence: str | None = Field(description="The equivalence up to which was counted; null where every one counts")
    estimate: EstimateView | None = Field(description="What a sample says where the exact count is not known")


class FactorView(Output):
    """One independent part of the raw size; the size is their product."""

    path: str = Field(description="Decision path of the part")
    exact: str = Field(description="Number of ways to decide it, as a decimal string")
    log10: float = Field(description="Its decimal logarithm")


class SpaceSizeView(Output):
    """The sizes of a space."""

    space: SpaceIdentity = Field(description="The space that was counted")
    raw: SizeView = Field(description="Members of the grammar")
    valid: SizeView = Field(description="Members that satisfy every constraint")
    unique: list[SizeView] = Field(description="Classes of members, one entry for each equivalence of the space")
    factors: list[FactorView] = Field(description="What the raw size is the product of")
    literature: str = Field(description="What its papers say of the size, and why that differs; empty where they agree")


class SpaceLinks(Output):
    """Where to go from a space."""

    self: str = Field(description="This version of the space")
    size: str = Field(description="Its sizes")
    decisions: str = Field(description="What is decided in it")
    members: str = Field(description="Its members by rank")


class CountQuestion(Input):
    """How many classes are there, exactly?"""

    equivalence: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$", description="What counts as the same: one of the space's equivalences"
    )


class CountView(Output):
    """An exact count that is known already."""

    space: SpaceIdentity = Field(description="The space that was counted")
    size: SizeView = Field(description="The count")


class FormatView(Output):
    """A format of genotypes."""

    name: str = Field(description="Its name, for `format`, `from` and `to`")
    title: str = Field(description="What it is, in one line")
    source: str = Field(description="Where it was published or is exchanged; empty for the space's own")


class SpaceSummary(Output):
    """A space in a listing."""

    name: str = Field(description="Name of the space")
    version: int = Field(description="Its latest version")
    digest: str = Field(description="SHA-256 over the space's document, hexadecimal")
    title: str = Field(description="What it is, in one line")
    origin: Origin = Field(description="`zoo`: part of this service; `registered`: a user's own")
    links: SpaceLinks = Field(description="Where to go from here")


class SpacePage(Output):
    """A page of spaces, in order of their names."""

    items: list[SpaceSummary] = Field(description="The spaces of this page")
    next: str | None = Field(description="Cursor of the next page; null on the last one")


class Ability(Output):
    """Something that can be asked of a space, or cannot, and why."""

    able: bool = Field(description="Whether it can be asked")
    why: str = Field(description="What it rests on, or why it cannot be asked")


class SpaceView(Output):
    """A space: everything that is known of it."""

    name: str = Field(description="Name of the space")
    version: int = Field(description="Version; a changed grammar is a new version")
    digest: str = Field(description="SHA-256 over the space's document, hexadecimal")
    title: str = Field(description="What it is, in one line")
    paper: str = Field(description="Where it was published; empty for a user's own")
    origin: Origin = Field(description="`zoo`: part of this service; `registered`: a user's own")
    visibility: VisibilityName = Field(description="Who may see it: its owner alone, or everyone")
    size: SizeView = Field(description="Members of the grammar; GET the link `size` for valid and unique ones")
    formats: list[FormatView] = Field(description="Formats in which genotypes are read and written")
    encodings: list[str] = Field(description="Encodings as numbers that suit its genotypes")
    skeletons: dict[str, dict[str, Any]] = Field(
        description="Named skeletons: what surrounds the cells or layers and is never decided, by family"
    )
    input: dict[str, int] = Field(description="The image the space was published for: channels, height, width (pixels)")
    constraints: list[dict[str, Any]] = Field(description="Constraints beyond the grammar: name, parameters")
    equivalences: list[str] = Field(description="Named equivalences up to which members can be counted and compared")
    abilities: dict[str, Ability] = Field(description="What can be asked of it and what not, and why")
    notes: list[str] = Field(description="What to know before comparing it with the literature")
    literature: str = Field(description="What its papers say of the size, and why that differs; empty where they agree")
    document: dict[str, Any] = Field(description="The space itself; POST it to /v1/size, or changed to /v1/spaces")
    links: SpaceLinks = Field(description="Where to go from here")


class SpaceQuestion(Input):
    """A question about a space that need not be registered."""

    space: dict[str, Any] = Field(description="A space's document, as GET /v1/spaces/{space} answers it")


class DecisionView(Output):
    """One thing that a genotype decides."""

    path: str = Field(description="Decision path: symbols of the grammar, never positions in the JSON")
    kind: Literal["choice", "subset", "length"] = Field(
        description="`choice`: one option; `subset`: `k` different ones; `length`: how many layers a list has"
    )
    options: list[Any] = Field(description="The symbols of the options")
    k: int = Field(description="How many options are chosen")


class NodeInputs(Output):
    """What one node may read."""

    node: str = Field(description="Decision path of the node")
    inputs: list[Any] = Field(description="The states it may read")


class DecisionsView(Output):
    """Everything that is decided in a space."""

    space: SpaceIdentity = Field(description="The space")
    decisions: list[DecisionView] = Field(description="Every decision, in the order of the grammar")
    nodes: list[NodeInputs] = Field(description="For each node that chooses its inputs, the states it may read")
