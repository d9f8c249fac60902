"""How unequal a space's options are in params, MACs, activations and measured latency, as figures and as a chart."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from statistics import fmean
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from app.api.answers import chosen_image, chosen_skeleton, identity
from app.api.dependencies import ServicesHere, SpaceHere
from app.api.drawings import SVG, svg_response
from app.api.latencies import known_entries, table_of, table_view
from app.api.members import SkeletonName
from app.api.problems import relocated, unprocessable
from app.api.schemas.fairness import (
    FairnessQuestion,
    FairnessTableView,
    FairnessView,
    Form,
    Measure,
    MeasureName,
    OptionCostView,
    OverallView,
    PlaceView,
    SamplingView,
    Seed,
    SpreadView,
    StandardErrorView,
    Theme,
    Width,
)
from app.api.schemas.model import FREE_TEXT
from app.api.schemas.profile import TableView
from app.api.services import Services
from app.architecture import Entangled, Guard, lower
from app.architecture.differences import Sampled, differences
from app.architecture.draw.bars import Bar, BarGroup, draw_bars
from app.architecture.entries import Entry
from app.architecture.expectation import Amounts
from app.architecture.fairness import Charge, Place, overall, places, spread
from app.architecture.graph import charges
from app.architecture.workload import workload
from app.experiment.ranks import kendall, spearman
from app.space import ImageInput, SearchSpace, Skeleton

router = APIRouter(prefix="/v1/spaces/{space}", tags=["spaces"])

MEASURES: tuple[MeasureName, ...] = ("params", "macs", "activations", "latency_ms")
UNITS: Mapping[MeasureName, str] = {
    "params": "learnable numbers",
    "macs": "MACs",
    "activations": "activations",
    "latency_ms": "ms",
}
MACS, LATENCY, LACKING = 1, 3, 4  # columns of the amounts of an option; the last: expected computations without a time
ASSUMED = (
    "an option's cost is that of all nodes that depend on its decision, where the decision is met and answered so; all "
    "other decisions are drawn uniformly and independently, and constraints are not looked at"
)
ASSUMED_OF_SAMPLES = (
    "an option's figure is what a member with it costs more than the same member with the cheapest option, in the mean "
    "over samples in which the decision is met; all other decisions are drawn uniformly and independently, and members "
    "that are invalid or have no network are left out"
)
PICTURED: dict[int | str, dict[str, Any]] = {
    200: {"description": "The figures, or the chart", "content": SVG[200]["content"]}
}


@router.get("/fairness", response_model=FairnessView, responses=PICTURED)
def get_fairness(
    services: ServicesHere,
    space: SpaceHere,
    skeleton: SkeletonName = None,
    device: Annotated[
        str | None,
        Query(min_length=1, max_length=200, pattern=FREE_TEXT, description="Device whose lookup table adds latencies"),
    ] = None,
    form: Annotated[Form, Query()] = "json",
    measure: Annotated[Measure, Query()] = "macs",
    width: Annotated[Width, Query()] = 1200,
    theme: Annotated[Theme, Query()] = "auto",
    seed: Annotated[Seed, Query()] = 0,
) -> Response:
    """How unequal the options of every decision are in what they cost, on one of the space's skeletons."""
    question = FairnessQuestion(
        skeleton=skeleton, device=device, form=form, measure=measure, width=width, theme=theme, seed=seed
    )
    return answered(services, space, question)


@router.post("/fairness", response_model=FairnessView, responses=PICTURED)
def find_fairness(services: ServicesHere, space: SpaceHere, question: FairnessQuestion) -> Response:
    """How unequal the options of every decision are in what they cost, on any skeleton and image."""
    return answered(services, space, question)


def answered(services: Services, space: SearchSpace, question: FairnessQuestion) -> Response:
    """The answer to a question, in its form."""
    table: TableView | None = None
    times: Mapping[str, float] = {}
    if question.device is not None:
        found = table_of(services, question.device, question)
        table, times = table_view(found), known_entries(services, found)
    if question.form == "svg":
        return svg_response(chart(space, question, times))
    return Response(fairness(space, question, table, times).model_dump_json(), media_type="application/json")


def fairness(
    space: SearchSpace,
    question: FairnessQuestion,
    table: TableView | None = None,
    times: Mapping[str, float] | None = None,
) -> FairnessView:
    """The figures; with a table, its latencies too."""
    here = opened(space, question)
    known = times if table is not None and times is not None else None
    found, sample = priced(here, question, known)
    views = [place_view(place, timed=known is not None) for place in found]
    shown = MEASURES if known is not None and not any(lacking(place) for place in found) else MEASURES[:LATENCY]
    return FairnessView(
        space=identity(space),
        skeleton=asdict(here.skeleton),
        input=asdict(here.image),
        method="exact expectation" if sample is None else "sampled differences to the cheapest option",
        samples=None if sample is None else sample.samples,
        sampling=None if sample is None else sampling_view(sample, question.seed),
        assumed=ASSUMED if sample is None else ASSUMED_OF_SAMPLES,
        places=views,
        overall={name: OverallView(**asdict(overall(found, i))) for i, name in enumerate(shown)},
        latency=None if table is None or known is None else table_answer(here, table, known, found, views),
    )


def chart(space: SearchSpace, question: FairnessQuestion, times: Mapping[str, float]) -> str:
    """One measure of all places whose options cost differently, as SVG."""
    if question.measure == "latency_ms" and question.device is None:
        raise unprocessable("/device", "a chart of latencies needs a device", None)
    measure = MEASURES.index(question.measure)
    here = opened(space, question)
    found, sample = priced(here, question, times if measure == LATENCY else None)
    if measure == LATENCY:
        found = tuple([place for place in found if not lacking(place)])
    unequal = [place for place in found if len(set(place.costs(measure))) > 1]
    groups = [
        BarGroup(place.paths, [Bar(str(o.symbol), o.amounts[measure]) for o in place.options]) for place in unequal
    ]
    alike = sum(len(place.paths) for place in found) - sum(len(place.paths) for place in unequal)
    title = f"{space.name}, skeleton {question.skeleton if isinstance(question.skeleton, str) else 'as asked for'}"
    if question.skeleton is None:
        title = space.name
    if question.device is not None and measure == LATENCY:
        title = f"{title}, on {question.device}"
    if sample is not None:
        title = f"{title}, more than the cheapest option, sampled"
    return draw_bars(title, UNITS[question.measure], groups, alike=alike, width=question.width, theme=question.theme)


@dataclass(frozen=True, slots=True)
class Opened:
    """A space on a skeleton, nothing decided. The space itself takes no part in comparisons: its digest does."""

    space: SearchSpace = field(compare=False)
    digest: str
    skeleton: Skeleton
    image: ImageInput


def opened(space: SearchSpace, question: FairnessQuestion) -> Opened:
    """What a question is about."""
    skeleton, image = chosen_skeleton(space, question.skeleton), chosen_image(space, question.input)
    return Opened(space, space.digest, skeleton, image)


def priced(
    here: Opened, question: FairnessQuestion, times: Mapping[str, float] | None
) -> tuple[tuple[Place, ...], Sampled | None]:
    """What every option costs; with times, its latency and what lacks one; without, sampled where need be."""
    with relocated("/genotype", "/skeleton"), entangled(here, None if times is None else question.device):
        if times is None:
            found = plainly(here)
            sample = drawn(here, question.seed) if found is None else None
            return (sample.places if sample is not None else found or ()), sample
        graph = lower(here.space.grammar, here.skeleton, here.image)
        rows = [(name, guard, (n, m, a, 0.0, 0.0)) for name, guard, n, m, a in charges(graph)]
        for name, guard, entry in workload(graph):
            ms = times.get(entry.key)
            rows.append((name, guard, (0, 0, 0, 0.0, 1.0) if ms is None else (0, 0, 0, ms, 0.0)))
        return places(here.space.plan.part, rows, 5), None


def bill(here: Opened) -> list[Charge] | None:
    """What every node costs, and when; None where decisions hang together too much."""
    try:
        graph = lower(here.space.grammar, here.skeleton, here.image)
        return [(name, guard, (n, m, a)) for name, guard, n, m, a in charges(graph)]
    except Entangled:
        return None


@lru_cache(maxsize=32)
def plainly(here: Opened) -> tuple[Place, ...] | None:
    """What every option costs, without times; None where decisions hang together too much."""
    rows = bill(here)
    return None if rows is None else places(here.space.plan.part, rows, 3)


@lru_cache(maxsize=32)
def drawn(here: Opened, seed: int) -> Sampled:
    """What every option costs more than the cheapest, without times."""
    return differences(here.space, here.skeleton, here.image, seed)


@lru_cache(maxsize=8)
def needed_entries(here: Opened) -> tuple[Entry, ...]:
    """Every entry that a member can need, each once."""
    with relocated("/genotype", "/skeleton"), entangled(here):
        rows: list[tuple[str, Guard, Entry]] = list(workload(lower(here.space.grammar, here.skeleton, here.image)))
    return tuple(dict.fromkeys(entry for *_, entry in rows))


@contextmanager
def entangled(here: Opened, device: str | None = None) -> Generator[None]:
    """Where decisions hang together too much no part of the request is at fault but for a device."""
    try:
        yield
    except Entangled as error:
        message = (
            f"the decisions of {here.space.name} hang together in more than {error.most} ways: what an option costs "
            "cannot be told apart from the others; ask what members cost"
        )
        if device is not None:
            message += ", or leave the device out: differences in params, MACs and activations are sampled"
            raise unprocessable("/device", message, device) from error
        raise unprocessable("", message) from error


def lacking(place: Place) -> bool:
    """Whether a table lacks the time of something that the options of a place may compute."""
    return any(option.amounts[LACKING] for option in place.options)


def place_view(place: Place, *, timed: bool) -> PlaceView:
    """A place as it travels."""
    complete = timed and not lacking(place)
    shown = MEASURES if complete else MEASURES[:LATENCY]
    return PlaceView(
        kind=place.kind,
        decisions=list(place.paths),
        options=[
            OptionCostView(
                option=option.symbol,
                params=option.amounts[0],
                macs=option.amounts[MACS],
                activations=option.amounts[2],
                latency_ms=option.amounts[LATENCY] if timed and not option.amounts[LACKING] else None,
                standard_error=None if option.errors is None else error_view(option.errors),
                samples=option.samples,
            )
            for option in place.options
        ],
        spreads={name: SpreadView.model_validate(asdict(spread(place.costs(i)))) for i, name in enumerate(shown)},
        kendall=kendall(place.costs(MACS), place.costs(LATENCY)) if complete else None,
    )


def error_view(errors: Amounts) -> StandardErrorView:
    """Standard errors as they travel."""
    return StandardErrorView(params=errors[0], macs=errors[MACS], activations=errors[2])


def sampling_view(sample: Sampled, seed: int) -> SamplingView:
    """How differences were sampled, as it travels."""
    return SamplingView(
        seed=seed,
        members=sample.members,
        invalid=sample.invalid,
        without_network=sample.without_network,
        undetermined=list(sample.undetermined),
    )


def table_answer(
    here: Opened, table: TableView, times: Mapping[str, float], found: tuple[Place, ...], views: list[PlaceView]
) -> FairnessTableView:
    """What a table says of all options together."""
    needed = needed_entries(here)
    complete = [place for place in found if not lacking(place)]
    work = [cost for place in complete for cost in place.costs(MACS)]
    time = [cost for place in complete for cost in place.costs(LATENCY)]
    within = [view.kendall for view in views if view.kendall is not None]
    return FairnessTableView(
        table=table,
        needed=len(needed),
        missing=[entry.key for entry in needed if entry.key not in times],
        options=len(work),
        kendall=kendall(work, time),
        spearman=spearman(work, time),
        kendall_within=fmean(within) if within else None,
    )
