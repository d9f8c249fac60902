"""The handler of search jobs: search a supernet, discretise it, and find out what discretising cost.

    phase        epochs               metrics
    search       the recipe's         losses and accuracies on both splits, mean entropy, skip share
    calibrate    1                    accuracy on `selection`: supernet, discretised with inherited weights
    retrain      the retrain recipe's the found genotype from scratch
    baseline     the same             a uniformly random other genotype, same recipe, same seed

The result is a discretisation report, the trajectory of the decision weights, and the evaluations.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from app.architecture import Graph, lower
from app.experiment import (
    Accuracy,
    DecisionSummary,
    DiscretisationReport,
    EvaluationKind,
    JobResult,
    MeasuredEvaluation,
    SearchRequest,
)
from app.space import Genotype, Plan
from workers.inheritance import inherit
from workers.network import Network
from workers.progress import Progress, Stopped
from workers.session import RequestError, Saved, Session, images_for, session
from workers.strategies.shared_weights import STRATEGIES, Strategy
from workers.supernet.collapse import alarm, skip_share
from workers.supernet.discretise import genotype_of, plain
from workers.supernet.fit import SupernetFit
from workers.supernet.pressure import ExpectedCost, decided_costs
from workers.supernet.rewrite import FusedNetwork
from workers.supernet.summary import decision_summaries, mean_entropy, trajectory_entry
from workers.supernet.weights import Relaxed, relax, uniform_weights
from workers.training import Fit, drive, evaluate, recalibrate
from workers.training.determinism import seeded, stream_seed
from workers.training.discrete import JUDGED, candidate, discrete_graph

Phase = Literal["search", "retrain", "baseline", "report"]
Measured = dict[str, dict[str, float]]  # by split


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a search knows so far, as JSON: it travels in every checkpoint."""

    phase: Phase = "search"
    trajectory: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    genotype: Any = None
    decisions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    mean_entropy: float = 0.0
    supernet: dict[str, float] = field(default_factory=dict[str, float])
    inherited: dict[str, float] = field(default_factory=dict[str, float])
    retrained: Measured = field(default_factory=Measured)
    baseline_genotype: Any = None
    baseline: Measured = field(default_factory=Measured)
    weights: dict[str, str] = field(default_factory=dict[str, str])  # artefact names
    pressure: dict[str, Any] | None = None
    spent: dict[str, float] = field(default_factory=dict[str, float])  # seconds by phase
    notes: list[str] = field(default_factory=list[str])


def run(request: SearchRequest, progress: Progress) -> JobResult:
    """Searches, or goes on from the last checkpoint. Raises Stopped where `progress` asks to stop."""
    with session(
        request.document,
        (request.skeleton,),
        request.dataset,
        request.data,
        seed=request.seed,
        device=request.device,
        deterministically=request.recipe.deterministic and request.retrain_recipe.deterministic,
        progress=progress,
    ) as s:
        return Search(request, s).run()


class Search:
    """One attempt at a search, phase by phase."""

    def __init__(self, request: SearchRequest, s: Session) -> None:
        self.request = request
        self.session = s
        data = request.data if request.retrain_dataset is None else request.retrain_data
        images = images_for((request.retrain_skeleton,), retrain_dataset(request), data)
        self.retraining = replace(s, images=images) if retrain_dataset(request) != request.dataset else s
        self.plan: Plan = s.space.plan
        self.saved = s.resumed()
        self.findings = Findings(**self.saved.job) if self.saved else Findings()

    def run(self) -> JobResult:
        """All phases that are left."""
        if self.findings.phase == "search":
            self._search()
        if self.findings.phase == "retrain":
            self._retrain()
        if self.findings.phase == "baseline":
            self._baseline()
        return self._result()

    # -- phases

    def _search(self) -> None:
        s, request = self.session, self.request
        graph = lower(s.space.grammar, request.skeleton, s.images.dataset.input)
        relaxed = relax(self.plan, graph.open)
        with seeded(request.seed, "supernet"):
            network = FusedNetwork(graph)
        strategy = STRATEGIES[request.strategy](relaxed, request.recipe, seed=request.seed, device=s.device)
        cost = self._pressure(graph, relaxed, strategy)
        fit = SupernetFit(
            network,
            strategy,
            request.recipe,
            s.images,
            seed=request.seed,
            device=s.device,
            note=self._note,
            pressure=cost,
        )

        def ended() -> dict[str, float]:
            numbers = plain(strategy.settled())
            entry = trajectory_entry(self.plan, relaxed, numbers, request.discretisation, fit.epoch)
            self.findings.genotype = genotype_of(self.plan, strategy.settled(), request.discretisation)
            self.findings.trajectory.append(entry)
            metrics = {"mean_entropy": entry["mean_entropy"], "skip_share": entry["skip_share"]}
            if cost is not None and self.findings.pressure is not None:
                metrics["expected_cost"] = self.findings.pressure["at_end"] = cost.expected(numbers)
            return metrics

        self._drive("search", fit, ended)
        self._calibrate(network, fit, relaxed, strategy.settled())

    def _pressure(self, graph: Graph, relaxed: tuple[Relaxed, ...], strategy: Strategy) -> ExpectedCost | None:
        """What the recipe's pressure adds to the architecture loss. Raises RequestError."""
        wanted = self.request.recipe.pressure
        if wanted is None:
            return None
        try:
            amounts = decided_costs(graph, wanted.cost, self.request.latencies)
        except KeyError as missing:
            raise RequestError(f"the latencies lack {missing.args[0]}") from missing
        like = next(iter(strategy.settled().values()), torch.zeros(()))  # without decisions there are no weights
        cost = ExpectedCost(amounts, plain(uniform_weights(relaxed, like)), wanted.strength)
        if self.findings.pressure is None:
            self.findings.pressure = asdict(wanted) | {"at_uniform": cost.reference, "at_end": cost.reference}
        if not cost.reference:
            self._note(f"no pressure: the decisions decide nothing about {wanted.cost}")
            return None
        return cost

    def _calibrate(
        self, network: Network, fit: SupernetFit, relaxed: tuple[Relaxed, ...], weights: Mapping[str, Tensor]
    ) -> None:
        """Accuracy of the supernet and of the discretised network, both with batch statistics of their own."""
        s, request, started = self.session, self.request, time.monotonic()
        genotype = genotype_of(self.plan, weights, request.discretisation)
        small = Network(discrete_graph(s.space, genotype, request.skeleton, s.images)).to(s.device)
        inherit(small, network, self.plan.read(genotype))

        def mixture(x: Tensor) -> Any:
            return network(x, weights)

        found: list[dict[str, float]] = []
        for net, forward in ((network, mixture), (small, small)):
            recalibrate(net, forward, fit.feed.plain(request.recipe.batch_size))
            tally = evaluate(net, forward, s.images, "selection", fit.feed.normalisation, s.device)
            found.append({"accuracy": tally.accuracy, "loss": tally.mean_loss, "images": float(tally.images)})
        f, numbers = self.findings, plain(weights)
        f.genotype, (f.supernet, f.inherited) = genotype, found
        f.decisions = [asdict(d) for d in decision_summaries(self.plan, relaxed, numbers, request.discretisation)]
        f.mean_entropy = mean_entropy(relaxed, numbers)
        f.spent["calibrate"] = time.monotonic() - started
        f.phase = "retrain"
        metrics = {
            "supernet_accuracy": f.supernet["accuracy"],
            "supernet_loss": f.supernet["loss"],
            "inherited_accuracy": f.inherited["accuracy"],
            "inherited_loss": f.inherited["loss"],
        }
        s.progress.report("calibrate", 1, 1, metrics)
        self._between("calibrate", 1)

    def _retrain(self) -> None:
        self.findings.retrained = self._from_scratch("retrain", self.findings.genotype, "trained")
        self.findings.phase = "baseline" if self.request.baseline else "report"
        self._between("retrain", self.request.retrain_recipe.epochs)

    def _baseline(self) -> None:
        f = self.findings
        if f.baseline_genotype is None:
            f.baseline_genotype = another(self.plan, f.genotype, self.request.seed)
        if f.baseline_genotype is None:
            f.notes.append("no baseline: the space holds no other genotype")
        else:
            f.baseline = self._from_scratch("baseline", f.baseline_genotype, "baseline")
        f.phase = "report"
        self._between("baseline", self.request.retrain_recipe.epochs)

    def _from_scratch(self, phase: str, genotype: Genotype, artefact: str) -> Measured:
        s, request = self.retraining, self.request
        trained = candidate(
            s.space,
            genotype,
            request.retrain_skeleton,
            request.retrain_recipe,
            s.images,
            seed=request.seed,
            device=s.device,
            note=self._note,
        )
        self._drive(phase, trained.trainer)
        judged = trained.judged(s.images)
        self.findings.weights[artefact] = s.keep_weights(artefact, trained, judged)
        return {str(split): metrics for split, metrics in judged.items()}

    # -- between steps

    def _drive(self, phase: str, fit: Fit, ended: Callable[[], Mapping[str, float]] = dict) -> None:
        """Fits to the end of the phase, from where an earlier attempt left it. Raises Stopped."""
        saved: Saved | None = self.saved
        self.saved = None
        if saved is not None and saved.fit:
            fit.restore(saved.tensors, saved.fit)
        before, started = self.findings.spent.get(phase, 0.0), time.monotonic()

        def spend() -> None:
            self.findings.spent[phase] = before + time.monotonic() - started

        def job() -> dict[str, object]:
            spend()
            return asdict(self.findings)

        reason = drive(fit, phase, self.session.progress, self.session.writer(fit.state, job), ended)
        spend()
        if reason:
            raise Stopped(reason, self._best(phase))

    def _between(self, phase: str, epoch: int) -> None:
        """A checkpoint in which nothing is being fitted."""
        write = self.session.writer(lambda: ({}, {}), lambda: asdict(self.findings))
        self.session.progress.checkpoint(phase, epoch, write)

    def _note(self, text: str) -> None:
        self.session.progress.note(text)
        if text not in self.findings.notes:
            self.findings.notes.append(text)

    # -- results

    def _best(self, phase: str) -> JobResult:
        """What a cancelled search keeps: the trajectory, the genotype so far, and what was fully measured."""
        f = self.findings
        return JobResult(
            result={
                "genotype": f.genotype,
                "trajectory": f.trajectory,
                "stopped_in": phase,
                "weights": f.weights,
                **self.session.provenance(),
            },
            evaluations=self._evaluations(),
        )

    def _result(self) -> JobResult:
        return JobResult(
            result={
                "genotype": self.findings.genotype,
                "report": asdict(self._report()),
                "trajectory": self.findings.trajectory,
                "weights": self.findings.weights,
                **self.session.provenance(),
            },
            evaluations=self._evaluations(),
        )

    def _report(self) -> DiscretisationReport:
        f, s = self.findings, self.session
        threshold = alarm(self.plan)
        share = skip_share(self.plan, f.genotype)
        supernet = f.supernet["accuracy"]
        return DiscretisationReport(
            genotype=f.genotype,
            supernet=accuracy("selection", f.supernet),
            inherited=accuracy("selection", f.inherited),
            retrained={split: accuracy(split, metrics) for split, metrics in f.retrained.items()},
            baseline_genotype=f.baseline_genotype,
            baseline={split: accuracy(split, metrics) for split, metrics in f.baseline.items()} or None,
            gap_inherited=supernet - f.inherited["accuracy"],
            retrained_on=retrain_dataset(self.request),
            gap_retrained=supernet - f.retrained["selection"]["accuracy"] if self.retraining is s else None,
            decisions=tuple(DecisionSummary(**d) for d in f.decisions),
            mean_entropy=f.mean_entropy,
            skip_share=share,
            collapse_threshold=threshold.threshold,
            collapse_samples=threshold.samples,
            collapsed=threshold.rings(share),
            pressure=f.pressure,
            notes=tuple(f.notes),
            seconds=s.seconds,
            gpu_hours=s.gpu_hours,
        )

    def _evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        f, request, s = self.findings, self.request, self.session
        found: list[MeasuredEvaluation] = []
        if f.inherited:
            found.append(
                s.evaluation(
                    f.genotype,
                    request.skeleton,
                    "inherited",
                    "selection",
                    f.inherited,
                    replace(request.recipe, strategy=request.strategy),
                    seconds=f.spent["search"] + f.spent["calibrate"],
                )
            )
        found += self._from_scratch_evaluations("trained", "retrain", f.genotype, f.retrained)
        found += self._from_scratch_evaluations("baseline", "baseline", f.baseline_genotype, f.baseline)
        return tuple(found)

    def _from_scratch_evaluations(
        self, kind: EvaluationKind, phase: str, genotype: Genotype, measured: Measured
    ) -> list[MeasuredEvaluation]:
        f, request = self.findings, self.request
        return [
            self.retraining.evaluation(
                genotype,
                request.retrain_skeleton,
                kind,
                split,
                measured[split],
                request.retrain_recipe,
                seconds=f.spent[phase],
                weights=f.weights[kind],
            )
            for split in JUDGED
            if split in measured
        ]


def retrain_dataset(request: SearchRequest) -> str:
    """The data set of the trainings from scratch."""
    return request.retrain_dataset or request.dataset


def accuracy(split: str, metrics: Mapping[str, float]) -> Accuracy:
    """A measured accuracy with what it means."""
    return Accuracy(percent=metrics["accuracy"], split=split, images=int(metrics["images"]))


def another(plan: Plan, genotype: Genotype, seed: int) -> Genotype | None:
    """A genotype drawn uniformly from the others of a space; None where there is no other."""
    if plan.size < 2:
        return None
    rng = random.Random(stream_seed(seed, "baseline"))
    while True:
        (drawn,) = plan.sample(rng, 1)
        if drawn != genotype:
            return drawn
