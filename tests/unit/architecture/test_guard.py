import copy
import pickle
from collections.abc import Iterator
from itertools import combinations, product

import pytest
from hypothesis import given as some
from hypothesis import strategies as st

from app.architecture import FALSE, TRUE, Arena, Guard, Question, all_of, any_of, exactly, given, not_, questions, weigh
from app.space import Decisions

COLOUR = Question((0, 0), "/colour", "choice", ("red", "green", "blue"))
DEPTH = Question((0, 1), "/layers#", "length", (1, 2))
MEMBERS = tuple(Question((0, 2, i), "/node", "subset", ("a", "b", "c"), i) for i in range(3))

Formula = tuple[object, ...]

literals = st.one_of(
    st.tuples(st.just("is"), st.just(COLOUR), st.sets(st.sampled_from((0, 1, 2)))),
    st.tuples(st.just("is"), st.just(DEPTH), st.sets(st.sampled_from((0, 1)))),
    st.tuples(st.just("is"), st.sampled_from(MEMBERS), st.sets(st.sampled_from((0, 1)))),
)
formulas = st.recursive(
    literals,
    lambda f: st.one_of(st.tuples(st.just("not"), f), st.tuples(st.sampled_from(("and", "or")), f, f)),
    max_leaves=8,
)


def build(arena: Arena, formula: Formula) -> Guard:
    match formula:
        case ("is", Question() as question, set(answers)):
            return arena.when(question, answers)
        case ("not", f):
            return not_(build(arena, f))
        case ("and", f, g):
            return all_of(build(arena, f), build(arena, g))
        case (_, f, g):
            return any_of(build(arena, f), build(arena, g))
        case _:
            raise AssertionError(formula)


def truth(formula: Formula, decided: Decisions) -> bool:
    match formula:
        case ("is", Question() as question, set(answers)):
            return question.answer(decided) in answers
        case ("not", f):
            return not truth(f, decided)
        case ("and", f, g):
            return truth(f, decided) and truth(g, decided)
        case (_, f, g):
            return truth(f, decided) or truth(g, decided)
        case _:
            raise AssertionError(formula)


def everything() -> Iterator[Decisions]:
    for colour, depth, members in product(COLOUR.options, DEPTH.options, combinations("abc", 2)):
        yield {"/colour": (colour,), "/layers#": (depth,), "/node": members}


@some(formulas)
def test_a_guard_holds_where_its_formula_does(formula: Formula) -> None:
    guard = build(Arena(), formula)
    for decided in everything():
        found = given(guard, decided, {})
        assert found is (TRUE if truth(formula, decided) else FALSE)


@some(formulas, formulas)
def test_equal_functions_of_one_arena_are_one_object(first: Formula, second: Formula) -> None:
    arena = Arena()
    f, g = build(arena, first), build(arena, second)
    # a subset may have any members here, so that every function of the answers is told apart
    members = [c for k in range(4) for c in combinations("abc", k)]
    worlds = [
        {"/colour": (c,), "/layers#": (d,), "/node": m} for c, d, m in product(COLOUR.options, DEPTH.options, members)
    ]
    same = all(truth(first, w) == truth(second, w) for w in worlds)
    assert (f is g) == same
    assert (f == g) == same


@some(formulas)
def test_guards_of_two_arenas_compare_by_structure_whatever_was_met_first(formula: Formula) -> None:
    first, second = Arena(), Arena()
    for question in reversed((COLOUR, DEPTH, *MEMBERS)):
        second.when(question, (0,))
    f, g = build(first, formula), build(second, formula)
    assert f == g
    assert hash(f) == hash(g)


@some(formulas, st.sets(st.sampled_from(("/colour", "/layers#", "/node"))))
def test_deciding_in_two_steps_is_deciding_at_once(formula: Formula, first: set[str]) -> None:
    guard = build(Arena(), formula)
    for decided in everything():
        part = {path: answer for path, answer in decided.items() if path in first}
        rest = {path: answer for path, answer in decided.items() if path not in first}
        assert given(given(guard, part, {}), rest, {}) is given(guard, decided, {})


@some(formulas)
def test_the_weight_of_a_guard_is_its_probability(formula: Formula) -> None:
    guard = build(Arena(), formula)
    chances = {"red": 0.5, "green": 0.3, "blue": 0.2, 1: 0.25, 2: 0.75}
    taken = {"a": 0.9, "b": 0.4, "c": 0.1}

    def weight(path: str, symbols: tuple[object, ...]) -> float:
        return sum((taken if path == "/node" else chances)[symbol] for symbol in symbols)

    expected = 0.0
    for colour, depth, *bits in product(COLOUR.options, DEPTH.options, *[(True, False)] * 3):
        members = tuple(m for m, bit in zip("abc", bits, strict=True) if bit)
        world = {"/colour": (colour,), "/layers#": (depth,), "/node": members}
        p = chances[colour] * chances[depth]
        for m, bit in zip("abc", bits, strict=True):
            p *= taken[m] if bit else 1 - taken[m]
        expected += p * truth(formula, world)
    assert weigh(guard, weight, {}) == pytest.approx(expected)


def test_exactly_counts() -> None:
    arena = Arena()
    bits = [arena.when(question, (0,)) for question in MEMBERS]
    counts = exactly(bits)
    assert len(counts) == 4
    for k, guard in enumerate(counts):
        for members in (c for n in range(4) for c in combinations("abc", n)):
            assert given(guard, {"/node": members}, {}) is (TRUE if len(members) == k else FALSE)


def test_constants_fold() -> None:
    g = Arena().when(COLOUR, (0,))
    assert all_of() is TRUE
    assert any_of() is FALSE
    assert all_of(g, TRUE) is g
    assert all_of(FALSE, g) is FALSE
    assert any_of(g, FALSE) is g
    assert any_of(TRUE, g) is TRUE
    assert not_(not_(g)) is g
    assert any_of(g, not_(g)) is TRUE
    assert Arena().when(COLOUR, (0, 1, 2)) is TRUE


def test_true_is_not_one() -> None:
    question = Question((0,), "/x", "choice", (1, True, 0.5))
    assert [question.answer({"/x": (value,)}) for value in (1, True, 0.5, 1.0)] == [0, 1, 2, 0]
    assert question.answer({}) is None


def test_guards_of_two_lowerings_are_not_mixed() -> None:
    f, g = Arena().when(COLOUR, (0,)), Arena().when(DEPTH, (0,))
    with pytest.raises(ValueError, match=r"two lowerings.*/colour.*/layers#"):
        all_of(f, g)


def test_copies_and_pickles_keep_identity() -> None:
    arena = Arena()
    f = all_of(arena.when(COLOUR, (0, 1)), arena.when(DEPTH, (0,)))
    assert copy.deepcopy([f, TRUE]) == [f, TRUE]
    assert copy.deepcopy(f) is f
    g, true, again = pickle.loads(pickle.dumps((f, TRUE, f)))
    assert true is TRUE
    assert g is again
    assert g == f
    assert not_(not_(g)) is g


def test_questions_come_once_in_the_order_of_their_places() -> None:
    arena = Arena()
    f = all_of(arena.when(DEPTH, (0,)), arena.when(MEMBERS[1], (0,)))
    g = any_of(arena.when(COLOUR, (0,)), f)
    assert [q.place for q in questions([f, g, TRUE])] == [(0, 0), (0, 1), (0, 2, 1)]
