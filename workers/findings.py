"""What a search over a supernet knows so far, as JSON in every checkpoint, and what it tells in the end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from app.experiment import (
    Accuracy,
    AgainstChance,
    DecisionSummary,
    DiscretisationReport,
    EvaluationKind,
    MeasuredEvaluation,
    SearchRequest,
)
from app.experiment.significance import difference, mann_whitney, resampled_means
from workers.session import Session
from workers.supernet.collapse import alarm, skip_share
from workers.training.checkpoint import CheckpointError
from workers.training.discrete import JUDGED

Phase = Literal["search", "train", "report"]
Measured = dict[str, dict[str, float]]  # by split


@dataclass(slots=True, kw_only=True)
class Training:
    """One training from scratch."""

    kind: EvaluationKind  # "trained": of what was found; "baseline": of a random genotype
    seed: int
    genotype: Any
    measured: Measured
    seconds: float
    weights: str  # artefact name


@dataclass(slots=True, kw_only=True)
class Findings:
    """What a search knows so far."""

    phase: Phase = "search"
    trajectory: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    genotype: Any = None
    decisions: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    mean_entropy: float = 0.0
    supernet: dict[str, float] = field(default_factory=dict[str, float])
    inherited: dict[str, float] = field(default_factory=dict[str, float])
    trainings: list[Training] = field(default_factory=list[Training])
    curvature: dict[str, Any] | None = None  # eigenvalues by epoch, and where the search ended early
    earlier: list[Any] = field(default_factory=list[Any])  # [epoch, weights by path], while it may go back to them
    budget: dict[str, Any] | None = None
    pressure: dict[str, Any] | None = None
    spent: dict[str, float] = field(default_factory=dict[str, float])  # seconds by phase
    notes: list[str] = field(default_factory=list[str])

    @classmethod
    def restored(cls, saved: Mapping[str, Any]) -> "Findings":
        """The inverse of `asdict`. Raises CheckpointError where it is another version's."""
        known = {f.name for f in fields(cls)}
        if saved.keys() != known:
            raise CheckpointError(f"what an earlier attempt has found is another version's: {sorted(saved)}")
        trainings = [Training(**training) for training in saved["trainings"]]
        return cls(**{**saved, "trainings": trainings})

    def trained(self, kind: EvaluationKind, seed: int) -> Training | None:
        """One of the trainings from scratch, where it is done."""
        return next((t for t in self.trainings if (t.kind, t.seed) == (kind, seed)), None)


def seeds_of(request: SearchRequest) -> tuple[int, ...]:
    """Seeds of the trainings from scratch."""
    return request.seeds or (request.seed,)


def retrain_dataset(request: SearchRequest) -> str:
    """The data set of the trainings from scratch."""
    return request.retrain_dataset or request.dataset


def report_of(f: Findings, request: SearchRequest, s: Session) -> DiscretisationReport:
    """The report of a search that is done."""
    threshold, share = alarm(s.space.plan), skip_share(s.space.plan, f.genotype)
    first = seeds_of(request)[0]
    retrained, baseline = f.trained("trained", first), f.trained("baseline", first)
    assert retrained is not None, "a search that is done has trained what it found"
    supernet, elsewhere = f.supernet["accuracy"], retrain_dataset(request) != request.dataset
    early = bool(f.curvature and f.curvature["ended_at"] is not None)
    return DiscretisationReport(
        genotype=f.genotype,
        supernet=accuracy("selection", f.supernet),
        inherited=accuracy("selection", f.inherited),
        retrained=accuracies(retrained),
        baseline_genotype=baseline.genotype if baseline else None,
        baseline=accuracies(baseline) if baseline else None,
        against_chance=against_chance(f),
        gap_inherited=supernet - f.inherited["accuracy"],
        retrained_on=retrain_dataset(request),
        gap_retrained=None if elsewhere else supernet - retrained.measured["selection"]["accuracy"],
        decisions=tuple(DecisionSummary(**d) for d in f.decisions),
        mean_entropy=f.mean_entropy,
        skip_share=share,
        collapse_threshold=threshold.threshold,
        collapse_samples=threshold.samples,
        collapsed=threshold.rings(share) or early,
        curvature=f.curvature,
        budget=f.budget,
        pressure=f.pressure,
        notes=tuple(f.notes),
        seconds=s.seconds,
        gpu_hours=s.gpu_hours,
    )


def against_chance(f: Findings) -> dict[str, AgainstChance] | None:
    """What was found beside random genotypes, over the seeds of both; None where there are none."""
    pairs = [(t, b) for t in f.trainings if t.kind == "trained" and (b := f.trained("baseline", t.seed))]
    if not pairs:
        return None
    told: dict[str, AgainstChance] = {}
    for split in JUDGED:
        found = tuple(t.measured[split]["accuracy"] for t, _ in pairs)
        drawn = tuple(b.measured[split]["accuracy"] for _, b in pairs)
        told[split] = AgainstChance(
            seeds=tuple(t.seed for t, _ in pairs),
            found=found,
            random=drawn,
            genotypes=tuple(b.genotype for _, b in pairs),
            difference=difference(found, drawn, resampled_means(found, "found"), resampled_means(drawn, "random")),
            test=mann_whitney(found, drawn),
        )
    return told


def evaluations_of(
    f: Findings, request: SearchRequest, s: Session, retraining: Session
) -> tuple[MeasuredEvaluation, ...]:
    """Rows for the catalogue of all that was fully measured; `retraining` has the images of the trainings."""
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
    for t in f.trainings:
        there = replace(retraining, seed=t.seed)
        found += [
            there.evaluation(
                t.genotype,
                request.retrain_skeleton,
                t.kind,
                split,
                t.measured[split],
                request.retrain_recipe,
                seconds=t.seconds,
                weights=t.weights,
            )
            for split in JUDGED
        ]
    return tuple(found)


def weights_of(f: Findings) -> dict[str, str]:
    """Names of kept weights, as they are known."""
    return {t.weights: t.weights for t in f.trainings}


def accuracies(training: Training) -> dict[str, Accuracy]:
    """What a training ended with, by split."""
    return {split: accuracy(split, metrics) for split, metrics in training.measured.items()}


def accuracy(split: str, metrics: Mapping[str, float]) -> Accuracy:
    """A measured accuracy with what it means."""
    return Accuracy(percent=metrics["accuracy"], split=split, images=int(metrics["images"]))
