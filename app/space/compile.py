"""From a grammar to its parts: references followed, depths counted, sizes computed, each distinct part once.

Equal terms in equal circumstances become the same part, so DARTS' normal and reduction cell are one. What is checked
here needs the unfolded grammar: how deep and how large a genotype may get, how large the space is, and that no
derivation can meet a shared rule twice.
"""

from dataclasses import dataclass
from heapq import nlargest
from itertools import accumulate
from operator import mul

from app.space.algebra import Choice, Grammar, Record, Ref, Repeat, Scalar, Subset, Term, Value
from app.space.errors import GrammarError
from app.space.limits import LIMITS
from app.space.part import Alternatives, Members, Menu, Nothing, Part, Point, Product, Sequence, Shared, bare, ways
from app.space.path import pointer
from app.space.recursion import children, components
from app.space.value import scalar_key

_Context = tuple[int, int] | None  # the strongly connected set we are in, and how often it may still be entered


@dataclass(frozen=True, slots=True)
class _Measure:
    """What the caps look at."""

    height: int  # terms inside one another
    members: int  # JSON values in the largest genotype
    once: int = 0  # bits of the shared rules that a derivation may meet
    twice: int = 0  # bits of those that one derivation may meet twice


def compile_parts(grammar: Grammar) -> Part:
    """The whole space as one part. The grammar has passed `validate_grammar`."""
    return _Compiler(grammar).compile()


class _Compiler:
    """One compilation."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.component = components(grammar)
        self.interned: dict[tuple[object, ...], int] = {}
        self.kinds: list[frozenset[int]] = []  # of each interned term: the recursive sets it refers to directly
        self.ids: dict[int, int] = {}
        self.parts: dict[tuple[int, _Context], Part | None] = {}
        self.measures: dict[Part, _Measure] = {}
        self.shared: dict[str, int] = {}
        self.rule = grammar.start
        self.ways = 0  # numbers in the tables of subsets

    def compile(self) -> Part:
        """The part of the start rule."""
        for body in self.grammar.rules.values():
            self.intern(body)
        unfolded = sum(1 + self.grammar.depth * len(kinds) for kinds in self.kinds)
        if unfolded > LIMITS.parts:
            self.refuse(f"the grammar may unfold to {unfolded} parts; {LIMITS.parts} are allowed")
        root = self.part(self.grammar.root, None, 0)
        if root is None:
            message = f"no genotype ends within recursion depth {self.grammar.depth}: the space is empty"
            raise GrammarError(pointer("/rules", self.grammar.start), message)
        twice = self.measures[root].twice
        if twice:
            rule = next(rule for rule, bit in self.shared.items() if bit & twice)
            raise GrammarError(pointer("/rules", rule), f"one derivation can meet the shared rule {rule!r} twice")
        return root

    def intern(self, term: Term) -> int:
        """A number that equal terms share."""
        known = self.ids.get(id(term))
        if known is not None:
            return known
        inner = tuple([self.intern(child) for child in children(term)])
        uses = frozenset[int]().union(*(self.kinds[i] for i in inner))
        key: tuple[object, ...]
        match term:
            case Value(value):
                key = (Value, type(value), value)
            case Record(builds, fields):
                key = (Record, builds, tuple(name for name, _ in fields), inner)
            case Choice():
                key = (Choice, inner)
            case Subset(_, k):
                key = (Subset, k, inner)
            case Repeat(_, lengths):
                key = (Repeat, lengths, inner)
            case Ref(rule, shared):
                key = (Ref, rule, shared)
                uses = frozenset({self.component[rule]}) if rule in self.component else uses
        number = self.interned.setdefault(key, len(self.interned))
        if number == len(self.kinds):
            self.kinds.append(uses)
        self.ids[id(term)] = number
        return number

    def part(self, term: Term, context: _Context, level: int) -> Part | None:
        """The part of a term in a context; None where nothing fits within the depth."""
        number = self.intern(term)
        if context is not None and context[0] not in self.kinds[number]:
            context = None  # the depth does not matter here
        key = (number, context)
        if key not in self.parts:
            if level > LIMITS.descent:
                self.refuse(f"a derivation nests more than {LIMITS.descent} terms")
            self.parts[key] = self.build(term, context, level + 1)
        return self.parts[key]

    def build(self, term: Term, context: _Context, level: int) -> Part | None:
        match term:
            case Value(value):
                return self.measured(Point(value), _Measure(1, 1))
            case Record():
                return self.product(term, context, level)
            case Choice(options):
                menu = self.menu(options, context, level)
                if not menu.parts:
                    return None
                sizes = [p.size for p in menu.parts]
                part = Alternatives(menu, (0, *accumulate(sizes[:-1])), sum(sizes))
                return self.measured(part, self.together(menu.parts, 1))
            case Subset(options, k):
                return self.members(options, k, context, level)
            case Repeat(body, lengths):
                return self.sequence(body, lengths, context, level)
            case Ref():
                return self.enter(term, context, level)

    def enter(self, ref: Ref, context: _Context, level: int) -> Part | None:
        """The rule behind a reference: one entry more into its recursive set, if it has one."""
        component, inner = self.component.get(ref.rule), None
        if component is not None:
            remaining = context[1] if context is not None and context[0] == component else self.grammar.depth
            if remaining == 0:
                return None
            inner = (component, remaining - 1)
        outside, self.rule = self.rule, ref.rule
        part = self.part(self.grammar.rules[ref.rule], inner, level)
        self.rule = outside
        if part is None or not ref.shared:
            return part
        bit = self.shared.setdefault(ref.rule, 1 << len(self.shared))
        m = self.measures[part]
        measure = _Measure(m.height + 1, m.members, m.once | bit, m.twice | (m.once & bit))
        return self.measured(Shared(ref.rule, part, part.size), measure)

    def product(self, term: Record, context: _Context, level: int) -> Part | None:
        fields: list[tuple[str, Part]] = []
        for name, inner in term.fields:
            part = self.part(inner, context, level)
            if part is None:
                return None
            fields.append((name, part))
        sizes = [part.size for _, part in fields]
        self.fits(sum(size.bit_length() for size in sizes))
        *strides, size = accumulate(reversed(sizes), mul, initial=1)
        parts = tuple(part for _, part in fields)
        return self.measured(Product(tuple(fields), tuple(reversed(strides)), size), self.together(parts, len(parts)))

    def menu(self, options: tuple[Term, ...], context: _Context, level: int) -> Menu:
        symbols = self.grammar.symbols(options)
        found = [(s, p) for s, o in zip(symbols, options, strict=True) if (p := self.part(o, context, level))]
        records = any(isinstance(self.grammar.follow(o), Record) for o in options)
        positions: tuple[dict[tuple[bool, Scalar], int], ...] = ({}, {})
        for position, (symbol, part) in enumerate(found):
            table = positions[isinstance(bare(part), Product)]
            table[(isinstance(symbol, bool), symbol)] = position
        here = {scalar_key(s) for s, _ in found}
        return Menu(
            symbols=tuple(s for s, _ in found),
            parts=tuple(p for _, p in found),
            key=self.grammar.discriminator(options) if records else None,
            deep=tuple(s for s in symbols if scalar_key(s) not in here),
            scalars=positions[0],
            records=positions[1],
        )

    def members(self, options: tuple[Term, ...], k: int, context: _Context, level: int) -> Part | None:
        menu = self.menu(options, context, level)
        if len(menu.parts) < k:
            return None
        sizes = [p.size for p in menu.parts]
        bits = k * max(sizes).bit_length()
        self.fits(max(bits, 2 * k * (min(sizes).bit_length() - 1)))
        self.ways += k * len(sizes) * (1 + bits // 2_000)  # a number has half of the bits in the mean
        if self.ways > LIMITS.ways:
            self.refuse(f"the tables of the subsets need {self.ways} numbers; {LIMITS.ways} are allowed")
        table = ways(sizes, k)
        return self.measured(Members(menu, k, table, table[k][0]), self.together(menu.parts, k))

    def sequence(self, body: Term, lengths: tuple[int, ...], context: _Context, level: int) -> Part | None:
        part = self.part(body, context, level)
        if part is None:
            if 0 not in lengths:
                return None
            return self.measured(Sequence(Nothing(), (0,), {0: 0}, 1), _Measure(1, 1))
        longest = max(lengths)
        self.fits(longest * (part.size.bit_length() - 1))
        sizes = [part.size**n for n in lengths]
        offsets = dict(zip(lengths, accumulate(sizes, initial=0), strict=False))
        m = self.measures[part]
        measure = _Measure(m.height + 1, 1 + longest * m.members, m.once, m.twice | (m.once if longest > 1 else 0))
        return self.measured(Sequence(part, lengths, offsets, sum(sizes)), measure)

    def together(self, parts: tuple[Part, ...], taken: int) -> _Measure:
        """The measure of a term of which `taken` of the parts appear in one genotype."""
        height = once = twice = 0
        members: list[int] = []
        for part in parts:
            m = self.measures[part]
            height = max(height, m.height)
            twice |= m.twice | (once & m.once if taken > 1 else 0)
            once |= m.once
            members.append(m.members)
        if taken < len(members):
            members = nlargest(taken, members)
        return _Measure(1 + height, 1 + sum(members), once, twice)

    def measured(self, part: Part, measure: _Measure) -> Part:
        """The part, once its measure is within the caps."""
        if measure.height > LIMITS.descent:
            self.refuse(f"a derivation nests more than {LIMITS.descent} terms")
        if measure.members > LIMITS.members:
            self.refuse(f"a genotype can hold more than {LIMITS.members} values")
        if part.size.bit_length() > LIMITS.bits:
            self.fits(2 * part.size.bit_length())
        self.measures[part] = measure
        return part

    def fits(self, bits: int) -> None:
        """Refuse before multiplying what could not be written down; `bits` may be up to twice too many."""
        if bits > 2 * LIMITS.bits:
            self.refuse(f"the size of the space has more than {LIMITS.bits * 30103 // 100000} digits")

    def refuse(self, why: str) -> None:
        raise GrammarError(pointer("/rules", self.rule), why)
