"""Decisions of a genotype, read and written, and the places where a grammar leaves something to decide."""

from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Row

from app.space import digits
from app.space.algebra import Genotype, Path, Symbol
from app.space.decision import Decision, Decisions, Factor
from app.space.errors import Fault, GrammarError, InvalidGenotype
from app.space.limits import LIMITS
from app.space.part import Alternatives, Members, Nothing, Part, Point, Product, Sequence, Shared
from app.space.path import length_path, shared_path, step
from app.space.value import scalar_key, shown


def read(part: Part, index: int, path: Path = "") -> dict[Path, tuple[Symbol, ...]]:
    """The decisions that the member of rank `index` of a part at `path` makes, in the order of the grammar."""
    made: dict[Path, tuple[Symbol, ...]] = {}
    _read(part, index, path, made)
    return made


def _read(part: Part, index: int, path: Path, made: dict[Path, tuple[Symbol, ...]]) -> None:
    match part:
        case Product(fields, strides):
            for (name, inner), stride in zip(fields, strides, strict=True):
                digit, index = divmod(index, stride)
                if not isinstance(inner, Point):
                    _read(inner, digit, step(path, name), made)
        case Alternatives(menu):
            position, digit = digits.option(part, index)
            made[path] = (menu.symbols[position],)
            inner = menu.parts[position]
            if not isinstance(inner, Point):
                _read(inner, digit, step(path, menu.symbols[position]), made)
        case Members(menu):
            chosen = digits.members(part, index)
            made[path] = tuple(menu.symbols[position] for position, _ in chosen)
            for position, digit in chosen:
                _read(menu.parts[position], digit, step(path, menu.symbols[position]), made)
        case Sequence(body):
            n, rest = digits.length(part, index)
            made[length_path(path)] = (n,)
            for i, digit in enumerate(digits.items(part, n, rest)):
                _read(body, digit, step(path, i), made)
        case Shared(rule, inner):
            _read(inner, index, shared_path(rule), made)
        case Point() | Nothing():
            return


def write(part: Part, decisions: Decisions) -> Genotype:
    """The member that the decisions make, in its written order; those that it never meets are not looked at."""
    writer = Writer(decisions)
    genotype = writer.write(part, "")
    if writer.faults:
        raise InvalidGenotype(writer.faults)
    return genotype


class Writer:
    """One genotype being written; the faults have decision paths for pointers."""

    def __init__(self, decisions: Mapping[Path, Row[Symbol]]) -> None:
        self.decisions = decisions
        self.faults: list[Fault] = []

    def write(self, part: Part, path: Path) -> Genotype:
        """The part at a place, as its decisions answer it."""
        match part:
            case Point(value):
                return value
            case Product(fields):
                return {
                    name: inner.value if isinstance(inner, Point) else self.write(inner, step(path, name))
                    for name, inner in fields
                }
            case Alternatives(menu):
                chosen = self.answer(path, menu.symbols, 1)
                if not chosen:
                    return ""
                inner = menu.parts[chosen[0]]
                return (
                    inner.value if isinstance(inner, Point) else self.write(inner, step(path, menu.symbols[chosen[0]]))
                )
            case Members(menu, k):
                chosen = self.answer(path, menu.symbols, k)
                return [self.write(menu.parts[p], step(path, menu.symbols[p])) for p in chosen]
            case Sequence(body, lengths):
                chosen = self.answer(length_path(path), lengths, 1)
                return [self.write(body, step(path, i)) for i in range(lengths[chosen[0]] if chosen else 0)]
            case Shared(rule, inner):
                return self.write(inner, shared_path(rule))
            case Nothing():
                raise AssertionError("a list without a body is empty")

    def answer(self, path: Path, options: tuple[Symbol, ...], k: int) -> list[int]:
        """The positions chosen at `path`, in order; none, and a fault, where the answer is none."""
        given = self.decisions.get(path)
        if given is None:
            if len(options) == k:
                return list(range(k))  # the grammar leaves nothing open here
            self.faults.append(Fault(path, f"the decision {path!r} is not made", None, options))
            return []
        found = {p for symbol in given if (p := position_of(options, symbol)) is not None}
        if not len(found) == len(given) == k:
            answer = ", ".join(map(shown, given))
            among = ", ".join(map(shown, options))
            message = f"expected {k} of {among}, found {answer or 'nothing'}"
            self.faults.append(Fault(path, message, list(given), options))
            return []
        return sorted(found)


def position_of(options: tuple[Symbol, ...], symbol: object) -> int | None:
    """Where a symbol stands among the options; strings, the most of them, are found without looking twice."""
    if type(symbol) is str:
        return options.index(symbol) if symbol in options else None
    key = scalar_key(symbol)
    return next((p for p, option in enumerate(options) if scalar_key(option) == key), None)


def decisions(part: Part, path: Path = "") -> tuple[Decision, ...]:
    """Every place where something is chosen, in the order of the grammar, also where only one answer is left."""
    found: dict[Path, Decision] = {}
    met: set[Shared] = set()
    waiting: list[tuple[Part, Path]] = [(part, path)]
    while waiting:
        part, path = waiting.pop()
        inner: list[tuple[Part, Path]] = []
        match part:
            case Product(fields):
                inner = [(field, step(path, name)) for name, field in fields]
            case Alternatives(menu) | Members(menu):
                k = part.k if isinstance(part, Members) else 1
                _add(found, Decision(path, "subset" if isinstance(part, Members) else "choice", menu.symbols, k))
                inner = [(o, step(path, symbol)) for o, symbol in zip(menu.parts, menu.symbols, strict=True)]
            case Sequence(body, lengths):
                _add(found, Decision(length_path(path), "length", lengths))
                inner = [(body, step(path, i)) for i in range(max(lengths))]
            case Shared(rule, shared):
                if part not in met:
                    met.add(part)
                    inner = [(shared, shared_path(rule))]
            case Point() | Nothing():
                pass
        waiting.extend(pair for pair in reversed(inner) if not isinstance(pair[0], Point))
        if len(found) + len(waiting) > LIMITS.places:
            raise GrammarError("/rules", f"the grammar has more than {LIMITS.places} places where something is decided")
    return tuple(found.values())


def _add(found: dict[Path, Decision], decision: Decision) -> None:
    """A shared rule may be met at several depths: its options are those of any of them."""
    known = found.get(decision.path)
    if known is not None:
        options = {scalar_key(option): option for option in (*known.options, *decision.options)}
        decision = Decision(decision.path, decision.kind, tuple(options.values()), decision.k)
    found[decision.path] = decision


def factors(part: Part, path: Path = "") -> Iterator[Factor]:
    """The independent parts whose sizes multiply to the size of the space; those of size one are left out."""
    match part:
        case Product(fields):
            for name, inner in fields:
                yield from factors(inner, step(path, name))
        case Sequence(body, (length,)):
            for i in range(length):
                yield from factors(body, step(path, i))
        case Shared(rule, inner):
            yield from factors(inner, shared_path(rule))
        case _:
            if part.size > 1:
                yield Factor(path, part.size)
