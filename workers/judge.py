"""The handler of judgings: members of a space with the weights of the supernet that the search above it has trained.

    phase    epochs    metrics
    judge    1         none; steps are members

The checkpoint is what was judged so far. Evaluations are of those members that were judged on all of `selection`.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.experiment import JobResult, JudgingRequest
from app.space import space_from_json
from workers.discrete import record
from workers.evaluators.judged import Judged
from workers.evaluators.supernet import ARTEFACT, Supernet, digest_of
from workers.progress import Progress, Stopped
from workers.session import RequestError, Session, opened
from workers.strategies.discrete import Proposal

PHASE = "judge"
CHECKPOINT_SECONDS = 5.0  # between two checkpoints


def run(request: JudgingRequest, progress: Progress) -> JobResult:
    """Judges all, or goes on from the last checkpoint. Raises Stopped where `progress` asks to stop, and RequestError
    where the search's supernet is not there, or is another by now."""
    evaluator = request.evaluator
    s = opened(
        space_from_json(request.document),
        (evaluator.skeleton,),
        evaluator.dataset,
        evaluator.data,
        seed=request.seed,
        device=request.device,
        progress=progress,
    )
    file = progress.parents_artefact(ARTEFACT)
    found = None if file is None else digest_of(file)
    if file is None or found != request.supernet:
        what = "is not there" if found is None else f"has SHA-256 {found} by now"
        raise RequestError(f"the supernet of SHA-256 {request.supernet} {what}: search anew")
    supernet = Supernet(evaluator, s)
    supernet.take(file)
    done, saved = _resumed(s), time.monotonic()
    for member in request.members[len(done) :]:
        done.append(supernet.judged(Proposal(int(member.index), member.fidelity)))
        progress.report(PHASE, 0, 1, {}, step=len(done), steps=len(request.members))
        reason = progress.should_stop()
        if reason == "drain" or time.monotonic() - saved >= CHECKPOINT_SECONDS:
            _checkpoint(s, done)
            saved = time.monotonic()
        if reason is not None:
            raise Stopped(reason, _outcome(request, s, done, stopped_in=PHASE) if reason == "cancel" else None)
    progress.report(PHASE, 1, 1, {})
    return _outcome(request, s, done)


def _checkpoint(s: Session, done: list[Judged]) -> None:
    def write(file: Path) -> None:
        record.save(file, {"members": [one.document() for one in done], "seconds": s.seconds})

    s.progress.checkpoint(PHASE, 0, write)


def _resumed(s: Session) -> list[Judged]:
    """What an earlier attempt has judged."""
    saved = s.progress.resume()
    if saved is None:
        return []
    document: Mapping[str, Any] = record.load(saved.file)
    s.earlier_seconds = document["seconds"]
    return [Judged.read(one) for one in document["members"]]


def _outcome(request: JudgingRequest, s: Session, done: list[Judged], **where: str) -> JobResult:
    return JobResult(
        result={"members": [one.document() for one in done], **where, **s.provenance()},
        evaluations=tuple(one.evaluation(s, request.evaluator) for one in done if one.whole and one.values is not None),
    )
