"""Discrete searches as they are asked for, made complete: every default chosen, parts checked against each other."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from app.api.answers import identity
from app.api.bounds import Place, attainable, latencies_on
from app.api.discrete_evaluators import MAX_TRAININGS, Judgement, defined, fidelities, judgement, rungs, warmed
from app.api.estimates import estimated
from app.api.phases import phases_of_discrete
from app.api.problems import unprocessable
from app.api.schemas.discrete_search import DiscretePlanView, DiscreteSearchBody, DiscreteSearchFields, SoughtBody
from app.api.services import Services
from app.api.submissions import queue_for
from app.api.views import shown_request
from app.experiment import (
    COSTS,
    DISCRETE_STRATEGIES,
    ORACLE,
    Bounds,
    CatalogueEvaluator,
    Device,
    DiscreteSearchRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    SharingCheck,
    SoughtMetric,
    SpaceVersion,
    StrategyDeclaration,
    TrainingEvaluator,
)
from app.experiment.strategies import DiscreteStrategyName
from app.space import SearchSpace, space_to_json

MINIMISED = (*COSTS, "loss")
TRAINED_AT_A_TIME = 8  # members, by default: several workers share them
JUDGED_AT_A_TIME = 8  # the same by each child that judges, which reads the supernet first


@dataclass(frozen=True, slots=True)
class Chosen:
    """A strategy with the parameters that were given, and where in the request it stands."""

    name: DiscreteStrategyName
    parameters: Mapping[str, int]
    pointer: str = ""

    @property
    def declaration(self) -> StrategyDeclaration:
        """What is known of the strategy. Raises a Problem where there is none of this name."""
        if self.name not in DISCRETE_STRATEGIES:
            raise unprocessable(
                f"{self.pointer}/strategy", "there is no such strategy", self.name, tuple(DISCRETE_STRATEGIES)
            )
        return DISCRETE_STRATEGIES[self.name]


def discrete_request(services: Services, space: SearchSpace, body: DiscreteSearchBody) -> DiscreteSearchRequest:
    """A discrete search, complete in itself. Raises where its parts do not fit together."""
    chosen = Chosen(body.strategy, body.parameters)
    return discrete_requests(services, space, body, [chosen], body.seed)[0]


def discrete_requests(
    services: Services, space: SearchSpace, body: DiscreteSearchFields, chosen: Sequence[Chosen], seed: int = 0
) -> tuple[DiscreteSearchRequest, ...]:
    """The same search by every strategy, each complete in itself. Raises where parts do not fit together."""
    declared = [one.declaration for one in chosen]
    judged = judgement(services, space, body, {sought.metric for sought in body.objectives or ()} - {*COSTS})
    objectives = sought_in(space, body, judged, fronts=all(one.name == "nsga2" for one in chosen))
    for one, declaration in zip(chosen, declared, strict=True):
        fit(one, declaration, objectives, body)
    parameters = [completed(one, declaration, judged) for one, declaration in zip(chosen, declared, strict=True)]
    levels = isinstance(judged.evaluator, CatalogueEvaluator) and judged.evaluator.fidelities
    if levels and not any("fidelities" in declaration.needs for declaration in declared):
        able = tuple(name for name, known in DISCRETE_STRATEGIES.items() if "fidelities" in known.needs)
        message = f"{chosen[0].name} asks for no fidelity: name the one recipe"
        raise unprocessable("/evaluator/fidelities", message, [level.fidelity for level in levels], able)
    bounds = Bounds(max_params=body.max_params, max_macs=body.max_macs, max_latency_ms=body.max_latency_ms)
    timed = body.max_latency_ms is not None or any(sought.metric == "latency_ms" for sought in objectives)
    here = Place(space, judged.skeleton, judged.image)
    if timed:
        here = replace(here, latencies=latencies_on(services, here, latency_device(body)))
    elif body.latency_device is not None:
        message = "no latency is bounded or sought: give max_latency_ms, or latency_ms among the objectives"
        raise unprocessable("/latency_device", message, body.latency_device, (None,))
    attainable(here, bounds)
    batch = batch_of(body, judged, rising=any("fidelities" in declaration.needs for declaration in declared))
    warm = None if body.warm_start is None else warmed(services, space, body.warm_start, body.budget, judged)
    return tuple(
        DiscreteSearchRequest(
            space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
            document=space_to_json(space),
            strategy=one.name,
            parameters=given,
            objectives=objectives,
            evaluator=judged.evaluator,
            budget=body.budget,
            skeleton=judged.skeleton,
            image=judged.image,
            bounds=bounds,
            latencies=here.latencies,
            warm_start=warm,
            batch=batch,
            repeats=body.repeats,
            seed=seed,
            device=device_of(body, judged, objectives),
        )
        for one, given in zip(chosen, parameters, strict=True)
    )


def latency_device(body: DiscreteSearchFields) -> str:
    """The device whose latencies are asked for."""
    if body.latency_device is None:
        message = "latencies are a device's: name one; GET /v1/profiles/devices lists them"
        raise unprocessable("/latency_device", message)
    return body.latency_device


def sought_in(
    space: SearchSpace, body: DiscreteSearchFields, judged: Judgement, *, fronts: bool
) -> tuple[SoughtMetric, ...]:
    """The objectives, each measured or a cost. Raises a Problem where one is neither, or there twice."""
    if body.objectives is None:
        found = [SoughtBody(metric=usual_metric(judged))]
        if fronts:
            found.append(SoughtBody(metric="macs"))
    else:
        found = body.objectives
    names = [sought.metric for sought in found]
    for i, name in enumerate(names):
        if name in names[:i]:
            raise unprocessable(f"/objectives/{i}/metric", "it is among the objectives already", name)
        if name not in (*judged.metrics, *COSTS):
            message = f"the evaluator {judged.evaluator.kind} does not measure this"
            allowed = tuple(dict.fromkeys((*judged.metrics, *COSTS)))
            raise unprocessable(f"/objectives/{i}/metric", message, name, allowed)
        if isinstance(judged.evaluator, ProxyEvaluator) and name not in COSTS:
            defined(judged, space, name, f"/objectives/{i}/metric" if body.objectives else "/objectives")
    if isinstance(judged.evaluator, TrainingEvaluator | InheritedEvaluator) and {*names} <= {*COSTS}:
        message = "costs are known without training: seek what a training measures too, or use another evaluator"
        raise unprocessable("/objectives", message, names, judged.metrics)
    return tuple(
        SoughtMetric(
            metric=sought.metric,
            goal=sought.goal or ("minimise" if sought.metric in MINIMISED else "maximise"),
        )
        for sought in found
    )


def usual_metric(judged: Judgement) -> str:
    """What is sought where nothing is said."""
    first = judged.metrics[0] if judged.metrics else None
    if first is None or (judged.results is not None and first != "accuracy" and len(judged.metrics) > 1):
        message = "the results have no accuracy: say what is sought"
        raise unprocessable("/objectives", message, None, (*judged.metrics, *COSTS))
    return first


def completed(one: Chosen, declaration: StrategyDeclaration, judged: Judgement) -> dict[str, int]:
    """Every parameter of a strategy, by default or as given. Raises a Problem where one is unknown or out of bounds."""
    given = dict(one.parameters)
    place = f"{one.pointer}/parameters"
    known = tuple(parameter.name for parameter in declaration.parameters)
    for name in given:
        if name not in known:
            raise unprocessable(f"{place}/{name}", f"{one.name} has no such parameter", given[name], known)
    try:
        whole = declaration.completed(given)
        if "fidelities" in declaration.needs:
            whole = declaration.completed(fidelities(judged, given, whole["eta"], one.pointer))
    except ValueError as error:
        name = str(error).partition(" ")[0].rstrip(":,")
        pointer = f"{place}/{name}" if name in known else place
        raise unprocessable(pointer, str(error), given.get(name, given)) from error
    return whole


def fit(
    one: Chosen, declaration: StrategyDeclaration, objectives: Sequence[SoughtMetric], body: DiscreteSearchFields
) -> None:
    """Refuse what a strategy cannot do."""
    if "one-objective" in declaration.needs and len(objectives) > 1:
        able = tuple(name for name, known in DISCRETE_STRATEGIES.items() if "one-objective" not in known.needs)
        message = f"{one.name} seeks one objective, and there are {len(objectives)}"
        raise unprocessable(f"{one.pointer}/strategy", message, one.name, able)
    if "fidelities" in declaration.needs and body.warm_start is not None:
        message = f"{one.name} measures all members of a rung first; others cannot be put before them"
        raise unprocessable("/warm_start", message, body.warm_start.proxy, (None,))


def batch_of(body: DiscreteSearchFields, judged: Judgement, *, rising: bool) -> int:
    """Members that are proposed and measured at a time.

    `rising`: members go on at higher fidelities; then others take the places of those that must be waited for.
    """
    if isinstance(judged.evaluator, TrainingEvaluator):
        seeds = len(judged.evaluator.seeds)
        if body.budget * seeds > MAX_TRAININGS:
            message = f"{body.budget} evaluations with {seeds} seeds each; at most {MAX_TRAININGS} trainings are made"
            raise unprocessable("/budget", message, body.budget, (f"at most {MAX_TRAININGS // seeds}",))
    if body.batch is None:
        match judged.evaluator:
            case TrainingEvaluator():
                several = TRAINED_AT_A_TIME
            case InheritedEvaluator(children=children) if children:
                several = JUDGED_AT_A_TIME * children
            case _:
                several = 1
        return 1 if rising else min(several, body.budget)
    if body.batch > body.budget:
        raise unprocessable("/batch", f"the budget is {body.budget}", body.batch, (f"at most {body.budget}",))
    return body.batch


def device_of(body: DiscreteSearchFields, judged: Judgement, objectives: Sequence[SoughtMetric]) -> Device:
    """The device: what computes no network needs no GPU."""
    computes = body.warm_start is not None or (
        any(sought.metric not in COSTS for sought in objectives)
        if isinstance(judged.evaluator, ProxyEvaluator)
        else not isinstance(judged.evaluator, CatalogueEvaluator)
    )
    if computes:
        return body.device
    if body.device == "cuda":
        raise unprocessable("/device", "such a search computes no network", body.device, ("auto", "cpu"))
    return "cpu"


def planned(services: Services, space: SearchSpace, request: DiscreteSearchRequest) -> DiscretePlanView:
    """What a discrete search would do, and what is known of it."""
    trainings, epochs = work_of(request)
    phases = phases_of_discrete(space, request, epochs)
    with services.database.transaction() as session:
        queue, serving = queue_for(services, session, request.device)
        estimate = estimated(session, services, queue, request.device, phases)
    return DiscretePlanView(
        kind="discrete_search",
        space=identity(space),
        queue=queue,
        workers=serving,
        evaluations=request.budget,
        trainings=trainings,
        epochs=epochs,
        estimate=estimate,
        oracle=request.oracle,
        label=ORACLE if request.oracle else None,
        request=shown_request(asdict(request)),
    )


def work_of(request: DiscreteSearchRequest) -> tuple[int, int]:
    """(trainings, epochs) at most."""
    match request.evaluator:
        case TrainingEvaluator(seeds=seeds, recipe=recipe):
            epochs = request.budget * recipe.epochs
            if "fidelities" in DISCRETE_STRATEGIES[request.strategy].needs:
                epochs = sum(halved(request.parameters, request.budget))
            return request.budget * len(seeds), epochs * len(seeds)
        case InheritedEvaluator(recipe=recipe, check=None):
            return 0, recipe.epochs
        case InheritedEvaluator(recipe=recipe, check=SharingCheck() as check):
            trainings = check.members * len(check.seeds)
            return trainings, recipe.epochs + trainings * check.recipe.epochs
        case _:
            return 0, 0


def halved(parameters: Mapping[str, int], budget: int) -> list[int]:
    """The fidelity of each evaluation of successive halving, one bracket after another, where none fails."""
    eta = parameters["eta"]
    levels = rungs(parameters["least"], parameters["most"], eta)
    bracket = [level for i, level in enumerate(levels) for _ in range(eta ** (len(levels) - 1 - i))]
    whole, rest = divmod(budget, len(bracket))
    return bracket * whole + bracket[:rest]
