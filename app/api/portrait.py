"""What is told of a space: its summary, what can be asked of it and what not, and why."""

from collections.abc import Mapping
from dataclasses import asdict

from app.api.answers import chosen_skeleton
from app.api.costs import Network, Supernet, network_cost, supernet_cost
from app.api.draws import some_rank
from app.api.problems import Problem
from app.api.schemas.space import Ability, FormatView, Origin, SpaceLinks, SpaceSummary, SpaceView, VisibilityName
from app.api.sizes import one_size
from app.api.variation import encodings
from app.architecture import LoweringError
from app.architecture.formats import formats_of
from app.catalogue import RegisteredSpace
from app.space import SearchSpace, space_to_json
from app.space.classes import default_reading, readings_of
from app.space.counting import exactly
from app.space.derived import derived


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


def space_view(space: SearchSpace, origin: Origin, visibility: VisibilityName) -> SpaceView:
    """Everything that is known of a space."""
    document = space_to_json(space)
    return SpaceView(
        name=space.name,
        version=space.version,
        digest=space.digest,
        title=space.title,
        paper=space.paper,
        origin=origin,
        visibility=visibility,
        size=one_size(exactly(space.plan.size, "sums and products over the grammar")),
        formats=[FormatView(name=f.name, title=f.title, source=f.source) for f in formats_of(space)],
        encodings=list(encodings(space)),
        skeletons=document["skeletons"],
        input=asdict(space.input),
        constraints=document["constraints"],
        equivalences=[equivalence.name for equivalence in space.equivalences],
        abilities=dict(abilities(space)),
        notes=list(space.notes),
        literature=space.literature,
        document=document,
        links=links(space.name, space.version),
    )


ALWAYS = ("size", "decisions", "validate", "sample", "members", "neighbours", "mutate", "crossover", "diff", "encode")


@derived
def abilities(space: SearchSpace) -> Mapping[str, Ability]:
    """What can be asked of a space, found by asking it."""
    formats = ", ".join(f.name for f in formats_of(space))
    asked = {"convert": Ability(able=True, why=f"between {formats}"), **by_classes(space), **by_networks(space)}
    return dict.fromkeys(ALWAYS, Ability(able=True, why="the grammar answers exactly")) | asked


def by_classes(space: SearchSpace) -> dict[str, Ability]:
    """What rests on the space's equivalences."""
    read, default = readings_of(space), default_reading(space)
    if default is None:
        why = "it names no equivalence that its structure suits; every member stands for itself"
        return {"canonical": Ability(able=False, why=why), "unique_size": Ability(able=False, why=why)}
    names = ", ".join(read)
    canonical = Ability(able=True, why=f"up to {names}; {default.equivalence} where none is named")
    return {"canonical": canonical, "unique_size": Ability(able=True, why=f"up to {names}; its size says how")}


def by_networks(space: SearchSpace) -> dict[str, Ability]:
    """What rests on the networks of members, judged by one of them on the default skeleton, and on the supernet."""
    index = some_rank(space)
    if index is None:
        none = Ability(able=False, why="no member was found that meets its constraints")
        return {"cost": none, "train": none, "search": none}
    try:
        skeleton = chosen_skeleton(space, None)
    except Problem as problem:
        network = supernet = Ability(able=False, why=problem.detail)
    else:
        network = supernet = Ability(able=True, why="members have networks on the space's skeletons")
        try:
            network_cost(Network(space, space.digest, index, skeleton, space.input))
        except LoweringError as error:
            network = Ability(able=False, why=str(error))
        try:
            supernet_cost(Supernet(space, space.digest, skeleton, space.input))
            supernet = Ability(able=True, why="the undecided space has a supernet on the space's skeletons")
        except LoweringError as error:
            supernet = Ability(able=False, why=str(error))
            if network.able:
                network = Ability(able=True, why=f"member {index} has a network, not all need have: {error}")
    return {"cost": network, "supernet": supernet, "train": network, "search": supernet}
