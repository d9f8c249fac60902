"""The handler of search jobs: search a supernet, discretise it, and find out what discretising cost.

    phase        epochs               metrics
    search       the recipe's         losses and accuracies on both splits, mean entropy, skip share, curvature
    calibrate    1                    accuracy on `selection`: supernet, discretised with inherited weights
    retrain      the retrain recipe's the found genotype from scratch
    baseline     the same             a uniformly random other genotype, same recipe, same seed

Of several seeds there are trainings of both for each: `retrain-2` is that of the second. The result is a
discretisation report, the trajectory of the decision weights, and the evaluations.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from app.architecture import Graph, lower, resolve
from app.experiment import EvaluationKind, JobResult, SearchRequest
from app.space import Genotype, Plan
from workers.chosen import another, chosen
from workers.findings import (
    Findings,
    Training,
    evaluations_of,
    report_of,
    retrain_dataset,
    seeds_of,
    weights_of,
)
from workers.inheritance import inherit
from workers.network import Network
from workers.progress import Progress, Stopped
from workers.rewritten import rewritten
from workers.session import RequestError, Saved, Session, images_for, session
from workers.strategies.shared_weights import STRATEGIES, Strategy, undecided
from workers.supernet.collapse import Alarm, alarm
from workers.supernet.curvature import STEP, Watch, measured
from workers.supernet.discretise import genotype_of, plain
from workers.supernet.fit import SupernetFit
from workers.supernet.pressure import ExpectedCost, decided_costs
from workers.supernet.summary import decision_summaries, mean_entropy, trajectory_entry
from workers.supernet.weights import Draws, Relaxed, uniform_weights
from workers.training import Fit, drive, evaluate, recalibrate
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import seeded
from workers.training.discrete import candidate


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
        self.alarm: Alarm = alarm(self.plan)
        self.saved = s.resumed()
        self.findings = Findings()
        if self.saved is not None:
            try:
                self.findings = Findings.restored(self.saved.job)
            except CheckpointError as error:
                self.saved = None
                self._note(f"starting over: {error}")

    def run(self) -> JobResult:
        """All phases that are left."""
        f, seeds = self.findings, seeds_of(self.request)
        if f.phase == "search":
            self._search()
        if f.phase == "train":
            for number, seed in enumerate(seeds, 1):
                self._train("trained", _numbered("retrain", number), _numbered("trained", number), seed)
            for number, seed in enumerate(seeds if self.request.baseline else (), 1):
                self._train("baseline", _numbered("baseline", number), _numbered("baseline", number), seed)
            f.phase = "report"
        return self._result()

    # -- phases

    def _search(self) -> None:
        s, request = self.session, self.request
        graph = lower(s.space.grammar, request.skeleton, s.images.dataset.input)
        searched, relaxed = undecided(request.strategy, self.plan, graph)
        with seeded(request.seed, "supernet"):
            network = rewritten(searched, s.device, s.progress.note)
        network.recompute = request.recompute
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
            weights = strategy.settled()
            numbers = plain(weights)
            entry = trajectory_entry(self.plan, relaxed, numbers, request.discretisation, fit.epoch)
            self.findings.genotype = genotype_of(self.plan, weights, request.discretisation)
            self.findings.trajectory.append(entry)
            metrics = {"mean_entropy": entry["mean_entropy"], "skip_share": entry["skip_share"]}
            self._watch_skips(entry["epoch"], entry["skip_share"])
            metrics |= self._watch_curvature(network, fit, strategy, numbers)
            if cost is not None and self.findings.pressure is not None:
                metrics["expected_cost"] = self.findings.pressure["at_end"] = cost.expected(numbers)
            return metrics

        try:
            self._drive("search", fit, ended)
        except Stopped as stopped:
            if stopped.reason == "cancel" and self.findings.trajectory:
                self.findings.genotype = self._found(strategy.settled())
                raise Stopped("cancel", self._best("search")) from stopped
            raise
        self._calibrate(network, fit, relaxed, self._ended_with(strategy.settled()))

    def _watch_skips(self, epoch: int, share: float) -> None:
        """Tells, once, that what would be found now chooses more skips than chance gives."""
        told = any(note.startswith("collapse alarm: skips") for note in self.findings.notes)
        if self.alarm.rings(share) and not told:
            self._note(
                f"collapse alarm: skips are {share:.0%} of the operations chosen after epoch {epoch}; at most one "
                f"uniformly drawn genotype in a thousand has more than {self.alarm.threshold:.0%}"
            )

    def _watch_curvature(
        self, network: Network, fit: SupernetFit, strategy: Strategy, numbers: Mapping[str, tuple[float, ...]]
    ) -> dict[str, float]:
        """The greatest eigenvalue of the loss in α on one batch of `architecture`; ends the search where it has grown
        more than the recipe allows."""
        recipe, f = self.request.recipe, self.findings
        if not recipe.curvature_every or fit.epoch % recipe.curvature_every:
            return {}
        x, labels = next(fit.architecture_feed.plain(recipe.batch_size))

        def loss_at(draws: Draws) -> Tensor:
            return fit.feed.task.loss(network(x, draws), labels)

        value = measured(strategy, loss_at, seed=self.request.seed, network=network)
        if value is None:
            self._note(f"no curvature: {self.request.strategy} has no architecture parameters to differentiate by")
            return {}
        known = f.curvature or {"epochs": [], "values": []}
        watch = Watch.restored(known, recipe.curvature_stop)
        watch.tell(fit.epoch, value)
        f.earlier = [*f.earlier, [fit.epoch, numbers]][-1 - STEP :] if recipe.curvature_stop else []
        f.curvature = {**watch.state(), "grown": watch.grown, "ended_at": None, "back_to": None}
        if watch.ends:
            fit.finish()
            f.curvature |= {"ended_at": fit.epoch, "back_to": watch.back_to}
            self._note(
                f"collapse alarm: the curvature of the loss has grown to {watch.grown:.2f} times what it was after "
                f"epoch {watch.back_to}, more than {recipe.curvature_stop:g} times: the search ends after epoch "
                f"{fit.epoch} with what it would have found then"
            )
        return {"curvature": value} if math.isfinite(value) else {}

    def _ended_with(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The weights that stand for what was learnt: the last ones, or those that an early end goes back to."""
        f = self.findings
        if not f.curvature or f.curvature["ended_at"] is None:
            return weights
        (numbers,) = (numbers for epoch, numbers in f.earlier if epoch == f.curvature["back_to"])
        return {path: torch.tensor(numbers[path]).to(w) for path, w in weights.items()}

    def _found(self, weights: Mapping[str, Tensor]) -> Genotype:
        """The genotype that weights stand for: valid, and within bounds."""
        found = chosen(self.request, self.session.space, self.retraining.images.dataset.input, weights)
        self.findings.budget = found.budget
        if found.budget is None and not found.heaviest:
            self._note("the heaviest options together are no valid genotype: the best valid one is taken")
        return found.genotype

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
        genotype = self._found(weights)
        decided = self.plan.read(genotype)
        small = Network(resolve(network.graph, decided)).to(s.device)
        inherit(small, network, decided)

        def mixture(x: Tensor) -> Any:
            return network(x, weights)

        found: list[dict[str, float]] = []
        for net, forward in ((network, mixture), (small, small)):
            recalibrate(net, forward, fit.feed.plain(request.recipe.batch_size))
            tally = evaluate(net, forward, s.images, "selection", fit.feed.normalisation, s.device)
            found.append(tally.metrics())
        f, numbers = self.findings, plain(weights)
        f.genotype, (f.supernet, f.inherited) = genotype, found
        rule = request.discretisation
        f.decisions = [asdict(d) for d in decision_summaries(self.plan, relaxed, numbers, rule, genotype)]
        f.mean_entropy = mean_entropy(relaxed, numbers)
        f.spent["calibrate"] = time.monotonic() - started
        f.phase = "train"
        metrics = {
            "supernet_accuracy": f.supernet["accuracy"],
            "supernet_loss": f.supernet["loss"],
            "inherited_accuracy": f.inherited["accuracy"],
            "inherited_loss": f.inherited["loss"],
        }
        s.progress.report("calibrate", 1, 1, metrics)
        self._between("calibrate", 1)

    def _train(self, kind: EvaluationKind, phase: str, artefact: str, seed: int) -> None:
        """One training from scratch, where it is still to be done: of what was found, or of a random genotype."""
        f, s, request = self.findings, self.retraining, self.request
        if f.trained(kind, seed) is not None:
            return
        genotype = f.genotype
        if kind == "baseline":
            genotype = another(request, s.space, s.images.dataset.input, f.genotype, seed)
        if genotype is None:
            drawn = " that could be drawn" if self.plan.size > 1 else ""
            self._note(f"no baseline: the space holds no other genotype{drawn}")
            return
        trained = candidate(
            s.space,
            genotype,
            request.retrain_skeleton,
            request.retrain_recipe,
            s.images,
            seed=seed,
            device=s.device,
            note=self._note,
            recompute=request.recompute,
        )
        self._drive(phase, trained.trainer)
        judged = trained.judged(s.images)
        f.trainings.append(
            Training(
                kind=kind,
                seed=seed,
                genotype=genotype,
                measured={str(split): metrics for split, metrics in judged.items()},
                seconds=f.spent[phase],
                weights=replace(s, seed=seed).keep_weights(artefact, trained, judged),
            )
        )
        self._between(phase, request.retrain_recipe.epochs)

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
        return self._told({"stopped_in": phase})

    def _result(self) -> JobResult:
        return self._told({"report": asdict(report_of(self.findings, self.request, self.session))})

    def _told(self, more: Mapping[str, object]) -> JobResult:
        f = self.findings
        return JobResult(
            result={
                "genotype": f.genotype,
                "trajectory": f.trajectory,
                "weights": weights_of(f),
                **more,
                **self.session.provenance(),
            },
            evaluations=evaluations_of(f, self.request, self.session, self.retraining),
        )


def _numbered(name: str, number: int) -> str:
    """A name among several: the first is without a number."""
    return name if number == 1 else f"{name}-{number}"
