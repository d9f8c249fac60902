"""Any document is accepted or refused, and soon: mutated good ones, drawn ones, and ones made to hurt.

A refusal points into the document and comes within 100 ms of CPU time; what is accepted can be counted, sampled,
judged and written back. A longer run:

    CELLAR_FUZZ_EXAMPLES=20000 pytest --timeout=3600 tests/contracts/test_document_fuzz.py
"""

import copy
import json
import os
from collections.abc import Callable, Iterator
from functools import cache, reduce
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.space import GrammarError, SearchSpace, space_from_json, space_to_json
from app.space.constraints import CONSTRAINTS
from app.space.document import EQUIVALENCES
from app.space.skeleton import FAMILIES
from app.space.zoo import ZOO

Json = Any
Judge = Callable[[Json], SearchSpace | None]
EXAMPLES = int(os.environ.get("CELLAR_FUZZ_EXAMPLES", "400"))
ALONE = 40  # seeds of one test
DOCUMENTS = Path(__file__).parents[2] / "docs" / "spaces"


# -- mutants of good documents ---------------------------------------------------------------------------------------


@cache
def good() -> tuple[str, ...]:
    """Documents as text: the zoo, those of the guide, and small ones of every constructor."""
    zoo = [space_to_json(space) for space in ZOO.values()]
    own = [json.loads(path.read_text()) for path in sorted(DOCUMENTS.iterdir())]
    return tuple(json.dumps(document) for document in (*zoo, *own, *small()))


def small() -> Iterator[Json]:
    ab = {"choice": ["a", "b"]}
    yield named({"g": {"repeat": ab, "lengths": [0, 2]}})
    yield named({"g": {"subset": ["a", 1, True, {"record": "r", "fields": {"k": "c", "x": ab}}], "k": 2}})
    yield named({"g": {"choice": ["end", {"record": "r", "fields": {"k": 1, "x": {"ref": "g"}}}]}}, depth=4)
    shared = {"ref": "s", "shared": True}
    both = [{"record": "r", "fields": {"k": i, "x": shared}} for i in range(2)]
    yield named({"g": {"choice": both}, "s": ab}) | {
        "constraints": [{"name": "option_count", "parameters": {"option": "a", "max": 0}}]
    }


def named(rules: Json, depth: int = 1, start: str = "g") -> Json:
    return {"name": "fuzz", "grammar": {"start": start, "depth": depth, "rules": rules}}


ODD: tuple[Json, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    2,
    3,
    64,
    65,
    1_000,
    1_001,
    2**31,
    2**53,
    2**53 - 1,
    10**400,
    -(10**400),
    0.5,
    1.0,
    1e308,
    float("nan"),
    float("inf"),
    "",
    "a",
    "A",
    "é" * 65,
    "\ud800",
    "\x00",
    "a/b~c#d",
    "x" * 5_000,
    "ß",
    "\u202e",
    "1",
    "true",
    [],
    {},
    [[]],
    [None],
    {"": 0},
    {"a": None},
    ["a", "a"],
    {"choice": []},
    {"choice": ["a", 1, 1.0, True]},
    {"subset": ["a"], "k": 1},
    {"repeat": "a", "lengths": []},
    {"repeat": "a", "lengths": [0]},
    {"record": "r", "fields": {}},
    {"record": "", "fields": {}},
    {"ref": "g"},
    {"ref": "g", "shared": True},
    {"ref": "gone"},
    {"ref": "s", "shared": 1},
    {"pattern": "dag", "nodes": 9, "operations": ["a", "b"]},
    {"pattern": "star", "nodes": 9, "operations": ["a"]},
    {"choice": ["a"], "k": 1},
)


def places(value: Json, at: tuple[Json, ...] = ()) -> Iterator[tuple[Json, ...]]:
    """Every place in a document."""
    yield at
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        yield from places(below, (*at, key))


def get(value: Json, at: tuple[Json, ...]) -> Json:
    return reduce(lambda inner, key: inner[key], at, value)


def mutated(rng: Random, document: Json) -> Json:
    """One change at one place, of a random kind."""
    at = rng.choice([place for place in places(document) if place])
    holder, key = get(document, at[:-1]), at[-1]
    value = holder[key]
    match rng.randrange(9):
        case 0:
            holder[key] = copy.deepcopy(rng.choice(ODD))
        case 1:
            del holder[key]
        case 2:
            holder[key] = copy.deepcopy(get(document, rng.choice([p for p in places(document) if len(str(p)) < 300])))
        case 3 if isinstance(value, dict):
            value[rng.choice(["colour", "", "k", "shared", "depth", "record", "~/", "fields"])] = copy.deepcopy(
                rng.choice(ODD)
            )
        case 4 if isinstance(value, list):
            value *= rng.choice([2, 3, 40])
        case 5 if isinstance(value, list):
            rng.shuffle(value)
        case 6 if isinstance(value, str):
            holder[key] = rng.choice(
                [value * 40, value[:-1], value.upper(), f"{value}\u0301", f"/{value}", f"{value}#"]
            )
        case 7 if isinstance(value, int | float):
            holder[key] = rng.choice([-value, value * 1_000, value + 1, 0.5, "7", 2**64])
        case 8 if isinstance(document.get("grammar"), dict) and isinstance(document["grammar"].get("rules"), dict):
            rules = list(document["grammar"]["rules"]) or ["g"]
            holder[key] = rng.choice([{"ref": rng.choice(rules)}, {"ref": rng.choice(rules), "shared": True}])
        case _:
            levels = rng.choice([1, 5, 40, 400])
            holder[key] = reduce(
                lambda inner, _: {"repeat": inner, "lengths": [rng.choice([1, 2])]}, range(levels), value
            )
    return document


def constrained(rng: Random, document: Json) -> Json:
    """Constraints drawn over the space's own decisions, which may contradict each other."""
    document.pop("constraints", None)
    try:
        decisions = space_from_json(document).plan.decisions()
    except GrammarError:
        return document
    paths = [decision.path for decision in decisions] or [""]
    options = [option for decision in decisions for option in decision.options] or ["a"]

    def parameter(name: str) -> Json:
        match name:
            case "at" if rng.random() < 0.5:
                return rng.choice(paths)[: rng.choice([3, 8, 99])]
            case "at" | "allowed":
                return [rng.choice(paths if name == "at" else options) for _ in range(rng.randrange(4))]
            case "option":
                return rng.choice(options)
            case "min" | "max" | "value":
                return rng.choice([0, 1, 2, 3, 9, 10**6, 2**60])
            case _:
                return rng.choice([True, "small", "nowhere"])

    def constraint() -> Json:
        name = rng.choice(list(CONSTRAINTS))
        chosen = [p for p in CONSTRAINTS[name] if rng.random() < 0.8]
        return {"name": name, "parameters": {p: parameter(p) for p in chosen}}

    return document | {"constraints": [constraint() for _ in range(rng.randrange(1, 4))]}


@pytest.mark.parametrize("seed", range(ALONE))
def test_a_changed_document_is_a_space_or_refused_at_once(seed: int, judged: Judge) -> None:
    rng = Random(seed)
    for _ in range(max(1, EXAMPLES // ALONE)):
        document = json.loads(rng.choice(good()))
        if rng.random() < 0.2:
            document = constrained(rng, document)
        for _ in range(rng.randrange(4)):
            document = mutated(rng, document)
        judged(document)


# -- drawn documents ---------------------------------------------------------------------------------------------------

NAMES = st.sampled_from(["g", "h", "s", "t"])
SCALARS = st.one_of(
    st.sampled_from(["a", "b", "c", 0, 1, 2, 1.0, 0.5, True, False, "", "1", "true"]),
    st.integers(),
    st.text(max_size=3),
    st.floats(),
)


def terms(inner: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    fields = st.dictionaries(st.sampled_from(["k", "x", "y", "z"]), inner, max_size=3)
    labelled = st.builds(lambda k, f: {"record": "r", "fields": {"k": k} | f}, st.integers(0, 5), fields)
    options = st.lists(st.one_of(SCALARS, labelled), max_size=5)
    return st.one_of(
        st.builds(lambda f: {"record": "r", "fields": f}, fields),
        st.builds(lambda o: {"choice": o}, options),
        st.builds(lambda o, k: {"subset": o, "k": k}, options, st.integers(0, 4)),
        st.builds(lambda b, n: {"repeat": b, "lengths": n}, inner, st.lists(st.integers(-1, 12), max_size=3)),
        labelled,
    )


LEAVES = st.one_of(
    SCALARS,
    st.builds(lambda rule, shared: {"ref": rule, "shared": shared}, NAMES, st.booleans()),
    st.sampled_from([{"choice": ["a", "b"]}, {"choice": [0, 1, 2]}]),
)
GRAMMARS = st.builds(
    lambda rules, depth: named(rules, depth),
    st.dictionaries(NAMES, st.recursive(LEAVES, terms, max_leaves=12), min_size=1, max_size=4),
    st.integers(0, 33),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text()),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
    max_leaves=20,
)


@settings(max_examples=EXAMPLES // 2, deadline=None, suppress_health_check=[*HealthCheck])
@given(document=GRAMMARS)
def test_a_drawn_grammar_is_a_space_or_refused_at_once(document: Json, judged: Judge) -> None:
    judged(document)


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[*HealthCheck])
@given(document=st.one_of(JSON, st.builds(lambda value: {"name": "x", "grammar": value}, JSON)))
def test_any_json_is_refused_or_a_space(document: Json, judged: Judge) -> None:
    judged(document)


@settings(max_examples=EXAMPLES // 4, deadline=None, suppress_health_check=[*HealthCheck])
@given(
    surroundings=st.fixed_dictionaries(
        {},
        optional={
            "version": JSON,
            "title": JSON,
            "paper": JSON,
            "input": JSON,
            "notes": JSON,
            "literature": JSON,
            "constraints": JSON,
            "skeletons": st.one_of(
                JSON,
                st.dictionaries(
                    st.text(max_size=4),
                    st.fixed_dictionaries(
                        {"family": st.sampled_from([*FAMILIES, "x"])},
                        optional={"channels": JSON, "num_classes": st.integers(), "affine": JSON},
                    ),
                ),
            ),
            "equivalences": st.one_of(
                JSON,
                st.lists(
                    st.fixed_dictionaries({"name": st.sampled_from([*EQUIVALENCES, "x"])}, optional={"version": JSON})
                ),
            ),
        },
    )
)
def test_what_surrounds_a_grammar_is_read_or_refused(surroundings: Json, judged: Judge) -> None:
    judged(named({"g": {"choice": ["a", "b"]}}) | surroundings)
