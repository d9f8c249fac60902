"""Cursor: a place in a grammar, seen through the decisions already made. The only reader that meanings use.

    cases()    alternatives of a Choice (exclusive), members of a Subset; anything else is its own only case
    values()   the same, as plain values
    items()    a Repeat as (present, last, item)

All three answer *guarded* parts. Decided: the chosen parts under TRUE. Open: every part under the guard that chooses
it. A meaning maps over them and never asks which of the two it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from app.architecture.errors import LoweringError
from app.architecture.guard import FALSE, TRUE, Arena, Decided, DecisionKind, Guard, Question, position
from app.space.algebra import Choice, Grammar, Path, Record, Ref, Repeat, Scalar, Subset, Symbol, Term, Value
from app.space.path import length_path, shared_path, step
from app.space.recursion import components

Context = tuple[int, int] | None  # the recursive set that a place is in, and how often it may still be entered


@dataclass(frozen=True, slots=True)
class View:
    """What every cursor of one lowering shares."""

    grammar: Grammar
    decided: Decided
    arena: Arena = field(default_factory=Arena)
    symbols: dict[int, tuple[Symbol, ...]] = field(default_factory=dict[int, tuple[Symbol, ...]])
    recursive: Mapping[str, int] = field(default_factory=dict[str, int])  # rule -> its recursive set (`components`)
    members: dict[tuple[int, Context], bool] = field(default_factory=dict[tuple[int, "Context"], bool])

    def of(self, options: tuple[Term, ...]) -> tuple[Symbol, ...]:
        """The symbols of some options; the grammar outlives this view, so their identity is a key."""
        found = self.symbols.get(id(options))
        if found is None:
            found = self.symbols[id(options)] = self.grammar.symbols(options)
        return found

    def enter(self, rule: str, context: Context) -> Context:
        """One entry more into a rule's recursive set, if it has one; LookupError beyond the depth bound."""
        component = self.recursive.get(rule)
        if component is None:
            return context
        left = context[1] if context is not None and context[0] == component else max(self.grammar.depth, 1)
        if left == 0:
            raise LookupError(rule)
        return component, left - 1

    def possible(self, term: Term, context: Context) -> bool:
        """Whether a term has a member at all within the depth bound."""
        key = (id(term), context)  # the grammar outlives this view
        if key not in self.members:
            self.members[key] = self._possible(term, context)
        return self.members[key]

    def _possible(self, term: Term, context: Context) -> bool:
        match term:
            case Ref(rule):
                try:
                    return self.possible(self.grammar.rules[rule], self.enter(rule, context))
                except LookupError:
                    return False
            case Record(_, fields):
                return all(self.possible(inner, context) for _, inner in fields)
            case Choice(options):
                return any(self.possible(option, context) for option in options)
            case Subset(options, k):
                return sum(self.possible(option, context) for option in options) >= k
            case Repeat(body, lengths):
                return 0 in lengths or self.possible(body, context)
            case Value():
                return True


@dataclass(frozen=True, slots=True)
class Cursor:
    """A term of a grammar at a path."""

    view: View
    term: Term  # never a Ref
    path: Path
    place: tuple[int, ...]  # the same way down in numbers: the order of questions
    context: Context = None

    @classmethod
    def root(cls, grammar: Grammar, decided: Decided | None = None) -> "Cursor":
        """The whole space."""
        view = View(grammar, {} if decided is None else decided, recursive=components(grammar))
        return _follow(view, grammar.root, "", (0,), None)

    # -- products and constants

    @property
    def step(self) -> str:
        """The last step of the path: the name of a field, the symbol of an option."""
        return self.path.rpartition("/")[2]

    @property
    def builds(self) -> str:
        """The meaning that a Record names."""
        return self.record.builds

    @property
    def record(self) -> Record:
        """This term as a Record."""
        if isinstance(self.term, Record):
            return self.term
        raise LoweringError(self.path, f"expected a record, found a {type(self.term).__name__}", self.term)

    @property
    def value(self) -> Scalar:
        """The scalar of a Value."""
        if isinstance(self.term, Value):
            return self.term.value
        raise LoweringError(self.path, f"expected a value, found a {type(self.term).__name__}", self.term)

    @property
    def fields(self) -> Mapping[str, "Cursor"]:
        """The fields of a Record, in their order."""
        return {name: self._go(term, name, i) for i, (name, term) in enumerate(self.record.fields)}

    def __getitem__(self, name: str) -> "Cursor":
        for i, (field_name, term) in enumerate(self.record.fields):
            if field_name == name:
                return self._go(term, name, i)
        names = [field_name for field_name, _ in self.record.fields]
        raise LoweringError(self.path, f"a record that builds {self.builds!r} needs a field {name!r}", names, (name,))

    # -- decisions

    def cases(self) -> list[tuple[Guard, "Cursor"]]:
        """The alternatives of a Choice or the members of a Subset, each with the guard that takes it."""
        match self.term:
            case Choice(options):
                return self._choice(options)
            case Subset(options, k):
                return self._subset(options, k)
            case _:
                return [(TRUE, self)]

    def values(self) -> list[tuple[Guard, Scalar]]:
        """The alternatives as plain values."""
        return [(guard, case.value) for guard, case in self.cases()]

    def items(self) -> list[tuple[Guard, Guard, "Cursor"]]:
        """A Repeat as (present, last, item): item j is present where the length exceeds j, last where it is j + 1."""
        if not isinstance(self.term, Repeat):
            raise LoweringError(self.path, f"expected a repeat, found a {type(self.term).__name__}", self.term)
        body, lengths = self.term.body, self.term.lengths
        path = length_path(self.path)
        chosen = self._chosen(path, lengths, 1)
        allowed = lengths if chosen is None else chosen
        question = Question(self.place, path, "length", lengths)

        def when(wanted: list[int]) -> Guard:
            if chosen is not None:
                return TRUE if chosen[0] in wanted else FALSE
            return self.view.arena.when(question, [i for i, n in enumerate(lengths) if n in wanted])

        ends = [n for n in allowed if isinstance(n, int)]
        return [
            (when([n for n in ends if n > j]), when([n for n in ends if n == j + 1]), self._go(body, j, j))
            for j in range(max(ends, default=0))
        ]

    # -- steps

    def _go(self, term: Term, symbol: Symbol, index: int) -> "Cursor":
        return _follow(self.view, term, step(self.path, symbol), (*self.place, index), self.context)

    def _menu(self, options: tuple[Term, ...]) -> tuple[list[tuple[int, Term]], tuple[Symbol, ...]]:
        """The options that have a member here, each with its index, and their symbols."""
        symbols = self.view.of(options)
        if not self.view.recursive:
            return list(enumerate(options)), symbols
        kept = [(i, option) for i, option in enumerate(options) if self.view.possible(option, self.context)]
        return kept, tuple(symbols[i] for i, _ in kept)

    def _choice(self, options: tuple[Term, ...]) -> list[tuple[Guard, "Cursor"]]:
        menu, symbols = self._menu(options)
        chosen = self._chosen(self.path, symbols, 1)
        if chosen is not None:
            k = position(symbols, chosen[0])
            return [(TRUE, self._go(menu[k][1], symbols[k], menu[k][0]))]
        question = self._question("choice", symbols)
        when = self.view.arena.when
        return [(when(question, (k,)), self._go(o, symbols[k], i)) for k, (i, o) in enumerate(menu)]

    def _subset(self, options: tuple[Term, ...], k: int) -> list[tuple[Guard, "Cursor"]]:
        menu, symbols = self._menu(options)
        chosen = self._chosen(self.path, symbols, k)
        out: list[tuple[Guard, Cursor]] = []
        for m, (i, option) in enumerate(menu):
            if chosen is not None and position(chosen, symbols[m]) < 0:
                continue
            guard = TRUE
            if chosen is None:
                guard = self.view.arena.when(self._question("subset", symbols, m), (0,))
            out.append((guard, self._go(option, symbols[m], i)))
        return out

    def _question(self, kind: DecisionKind, symbols: tuple[Symbol, ...], member: int | None = None) -> Question:
        place = self.place if member is None else (*self.place, member)
        return Question(place, self.path, kind, symbols, member)

    def _chosen(self, path: Path, options: tuple[Symbol, ...], k: int) -> tuple[Symbol, ...] | None:
        """What was decided at `path`, or what is certain because nothing else is possible; None where it is open."""
        chosen = self.view.decided.get(path)
        if chosen is None:
            return options if len(options) == k else None
        wrong = [y for y in chosen if position(options, y) < 0]
        if wrong or len(chosen) != k or len({(isinstance(y, bool), y) for y in chosen}) != k:
            many = "one option" if k == 1 else f"{k} different options"
            raise LoweringError(path, f"{list(chosen)!r} is not {many} out of {list(options)!r}", chosen, options)
        return chosen


def _follow(view: View, term: Term, path: Path, place: tuple[int, ...], context: Context) -> Cursor:
    grammar = view.grammar
    while isinstance(term, Ref):
        rule = term.rule
        if rule not in grammar.rules:
            raise LoweringError(path, f"no rule {rule!r}", rule, sorted(grammar.rules))
        try:
            context = view.enter(rule, context)
        except LookupError:
            message = f"rule {rule!r} would recurse more than {grammar.depth} times on one way down"
            raise LoweringError(path, message, rule) from None
        if term.shared:
            path, place = shared_path(rule), (1 + list(grammar.rules).index(rule),)
        term = grammar.rules[rule]
    return Cursor(view, term, path, place, context)
