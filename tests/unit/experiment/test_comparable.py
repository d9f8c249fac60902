"""What compares with what: every field of a search's request either keeps it from comparing, or is listed as free."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest

from app.experiment import (
    DATASETS,
    TRAINING_RECIPES,
    Bounds,
    CatalogueEvaluator,
    DiscreteSearchRequest,
    InheritedEvaluator,
    Latencies,
    ProxyEvaluator,
    RecipeAt,
    SoughtMetric,
    SpaceVersion,
    StoredImages,
    TrainingEvaluator,
    WarmStart,
)
from app.experiment.comparable import Unlike, unlike
from app.experiment.recipe import SEARCH_RECIPES
from app.space import EdgeCellSkeleton, ImageInput

STORED = StoredImages(
    digest="d" * 64, pixels_digest="e" * 64, bytes=9, levels=255, mean=(0.5,), deviation=(0.2,), classes=()
)
DATA = replace(DATASETS["digits"], name="mine", stored=STORED)
TRAINING = next(iter(TRAINING_RECIPES.values()))
SEARCHING = replace(next(iter(SEARCH_RECIPES.values())), pressure=None)
PROXIES = ProxyEvaluator(dataset="mine@dddddddddddd", data=DATA)
CATALOGUE = CatalogueEvaluator(
    dataset="digits",
    split="selection",
    recipe_name="published",
    recipe_digest="a" * 64,
    viewer="ada",
    as_of="2026-01-01T00:00:00+00:00",
    fidelities=(RecipeAt(fidelity=12, recipe_name="short", recipe_digest="b" * 64),),
)
EVALUATORS = (
    CATALOGUE,
    TrainingEvaluator(dataset="mine@dddddddddddd", recipe=TRAINING, data=DATA),
    InheritedEvaluator(dataset="mine@dddddddddddd", recipe=SEARCHING, skeleton=EdgeCellSkeleton(), data=DATA),
    PROXIES,
)
SEARCH = DiscreteSearchRequest(
    space=SpaceVersion(name="nasbench201", version=1, digest="c" * 64),
    document={"name": "nasbench201"},
    strategy="random",
    parameters={},
    objectives=(SoughtMetric(metric="accuracy"),),
    evaluator=CATALOGUE,
    budget=200,
    skeleton=EdgeCellSkeleton(),
    image=ImageInput(channels=1, height=8, width=8),
    bounds=Bounds(max_params=10, max_macs=20, max_latency_ms=1.5),
    latencies=Latencies(device="pi", entries={"conv": 1.0}),
    warm_start=WarmStart(proxy="synflow", evaluator=PROXIES, candidates=100, kept=10),
)

FREE = {
    "/space/name",  # the digest tells
    "/space/version",
    "/document",
    "/strategy",  # who searches
    "/parameters",
    "/seed",
    "/device",
    "/replays",
    "/evaluator/viewer",
    "/evaluator/as_of",  # the digest of the results that were seen tells
    "/evaluator/recipe_name",  # the recipe's digest tells
    "/evaluator/fidelities/0/recipe_name",
    "/evaluator/recipe/name",
    "/evaluator/children",  # who judges, not how
    "/evaluator/check",  # what is said of the result afterwards
}
DATA_OF = ("/evaluator/data/", "/warm_start/evaluator/data/")
CONTENT = {f"{place}stored/digest" for place in DATA_OF}  # pixels, labels and splits, whatever is said of them


def places(value: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf of a request, with the function that makes another of it."""
    if is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from (
                (place, lambda new, f=field.name, put=put: replace(value, **{f: put(new)}))  # type: ignore[misc]
                for place, put in places(getattr(value, field.name), f"{pointer}/{field.name}")
            )
    elif isinstance(value, tuple) and value and is_dataclass(value[0]):
        yield from (
            (place, lambda new, put=put: (put(new), *value[1:]))  # type: ignore[misc]
            for place, put in places(value[0], f"{pointer}/0")
        )
    else:
        yield pointer, lambda new: new


def another(value: Any) -> Any:
    """A value of the same shape that is not equal."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case str():
            return f"{value}x"
        case tuple():
            return (*value, 1)
        case None:
            return "x"
        case _:
            return {**value, "x": 1}


def value_at(request: Any, pointer: str) -> Any:
    for step in pointer.split("/")[1:]:
        request = request[int(step)] if step.isdigit() else getattr(request, step)
    return request


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda evaluator: evaluator.kind)
def test_every_field_decides_or_is_listed_as_free(evaluator: Any) -> None:
    search = replace(SEARCH, evaluator=evaluator)
    seen = 0
    for place, put in places(search):
        other = put(another(value_at(search, place)))
        assert other != search, place
        found = unlike({"a": search, "b": other}, {})
        about_data = place.startswith(DATA_OF) and place not in CONTENT
        assert bool(found) == (place not in FREE and not about_data), place
        seen += 1
        for one in found:
            near = place.removesuffix("/kind")  # another kind has other fields
            assert place.startswith(one.place) or one.place.startswith(near), (place, one)
            assert one.values.keys() == {"a", "b"}
            assert one.values["a"] != one.values["b"]
    assert seen > 40


def test_what_has_nothing_of_a_kind_is_unlike_what_has() -> None:
    for field in ("latencies", "warm_start"):
        found = unlike({"a": SEARCH, "b": replace(SEARCH, **{field: None})}, {})
        assert found
        assert {one.place.split("/")[1] for one in found} == {field}
    found = unlike({"a": SEARCH, "b": replace(SEARCH, evaluator=PROXIES)}, {})
    assert Unlike(place="/evaluator/kind", values={"a": "catalogue", "b": "proxies"}) in found


def test_what_reports_say_they_were_judged_by_decides_too() -> None:
    judged = {"a": {"results": "1", "split": "test"}, "b": {"results": "2", "split": "test"}}
    found = unlike({"a": SEARCH, "b": SEARCH}, judged)
    assert found == [Unlike(place="/judged_by/results", values={"a": "1", "b": "2"})]
    (missing,) = unlike({"a": SEARCH, "b": SEARCH}, {"a": {"results": "1"}})
    assert missing.values == {"a": "1", "b": None}
    later = {name: {"as_of": f"2026-01-0{i}", "recipe": f"r{i}"} for i, name in enumerate("ab", 1)}
    assert unlike({"a": SEARCH, "b": SEARCH}, later) == [], "digests stand for when results were seen, and for names"


def test_every_search_is_named_with_its_value() -> None:
    others = {f"s{budget}": replace(SEARCH, budget=budget) for budget in (100, 200, 300)}
    assert unlike(others, {}) == [Unlike(place="/budget", values={"s100": 100, "s200": 200, "s300": 300})]
    assert unlike(dict.fromkeys("abc", SEARCH), {}) == []
    assert unlike({}, {}) == []
