"""Grammars that are refused, each at its place and before any work."""

import time

import pytest

from app.space import (
    Choice,
    Grammar,
    GrammarError,
    Record,
    Ref,
    Repeat,
    Subset,
    Term,
    Value,
    compile_plan,
    one_of,
    record,
    validate_grammar,
)
from app.space.limits import LIMITS

AB = one_of("a", "b")


def refused(grammar: Grammar) -> dict[str, str]:
    with pytest.raises(GrammarError) as raised:
        compile_plan(grammar)
    assert raised.value.faults[0].pointer == raised.value.pointer
    return {f.pointer: f.message for f in raised.value.faults}


@pytest.mark.parametrize(
    ("term", "pointer", "message"),
    [
        (Ref("gone"), "/rules/g/ref", "no rule 'gone'"),
        (record("r", x=Ref("gone")), "/rules/g/fields/x/ref", "no rule 'gone'"),
        (Choice(()), "/rules/g/choice", "no option"),
        (Subset((), 1), "/rules/g/subset", "no option"),
        (Subset((Value(1),), 2), "/rules/g/k", "k is 1 to 1, the number of options; not 2"),
        (Subset((Value(1),), 0), "/rules/g/k", "not 0"),
        (Subset((Value(1), Value(2)), True), "/rules/g/k", "not true"),
        (Repeat(AB, ()), "/rules/g/lengths", "no length"),
        (Repeat(AB, (1, 2, 1)), "/rules/g/lengths/2", "the length 1 is there twice"),
        (Repeat(AB, (1, -2)), "/rules/g/lengths/1", "not -2"),
        (one_of("a", "b", "a"), "/rules/g/choice/2", "'a' cannot be told from option 0, 'a'"),
        (one_of(1, 1.0), "/rules/g/choice/1", "1.0 cannot be told from option 0, 1"),
        (one_of(1, "1"), "/rules/g/choice/1", "'1' cannot be told from option 0, 1"),
        (one_of("true", True), "/rules/g/choice/1", "true cannot be told from option 0, 'true'"),
        (Choice((Value(1), record("r", kind=Value(1)))), "/rules/g/choice/1", "cannot be told from option 0"),
        (
            Choice((record("r", x=AB), record("r", x=AB))),
            "/rules/g/choice",
            "no constant field tells the options apart",
        ),
        (
            Choice((record("r", k=Value(1)), record("r", k=Value(True)), record("r", k=Value(1.0)))),
            "/rules/g/choice",
            "no constant",
        ),
        (Choice((AB,)), "/rules/g/choice", "an option is a value or a record with a constant field, not a choice"),
        (Choice((Repeat(AB, (1,)),)), "/rules/g/choice", "not a repeat"),
        (Record("r", (("x", AB), ("y", AB), ("x", AB))), "/rules/g/fields/x", "the field 'x' is there 2 times"),
        (Record("r", (("", AB),)), "/rules/g/fields/", "printable characters, not ''"),
        (Record("r", (("a\x00", AB),)), "/rules/g/fields/a\x00", "printable"),
        (Record("Two Words", ()), "/rules/g/record", "found 'Two Words'"),
        (one_of("x" * 65, "a"), "/rules/g/choice/0", "of 65 characters"),
        (one_of("\ud800", "a"), "/rules/g/choice/0", "printable"),
        (one_of(2**53, 1), "/rules/g/choice/0", "2^53 - 1"),
        (one_of(10**5000, 1), "/rules/g/choice/0", "an integer of 16610 bits"),
        (one_of(float("nan"), 1), "/rules/g/choice/0", "finite"),
        (Value(None), "/rules/g", "not null"),  # type: ignore[arg-type]
        (record("r", x=Ref("g")), "/rules/g", "the space is empty"),
        (Ref("g"), "/rules/g", "only a reference to itself"),
    ],
    ids=range(31),
)
def test_a_malformed_term(term: Term, pointer: str, message: str) -> None:
    faults = refused(Grammar({"g": term}, "g"))
    assert pointer in faults, faults
    assert message in faults[pointer]


def test_every_fault_at_once() -> None:
    grammar = Grammar({"g": record("r", x=one_of("a", "a"), y=Repeat(Ref("gone"), (2, 2))), "Bad Name": AB}, "g")
    assert set(refused(grammar)) == {
        "/rules/g/fields/x/choice/1",
        "/rules/g/fields/y/lengths/1",
        "/rules/g/fields/y/repeat/ref",
        "/rules/Bad Name",
    }


def test_of_very_many_faults_the_first_hundred_are_told() -> None:
    faults = refused(Grammar({"g": record("r", **{f"f{i}": Ref("gone") for i in range(900)})}, "g"))
    assert len(faults) == LIMITS.faults == 100
    assert next(iter(faults)) == "/rules/g/fields/f0/ref"


def test_long_ways_through_references_are_gone_once() -> None:
    rules: dict[str, Term] = {f"r{i}": Ref(f"r{i + 1}") for i in range(1_900)}
    choice = Choice(tuple(Ref(f"r{i}") for i in range(900)))
    started = time.process_time()
    faults = refused(Grammar({"g": choice, **rules, "r1900": Value(0)}, "g"))
    assert time.process_time() - started < 0.5
    assert "cannot be told from option 0" in faults["/rules/g/choice/1"]


def test_rules_are_defined_and_reached() -> None:
    assert set(refused(Grammar({"g": AB, "other": AB, "third": Ref("other")}, "g"))) == {"/rules/other", "/rules/third"}
    assert set(refused(Grammar({"g": AB}, "start"))) == {"/start"}
    assert set(refused(Grammar({}, "start"))) == {"/rules"}
    assert set(refused(Grammar({"a": Ref("b"), "b": Ref("a")}, "a"))) == {"/rules/a", "/rules/b"}


def test_a_grammar_in_order_is_accepted() -> None:
    assert validate_grammar(Grammar({"g": AB}, "g")) is None


def big(term: Term, depth: int = 1, **rules: Term) -> Grammar:
    return Grammar({"g": term, **rules}, "g", depth)


def nested(levels: int) -> Term:
    term: Term = AB
    for _ in range(levels):
        term = record("r", x=term)
    return term


def doubling(rules: int) -> Grammar:
    """A genotype of 2^rules leaves, out of a few lines."""
    bodies: dict[str, Term] = {f"r{i}": record("r", a=Ref(f"r{i + 1}"), b=Ref(f"r{i + 1}")) for i in range(rules)}
    return Grammar({**bodies, f"r{rules}": Value(0)}, "r0")


HOG = {
    "terms": (
        big(record("r", **{f"f{i}": Choice(tuple(map(Value, range(999)))) for i in range(30)})),
        "at most 5000 terms",
    ),
    "nesting": (big(nested(33)), "at most 32 terms inside one another"),
    "deep nesting": (big(nested(5_000)), "at most 32 terms inside one another"),
    "fields": (big(record("r", **{f"f{i}": Value(0) for i in range(1_001)})), "at most 1000 fields"),
    "options": (big(one_of(*range(1_001))), "at most 1000 options"),
    "k": (big(Subset(tuple(map(Value, range(100))), 65)), "at most 64 members"),
    "lengths": (big(Repeat(AB, tuple(range(65)))), "at most 64 lengths"),
    "length": (big(Repeat(AB, (10**9,))), "at most 1000 items"),
    "depth": (big(AB, depth=33), "the recursion bound is 1 to 32, not 33"),
    "depth of nothing": (big(AB, depth=0), "not 0"),
    "digits": (big(Repeat(Repeat(AB, (1_000,)), (50,))), "digits"),
    "digits of a subset": (
        big(Subset(tuple(record("o", k=Value(i), x=Repeat(AB, (900,))) for i in range(70)), 64)),
        "digits",
    ),
    "genotype": (doubling(30), "more than 100000 values"),
    "long genotype": (big(Repeat(Repeat(Value(0), (1_000,)), (1_000,))), "more than 100000 values"),
    "descent": (
        Grammar({f"r{i}": record("r", a=Ref(f"r{i + 1}")) for i in range(99)} | {"r99": Value(0)}, "r0"),
        "nests more than 96 terms",
    ),
    "recursion": (
        big(Choice((Value("leaf"), record("n", kind=Value("n"), l=Ref("g"), r=Ref("g")))), depth=32),
        "a genotype can hold more than 100000 values",
    ),
    "unfolding": (
        big(Choice((Value("end"), *(record("n", kind=Value(i), x=Ref("g")) for i in range(199)))), depth=32),
        "may unfold to 6833 parts; 5000 are allowed",
    ),
    "tables of subsets": (
        big(
            record("r", **{f"f{i}": Subset(tuple(map(Value, range(i, 900 + i))), 64) for i in range(2)}),
        ),
        "need 115200 numbers; 100000 are allowed",
    ),
    "tables of large options": (
        Grammar(
            {
                "g": Subset(tuple(record("o", k=Value(i), x=Ref("x")) for i in range(900)), 64),
                "x": Repeat(AB, (190,)),
            },
            "g",
        ),
        "numbers; 100000 are allowed",
    ),
    "rules": (Grammar({f"r{i}": Value(0) for i in range(2_001)}, "r0"), "1 to 2000 rules"),
}


@pytest.mark.parametrize("name", HOG)
def test_what_asks_too_much_is_refused_at_once(name: str) -> None:
    grammar, message = HOG[name]
    started = time.process_time()
    assert any(message in found for found in refused(grammar).values())
    assert time.process_time() - started < 0.5


def test_what_is_just_within_the_caps_works() -> None:
    for grammar in (
        big(nested(LIMITS.nesting - 2)),
        big(Repeat(AB, (LIMITS.length,))),
        big(Subset(tuple(map(Value, range(LIMITS.options))), LIMITS.k)),
        doubling(14),
        big(Choice((Value("leaf"), record("n", kind=Value("n"), inner=Ref("g")))), depth=LIMITS.depth),
    ):
        plan = compile_plan(grammar)
        assert plan.rank(plan.unrank(plan.size - 1)) == plan.size - 1
        assert len(str(plan.size)) <= 4_300


def test_recursion_counts_the_entries_of_a_recursive_set() -> None:
    """Two rules that lead to one another count together; a rule beside them that recurses alone counts for itself."""
    rules = {
        "a": Choice((Value("end"), record("a", kind=Value("a"), to=Ref("b")))),
        "b": Choice((record("b", kind=Value("b"), to=Ref("a")), record("c", kind=Value("c"), to=Ref("c")))),
        "c": Choice((Value("end"), record("more", kind=Value("more"), to=Ref("c")))),
    }
    sizes = [compile_plan(Grammar(rules, "a", depth)).size for depth in (1, 2, 3, 4)]
    # a(d) = 1 + b(d-1), b(d) = a(d-1) + c, c = depth: a(1) = 1, a(2) = 1 + c, a(3) = 1 + (a(1) + c), ...
    assert sizes == [1, 1 + 2, 1 + 1 + 3, 1 + (1 + 4) + 4]
