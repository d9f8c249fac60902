"""Decisions whose answers differ from one another."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.space.algebra import Path, Symbol
from app.space.constraints.condition import Key, Refusal, State, View, Ways, key_of
from app.space.decision import Decisions
from app.space.value import shown


@dataclass(frozen=True, slots=True)
class Distinct:
    """No symbol is chosen twice among some decisions; `every`: and each of their options is chosen, a permutation."""

    paths: frozenset[Path]
    bits: dict[Key, int]  # of each option
    symbols: tuple[Symbol, ...]  # in the order of the bits
    every: bool
    ways: Ways
    start: State = 0
    by_automaton: bool = True

    def view(self, path: Path) -> View | None:
        """What of a path matters below it."""
        return self.ways.view(path)

    def step(self, state: State, path: Path, symbol: Symbol) -> State | None:
        """The state after an answer."""
        assert isinstance(state, int)
        if path not in self.paths:
            return state
        bit = self.bits[key_of(symbol)]
        return None if state & bit else state | bit

    def accepts(self, state: State) -> bool:
        """Whether a member may end in a state."""
        return not self.every or state == (1 << len(self.symbols)) - 1

    def faults(self, made: Decisions) -> Iterator[Refusal]:
        """What is wrong with the decisions of a member."""
        taken: dict[Key, Path] = {}
        again: list[tuple[Path, Symbol]] = []
        for path, symbols in made.items():
            for symbol in symbols if path in self.paths else ():
                if taken.setdefault(key_of(symbol), path) != path:
                    again.append((path, symbol))
        free = tuple(symbol for symbol in self.symbols if key_of(symbol) not in taken)
        left = f"still free: {', '.join(map(shown, free))}" if free else "none is free"
        for path, symbol in again:
            yield Refusal(path, f"{shown(symbol)} is taken already, at {taken[key_of(symbol)]}; {left}", symbol, free)
        if self.every and free and not again:
            yield Refusal("", f"each option is to be chosen once; {left}", None, free)
