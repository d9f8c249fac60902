"""Zero-cost proxies as evaluations, and as what a search begins with."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture import lower, price_of
from app.experiment import (
    Bounds,
    DiscreteSearchRequest,
    ProxyEvaluator,
    SoughtMetric,
    SpaceVersion,
    WarmStart,
)
from app.space import EdgeCellSkeleton, ImageInput, space_to_json
from app.space.errors import Unmet
from app.space.zoo import ZOO, nasbench201
from workers.data import load
from workers.discrete import warm_start
from workers.discrete.warm_start import warm_ranks
from workers.evaluators.proxies import Proxies
from workers.network import Network
from workers.progress import Stopped
from workers.proxies import compute
from workers.proxies.scoring import Scoring
from workers.session import RequestError
from workers.strategies.discrete import Proposal
from workers.training.determinism import seeded

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = ZOO["nasbench201"]
SKELETON = EdgeCellSkeleton(channels=4, num_cells=1)
IMAGE = ImageInput(channels=1, height=8, width=8)
DIGITS = ProxyEvaluator(dataset="digits", images=16)
REQUEST = DiscreteSearchRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    strategy="random",
    parameters={},
    objectives=(SoughtMetric(metric="naswot"), SoughtMetric(metric="macs", goal="minimise")),
    evaluator=DIGITS,
    budget=4,
    skeleton=SKELETON,
    image=IMAGE,
    seed=3,
    device="cpu",
)
ALIVE, DEAD = 13_835, 0  # DEAD takes `none` on every edge
WARM = replace(REQUEST, warm_start=WarmStart(proxy="synflow", evaluator=DIGITS, candidates=12, kept=5))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # which limits the jobs' threads too
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def scoring(seed: int = 3) -> Scoring:
    return Scoring(SPACE, SKELETON, load("digits"), seed=seed, device=torch.device("cpu"))


def test_a_proxy_is_that_of_a_fresh_network_on_real_images(memory_progress: Memory, tmp_path: Path) -> None:
    proxies = Proxies(DIGITS, REQUEST, SPACE, memory_progress(tmp_path))
    assert proxies.metrics == ("naswot",), "macs are a cost, which is known without measuring"
    (reading,) = proxies.measure(1, [Proposal(ALIVE)])
    images, labels = scoring().batch(16)
    with seeded(3, "proxies", "network", ALIVE):
        network = Network(lower(SPACE.grammar, SKELETON, IMAGE, SPACE.plan.read(SPACE.plan.unrank(ALIVE))))
    assert reading.values == {"naswot": compute(["naswot"], network, (images, labels), 3)["naswot"].value}
    digits = load("digits")
    pixels, classes = digits.of("weights")
    scale = digits.normalisation("weights")
    there = {((p / digits.levels - scale.mean[0]) / scale.deviation[0]).numpy().tobytes() for p in pixels.float()}
    assert all(image.numpy().tobytes() in there for image in images)
    assert set(labels.tolist()) <= set(classes.tolist())


def test_what_is_measured_depends_on_the_seed_and_not_on_what_was_measured_before(
    memory_progress: Memory, tmp_path: Path
) -> None:
    here, there = (Proxies(DIGITS, REQUEST, SPACE, memory_progress(tmp_path / name)) for name in ("a", "b"))
    first = here.measure(1, [Proposal(ALIVE), Proposal(6_311)])
    second = there.measure(1, [Proposal(6_311), Proposal(ALIVE)])
    assert [r.values for r in first] == [r.values for r in reversed(second)]
    other = Proxies(DIGITS, replace(REQUEST, seed=4), SPACE, memory_progress(tmp_path / "c"))
    assert other.measure(1, [Proposal(ALIVE)])[0].values != first[0].values


def test_a_network_without_the_proxy_fails_with_the_reason(memory_progress: Memory, tmp_path: Path) -> None:
    request = replace(REQUEST, objectives=(SoughtMetric(metric="jacov"), SoughtMetric(metric="synflow")))
    dead, alive = Proxies(DIGITS, request, SPACE, memory_progress(tmp_path)).measure(1, [Proposal(DEAD), Proposal(3)])
    assert dead.values is None
    assert dead.failure is not None
    assert dead.failure.startswith("jacov: the ")
    assert alive.values is None or set(alive.values) == {"jacov", "synflow"}


def test_a_fidelity_is_a_number_of_images(memory_progress: Memory, tmp_path: Path) -> None:
    proxies = Proxies(DIGITS, REQUEST, SPACE, memory_progress(tmp_path))
    few, same, default, beyond, all_of_them = proxies.measure(
        1, [Proposal(ALIVE, n) for n in (8, 16, None, 100_000, 640)]
    )
    assert same.values == default.values != few.values
    assert beyond.values == all_of_them.values
    with pytest.raises(RequestError, match="641 images was asked for; weights of digits has 640"):
        Proxies(replace(DIGITS, images=641), REQUEST, SPACE, memory_progress(tmp_path))


def test_what_it_is_judged_by_is_said(memory_progress: Memory, tmp_path: Path) -> None:
    proxies = Proxies(DIGITS, REQUEST, SPACE, memory_progress(tmp_path))
    expected = {"dataset": "digits", "split": "weights", "images": 16, "proxies": ["naswot"]}
    assert proxies.judged_by() == expected
    assert proxies.provenance()["torch_version"] == torch.__version__
    proxies.measure(1, [Proposal(ALIVE)])
    again = Proxies(DIGITS, REQUEST, SPACE, memory_progress(tmp_path))
    again.restore(json.loads(json.dumps(proxies.state())))
    assert again.state() == proxies.state()
    assert (again.gpu_hours(), again.evaluations()) == (0.0, ())


# -- warm start


def test_a_warm_start_is_the_best_of_what_was_drawn(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    ranks = warm_ranks(WARM, SPACE, progress)
    record = json.loads(progress.kept[warm_start.ARTEFACT].read_text())
    assert (record["proxy"], record["candidates"], len(record["members"])) == ("synflow", 12, 12)
    values: dict[int, float] = {}
    for row in record["members"]:
        timed = scoring().scores(SPACE.plan.unrank(int(row["index"])), ["synflow"], 16)["synflow"]
        assert timed.score.value == row["value"]
        values[int(row["index"])] = row["value"]
    assert len(values) == 12, "members are different"
    assert list(ranks) == sorted(values, key=lambda rank: -values[rank])[:5]
    assert warm_ranks(WARM, SPACE, memory_progress(tmp_path / "again")) == ranks
    assert warm_ranks(replace(WARM, seed=4), SPACE, memory_progress(tmp_path / "other")) != ranks


@pytest.mark.parametrize("kill_after", [1, 7, 12])
def test_a_killed_warm_start_finds_the_same(
    memory_progress: Memory, tmp_path: Path, kill_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_start, "CHECKPOINT_SECONDS", 0.0)
    expected = warm_ranks(WARM, SPACE, memory_progress(tmp_path / "whole"))
    first = memory_progress(tmp_path / "first", kill_after=kill_after)
    with pytest.raises(memory_progress.killed):
        warm_ranks(WARM, SPACE, first)
    second = first.next_attempt(tmp_path / "first")
    assert warm_ranks(WARM, SPACE, second) == expected
    assert second.questions == 12
    third = second.next_attempt(tmp_path / "first", kill_after=1)  # asked for no member any more
    assert warm_ranks(WARM, SPACE, third) == expected


def test_a_stopped_warm_start_keeps_what_it_measured(
    memory_progress: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = warm_ranks(WARM, SPACE, memory_progress(tmp_path / "whole"))
    first = memory_progress(tmp_path / "first", stop_after=6, reason="drain")
    with pytest.raises(Stopped):
        warm_ranks(WARM, SPACE, first)
    measured: list[Any] = []
    original = Scoring.scores

    def counted(*given: Any) -> Any:
        measured.append(given)
        return original(*given)

    monkeypatch.setattr(Scoring, "scores", counted)
    assert warm_ranks(WARM, SPACE, first.next_attempt(tmp_path / "first")) == expected
    assert len(measured) == 6


def test_a_warm_start_keeps_to_the_bounds(memory_progress: Memory, tmp_path: Path) -> None:
    def params(rank: int) -> int:
        return price_of(SPACE, SKELETON, IMAGE, rank).params

    free = warm_ranks(WARM, SPACE, memory_progress(tmp_path / "free"))
    bound = sorted(map(params, free))[0]
    bounded = replace(WARM, bounds=Bounds(max_params=bound))
    ranks = warm_ranks(bounded, SPACE, memory_progress(tmp_path / "bounded"))
    assert len(ranks) == 5
    assert all(params(rank) <= bound for rank in ranks)
    with pytest.raises(Unmet):
        warm_ranks(replace(WARM, bounds=Bounds(max_params=1)), SPACE, memory_progress(tmp_path / "none"))


def test_a_small_space_has_no_more_than_it_has(memory_progress: Memory, tmp_path: Path) -> None:
    small = nasbench201(operations=("none", "skip_connect"))  # 64 members
    wanted = WarmStart(proxy="params", evaluator=DIGITS, candidates=500, kept=100)
    request = replace(WARM, document=space_to_json(small), warm_start=wanted)
    progress = memory_progress(tmp_path)
    ranks = warm_ranks(request, small, progress)
    assert sorted(ranks) == list(range(64))


def test_members_without_the_proxy_are_never_first(memory_progress: Memory, tmp_path: Path) -> None:
    small = nasbench201(operations=("none", "skip_connect"))
    wanted = WarmStart(proxy="jacov", evaluator=DIGITS, candidates=64, kept=64)
    progress = memory_progress(tmp_path)
    ranks = warm_ranks(replace(WARM, document=space_to_json(small), warm_start=wanted), small, progress)
    members = json.loads(progress.kept[warm_start.ARTEFACT].read_text())["members"]
    assert set(ranks) == {int(row["index"]) for row in members if row["value"] is not None}
    assert 0 < len(ranks) < 64
    assert progress.notes == [f"jacov is defined for {len(ranks)} of 64 members that were drawn"]
