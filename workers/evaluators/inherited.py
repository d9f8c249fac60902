"""Members with the weights of one supernet, which is trained before the first is measured (`supernet.py`).

A member takes over its part of the supernet, has the statistics of its batch normalisations measured anew on `weights`,
and is judged on `selection`: by as many of its images as the fidelity says, the first of one shuffle, so that fewer are
among more. The search does that itself, or divides each batch over jobs of its own, which read the supernet that it
kept and come to the same numbers (`workers.judge`):

    child               what it judges
    judging-1-0-5f…     the first part of the batch that begins with the first evaluation
    judging-1-1-8c…     the second …

A name has the mark of supernet and members in it: what was judged by other weights is never taken for an answer.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch

from app.experiment import (
    DiscreteSearchRequest,
    InheritedEvaluator,
    JudgedMember,
    JudgingRequest,
    MeasuredEvaluation,
    recipe_digest,
)
from app.experiment.discrete import Paths
from app.space import SearchSpace
from workers.evaluators.judged import METRICS, SPLIT, Judged
from workers.evaluators.protocol import Reading
from workers.evaluators.supernet import ARTEFACT, Supernet, digest_of
from workers.evaluators.training import reason
from workers.progress import ChildRequest, Ended, Progress
from workers.session import RequestError, opened
from workers.strategies.discrete import Proposal

LEARNT_FROM: Mapping[Paths, str] = {
    "uniform": "one uniformly drawn member a step",
    "sandwich": "the largest member a step, and the smallest and two uniformly drawn ones that learn from its answers",
}


class Inherited:
    """Accuracy and loss with inherited weights; one of `workers.evaluators.Evaluator`."""

    metrics: tuple[str, ...] = METRICS
    expensive = True

    def __init__(self, request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> None:
        """`request` is one whose evaluator is an InheritedEvaluator; nothing is trained yet.

        Raises DataError, and RequestError where the space has no supernet that can be trained so.
        """
        assert isinstance(request.evaluator, InheritedEvaluator), "chosen by it"
        self.request = request
        self.evaluator = request.evaluator
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
        self.gpu_seconds = 0.0  # of children
        self.places = {"device": [self.session.device_name], "torch_version": [str(torch.__version__)]}
        self.judged: list[Judged] = []  # on all of `selection`

    def judged_by(self) -> Mapping[str, object]:
        """Data set, split, and the recipe and paths of the supernet."""
        dataset, recipe = self.session.images.dataset, self.evaluator.learnt
        return {
            "dataset": dataset.reference,
            "split": SPLIT,
            "images": dataset.splits[SPLIT],
            "recipe": recipe.name,
            "recipe_digest": recipe_digest(recipe),
            "paths": LEARNT_FROM[self.evaluator.paths],
        }

    def provenance(self) -> Mapping[str, object]:
        """This process's device, and those of children, each once."""
        return {name: ", ".join(found) for name, found in self.places.items()}

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        """One reading a member. Raises Stopped while the supernet is being trained, whose training is not lost, and
        Waiting until children have ended."""
        self.supernet.train()
        if not self.evaluator.children:
            return [self.judge(proposal).reading() for proposal in proposals]
        asked = self.divided(f"judging-{first}", proposals)
        ended = self.session.progress.children(asked)
        return [reading for name in asked for reading in self.told(asked[name].request, ended[name])]

    def judge(self, proposal: Proposal) -> Judged:
        """A member, measured here."""
        judged = self.supernet.judged(proposal)
        self.spent += judged.seconds
        if judged.whole and judged.values is not None:
            self.judged.append(judged)
        return judged

    def divided(self, name: str, proposals: Sequence[Proposal]) -> dict[str, ChildRequest]:
        """The jobs that judge some members, by names that begin so; in the order of the members."""
        file = self.session.progress.artefact(ARTEFACT)
        if file is None:
            raise RequestError("the supernet that members are measured with is not there as it was kept: search anew")
        digest, number = digest_of(file), min(self.evaluator.children, len(proposals))
        bounds = [len(proposals) * i // number for i in range(number + 1)]
        asked: dict[str, ChildRequest] = {}
        for i, (start, end) in enumerate(pairwise(bounds)):
            request = self._judging(digest, proposals[start:end])
            asked[f"{name}-{i}-{mark(request)}"] = ChildRequest("judging", request)
        return asked

    def told(self, request: JudgingRequest, child: Ended) -> list[Reading]:
        """What a child measured, in the order of its members."""
        self.gpu_seconds += child.gpu_seconds
        result: Mapping[str, Any] = child.result or {}
        for name, found in self.places.items():
            if result.get(name) is not None and result[name] not in found:
                found.append(result[name])
        job = str(child.job_id)
        if child.state != "succeeded":
            lost = Reading(values=None, failure=f"the judging {reason(child)}", job=job)
            return [lost] * len(request.members)
        return [Judged.read(document).reading(job) for document in result["members"]]

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        """A row for every member that was judged here, on all of `selection`; children have recorded theirs."""
        return tuple(judged.evaluation(self.session, self.evaluator) for judged in self.judged)

    def gpu_hours(self) -> float:
        """Of training the supernet and of measuring, children's time included."""
        on_gpu = self.session.device.type == "cuda"
        return ((self.supernet.seconds + self.spent if on_gpu else 0.0) + self.gpu_seconds) / 3600

    def state(self) -> Mapping[str, object]:
        """What was judged. The supernet is an artefact, or has a checkpoint of its own."""
        return {
            "trained": self.supernet.trained,
            "spent": self.spent,
            "gpu_seconds": self.gpu_seconds,
            "places": self.places,
            "judged": [judged.document() for judged in self.judged],
        }

    def restore(self, document: Mapping[str, Any]) -> None:
        """The inverse of `state`. Raises RequestError where a supernet was trained and its file is not there now."""
        if document["trained"] and not self.supernet.found():
            raise RequestError("the supernet that members were measured with is not there as it was kept: search anew")
        self.spent = document["spent"]
        self.gpu_seconds = document.get("gpu_seconds", 0.0)  # an earlier version had no children
        for name, found in document.get("places", {}).items():
            self.places[name] = list(dict.fromkeys([*found, *self.places[name]]))
        self.judged = [Judged.read(judged) for judged in document["judged"]]

    def _judging(self, digest: str, proposals: Sequence[Proposal]) -> JudgingRequest:
        request = self.request
        return JudgingRequest(
            space=request.space,
            document=request.document,
            evaluator=self.evaluator,
            supernet=digest,
            members=tuple(JudgedMember(index=str(one.rank), fidelity=one.fidelity) for one in proposals),
            seed=request.seed,
            device=request.device,
        )


def mark(request: JudgingRequest) -> str:
    """Eight hexadecimal digits that stand for a supernet and the members that it judges."""
    members = [[member.index, member.fidelity] for member in request.members]
    return hashlib.sha256(json.dumps([request.supernet, members]).encode()).hexdigest()[:8]
