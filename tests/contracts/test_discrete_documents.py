"""State documents of discrete strategies: anything that is damaged is refused, whole, and nothing else is raised."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.experiment import DiscreteStrategyName
from app.space.errors import Unmet
from app.space.zoo import ZOO
from tests.contracts.test_discrete_strategies import SMALL, measured
from workers.strategies.discrete import DISCRETE, DiscreteStrategy, Objective, Problem

every_strategy = pytest.mark.parametrize("name", list(SMALL))
Place = tuple[str | int, ...]
SPACE = ZOO["nasbench201"]


def made(name: DiscreteStrategyName) -> DiscreteStrategy:
    return DISCRETE[name](Problem(space=SPACE, objectives=(Objective("accuracy"),), seed=1), **SMALL[name])


def searched(name: DiscreteStrategyName, evaluations: int) -> DiscreteStrategy:
    strategy = made(name)
    for _ in range(evaluations):
        strategy.tell(map(measured, strategy.ask(2)[:1]))
    return strategy


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place of a document but the words of the random generator, of which a few do."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        if not (at == ("random", 1) and isinstance(key, int) and 2 < key < 624):
            yield from places(inner, (*at, key))


def value_at(document: Any, place: Place) -> Any:
    for key in place:
        document = document[key]
    return document


def put(document: Any, place: Place, value: Any) -> Any:
    if not place:
        return value
    changed = copy.deepcopy(document)
    value_at(changed, place[:-1])[place[-1]] = value
    return changed


def cut(document: Any, place: Place) -> Any:
    changed = copy.deepcopy(document)
    del value_at(changed, place[:-1])[place[-1]]
    return changed


DOCUMENTS = {name: json.loads(json.dumps(searched(name, 14).state())) for name in SMALL}
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=4)
    | st.sampled_from(
        [-1, 0, 1, 2**32, 2**64, 10**30, 1e308, "0", "1", "01", "-1", "15625", "15624", "9" * 5_000, "٣"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


@every_strategy
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_damaged_documents_are_refused_whole(name: DiscreteStrategyName, data: st.DataObject) -> None:
    """Restoring raises ValueError and changes nothing; or what it made can be asked and told."""
    document = DOCUMENTS[name]
    where = list(places(document))
    for _ in range(data.draw(st.integers(1, 2))):
        place = data.draw(st.sampled_from(where))
        change = data.draw(st.sampled_from(["put", "cut", "doubled", "moved"]))
        try:
            if change == "cut" and place:
                document = cut(document, place)
            elif change == "doubled" and isinstance(value_at(document, place), list):
                document = put(document, place, value_at(document, place) * 2)
            elif change == "moved":
                document = put(document, place, value_at(document, data.draw(st.sampled_from(where))))
            else:
                document = put(document, place, data.draw(anything))
        except (KeyError, IndexError, TypeError):
            pass  # the first change took the place away
    strategy = searched(name, 3)
    before = strategy.state()
    try:
        strategy.restore(document)
    except ValueError as error:
        refused = str(error)
    else:
        refused = ""
    if refused:
        assert refused.startswith("/")
        assert ": expected " in refused
        assert strategy.state() == before
    else:
        json.dumps(strategy.state(), allow_nan=False)
        try:
            for _ in range(3):
                strategy.tell(map(measured, strategy.ask(2)))
        except Unmet:
            pass  # where it says that everything was met


@every_strategy
def test_what_was_written_is_read(name: DiscreteStrategyName) -> None:
    strategy = made(name)
    strategy.restore(DOCUMENTS[name])
    assert json.loads(json.dumps(strategy.state())) == DOCUMENTS[name]


@every_strategy
def test_every_part_is_needed(name: DiscreteStrategyName) -> None:
    for part in DOCUMENTS[name]:
        strategy = made(name)
        with pytest.raises(ValueError, match=f"/: expected an object with '{part}'"):
            strategy.restore(cut(DOCUMENTS[name], (part,)))
        assert strategy.state() == made(name).state()


@pytest.mark.parametrize(
    ("name", "place", "value", "words"),
    [
        (
            "random",
            ("seen", 0),
            "15625",
            r"/seen/0: expected a rank in \[0, 15625\) as a decimal string, found '15625'",
        ),
        ("random", ("random", 1, 3), -1, r"/random/1/3: expected a whole number from 0 to 4294967295, found -1"),
        ("random", ("source",), "descents", "/source: expected where members of this space come from"),
        ("evolution", ("population", 0, 1), [1.0], r"/population/0/1: expected a list of 2, found \[1.0\]"),
        ("local_search", ("summit", 1, 1), "better", "/summit/1/1: expected a finite number, found 'better'"),
        ("bananas", ("queue",), ["7", "7"], "/queue: expected each member once"),
        ("nsga2", ("parents", 0, 1), -0.5, "/parents/0/1: expected a finite number, at least 0, found -0.5"),
        ("successive_halving", ("promoted",), [["7", 2]], "/promoted/0/1: expected one of 1, 3, 9, found 2"),
    ],
)
def test_the_place_is_named(name: DiscreteStrategyName, place: Place, value: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        made(name).restore(put(DOCUMENTS[name], place, value))
