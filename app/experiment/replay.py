"""Whether a search that repeats another one came to the same, and where they part.

    discrete searches    what they were judged by, every evaluation in order, the genotype, the report
    supernet searches    the weights of the decisions after each epoch, the genotype, the report

Everything is compared exactly but times, ids of jobs, and notes. Two records that differ are only told to contradict
each other where everything that may change numbers was the same in both: `conditions`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

Record = Mapping[str, Any]  # a job's request, or its result

PARTS = ("report/judged_by", "trajectory", "genotype", "report")
VOLATILE = frozenset({"seconds", "strategy_seconds", "gpu_hours", "job", "jobs", "notes", "judged_by"})
"""Fields that equal searches differ in: times, ids of jobs, notes on attempts. `judged_by` is a part of its own."""

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """Something that may change numbers, in the search and in its replay."""

    name: str
    of: Any
    replay: Any

    @property
    def same(self) -> bool:
        """Whether it was the same in both, and is known."""
        return self.of is not None and self.of == self.replay


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place in which two records differ, and what stands there; None also where nothing does."""

    place: str  # JSON pointer into the result
    of: Any
    replay: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """Two records side by side."""

    identical: bool | None  # None: not to be told, for the reason
    compared: tuple[str, ...]  # parts of the result
    evaluations: int  # or epochs, that are equal from the first on
    difference: Difference | None
    conditions: tuple[Condition, ...]
    reason: str | None


def replayed(kind: str, request: Record, of: Record, replay: Record) -> Replayed:
    """Two results of the same request, compared. `kind`: "search" or "discrete_search"."""
    ours, theirs = (_parts(result) for result in (of, replay))
    compared = tuple(part for part in PARTS if part in ours or part in theirs)
    difference = next(
        (
            found
            for part in compared
            for found in _differences(f"/{part}", ours.get(part, _ABSENT), theirs.get(part, _ABSENT))
        ),
        None,
    )
    conditions = tuple(_conditions(kind, request, of, replay))
    other = [condition for condition in conditions if not condition.same]
    reason = None
    if difference is not None and other:
        said = "; ".join(f"{c.name}: {_said(c.of)} and {_said(c.replay)}" for c in other)
        reason = f"they differ, and so did what may change numbers: {said}"
    return Replayed(
        identical=difference is None or (None if other else False),
        compared=compared,
        evaluations=_equal_steps(ours.get("trajectory", ()), theirs.get("trajectory", ())),
        difference=difference,
        conditions=conditions,
        reason=reason,
    )


def _parts(result: Record) -> dict[str, Any]:
    """What is compared of a result."""
    found = {part: result[part] for part in PARTS if part in result}
    judged = _judged_by(result)
    return found if judged is None else {"report/judged_by": judged, **found}


def _judged_by(result: Record) -> Mapping[str, Any] | None:
    report: Record = result.get("report") or {}
    return report.get("judged_by")


def _conditions(kind: str, request: Record, of: Record, replay: Record) -> Iterator[Condition]:
    yield Condition(name="code_version", of=of.get("code_version"), replay=replay.get("code_version"))
    evaluator = request.get("evaluator", {})
    if evaluator.get("kind") == "catalogue":
        ours, theirs = ((_judged_by(result) or {}).get("results_digest") for result in (of, replay))
        yield Condition(name="results_digest", of=ours, replay=theirs)
        return
    for name in ("torch_version", "device"):
        yield Condition(name=name, of=of.get(name), replay=replay.get(name))
    if kind == "search":
        recipes = [request["recipe"], request["retrain_recipe"]]
    else:
        check: Record = evaluator.get("check") or {}
        recipes = [evaluator.get("recipe"), check.get("recipe")]
    fixed = all(recipe is None or recipe["deterministic"] for recipe in recipes)
    order = "fixed" if fixed else None  # of sums: a recipe that leaves it open is never known to be the same
    yield Condition(name="order of sums", of=order, replay=order)


def _differences(place: str, of: Any, replay: Any) -> Iterator[Difference]:
    """Every place in which two JSON values differ, in order."""
    match of, replay:
        case dict(), dict():
            ours, theirs = cast("dict[str, Any]", of), cast("dict[str, Any]", replay)
            for name in [*ours, *(name for name in theirs if name not in ours)]:
                if name not in VOLATILE:
                    step = name.replace("~", "~0").replace("/", "~1")
                    yield from _differences(f"{place}/{step}", ours.get(name, _ABSENT), theirs.get(name, _ABSENT))
        case list(), list():
            items, others = cast("list[Any]", of), cast("list[Any]", replay)
            for i in range(max(len(items), len(others))):
                yield from _differences(f"{place}/{i}", _at(items, i), _at(others, i))
        case _ if not _equal(of, replay):
            yield Difference(place=place, of=_shown(of), replay=_shown(replay))
        case _:
            return


def _at(items: Sequence[Any], i: int) -> Any:
    return items[i] if i < len(items) else _ABSENT


def _equal(a: Any, b: Any) -> bool:
    """The same JSON value: 1 and true are two, 1 and 1.0 one."""
    return isinstance(a, bool) == isinstance(b, bool) and bool(a == b)


def _shown(value: Any) -> Any:
    return None if value is _ABSENT else value


def _equal_steps(ours: Any, theirs: Any) -> int:
    count = 0
    for of, replay in zip(ours, theirs, strict=False):
        if next(_differences("", of, replay), None) is not None:
            break
        count += 1
    return count


def _said(value: Any) -> str:
    return (
        "not known" if value is None else value if isinstance(value, str) else json.dumps(value, sort_keys=True)[:200]
    )
