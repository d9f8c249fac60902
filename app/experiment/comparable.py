"""What compares with what: searches stand on one footing where all that decides their results is equal, but for who
searched. Everything else that a request says is part of the footing.

A recipe's name, a space's name and when results were looked up decide nothing: their digests stand for them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from app.experiment.dataset import Dataset
from app.experiment.discrete import (
    DiscreteSearchRequest,
    Evaluator,
    InheritedEvaluator,
    Latencies,
    TrainingEvaluator,
    WarmStart,
)
from app.experiment.recipe import UNUSED, Recipe

UNDECISIVE = {"as_of", "recipe", "fidelities"}
"""What reports say beside what decides: a moment and names, of which the request has the digests."""

Footing = dict[str, Any]  # JSON values by their places


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlike:
    """A place in which searches differ."""

    place: str  # JSON pointer into the request, or below /judged_by into the report
    values: Mapping[str, Any]  # by the names of the searches; JSON


def unlike(searches: Mapping[str, DiscreteSearchRequest], judged_by: Mapping[str, Mapping[str, Any]]) -> list[Unlike]:
    """Everything in which searches differ that keeps them from being compared, by place; empty where nothing does.

    `judged_by` is what their reports say they were judged by.
    """
    footings = {name: footing(request, judged_by.get(name, {})) for name, request in searches.items()}
    every = sorted({place for found in footings.values() for place in found})
    differing: list[Unlike] = []
    for place in every:
        values = {name: found.get(place) for name, found in footings.items()}
        if len({json.dumps(value, sort_keys=True) for value in values.values()}) > 1:
            differing.append(Unlike(place=place, values=values))
    return differing


def footing(request: DiscreteSearchRequest, judged_by: Mapping[str, Any]) -> Footing:
    """What a search's result depends on, but for its strategy and seed."""
    return {
        "/space/digest": request.space.digest,
        "/skeleton": asdict(request.skeleton),
        "/image": asdict(request.image),
        "/objectives": [asdict(sought) for sought in request.objectives],
        **{f"/bounds/{name}": value for name, value in asdict(request.bounds).items()},
        "/budget": request.budget,
        "/batch": request.batch,
        "/repeats": request.repeats,
        **_latencies(request.latencies),
        **_warm(request.warm_start),
        **_evaluator("/evaluator", request.evaluator),
        **{f"/judged_by/{name}": value for name, value in judged_by.items() if name not in UNDECISIVE},
    }


def _latencies(table: Latencies | None) -> Footing:
    if table is None:
        return {"/latencies": None}
    entries = json.dumps(dict(table.entries), sort_keys=True).encode()
    return {
        "/latencies/device": table.device,
        "/latencies/factor": table.factor,
        "/latencies/entries": f"sha256 {hashlib.sha256(entries).hexdigest()}",
    }


def _warm(start: WarmStart | None) -> Footing:
    if start is None:
        return {"/warm_start": None}
    return {
        "/warm_start/proxy": start.proxy,
        "/warm_start/candidates": start.candidates,
        "/warm_start/kept": start.kept,
        **_evaluator("/warm_start/evaluator", start.evaluator),
    }


def _evaluator(place: str, evaluator: Evaluator) -> Footing:
    found: dict[str, Any] = {f"{place}/kind": evaluator.kind, f"{place}/dataset": evaluator.dataset}
    match evaluator.kind:
        case "catalogue":
            found[f"{place}/split"] = evaluator.split
            found[f"{place}/evaluation"] = evaluator.evaluation
            found[f"{place}/recipe_digest"] = evaluator.recipe_digest
            found[f"{place}/fidelities"] = [[of.fidelity, of.recipe_digest] for of in evaluator.fidelities]
        case "training":
            found |= _trained(place, evaluator) | {f"{place}/seeds": list(evaluator.seeds)}
        case "inherited":
            found |= _trained(place, evaluator)
            found |= {f"{place}/skeleton": asdict(evaluator.skeleton), f"{place}/paths": evaluator.paths}
        case "proxies":
            found |= {f"{place}/data": _digest(evaluator.data), f"{place}/images": evaluator.images}
    return found


def _trained(place: str, evaluator: TrainingEvaluator | InheritedEvaluator) -> Footing:
    return {f"{place}/data": _digest(evaluator.data)} | _procedure(f"{place}/recipe", evaluator.recipe)


def _procedure(place: str, recipe: Recipe) -> Footing:
    """Every field of a recipe but its name, and those that are not used."""
    fields = asdict(recipe)
    used = {k: v for k, v in fields.items() if k != "name" and (k not in UNUSED or v != UNUSED[k])}
    return {f"{place}/{name}": value for name, value in used.items()}


def _digest(data: Dataset | None) -> str | None:
    """Of what is in a registered data set; a built-in one is told apart by its name."""
    return None if data is None or data.stored is None else data.stored.digest
