"""Rows of the catalogue as they travel: one function a kind of row."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, cast

from app.api.schemas.architecture import ArchitectureLinks, ArchitectureView
from app.api.schemas.evaluation import EvaluationLinks, EvaluationView
from app.api.schemas.job import JobLinks, JobView, MetricView, WorkerView
from app.api.schemas.space import SpaceIdentity
from app.catalogue import Architecture, Evaluation, Job, Metric, Worker
from app.experiment import ORACLE, JobState


def space_of(architecture: Architecture) -> SpaceIdentity:
    """The space that an architecture's genotype belongs to."""
    return SpaceIdentity(
        name=architecture.space_name, version=architecture.space_version, digest=architecture.space_digest
    )


def architecture_view(row: Architecture) -> ArchitectureView:
    """An architecture as it travels."""
    here = f"/v1/architectures/{row.id}"
    return ArchitectureView(
        id=row.id,
        space=space_of(row),
        index=str(row.index),
        genotype=row.genotype,
        skeleton=dict(row.skeleton),
        input=dict(row.input),
        params=row.params,
        macs=row.macs,
        created_at=row.created_at,
        links=ArchitectureLinks(
            self=here,
            svg=f"{here}.svg",
            evaluations=f"{here}/evaluations",
            neighbours=f"{here}/neighbours",
            export=f"{here}/export?format=json",
        ),
    )


def evaluation_view(row: Evaluation) -> EvaluationView:
    """An evaluation as it travels."""
    fields = {name: getattr(row, name) for name in EvaluationView.model_fields if hasattr(row, name)}
    export = f"/v1/evaluations/{row.id}/export"
    known: dict[str, Any] = {
        "id": str(row.id),
        "space": space_of(row.architecture),
        "genotype": row.architecture.genotype,
        "recipe": row.recipe_name,
        "metrics": dict(row.metrics),
        "provenance": dict(row.provenance),
        "links": EvaluationLinks(
            architecture=f"/v1/architectures/{row.architecture_id}",
            job=f"/v1/jobs/{row.job_id}",
            export=f"{export}?format=python",
            weights=None if row.weights is None else f"{export}?format=safetensors",
        ),
    }
    return EvaluationView.model_validate(fields | known)


def job_view(row: Job, children: Mapping[JobState, int] | None = None) -> JobView:
    """A job as it travels, with the numbers of its children by state."""
    here = f"/v1/jobs/{row.id}"
    fields = {name: getattr(row, name) for name in JobView.model_fields if hasattr(row, name)}
    links = JobLinks(
        self=here,
        events=f"{here}/events",
        metrics=f"{here}/metrics",
        cancel=f"{here}/cancel",
        evaluations=f"/v1/evaluations?job={row.id}",
        parent=None if row.parent_id is None else f"/v1/jobs/{row.parent_id}",
        children=f"/v1/jobs?parent={row.id}",
    )
    known = {
        "id": str(row.id),
        "parent": None if row.parent_id is None else str(row.parent_id),
        "children": None if children is None else dict(children),
        "request": shown_request(row.request),
        "oracle": is_oracle(row.request),
        "label": label_of(row.request),
        "links": links,
    }
    return JobView.model_validate(fields | known)


def is_oracle(request: Mapping[str, Any]) -> bool:
    """Whether a job's request, of whatever kind, is to search by results on the test split."""
    search = request.get("search")
    searched: Mapping[str, Any] = cast("Mapping[str, Any]", search) if isinstance(search, Mapping) else request
    evaluator = searched.get("evaluator")
    if not isinstance(evaluator, Mapping):
        return False
    known = cast("Mapping[str, Any]", evaluator)
    return (known.get("kind"), known.get("split")) == ("catalogue", "test")


def label_of(request: Mapping[str, Any]) -> str | None:
    """What is to be shown with every number of an oracle experiment; None of anything else."""
    return ORACLE if is_oracle(request) else None


def shown_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """A job's request without the space's whole document: its name, version and digest say which one it is."""
    found = {name: value for name, value in request.items() if name != "document"}
    if isinstance(found.get("search"), Mapping):  # which a comparison runs
        found["search"] = shown_request(found["search"])
    return found


def metric_view(row: Metric) -> MetricView:
    """An epoch's metrics as they travel."""
    return MetricView(phase=row.phase, epoch=row.epoch, values=dict(row.values), created_at=row.created_at)


def worker_view(row: Worker) -> WorkerView:
    """A worker as it travels."""
    return WorkerView.model_validate(asdict(row) | {"id": str(row.id)})
