"""Reports of comparisons as comma-separated values: a line a strategy, or a line a strategy and place of its curve."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fastapi.responses import StreamingResponse

from app.api.tabulated import FORMULA

Report = Mapping[str, Any]  # a ComparisonReport as JSON has it

OF_A_STRATEGY = (
    *("label", "strategy", "parameters", "n", "missing", "mean", "deviation", "median", "least", "most", "area"),
    *("reached", "evaluations_to_target", "regret", "of_front", "evaluations", "failed", "strategy_seconds", "seconds"),
    "gpu_hours",
)
OF_THE_REPORT = ("compared", "goal", "target", "budget", "batch", "evaluator", "oracle", "label")
JUDGED = ("dataset", "split", "recipe", "recipe_digest", "results_digest")
OF_A_PLACE = ("mean", "deviation", "p10", "p50", "p90", "runs", "ended")


def strategy_lines(report: Report) -> Iterator[Sequence[Any]]:
    """A heading, and a line for each strategy with what it was compared by."""
    yield [*OF_A_STRATEGY, "better_than", "worse_than", *OF_THE_REPORT[:-1], "oracle_label", *JUDGED]
    common = [report[name] for name in OF_THE_REPORT] + [report["judged_by"].get(name) for name in JUDGED]
    for one in report["strategies"]:
        own = [parameters_of(one) if name == "parameters" else one[name] for name in OF_A_STRATEGY]
        decided = [
            pair for pair in report["pairs"] if pair["better"] and one["label"] in (pair["first"], pair["second"])
        ]
        better = [other(pair, one["label"]) for pair in decided if pair["better"] == one["label"]]
        worse = [other(pair, one["label"]) for pair in decided if pair["better"] != one["label"]]
        yield [*own, "; ".join(better), "; ".join(worse), *common]


def curve_lines(report: Report) -> Iterator[Sequence[Any]]:
    """A heading, and a line for each strategy and place; last random search's exact expectation, where it is known."""
    yield ["label", "evaluations", *OF_A_PLACE, "compared", "oracle_label"]
    for one in report["strategies"]:
        curve = one["curve"]
        for i, at in enumerate(curve["at"]):
            yield [one["label"], at, *(curve[name][i] for name in OF_A_PLACE), report["compared"], report["label"]]
    table = report["table"] or {"at": (), "random": ()}
    for at, value in zip(table["at"], table["random"], strict=False):
        blank = [None] * (len(OF_A_PLACE) - 1)
        yield ["(random, exact expectation)", at, value, *blank, report["compared"], report["label"]]


def parameters_of(one: Mapping[str, Any]) -> str:
    """Every parameter in one cell."""
    return " ".join(f"{name}={value}" for name, value in one["parameters"].items())


def other(pair: Mapping[str, Any], label: str) -> str:
    """The label of the other of two."""
    return pair["second"] if pair["first"] == label else pair["first"]


def written_lines(lines: Iterable[Sequence[Any]]) -> Iterator[str]:
    """As text. What a spreadsheet would take for a formula is marked as text by `'`."""
    written = io.StringIO()
    writer = csv.writer(written)
    for line in lines:
        writer.writerow([f"'{v}" if isinstance(v, str) and v.startswith(FORMULA) else v for v in line])
        yield written.getvalue()
        written.seek(0)
        written.truncate()


def lines_response(lines: Iterable[Sequence[Any]], name: str) -> StreamingResponse:
    """The answer that a browser saves as a file."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(written_lines(lines), media_type="text/csv", headers=headers)
