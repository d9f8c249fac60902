"""The members that a search measures first: of some drawn uniformly, those that a zero-cost proxy likes best.

    phase         epochs    steps                         artefact
    warm_start    1         the members that were drawn   warm-start.json: every one of them with its value

(Abdelfattah et al., 2021, arXiv:2101.08134, section 4.2.) The artefact is where later attempts find them.
"""

import json
import time
from dataclasses import asdict
from pathlib import Path
from random import Random

from app.architecture import judge_of
from app.experiment import DiscreteSearchRequest, WarmStart
from app.space import SearchSpace
from app.space.errors import Unmet
from app.space.validity import Judge, valid_ranks
from workers.evaluators.costs import Costs
from workers.progress import Progress, Stopped
from workers.proxies.scoring import Scoring
from workers.session import opened
from workers.training import checkpoint
from workers.training.determinism import stream_seed

PHASE = "warm_start"
ARTEFACT = "warm-start.json"
VAIN = 200  # draws in a row that bring nothing new, after which the space is taken to have no more
CHECKPOINT_SECONDS = 10.0

Values = dict[int, float | None]  # the proxy's value by rank; None where it is not defined


def warm_ranks(request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> tuple[int, ...]:
    """The best by the proxy, the best first, at most as many as are kept; of equals the one that was drawn first.

    All are valid and within the bounds. Raises Unmet where no such member is drawn, DataError, RequestError, and
    Stopped where `progress` asks to stop.
    """
    wanted = request.warm_start
    assert wanted is not None, "there is one"
    file = progress.artefact(ARTEFACT)
    if file is not None:
        found = {int(row["index"]): row["value"] for row in json.loads(file.read_text())["members"]}
    else:
        found = measured(request, space, wanted, progress)
        progress.keep(ARTEFACT, lambda file: write(file, wanted, found))
    defined = [(value, rank) for rank, value in found.items() if value is not None]
    if len(defined) < wanted.kept:
        progress.note(f"{wanted.proxy} is defined for {len(defined)} of {len(found)} members that were drawn")
    best = sorted(defined, key=lambda pair: -pair[0])  # stable: equals stay as they were drawn
    return tuple(rank for _, rank in best[: wanted.kept])


def drawn(request: DiscreteSearchRequest, space: SearchSpace, wanted: WarmStart) -> tuple[int, ...]:
    """Different members, uniform over those that are valid and within the bounds; fewer where there are no more."""
    rng, judge = Random(stream_seed(request.seed, PHASE)), judge_within(request, space)
    found: dict[int, None] = {}
    vain = 0
    while len(found) < wanted.candidates and vain < VAIN:
        try:
            ((rank,), _) = valid_ranks(space, rng, 1, judge)
        except Unmet:
            if not found:
                raise
            break
        vain = vain + 1 if rank in found else 0
        found[rank] = None
    return tuple(found)


def judge_within(request: DiscreteSearchRequest, space: SearchSpace) -> Judge:
    """Whether a member meets the space's conditions on costs, and the request's bounds."""
    costs, judge = Costs(request, space), judge_of(space)
    return lambda rank: (judge is None or judge(rank)) and costs.feasible(rank)


def measured(request: DiscreteSearchRequest, space: SearchSpace, wanted: WarmStart, progress: Progress) -> Values:
    """The proxy of every member that is drawn, from where an earlier attempt left it."""
    e = wanted.evaluator
    skeletons = (request.skeleton,)
    s = opened(space, skeletons, e.dataset, e.data, seed=request.seed, device=request.device, progress=progress)
    scoring = Scoring(space, request.skeleton, s.images, seed=s.seed, device=s.device)
    members = drawn(request, space, wanted)
    found = resumed(progress)
    saved = time.monotonic()

    def save() -> None:
        values = {str(rank): value for rank, value in found.items()}
        progress.checkpoint(PHASE, 0, lambda file: checkpoint.save(file, {}, {"values": values}))

    for rank in members:
        if rank not in found:
            found[rank] = scoring.scores(space.plan.unrank(rank), (wanted.proxy,), e.images)[wanted.proxy].score.value
            progress.report(PHASE, 0, 1, {}, step=len(found), steps=len(members))
        if reason := progress.should_stop():
            save()
            raise Stopped(reason)
        if time.monotonic() - saved > CHECKPOINT_SECONDS:
            save()
            saved = time.monotonic()
    progress.report(PHASE, 1, 1, {"members": float(len(found))})
    return found


def resumed(progress: Progress) -> Values:
    """What an earlier attempt measured."""
    saved = progress.resume()
    if saved is None or saved.phase != PHASE:
        return {}
    match checkpoint.load(saved.file)[1]:
        case {"values": dict(values)}:
            return {int(rank): value for rank, value in values.items()}
        case other:
            raise checkpoint.CheckpointError(f"{saved.file}: its record has no values, only {sorted(other)}")


def write(file: Path, wanted: WarmStart, found: Values) -> None:
    """Every member that was drawn with its value, as JSON."""
    members = [{"index": str(rank), "value": value} for rank, value in found.items()]
    file.write_text(json.dumps(asdict(wanted) | {"members": members}))
