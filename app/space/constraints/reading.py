"""From a named constraint to the conditions it puts on a space's decisions."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.space.algebra import Path
from app.space.constraints.condition import Condition, Ways, covers, key_of
from app.space.constraints.counts import OptionCount, Predecessors
from app.space.constraints.graphs import Connected, Edges, Place
from app.space.constraints.parameters import COSTS, plain, read_parameters, refused
from app.space.constraints.sets import Distinct
from app.space.decision import Decision
from app.space.derived import derived
from app.space.path import step

if TYPE_CHECKING:
    from app.space.document import Constraint, SearchSpace

_EDGE = re.compile(r"(\d{1,3})->(\d{1,3})")
_LISTED = 100  # places in `allowed`


@dataclass(frozen=True, slots=True)
class CostLimit:
    """A bound on what a member costs: judged where members have costs, not here."""

    name: str  # max_params, max_macs or max_depth
    value: int
    skeleton: str | None
    at: str  # JSON pointer of the constraint in the space's document


@derived
def conditions_of(space: "SearchSpace") -> tuple[Condition, ...]:
    """The conditions on a space's decisions; a GrammarError points to a constraint that does not fit the grammar."""
    return tuple(condition for _, found in read_constraints(space) for condition in found)


@derived
def cost_limits_of(space: "SearchSpace") -> tuple[CostLimit, ...]:
    """The bounds on what a space's members cost."""
    found: list[CostLimit] = []
    for i, constraint in enumerate(space.constraints):
        if constraint.name in COSTS:
            at = f"/constraints/{i}"
            read = read_parameters(constraint.name, plain(constraint.parameters), at)
            skeleton = read.get("skeleton")
            if not space.skeletons or (skeleton is not None and skeleton not in space.skeletons):
                here = f"{at}/parameters/skeleton"
                raise refused(here, "costs are judged on one of the space's skeletons", skeleton, (*space.skeletons,))
            found.append(CostLimit(constraint.name, read["value"], skeleton, at))
    return tuple(found)


def read_constraints(space: "SearchSpace") -> Iterator[tuple[int, tuple[Condition, ...]]]:
    """Of each constraint on decisions: its place in the document's list, and its conditions."""
    reader: _Reader | None = None
    for i, constraint in enumerate(space.constraints):
        at = f"/constraints/{i}"
        read = read_parameters(constraint.name, plain(constraint.parameters), at)
        if constraint.name not in COSTS:
            reader = reader or _Reader(space.plan.decisions())
            yield i, tuple(reader.conditions(constraint, read, f"{at}/parameters"))


class _Reader:
    """The constraints of one space."""

    def __init__(self, decisions: tuple[Decision, ...]) -> None:
        self.decisions = {decision.path: decision for decision in decisions}

    def conditions(self, constraint: "Constraint", read: dict[str, Any], at: str) -> Iterator[Condition]:
        least, most = read.get("min", 0), read.get("max")
        match constraint.name:
            case "connected":
                yield from map(Connected, self.places(read["at"], at))
            case "edges":
                for place in self.places(read["at"], at):
                    yield Edges(place, least, most, read.get("pruned", False))
            case "option_count":
                self.offered(read.get("at", ""), read["option"], at)
                yield OptionCount(read["option"], read.get("at", ""), least, most)
            case "predecessors":
                for i, option in enumerate(read["allowed"]):
                    self.offered(read["at"], option, at, f"{at}/allowed/{i}")
                yield Predecessors(read["at"], read["allowed"], frozenset(map(key_of, read["allowed"])))
            case _:
                yield self.distinct(read["at"], at, every=constraint.name == "permutation")

    def places(self, under: Path, at: str) -> list[Place]:
        """The graphs at a place or below it."""
        found: dict[Path, dict[Path, tuple[int, int]]] = {}
        for path, decision in self.decisions.items():
            parent, _, name = path.rpartition("/")
            ends = _EDGE.fullmatch(name)
            if ends and int(ends[1]) < int(ends[2]) and decision.kind == "choice" and covers(under, parent):
                found.setdefault(parent, {})[path] = (int(ends[1]), int(ends[2]))
        if not found:
            graphs = dict.fromkeys(
                p.rpartition("/")[0] for p in self.decisions if _EDGE.fullmatch(p.rpartition("/")[2])
            )
            raise refused(
                f"{at}/at", "expected a place with edges such as 0->1 for fields", under, (*graphs,)[:_LISTED]
            )
        return [Place(path, edges, Ways(edges)) for path, edges in found.items()]

    def offered(self, under: Path, option: Any, at: str, here: str | None = None) -> None:
        """An option is one of some decision under a place."""
        found = (d for path, d in self.decisions.items() if covers(under, path) and d.kind != "length")
        beneath = {id(d.options): d.options for d in found}  # places of one part share theirs
        if not beneath:
            raise refused(f"{at}/at", "nothing is decided there", under, tuple(self.decisions)[:_LISTED])
        options = {key_of(o): o for offered in beneath.values() for o in offered}
        if key_of(option) not in options:
            where = here or f"{at}/option"
            raise refused(where, "no decision there has this option", option, tuple(options.values())[:_LISTED])

    def distinct(self, paths: tuple[Path, ...], at: str, *, every: bool) -> Distinct:
        options: dict[Any, Any] = {}
        for i, path in enumerate(paths):
            decision = self.decisions.get(path)
            if decision is None or decision.kind == "length" or (every and decision.kind != "choice"):
                known = [d.path for d in self.decisions.values() if d.kind != "length"]
                raise refused(f"{at}/at/{i}", "no choice is made there", path, tuple(known)[:_LISTED])
            if path in paths[:i]:
                raise refused(f"{at}/at/{i}", "each decision is named once", path, ())
            options |= {key_of(o): o for o in decision.options}
        symbols = tuple(options.values())
        if every and len(symbols) != len(paths):
            message = f"a permutation of {len(symbols)} options needs as many decisions"
            raise refused(f"{at}/at", message, len(paths), (len(symbols),))
        bits = {key: 1 << n for n, key in enumerate(options)}
        return Distinct(frozenset(paths), bits, symbols, every, Ways(paths))


def option_path(path: Path, symbol: Any) -> Path:
    """The path below an option."""
    return step(path, symbol)
