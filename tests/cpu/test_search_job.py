"""Search jobs from end to end: phases, report, resumption to the bit, stopping."""

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.experiment import DATASETS, Bounds, JobResult, SearchRecipe, SearchRequest, SpaceVersion, TrainingRecipe
from app.space import CellSkeleton, ChainSkeleton, EdgeCellSkeleton, SearchSpace, Skeleton, space_to_json
from app.space.zoo import chain, darts, nasbench201, simple_cell
from workers import search
from workers.progress import Stopped
from workers.strategies.shared_weights import STRATEGIES
from workers.training import checkpoint

Memory = Any  # the class of tests/cpu/conftest.py

OPERATIONS = ("skip_connect", "max_pool_3x3", "sep_conv_3x3")
DARTS = darts(num_nodes=2, operations=OPERATIONS)
SMALL_CELLS = CellSkeleton(channels=4, num_cells=3, affine=False, norm_after_pool=True)
NASBENCH201 = nasbench201()
EDGES = EdgeCellSkeleton(channels=4, num_cells=1, affine=False)
RECIPE = SearchRecipe(
    name="test",
    epochs=2,
    batch_size=320,
    learning_rate=0.1,
    alpha_learning_rate=0.05,
    alpha_warmup_epochs=1,
    crop_padding=1,
    flip=False,
    deterministic=True,
)
RETRAIN = TrainingRecipe(
    name="test",
    epochs=2,
    batch_size=280,
    learning_rate=0.1,
    drop_path=0.1,
    cutout=0,
    crop_padding=1,
    flip=False,
    deterministic=True,
)


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def request(space: SearchSpace = DARTS, skeleton: Skeleton = SMALL_CELLS, **changes: Any) -> SearchRequest:
    affine = replace(skeleton, affine=True)
    if isinstance(affine, CellSkeleton):
        affine = replace(affine, norm_after_pool=False)
    made = SearchRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        strategy="darts",
        discretisation="darts" if space.name == "darts" else "argmax",
        skeleton=skeleton,
        dataset="digits",
        recipe=RECIPE,
        retrain_skeleton=affine,
        retrain_recipe=RETRAIN,
        device="cpu",
    )
    return replace(made, **changes)


def comparable(outcome: JobResult) -> dict[str, Any]:
    """A result without what depends on the clock."""
    found = asdict(outcome)

    def timeless(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if k not in ("seconds", "gpu_hours")}
        return [timeless(v) for v in value] if isinstance(value, list | tuple) else value

    return timeless(found)


def test_a_search_tells_everything(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    outcome = search.run(request(), progress)
    assert progress.order == [
        *[("search", 1), ("search", 2), ("calibrate", 1)],
        *[("retrain", 1), ("retrain", 2), ("baseline", 1), ("baseline", 2)],
    ]
    first, second = progress.epochs["search", 1], progress.epochs["search", 2]
    assert {"weights_loss", "weights_accuracy", "mean_entropy", "skip_share", "learning_rate"} <= first.keys()
    assert "architecture_accuracy" not in first  # only the weights learnt
    assert {"architecture_loss", "architecture_accuracy"} <= second.keys()
    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    report = result["report"]
    genotype = result["genotype"]
    assert DARTS.plan.check(genotype) == ()
    assert report["genotype"] == genotype
    assert report["baseline_genotype"] != genotype
    assert DARTS.plan.check(report["baseline_genotype"]) == ()
    for name, images in (("selection", 177), ("test", 500)):
        for network in ("retrained", "baseline"):
            assert report[network][name]["images"] == images
            assert 0.0 <= report[network][name]["percent"] <= 100.0
    assert report["gap_inherited"] == pytest.approx(report["supernet"]["percent"] - report["inherited"]["percent"])
    assert report["gap_retrained"] == pytest.approx(
        report["supernet"]["percent"] - report["retrained"]["selection"]["percent"]
    )
    assert progress.epochs["calibrate", 1]["supernet_accuracy"] == report["supernet"]["percent"]
    assert report["retrained_on"] == "digits"
    assert report["gpu_hours"] == 0.0
    assert report["seconds"] > 0
    assert [e["epoch"] for e in result["trajectory"]] == [1, 2]
    # 2 + 3 edges in each of two cells; nodes' choices of inputs have no weights of their own
    assert len(result["trajectory"][0]["weights"]) == 10
    assert result["trajectory"][0]["weights"] != result["trajectory"][1]["weights"]
    assert {d["path"] for d in report["decisions"]} >= {"/normal/node3", "/normal/node3/2/op"}
    assert result["code_version"] == "test"
    kinds = [(e.kind, e.split, e.weights) for e in outcome.evaluations]
    assert kinds == [
        ("inherited", "selection", None),
        ("trained", "selection", "trained"),
        ("trained", "test", "trained"),
        ("baseline", "selection", "baseline"),
        ("baseline", "test", "baseline"),
    ]
    assert outcome.evaluations[0].recipe == RECIPE
    assert outcome.evaluations[0].params < outcome.evaluations[1].params  # no scale and shift while searching
    assert all(e.macs > 0 and e.seconds > 0 for e in outcome.evaluations)


def test_what_was_found_is_compared_with_chance_over_seeds(memory_progress: Memory, tmp_path: Path) -> None:
    quick = replace(RETRAIN, epochs=1)
    asked = request(seeds=(4, 0, 7), retrain_recipe=quick, recipe=replace(RECIPE, epochs=1, alpha_warmup_epochs=0))
    first = memory_progress(tmp_path / "first", kill_after=21)  # in the second training of a random genotype
    with pytest.raises(memory_progress.killed):
        search.run(asked, first)
    assert first.order[-1] == ("baseline", 1)
    progress = memory_progress(tmp_path / "first")
    outcome = search.run(asked, progress)
    assert comparable(outcome) == comparable(search.run(asked, memory_progress(tmp_path / "whole")))
    report: Any = outcome.result["report"]
    compared = report["against_chance"]["test"]
    assert compared["seeds"] == (4, 0, 7)
    assert report["retrained"]["test"]["percent"] == compared["found"][0]
    assert len({str(genotype) for genotype in [report["genotype"], *compared["genotypes"]]}) == 4
    mean = sum(compared["found"]) / 3 - sum(compared["random"]) / 3
    assert compared["difference"]["mean"] == pytest.approx(mean)
    assert compared["difference"]["low"] <= mean <= compared["difference"]["high"]
    rows = [(e.kind, e.seed, e.metrics["accuracy"]) for e in outcome.evaluations if e.split == "test"]
    assert rows == [
        *(("trained", *row) for row in zip((4, 0, 7), compared["found"], strict=True)),
        *(("baseline", *row) for row in zip((4, 0, 7), compared["random"], strict=True)),
    ]
    assert set(outcome.result["weights"]) == {  # pyright: ignore[reportArgumentType]
        *("trained", "trained-2", "trained-3", "baseline", "baseline-2", "baseline-3")
    }


def test_what_is_found_and_the_random_one_keep_to_bounds(memory_progress: Memory, tmp_path: Path) -> None:
    from app.architecture import price_of

    quick = replace(RECIPE, epochs=1, alpha_warmup_epochs=0)
    free: Any = search.run(request(NASBENCH201, EDGES, recipe=quick), memory_progress(tmp_path / "free")).result

    def params(genotype: Any) -> int:
        rank = NASBENCH201.plan.rank(genotype)
        skeleton = request(NASBENCH201, EDGES).retrain_skeleton
        return price_of(NASBENCH201, skeleton, DATASETS["digits"].input, rank).params

    most = params(free["genotype"]) - 1
    asked = request(NASBENCH201, EDGES, recipe=quick, bounds=Bounds(max_params=most))
    result: Any = search.run(asked, memory_progress(tmp_path / "bound")).result
    report = result["report"]
    assert params(result["genotype"]) <= most
    assert params(report["baseline_genotype"]) <= most
    assert report["budget"]["optimal"] is True
    assert report["budget"]["max_params"] == most
    assert report["budget"]["costs"]["params"] == params(result["genotype"])
    assert report["budget"]["score"] < report["budget"]["unbounded"]
    assert report["supernet"] == free["report"]["supernet"], "bounds change nothing about the search itself"


def test_a_search_ends_early_where_the_loss_bends_more_and_more(memory_progress: Memory, tmp_path: Path) -> None:
    from workers.supernet.curvature import STEP, WINDOW

    bent = replace(RECIPE, epochs=14, alpha_warmup_epochs=0, curvature_every=1, curvature_stop=1e-6)
    asked = request(NASBENCH201, EDGES, recipe=bent, retrain_recipe=replace(RETRAIN, epochs=1))
    whole = memory_progress(tmp_path / "whole")
    outcome = search.run(asked, whole)
    report: Any = outcome.result["report"]
    ended = WINDOW + STEP
    assert report["curvature"]["epochs"] == list(range(1, ended + 1))
    assert (report["curvature"]["ended_at"], report["curvature"]["back_to"]) == (ended, ended - STEP)
    assert report["collapsed"] is True
    assert any(note.startswith("collapse alarm: the curvature") for note in report["notes"])
    assert max(epoch for phase, epoch in whole.order if phase == "search") == ended
    assert [whole.epochs["search", n]["curvature"] for n in (1, 2)] == report["curvature"]["values"][:2]
    trajectory: Any = outcome.result["trajectory"]
    weights = {d["path"]: d["weights"] for d in report["decisions"]}
    for path, known in trajectory[ended - STEP - 1]["weights"].items():
        assert weights[path] == pytest.approx(known, abs=1e-6), "those of the epoch that it goes back to"
    first = memory_progress(tmp_path / "again", kill_after=2 * 8 + 1)
    with pytest.raises(memory_progress.killed):
        search.run(asked, first)
    again = search.run(asked, memory_progress(tmp_path / "again"))
    assert comparable(again) == comparable(outcome)


def test_a_curvature_that_does_not_grow_ends_nothing(memory_progress: Memory, tmp_path: Path) -> None:
    measured = replace(RECIPE, epochs=2, alpha_warmup_epochs=0, curvature_every=2)
    quick = replace(RETRAIN, epochs=1)
    asked = request(NASBENCH201, EDGES, recipe=measured, retrain_recipe=quick)
    with_it: Any = search.run(asked, memory_progress(tmp_path / "with")).result
    without: Any = search.run(
        replace(asked, recipe=replace(measured, curvature_every=0)), memory_progress(tmp_path / "without")
    ).result
    assert with_it["report"]["curvature"]["epochs"] == [2]
    assert without["report"]["curvature"] is None
    assert with_it["trajectory"] == without["trajectory"], "measuring disturbs nothing"
    assert with_it["report"]["supernet"] == without["report"]["supernet"]


def test_kept_weights_give_the_reported_accuracy(memory_progress: Memory, tmp_path: Path) -> None:
    from app.architecture import lower
    from workers.data import Normalisation, load
    from workers.network import Network
    from workers.training import evaluate

    progress = memory_progress(tmp_path)
    asked = request(baseline=False)
    outcome = search.run(asked, progress)
    tensors, record = checkpoint.load(progress.kept["trained"])
    decided = DARTS.plan.read(record["genotype"])
    network = Network(lower(DARTS.grammar, asked.retrain_skeleton, DATASETS["digits"].input, decided))
    checkpoint.restore_module(network, tensors)
    seen: Any = record["normalisation"]
    normalisation = Normalisation(mean=tuple(seen["mean"]), deviation=tuple(seen["deviation"]), splits=("weights",))
    tally = evaluate(network, network, load("digits"), "test", normalisation, torch.device("cpu"))
    trained = next(e for e in outcome.evaluations if e.split == "test")
    assert tally.accuracy == trained.metrics["accuracy"]
    assert trained.params == sum(p.numel() for p in network.parameters())
    assert "baseline" not in progress.kept
    assert outcome.result["report"]["baseline"] is None  # pyright: ignore[reportIndexIssue]


def test_what_was_found_is_trained_on_another_data_set(
    memory_progress: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers import session
    from workers.data import Images, load

    def renamed(name: str, root: Path | None) -> Images:
        images = load("digits")
        return replace(images, dataset=replace(images.dataset, name=name))

    monkeypatch.setattr(session, "load", renamed)
    quick = replace(RETRAIN, epochs=1)
    asked = request(retrain_dataset="fashion_mnist", retrain_recipe=quick, recipe=replace(RECIPE, epochs=1))
    outcome = search.run(asked, memory_progress(tmp_path))
    report: Any = outcome.result["report"]
    assert (report["retrained_on"], report["gap_retrained"]) == ("fashion_mnist", None)
    assert report["gap_inherited"] is not None
    assert [e.dataset for e in outcome.evaluations] == ["digits", *["fashion_mnist"] * 4]
    wrong = replace(asked, retrain_skeleton=replace(asked.retrain_skeleton, num_classes=3))
    with pytest.raises(session.RequestError, match="3 classes, fashion_mnist has 10"):
        search.run(wrong, memory_progress(tmp_path / "wrong"))


@pytest.fixture(scope="module")
def uninterrupted(memory_progress: Memory, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], Any]:
    progress = memory_progress(tmp_path_factory.mktemp("whole"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CELLAR_CODE_VERSION", "test")
        return comparable(search.run(request(), progress)), progress


# Questions: search 2 epochs of 2 steps, retrain and baseline 2 epochs of 4 steps each.
@pytest.mark.parametrize("kill_after", [1, 2, 4, 8, 13, 20])
def test_a_killed_search_ends_with_the_same_bits(
    memory_progress: Memory, tmp_path: Path, kill_after: int, uninterrupted: tuple[dict[str, Any], Any]
) -> None:
    expected, whole = uninterrupted
    assert whole.questions == 20
    first = memory_progress(tmp_path / "first", kill_after=kill_after)
    with pytest.raises(memory_progress.killed):
        search.run(request(), first)
    second = first.next_attempt(tmp_path / "second")
    assert comparable(search.run(request(), second)) == expected
    assert second.epochs == whole.epochs
    for name, file in whole.kept.items():
        here, there = (checkpoint.load(f)[0] for f in (file, second.kept[name]))
        assert here.keys() == there.keys()
        assert all(torch.equal(tensor, there[key]) for key, tensor in here.items())


@pytest.mark.parametrize("strategy", sorted(STRATEGIES.keys() - {"darts"}))
def test_every_strategy_searches_and_goes_on_to_the_bit(memory_progress: Memory, tmp_path: Path, strategy: Any) -> None:
    asked = request(strategy=strategy, baseline=False, retrain_recipe=replace(RETRAIN, epochs=1))
    whole = comparable(search.run(asked, memory_progress(tmp_path / "whole")))
    first = memory_progress(tmp_path / "first", kill_after=3)  # in the epoch in which decisions learn
    with pytest.raises(memory_progress.killed):
        search.run(asked, first)
    assert comparable(search.run(asked, first.next_attempt(tmp_path / "second"))) == whole
    inherited, *trained = whole["evaluations"]
    assert inherited["recipe"]["strategy"] == strategy
    assert len(trained) == 2
    uniform, learnt = (entry["weights"] for entry in whole["result"]["trajectory"])
    assert uniform != learnt


@pytest.mark.parametrize("stop_after", [1, 3, 9])
def test_a_drained_search_goes_on_from_between_two_steps(
    memory_progress: Memory, tmp_path: Path, stop_after: int, uninterrupted: tuple[dict[str, Any], Any]
) -> None:
    first = memory_progress(tmp_path / "first", stop_after=stop_after, reason="drain")
    with pytest.raises(Stopped, match="drain"):
        search.run(request(), first)
    second = first.next_attempt(tmp_path / "second")
    assert comparable(search.run(request(), second)) == uninterrupted[0]
    assert first.questions + second.questions == 20  # no step was done twice


def test_a_cancelled_search_keeps_the_best_so_far(memory_progress: Memory, tmp_path: Path) -> None:
    early = memory_progress(tmp_path / "early", stop_after=2)
    with pytest.raises(Stopped) as stopped:
        search.run(request(), early)
    best = stopped.value.best
    assert stopped.value.reason == "cancel"
    assert best is not None
    assert best.result["stopped_in"] == "search"
    assert DARTS.plan.check(best.result["genotype"]) == ()
    assert len(best.result["trajectory"]) == 1  # pyright: ignore[reportArgumentType]
    assert best.evaluations == ()
    late = memory_progress(tmp_path / "late", stop_after=14)
    with pytest.raises(Stopped) as stopped:
        search.run(request(), late)
    best = stopped.value.best
    assert best is not None
    assert best.result["stopped_in"] == "baseline"
    assert [e.kind for e in best.evaluations] == ["inherited", "trained", "trained"]


SPACES = {
    "darts with none": (darts(num_nodes=1, operations=OPERATIONS, none=True), SMALL_CELLS),
    "simple_cell": (simple_cell(num_nodes=1, operations=("none", *OPERATIONS)), SMALL_CELLS),
    "nasbench201": (nasbench201(num_nodes=3), EdgeCellSkeleton(channels=4, num_cells=1, affine=False)),
    "chain": (chain((2, 3), ("conv_3x3", "skip_connect")), ChainSkeleton(channels=4, reductions=(1,), affine=False)),
}


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("discretisation", ["argmax", "darts"])
def test_every_family_searches(memory_progress: Memory, tmp_path: Path, name: str, discretisation: Any) -> None:
    space, skeleton = SPACES[name]
    short = replace(RECIPE, epochs=1, alpha_warmup_epochs=0)
    asked = request(
        space, skeleton, recipe=short, retrain_recipe=replace(RETRAIN, epochs=1), discretisation=discretisation
    )
    outcome = search.run(asked, memory_progress(tmp_path))
    json.dumps(outcome.result, allow_nan=False)
    for evaluation in outcome.evaluations:
        assert space.plan.check(evaluation.genotype) == ()
    assert len(outcome.evaluations) == 5


def test_a_space_of_one_genotype_has_no_baseline(memory_progress: Memory, tmp_path: Path) -> None:
    space = chain((2,), ("conv_3x3",))
    skeleton = ChainSkeleton(channels=4, reductions=(1,), affine=False)
    short = replace(RECIPE, epochs=1)
    outcome = search.run(
        request(space, skeleton, recipe=short, retrain_recipe=replace(RETRAIN, epochs=1)), memory_progress(tmp_path)
    )
    report: Any = outcome.result["report"]
    assert report["baseline"] is None
    assert report["notes"] == ("no baseline: the space holds no other genotype",)
    assert report["gap_inherited"] == 0.0


def test_what_cannot_be_served_is_refused_before_any_work(memory_progress: Memory, tmp_path: Path) -> None:
    progress = memory_progress(tmp_path)
    with pytest.raises(ValueError, match="the skeleton has 7 classes, digits has 10"):
        search.run(request(skeleton=replace(SMALL_CELLS, num_classes=7)), progress)
    with pytest.raises(ValueError, match="neither train-images-idx3-ubyte"):
        search.run(request(dataset="fashion_mnist"), progress)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            search.run(request(device="cuda"), progress)
    assert progress.order == []


def test_another_seed_is_another_search(memory_progress: Memory, tmp_path: Path) -> None:
    one, two = (
        search.run(request(seed=seed, baseline=False), memory_progress(tmp_path / str(seed))) for seed in (0, 1)
    )
    assert one.result["trajectory"] != two.result["trajectory"]
