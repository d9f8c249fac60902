"""A search space is a regular tree grammar: six constructors, and everything else is a `match` over them.

    Value(v)               one point
    Record(builds, fields) product; `builds` names its meaning and is not part of the JSON
    Choice(options)        exactly one option
    Subset(options, k)     k different options, any order accepted, one order written
    Repeat(body, lengths)  a list of one of these lengths
    Ref(rule, shared)      a named rule; may recurse to the grammar's depth bound

A genotype is a derivation, written as plain JSON: a Value is itself, a Record is an object with its fields, a Choice
is the chosen option, a Subset and a Repeat are lists. Alternatives are told apart by their *symbol*: a Value's own
scalar, or a Record's first constant field that differs among the options (see `symbols`). Decision paths are made of
symbols, never of JSON positions: `/normal/node3/1/op` is the operation on the edge from state 1 into node 3.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from app.space.errors import GrammarError

Scalar = str | int | float | bool
Symbol = Scalar
Genotype = Scalar | list["Genotype"] | dict[str, "Genotype"]
Path = str


@dataclass(frozen=True, slots=True)
class Value:
    """One point."""

    value: Scalar


@dataclass(frozen=True, slots=True)
class Record:
    """A product of named fields; `builds` is what `lower` makes of it."""

    builds: str
    fields: tuple[tuple[str, "Term"], ...] = ()


@dataclass(frozen=True, slots=True)
class Choice:
    """Exactly one of the options, which differ in their symbols."""

    options: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class Subset:
    """`k` different options; a genotype may list them in any order and is written in the order of the options."""

    options: tuple["Term", ...]
    k: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """A list of independent bodies, of one of the lengths."""

    body: "Term"
    lengths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Ref:
    """A named rule. `shared`: its decisions belong to the rule, not to the place that refers to it."""

    rule: str
    shared: bool = False


Term = Value | Record | Choice | Subset | Repeat | Ref


@dataclass(frozen=True, slots=True)
class Grammar:
    """A closed set of rules.

    `depth` bounds recursion. Rules that can lead back to one another form a recursive set; on any one way from the
    start down, references may enter the rules of one such set at most `depth` times altogether, the first entry
    included. A reference beyond that has no member: a Choice or Subset does without the option, and a Record without
    one of its fields has no member itself. Rules that cannot recurse are not counted.
    """

    rules: Mapping[str, Term]
    start: str
    depth: int = 1
    _ends: dict[str, "Term | None"] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rules", MappingProxyType(dict(self.rules)))
        object.__setattr__(self, "_ends", {})  # rule -> what it leads to, None where only to itself

    @property
    def root(self) -> Ref:
        """The whole space as a term."""
        return Ref(self.start)

    def follow(self, term: Term) -> Term:
        """The term itself, or what a chain of references leads to."""
        if not isinstance(term, Ref):
            return term
        first, seen = term.rule, dict[str, None]()
        end: Term | None = term
        while isinstance(end, Ref):
            if end.rule in self._ends:
                end = self._ends[end.rule]
            elif end.rule in seen:
                end = None
            elif end.rule not in self.rules:
                raise GrammarError("/rules", f"no rule {end.rule!r}")
            else:
                seen[end.rule] = None
                end = self.rules[end.rule]
        self._ends.update(dict.fromkeys(seen, end))
        if end is None:
            raise GrammarError(f"/rules/{first}", "the rule is only a reference to itself")
        return end

    def symbols(self, options: tuple[Term, ...]) -> tuple[Symbol, ...]:
        """One symbol an option: a Value's scalar, a Record's first constant field that differs among the Records."""
        terms = [self.follow(option) for option in options]
        records = [term for term in terms if isinstance(term, Record)]
        key = self.discriminator(options) if records else None
        found: list[Symbol] = []
        for term in terms:
            match term:
                case Value(value):
                    found.append(value)
                case Record(_, fields) if key is not None:
                    found.append(constant(self.follow(dict(fields)[key])))
                case _:
                    kind = type(term).__name__.lower()
                    raise GrammarError("", f"an option is a value or a record with a constant field, not a {kind}")
        return tuple(found)

    def discriminator(self, options: tuple[Term, ...]) -> str:
        """The field that tells the Records among the options apart: the first whose constants all differ."""
        records = [dict(term.fields) for option in options if isinstance(term := self.follow(option), Record)]
        for name in records[0]:
            values = [self.follow(fields[name]) if name in fields else None for fields in records]
            distinct = {(isinstance(v.value, bool), v.value) for v in values if isinstance(v, Value)}
            if len(distinct) == len(records):
                return name
        names = "; ".join(", ".join([*fields][:8]) or "none" for fields in records[:8])  # enough to see it
        raise GrammarError("", f"no constant field tells the options apart; their fields are {names}")


def constant(term: Term) -> Scalar:
    """The scalar of a Value."""
    if isinstance(term, Value):
        return term.value
    raise GrammarError("", f"expected a constant, found {term!r}")


def one_of(*values: Scalar) -> Choice:
    """A Choice of plain values."""
    return Choice(tuple(Value(v) for v in values))


def record(builds: str, /, **fields: Term) -> Record:
    """A Record with its fields as keywords; names that are not identifiers go in by `**{...}`."""
    return Record(builds, tuple(fields.items()))
