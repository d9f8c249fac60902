"""Comparisons of strategies: a job that runs them, and its report as JSON, as tables and as a drawing."""

from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse, StreamingResponse

from app.api.comparison_drawings import drawn_report
from app.api.comparison_requests import APART, comparison_request, planned_comparison
from app.api.comparison_searches import compared
from app.api.comparison_tables import curve_lines, lines_response, strategy_lines
from app.api.dependencies import ServicesHere
from app.api.drawings import PAGE_WIDTH, SVG, SVG_MEDIA_TYPE, ThemeQuery, WidthQuery, svg_response
from app.api.evaluations import CSV
from app.api.library import find_space
from app.api.records import AnyComparisonHere
from app.api.schemas.job import JobView
from app.api.schemas.space import SpaceIdentity
from app.api.schemas.strategy_comparison import (
    ComparisonPlanView,
    ComparisonReportView,
    ComparisonView,
    SearchesBody,
    StrategyComparisonBody,
)
from app.api.searches import part_of
from app.api.statuses import declared
from app.api.submissions import DryRun, SubmissionHere, submitted, written
from app.api.views import is_oracle, label_of
from app.catalogue import Job

router = APIRouter(prefix="/v1/comparisons", tags=["experiments"])

ANY_FORM: dict[int | str, dict[str, Any]] = {
    200: {
        "model": ComparisonReportView,
        "description": "The report, in the form that was asked for",
        "content": {media: {"schema": {"type": "string"}} for media in ("text/csv", SVG_MEDIA_TYPE)},
    }
}


@router.post(
    "",
    status_code=202,
    response_model=JobView,
    responses={
        200: {"model": ComparisonPlanView, "description": "A dry run"},
        **declared("not-measured", "mixed-results"),
    },
)
def start_comparison(
    services: ServicesHere,
    body: StrategyComparisonBody,
    how: SubmissionHere,
    dry_run: DryRun = False,
) -> JSONResponse:
    """Run the same search by several strategies, once a seed each, and report which is better and how sure that is."""
    space = find_space(services, body.space)
    request = comparison_request(services, space, body)
    if dry_run:
        return written(planned_comparison(services, space, request))
    return submitted(services, request, how)


@router.post("/of-searches", response_model=None, responses=ANY_FORM | declared("mixed-results"))
def compare_searches(services: ServicesHere, body: SearchesBody) -> Response:
    """The report that a comparison would have made, from discrete searches that have succeeded.

    It is refused where the searches differ in anything but strategy, parameters and seed; the answer names every place.
    """
    space, report = compared(services, [UUID(id) for id in body.searches])
    match body.form:
        case "csv":
            return lines_response(strategy_lines(report), "comparison")
        case "curves":
            return lines_response(curve_lines(report), "comparison-curves")
        case "svg":
            return svg_response(drawn_report(report, space, width=body.width, theme=body.theme))
        case "json":
            view = {"comparison_id": None, "space": space, "report": report}
            return written(ComparisonReportView.model_validate(view))


@router.get("/{comparison_id}")
def get_comparison(job: AnyComparisonHere) -> ComparisonView:
    """A comparison as it stands."""
    here, request = f"/v1/comparisons/{job.id}", job.request
    search = request["search"]
    links = {
        "self": here,
        "job": f"/v1/jobs/{job.id}",
        "report": f"{here}/report",
        "table": f"{here}/report.csv",
        "curves": f"{here}/curves.csv",
        "drawing": f"{here}/report.svg",
        "provenance": f"{here}/provenance",
    }
    if search["evaluator"]["kind"] in APART:
        links["runs"] = f"/v1/jobs?parent={job.id}"
    return ComparisonView(
        id=str(job.id),
        state=job.state,
        space=space_of(job),
        evaluator=search["evaluator"]["kind"],
        objectives=search["objectives"],
        strategies=[one["label"] for one in request["strategies"]],
        seeds=request["seeds"],
        budget=search["budget"],
        runs=len(request["strategies"]) * len(request["seeds"]),
        oracle=is_oracle(request),
        label=label_of(request),
        links=links,
    )


@router.get("/{comparison_id}/report", responses=declared("no-result"))
def get_comparison_report(job: AnyComparisonHere) -> ComparisonReportView:
    """Every strategy over its seeds, every pair tested, and random search's exact expectation where it is known.

    Of a cancelled comparison the runs that were done.
    """
    return ComparisonReportView(comparison_id=str(job.id), space=space_of(job), report=part_of(job, "report"))


@router.get("/{comparison_id}/report.csv", response_class=StreamingResponse, responses=CSV | declared("no-result"))
def export_comparison(job: AnyComparisonHere) -> StreamingResponse:
    """The report as comma-separated values, a line a strategy."""
    return lines_response(strategy_lines(part_of(job, "report")), f"comparison-{job.id}")


@router.get("/{comparison_id}/curves.csv", response_class=StreamingResponse, responses=CSV | declared("no-result"))
def export_curves(job: AnyComparisonHere) -> StreamingResponse:
    """The anytime curves as comma-separated values, a line a strategy and number of evaluations."""
    return lines_response(curve_lines(part_of(job, "report")), f"comparison-{job.id}-curves")


@router.get("/{comparison_id}/report.svg", response_class=Response, responses=SVG | declared("no-result"))
def draw_comparison(job: AnyComparisonHere, theme: ThemeQuery = "auto", width: WidthQuery = PAGE_WIDTH) -> Response:
    """The anytime curves as a drawing: means, bands from the 10th to the 90th percentile, and what the tests say."""
    return svg_response(drawn_report(part_of(job, "report"), job.request["search"]["space"], width=width, theme=theme))


def space_of(job: Job) -> SpaceIdentity:
    """The space that a comparison searches."""
    return SpaceIdentity(**job.request["search"]["space"])
