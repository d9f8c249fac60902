"""Views of discrete searches have what the domain's values have: nothing that a report says is dropped on its way."""

import dataclasses
from typing import get_args

import pytest
from pydantic import BaseModel

from app.api.schemas.discrete_search import (
    DiscreteReportBodyView,
    FoundView,
    SearchBoundsView,
    SearchHypervolumeView,
    SoughtView,
    StrategyName,
)
from app.api.schemas.experiment import SupernetStrategy
from app.api.schemas.search import STRATEGIES
from app.api.views import is_oracle, label_of
from app.experiment import ORACLE, Bounds, DiscreteReport, Found, Hypervolume, SoughtMetric, Strategy
from app.experiment.strategies import DISCRETE_STRATEGIES, DiscreteStrategyName


@pytest.mark.parametrize(
    ("view", "value"),
    [
        (DiscreteReportBodyView, DiscreteReport),
        (FoundView, Found),
        (SearchHypervolumeView, Hypervolume),
        (SearchBoundsView, Bounds),
        (SoughtView, SoughtMetric),
    ],
)
def test_a_view_has_every_field(view: type[BaseModel], value: type) -> None:
    assert list(view.model_fields) == [field.name for field in dataclasses.fields(value)]


def test_every_strategy_can_be_asked_for() -> None:
    assert get_args(StrategyName) == get_args(DiscreteStrategyName)
    assert get_args(SupernetStrategy) == get_args(Strategy)
    assert set(STRATEGIES) == {*get_args(Strategy), *DISCRETE_STRATEGIES}


@pytest.mark.parametrize(
    ("request_", "oracle"),
    [
        ({"evaluator": {"kind": "catalogue", "split": "test"}}, True),
        ({"evaluator": {"kind": "catalogue", "split": "selection"}}, False),
        ({"evaluator": {"kind": "training", "split": "test"}}, False),
        ({"search": {"evaluator": {"kind": "catalogue", "split": "test"}}}, True),
        ({"search": "5f0e6c1b-2a3d-4e5f-8091-a2b3c4d5e6f7"}, False),
        ({"search": None, "dataset": "digits"}, False),
        ({}, False),
    ],
)
def test_an_oracle_experiment_is_known_by_its_request(request_: dict, oracle: bool) -> None:
    assert is_oracle(request_) is oracle
    assert label_of(request_) == (ORACLE if oracle else None)
