"""Answers to pure questions about a space: one function a question, no I/O, no HTTP. Domain errors pass through."""

import random
from collections.abc import Iterable, Iterator
from itertools import islice

from app.api.draws import choice_ranks, class_ranks, valid_judge
from app.api.membership import given_rank, judged, repair
from app.api.problems import fault_view, listed, located, unprocessable
from app.api.schemas.genotype import (
    CanonicalQuestion,
    CanonicalView,
    GenotypeQuestion,
    IndexedGenotype,
    MemberLinks,
    MemberPage,
    MemberView,
    NeighbourQuestion,
    NeighbourView,
    SampleQuestion,
    SampleView,
    ValidationView,
)
from app.api.schemas.skeleton import ImageBody, SkeletonChoice
from app.api.schemas.space import DecisionsView, DecisionView, NodeInputs, SpaceIdentity
from app.architecture import judge_of
from app.architecture.formats import JSON
from app.space import Decision, Genotype, ImageInput, SearchSpace, Skeleton
from app.space.classes import canonical_rank, default_reading, reading_of
from app.space.validity import valid_neighbours, valid_ranks

MAX_VALUES = 300_000  # JSON values in the genotypes of one answer: about ten megabytes


def identity(space: SearchSpace) -> SpaceIdentity:
    """Which space an answer is about."""
    return SpaceIdentity(name=space.name, version=space.version, digest=space.digest)


def indexed(space: SearchSpace, genotypes: Iterable[Genotype], pointer: str) -> list[IndexedGenotype]:
    """Genotypes with their ranks. A space of one's own may have large ones: the answer is bounded in all it holds."""
    items: list[IndexedGenotype] = []
    is_valid = valid_judge(space)
    held = 0
    for genotype in genotypes:
        held += values_in(genotype)
        if held > MAX_VALUES:
            raise unprocessable(
                pointer, f"{len(items) + 1} genotypes hold more than {MAX_VALUES} values; ask for fewer"
            )
        index = space.plan.rank(genotype)
        items.append(IndexedGenotype(index=str(index), genotype=genotype, valid=is_valid(index)))
    return items


def values_in(genotype: Genotype) -> int:
    """JSON values of a genotype, itself included."""
    match genotype:
        case dict():
            return 1 + sum(map(values_in, genotype.values()))
        case list():
            return 1 + sum(map(values_in, genotype))
        case _:
            return 1


def chosen_skeleton(space: SearchSpace, choice: SkeletonChoice | None, pointer: str = "/skeleton") -> Skeleton:
    """The skeleton that a question names or gives; by default the one its paper trains on CIFAR, else the first."""
    if choice is not None and not isinstance(choice, str):
        return choice.skeleton()
    name = choice or ("cifar" if "cifar" in space.skeletons else next(iter(space.skeletons), ""))
    if name not in space.skeletons:
        lacking = f"no skeleton {name!r}" if name else "no skeleton; give one as an object"
        raise unprocessable(pointer, f"the space {space.name} has {lacking}", choice, tuple(space.skeletons))
    return space.skeletons[name]


def chosen_image(space: SearchSpace, body: ImageBody | None) -> ImageInput:
    """The image that a question gives; by default the space's own."""
    return space.input if body is None else body.image()


def decisions(space: SearchSpace) -> DecisionsView:
    """What is decided in a space."""
    found = space.plan.decisions()
    views = [DecisionView(path=d.path, kind=d.kind, options=list(d.options), k=d.k) for d in found]
    return DecisionsView(space=identity(space), decisions=views, nodes=list(node_inputs(found)))


def node_inputs(found: tuple[Decision, ...]) -> Iterator[NodeInputs]:
    """What each node may read: a choice named `input`, or a subset of edges that are told apart by their input."""
    paths = [decision.path for decision in found]
    for decision in found:
        if decision.kind == "choice" and decision.path.endswith("/input"):
            yield NodeInputs(node=decision.path.removesuffix("/input"), inputs=list(decision.options))
        elif decision.kind == "subset" and all(type(option) is int for option in decision.options):
            edge = f"{decision.path}/{decision.options[0]}/"
            if any(path.startswith(edge) for path in paths):
                yield NodeInputs(node=decision.path, inputs=list(decision.options))


def validation(space: SearchSpace, question: GenotypeQuestion) -> ValidationView:
    """Whether a genotype is a valid member; if not, every fault and the nearest valid member."""
    index, faults = judged(space, question.genotype, question.format)
    repairable = index is None and question.format == JSON.name
    return ValidationView(
        space=identity(space),
        valid=index is not None,
        errors=[fault_view(fault) for fault in listed(faults)],
        repair=repair(space, question.genotype) if repairable else None,
        index=None if index is None else str(index),
        canonical_id=None if index is None else class_id(space, canonical_rank(space, index)),
    )


def class_id(space: SearchSpace, index: int) -> str:
    """The compact name of a class: the space's digest, shortened, and the rank of its canonical form."""
    return f"{space.digest[:16]}-{index}"


def sample(space: SearchSpace, question: SampleQuestion) -> SampleView:
    """Random valid genotypes of a seed."""
    unique = question.distribution == "uniform-unique"
    if question.equivalence is not None and not unique:
        raise unprocessable("/equivalence", "only `uniform-unique` draws classes", question.equivalence)
    name = named_equivalence(space, question.equivalence) if unique else None
    rng = random.Random(question.seed)
    match question.distribution:
        case "uniform":
            ranks, acceptance = valid_ranks(space, rng, question.count, judge_of(space))
        case "uniform-unique":
            ranks, acceptance = class_ranks(space, rng, question.count, name)
        case "per-choice":
            ranks, acceptance = choice_ranks(space, rng, question.count)
    return SampleView(
        space=identity(space),
        distribution=question.distribution,
        equivalence=name,
        seed=question.seed,
        acceptance=acceptance,
        items=indexed(space, map(space.plan.unrank, ranks), "/count"),
    )


def member_page(space: SearchSpace, start: int, limit: int) -> MemberPage:
    """Members of consecutive rank."""
    end = min(start + limit, space.plan.size)
    items = indexed(space, map(space.plan.unrank, range(start, end)), "/limit")
    return MemberPage(space=identity(space), items=items, next=str(end) if end < space.plan.size else None)


def member(space: SearchSpace, index: int) -> MemberView:
    """The member of a rank."""
    here = f"/v1/spaces/{space.name}@{space.version}/members/{index}"
    return MemberView(
        space=identity(space),
        index=str(index),
        genotype=space.plan.unrank(index),
        valid=valid_judge(space)(index),
        links=MemberLinks(self=here, cost=f"{here}/cost", canonical=f"{here}/canonical", svg=f"{here}/svg"),
    )


def neighbours(space: SearchSpace, question: NeighbourQuestion) -> NeighbourView:
    """The genotypes one decision away."""
    index = given_rank(space, question.genotype, question.format)
    found = valid_neighbours(space, space.plan.unrank(index), judge_of(space))
    items = indexed(space, islice(found, question.limit), "/limit")
    return NeighbourView(
        space=identity(space),
        index=str(index),
        items=items,
        complete=next(found, None) is None,
    )


def canonical_form(space: SearchSpace, question: CanonicalQuestion) -> CanonicalView:
    """What stands for a genotype and all that are the same."""
    index = given_rank(space, question.genotype, question.format)
    name = named_equivalence(space, question.equivalence)
    form = canonical_rank(space, index, name)
    return CanonicalView(
        space=identity(space),
        equivalence=name,
        index=str(form),
        genotype=space.plan.unrank(form),
        canonical_id=class_id(space, form),
    )


def named_equivalence(space: SearchSpace, name: str | None) -> str | None:
    """The equivalence that a question names, or the space's default one, if it has one."""
    if name is not None:
        with located("/equivalence"):
            return reading_of(space, name).equivalence
    reading = default_reading(space)
    return None if reading is None else reading.equivalence
