"""Rank correlations as an answer: do two numbers put the same members of a space in the same order?"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, cast

from fastapi import APIRouter

from app.api.answers import chosen_skeleton, identity
from app.api.dependencies import ServicesHere
from app.api.discrete_results import Results, results_at
from app.api.library import find_space
from app.api.problems import relocated, unprocessable
from app.api.schemas.correlation import (
    AssociationView,
    CorrelationQuestion,
    CorrelationView,
    GoalName,
    MeasuredSide,
    ProxySide,
    SideView,
)
from app.api.schemas.discrete_search import CatalogueEvaluatorBody
from app.api.services import Services
from app.api.statuses import declared
from app.catalogue import EvaluationQuery, jobs
from app.catalogue.repositories.pairings import CostName, Joined, MeasuredPlace, Pair, Pairing, costed, of_ranks, paired
from app.experiment.correlation import associations
from app.space import SearchSpace
from app.space.skeleton.setting import identifying

MOST = 15_625  # pairs that are looked at, a whole NAS-Bench-201; more would take longer than a second or two
FEWEST = 3  # pairs that have more than two orders
TOPS = (10, 100)

router = APIRouter(prefix="/v1", tags=["evaluations"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A side of results."""

    place: MeasuredPlace
    results: Results
    goal: GoalName
    kind: Literal["measured"] = "measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A side of a proxy's values, by rank."""

    job: str
    proxy: str
    values: Mapping[int, float]
    about: Mapping[str, Any]  # data set, split, skeleton, input
    goal: GoalName = "maximise"
    kind: Literal["proxy"] = "proxy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A side of what architectures cost."""

    name: CostName
    goal: GoalName = "maximise"
    kind: Literal["cost"] = "cost"


Found = Measured | Scored | Cost


@router.post("/correlations", responses=declared("mixed-results"))
def correlate(services: ServicesHere, question: CorrelationQuestion) -> CorrelationView:
    """Spearman's rho, Kendall's tau-b and the overlap of the best, each with an interval and a p-value.

    A side is results of the catalogue, a zero-cost proxy that a profile computed, or a cost. Results of several
    recipes, splits or data sets are refused, and listed. Of more than 15,625 pairs so many are drawn, by hash.
    """
    space = find_space(services, question.space)
    x = side_of(services, space, question.x, "/x")
    y = side_of(services, space, question.y, "/y")
    pairing, joined = pairs_of(services, x, y)
    n = len(pairing.pairs)
    if n < FEWEST:
        message = f"{n} members of {space.name} have both numbers, of {pairing.of_x} and {pairing.of_y}"
        raise unprocessable("/y", f"{message}; an order takes at least {FEWEST}")
    tops = tuple(k for k in TOPS if k <= n) if question.tops is None else tuple(question.tops)
    for place, k in enumerate(tops):
        if k > n:
            raise unprocessable(f"/tops/{place}", f"there are {n} members with both numbers", k, (f"1 to {n}",))
    signs = [1.0 if side.goal == "maximise" else -1.0 for side in (x, y)]
    values = [signs[0] * pair.x for pair in pairing.pairs], [signs[1] * pair.y for pair in pairing.pairs]
    found = associations(*values, tops, question.seed)
    return CorrelationView(
        space=identity(space),
        x=side_view(x, pairing.of_x, [pair.several_x for pair in pairing.pairs]),
        y=side_view(y, pairing.of_y, [pair.several_y for pair in pairing.pairs]),
        joined_by=joined,
        n=n,
        total=pairing.total,
        seed=question.seed,
        correlations=[AssociationView.model_validate(asdict(one)) for one in found],
    )


def side_of(services: Services, space: SearchSpace, side: CostName | ProxySide | MeasuredSide, at: str) -> Found:
    """A side, found. Raises a Problem that points at it."""
    match side:
        case MeasuredSide():
            return measured(services, space, side, at)
        case ProxySide():
            return scored(services, space, side, at)
        case name:
            return Cost(name=name)


def measured(services: Services, space: SearchSpace, side: MeasuredSide, at: str) -> Measured:
    """The only results that a side can mean."""
    asked = CatalogueEvaluatorBody(
        kind="catalogue", dataset=side.dataset, split=side.split, recipe=side.recipe, evaluation=side.evaluation
    )
    on = None if side.skeleton is None else chosen_skeleton(space, side.skeleton, f"{at}/skeleton")
    with relocated("/evaluator", at), relocated("/skeleton", f"{at}/skeleton"):
        found = results_at(services, space, asked, on, {side.metric})
    if side.metric not in found.metrics:
        raise unprocessable(f"{at}/metric", "it was not measured", side.metric, found.metrics)
    place = MeasuredPlace(
        query=EvaluationQuery(
            viewer=services.caller.owner,
            space=space.digest,
            dataset=found.dataset,
            split=found.split,
            kind=found.evaluation,
            recipe=found.recipe_digest,
        ),
        skeletons=(asdict(found.skeleton), identifying(found.skeleton)),
        image=asdict(found.image),
        metric=side.metric,
        seed=side.seed,
    )
    return Measured(place=place, results=found, goal=side.goal or ("minimise" if side.metric == "loss" else "maximise"))


def scored(services: Services, space: SearchSpace, side: ProxySide, at: str) -> Scored:
    """What a profile computed of a proxy."""
    with services.database.transaction() as session:
        job = jobs.get(session, side.job, viewer=services.caller.owner)
    table: dict[str, Any] | None = None if job is None else (job.result or {}).get("proxies")
    if job is None or job.kind != "profile" or table is None:
        state = "" if job is None else f"; the job is a {job.kind}, {job.state}"
        raise unprocessable(f"{at}/job", f"you see no finished profile with proxies of this id{state}", str(side.job))
    if job.request["space"]["digest"] != space.digest:
        raise unprocessable(f"{at}/job", f"its members are of {job.request['space']['name']}", str(side.job))
    if side.proxy not in table["names"]:
        raise unprocessable(f"{at}/proxy", "the profile did not compute it", side.proxy, tuple(table["names"]))
    rows = cast("list[dict[str, Any]]", table["architectures"])
    values = {int(row["index"]): value for row in rows if (value := row["values"].get(side.proxy)) is not None}
    return Scored(job=str(job.id), proxy=side.proxy, values=values, about=table)


def pairs_of(services: Services, x: Found, y: Found) -> tuple[Pairing, Joined]:
    """The pairs of two sides, and by what they belong together. Raises a Problem where nothing measured is among
    them."""
    with services.database.transaction() as session:
        match x, y:
            case Measured(), Measured():
                same = (x.place.skeletons, x.place.image) == (y.place.skeletons, y.place.image)
                by: Joined = "architecture" if same else "genotype"
                return paired(session, x.place, y.place, by, MOST), by
            case Measured(), Cost():
                return costed(session, x.place, y.name, MOST), "architecture"
            case Cost(), Measured():
                return turned(costed(session, y.place, x.name, MOST)), "architecture"
            case Measured(), Scored():
                return turned(beside(y, of_ranks(session, x.place, y.values.keys()))), "genotype"
            case Scored(), Measured():
                return beside(x, of_ranks(session, y.place, x.values.keys())), "genotype"
            case Scored(), Scored():
                return beside(x, {rank: (value, 1) for rank, value in y.values.items()}), "genotype"
            case _:
                message = (
                    "a cost is looked up for what was measured; beside proxies ask the proxies `params` and `macs`"
                )
                raise unprocessable("/x" if isinstance(x, Cost) else "/y", message)


def beside(x: Scored, others: Mapping[int, tuple[float, int]]) -> Pairing:
    """A proxy's values, and other numbers by rank."""
    pairs = [Pair(value, others[rank][0], 1, others[rank][1]) for rank, value in x.values.items() if rank in others]
    return Pairing(pairs=tuple(pairs), total=len(pairs), of_x=len(x.values), of_y=len(others))


def turned(found: Pairing) -> Pairing:
    """The same with the sides in the other order."""
    pairs = tuple(Pair(pair.y, pair.x, pair.several_y, pair.several_x) for pair in found.pairs)
    return replace(found, pairs=pairs, of_x=found.of_y, of_y=found.of_x)


def side_view(side: Found, architectures: int, several: list[int]) -> SideView:
    """A side as it travels."""
    known: dict[str, Any] = dict.fromkeys(SideView.model_fields)
    known |= {"kind": side.kind, "goal": side.goal, "architectures": architectures}
    known["results"] = [min(several), max(several)]
    match side:
        case Measured(place=place, results=results):
            known |= {
                "name": place.metric,
                "dataset": results.dataset,
                "split": results.split,
                "evaluation": results.evaluation,
                "recipe": results.recipe_name,
                "recipe_digest": results.recipe_digest,
                "seed": place.seed,
                "skeleton": asdict(results.skeleton),
                "input": asdict(results.image),
            }
        case Scored():
            about = {name: side.about[name] for name in ("dataset", "split", "seed", "skeleton", "input")}
            known |= {"name": side.proxy, "job": side.job, **about}
        case Cost():
            known["name"] = side.name
    return SideView.model_validate(known)
