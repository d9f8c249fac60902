"""Grammars as JSON, both ways.

    a scalar                                        Value
    {"record": builds, "fields": {name: term}}      Record; the order of the fields counts
    {"choice": [term, ...]}                         Choice
    {"subset": [term, ...], "k": 2}                 Subset
    {"repeat": term, "lengths": [4, 5]}             Repeat
    {"ref": rule} or {..., "shared": true}          Ref
    {"pattern": name, "nodes": 4, "operations": []} the term of a connectivity pattern (`patterns.py`)

    {"start": rule, "depth": 1, "rules": {rule: term, ...}}     Grammar; depth may be left out

Reading is strict: what is not named above is refused, with a JSON pointer into the document.
"""

from typing import Any

from app.space.algebra import Choice, Grammar, Record, Ref, Repeat, Scalar, Subset, Term, Value
from app.space.errors import Fault, GrammarError
from app.space.limits import LIMITS
from app.space.path import pointer
from app.space.patterns import PATTERNS
from app.space.recursion import terms
from app.space.value import is_list, is_object, shown

_FORMS = {
    "record": ("record", "fields"),
    "choice": ("choice",),
    "subset": ("subset", "k"),
    "repeat": ("repeat", "lengths"),
    "ref": ("ref", "shared"),
    "pattern": ("pattern", "nodes", "operations"),
}


def grammar_to_json(grammar: Grammar) -> dict[str, Any]:
    """The grammar as a document; `grammar_from_json` gives it back, term for term."""
    rules = {rule: term_to_json(body) for rule, body in grammar.rules.items()}
    return {"start": grammar.start, "depth": grammar.depth, "rules": rules}


def term_to_json(term: Term) -> Scalar | dict[str, Any]:
    """One term."""
    match term:
        case Value(value):
            return value
        case Record(builds, fields):
            return {"record": builds, "fields": {name: term_to_json(inner) for name, inner in fields}}
        case Choice(options):
            return {"choice": [term_to_json(option) for option in options]}
        case Subset(options, k):
            return {"subset": [term_to_json(option) for option in options], "k": k}
        case Repeat(body, lengths):
            return {"repeat": term_to_json(body), "lengths": list(lengths)}
        case Ref(rule, shared):
            return {"ref": rule, "shared": True} if shared else {"ref": rule}


def grammar_from_json(document: object, at: str = "") -> Grammar:
    """Read a grammar; `validate_grammar` is asked afterwards whether it is well formed."""
    fields = obj(document, ("start", "rules"), ("depth",), at)
    rules = fields["rules"]
    if not is_object(rules):
        raise GrammarError(f"{at}/rules", f"expected an object of rules, found {shown(rules)}")
    if len(rules) > LIMITS.rules:
        raise GrammarError(f"{at}/rules", f"a grammar has at most {LIMITS.rules} rules, not {len(rules)}")
    reader = _Reader()
    read = {rule: reader.term(body, pointer(f"{at}/rules", rule), 1) for rule, body in rules.items()}
    start = string(fields["start"], LIMITS.name, f"{at}/start")
    return Grammar(read, start, integer(fields.get("depth", 1), 1, LIMITS.depth, f"{at}/depth"))


class _Reader:
    """One document being read; terms are counted."""

    def __init__(self) -> None:
        self.nodes = 0

    def term(self, value: object, at: str, level: int) -> Term:
        self.nodes += 1
        if self.nodes > LIMITS.nodes:
            raise GrammarError(at, f"a grammar has at most {LIMITS.nodes} terms")
        if level > LIMITS.nesting:
            raise GrammarError(at, f"at most {LIMITS.nesting} terms inside one another")
        if isinstance(value, bool | int | float | str):
            return Value(value)
        given = value if is_object(value) else {}
        kinds = [kind for kind in _FORMS if kind in given]
        if len(kinds) != 1:
            raise GrammarError(
                at, f"expected a scalar or an object with one of {', '.join(_FORMS)}; found {shown(value)}"
            )
        kind = kinds[0]
        required = _FORMS[kind] if kind != "ref" else ("ref",)
        obj(given, required, _FORMS[kind], at)
        inner = given[kind]
        match kind:
            case "record":
                builds = string(inner, LIMITS.name, f"{at}/record")
                return Record(builds, self.fields(given["fields"], f"{at}/fields", level))
            case "choice":
                return Choice(self.options(inner, f"{at}/choice", level))
            case "subset":
                k = integer(given["k"], 1, LIMITS.k, f"{at}/k")
                return Subset(self.options(inner, f"{at}/subset", level), k)
            case "repeat":
                body = self.term(inner, f"{at}/repeat", level + 1)
                lengths = items(given["lengths"], LIMITS.lengths, f"{at}/lengths")
                numbers = [integer(n, 0, LIMITS.length, f"{at}/lengths/{i}") for i, n in enumerate(lengths)]
                return Repeat(body, tuple(numbers))
            case "pattern":
                return self.pattern(given, at)
            case _:
                shared = given.get("shared", False)
                if not isinstance(shared, bool):
                    raise GrammarError(f"{at}/shared", f"expected true or false, found {shown(shared)}")
                return Ref(string(inner, LIMITS.name, f"{at}/ref"), shared)

    def pattern(self, given: dict[str, Any], at: str) -> Term:
        """The term that a pattern builds, counted like one that was written out."""
        name = given["pattern"]
        pattern = PATTERNS.get(name) if isinstance(name, str) else None
        if pattern is None:
            message = f"expected one of {', '.join(PATTERNS)}, found {shown(name)}"
            raise GrammarError(f"{at}/pattern", message, [Fault(f"{at}/pattern", message, name, tuple(PATTERNS))])
        nodes = integer(given["nodes"], 1, pattern.most, f"{at}/nodes")
        listed = items(given["operations"], LIMITS.options, f"{at}/operations")
        operations = [string(o, LIMITS.name, f"{at}/operations/{i}") for i, o in enumerate(listed)]
        if not operations or len(set(operations)) < len(operations) or not all(o.isprintable() for o in operations):
            raise GrammarError(f"{at}/operations", "expected different operations, at least one")
        term = pattern.build(nodes, tuple(operations))
        for _ in terms(term):
            self.nodes += 1
            if self.nodes > LIMITS.nodes:
                raise GrammarError(at, f"a grammar has at most {LIMITS.nodes} terms")
        return term

    def fields(self, value: object, at: str, level: int) -> tuple[tuple[str, Term], ...]:
        if not is_object(value):
            raise GrammarError(at, f"expected an object of fields, found {shown(value)}")
        if len(value) > LIMITS.fields:
            raise GrammarError(at, f"a record has at most {LIMITS.fields} fields, not {len(value)}")
        return tuple((name, self.term(inner, pointer(at, name), level + 1)) for name, inner in value.items())

    def options(self, value: object, at: str, level: int) -> tuple[Term, ...]:
        given = items(value, LIMITS.options, at)
        return tuple(self.term(option, f"{at}/{i}", level + 1) for i, option in enumerate(given))


def obj(value: object, required: tuple[str, ...], allowed: tuple[str, ...], at: str) -> dict[str, Any]:
    """An object with all of the required fields, and no others than the allowed."""
    if not is_object(value):
        raise GrammarError(at, f"expected an object, found {shown(value)}")
    for name in value:
        if name not in required and name not in allowed:
            names = ", ".join(dict.fromkeys((*required, *allowed)))
            raise GrammarError(pointer(at, name), f"unknown field {shown(name)}; there are {names}")
    for name in required:
        if name not in value:
            raise GrammarError(pointer(at, name), f"the field {name!r} is missing")
    return value


def items(value: object, most: int, at: str) -> list[Any]:
    """A list of at most so many items."""
    if not is_list(value):
        raise GrammarError(at, f"expected a list, found {shown(value)}")
    if len(value) > most:
        raise GrammarError(at, f"at most {most} items, not {len(value)}")
    return value


def string(value: object, most: int, at: str) -> str:
    """A string of at most so many printable characters; lines may break."""
    if not isinstance(value, str):
        raise GrammarError(at, f"expected a string, found {shown(value)}")
    if len(value) > most:
        raise GrammarError(at, f"at most {most} characters, not {len(value)}")
    if not value.replace("\n", "").isprintable():
        raise GrammarError(at, f"expected printable characters, found {shown(value)}")
    return value


def integer(value: object, least: int, most: int, at: str) -> int:
    """A whole number in [least, most]; true and 1.5 are none, 2.0 is."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise GrammarError(at, f"expected a whole number from {least} to {most}, found {shown(value)}")
    return value
