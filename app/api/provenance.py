"""Provenance in one row: what decided a search or a comparison, and who may see it."""

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse

from app.api.dependencies import ServicesHere
from app.api.records import AnyComparisonHere, request_of
from app.api.schemas.provenance import ProvenanceView
from app.api.searches import SearchHere
from app.api.services import Services
from app.api.tabulated import FORMULA
from app.api.views import is_oracle, label_of
from app.catalogue import EvaluationQuery, Job
from app.catalogue.repositories.origins import tables_behind
from app.experiment import (
    CatalogueEvaluator,
    ComparisonRequest,
    Dataset,
    DiscreteSearchRequest,
    Evaluator,
    InheritedEvaluator,
    ProxyEvaluator,
    SearchRequest,
    TrainingEvaluator,
    recipe_digest,
)

router = APIRouter(prefix="/v1", tags=["experiments"])

ONE_LINE: dict[int | str, dict[str, Any]] = {
    200: {"description": "A header and one line", "content": {"text/csv": {"schema": {"type": "string"}}}}
}


@router.get("/searches/{search_id}/provenance")
def get_provenance(services: ServicesHere, job: SearchHere) -> ProvenanceView:
    """Everything that decided a search, as one flat object: what, how, judged by what, by which code, when, where."""
    return provenance_of(services, job)


@router.get("/searches/{search_id}/provenance.csv", response_class=StreamingResponse, responses=ONE_LINE)
def export_provenance(services: ServicesHere, job: SearchHere) -> StreamingResponse:
    """The same as a header and one line of comma-separated values."""
    return as_line(provenance_of(services, job), f"search-{job.id}")


@router.get("/comparisons/{comparison_id}/provenance")
def get_comparison_provenance(services: ServicesHere, job: AnyComparisonHere) -> ProvenanceView:
    """Everything that decided a comparison, as one flat object: the same for all of its strategies and seeds."""
    return provenance_of(services, job)


@router.get("/comparisons/{comparison_id}/provenance.csv", response_class=StreamingResponse, responses=ONE_LINE)
def export_comparison_provenance(services: ServicesHere, job: AnyComparisonHere) -> StreamingResponse:
    """The same as a header and one line of comma-separated values."""
    return as_line(provenance_of(services, job), f"comparison-{job.id}")


def provenance_of(services: Services, job: Job) -> ProvenanceView:
    """The row of a search or a comparison."""
    row: dict[str, Any] = dict.fromkeys(ProvenanceView.model_fields)
    match request_of(job):
        case SearchRequest() as asked:
            row |= of_supernet(asked)
        case DiscreteSearchRequest() as asked:
            row |= of_discrete(services, asked, job)
        case ComparisonRequest() as asked:
            strategies = text_of([asdict(one) for one in asked.strategies])
            none = dict.fromkeys(("strategy", "parameters", "seed"))
            row |= of_discrete(services, asked.search, job) | none
            row |= {"strategies": strategies, "seeds": text_of(asked.seeds)}
    return ProvenanceView.model_validate(row | of_job(job))


def of_job(job: Job) -> dict[str, Any]:
    """What the job and its result say, whatever it searched."""
    space, result = job.request.get("search", job.request)["space"], job.result or {}
    report: Mapping[str, Any] = result.get("report") or {}
    judged: Mapping[str, Any] = report.get("judged_by") or {}
    return {
        "id": str(job.id),
        "kind": job.kind,
        "state": job.state,
        "oracle": is_oracle(job.request),
        "label": label_of(job.request),
        "visibility": job.visibility,
        "replays": job.request.get("replays"),
        "space_name": space["name"],
        "space_version": space["version"],
        "space_digest": space["digest"],
        "results": judged.get("results"),
        "results_digest": judged.get("results_digest"),
        "judged_by": text_of(judged) if judged else None,
        "evaluations": report.get("evaluations"),
        "failed": report.get("failed"),
        "found": None if result.get("genotype") is None else text_of(result["genotype"]),
        "code_version": result.get("code_version"),
        "torch_version": result.get("torch_version"),
        "device": result.get("device"),
        "device_asked": job.device,
        "queue": job.queue,
        "attempts": job.attempt,
        "submitted_at": job.submitted_at,
        "started_at": job.started_at,
        "finished_at": job.finished_at,
        "seconds": result.get("seconds"),
        "gpu_seconds": job.gpu_seconds,
    }


def of_supernet(asked: SearchRequest) -> dict[str, Any]:
    """What decided a supernet search; of seeds and bounds those that were asked for."""
    parameters: dict[str, Any] = {"discretisation": asked.discretisation, "baseline": asked.baseline}
    parameters |= {"seeds": list(asked.seeds)} if asked.seeds else {}
    parameters |= {name: bound for name, bound in asdict(asked.bounds).items() if bound is not None}
    return skeleton_of(asked.skeleton) | {
        "strategy": asked.strategy,
        "parameters": text_of(parameters),
        "seed": asked.seed,
        "evaluator": "supernet",
        "dataset": asked.dataset,
        "dataset_digest": digest_of(asked.data),
        "split": "selection",
        "recipe": asked.recipe.name,
        "recipe_digest": recipe_digest(asked.recipe),
        "retrain_dataset": asked.retrain_dataset or asked.dataset,
        "retrain_recipe": asked.retrain_recipe.name,
        "retrain_recipe_digest": recipe_digest(asked.retrain_recipe),
    }


def of_discrete(services: Services, asked: DiscreteSearchRequest, job: Job) -> dict[str, Any]:
    """What decided a discrete search, or each of a comparison's."""
    warm = asked.warm_start
    return (
        skeleton_of(asked.skeleton)
        | {
            "strategy": asked.strategy,
            "parameters": text_of(asked.parameters),
            "seed": asked.seed,
            "budget": asked.budget,
            "batch": asked.batch,
            "repeats": asked.repeats,
            "objectives": text_of([asdict(one) for one in asked.objectives]),
            "bounds": text_of(asdict(asked.bounds)),
            "warm_start": None
            if warm is None
            else text_of(
                {
                    "proxy": warm.proxy,
                    "dataset": warm.evaluator.dataset,
                    "images": warm.evaluator.images,
                    "candidates": warm.candidates,
                    "kept": warm.kept,
                }
            ),
            "evaluator": asked.evaluator.kind,
            "dataset": asked.evaluator.dataset,
        }
        | of_evaluator(asked.evaluator)
        | (origins(services, asked, asked.evaluator) if isinstance(asked.evaluator, CatalogueEvaluator) else {})
    )


def of_evaluator(evaluator: Evaluator) -> dict[str, Any]:
    """What an evaluator is made of."""
    match evaluator:
        case CatalogueEvaluator():
            return {
                "split": evaluator.split,
                "evaluation": evaluator.evaluation,
                "recipe": evaluator.recipe_name,
                "recipe_digest": evaluator.recipe_digest,
                "fidelities": text_of([asdict(at) for at in evaluator.fidelities]) if evaluator.fidelities else None,
                "as_of": evaluator.as_of,
            }
        case TrainingEvaluator() | InheritedEvaluator():
            inherited = isinstance(evaluator, InheritedEvaluator)
            seeds = None if inherited else text_of(evaluator.seeds)
            recipe = evaluator.learnt if inherited else evaluator.recipe
            return {
                "split": "selection",
                "dataset_digest": digest_of(evaluator.data),
                "recipe": recipe.name,
                "recipe_digest": recipe_digest(recipe),
                "training_seeds": seeds,
            }
        case ProxyEvaluator():
            return {"split": "weights", "dataset_digest": digest_of(evaluator.data)}


def origins(services: Services, asked: DiscreteSearchRequest, evaluator: CatalogueEvaluator) -> dict[str, Any]:
    """The published tables that a catalogue's results are from, as far as the caller sees them."""
    digests = {at.recipe_digest for at in evaluator.fidelities} or {evaluator.recipe_digest}
    with services.database.transaction() as session:
        found = {
            origin
            for digest in digests
            for origin in tables_behind(
                session,
                EvaluationQuery(
                    viewer=services.caller.owner,
                    space=asked.space.digest,
                    dataset=evaluator.dataset,
                    split=evaluator.split,
                    kind=evaluator.evaluation,
                    recipe=digest,
                ),
                datetime.fromisoformat(evaluator.as_of),
            )
        }
    tables = sorted(found, key=lambda origin: origin.sha256)

    def said(values: list[str]) -> str | None:
        return values[0] if len(values) == 1 else text_of(values) if values else None

    return {
        "tables": len(tables),
        "table_source": said([table.source for table in tables]),
        "table_licence": said([table.licence for table in tables]),
        "table_sha256": said([table.sha256 for table in tables]),
    }


def skeleton_of(skeleton: Any) -> dict[str, Any]:
    """A skeleton and its digest."""
    document = asdict(skeleton)
    return {
        "skeleton": text_of(document),
        "skeleton_digest": hashlib.sha256(text_of(document, compact=True).encode()).hexdigest(),
    }


def digest_of(data: Dataset | None) -> str | None:
    """The digest of a registered data set's file."""
    return None if data is None or data.stored is None else data.stored.digest


def text_of(value: object, *, compact: bool = False) -> str:
    """A document as JSON text; compact: the one form that a digest is of."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")) if compact else json.dumps(value)


def as_line(row: ProvenanceView, name: str) -> StreamingResponse:
    """A header and a line. Text that a spreadsheet would take for a formula begins with `'`."""
    values = row.model_dump(mode="json")
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(values)
    writer.writerow(
        [f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value for value in values.values()]
    )
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(iter((written.getvalue(),)), media_type="text/csv", headers=headers)
