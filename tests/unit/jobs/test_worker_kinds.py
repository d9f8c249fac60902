"""Handlers by name, and what a job's owner is told when one fails."""

import math
import re
import sys
from dataclasses import dataclass

import pytest

from app.experiment import JobResult
from workers.fenced import Stop, finite
from workers.progress import Progress
from workers.run import error_document, plain
from workers.tasks import KINDS, TORCH_KINDS, UnknownKind, handler_of


@dataclass(frozen=True)
class Request:
    value: int


def handler(request: Request, progress: Progress) -> JobResult:
    return JobResult(result={"value": request.value})


def test_the_request_type_is_what_the_handler_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "a_module_with_a_handler", sys.modules[__name__])
    found, request_type = handler_of("mine", {"mine": "a_module_with_a_handler:handler"})
    assert found is handler
    assert request_type is Request


def test_an_unknown_kind_names_those_there_are() -> None:
    names = [
        "comparison",
        "count",
        "dataset",
        "discrete_search",
        "judging",
        "profile",
        "search",
        "table",
        "training",
        "transfer",
    ]
    with pytest.raises(UnknownKind, match=re.escape(f"'latency'; there are {names}")):
        handler_of("latency", KINDS)


def test_the_kinds_that_need_torch_are_among_the_kinds() -> None:
    assert set(KINDS) >= TORCH_KINDS


def test_an_error_says_what_and_not_where() -> None:
    error = error_document("search", ValueError("no data set 'mnist'"))
    assert error == {
        "type": "handler-error",
        "title": "The search failed",
        "detail": "ValueError: no data set 'mnist'",
        "exception": "ValueError",
    }


def test_results_are_json_whatever_a_loss_did() -> None:
    assert plain({"loss": math.inf, "pair": (1, 2), "request": Request(3)}) == {
        "loss": None,
        "pair": [1, 2],
        "request": {"value": 3},
    }
    assert finite({"loss": math.nan, "accuracy": 97, "norm": -math.inf}) == {"accuracy": 97.0}


def test_cancelling_goes_before_draining() -> None:
    stop = Stop()
    assert stop.reason is None
    stop.ask("drain")
    assert stop.reason == "drain"
    stop.ask("cancel")
    assert stop.reason == "cancel"
