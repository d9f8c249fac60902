"""The handler of training jobs: one genotype, from scratch, under a recipe.

    phase    epochs             metrics
    train    the recipe's       loss, accuracy, learning_rate

then accuracy and loss on `selection` and, read once, on `test`.
"""

from app.experiment import JobResult, TrainingRequest
from app.space import InvalidGenotype
from workers.progress import Progress, Stopped
from workers.session import Session, session
from workers.training import drive
from workers.training.discrete import JUDGED, candidate

PHASE = "train"


def run(request: TrainingRequest, progress: Progress) -> JobResult:
    """Trains, or goes on from the last checkpoint. Raises Stopped where `progress` asks to stop."""
    with session(
        request.document,
        (request.skeleton,),
        request.dataset,
        request.data,
        seed=request.seed,
        device=request.device,
        deterministically=request.recipe.deterministic,
        progress=progress,
    ) as s:
        return _train(request, s)


def _train(request: TrainingRequest, s: Session) -> JobResult:
    faults = s.space.plan.check(request.genotype)
    if faults:
        raise InvalidGenotype(faults)
    notes: list[str] = []

    def note(text: str) -> None:
        s.progress.note(text)
        notes.append(text)

    trained = candidate(
        s.space,
        s.space.plan.normalise(request.genotype),  # pyright: ignore[reportArgumentType]  (checked above)
        request.skeleton,
        request.recipe,
        s.images,
        seed=request.seed,
        device=s.device,
        note=note,
    )
    if saved := s.resumed():
        trained.trainer.restore(saved.tensors, saved.fit)
    reason = drive(trained.trainer, PHASE, s.progress, s.writer(trained.trainer.state, dict))
    if reason:
        raise Stopped(reason, JobResult(result={"genotype": trained.genotype, "stopped_in": PHASE, **s.provenance()}))
    judged = trained.judged(s.images)
    weights = s.keep_weights("trained", trained, judged) if request.keep_weights else None
    told = {"notes": notes} if notes else {}
    return JobResult(
        result={"genotype": trained.genotype, "metrics": judged, "weights": weights, **told, **s.provenance()},
        evaluations=tuple(
            s.evaluation(
                trained.genotype,
                request.skeleton,
                "trained",
                split,
                judged[split],
                request.recipe,
                seconds=s.seconds,
                weights=weights,
            )
            for split in JUDGED
        ),
    )
