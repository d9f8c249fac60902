"""Guards: when is a part of a graph there?

A guard is a truth function of decisions, kept as a reduced ordered decision diagram (Bryant, 1986): it asks one
question and goes on with one guard per answer. Inside one arena equal functions are the same object, so `is TRUE`
decides certainty; guards of two arenas compare by structure. Questions are asked in the order of their place in the
grammar, never in the order in which they were met, so that the structure depends on the function alone.

    all_of any_of not_ exactly     combine
    given(g, decided, memo)        what remains once some decisions are made
    weigh(g, weight, memo)         P(g) under independent decisions: 0 or 1 at a genotype, differentiable between
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from app.architecture.errors import Entangled
from app.space.algebra import Path, Symbol
from app.space.decision import Decisions as Decided
from app.space.decision import Kind as DecisionKind

COMBINED = 200_000  # pairs of guards that one lowering combines: a few seconds; published spaces need under 80,000

Weight = Callable[[Path, tuple[Symbol, ...]], Any]  # the summed weight of some options of a decision


def position(options: Sequence[Symbol], symbol: Symbol) -> int:
    """The index of a symbol among options, -1 where it is none of them. `True` is not 1, `1` is `1.0`."""
    for index, option in enumerate(options):
        if option == symbol and isinstance(option, bool) == isinstance(symbol, bool):
            return index
    return -1


@dataclass(frozen=True, slots=True)
class Question:
    """One decision, or (`member` set) whether a Subset takes that member: then the answers are yes and no."""

    place: tuple[int, ...]  # where in the grammar: the order of questions
    path: Path
    kind: DecisionKind
    options: tuple[Symbol, ...]
    member: int | None = None

    def answer(self, decided: Decided) -> int | None:
        """The index of the answer that was given, None where the decision is open."""
        chosen = decided.get(self.path)
        if chosen is None:
            return None
        if self.member is None:
            return position(self.options, chosen[0])
        return 0 if position(chosen, self.options[self.member]) >= 0 else 1


class Guard:
    """A node of a decision diagram; make one by `Arena.ask` and combine by the functions of this module."""

    __slots__ = ("_hash", "arena", "question", "then")

    def __init__(self, arena: "Arena | None", question: Question | None, then: tuple["Guard", ...]) -> None:
        self.arena = arena
        self.question = question
        self.then = then  # one a possible answer
        self._hash = hash((question, then, id(self) if question is None else 0))

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Guard) or self.arena is other.arena:
            return False
        return self._hash == other._hash and self.question == other.question and self.then == other.then

    def __copy__(self) -> "Guard":
        return self

    def __deepcopy__(self, memo: object) -> "Guard":
        return self

    def __reduce__(self) -> Any:
        if self.question is None:
            return "TRUE" if self is TRUE else "FALSE"
        return _ask, (self.arena, self.question, self.then)

    def __repr__(self) -> str:
        if self.question is None:
            return "TRUE" if self is TRUE else "FALSE"
        q = self.question
        name = q.path if q.member is None else f"{q.path}[{q.options[q.member]!r}]"
        return f"({name} ? {', '.join(map(repr, self.then))})"


TRUE = Guard(None, None, ())
FALSE = Guard(None, None, ())


class Arena:
    """The guards of one lowering, each made once. It lives as long as a guard of it."""

    __slots__ = ("_both", "_made", "_not")

    def __init__(self) -> None:
        # Keyed by identity: every guard made here is kept alive by `_made`, so no identity is ever reused.
        self._made: dict[tuple[object, ...], Guard] = {}
        self._both: dict[tuple[int, int], Guard] = {}
        self._not: dict[int, Guard] = {}

    def __reduce__(self) -> Any:
        return Arena, ()

    def ask(self, question: Question, then: Sequence[Guard]) -> Guard:
        """The guard that goes on with `then[i]` where the answer is i."""
        first = then[0]
        if all(t is first for t in then):
            return first
        key = (question.place, *map(id, then))
        found = self._made.get(key)
        # setdefault is atomic: two threads that resolve one graph still agree on one object
        return found if found is not None else self._made.setdefault(key, Guard(self, question, tuple(then)))

    def when(self, question: Question, answers: Iterable[int]) -> Guard:
        """True at some answers of a question, given by index."""
        arity = len(question.options) if question.member is None else 2
        wanted = set(answers)
        return self.ask(question, [TRUE if i in wanted else FALSE for i in range(arity)])

    def opposite(self, g: Guard) -> Guard:
        """Not g."""
        if g.question is None:
            return FALSE if g is TRUE else TRUE
        found = self._not.get(id(g))
        if found is None:
            found = self._not[id(g)] = self.ask(g.question, [self.opposite(t) for t in g.then])
        return found

    def both(self, f: Guard, g: Guard) -> Guard:
        """F and g."""
        if f is FALSE or g is FALSE:
            return FALSE
        if f.question is None or f is g:
            return g
        if g.question is None:
            return f
        if f.arena is not self or g.arena is not self:
            raise ValueError(f"guards of two lowerings cannot be combined: {f!r} and {g!r}")
        key = (id(f), id(g))
        found = self._both.get(key)
        if found is None:
            if len(self._both) >= COMBINED:
                raise Entangled(COMBINED)
            asked, other = f.question, g.question
            question = asked if asked.place <= other.place else other
            fs = f.then if asked.place == question.place else (f,) * len(g.then)
            gs = g.then if other.place == question.place else (g,) * len(f.then)
            found = self._both[key] = self.ask(question, [self.both(a, b) for a, b in zip(fs, gs, strict=True)])
        return found


def _ask(arena: Arena, question: Question, then: tuple[Guard, ...]) -> Guard:
    return arena.ask(question, then)


def not_(g: Guard) -> Guard:
    """True where g is not."""
    if g.arena is None:
        return FALSE if g is TRUE else TRUE
    return g.arena.opposite(g)


def _both(f: Guard, g: Guard) -> Guard:
    if f.arena is None:
        return g if f is TRUE else FALSE
    return f.arena.both(f, g)


def all_of(*guards: Guard) -> Guard:
    """True where all are; TRUE of none."""
    return reduce(_both, guards, TRUE)


def any_of(*guards: Guard) -> Guard:
    """True where one is; FALSE of none."""
    if len(guards) == 1:
        return guards[0]
    return not_(all_of(*map(not_, guards)))


def exactly(bits: Iterable[Guard]) -> list[Guard]:
    """[g0, g1, ...]: gk holds where exactly k of the bits do."""
    counts = [TRUE]
    for bit in bits:
        stay, come = [*counts, FALSE], [FALSE, *counts]
        counts = [any_of(all_of(s, not_(bit)), all_of(c, bit)) for s, c in zip(stay, come, strict=True)]
    return counts


def given(g: Guard, decided: Decided, memo: dict[int, Guard]) -> Guard:
    """What remains of `g` once some decisions are made. `memo` serves one `decided` and one arena."""
    if g.question is None or g.arena is None:
        return g
    found = memo.get(id(g))
    if found is None:
        answer = g.question.answer(decided)
        if answer is None:
            found = g.arena.ask(g.question, [given(t, decided, memo) for t in g.then])
        else:
            found = given(g.then[answer], decided, memo) if answer >= 0 else FALSE
        memo[id(g)] = found
    return found


def weigh(g: Guard, weight: Weight, memo: dict[int, Any]) -> Any:
    """P(g) where every decision is drawn from its weights: numbers or 0-d tensors, whatever `weight` answers."""
    q = g.question
    if q is None:
        return 1 if g is TRUE else 0
    found = memo.get(id(g))
    if found is None:
        total: Any = 0
        for branch in dict.fromkeys(g.then):
            if branch is FALSE:
                continue
            if q.member is None:
                p = weight(q.path, tuple(o for o, t in zip(q.options, g.then, strict=True) if t is branch))
            else:
                p = weight(q.path, (q.options[q.member],))
                p = p if branch is g.then[0] else 1 - p
            total = total + (p if branch is TRUE else p * weigh(branch, weight, memo))
        found = memo[id(g)] = total
    return found


def questions(guards: Iterable[Guard]) -> Iterator[Question]:
    """Every question that some of the guards asks, each once, in the order of their places."""
    found: dict[tuple[int, ...], Question] = {}
    seen: set[int] = set()
    stack = list(guards)
    while stack:
        g = stack.pop()
        if g.question is not None and id(g) not in seen:
            seen.add(id(g))
            found[g.question.place] = g.question
            stack.extend(g.then)
    yield from (found[place] for place in sorted(found))
