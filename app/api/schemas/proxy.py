"""Zero-cost proxies as they travel: what there are, and what was computed."""

from typing import Any

from pydantic import Field

from app.api.schemas.genotype import Index
from app.api.schemas.model import Output
from app.api.schemas.space import SpaceIdentity


class NeedView(Output):
    """Something that a proxy needs to be defined."""

    name: str = Field(description="`images`, `labels`, `classes`, `relu` or `batch_norm`")
    meaning: str = Field(description="What that is")


class ProxyView(Output):
    """A zero-cost proxy; more is taken to be better."""

    name: str = Field(description="Name of the proxy")
    title: str = Field(description="What it tells, in one line")
    formula: str = Field(
        description="How it is computed: L is the cross-entropy of the batch, w the weights of convolutions and linear "
        "maps, a the values of a channel"
    )
    paper: str = Field(description="Where it was proposed")
    link: str = Field(description="URL of the paper")
    needs: list[NeedView] = Field(description="What it needs; of a network without that it has no value")


class ProxyList(Output):
    """The zero-cost proxies."""

    items: list[ProxyView] = Field(description="All of them")


class ScoreLinks(Output):
    """Where to go from an architecture's proxies."""

    member: str = Field(description="The member of the space")
    cost: str = Field(description="What it costs")


class ScoreView(Output):
    """The proxies of one architecture."""

    architecture_id: str = Field(description="Id of the architecture, whether or not it is catalogued")
    index: Index
    genotype: Any = Field(description="The genotype")
    values: dict[str, float | None] = Field(description="By proxy; null where it is not defined")
    reasons: dict[str, str] = Field(description="By proxy that is not defined: why")
    seconds: dict[str, float] = Field(description="By proxy: how long it took")
    links: ScoreLinks = Field(description="Where to go from here")


class ScoresView(Output):
    """What a profile computed of zero-cost proxies."""

    job: str = Field(description="UUID of the profile")
    space: SpaceIdentity = Field(description="The space")
    proxies: list[str] = Field(description="The proxies, in the order in which they were asked for")
    dataset: str = Field(description="Reference of the data set")
    split: str = Field(description="The split that the batch is drawn from")
    images: int = Field(description="Images in the batch")
    seed: int = Field(description="Seed of the batch and of the networks' initial weights")
    skeleton: dict[str, Any] = Field(description="Skeleton of the networks")
    input: dict[str, int] = Field(description="Their input image: channels, height and width")
    device: str = Field(description="Name of the processor or GPU")
    torch_version: str = Field(description="Version of torch")
    code_version: str = Field(description="Version of this service's code")
    items: list[ScoreView] = Field(description="The architectures, in the order in which they were asked for")
