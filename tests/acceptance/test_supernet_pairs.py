"""Methods over supernets on spaces through API, queue and worker; a sample of what docs/supernets.md shows of all."""

from collections.abc import Mapping
from typing import Any, get_args

import httpx
import pytest

from app.experiment import Strategy
from app.space.zoo import ZOO
from tests.benchmarks.measure_pairs import Outcome, own_spaces, registered
from tests.benchmarks.measure_supernets import METHODS, WEIGHTED, faulty, paired, upload

Workplace = Any  # the class of tests/acceptance/conftest.py


def outcomes(http: httpx.Client, asked: Mapping[str, tuple[str, ...]]) -> list[Outcome]:
    spaces, few = registered(http), upload(http)
    return [one for name, methods in asked.items() for one in paired(http, name, spaces[name], few, methods)]


def test_a_sample_of_pairs_passes(http: httpx.Client, workplace: Workplace) -> None:
    workplace.worker()
    own = next(iter(own_spaces()))
    found = outcomes(http, {"nasbench101": ("gdas",), "nats_size": ("drnas",), own: ("spos",)})
    assert [one for one in found if not one.passed or one.refused] == []
    assert len(found) == 3


@pytest.mark.slow
def test_every_pair_passes_or_says_why_not(http: httpx.Client, workplace: Workplace) -> None:
    workplace.worker()
    found = outcomes(http, dict.fromkeys([*ZOO, *own_spaces()], METHODS))
    assert [one for one in found if not one.passed] == []
    everywhere = {"darts", "gdas", "drnas", "spos", "random"}
    assert [one for one in found if one.refused and one.strategy in everywhere] == []


def test_every_strategy_over_a_supernet_is_in_the_table() -> None:
    assert set(WEIGHTED) == set(get_args(Strategy))


def test_faults_of_a_search_are_seen() -> None:
    space = ZOO["nasbench201"]
    good = {"percent": 50.0}
    report: dict[str, Any] = {
        "genotype": space.plan.unrank(3),
        "supernet": good,
        "inherited": good,
        "retrained": {"test": good},
        "baseline": {"test": good},
        "decisions": [{"path": "/0->1", "weights": [0.5, 0.5]}],
    }
    made = [{"epoch": 1}]
    assert list(faulty(space, report, made)) == []
    assert list(faulty(space, report, [])) == ["a trajectory of the epochs []"]
    assert list(faulty(space, report | {"baseline": None}, made)) == ["an accuracy of nan"]
    assert "no member" in next(faulty(space, report | {"genotype": {"0->1": "conv_9x9"}}, made))
    endless = [{"path": "/0->1", "weights": [float("nan"), 0.5]}]
    assert "/0->1: weights" in next(faulty(space, report | {"decisions": endless}, made))
    edges = ZOO["nasbench101"]
    tenth = next(
        rank
        for rank in range(edges.plan.size)
        if len(list(faulty(edges, report | {"genotype": edges.plan.unrank(rank)}, made)))
    )
    assert list(faulty(edges, report | {"genotype": edges.plan.unrank(tenth)}, made)) == [
        f"{tenth} does not meet the constraints"
    ]
