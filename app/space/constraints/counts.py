"""How many decisions are answered in one way, and which answers are allowed at all."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.space.algebra import Path, Symbol
from app.space.constraints.condition import Key, Refusal, State, View, covers, key_of, leads
from app.space.decision import Decisions
from app.space.value import shown


@dataclass(frozen=True, slots=True)
class OptionCount:
    """Between `least` and `most` decisions under a place are answered with a symbol; lengths do not count."""

    option: Symbol
    at: Path
    least: int
    most: int | None
    start: State = 0
    by_automaton: bool = True

    def view(self, path: Path) -> View | None:
        """What of a path matters below it."""
        if covers(self.at, path):
            return True
        return path if leads(self.at, path) else None

    def step(self, state: State, path: Path, symbol: Symbol) -> State | None:
        """The state after an answer."""
        assert isinstance(state, int)
        if not self._counts(path) or key_of(symbol) != key_of(self.option):
            return state
        if self.most is None:
            return min(state + 1, self.least)
        return state + 1 if state < self.most else None

    def accepts(self, state: State) -> bool:
        """Whether a member may end in a state."""
        assert isinstance(state, int)
        return state >= self.least

    def faults(self, made: Decisions) -> Iterator[Refusal]:
        """What is wrong with the decisions of a member."""
        key = key_of(self.option)
        paths = [p for p, symbols in made.items() for s in symbols if s == self.option and key_of(s) == key]
        paths = [p for p in paths if self._counts(p)]
        bounds = _bounds(self.least, self.most)
        if len(paths) < self.least:
            message = f"{shown(self.option)} is to be chosen {bounds}, and is {_times(len(paths))}"
            yield Refusal(self.at, message, len(paths), _numbers(self.least, self.most))
        for path in [] if self.most is None else paths[self.most :]:
            message = f"{shown(self.option)} is to be chosen {bounds}, and is {_times(len(paths))}"
            yield Refusal(path, message, self.option, _numbers(self.least, self.most))

    def _counts(self, path: Path) -> bool:
        return covers(self.at, path) and not path.endswith("#")


@dataclass(frozen=True, slots=True)
class Predecessors:
    """An input is only one of some states: the decision at a place, and every decision `input` under it."""

    at: Path
    allowed: tuple[Symbol, ...]
    keys: frozenset[Key]
    start: State = 0
    by_automaton: bool = True

    def view(self, path: Path) -> View | None:
        """What of a path matters below it."""
        if covers(self.at, path):
            return (path == self.at, path.rpartition("/")[2])
        return path if leads(self.at, path) else None

    def step(self, state: State, path: Path, symbol: Symbol) -> State | None:
        """The state after an answer."""
        return state if not self._judges(path) or key_of(symbol) in self.keys else None

    def accepts(self, state: State) -> bool:
        """Whether a member may end in a state."""
        return True

    def faults(self, made: Decisions) -> Iterator[Refusal]:
        """What is wrong with the decisions of a member."""
        for path, symbols in made.items():
            for symbol in symbols if self._judges(path) else ():
                if key_of(symbol) not in self.keys:
                    allowed = ", ".join(map(shown, self.allowed))
                    yield Refusal(
                        path, f"expected an input among {allowed}; found {shown(symbol)}", symbol, self.allowed
                    )

    def _judges(self, path: Path) -> bool:
        return path == self.at or (covers(self.at, path) and path.endswith("/input"))


def _bounds(least: int, most: int | None) -> str:
    if most is None:
        return f"at least {_times(least)}"
    if least == most:
        return f"exactly {_times(least)}"
    return f"at most {_times(most)}" if not least else f"{least} to {_times(most)}"


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


def _numbers(least: int, most: int | None) -> tuple[int, ...]:
    return (least,) if most is None else (least, most)
