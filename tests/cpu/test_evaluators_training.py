"""Trainings as evaluations: what is asked of children, and what their ends amount to."""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast
from uuid import UUID, uuid4

import pytest

from app.catalogue import Evaluation
from app.experiment import (
    TRAINING_RECIPES,
    DiscreteSearchRequest,
    SoughtMetric,
    SpaceVersion,
    TrainingEvaluator,
    TrainingRequest,
    recipe_digest,
)
from app.space import EdgeCellSkeleton, ImageInput, space_to_json
from app.space.zoo import ZOO
from workers.evaluators.training import Trainings, mark, shortened
from workers.fenced import ARTEFACT_NAME
from workers.progress import ChildRequest, Ended, Waiting
from workers.strategies.discrete import Proposal

SPACE = ZOO["nasbench201"]
RECIPE = TRAINING_RECIPES["digits-quick"]
REQUEST = DiscreteSearchRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    strategy="random",
    parameters={},
    objectives=(SoughtMetric(metric="accuracy"),),
    evaluator=TrainingEvaluator(dataset="digits", recipe=RECIPE, seeds=(0, 7)),
    budget=4,
    skeleton=EdgeCellSkeleton(channels=4, num_cells=1),
    image=ImageInput(channels=1, height=8, width=8),
    device="cpu",
)


class Measured:
    """An evaluation, as far as an evaluator looks at it."""

    def __init__(self, split: str, **metrics: float | None) -> None:
        self.split, self.metrics = split, metrics


def child(*measured: Measured, state: Any = "succeeded", **fields: Any) -> Ended:
    rest: dict[str, Any] = {"result": None, "error": None, "gpu_seconds": 0.0} | fields
    evaluations = cast("tuple[Evaluation, ...]", measured)
    return Ended(job_id=rest.pop("job_id", uuid4()), state=state, evaluations=evaluations, **rest)


def named(n: int, proposal: Proposal, seed: int) -> str:
    return f"evaluation-{n}-{mark(proposal)}-seed-{seed}"


class Children:
    """A `Progress` that has children only; they wait, or end as they were told to."""

    def __init__(self, ends: Mapping[str, Ended] | None) -> None:
        self.ends = ends
        self.asked: dict[str, ChildRequest] = {}

    def children(self, asked: Mapping[str, ChildRequest]) -> Mapping[str, Ended]:
        self.asked.update(asked)
        if self.ends is None:
            raise Waiting("none is final")
        return {name: self.ends[name] for name in asked}


def evaluator(ends: Mapping[str, Ended] | None, request: DiscreteSearchRequest = REQUEST) -> tuple[Trainings, Children]:
    progress = Children(ends)
    return Trainings(request, SPACE, cast("Any", progress)), progress


def good(accuracy: float, loss: float, **fields: Any) -> Ended:
    return child(
        Measured("selection", accuracy=accuracy, loss=loss), Measured("test", accuracy=1.0, loss=9.0), **fields
    )


def test_every_member_and_seed_of_a_batch_is_asked_for_at_once() -> None:
    trainings, progress = evaluator(None)
    with pytest.raises(Waiting):
        trainings.measure(17, [Proposal(3), Proposal(7000)])
    assert list(progress.asked) == [
        named(n, Proposal(rank), seed) for n, rank in ((17, 3), (18, 7000)) for seed in (0, 7)
    ]
    for n, rank, seed in ((17, 3, 0), (18, 7000, 7)):
        asked = progress.asked[named(n, Proposal(rank), seed)]
        assert asked.kind == "training"
        assert asked.request == TrainingRequest(
            space=REQUEST.space,
            document=REQUEST.document,
            genotype=SPACE.plan.unrank(rank),
            skeleton=REQUEST.skeleton,
            dataset="digits",
            recipe=RECIPE,
            keep_weights=False,
            seed=seed,
            device="cpu",
        )


def test_a_value_is_the_mean_over_seeds_of_what_was_measured_on_selection() -> None:
    ends = {
        named(1, Proposal(3), 0): good(90.0, 0.5, result={"device": "cpu, 1 thread", "torch_version": "2"}),
        named(1, Proposal(3), 7): good(94.0, 0.1, result={"device": "gpu", "torch_version": "2"}, gpu_seconds=36.0),
    }
    trainings, _ = evaluator(ends)
    (reading,) = trainings.measure(1, [Proposal(3)])
    assert reading.values == pytest.approx({"accuracy": 92.0, "loss": 0.3})
    assert reading.deviations == pytest.approx({"accuracy": math.sqrt(8), "loss": math.sqrt(0.08)})
    assert (reading.several, reading.job, reading.failure) == (2, None, None)
    assert trainings.gpu_hours() == pytest.approx(0.01)
    assert trainings.provenance() == {"device": "cpu, 1 thread, gpu", "torch_version": "2"}
    assert trainings.evaluations() == ()
    later, _ = evaluator(ends)
    later.restore(trainings.state())
    assert (later.gpu_hours(), later.provenance()) == (trainings.gpu_hours(), trainings.provenance())


def test_one_seed_names_its_job_and_has_no_deviation() -> None:
    one = replace(REQUEST, evaluator=TrainingEvaluator(dataset="digits", recipe=RECIPE))
    job = UUID(int=5)
    trainings, _ = evaluator({named(1, Proposal(3), 0): good(90.0, 0.5, job_id=job)}, one)
    (reading,) = trainings.measure(1, [Proposal(3)])
    assert (reading.several, reading.deviations, reading.job) == (1, None, str(job))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (child(state="failed", error={"detail": "OutOfMemory: 3 GB"}), "the training failed: OutOfMemory: 3 GB"),
        (child(state="cancelled"), "the training was cancelled"),
        (child(Measured("test", accuracy=90.0, loss=0.1)), "the training has no finite accuracy on selection"),
        (child(Measured("selection", accuracy=None, loss=0.1)), "the training has no finite accuracy on selection"),
    ],
)
def test_one_child_without_a_result_fails_its_member_and_no_other(bad: Ended, why: str) -> None:
    ends = {
        named(1, Proposal(3), 0): good(90.0, 0.5),
        named(1, Proposal(3), 7): bad,
        named(2, Proposal(4), 0): good(80.0, 0.5),
        named(2, Proposal(4), 7): good(80.0, 0.5),
    }
    trainings, _ = evaluator(ends)
    failed, other = trainings.measure(1, [Proposal(3), Proposal(4)])
    assert (failed.values, failed.failure) == (None, f"seed 7: {why}")
    assert other.values == {"accuracy": 80.0, "loss": 0.5}


def test_what_is_not_sought_may_be_lacking() -> None:
    ends = {named(1, Proposal(3), seed): child(Measured("selection", accuracy=0.0, loss=None)) for seed in (0, 7)}
    trainings, _ = evaluator(ends)
    assert trainings.measure(1, [Proposal(3)])[0].values == {"accuracy": 0.0}
    by_loss = replace(REQUEST, objectives=(SoughtMetric(metric="loss", goal="minimise"), SoughtMetric(metric="macs")))
    trainings, _ = evaluator(ends, by_loss)
    assert trainings.measure(1, [Proposal(3)])[0].failure == "seed 0: the training has no finite loss on selection"


def test_a_fidelity_is_a_number_of_epochs() -> None:
    trainings, progress = evaluator(None)
    proposals = [Proposal(3, 5), Proposal(3, RECIPE.epochs)]
    with pytest.raises(Waiting):
        trainings.measure(1, proposals)
    short, whole = (progress.asked[named(n, proposals[n - 1], 0)].request.recipe for n in (1, 2))
    assert short == replace(RECIPE, name="digits-quick-5-epochs", epochs=5) == shortened(RECIPE, 5)
    assert whole == RECIPE


def test_another_member_in_the_same_place_is_another_child() -> None:
    trainings, progress = evaluator(None)
    for proposal in (Proposal(3), Proposal(4), Proposal(3, 1), Proposal(15_624)):
        with pytest.raises(Waiting):
            trainings.measure(9_999, [proposal])
    assert len(progress.asked) == 8
    assert all(ARTEFACT_NAME.fullmatch(name) for name in progress.asked)


def test_what_it_is_judged_by_is_said() -> None:
    trainings, _ = evaluator(None)
    assert trainings.judged_by() == {
        "dataset": "digits",
        "split": "selection",
        "images": 177,
        "recipe": "digits-quick",
        "recipe_digest": recipe_digest(RECIPE),
        "seeds": [0, 7],
    }
