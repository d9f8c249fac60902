"""Transfers as they are asked for, made complete: the set of architectures, both places, everything checked to fit."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random
from uuid import UUID

from app.api.answers import named_equivalence
from app.api.collection import carried
from app.api.costs import refuse_giants
from app.api.draws import choice_ranks, class_ranks
from app.api.experiments import trained_skeleton, training_recipe
from app.api.membership import given_rank
from app.api.problems import located, relocated, unprocessable
from app.api.schemas.transfer import MAX_MEMBERS, MemberSample, TrainedPlaceBody, TransferBody
from app.api.services import Services
from app.api.tasks import teaching
from app.architecture import Price, architecture_id, judge_of, price_of
from app.catalogue import jobs
from app.experiment import Place, SpaceVersion, TransferRequest, described, recipe_digest
from app.experiment.transfer import Origin
from app.space import SearchSpace, space_to_json
from app.space.validity import valid_ranks

FEWEST = 2  # architectures have an order
ROUNDS = 20  # of drawing, before a space is taken to hold no further architectures


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An architecture of the set, with its prices in both places."""

    index: int
    origin: Origin
    source: Price
    target: Price


class Assembly:
    """The set as it grows: no two of it are one architecture on the source."""

    def __init__(self, space: SearchSpace, source: Place, target: Place) -> None:
        self.space, self.source, self.target = space, source, target
        self.members: dict[int, Member] = {}
        self._alike: dict[Price, list[int]] = {}  # few have the same price, and only those can be the same
        self._identities: dict[int, str] = {}

    def twin(self, index: int, origin: Origin, pointer: str) -> int | None:
        """Takes a member in, or answers the rank of the one that is the same. Raises where it has no network."""
        if index in self.members:
            return index
        prices: list[Price] = []
        for side, place in (("/source", self.source), ("/target", self.target)):
            with (
                relocated("/genotype", pointer),
                relocated("/input", f"{side}/dataset"),
                relocated("/skeleton", f"{side}/skeleton"),
            ):
                price = price_of(self.space, place.skeleton, described(place.dataset, place.data).input, index)
                refuse_giants(price.params, price.macs)
            prices.append(price)
        alike = self._alike.setdefault(prices[0], [])
        for other in alike:
            if self._identity(other) == self._identity(index):
                return other
        alike.append(index)
        self.members[index] = Member(index=index, origin=origin, source=prices[0], target=prices[1])
        return None

    def _identity(self, index: int) -> str:
        if index not in self._identities:
            image = described(self.source.dataset, self.source.data).input
            genotype = self.space.plan.unrank(index)
            self._identities[index] = architecture_id(self.space, self.source.skeleton, image, genotype)
        return self._identities[index]


def same(source: Place, target: Place) -> bool:
    """Whether a training is the same procedure in both places, whatever its recipe is called."""
    named = replace(target, recipe=source.recipe)
    return source == named and recipe_digest(source.recipe) == recipe_digest(target.recipe)


def transfer_request(
    services: Services, space: SearchSpace, body: TransferBody
) -> tuple[TransferRequest, tuple[Member, ...]]:
    """A transfer, complete in itself, and its architectures. Raises where its parts do not fit together."""
    source, target = (
        place_of(services, space, place, pointer)
        for place, pointer in ((body.source, "/source"), (body.target, "/target"))
    )
    if same(source, target):
        raise unprocessable("/target", "the target is the source: data set, skeleton and recipe are all the same")
    members = members_of(services, space, body, Assembly(space, source, target))
    request = TransferRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        genotypes=tuple(space.plan.unrank(member.index) for member in members),
        origins=tuple(member.origin for member in members),
        source=source,
        target=target,
        search=body.search,
        keep_weights=body.keep_weights,
        fan_out=body.fan_out,
        seed=body.seed,
        device=body.device,
    )
    return request, members


def place_of(services: Services, space: SearchSpace, body: TrainedPlaceBody, pointer: str) -> Place:
    """A place with every default chosen."""
    with relocated("/dataset", f"{pointer}/dataset"):
        dataset = teaching(services, space, body.dataset)
    return Place(
        dataset=dataset.reference,
        data=carried(dataset),
        skeleton=trained_skeleton(space, body.skeleton, dataset, f"{pointer}/skeleton"),
        recipe=training_recipe(body.recipe, dataset, f"{pointer}/recipe"),
    )


def members_of(services: Services, space: SearchSpace, body: TransferBody, set_: Assembly) -> tuple[Member, ...]:
    """The set: what is given, what a search has found, and random members, each architecture once."""
    for i, genotype in enumerate(body.genotypes):
        index = given_rank(space, genotype, body.format, f"/genotypes/{i}")
        same = set_.twin(index, "given", f"/genotypes/{i}")
        if same is not None:
            known = list(set_.members).index(same)
            raise unprocessable(f"/genotypes/{i}", f"this is the architecture of /genotypes/{known} again", genotype)
    if body.search is not None:
        set_.twin(found_by(services, space, body.search), "search", "/search")  # one given already stays as given
    if body.sample is not None:
        draw(space, body.sample, set_)
    members = tuple(set_.members.values())
    if not FEWEST <= len(members) <= MAX_MEMBERS:
        message = f"a set has {FEWEST} to {MAX_MEMBERS} architectures, not {len(members)}: give genotypes or a sample"
        raise unprocessable("/sample/count" if body.sample else "/genotypes", message, len(members))
    return members


def found_by(services: Services, space: SearchSpace, search: str) -> int:
    """The rank of what a finished search of the space has found."""
    with services.database.transaction() as session:
        job = jobs.get(session, UUID(search), viewer=services.caller.owner)
    if job is None or job.kind not in ("search", "discrete_search"):
        raise unprocessable("/search", "there is no such search", search)
    searched = job.request["space"]
    if searched["digest"] != space.digest:
        other = f"{searched['name']}@{searched['version']}"
        raise unprocessable("/search", f"it searched another space, {other}", search, (f"a search of {space.name}",))
    genotype = (job.result or {}).get("genotype")
    if job.state != "succeeded" or genotype is None:
        raise unprocessable("/search", f"the search is {job.state} and has no final genotype", search)
    return given_rank(space, genotype, pointer="/search")


def draw(space: SearchSpace, sample: MemberSample, set_: Assembly) -> None:
    """Random members until so many new architectures were found."""
    rng, wanted = Random(sample.seed), len(set_.members) + sample.count
    if wanted > MAX_MEMBERS:
        message = f"a set has at most {MAX_MEMBERS} architectures, not {wanted}"
        raise unprocessable("/sample/count", message, sample.count)
    with located("/sample/distribution"):
        for index in drawn(space, sample, rng):
            set_.twin(index, "sampled", "/sample")
            if len(set_.members) == wanted:
                return
    had = len(set_.members) - (wanted - sample.count)
    raise unprocessable("/sample/count", f"only {had} further architectures were found", sample.count)


def drawn(space: SearchSpace, sample: MemberSample, rng: Random) -> Iterator[int]:
    """Ranks of valid members, some again."""
    for _ in range(ROUNDS):
        match sample.distribution:
            case "uniform":
                ranks, _ = valid_ranks(space, rng, sample.count, judge_of(space))
            case "uniform-unique":
                ranks, _ = class_ranks(space, rng, sample.count, named_equivalence(space, None))
            case "per-choice":
                ranks, _ = choice_ranks(space, rng, sample.count)
        yield from ranks
