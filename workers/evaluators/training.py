"""Every member trained from scratch, from several seeds, by jobs of their own: a search trains nothing itself.

    child                           what it trains
    evaluation-1-5feceb66-seed-0    the first proposal of the search, from seed 0
    evaluation-1-5feceb66-seed-1 …

A name has the member's mark in it: another attempt that proposes another member is not given this one's training.
A value is the mean over the seeds, of what was measured on `selection`. The evaluations are the children's.
"""

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from typing import Any

from app.experiment import (
    DiscreteSearchRequest,
    MeasuredEvaluation,
    TrainingEvaluator,
    TrainingRecipe,
    TrainingRequest,
    described,
    recipe_digest,
)
from app.space import SearchSpace
from workers.evaluators.protocol import Reading
from workers.progress import ChildRequest, Ended, Progress
from workers.strategies.discrete import Proposal

SPLIT = "selection"
METRICS = ("accuracy", "loss")  # percent, nats


class Trainings:
    """Accuracy and loss after a training under the recipe; one of `workers.evaluators.Evaluator`."""

    metrics: tuple[str, ...] = METRICS
    expensive = True

    def __init__(self, request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> None:
        """`request` is one whose evaluator is a TrainingEvaluator."""
        assert isinstance(request.evaluator, TrainingEvaluator), "chosen by it"
        self.request = request
        self.evaluator = request.evaluator
        self.space = space
        self.progress = progress
        self.sought = tuple(o.metric for o in request.objectives if o.metric in METRICS)
        self.gpu_seconds = 0.0
        self.places: dict[str, list[str]] = {"device": [], "torch_version": []}  # where children trained, each once

    def judged_by(self) -> Mapping[str, object]:
        """Data set, split, recipe and seeds."""
        e = self.evaluator
        dataset = described(e.dataset, e.data)
        return {
            "dataset": dataset.reference,
            "split": SPLIT,
            "images": dataset.splits[SPLIT],
            "recipe": e.recipe.name,
            "recipe_digest": recipe_digest(e.recipe),
            "seeds": list(e.seeds),
        }

    def provenance(self) -> Mapping[str, object]:
        """Where the children trained: what they said, each once."""
        return {name: ", ".join(found) or None for name, found in self.places.items()}

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        """What the children of a batch measured. All are asked for at once; raises Waiting until they have ended."""
        names = [
            [f"evaluation-{number}-{mark(proposal)}-seed-{seed}" for seed in self.evaluator.seeds]
            for number, proposal in enumerate(proposals, start=first)
        ]
        asked = {
            name: ChildRequest("training", self._training(proposal, seed))
            for proposal, of_seeds in zip(proposals, names, strict=True)
            for name, seed in zip(of_seeds, self.evaluator.seeds, strict=True)
        }
        ended = self.progress.children(asked)
        for child in ended.values():
            self.gpu_seconds += child.gpu_seconds
            for name, found in self.places.items():
                said = (child.result or {}).get(name)
                if said is not None and said not in found:
                    found.append(said)
        return [self._reading([ended[name] for name in of_seeds]) for of_seeds in names]

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        """None: the children have recorded theirs."""
        return ()

    def gpu_hours(self) -> float:
        """The children's."""
        return self.gpu_seconds / 3600

    def state(self) -> Mapping[str, object]:
        """The time that children took, and where."""
        return {"gpu_seconds": self.gpu_seconds, "places": self.places}

    def restore(self, document: Mapping[str, Any]) -> None:
        """The inverse of `state`."""
        self.gpu_seconds = float(document["gpu_seconds"])
        self.places = {name: list(document["places"][name]) for name in self.places}

    def _training(self, proposal: Proposal, seed: int) -> TrainingRequest:
        request, e = self.request, self.evaluator
        return TrainingRequest(
            space=request.space,
            document=request.document,
            genotype=self.space.plan.unrank(proposal.rank),
            skeleton=request.skeleton,
            dataset=e.dataset,
            data=e.data,
            recipe=e.recipe if proposal.fidelity is None else shortened(e.recipe, proposal.fidelity),
            keep_weights=False,
            seed=seed,
            device=request.device,
        )

    def _reading(self, children: Sequence[Ended]) -> Reading:
        """The mean over the seeds; a failure where one of them has nothing to show."""
        job = str(children[0].job_id) if len(children) == 1 else None
        found: list[Mapping[str, float]] = []
        for seed, child in zip(self.evaluator.seeds, children, strict=True):
            metrics = measured(child)
            if why := self._lacking(child, metrics):
                return Reading(values=None, failure=f"seed {seed}: {why}", job=job)
            found.append(metrics)
        names = [name for name in METRICS if all(name in metrics for metrics in found)]
        several = len(found) > 1
        return Reading(
            values={name: fmean(metrics[name] for metrics in found) for name in names},
            several=len(found),
            deviations={name: stdev(metrics[name] for metrics in found) for name in names} if several else None,
            job=job,
        )

    def _lacking(self, child: Ended, metrics: Mapping[str, float]) -> str | None:
        """Why a child says nothing of what is sought, if so."""
        if child.state != "succeeded":
            return f"the training {reason(child)}"
        missing = [name for name in self.sought or METRICS[:1] if name not in metrics]
        return f"the training has no finite {missing[0]} on {SPLIT}" if missing else None


def mark(proposal: Proposal) -> str:
    """Eight hexadecimal digits that stand for a member and a fidelity."""
    told = str(proposal.rank) if proposal.fidelity is None else f"{proposal.rank} at {proposal.fidelity}"
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def shortened(recipe: TrainingRecipe, epochs: int) -> TrainingRecipe:
    """The recipe with so many epochs, to which its schedule stretches; under a name of its own where that is other."""
    if epochs == recipe.epochs:
        return recipe
    return replace(recipe, name=f"{recipe.name}-{epochs}-epochs", epochs=epochs)


def measured(child: Ended) -> dict[str, float]:
    """What a child measured on `selection`, as far as it is a finite number."""
    found = next((e.metrics for e in child.evaluations if e.split == SPLIT), {})
    told: dict[str, Any] = {name: found.get(name) for name in METRICS}
    return {name: value for name, value in told.items() if value is not None and math.isfinite(value)}


def reason(child: Ended) -> str:
    """How a child ended that did not succeed."""
    return f"{child.state}: {child.error['detail']}" if child.error else f"was {child.state}"
