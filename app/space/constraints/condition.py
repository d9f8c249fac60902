"""A condition on members: what is wrong with one, and an automaton that reads its decisions in the grammar's order.

    start                        the state before the first decision
    step(state, path, symbol)    the state after an answer; None where no member can be saved any more
    accepts(state)               whether a member whose decisions end there meets the condition
    view(path)                   what of a path matters to the steps below it; equal views, equal steps; None: nothing
    faults(made)                 what is wrong with the decisions of a member
    by_automaton                 False where the automaton does not decide, and only `faults` does

A length is a step too, at the path of the length; a Subset is a step for each symbol, in the order of its options.
"""

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from app.space.algebra import Path, Scalar, Symbol
from app.space.decision import Decisions
from app.space.value import scalar_key

State = Hashable
View = Hashable
Key = tuple[bool, Scalar]  # of a symbol: 1 and 1.0 are the same, 1 and true are not


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a condition has against a member, at a decision path."""

    path: Path
    message: str
    value: object
    allowed: tuple[object, ...] = ()


class Condition(Protocol):
    """See the head of this module."""

    @property
    def start(self) -> State:
        """The state before the first decision."""
        ...

    @property
    def by_automaton(self) -> bool:
        """Whether `accepts` decides."""
        ...

    def view(self, path: Path) -> View | None:
        """What of a path matters below it."""
        ...

    def step(self, state: State, path: Path, symbol: Symbol) -> State | None:
        """The state after an answer."""
        ...

    def accepts(self, state: State) -> bool:
        """Whether a member may end in a state."""
        ...

    def faults(self, made: Decisions) -> Iterator[Refusal]:
        """What is wrong with the decisions of a member."""
        ...


def key_of(symbol: Symbol) -> Key:
    """What makes two symbols the same."""
    key = scalar_key(symbol)
    assert key is not None
    return key


def covers(at: Path, path: Path) -> bool:
    """Whether a decision is at a place or under it."""
    return at in ("", path) or path.startswith(f"{at}/")


def leads(at: Path, path: Path) -> bool:
    """Whether a place may hold `at` below it; a shared rule's decisions can be anywhere below."""
    return path == "" or at.startswith((f"{path}/", "@"))


class Ways:
    """The places that lead to one of some decisions."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._anywhere = False
        self._prefixes: set[Path] = set()
        for path in paths:
            self._anywhere = self._anywhere or path.startswith("@")
            steps = path.split("/")
            self._prefixes.update("/".join(steps[:n]) for n in range(1, len(steps) + 1))

    def view(self, path: Path) -> View | None:
        """The path itself, where it leads to one of them."""
        return path if path in self._prefixes or self._anywhere else None
