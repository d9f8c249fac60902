"""The handler of training jobs: one genotype, from scratch, under a recipe.

    phase    epochs             metrics
    train    the recipe's       loss, accuracy, learning_rate

then accuracy and loss on `selection` and, read once, on `test`.
"""

import traceback
from collections.abc import Callable
from contextlib import nullcontext

from app.experiment import JobResult, TrainingRequest
from app.space import InvalidGenotype
from workers.followers import TeamError, check_seats, led, trained_by
from workers.progress import Progress, Stopped, StopReason
from workers.session import Saved, Session, session
from workers.training import drive
from workers.training.discrete import JUDGED, Candidate
from workers.training.micro_batches import MemoryShortage, out_of_memory, release

PHASE = "train"
RESTARTS = 2  # of a training that lost a process


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

    if request.processes > 1:
        check_seats(request, s.device)
        note(f"{request.processes} processes share each batch; batch statistics are of all its images")
    saved, parts, left = s.resumed(), 1, RESTARTS
    while True:
        try:
            trained, reason = _driven(request, s, saved, parts, note)
            break
        except (RuntimeError, MemoryError) as error:
            if out_of_memory(error) or (isinstance(error, TeamError) and error.short):
                if request.processes == 1:
                    raise
                parts = _more(parts, request, note)
            elif isinstance(error, TeamError) and left:
                left -= 1
                note(f"{error}: going on from the last checkpoint")
            else:
                raise
            traceback.clear_frames(error.__traceback__)
        release()
        earlier = s.earlier_seconds
        saved, s.earlier_seconds = s.resumed(), earlier  # the clock of this attempt runs on
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


def _driven(
    request: TrainingRequest, s: Session, saved: Saved | None, parts: int, note: Callable[[str], None]
) -> tuple[Candidate, StopReason | None]:
    """Trains to the end or until asked to stop, in this process and those that it shares batches with."""
    alone = request.processes == 1
    found = None if saved is None else s.progress.resume()
    with nullcontext() if alone else led(request, s, None if found is None else found.file, parts) as team:
        trained = trained_by(request, s, team, note)
        if saved is not None:
            trained.trainer.restore(saved.tensors, saved.fit)
        batches = trained.trainer.micro_batches
        batches.parts = max(parts, batches.parts)
        return trained, drive(trained.trainer, PHASE, s.progress, s.writer(trained.trainer.state, dict))


def _more(parts: int, request: TrainingRequest, note: Callable[[str], None]) -> int:
    """Twice as many parts, from the last checkpoint on. Raises MemoryShortage where a process had one image a part."""
    share = -(-request.recipe.batch_size // request.processes)
    if 2 * parts * request.processes > request.recipe.batch_size:
        raise MemoryShortage(
            f"out of memory at {-(-share // parts)} images a process, of {request.processes} processes"
        )
    note(
        f"out of memory: going on from the last checkpoint with each batch of {request.recipe.batch_size} images in "
        f"{2 * parts} parts; batch statistics are of a part's images from now on"
    )
    return 2 * parts
