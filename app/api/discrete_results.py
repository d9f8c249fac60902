"""Which results of the catalogue a search looks up: those of one cohort, never a mixture."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from app.api.problems import Problem, unprocessable
from app.api.schemas.discrete_search import CatalogueEvaluatorBody
from app.api.services import Services
from app.catalogue import EvaluationQuery
from app.catalogue.repositories.cohorts import KnownResults, known_results, metrics_of, moment
from app.experiment import EvaluationKind, Split
from app.space import Fault, ImageInput, SearchSpace, Skeleton

SHOWN = 20  # choices that a refusal lists
SKELETON: TypeAdapter[Any] = TypeAdapter(Skeleton)
IMAGE = TypeAdapter(ImageInput)


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """Results that compare, on one skeleton and image, as they are known at one moment."""

    dataset: str
    split: Split
    evaluation: EvaluationKind
    recipe_name: str
    recipe_digest: str
    skeleton: Skeleton
    image: ImageInput
    architectures: int  # that have any
    metrics: tuple[str, ...]  # `accuracy` first, if it is among them
    as_of: str  # ISO 8601, by the database's clock

    def narrowed(self, recipe: str) -> CatalogueEvaluatorBody:
        """The same results but for the recipe."""
        return CatalogueEvaluatorBody(
            kind="catalogue", dataset=self.dataset, split=self.split, recipe=recipe, evaluation=self.evaluation
        )


def results_at(
    services: Services, space: SearchSpace, asked: CatalogueEvaluatorBody, on: Skeleton | None, sought: set[str]
) -> Results:
    """The only results that fit what is asked.

    Raises a Problem, 422, where there are none, and where there are several that do not compare; it lists them.
    """
    everything = EvaluationQuery(viewer=services.caller.owner, space=space.digest)
    wanted = replace(everything, dataset=asked.dataset, split=asked.split, kind=asked.evaluation, recipe=asked.recipe)
    with services.database.transaction() as session:
        now = moment(session)
        found = placed(known_results(session, wanted))
        fitting = [one for one in found if on is None or alike(one[1], on)]
        if not fitting:
            raise nothing(space, asked, found or placed(known_results(session, everything)), on)
        if len(fitting) > 1:
            raise mixed(asked, fitting)
        ((known, skeleton, image),) = fitting
        exactly = replace(
            everything, dataset=known.dataset, split=known.split, kind=known.kind, recipe=known.recipe_digest
        )
        metrics: set[str] = set(metrics_of(session, exactly))
        for name in sought - metrics:
            metrics |= metrics_of(session, exactly, name)
    return Results(
        dataset=known.dataset,
        split=cast("Split", known.split),
        evaluation=known.kind,
        recipe_name=known.recipe_name,
        recipe_digest=known.recipe_digest,
        skeleton=skeleton,
        image=image,
        architectures=known.architectures,
        metrics=tuple(sorted(metrics, key=lambda name: (name != "accuracy", name))),
        as_of=now.isoformat(),
    )


Placed = tuple[KnownResults, Skeleton, ImageInput]


def placed(known: tuple[KnownResults, ...]) -> list[Placed]:
    """Results with the skeletons and images that their documents say; those are passed over that say none of today."""
    found: list[Placed] = []
    for one in known:
        try:
            found.append((one, read_skeleton(one.skeleton), IMAGE.validate_python(dict(one.input))))
        except ValidationError:
            continue
    return found


def read_skeleton(document: Mapping[str, Any]) -> Skeleton:
    """The skeleton of a document. Raises ValidationError where it is none."""
    return SKELETON.validate_python(dict(document))


def alike(skeleton: Skeleton, other: Skeleton) -> bool:
    """Whether skeletons differ in their classes at most, which are the data set's."""
    return type(skeleton) is type(other) and replace(skeleton, num_classes=other.num_classes) == other


def nothing(space: SearchSpace, asked: CatalogueEvaluatorBody, others: list[Placed], on: Skeleton | None) -> Problem:
    """422: there are no such results."""
    given = asked.model_dump(exclude={"kind", "fidelities"}, exclude_none=True)
    if not others:
        message = (
            f"you see no results of {space.name}@{space.version}; POST /v1/benchmarks and `cellar data add-benchmark` "
            "import a published table, POST /v1/trainings measures"
        )
        return unprocessable("/evaluator", message, given)
    choices = tuple(dict.fromkeys(map(described, others)))[:SHOWN]
    if on is not None and any(fits(known, asked) for known, *_ in others):
        return unprocessable("/skeleton", "there are no such results on this skeleton", given, choices)
    return unprocessable("/evaluator", "there are no such results of the space", given, choices)


def fits(known: KnownResults, asked: CatalogueEvaluatorBody) -> bool:
    """Whether these are what is asked, but for the skeleton."""
    return (
        asked.dataset in (None, known.dataset)
        and asked.split in (None, known.split)
        and asked.evaluation in (None, known.kind)
        and asked.recipe in (None, known.recipe_name, known.recipe_digest)
    )


def described(one: Placed) -> str:
    """Results in one line, as a request names them."""
    known, skeleton, _ = one
    return (
        f"dataset {known.dataset}, split {known.split}, evaluation {known.kind}, recipe {known.recipe_name} "
        f"({known.recipe_digest}), {skeleton.family} skeleton, {known.architectures} architectures"
    )


def mixed(asked: CatalogueEvaluatorBody, found: list[Placed]) -> Problem:
    """422: several results fit, and they do not compare."""
    several: Mapping[str, list[str]] = {
        "/evaluator/dataset": [known.dataset for known, *_ in found],
        "/evaluator/split": [known.split for known, *_ in found],
        "/evaluator/evaluation": [known.kind for known, *_ in found],
        "/evaluator/recipe": [f"{known.recipe_name} ({known.recipe_digest})" for known, *_ in found],
        "/skeleton": [str(skeleton) for _, skeleton, _ in found],
        "/evaluator": [str(image) for *_, image in found],
    }
    faults = tuple(
        Fault(place, f"results of {len(choices)} of these do not compare; name one", value_at(asked, place), choices)
        for place, values in several.items()
        if len(choices := tuple(dict.fromkeys(values))) > 1
    )
    places = " and ".join(fault.pointer for fault in faults)
    detail = f"a search compares what it measures, and these results differ in {places}; name one of each"
    return Problem(422, "mixed-results", "The evaluations do not compare", detail, faults)


def value_at(asked: CatalogueEvaluatorBody, place: str) -> object:
    """What was given at a place of the evaluator."""
    return getattr(asked, place.rpartition("/")[2], None)
