"""A grammar as an outline: every rule, and under it what it builds, offers and refers to."""

from collections.abc import Iterator, Sequence

from app.architecture.draw.menus import Menus
from app.architecture.draw.tree import Row, TreeSketch
from app.space.algebra import Choice, Grammar, Record, Ref, Repeat, Subset, Term, Value
from app.space.path import symbol_text

ROWS = 150  # of one outline


def outline(grammar: Grammar, menus: Menus) -> TreeSketch:
    """The rules in the order in which the start leads to them; what is cut is said."""
    rows: list[Row] = []
    for rule in _reached(grammar):
        rows += _Outline(grammar, menus).rows(f"rule {rule}", grammar.rules[rule], 0)
        if len(rows) > ROWS:
            break
    bound = (f"rules may refer to one another {grammar.depth} deep",) if grammar.depth else ()
    return TreeSketch("grammar", tuple(rows[:ROWS]), len(rows) > ROWS, bound, frozenset(menus.asked))


def _reached(grammar: Grammar) -> list[str]:
    """The rules that the start leads to, each once."""
    found = [grammar.start]
    for rule in found:
        found += [name for name in dict.fromkeys(_named(grammar.rules[rule])) if name not in found]
    return found


def _named(term: Term) -> Iterator[str]:
    match term:
        case Ref(rule):
            yield rule
        case Record(_, fields):
            for _, inner in fields:
                yield from _named(inner)
        case Choice(options) | Subset(options, _):
            for option in options:
                yield from _named(option)
        case Repeat(body, _):
            yield from _named(body)
        case Value():
            return


class _Outline:
    """The rows of one rule."""

    def __init__(self, grammar: Grammar, menus: Menus) -> None:
        self.grammar = grammar
        self.menus = menus

    def rows(self, name: str, term: Term, level: int) -> Iterator[Row]:
        """The row of a term and those under it."""
        match term:
            case Value(value):
                yield Row(level, name, symbol_text(value))
            case Ref(rule, shared):
                yield Row(level, name, f"→ {'shared ' if shared else ''}rule {rule}")
            case Record(builds, fields):
                yield Row(level, name, builds)
                for field, inner in fields:
                    yield from self.rows(field, inner, level + 1)
            case Choice(options):
                yield from self.options(name, f"one of {len(options)}", options, level)
            case Subset(options, k):
                yield from self.options(name, f"{k} of {len(options)}", options, level)
            case Repeat(body, lengths):
                many = f"{lengths[0]}" if len(lengths) == 1 else f"{min(lengths)} to {max(lengths)}"
                text = f"list of {many}"
                yield Row(level, name, text if len(lengths) == 1 else self.menus.mark(text))
                yield from self.rows("each", body, level + 1)

    def options(self, name: str, said: str, options: Sequence[Term], level: int) -> Iterator[Row]:
        """Values by the letter of their list; anything else a row each."""
        symbols = [symbol_text(symbol) for symbol in self.grammar.symbols(tuple(options))]
        if all(isinstance(option, Value) for option in options):
            yield Row(level, name, self.menus.mark(f"{said}: {self.menus.letter(symbols)}"))
            return
        yield Row(level, name, self.menus.mark(said))
        for symbol, option in zip(symbols, options, strict=True):
            yield from self.rows(symbol, option, level + 1)
