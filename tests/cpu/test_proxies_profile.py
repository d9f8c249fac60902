"""Profiles that compute zero-cost proxies: what is computed on what, and what is kept of a job that was stopped."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture import architecture_id
from app.experiment import ProfileRequest, SpaceVersion, WantedProxies
from app.space import EdgeCellSkeleton, ImageInput, InvalidGenotype, space_to_json
from app.space.zoo import ZOO
from workers import profile, stopwatch
from workers.data import load
from workers.progress import Stopped
from workers.proxies.scoring import Scoring
from workers.session import RequestError

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = ZOO["nasbench201"]
SKELETON = EdgeCellSkeleton(channels=4, num_cells=1)
IMAGE = ImageInput(channels=1, height=8, width=8)
RANKS = (13_835, 0, 6_311)  # the second takes `none` everywhere
NAMES = ("synflow", "jacov", "params")
REQUEST = ProfileRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    genotypes=tuple(SPACE.plan.unrank(rank) for rank in RANKS),
    skeleton=SKELETON,
    input=IMAGE,
    whole=False,
    entries=False,
    proxies=WantedProxies(names=NAMES, dataset="digits", images=16, seed=3),
    threads=1,
    rounds=3,
    device="cpu",
)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setattr(stopwatch, "SAMPLE_MS", 0.2)
    monkeypatch.setattr(stopwatch, "WARM_MS", 0.5)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def timeless(result: Any) -> Any:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in result["proxies"]["architectures"]]


def test_every_member_has_its_proxies(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    outcome = profile.run(REQUEST, progress)
    result: Any = json.loads(json.dumps(profile_json(outcome.result), allow_nan=False))
    assert (result["measurements"], outcome.profiles) == (0, ())
    told = result["proxies"]
    assert {k: v for k, v in told.items() if k not in ("architectures", "skeleton")} == {
        "names": list(NAMES),
        "dataset": "digits",
        "split": "weights",
        "images": 16,
        "seed": 3,
        "input": {"channels": 1, "height": 8, "width": 8},
    }
    assert told["skeleton"]["channels"] == 4
    scoring = Scoring(SPACE, SKELETON, load("digits"), seed=3, device=torch.device("cpu"))
    for rank, row in zip(RANKS, told["architectures"], strict=True):
        genotype = SPACE.plan.unrank(rank)
        assert (row["index"], row["genotype"]) == (str(rank), genotype)
        assert row["architecture_id"] == architecture_id(SPACE, SKELETON, IMAGE, genotype)
        scores = {name: timed.score for name, timed in scoring.scores(genotype, NAMES, 16).items()}
        assert row["values"] == {name: score.value for name, score in scores.items()}
        assert row["reasons"] == {name: score.reason for name, score in scores.items() if score.value is None}
        assert list(row["seconds"]) == list(NAMES)
        assert all(seconds > 0 for seconds in row["seconds"].values())
    assert list(told["architectures"][1]["reasons"]) == ["jacov"]
    assert progress.order == [("proxies", 1), ("proxies", 2), ("proxies", 3)]


def profile_json(result: Any) -> Any:
    return {name: value for name, value in result.items() if name in ("measurements", "proxies")}


def test_latencies_may_be_measured_beside_them(memory_progress: Memory, tmp_path: Path) -> None:
    outcome = profile.run(replace(REQUEST, whole=True), memory_progress(tmp_path))
    assert [p.architecture.index for p in outcome.profiles if p.architecture] == list(RANKS)
    assert len(timeless(outcome.result)) == 3


@pytest.mark.parametrize("kill_after", [1, 2, 3, 4])
def test_what_a_killed_job_computed_is_not_computed_again(
    memory_progress: Memory, tmp_path: Path, kill_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = replace(REQUEST, whole=True)
    expected = timeless(profile.run(request, memory_progress(tmp_path / "whole")).result)
    first = memory_progress(tmp_path / "first", kill_after=kill_after)
    with pytest.raises(memory_progress.killed):
        profile.run(request, first)
    scored: list[Any] = []
    original = Scoring.scores

    def counted(*given: Any) -> Any:
        scored.append(given)
        return original(*given)

    monkeypatch.setattr(Scoring, "scores", counted)
    again = profile.run(request, first.next_attempt(tmp_path / "first"))
    assert timeless(again.result) == expected
    assert len(scored) == 3 - min(kill_after, 3)
    assert len(again.profiles) == 3


def test_a_cancelled_job_keeps_what_it_computed(memory_progress: Memory, tmp_path: Path) -> None:
    with pytest.raises(Stopped) as stopped:
        profile.run(REQUEST, memory_progress(tmp_path, stop_after=2))
    assert stopped.value.best is not None
    result: Any = stopped.value.best.result
    assert result["stopped_in"] == "proxies"
    assert [row["index"] for row in result["proxies"]["architectures"]] == ["13835", "0"]


def test_what_cannot_be_computed_is_refused_with_the_reason(memory_progress: Memory, tmp_path: Path) -> None:
    wanted = REQUEST.proxies
    assert wanted is not None
    progress = memory_progress(tmp_path)
    with pytest.raises(RequestError, match="641 images was asked for; weights of digits has 640"):
        profile.run(replace(REQUEST, proxies=replace(wanted, images=641)), progress)
    with pytest.raises(RequestError, match="without a space or skeleton"):
        profile.run(replace(REQUEST, skeleton=None), progress)
    with pytest.raises(RequestError, match="7 classes, digits has 10"):
        profile.run(replace(REQUEST, skeleton=replace(SKELETON, num_classes=7)), progress)
    with pytest.raises(InvalidGenotype):
        profile.run(replace(REQUEST, genotypes=({"node1": []},)), progress)
