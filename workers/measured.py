"""From what a handler measured to rows of the catalogue: identity and rank are worked out before the transaction."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from app.architecture import architecture_id
from app.catalogue import Job, architectures, audit, benchmarks, counts, datasets, evaluations, profiles
from app.experiment import (
    DATASETS,
    Dataset,
    JobResult,
    MeasuredCount,
    MeasuredEvaluation,
    MeasuredProfile,
    ReadTable,
    recipe_digest,
)
from app.space import ImageInput, SearchSpace, space_from_json
from workers.fenced import finite


@dataclass(frozen=True, slots=True)
class MeasuredArchitecture:
    """An evaluation with the architecture that it is of."""

    evaluation: MeasuredEvaluation
    id: str
    index: int
    space: SearchSpace
    image: ImageInput


def measure(job: Job, outcome: JobResult) -> tuple[MeasuredArchitecture, ...]:
    """Find out which architectures a job's evaluations are of. Raises what a genotype outside its space raises."""
    if not outcome.evaluations:
        return ()
    space = space_from_json(job.request["document"])
    measured: list[MeasuredArchitecture] = []
    for evaluation in outcome.evaluations:
        genotype: Any = evaluation.genotype
        image = evaluation.input or DATASETS[evaluation.dataset].input
        id = architecture_id(space, evaluation.skeleton, image, genotype)
        measured.append(MeasuredArchitecture(evaluation, id, space.plan.rank(genotype), space, image))
    return tuple(measured)


def record(session: Session, job: Job, measured: tuple[MeasuredArchitecture, ...]) -> None:
    """Write architectures and evaluations, in the transaction that ends the job."""
    # In one order everywhere, so that two jobs that record the same architectures wait for each other, not in a ring.
    for found in sorted(measured, key=lambda m: m.id):
        evaluation = found.evaluation
        architectures.ensure(
            session,
            id=found.id,
            space=found.space.identity,
            index=found.index,
            genotype=evaluation.genotype,
            skeleton=asdict(evaluation.skeleton),
            input=asdict(found.image),
            params=evaluation.params,
            macs=evaluation.macs,
        )
        evaluations.record(
            session,
            architecture_id=found.id,
            job_id=job.id,
            kind=evaluation.kind,
            dataset=evaluation.dataset,
            split=evaluation.split,
            recipe_name=evaluation.recipe.name,
            recipe_digest=recipe_digest(evaluation.recipe),
            recipe=asdict(evaluation.recipe),
            seed=evaluation.seed,
            metrics=finite(evaluation.metrics),
            params=evaluation.params,
            macs=evaluation.macs,
            device=evaluation.device,
            torch_version=evaluation.torch_version,
            code_version=evaluation.code_version,
            seconds=evaluation.seconds,
            weights=evaluation.weights,
            provenance=evaluation.provenance,
            owner=job.owner,
            visibility=job.visibility,
        )


def record_counts(session: Session, job: Job, counted: tuple[MeasuredCount, ...]) -> None:
    """Write what was counted, in the transaction that ends the job."""
    for count in counted:
        counts.record(session, **asdict(count), job_id=job.id)


def record_datasets(session: Session, job: Job, made: tuple[Dataset, ...]) -> None:
    """Write the data sets that were made, in the transaction that ends the job."""
    for dataset in made:
        visibility = job.request.get("visibility", "private")
        datasets.register(
            session, owner=job.owner, visibility=visibility, dataset=dataset, request=job.request, job_id=job.id
        )


def record_table(session: Session, job: Job, table: ReadTable) -> dict[str, Any]:
    """Write a published table before its job is ended in the same transaction, as that takes the job's row, without
    which it has no heartbeat. Answers what becomes of the job's result."""
    written = benchmarks.keep(session, table, owner=job.owner, visibility=job.visibility, job_id=job.id)
    if not written.known:
        subject = f"/v1/jobs/{job.id}"
        audit.record(session, action="table.add", subject=subject, of=job.owner, sha256=table.request.sha256)
    return written.result


def record_profiles(session: Session, job: Job, measured: tuple[MeasuredProfile, ...]) -> None:
    """Write latencies and memories with the architectures they are of, in the transaction that ends the job."""
    known = {p.architecture.id: p for p in measured if p.architecture is not None}
    for id, found in sorted(known.items()):
        what = found.architecture
        assert what is not None, "only those were chosen"
        architectures.ensure(
            session,
            id=id,
            space=job.request["space"],
            index=what.index,
            genotype=what.genotype,
            skeleton=asdict(what.skeleton),
            input=asdict(what.input),
            params=found.params,
            macs=found.macs,
        )
    rows = [
        {name: value for name, value in asdict(p).items() if name != "architecture"}
        | {"architecture_id": None if p.architecture is None else p.architecture.id}
        for p in measured
    ]
    profiles.record(session, job_id=job.id, owner=job.owner, visibility=job.visibility, rows=rows)
