"""Constraints: conditions on members beside the grammar (`parameters.py` has their names and what they are told).

conditions_of(space) · cost_limits_of(space)   what they say about decisions, and about costs
constraint_faults(space, value, index)         every condition that a member breaks, with pointers into its JSON
tables_of(space)                               members that meet them, counted; None where no small automaton does
valid(space)                                   a predicate on ranks
refuse_contradictions(space)                   a GrammarError where no member can meet them
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.space import places
from app.space.algebra import Path
from app.space.constraints.condition import Condition
from app.space.constraints.parameters import CONSTRAINTS, COSTS, frozen, plain, read_parameters
from app.space.constraints.reading import CostLimit, conditions_of, cost_limits_of, read_constraints
from app.space.constraints.tables import Tables, TooLarge
from app.space.derived import derived
from app.space.errors import Fault, GrammarError
from app.space.part import Alternatives, Members, Part, Product, Sequence, Shared
from app.space.path import pointer, shared_path, step
from app.space.value import is_list, is_object

if TYPE_CHECKING:
    from app.space.document import SearchSpace

_CAP = 2_000_000  # steps that counting takes; about two seconds
_CAP_AT_ONCE = 15_000  # while a document is read


@derived
def tables_of(space: "SearchSpace") -> Tables | None:
    """The members that meet the conditions on decisions, counted; None where that takes more than a moment."""
    return _tables(space, conditions_of(space), _CAP)


def _tables(space: "SearchSpace", conditions: tuple[Condition, ...], cap: int) -> Tables | None:
    try:
        return Tables(space.plan.part, conditions, cap)
    except TooLarge:
        return None


def refuse_contradictions(space: "SearchSpace") -> None:
    """Check that the constraints fit the grammar and, as far as a moment tells, that some member meets them all."""
    _ = cost_limits_of(space)
    read = list(read_constraints(space))
    if not _contradictory(space, read):
        return
    low, high = 0, len(read) - 1  # the first constraint that leaves no member: more of them leave none either
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if _contradictory(space, read[: middle + 1]) else (middle + 1, high)
    i = read[low][0]
    others = " together with those before it" if any(c for _, c in read[:low]) else ""
    raise GrammarError(f"/constraints/{i}", f"no member of the grammar meets this constraint{others}")


def _contradictory(space: "SearchSpace", read: list[tuple[int, tuple[Condition, ...]]]) -> bool:
    """Whether it can be told in a moment that no member meets these constraints."""
    conditions = tuple(condition for _, more in read for condition in more)
    tables = _tables(space, conditions, _CAP_AT_ONCE)
    return tables is not None and not tables.size


def constraint_faults(space: "SearchSpace", value: object, index: int) -> tuple[Fault, ...]:
    """What the conditions have against a member, given by its JSON and its rank."""
    conditions = conditions_of(space)
    made = places.read(space.plan.part, index) if conditions else {}
    refusals = [refusal for condition in conditions for refusal in condition.faults(made)]
    if not refusals:
        return ()
    at: dict[Path, str] = {}
    _point(space.plan.part, value, "", "", at)
    return tuple(Fault(at.get(r.path, ""), r.message, r.value, r.allowed) for r in refusals)


def valid(space: "SearchSpace") -> Callable[[int], bool]:
    """Whether the member of a rank meets the conditions on decisions."""
    conditions, part = conditions_of(space), space.plan.part

    def is_valid(index: int) -> bool:
        made = places.read(part, index) if conditions else {}
        return not any(True for condition in conditions for _ in condition.faults(made))

    return is_valid


def _point(part: Part, value: Any, path: Path, at: str, found: dict[Path, str]) -> None:
    """The JSON pointer of every place that a member meets."""
    found[path] = at
    match part:
        case Product(fields):
            for name, inner in fields:
                _point(inner, value[name], step(path, name), pointer(at, name), found)
        case Alternatives(menu):
            position = menu.find(value)
            if position is not None and is_object(value):
                _point(menu.parts[position], value, step(path, menu.symbols[position]), at, found)
        case Members(menu):
            for i, item in enumerate(value if is_list(value) else ()):
                position = menu.find(item)
                if position is not None:
                    _point(menu.parts[position], item, step(path, menu.symbols[position]), pointer(at, i), found)
        case Sequence(body):
            for i, item in enumerate(value if is_list(value) else ()):
                _point(body, item, step(path, i), pointer(at, i), found)
        case Shared(rule, inner):
            _point(inner, value, shared_path(rule), at, found)
        case _:
            return


__all__ = [
    "CONSTRAINTS",
    "COSTS",
    "CostLimit",
    "Tables",
    "conditions_of",
    "constraint_faults",
    "cost_limits_of",
    "frozen",
    "plain",
    "read_parameters",
    "refuse_contradictions",
    "tables_of",
    "valid",
]
