"""The handler of transfers: every architecture of a set from scratch on two places, and how alike the orders are.

    phase       epochs                 metrics
    source-0    the source's recipe's  loss, accuracy, learning_rate, trainings_done
    target-0    the target's           the same
    source-1 …

One architecture is trained on both places before the next is begun, so that what is cancelled has pairs to compare.
A transfer that fans out has each of these done by a job of its own; see `workers.pairs`.
"""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

from app.experiment import (
    Accuracy,
    JobResult,
    MeasuredEvaluation,
    Place,
    TrainedThere,
    TransferReport,
    TransferRequest,
    transfer_report,
)
from app.experiment.transfer import Side, Trained
from workers.pairs import SIDES, joined, members
from workers.progress import Progress, Stopped
from workers.session import Saved, Session, images_for, session
from workers.training import drive
from workers.training.discrete import JUDGED, candidate

Measured = dict[str, dict[str, float]]  # by split


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a transfer knows so far, as JSON: it travels in every checkpoint."""

    measured: dict[str, list[Measured]] = field(default_factory=lambda: {side: [] for side in SIDES})
    weights: dict[str, str] = field(default_factory=dict[str, str])  # artefact names by phase
    spent: dict[str, float] = field(default_factory=dict[str, float])  # seconds by phase
    notes: list[str] = field(default_factory=list[str])


def run(request: TransferRequest, progress: Progress) -> JobResult:
    """Trains all, or goes on from the last checkpoint. Raises Stopped where `progress` asks to stop."""
    if request.fan_out:
        return joined(request, progress)
    with session(
        request.document,
        (request.source.skeleton,),
        request.source.dataset,
        request.source.data,
        seed=request.seed,
        device=request.device,
        deterministically=request.source.recipe.deterministic and request.target.recipe.deterministic,
        progress=progress,
    ) as s:
        return Transfer(request, s).run()


class Transfer:
    """One attempt at a transfer, training by training."""

    def __init__(self, request: TransferRequest, s: Session) -> None:
        self.request = request
        self.genotypes = members(s.space, request.genotypes)
        self.saved = s.resumed()
        self.session = s
        target = images_for((request.target.skeleton,), request.target.dataset, request.target.data)
        self.there: Mapping[Side, Session] = {"source": s, "target": replace(s, images=target)}
        self.findings = Findings(**self.saved.job) if self.saved else Findings()

    def run(self) -> JobResult:
        """All trainings that are left."""
        for i in range(len(self.genotypes)):
            for side in SIDES:
                if i >= len(self.findings.measured[side]):
                    self._train(i, side)
        return self._outcome()

    def _place(self, side: Side) -> Place:
        return self.request.source if side == "source" else self.request.target

    def _train(self, i: int, side: Side) -> None:
        """One architecture on one place, from where an earlier attempt left it. Raises Stopped."""
        s, place, f, phase = self.there[side], self._place(side), self.findings, f"{side}-{i}"
        trained = candidate(
            s.space,
            self.genotypes[i],
            place.skeleton,
            place.recipe,
            s.images,
            seed=self.request.seed,
            device=s.device,
            note=self._note,
        )
        saved: Saved | None = self.saved
        self.saved = None
        if saved is not None and saved.fit:
            trained.trainer.restore(saved.tensors, saved.fit)
        before, started, done = f.spent.get(phase, 0.0), time.monotonic(), sum(map(len, f.measured.values()))

        def job() -> dict[str, object]:
            f.spent[phase] = before + time.monotonic() - started
            return asdict(f)

        def ended() -> dict[str, float]:
            return {"trainings_done": float(done)}

        write = self.session.writer(trained.trainer.state, job)
        reason = drive(trained.trainer, phase, self.session.progress, write, ended)
        if reason:
            raise Stopped(reason, self._outcome(phase) if reason == "cancel" else None)
        judged = trained.judged(s.images)
        if self.request.keep_weights:
            f.weights[phase] = s.keep_weights(phase, trained, judged)
        f.measured[side].append({str(split): metrics for split, metrics in judged.items()})
        between = self.session.writer(lambda: ({}, {}), job)
        self.session.progress.checkpoint(phase, place.recipe.epochs, between)

    def _note(self, text: str) -> None:
        if text not in self.findings.notes:
            self.session.progress.note(text)
            self.findings.notes.append(text)

    # -- results

    def _outcome(self, stopped_in: str | None = None) -> JobResult:
        """What there is: all of it, or what a cancelled transfer keeps."""
        measured: dict[Side, list[MeasuredEvaluation]] = {side: self._on(side) for side in SIDES}
        report = self._report(measured)
        where = {} if stopped_in is None else {"stopped_in": stopped_in}
        result: dict[str, object] = {
            "report": None if report is None else asdict(report),
            "weights": self.findings.weights,
            **where,
            **self.session.provenance(),
        }
        return JobResult(result=result, evaluations=tuple(e for side in SIDES for e in measured[side]))

    def _report(self, measured: Mapping[Side, list[MeasuredEvaluation]]) -> TransferReport | None:
        plan, f, s = self.session.space.plan, self.findings, self.session
        priced = {side: [e for e in measured[side] if e.split == "test"] for side in SIDES}
        trained = [
            Trained(
                index=str(plan.rank(genotype)),
                origin=origin,
                genotype=genotype,
                source=there(source, priced["source"][i]),
                target=there(target, priced["target"][i]),
            )
            for i, (genotype, origin, source, target) in enumerate(
                zip(self.genotypes, self.request.origins, f.measured["source"], f.measured["target"], strict=False)
            )
        ]
        return transfer_report(trained, seed=s.seed, notes=f.notes, seconds=s.seconds, gpu_hours=s.gpu_hours)

    def _on(self, side: Side) -> list[MeasuredEvaluation]:
        """What was measured on one place, both splits of each architecture."""
        f, place = self.findings, self._place(side)
        return [
            self.there[side].evaluation(
                self.genotypes[i],
                place.skeleton,
                "trained",
                split,
                measured[split],
                place.recipe,
                seconds=f.spent[f"{side}-{i}"],
                weights=f.weights.get(f"{side}-{i}"),
            )
            for i, measured in enumerate(f.measured[side])
            for split in JUDGED
        ]


def there(measured: Measured, evaluation: MeasuredEvaluation) -> TrainedThere:
    """An architecture's accuracies on one place, with what it costs there."""
    accuracy = {
        split: Accuracy(percent=metrics["accuracy"], split=split, images=int(metrics["images"]))
        for split, metrics in measured.items()
    }
    return TrainedThere(accuracy=accuracy, params=evaluation.params, macs=evaluation.macs)
