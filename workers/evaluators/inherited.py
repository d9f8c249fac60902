"""Members with the weights of one supernet, which is trained before the first is measured (`supernet.py`).

A member takes over its part of the supernet, has the statistics of its batch normalisations measured anew on `weights`,
and is judged on `selection`: by as many of its images as the fidelity says, the first of one shuffle, so that fewer are
among more.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from app.experiment import DiscreteSearchRequest, InheritedEvaluator, MeasuredEvaluation, Split, recipe_digest
from app.space import SearchSpace
from workers.data import Images
from workers.evaluators.protocol import Reading
from workers.evaluators.supernet import Supernet
from workers.progress import Progress
from workers.session import RequestError, opened
from workers.strategies.discrete import Proposal
from workers.training.determinism import generator

SPLIT: Split = "selection"
METRICS = ("accuracy", "loss")  # percent, nats


class Inherited:
    """Accuracy and loss with inherited weights; one of `workers.evaluators.Evaluator`."""

    metrics: tuple[str, ...] = METRICS
    expensive = True

    def __init__(self, request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> None:
        """`request` is one whose evaluator is an InheritedEvaluator; nothing is trained yet.

        Raises DataError, and RequestError where the space has no supernet that can be trained so.
        """
        assert isinstance(request.evaluator, InheritedEvaluator), "chosen by it"
        self.evaluator = request.evaluator
        # Weights that learnt on paths are not those that learnt under DARTS: their results do not compare.
        self.recipe = replace(self.evaluator.recipe, strategy="single_path")
        self.session = opened(
            space,
            (self.evaluator.skeleton,),
            self.evaluator.dataset,
            self.evaluator.data,
            seed=request.seed,
            device=request.device,
            progress=progress,
        )
        self.supernet = Supernet(self.evaluator, self.session)
        self.spent = 0.0  # seconds of measuring
        self.judged: list[tuple[int, float, float, float]] = []  # on all of `selection`: rank, accuracy, loss, seconds

    def judged_by(self) -> Mapping[str, object]:
        """Data set, split, and the recipe and paths of the supernet."""
        dataset = self.session.images.dataset
        return {
            "dataset": dataset.reference,
            "split": SPLIT,
            "images": dataset.splits[SPLIT],
            "recipe": self.recipe.name,
            "recipe_digest": recipe_digest(self.recipe),
            "paths": "one uniformly drawn member a step",
        }

    def provenance(self) -> Mapping[str, object]:
        """This process's device."""
        return {"device": self.session.device_name, "torch_version": torch.__version__}

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        """One reading a member. Raises Stopped while the supernet is being trained; what is trained is not lost."""
        self.supernet.train()
        return [self._reading(proposal) for proposal in proposals]

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        """A row for every member that was judged on all of `selection`."""
        s, images = self.session, float(self.session.images.dataset.splits[SPLIT])
        return tuple(
            s.evaluation(
                s.space.plan.unrank(rank),
                self.evaluator.skeleton,
                "inherited",
                SPLIT,
                {"accuracy": accuracy, "loss": loss, "images": images},
                self.recipe,
                seconds=seconds,
            )
            for rank, accuracy, loss, seconds in self.judged
        )

    def gpu_hours(self) -> float:
        """Of training the supernet and of measuring; 0 on a CPU."""
        on_gpu = self.session.device.type == "cuda"
        return (self.supernet.seconds + self.spent) / 3600 if on_gpu else 0.0

    def state(self) -> Mapping[str, object]:
        """What was judged. The supernet is an artefact, or has a checkpoint of its own."""
        judged = [[str(rank), *numbers] for rank, *numbers in self.judged]
        return {"trained": self.supernet.trained, "spent": self.spent, "judged": judged}

    def restore(self, document: Mapping[str, Any]) -> None:
        """The inverse of `state`. Raises RequestError where a supernet was trained and its file is not there now."""
        if document["trained"] and not self.supernet.found():
            raise RequestError("the supernet that members were measured with is not there as it was kept: search anew")
        self.spent = document["spent"]
        self.judged = [(int(rank), accuracy, loss, seconds) for rank, accuracy, loss, seconds in document["judged"]]

    def _reading(self, proposal: Proposal) -> Reading:
        started, all_of_them = time.monotonic(), self.session.images.dataset.splits[SPLIT]
        number = all_of_them if proposal.fidelity is None else min(proposal.fidelity, all_of_them)
        genotype = self.session.space.plan.unrank(proposal.rank)
        tally = self.supernet.judged(genotype, fewer(self.session.images, number, self.session.seed), SPLIT)
        values = {"accuracy": tally.accuracy, "loss": tally.mean_loss}
        seconds = time.monotonic() - started
        self.spent += seconds
        if number == all_of_them and math.isfinite(tally.mean_loss):
            self.judged.append((proposal.rank, tally.accuracy, tally.mean_loss, seconds))
        if math.isfinite(tally.mean_loss):
            return Reading(values=values)
        return Reading(values=None, failure=f"the loss on {SPLIT} is {tally.mean_loss}")


def fewer(images: Images, number: int, seed: int) -> Images:
    """So many of the images of `selection`, in their order: the first of the seed's shuffle."""
    whole = images.indices[SPLIT]
    chosen = torch.randperm(len(whole), generator=generator(seed, SPLIT, "images"))[:number].sort().values
    return replace(images, indices={**images.indices, SPLIT: whole[chosen]})
