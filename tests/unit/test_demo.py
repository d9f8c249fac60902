"""The demo trusts nothing: what is not as promised ends it. The service here is a scripted one."""

import io
import json
from collections.abc import Callable

import httpx
import pytest
from rich.console import Console
from rich.progress import Progress, TaskID

from app.demo import Demo, DemoFailed


def demo(answer: Callable[[httpx.Request], httpx.Response]) -> tuple[Demo, io.StringIO]:
    told = io.StringIO()
    client = httpx.Client(base_url="http://service", transport=httpx.MockTransport(answer))
    return Demo(client, Console(file=told, width=100)), told


def event(number: int, kind: str, data: dict[str, object]) -> str:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"


def test_another_status_than_expected_is_a_failure_that_shows_the_answer() -> None:
    steps, _ = demo(lambda request: httpx.Response(503, text="no database"))
    with pytest.raises(DemoFailed, match=r"GET /v1/spaces/simple_cell/size answered 503, expected 200: no database"):
        steps.sizes()


def test_a_cut_event_stream_is_resumed_after_the_last_event() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/events"):
            return httpx.Response(200, json={"state": "running" if len(seen) < 2 else "succeeded"})
        seen.append(request.headers["last-event-id"])
        first = event(1, "state", {"state": "running"}) + ": still here\n\n"
        return httpx.Response(200, text=first if len(seen) == 1 else event(2, "state", {"state": "succeeded"}))

    steps, _ = demo(answer)
    assert list(steps.events("j")) == [("state", {"state": "running"}), ("state", {"state": "succeeded"})]
    assert seen == ["0", "1"]


def test_a_job_that_fails_is_a_failure_with_its_error() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/events"):
            return httpx.Response(200, text=event(1, "state", {"state": "failed"}))
        return httpx.Response(200, json={"state": "failed", "error": {"detail": "out of memory"}})

    steps, _ = demo(answer)
    with pytest.raises(DemoFailed, match="out of memory"):
        steps.watch({"id": "j"})


def test_progress_is_drawn_as_a_bar_for_each_phase() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if not request.url.path.endswith("/events"):
            return httpx.Response(200, json={"state": "succeeded"})
        progress = {
            "phase": "search",
            "epoch": 1,
            "epochs": 2,
            "step": None,
            "steps": None,
            "metrics": {"accuracy": 71.25},
        }
        last = {**progress, "phase": "retrain", "epoch": 30, "epochs": 30, "metrics": {"accuracy": 98.5}}
        events = [
            ("state", {"state": "running"}),
            ("progress", progress),
            ("progress", last),
            ("state", {"state": "succeeded"}),
        ]
        return httpx.Response(200, text="".join(event(n, kind, data) for n, (kind, data) in enumerate(events, 1)))

    steps, told = demo(answer)
    steps.watch({"id": "j"})
    assert "search the supernet" in told.getvalue()
    assert "accuracy 71.25" in told.getvalue()
    assert "30/30" in told.getvalue()


def test_a_step_moves_the_bar_by_its_part_of_the_epoch_that_runs() -> None:
    steps, _ = demo(lambda request: httpx.Response(200))
    progress, bars = Progress(), dict[str, TaskID]()
    data = {"phase": "search", "epochs": 5, "metrics": {}}
    seen: list[float] = []
    for epoch, step in ((0, 2), (0, 9), (1, None), (1, 5), (5, None)):
        steps.advance(progress, bars, {**data, "epoch": epoch, "step": step, "steps": step and 10})
        seen.append(progress.tasks[bars["search"]].completed)
    assert seen == [0.2, 0.9, 1, 1.5, 5]


def test_fewer_named_faults_than_were_made_is_a_failure() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/sample"):
            edge = [{"input": 0, "op": "skip_connect"}, {"input": 1, "op": "skip_connect"}]
            cell = {f"node{n}": edge for n in range(2, 6)}
            return httpx.Response(200, json={"items": [{"index": "5", "genotype": {"normal": cell, "reduce": cell}}]})
        return httpx.Response(200, json={"valid": True, "index": "5", "errors": [], "repair": None})

    steps, _ = demo(answer)
    with pytest.raises(DemoFailed, match="four faults were made and 0 were named"):
        steps.validity()
