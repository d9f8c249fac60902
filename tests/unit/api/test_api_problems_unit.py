"""The table of problems and what is echoed of a request."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.problems import Problem, located, pointer_into, problem_of, relocated, shown
from app.architecture import LoweringError
from app.space import Fault, GrammarError, InvalidGenotype, OutOfRange
from app.space.zoo import ZOO

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner),
)


@given(ANYTHING)
def test_what_is_shown_is_always_json(value: object) -> None:
    text = json.dumps(shown(value), allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode().decode()) == shown(value)


def test_what_is_shown_is_short() -> None:
    assert len(shown("x" * 10_000)) < 300
    assert len(shown(10**5000)) < 300
    assert len(shown(list(range(1000)))) == 20
    nested: object = 1
    for _ in range(100):
        nested = [nested]
    assert len(json.dumps(shown(nested))) < 100
    assert shown(2**60) == str(2**60)


@pytest.mark.parametrize(
    ("error", "status", "slug", "pointer"),
    [
        (InvalidGenotype([Fault("/a", "no")]), 422, "invalid-genotype", "/x/a"),
        (GrammarError("/rules/a", "no"), 422, "invalid-space", "/x/rules/a"),
        (OutOfRange(9, 3), 422, "out-of-range", "/x"),
        (LoweringError("/normal/node2", "no"), 422, "no-network", "/genotype/normal/node2"),
        (LoweringError("/skeleton/channels", "no"), 422, "no-network", "/skeleton/channels"),
        (LoweringError("/image/height", "no"), 422, "no-network", "/input/height"),
    ],
)
def test_domain_errors_are_problems(error: Exception, status: int, slug: str, pointer: str) -> None:
    problem = problem_of(error, "/x")
    assert problem is not None
    assert (problem.status, problem.slug, problem.errors[0].pointer) == (status, slug, pointer)


def test_what_nobody_expected_is_no_problem_of_ours() -> None:
    assert problem_of(RuntimeError("x")) is None
    with pytest.raises(RuntimeError), located("/x"):
        raise RuntimeError("x")


def test_a_located_error_points_into_the_request() -> None:
    with pytest.raises(Problem) as caught, located("/genotype"):
        ZOO["darts"].plan.rank({"normal": {}})
    assert all(fault.pointer.startswith("/genotype") for fault in caught.value.errors)


def test_a_relocated_problem_points_at_the_other_field() -> None:
    with pytest.raises(Problem) as caught, relocated("/skeleton", "/retrain_skeleton"):
        raise LoweringError("/skeleton/channels", "too many", 9, (1, 2))
    fault = caught.value.errors[0]
    assert (fault.pointer, fault.value, fault.allowed) == ("/retrain_skeleton/channels", 9, (1, 2))


def test_pointers_leave_out_what_is_not_in_the_body() -> None:
    body = {"skeleton": {"family": "cells", "a/b": [1, {"c~": 2}]}}
    place = ["skeleton", "object", "cells", "a/b", 1, "c~"]
    assert pointer_into(body, place, missing=False) == "/skeleton/a~1b/1/c~0"
    assert pointer_into(body, ["skeleton", "object", "cells", "depth"], missing=True) == "/skeleton/depth"
    assert pointer_into(body, ["skeleton", "object"], missing=False) == "/skeleton"
    assert pointer_into(None, ["x"], missing=False) == ""
