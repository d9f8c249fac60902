"""Zero-cost proxies of untrained networks, computed in the search's own process."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from app.experiment import COSTS, PROXIES, DiscreteSearchRequest, MeasuredEvaluation, ProxyEvaluator
from app.space import SearchSpace
from workers.evaluators.protocol import Reading
from workers.progress import Progress
from workers.proxies.scoring import SPLIT, Scoring
from workers.session import RequestError, opened
from workers.strategies.discrete import Proposal


class Proxies:
    """The proxies that a search seeks, of one batch of real images; one of `workers.evaluators.Evaluator`.

    A proxy that is not defined for a network, such as naswot without a ReLU, is a failure with the reason. `params` and
    `macs` as objectives are costs, and not measured here. A fidelity beyond the images that there are is all of them.
    """

    expensive = False

    def __init__(
        self, evaluator: ProxyEvaluator, request: DiscreteSearchRequest, space: SearchSpace, progress: Progress
    ) -> None:
        """Raises DataError, and RequestError where the batch cannot be had."""
        self.evaluator = evaluator
        sought = [objective.metric for objective in request.objectives]
        self.metrics: tuple[str, ...] = tuple(name for name in sought if name in PROXIES and name not in COSTS)
        self.session = opened(
            space,
            (request.skeleton,),
            evaluator.dataset,
            evaluator.data,
            seed=request.seed,
            device=request.device,
            progress=progress,
        )
        s = self.session
        self.scoring = Scoring(space, request.skeleton, s.images, seed=s.seed, device=s.device)
        if not 1 <= evaluator.images <= self.scoring.most:
            there = f"{SPLIT} of {s.images.dataset.reference} has {self.scoring.most}"
            raise RequestError(f"a batch of {evaluator.images} images was asked for; {there}")
        self.spent = 0.0  # seconds of measuring

    def judged_by(self) -> Mapping[str, object]:
        """Data set, split, and how many of its images."""
        return {
            "dataset": self.session.images.dataset.reference,
            "split": SPLIT,
            "images": self.evaluator.images,
            "proxies": list(self.metrics),
        }

    def provenance(self) -> Mapping[str, object]:
        """This process's device."""
        return {"device": self.session.device_name, "torch_version": torch.__version__}

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        """One reading a member."""
        started = time.monotonic()
        try:
            return [self._reading(proposal) for proposal in proposals]
        finally:
            self.spent += time.monotonic() - started

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        """None: a proxy is no result of training."""
        return ()

    def gpu_hours(self) -> float:
        """Of measuring; 0 on a CPU."""
        return self.spent / 3600 if self.session.device.type == "cuda" else 0.0

    def state(self) -> Mapping[str, object]:
        """The time that measuring took."""
        return {"spent": self.spent}

    def restore(self, document: Mapping[str, Any]) -> None:
        """The inverse of `state`."""
        self.spent = float(document["spent"])

    def _reading(self, proposal: Proposal) -> Reading:
        number = self.evaluator.images if proposal.fidelity is None else min(proposal.fidelity, self.scoring.most)
        genotype = self.session.space.plan.unrank(proposal.rank)
        found = {name: timed.score for name, timed in self.scoring.scores(genotype, self.metrics, number).items()}
        values = {name: score.value for name, score in found.items() if score.value is not None}
        undefined = [f"{name}: {score.reason}" for name, score in found.items() if score.value is None]
        return Reading(values=None, failure="; ".join(undefined)) if undefined else Reading(values=values)
