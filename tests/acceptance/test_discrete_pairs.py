"""Discrete strategies on spaces through API, queue and workers; a sample of what docs/pairs.md shows of all."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from app.experiment import DISCRETE_STRATEGIES
from app.space.zoo import ZOO
from tests.benchmarks.measure_pairs import OWN, Outcome, body, faulty, own_spaces, paired, registered, table

Workplace = Any  # the class of tests/acceptance/conftest.py
EVERY = list(DISCRETE_STRATEGIES)


def outcomes(http: httpx.Client, names: Sequence[str], strategies: Sequence[str]) -> list[Outcome]:
    spaces = registered(http)
    return [one for name in names for one in paired(http, name, spaces[name], strategies)]


def test_a_sample_of_pairs_passes(http: httpx.Client, workplace: Workplace) -> None:
    workplace.worker()
    own = list(own_spaces())
    assert len(own) == len(OWN) == 2
    found = [
        *outcomes(http, ["nasbench101"], ["nsga2"]),
        *outcomes(http, own[:1], ["successive_halving"]),
        *outcomes(http, own[1:], ["bananas"]),
        *outcomes(http, ["nas_fpn"], ["evolution"]),
    ]
    assert [one for one in found if not one.passed or one.refused] == []
    assert len(found) == 4


@pytest.mark.slow
def test_every_pair_passes_or_says_why_not(http: httpx.Client, workplace: Workplace) -> None:
    workplace.worker()
    found = outcomes(http, [*ZOO, *own_spaces()], EVERY)
    assert len(found) == (len(ZOO) + len(OWN)) * len(EVERY)
    assert [one for one in found if not one.passed] == []


def test_faults_of_a_search_are_seen() -> None:
    space = ZOO["nasbench201"]
    entry = {"index": "3", "fidelity": None, "values": {"grad_norm": 1.0}, "failure": None, "n": 1}
    made = [entry | {"index": str(rank), "n": n} for n, rank in enumerate(range(6), 1)]
    report = {"evaluations": 6, "exhausted": False, "best": {"index": "3"}, "front": []}
    assert list(faulty(space, "random", report, made)) == []
    assert list(faulty(space, "nsga2", report, made)) == ["what was found is not what was measured: []"]
    short = list(faulty(space, "random", report | {"evaluations": 5}, made[:5]))
    assert short == ["5 of 6 evaluations, 5 reported"]
    twice = [*made[:5], entry | {"n": 6}]
    assert any("a member twice" in fault for fault in faulty(space, "random", report, twice))
    outside = [*made[:5], entry | {"index": str(space.plan.size), "n": 6}]
    assert f"{space.plan.size} is no member" in list(faulty(space, "random", report, outside))
    failed = [*made[:5], entry | {"index": "9", "values": None, "failure": "no memory", "n": 6}]
    assert "evaluation 6: no memory" in list(faulty(space, "random", report, failed))


def test_a_table_has_a_row_a_space_and_each_reason_once() -> None:
    good = Outcome("a", "random", passed=True)
    refused = Outcome("b", "random", passed=True, reason="no labels", refused=True)
    other = [replace(good, strategy="nsga2"), replace(refused, strategy="nsga2")]
    lines = table([good, refused, *other]).splitlines()
    assert lines[2:4] == ["| `a` | passes | passes |", "| `b` | (1) | (1) |"]
    assert lines[-1] == "1. no labels."
    assert "FAILS" in table([replace(good, passed=False, reason="boom")])


def test_bodies_are_of_every_strategy() -> None:
    assert {body("darts", ZOO["darts"], name)["strategy"] for name in EVERY} == set(EVERY)
    taught = {
        name: body(name, ZOO[name], "random")["evaluator"]["dataset"] for name in ("darts", "autodeeplab", "nas_fpn")
    }
    assert taught == {"darts": "digits", "autodeeplab": "digit_scenes", "nas_fpn": "digit_boxes"}
