"""Reports of comparisons as pictures: every strategy's anytime curve with its band, and what the tests say."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.api.comparison_tables import Report
from app.architecture.draw import Theme
from app.architecture.draw.course import Line, draw_courses

SENTENCES = 6  # of what the tests say; the report has all
NOTES = 3


def drawn_report(report: Report, space: Mapping[str, Any], *, width: int, theme: Theme) -> str:
    """The curves. What is to be known before the numbers stands above them, such as that it is an oracle experiment."""
    compared = report["compared"]
    what = "hypervolume of the front" if compared == "hypervolume" else f"best {compared}"
    lines = [line_of(one) for one in report["strategies"]]
    table = report["table"]
    level = None
    if table is not None and table["random"]:
        lines.append(
            Line(
                name="random, exact expectation",
                says=number(table["random"][-1]),
                at=table["at"],
                values=table["random"],
            )
        )
    if table is not None and report["reference"] is None:
        level = ("best of the table", table["best"][compared])
    elif table is not None:
        level = ("true front", table["front_hypervolume"])
    return draw_courses(
        f"{space['name']}@{space['version']}: {what} by {report['evaluator']}",
        lines,
        across=f"evaluations, of {report['budget']}",
        up=f"{compared}: mean over the seeds, and a band from the 10th to the 90th percentile",
        larger_is_better=report["goal"] == "maximise",
        above=above(report),
        below=below(report),
        level=level,
        width=width,
        theme=theme,
    )


def line_of(one: Mapping[str, Any]) -> Line:
    """A strategy's curve."""
    curve = one["curve"]
    return Line(
        name=one["label"], says=ends(one), at=curve["at"], values=curve["mean"], low=curve["p10"], high=curve["p90"]
    )


def ends(one: Mapping[str, Any]) -> str:
    """What a strategy ends at."""
    if one["mean"] is None:
        return "nothing that counts was measured"
    deviation = "" if one["deviation"] is None else f" ± {one['deviation']:.3g}"
    return f"{number(one['mean'])}{deviation} (n = {one['n']})"


def above(report: Report) -> Sequence[str]:
    """What stands above the curves."""
    judged = report["judged_by"]
    by = ", ".join(str(judged[name]) for name in ("dataset", "split", "recipe") if judged.get(name))
    first = [] if report["label"] is None else [report["label"]]
    return [*first, *([f"judged by {by}"] if by else [])]


def below(report: Report) -> Sequence[str]:
    """What stands below the legend: what the tests say first of all."""
    told = sorted(report["pairs"], key=lambda pair: pair["p_holm"])
    more = len(told) - SENTENCES
    sentences = [pair["says"] for pair in told[:SENTENCES]]
    return [*sentences, *([f"and {more} further pairs"] if more > 0 else []), *report["notes"][:NOTES]]


def number(value: float) -> str:
    """Six digits at most."""
    return f"{value:.6g}"
