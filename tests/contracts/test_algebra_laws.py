"""The laws of the algebra, over random grammars and over the zoo: what must hold whatever the space."""

import copy
import json
from collections.abc import Iterator
from itertools import islice, product
from math import prod
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, note, settings
from hypothesis import strategies as st

from app.space import (
    Choice,
    Grammar,
    GrammarError,
    InvalidGenotype,
    NoOther,
    OutOfRange,
    Record,
    Ref,
    Repeat,
    SearchSpace,
    Subset,
    Term,
    Value,
    compile_plan,
    grammar_from_json,
    grammar_to_json,
    space_from_json,
    space_to_json,
)
from app.space.encodings import columns, one_hot
from app.space.part import Alternatives, Members, Part, Product, Sequence, Shared
from app.space.plan import Plan
from app.space.zoo import ZOO, chain, darts, nasbench201, simple_cell

LARGEST = 1_500  # members of a random grammar, so that all of them can be listed

# -- random grammars -------------------------------------------------------------------------------------------------

SCALARS = ["a", "b", "c/d", "~e", "#", "é", "", 0, 1, 2, -3, 0.5, 4.0, True, False]
NAMES = ["op", "kind", "x/y", "0->1", "~", "#", "long name"]


@st.composite
def terms(draw: st.DrawFn, level: int, rules: int) -> Term:
    """A term of at most `level` terms inside one another, that may refer to r1 ... r(rules - 1)."""
    kinds = ["record", "subset", "subset", "repeat", "choice", "ref"] if level else ["choice", "choice", "value", "ref"]
    kind = draw(st.sampled_from(kinds if rules > 1 else kinds[:-1]))
    inner = terms(level - 1, rules)
    match kind:
        case "record":
            names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
            return Record(draw(st.sampled_from(["node", "cell"])), tuple((name, draw(inner)) for name in names))
        case "choice":
            return Choice(draw(options(level, rules)))
        case "subset":
            found = draw(options(level, rules))
            return Subset(found, draw(st.sampled_from([1, 2, 2, len(found)])))
        case "repeat":
            lengths = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3, unique=True))
            return Repeat(draw(inner), tuple(lengths))
        case "ref":
            return Ref(f"r{draw(st.integers(1, rules - 1))}", shared=draw(st.integers(0, 3)) == 0)
        case _:
            return Value(draw(st.sampled_from(SCALARS)))


@st.composite
def options(draw: st.DrawFn, level: int, rules: int) -> tuple[Term, ...]:
    symbols = draw(st.lists(st.sampled_from(SCALARS), min_size=2, max_size=4, unique_by=lambda s: str(s).lower()))
    found: list[Term] = []
    for symbol in symbols:
        if level and draw(st.booleans()):
            names = draw(st.lists(st.sampled_from(NAMES[2:]), max_size=2, unique=True))
            fields = [(name, draw(terms(level - 1, rules))) for name in names]
            fields.insert(draw(st.integers(0, len(fields))), ("kind", Value(symbol)))
            found.append(Record("option", tuple(fields)))
        else:
            found.append(Value(symbol))
    return tuple(found)


@st.composite
def plans(draw: st.DrawFn, largest: int = LARGEST) -> Plan:
    count = draw(st.integers(1, 3))
    rules = {"r0": draw(terms(2, count))}
    for i in range(1, count):
        body = draw(terms(1, count))
        back = Record("option", (("kind", Value("back")), ("to", Ref(f"r{draw(st.integers(1, count - 1))}"))))
        rules[f"r{i}"] = body if draw(st.booleans()) else Choice((Value("end"), back))
    reached, waiting = {"r0"}, [rules["r0"]]
    while waiting:
        term = waiting.pop()
        if isinstance(term, Ref) and term.rule not in reached:
            reached.add(term.rule)
            waiting.append(rules[term.rule])
        waiting.extend(inside(term))
    grammar = Grammar({r: t for r, t in rules.items() if r in reached}, "r0", draw(st.integers(1, 3)))
    note(str(grammar))
    try:
        plan = compile_plan(grammar)
    except GrammarError:
        assume(False)
        raise
    assume(plan.size <= largest)
    return plan


def inside(term: Term) -> tuple[Term, ...]:
    match term:
        case Record(_, fields):
            return tuple(t for _, t in fields)
        case Choice(found) | Subset(found, _):
            return found
        case Repeat(body, _):
            return (body,)
        case _:
            return ()


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.sampled_from(SCALARS)
json_values = st.recursive(
    scalars | st.just(10**4000),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)

random_grammars = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
ZOO_PLANS = [
    pytest.param(space.plan, id=name)
    for name, space in {
        **ZOO,
        "darts with none": darts(none=True),
        "three nodes": darts(num_nodes=3),
        "simple cell of two": simple_cell(2),
        "five nodes": nasbench201(5),
        "lengths in any order": chain((3, 0, 7)),
    }.items()
]


def text(value: object) -> str:
    return json.dumps(value)


# -- a second opinion: members listed straight from the terms --------------------------------------------------------


def listed(grammar: Grammar, term: Term, entered: dict[str, int]) -> Iterator[Any]:
    """Members by the definition of the constructors, with no table, no rank and no compiled part."""
    match term:
        case Value(value):
            yield value
        case Record(_, fields):
            names = [name for name, _ in fields]
            for values in product(*(list(listed(grammar, t, entered)) for _, t in fields)):
                yield dict(zip(names, values, strict=True))
        case Choice(found):
            for option in found:
                yield from listed(grammar, option, entered)
        case Subset(found, k):
            if k == 0:
                yield []
            for i, option in enumerate(found if k else ()):
                rest = list(listed(grammar, Subset(found[i + 1 :], k - 1), entered))
                for head in listed(grammar, option, entered):
                    yield from ([head, *tail] for tail in rest)
        case Repeat(body, lengths):
            members = list(listed(grammar, body, entered))
            for n in lengths:
                yield from map(list, product(members, repeat=n))
        case Ref(rule):
            together = recursive_set(grammar, rule)
            count = sum(entered.get(r, 0) for r in together)
            if not together or count < grammar.depth:
                inner = {r: n for r, n in entered.items() if r in together}  # another set starts anew
                yield from listed(grammar, grammar.rules[rule], inner | {rule: inner.get(rule, 0) + 1})


def recursive_set(grammar: Grammar, rule: str) -> set[str]:
    """The rules that lead to `rule` and back."""

    def reach(start: str) -> set[str]:
        found: set[str] = set()
        waiting: list[Term] = [grammar.rules[start]]
        while waiting:
            term = waiting.pop()
            if isinstance(term, Ref) and term.rule not in found:
                found.add(term.rule)
                waiting.append(grammar.rules[term.rule])
            waiting.extend(inside(term))
        return found

    return {r for r in reach(rule) if rule in reach(r)}


@random_grammars
@given(plans())
def test_the_members_are_those_of_the_definition_in_its_order(plan: Plan) -> None:
    expected = list(listed(plan.grammar, Ref(plan.grammar.start), {}))
    assert [text(plan.unrank(i)) for i in range(plan.size)] == [text(g) for g in expected]


# -- rank and unrank -------------------------------------------------------------------------------------------------


@random_grammars
@given(plans())
def test_rank_and_unrank_are_a_bijection_on_all_members(plan: Plan) -> None:
    members = [plan.unrank(i) for i in range(plan.size)]
    assert [plan.rank(g) for g in members] == list(range(plan.size))
    assert len({text(g) for g in members}) == plan.size
    assert all(plan.check(g) == () for g in members)


@random_grammars
@given(plans())
def test_indices_outside_the_space_are_refused(plan: Plan) -> None:
    for index in (-1, plan.size, plan.size + 10**40):
        with pytest.raises(OutOfRange):
            plan.unrank(index)
        with pytest.raises(OutOfRange):
            plan.neighbour_indices(index)


@pytest.mark.parametrize("plan", ZOO_PLANS)
def test_rank_inverts_unrank_on_the_zoo(plan: Plan) -> None:
    rng = Random(7)
    for index in [0, plan.size - 1, *(rng.randrange(plan.size) for _ in range(200))]:
        assert plan.rank(plan.unrank(index)) == index


@random_grammars
@given(plans(), st.randoms(use_true_random=False))
def test_any_order_of_a_subset_is_the_same_member(plan: Plan, rng: Random) -> None:
    for index in {rng.randrange(plan.size) for _ in range(10)}:
        genotype = plan.unrank(index)
        mixed = shuffled(plan.part, genotype, rng)
        assert plan.rank(mixed) == index
        assert text(plan.normalise(mixed)) == text(genotype) == text(plan.repair(mixed))
        assert plan.read(mixed) == plan.read(genotype)


@pytest.mark.parametrize("plan", ZOO_PLANS)
def test_any_order_of_a_subset_is_the_same_member_in_the_zoo(plan: Plan) -> None:
    rng = Random(3)
    for genotype in plan.sample(rng, 50):
        assert plan.rank(shuffled(plan.part, genotype, rng)) == plan.rank(genotype)


def shuffled(part: Part, value: Any, rng: Random) -> Any:
    """The genotype with the list of every Subset, and the fields of every object, in another order."""
    match part:
        case Product(fields):
            inner = [(name, shuffled(p, value[name], rng)) for name, p in fields]
            rng.shuffle(inner)
            return dict(inner)
        case Alternatives(menu):
            return shuffled(option_of(menu, value), value, rng)
        case Members(menu):
            items = [shuffled(option_of(menu, item), item, rng) for item in value]
            rng.shuffle(items)
            return items
        case Sequence(body):
            return [shuffled(body, item, rng) for item in value]
        case Shared(_, inner):
            return shuffled(inner, value, rng)
        case _:
            return value


def option_of(menu: Any, value: Any) -> Part:
    symbol = value[menu.key] if isinstance(value, dict) else value
    table = menu.records if isinstance(value, dict) else menu.scalars
    return menu.parts[table[(isinstance(symbol, bool), symbol)]]


# -- faults and repair -----------------------------------------------------------------------------------------------


@random_grammars
@given(plans(), st.data())
def test_any_json_is_judged_and_repaired(plan: Plan, data: st.DataObject) -> None:
    for value in data.draw(st.lists(json_values, min_size=3, max_size=6)):
        judge(plan, value)


@random_grammars
@given(plans(), st.data())
def test_a_damaged_member_is_judged_and_repaired(plan: Plan, data: st.DataObject) -> None:
    value = plan.unrank(data.draw(st.integers(0, plan.size - 1)))
    for _ in range(data.draw(st.integers(1, 3))):
        value = damaged(value, data)
    judge(plan, value)


@pytest.mark.parametrize("plan", ZOO_PLANS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_damaged_member_of_the_zoo_is_judged_and_repaired(plan: Plan, data: st.DataObject) -> None:
    value = plan.unrank(data.draw(st.integers(0, plan.size - 1)))
    for _ in range(data.draw(st.integers(1, 3))):
        value = damaged(value, data)
    judge(plan, value)


def judge(plan: Plan, value: Any) -> None:
    before = copy.deepcopy(value)
    faults = plan.check(value)
    if plan.index(value) is None:
        assert faults
        with pytest.raises(InvalidGenotype) as raised:
            plan.rank(value)
        assert [f.message for f in raised.value.faults] == [f.message for f in faults]
    else:
        assert faults == ()
        assert text(plan.repair(value)) == text(plan.normalise(value))
    for fault in faults:
        if fault.value is not None:
            assert resolved(value, fault.pointer) is fault.value or resolved(value, fault.pointer) == fault.value
    repaired = plan.repair(value)
    assert plan.check(repaired) == ()
    assert text(plan.normalise(repaired)) == text(repaired) == text(plan.repair(value))
    assert same(before, value), "a question changed what it was asked about"


def same(a: object, b: object) -> bool:
    return repr_safe(a) == repr_safe(b)


def repr_safe(value: object) -> object:
    if isinstance(value, dict):
        return [(k, repr_safe(v)) for k, v in value.items()]
    if isinstance(value, list):
        return [repr_safe(v) for v in value]
    return (type(value), value if value == value else "nan")


def resolved(value: Any, pointer: str) -> Any:
    """What a JSON pointer leads to (RFC 6901)."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        value = value[int(token)] if isinstance(value, list) else value[token]
    return value


def damaged(value: Any, data: st.DataObject) -> Any:
    """The value with one thing in it replaced, dropped or added."""
    if isinstance(value, dict) and value and data.draw(st.integers(0, 3)):
        name = data.draw(st.sampled_from(sorted(value)))
        return {**value, name: damaged(value[name], data)}
    if isinstance(value, list) and value and data.draw(st.integers(0, 3)):
        at = data.draw(st.integers(0, len(value) - 1))
        return [*value[:at], damaged(value[at], data), *value[at + 1 :]]
    how = data.draw(st.sampled_from(["replace", "drop", "add", "repeat"]))
    if isinstance(value, dict) and how == "drop" and value:
        return dict(list(value.items())[1:])
    if isinstance(value, dict) and how == "add":
        return {**value, data.draw(st.text(max_size=3)): data.draw(json_values)}
    if isinstance(value, list) and how == "drop" and value:
        return value[:-1]
    if isinstance(value, list) and how == "add":
        return [*value, data.draw(json_values)]
    if isinstance(value, list) and how == "repeat" and value:
        return [*value[:-1], value[0]]
    return data.draw(json_values)


# -- neighbours ------------------------------------------------------------------------------------------------------


@random_grammars
@given(plans(largest=150))
def test_neighbours_are_members_distinct_and_symmetric(plan: Plan) -> None:
    near = [list(plan.neighbour_indices(i)) for i in range(plan.size)]
    for i, found in enumerate(near):
        assert i not in found
        assert len(set(found)) == len(found)
        assert all(0 <= j < plan.size for j in found)
        assert all(i in near[j] for j in found)
        assert [plan.rank(h) for h in plan.neighbours(plan.unrank(i))] == found


@random_grammars
@given(plans(largest=150))
def test_a_neighbour_answers_one_decision_differently(plan: Plan) -> None:
    """Of the decisions that both make, exactly one differs."""
    read = [{path: text(answer) for path, answer in plan.read(plan.unrank(i)).items()} for i in range(plan.size)]
    for i, mine in enumerate(read):
        for j in plan.neighbour_indices(i):
            assert sum(mine[path] != read[j][path] for path in mine.keys() & read[j].keys()) == 1


@pytest.mark.parametrize("plan", ZOO_PLANS)
def test_neighbours_of_the_zoo(plan: Plan) -> None:
    rng = Random(11)
    index = rng.randrange(plan.size)
    found = list(islice(plan.neighbour_indices(index), 2_000))
    assert found
    assert len(set(found)) == len(found)
    for other in rng.sample(found, min(6, len(found))):
        assert index in plan.neighbour_indices(other)


# -- decisions -------------------------------------------------------------------------------------------------------


@random_grammars
@given(plans())
def test_decisions_are_read_and_written(plan: Plan) -> None:
    places = {d.path: d for d in plan.decisions()}
    read = set()
    for i in range(0, plan.size, max(1, plan.size // 60)):
        genotype = plan.unrank(i)
        made = plan.read(genotype)
        assert text(plan.write(made)) == text(genotype)
        read.add(text(dict(made)))
        for path, answer in made.items():
            place = places[path]
            assert len(answer) == place.k
            assert all(any(type(a) is type(o) and a == o for o in place.options) for a in answer)
    assert len(read) == len(range(0, plan.size, max(1, plan.size // 60)))


@pytest.mark.parametrize("plan", ZOO_PLANS)
def test_decisions_of_the_zoo_are_read_and_written(plan: Plan) -> None:
    paths = {d.path for d in plan.decisions()}
    for genotype in plan.sample(Random(5), 50):
        made = plan.read(genotype)
        assert made.keys() <= paths
        assert text(plan.write(made)) == text(genotype)
        assert text(plan.write({path: made[path] for path in reversed(made)})) == text(genotype)


@random_grammars
@given(plans())
def test_factors_multiply_to_the_size(plan: Plan) -> None:
    assert prod(f.size for f in plan.factors()) == plan.size
    assert all(f.size > 1 for f in plan.factors())


# -- sampling --------------------------------------------------------------------------------------------------------


@random_grammars
@given(plans(), st.integers())
def test_samples_are_members_and_repeat_with_the_seed(plan: Plan, seed: int) -> None:
    drawn = plan.sample(Random(seed), 5)
    assert [text(g) for g in drawn] == [text(g) for g in plan.sample(Random(seed), 5)]
    drawn += [plan.sample_per_choice(Random(seed)) for _ in range(3)]
    assert all(text(plan.normalise(g)) == text(g) for g in drawn)


# -- documents -------------------------------------------------------------------------------------------------------


@random_grammars
@given(plans())
def test_a_document_keeps_grammar_digest_and_ranks(plan: Plan) -> None:
    document = json.loads(json.dumps(grammar_to_json(plan.grammar)))
    assert grammar_from_json(document) == plan.grammar
    space = SearchSpace(name="user", version=1, title="", paper="", grammar=plan.grammar, skeletons={})
    again = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert again == space
    assert again.digest == space.digest
    assert text(again.plan.unrank(plan.size - 1)) == text(plan.unrank(plan.size - 1))


@pytest.mark.parametrize("name", ZOO)
def test_a_document_of_the_zoo_keeps_everything(name: str) -> None:
    space = ZOO[name]
    again = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert again == space
    assert again.identity == space.identity
    assert again.plan.unrank(space.plan.size // 3) == space.plan.unrank(space.plan.size // 3)


@random_grammars
@given(st.sampled_from(sorted(ZOO)), st.data())
def test_any_json_is_a_document_or_refused_with_a_pointer_into_it(name: str, data: st.DataObject) -> None:
    document: Any = space_to_json(ZOO[name])
    for _ in range(data.draw(st.integers(1, 3))):
        document = damaged(document, data)
    try:
        space = space_from_json(document)
    except GrammarError as error:
        for fault in error.faults:
            *parent, last = fault.pointer.split("/")
            assert last == "" or resolved(document, "/".join(parent)) is not None
            fault.message.encode()
    else:
        assert space_from_json(json.loads(json.dumps(space_to_json(space)))) == space
        assert space.plan.rank(space.plan.unrank(space.plan.size - 1)) == space.plan.size - 1


# -- mutation, crossover, edit scripts, one-hot rows -----------------------------------------------------------------


@random_grammars
@given(plans(), st.randoms(use_true_random=False))
def test_mutants_are_neighbours(plan: Plan, rng: Random) -> None:
    for index in {rng.randrange(plan.size) for _ in range(5)}:
        genotype, near = plan.unrank(index), {text(n) for n in plan.neighbours(plan.unrank(index))}
        if near:
            assert {text(mutant) for mutant in plan.mutate(rng, genotype, 20)} <= near
        else:
            with pytest.raises(NoOther):
                plan.mutate(rng, genotype)


@pytest.mark.parametrize("plan", [p for p in ZOO_PLANS if p.values[0].size < 10**30])
def test_mutants_of_the_zoo_are_members_that_differ(plan: Plan) -> None:
    rng = Random(5)
    for genotype in plan.sample(rng, 5):
        (mutant,) = plan.mutate(rng, genotype)
        assert plan.index(mutant) not in (None, plan.rank(genotype))
        assert len(plan.edits(genotype, mutant)) >= 1


@settings(random_grammars, max_examples=40)
@given(plans(), st.integers(0, 2**31))
def test_every_neighbour_is_some_mutant(plan: Plan, seed: int) -> None:
    rng = Random(seed)
    index = rng.randrange(plan.size)
    near = set(islice(plan.neighbour_indices(index), 9))
    assume(0 < len(near) <= 8)
    assert {plan.rank(mutant) for mutant in plan.mutate(rng, plan.unrank(index), 400)} == near


@random_grammars
@given(plans(), st.randoms(use_true_random=False))
def test_children_are_members_made_of_their_parents(plan: Plan, rng: Random) -> None:
    for _ in range(5):
        first, second = plan.sample(rng, 2)
        one, other = plan.read(first), plan.read(second)
        shared = any(path.startswith("@") for path in (*one, *other))
        for child in plan.crossover(rng, first, second, 3):
            for path, answer in plan.read(child).items():
                # A shared rule may be met at another depth than in the parent, with fewer options.
                assert shared or answer in (one.get(path), other.get(path))
        assert plan.crossover(rng, first, first) == [first]


@random_grammars
@given(plans(), st.randoms(use_true_random=False))
def test_a_script_of_edits_leads_from_one_member_to_another(plan: Plan, rng: Random) -> None:
    first, second, third = plan.sample(rng, 3)
    script = plan.edits(first, second)
    assert text(plan.edit(first, script)) == text(second)
    assert (len(script) == 0) == (plan.rank(first) == plan.rank(second))
    assert len(script) == len(plan.edits(second, first))
    assert len(plan.edits(first, third)) <= len(script) + len(plan.edits(second, third))
    if script:
        with pytest.raises(InvalidGenotype):
            plan.edit(second, script)


@random_grammars
@given(plans())
def test_different_members_have_different_rows(plan: Plan) -> None:
    names = tuple(columns(plan.decisions()))
    assert len({column.name for column in names}) == len(names)
    rows = {tuple(one_hot(plan.read(plan.unrank(i)), names)) for i in range(min(plan.size, 300))}
    assert len(rows) == min(plan.size, 300)
