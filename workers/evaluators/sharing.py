"""What sharing weights is worth: members, drawn uniformly, judged with inherited weights and trained from scratch.

    child                   what it does
    sharing-5feceb66-seed-0 trains the first of them, from seed 0
    …
    sharing-0-8c…           judges some of them, where the search's own members are judged by jobs too

Asked once a search is over. All children are asked for at once.
"""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from statistics import fmean, stdev

from app.architecture import judge_of
from app.experiment import SharedMember, SharingCheck, SharingReport, TrainingRequest, sharing_report
from app.space import SearchSpace
from app.space.validity import valid_ranks
from workers.evaluators.inherited import Inherited
from workers.evaluators.judged import SPLIT
from workers.evaluators.protocol import Reading
from workers.evaluators.training import mark, measured, reason
from workers.progress import ChildRequest, Ended
from workers.strategies.discrete import Proposal
from workers.training.determinism import stream_seed

VAIN = 20  # draws of as many members as are sought, without a new one among them, after which there are no more


def sharing(inherited: Inherited) -> SharingReport | None:
    """The report that the search asks for, if any. Raises Waiting until the trainings have ended."""
    check = inherited.evaluator.check
    if check is None:
        return None
    inherited.supernet.train()  # it was, before anything was measured: found, where this is a later attempt
    sought = [Proposal(rank) for rank in sample(inherited.session.space, check.members, inherited.request.seed)]
    trainings = {
        proposal: {name(proposal, seed): training(inherited, check, proposal, seed) for seed in check.seeds}
        for proposal in sought
    }
    asked = {name: request for of_seeds in trainings.values() for name, request in of_seeds.items()}
    judgings = inherited.divided("sharing", sought) if inherited.evaluator.children else {}
    ended = inherited.session.progress.children({**asked, **judgings})
    if judgings:
        readings = [one for name in judgings for one in inherited.told(judgings[name].request, ended[name])]
    else:
        readings = [inherited.judge(proposal).reading() for proposal in sought]
    inherited.gpu_seconds += sum(ended[name].gpu_seconds for name in asked)
    pairs: list[SharedMember] = []
    notes: list[str] = []
    for proposal, reading in zip(sought, readings, strict=True):
        match paired(proposal, reading, [ended[name] for name in trainings[proposal]]):
            case str(why):
                notes.append(f"member {proposal.rank} is left out: {why}")
            case pair:
                pairs.append(pair)
    if len(sought) < check.members:
        notes.append(f"{check.members} members were asked for, and {len(sought)} were found")
    return sharing_report(check, pairs, split=SPLIT, seed=inherited.request.seed, notes=notes)


def sample(space: SearchSpace, count: int, seed: int) -> list[int]:
    """So many valid members, all different, uniformly; fewer where there are no more. Raises Unmet where there is none.

    Uniform without replacement: of members drawn again and again each counts once.
    """
    rng, judge = Random(stream_seed(seed, "sharing")), judge_of(space)
    found: dict[int, None] = {}
    vain = 0
    while len(found) < min(count, space.plan.size) and vain < VAIN:
        before = len(found)
        found.update(dict.fromkeys(valid_ranks(space, rng, count, judge)[0]))
        vain = 0 if len(found) > before else vain + 1
    return list(found)[:count]


def name(proposal: Proposal, seed: int) -> str:
    """Of the child that trains a member from a seed."""
    return f"sharing-{mark(proposal)}-seed-{seed}"


def training(inherited: Inherited, check: SharingCheck, proposal: Proposal, seed: int) -> ChildRequest:
    """A member from scratch, on the skeleton and the data set of the supernet."""
    request, evaluator = inherited.request, inherited.evaluator
    return ChildRequest(
        "training",
        TrainingRequest(
            space=request.space,
            document=request.document,
            genotype=inherited.session.space.plan.unrank(proposal.rank),
            skeleton=evaluator.skeleton,
            dataset=evaluator.dataset,
            data=evaluator.data,
            recipe=check.recipe,
            keep_weights=False,
            seed=seed,
            device=request.device,
        ),
    )


def paired(proposal: Proposal, reading: Reading, trainings: Sequence[Ended]) -> SharedMember | str:
    """A member both ways, or why it is missing one."""
    if reading.values is None:
        return reading.failure or "it was not judged"
    found: list[float] = []
    for child, metrics in accuracies(trainings):
        if metrics is None:
            return f"a training {reason(child)}" if child.state != "succeeded" else f"no finite accuracy on {SPLIT}"
        found.append(metrics)
    return SharedMember(
        index=str(proposal.rank),
        inherited=reading.values["accuracy"],
        standalone=fmean(found),
        deviation=stdev(found) if len(found) > 1 else None,
        jobs=tuple(str(child.job_id) for child in trainings),
    )


def accuracies(trainings: Sequence[Ended]) -> Iterator[tuple[Ended, float | None]]:
    """Each training with its accuracy on `selection`; None where it has none."""
    for child in trainings:
        metrics: Mapping[str, float] = measured(child) if child.state == "succeeded" else {}
        yield child, metrics.get("accuracy")
