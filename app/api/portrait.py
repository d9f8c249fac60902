"""What is told of a space: its summary, its sizes, what can be asked of it and what not."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from math import log10

from app.api.answers import Network, Supernet, chosen_skeleton, identity, network_cost, supernet_cost
from app.api.problems import Problem
from app.api.schemas.space import (
    Ability,
    EstimateView,
    FactorView,
    Origin,
    SizeView,
    SpaceLinks,
    SpaceSizeView,
    SpaceSummary,
    SpaceView,
)
from app.architecture import LoweringError
from app.catalogue import RegisteredSpace
from app.space import SearchSpace, Size, SpaceSize, space_size, space_to_json

FORMATS = ("json",)


@dataclass(frozen=True, slots=True)
class Counted:
    """What decides the sizes of a space."""

    space: SearchSpace = field(compare=False)
    digest: str
    equivalences: tuple[str, ...]


@lru_cache(maxsize=256)
def sizes(counted: Counted) -> SpaceSize:
    """The sizes of a space, counted once: classes of large spaces take a while."""
    return space_size(counted.space)


def sizes_of(space: SearchSpace) -> SpaceSize:
    """The sizes of a space."""
    return sizes(Counted(space, space.digest, tuple(e.name for e in space.equivalences)))


def size_view(space: SearchSpace) -> SpaceSizeView:
    """The sizes of a space as they travel."""
    found = sizes_of(space)
    return SpaceSizeView(
        space=identity(space),
        raw=one_size(found.raw),
        valid=one_size(found.valid),
        unique=[one_size(size) for size in found.unique],
        factors=[FactorView(path=f.path, exact=str(f.size), log10=log10(f.size)) for f in space.plan.factors()],
    )


def one_size(size: Size) -> SizeView:
    """One count as it travels."""
    found = size.estimate
    return SizeView(
        exact=None if size.exact is None else str(size.exact),
        log10=size.log10,
        method=size.method,
        equivalence=size.equivalence,
        estimate=None
        if found is None
        else EstimateView(
            mean=str(found.mean),
            low=str(found.low),
            high=str(found.high),
            confidence=found.confidence,
            samples=found.samples,
            seed=found.seed,
        ),
    )


def links(name: str, version: int) -> SpaceLinks:
    """Where to go from a version of a space."""
    here = f"/v1/spaces/{name}@{version}"
    return SpaceLinks(self=here, size=f"{here}/size", decisions=f"{here}/decisions", members=f"{here}/members")


def space_summary(space: SearchSpace | RegisteredSpace, origin: Origin) -> SpaceSummary:
    """A space in a listing."""
    return SpaceSummary(
        name=space.name,
        version=space.version,
        digest=space.digest,
        title=space.title,
        origin=origin,
        links=links(space.name, space.version),
    )


def space_view(space: SearchSpace, origin: Origin) -> SpaceView:
    """Everything that is known of a space."""
    document = space_to_json(space)
    return SpaceView(
        name=space.name,
        version=space.version,
        digest=space.digest,
        title=space.title,
        paper=space.paper,
        origin=origin,
        size=one_size(sizes_of(space).raw),
        formats=list(FORMATS),
        skeletons=document["skeletons"],
        input=asdict(space.input),
        constraints=[constraint.name for constraint in space.constraints],
        equivalences=[equivalence.name for equivalence in space.equivalences],
        abilities=dict(abilities(space)),
        notes=list(space.notes),
        document=document,
        links=links(space.name, space.version),
    )


def abilities(space: SearchSpace) -> Mapping[str, Ability]:
    """What can be asked of a space, found by asking it."""
    always = Ability(able=True, why="the grammar answers exactly")
    questions = ("size", "decisions", "validate", "sample", "members", "neighbours")
    counted = [size.equivalence for size in sizes_of(space).unique if size.exact is not None]
    unique = Ability(
        able=bool(counted),
        why=f"exactly, up to {', '.join(map(str, counted))}" if counted else "no equivalence of it is counted exactly",
    )
    try:
        skeleton = chosen_skeleton(space, None)
    except Problem as problem:
        network = supernet = Ability(able=False, why=problem.detail)
    else:
        network = network_ability(Network(space, space.digest, 0, skeleton, space.input))
        supernet = supernet_ability(Supernet(space, space.digest, skeleton, space.input))
    asked = {"unique_size": unique, "cost": network, "train": network, "search": supernet}
    return dict.fromkeys(questions, always) | asked


@lru_cache(maxsize=256)
def network_ability(network: Network) -> Ability:
    """Whether members have networks, judged by the first one on the default skeleton."""
    try:
        network_cost(network)
    except LoweringError as error:
        return Ability(able=False, why=str(error))
    return Ability(able=True, why="members have networks on the space's skeletons")


@lru_cache(maxsize=256)
def supernet_ability(supernet: Supernet) -> Ability:
    """Whether the undecided space has a supernet on the default skeleton; refusing a large one takes seconds."""
    try:
        supernet_cost(supernet)
    except LoweringError as error:
        return Ability(able=False, why=str(error))
    return Ability(able=True, why="the undecided space has a supernet on the space's skeletons")
