"""Profiles as they are asked for, made complete: every default chosen, everything checked to have a network."""

from collections.abc import Collection
from dataclasses import asdict, dataclass

from app.api.answers import chosen_image, chosen_skeleton
from app.api.collection import carried, dataset_named
from app.api.costs import refuse_giants
from app.api.experiments import trained_skeleton
from app.api.fairness import Opened, needed_entries
from app.api.latencies import known_entries, table_of
from app.api.library import find_space
from app.api.membership import given_rank
from app.api.problems import relocated, unprocessable
from app.api.schemas.profile import OperationBody, ProfileBody
from app.api.services import Services
from app.api.tasks import teachable
from app.architecture import Graph, LoweringError, count, lower, lower_operation, macs
from app.architecture.entries import entries
from app.experiment import (
    KnownEntries,
    ProfiledOperation,
    ProfileRequest,
    SpaceVersion,
    WantedProxies,
    described,
)
from app.space import ImageInput, SearchSpace, Skeleton, space_to_json

DIGITS = "digits"  # the data set that every worker has
MAX_ENTRIES = 5_000
MAX_MACS = 10**13  # of one pass over a batch: minutes on a processor


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurable:
    """A request that a worker can serve, and what it will measure."""

    request: ProfileRequest
    space: SearchSpace | None
    operations: int  # distinct ones
    architectures: int
    entries: tuple[str, ...]
    known: int  # entries that the table has

    @property
    def measurements(self) -> int:
        """How many there will be."""
        return (self.operations + self.architectures) * self.request.whole + len(self.entries)


def measurable(services: Services, body: ProfileBody) -> Measurable:
    """A profile, complete in itself. Raises where a part of it cannot be measured."""
    if not (body.operations or body.genotypes or body.members or body.every):
        message = (
            "nothing is to be measured: give operations, genotypes or members of a space, or ask for `every` entry"
        )
        raise unprocessable("", message)
    wanted = wanted_proxies(services, body)
    timed = not body.proxies or bool(body.operations) or body.every or body.lacked_by is not None
    whole, entries_too = (timed if told is None else told for told in (body.whole, body.entries))
    if not (whole or entries_too or wanted):
        raise unprocessable("/whole", "nothing is to be measured: neither as a whole nor by entries", False, (True,))
    graphs: list[tuple[Graph, bool]] = []
    operations = tuple(dict.fromkeys(asked_operation(asked) for asked in body.operations))
    for i, asked in enumerate(body.operations):
        graphs.append((operation_graph(i, asked, body.batch_size), False))
    space, skeleton, image, ranks = members_of(services, body)
    if wanted is not None:
        skeleton, image = scored_on(space, body, wanted, ranks)
    if space is not None and skeleton is not None and image is not None:
        for rank, place in ranks.items():
            with relocated("/genotype", place):
                graph = lower(space.grammar, skeleton, image, space.plan.read(space.plan.unrank(rank)))
            affordable(graph, body.batch_size if wanted is None else max(body.batch_size, wanted.images), place)
            graphs.append((graph, True))
    keys = dict.fromkeys(entry.key for graph, image in graphs for entry in entries(graph, image=image))
    if body.every and space is not None and skeleton is not None and image is not None:
        keys |= dict.fromkeys(every_entry(space, skeleton, image, body.batch_size))
    known = None if body.lacked_by is None else had(services, body, body.lacked_by, keys)
    measured = tuple(key for key in keys if known is None or key not in known.keys) if entries_too else ()
    if not (measured or wanted or (whole and graphs)):
        message = f"nothing is to be measured: the table of {body.lacked_by} has all of it"
        raise unprocessable("/lacked_by", message, body.lacked_by)
    request = ProfileRequest(
        operations=operations,
        space=None if space is None else SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=None if space is None else space_to_json(space),
        genotypes=() if space is None else tuple(space.plan.unrank(rank) for rank in ranks),
        skeleton=skeleton,
        input=image,
        batch_size=body.batch_size,
        precision=body.precision,
        direction=body.direction,
        whole=whole,
        entries=entries_too,
        every=body.every,
        known=known,
        proxies=wanted,
        rounds=body.rounds,
        threads=body.threads if known is None else known.threads,
        device=body.device,
    )
    return Measurable(
        request=request,
        space=space,
        operations=len(operations),
        architectures=len(ranks),
        entries=measured,
        known=len(keys) - len(measured) if entries_too else 0,
    )


def wanted_proxies(services: Services, body: ProfileBody) -> WantedProxies | None:
    """The proxies that a request asks for, on which images. Raises where there are no such images."""
    if not body.proxies:
        if body.dataset is not None:
            raise unprocessable("/dataset", "only proxies read images: name some, or no data set", body.dataset)
        return None
    dataset = dataset_named(services, body.dataset or DIGITS)
    there = dataset.splits["weights"]
    if body.images > there:
        message = f"the split `weights` of {dataset.reference} has {there} images"
        raise unprocessable("/images", message, body.images, (f"1 to {there}",))
    return WantedProxies(
        names=tuple(dict.fromkeys(body.proxies)),
        dataset=dataset.reference,
        data=carried(dataset),
        images=body.images,
        seed=body.seed,
    )


def scored_on(
    space: SearchSpace | None, body: ProfileBody, wanted: WantedProxies, ranks: Collection[int]
) -> tuple[Skeleton, ImageInput]:
    """Skeleton and image of networks whose proxies are wanted: with the data set's classes, on its images."""
    if space is None or not ranks:
        raise unprocessable("/proxies", "proxies are of networks: give genotypes or members of a space", body.proxies)
    dataset = described(wanted.dataset, wanted.data)
    teachable(space, dataset)
    image = dataset.input
    if body.input is not None and body.input.image() != image:
        message = f"the proxies' images are those of {dataset.reference}"
        raise unprocessable("/input", message, asdict(body.input.image()), (asdict(image),))
    return trained_skeleton(space, body.skeleton, dataset, "/skeleton"), image


def every_entry(space: SearchSpace, skeleton: Skeleton, image: ImageInput, batch_size: int) -> list[str]:
    """The keys of all that any member may compute. Raises where that is too much."""
    needed = needed_entries(Opened(space, space.digest, skeleton, image))
    if len(needed) > MAX_ENTRIES:
        message = (
            f"members of {space.name} may compute {len(needed)} different things; at most {MAX_ENTRIES} are measured"
        )
        raise unprocessable("/every", message, True, (False,))
    for entry in needed:
        affordable(entry.graph(), batch_size, "/every")
    return [entry.key for entry in needed]


def had(services: Services, body: ProfileBody, device: str, keys: Collection[str]) -> KnownEntries:
    """Which of these a device's table has."""
    with relocated("/device", "/lacked_by"):
        table = table_of(services, device, body)
    known = known_entries(services, table)
    return KnownEntries(
        device=table.device,
        threads=table.threads,
        torch_version=table.torch_version,
        keys=tuple(key for key in keys if key in known),
    )


def asked_operation(asked: OperationBody) -> ProfiledOperation:
    """The domain's value."""
    height, width = asked.size
    return ProfiledOperation(
        operation=asked.operation,
        channels=asked.channels,
        width=asked.width or asked.channels,
        size=(height, width),
        stride=asked.stride,
        affine=asked.affine,
    )


def operation_graph(i: int, asked: OperationBody, batch_size: int) -> Graph:
    """What an operation computes. Raises where nothing is known of it, or where it does not fit its place."""
    place = f"/operations/{i}"
    known = asked_operation(asked)
    fields = {name: value for name, value in asdict(known).items() if name != "operation"}
    try:
        graph = lower_operation(known.operation, **fields)
    except LoweringError as error:
        raise unprocessable(f"{place}/operation", error.message, asked.operation, tuple(error.allowed)) from error
    affordable(graph, batch_size, place)
    return graph


def members_of(
    services: Services, body: ProfileBody
) -> tuple[SearchSpace | None, Skeleton | None, ImageInput | None, dict[int, str]]:
    """Space, skeleton, image and the places in the request by rank of what is asked of a space."""
    if body.space is None:
        if body.genotypes or body.members or body.every:
            raise unprocessable("/space", "genotypes, members and `every` entry are of a space: name it")
        return None, None, None, {}
    space = find_space(services, body.space)
    ranks: dict[int, str] = {}
    for i, genotype in enumerate(body.genotypes):
        ranks.setdefault(given_rank(space, genotype, body.format, f"/genotypes/{i}"), f"/genotypes/{i}")
    for i, text in enumerate(body.members):
        place, index = f"/members/{i}", int(text)
        if index >= space.plan.size:
            raise unprocessable(place, "no member has this rank", text, ("0", str(space.plan.size - 1)))
        ranks.setdefault(given_rank(space, space.plan.unrank(index), pointer=place), place)
    if not ranks and not body.every:
        raise unprocessable("/genotypes", f"give genotypes or members of {space.name}, or no space", [])
    return space, chosen_skeleton(space, body.skeleton), chosen_image(space, body.input), ranks


def affordable(graph: Graph, batch_size: int, place: str) -> None:
    """Refuse what a worker would sit on for hours."""
    work = macs(graph)
    refuse_giants(count(graph), work)
    if work * batch_size > MAX_MACS:
        message = f"one pass over a batch of {batch_size} is {work * batch_size} MACs; at most {MAX_MACS} are measured"
        raise unprocessable(place, message, work * batch_size, (MAX_MACS,))
