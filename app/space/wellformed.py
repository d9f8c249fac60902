"""Is a grammar well formed? Everything that can be said without unfolding it, all faults at once.

a start rule and references that exist · rules that are reached, and are not only a reference to themselves
options told apart by their symbols, also as they are written in paths · no empty list of options
0 < k <= options · lengths not negative, not repeated · no field twice · scalars that JSON can hold
caps (`limits.py`)
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from app.space.algebra import Choice, Grammar, Record, Ref, Repeat, Subset, Term, Value
from app.space.errors import Fault, GrammarError
from app.space.limits import LIMITS
from app.space.path import pointer, symbol_text
from app.space.recursion import children, reachable, references
from app.space.value import scalar_key, shown

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_LISTED = 100  # rules that a fault lists as allowed
NAME_RULE = "lower-case letters, digits, '.', '_', '-', at most 64, starting with a letter or digit"


def validate_grammar(grammar: Grammar) -> None:
    """Raise a GrammarError with every fault, up to a hundred, its pointers into the grammar's document; or return."""
    faults = tuple(islice(grammar_faults(grammar), LIMITS.faults))
    if faults:
        raise GrammarError(faults[0].pointer, faults[0].message, faults)


def grammar_faults(grammar: Grammar) -> Iterator[Fault]:
    """What is wrong with a grammar; the caps come first, and nothing else is looked at beyond them."""
    over = _over_caps(grammar)
    if over is not None:
        yield over
        return
    if grammar.start not in grammar.rules:
        allowed = tuple(grammar.rules) if len(grammar.rules) <= _LISTED else ()
        yield Fault("/start", f"no rule {shown(grammar.start)}", grammar.start, allowed)
    sound = grammar.start in grammar.rules
    for rule, body in grammar.rules.items():
        at = pointer("/rules", rule)
        if not NAME.fullmatch(rule):
            sound = False
            yield Fault(at, f"a rule's name is {NAME_RULE}; found {shown(rule)}", rule)
        for here, term in _walk(body, at):
            for fault in _term_faults(grammar, term, here):
                sound = False
                yield fault
    if not sound:
        return
    edges = references(grammar)
    met = reachable(edges, grammar.start)
    for rule in grammar.rules:
        if rule not in met:
            yield Fault(pointer("/rules", rule), f"the start rule {grammar.start!r} never reaches {rule!r}", rule)


def _walk(body: Term, at: str) -> Iterator[tuple[str, Term]]:
    """Every term of a rule with its pointer into the document."""
    yield at, body
    match body:
        case Record(_, fields):
            for name, inner in fields:
                yield from _walk(inner, pointer(f"{at}/fields", name))
        case Choice(options) | Subset(options, _):
            name = "choice" if isinstance(body, Choice) else "subset"
            for i, option in enumerate(options):
                yield from _walk(option, f"{at}/{name}/{i}")
        case Repeat(inner, _):
            yield from _walk(inner, f"{at}/repeat")
        case _:
            return


def _over_caps(grammar: Grammar) -> Fault | None:
    """The first cap that a grammar passes. It walks without recursion, as a term may nest as deep as it likes."""
    if not 1 <= len(grammar.rules) <= LIMITS.rules:
        message = f"a grammar has 1 to {LIMITS.rules} rules, not {len(grammar.rules)}"
        return Fault("/rules", message, len(grammar.rules), (LIMITS.rules,))
    if not 1 <= grammar.depth <= LIMITS.depth:
        message = f"the recursion bound is 1 to {LIMITS.depth}, not {shown(grammar.depth)}"
        return Fault("/depth", message, grammar.depth, (1, LIMITS.depth))
    nodes = 0
    for rule, body in grammar.rules.items():
        at = pointer("/rules", rule)
        waiting = [(body, 1)]
        while waiting:
            term, level = waiting.pop()
            nodes += 1
            if nodes > LIMITS.nodes:
                return Fault(at, f"a grammar has at most {LIMITS.nodes} terms", None, (LIMITS.nodes,))
            if level > LIMITS.nesting:
                return Fault(at, f"at most {LIMITS.nesting} terms inside one another", None, (LIMITS.nesting,))
            waiting.extend((inner, level + 1) for inner in children(term))
            over = _term_over_caps(term)
            if over:
                return Fault(at, over)
    return None


def _term_over_caps(term: Term) -> str | None:
    match term:
        case Record(_, fields) if len(fields) > LIMITS.fields:
            return f"a record has at most {LIMITS.fields} fields, not {len(fields)}"
        case Choice(options) | Subset(options, _) if len(options) > LIMITS.options:
            return f"at most {LIMITS.options} options, not {len(options)}"
        case Subset(_, k) if k > LIMITS.k:
            return f"at most {LIMITS.k} members of a subset, not {shown(k)}"
        case Repeat(_, lengths) if len(lengths) > LIMITS.lengths:
            return f"at most {LIMITS.lengths} lengths, not {len(lengths)}"
        case Repeat(_, lengths) if any(n > LIMITS.length for n in lengths):
            return f"a list has at most {LIMITS.length} items, not {shown(max(lengths))}"
        case _:
            return None


def _term_faults(grammar: Grammar, term: Term, at: str) -> Iterator[Fault]:
    match term:
        case Value(value):
            yield from _scalar_faults(value, at)
        case Record(builds, fields):
            if not NAME.fullmatch(builds):
                yield Fault(f"{at}/record", f"what a record builds is {NAME_RULE}; found {shown(builds)}", builds)
            for name, count in Counter(name for name, _ in fields).items():
                if count > 1:
                    yield Fault(pointer(f"{at}/fields", name), f"the field {name!r} is there {count} times", name)
                if not _printable(name) or not name:
                    message = f"a field's name is 1 to {LIMITS.name} printable characters, not {shown(name)}"
                    yield Fault(pointer(f"{at}/fields", name), message, name)
        case Choice(options):
            yield from _option_faults(grammar, options, f"{at}/choice")
        case Subset(options, k):
            yield from _option_faults(grammar, options, f"{at}/subset")
            if not _integer(k) or not 1 <= k <= max(len(options), 1):
                yield Fault(f"{at}/k", f"k is 1 to {len(options)}, the number of options; not {shown(k)}", k)
        case Repeat(_, lengths):
            yield from _length_faults(lengths, f"{at}/lengths")
        case Ref(rule):
            if rule not in grammar.rules:
                allowed = tuple(grammar.rules) if len(grammar.rules) <= _LISTED else ()
                yield Fault(f"{at}/ref", f"no rule {shown(rule)}", rule, allowed)
            else:
                try:
                    grammar.follow(term)
                except GrammarError as error:
                    if error.pointer != "/rules":  # a reference to a missing rule has its own fault
                        yield Fault(at, error.message, rule)


def _option_faults(grammar: Grammar, options: tuple[Term, ...], at: str) -> Iterator[Fault]:
    if not options:
        yield Fault(at, "there is no option", ())
        return
    try:
        symbols = grammar.symbols(options)
    except GrammarError as error:
        if error.pointer == "":  # what a reference leads to has its own fault
            yield Fault(at, error.message)
        return
    places: dict[object, int] = {}
    for i, symbol in enumerate(symbols):
        if any(_scalar_faults(symbol, at)):
            continue  # it has its own fault, and may not even be written
        for name in (scalar_key(symbol), symbol_text(symbol)):
            if places.setdefault(name, i) != i:
                first = symbols[places[name]]
                message = f"{shown(symbol)} cannot be told from option {places[name]}, {shown(first)}"
                yield Fault(f"{at}/{i}", message, symbol)
                break


def _length_faults(lengths: tuple[int, ...], at: str) -> Iterator[Fault]:
    if not lengths:
        yield Fault(at, "there is no length", ())
    for i, n in enumerate(lengths):
        if not _integer(n) or n < 0:
            yield Fault(f"{at}/{i}", f"a length is a whole number from 0 on, not {shown(n)}", n)
        elif n in lengths[:i]:
            yield Fault(f"{at}/{i}", f"the length {n} is there twice", n)


def _scalar_faults(value: object, at: str) -> Iterator[Fault]:
    if isinstance(value, bool):
        return
    if isinstance(value, str):
        if not _printable(value):
            yield Fault(at, f"a value is at most {LIMITS.name} printable characters, not {shown(value)}", value)
    elif isinstance(value, int):
        if abs(value) > LIMITS.integer:
            yield Fault(at, f"an integer is at most 2^53 - 1, not {shown(value)}", value)
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield Fault(at, f"a number is finite, not {value!r}", None)
    else:
        yield Fault(at, f"a value is a string, a number or a boolean, not {shown(value)}", value)


def _printable(text: str) -> bool:
    return len(text) <= LIMITS.name and text.isprintable()


def _integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
