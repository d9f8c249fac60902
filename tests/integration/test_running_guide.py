"""docs/running: every metric and label of dashboard and alerts is in a real scrape, every alert is explained."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args
from uuid import uuid4

import pytest
import yaml
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from app.api import readiness
from app.api.statuses import PROBLEM_TYPES
from app.catalogue import Database, audit, workers
from app.experiment import JobState
from app.jobs import claim, record_epoch, record_progress, submit

RUNNING = Path(__file__).parents[2] / "docs" / "running"
GUIDE = (RUNNING / "index.md").read_text()
ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load((RUNNING / "alerts.yml").read_text())["groups"] for rule in group["rules"]
]
DASHBOARD: dict[str, Any] = json.loads((RUNNING / "grafana.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]

FUNCTIONS = {
    *("sum", "min", "max", "avg", "count", "topk"),
    *("rate", "delta", "histogram_quantile", "vector"),
}
WITH_LABELS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
WORDS = WITH_LABELS | {"and", "or", "unless", "bool", "offset"}
OF_THE_SCRAPE = {"instance", "job"}
"""Labels that Prometheus adds."""

TOKEN = re.compile(
    r"""\s*(?:
    (?P<text>"(?:[^"\\]|\\.)*") | (?P<range>\[[^\]]*\]) | (?P<name>[a-zA-Z_:][\w:]*) |
    (?P<number>[0-9.]+(?:e[+-]?[0-9]+)?) | (?P<sign>=~|!~|!=|==|>=|<=|[-+*/%^<>=(){},])
    )""",
    re.VERBOSE,
)


@dataclass
class Query:
    """What a PromQL expression speaks of."""

    metrics: dict[str, dict[str, list[str]]] = field(default_factory=dict)  # by metric and label, the values asked for
    labels: set[str] = field(default_factory=set)  # by which it groups or joins


def tokens(expression: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(expression.rstrip()):
        match = TOKEN.match(expression, place)
        assert match is not None, f"{expression!r} at {place}"
        found.append((str(match.lastgroup), match[str(match.lastgroup)]))
        place = match.end()
    return found


def parsed(expression: str) -> Query:
    """The metrics, matchers and labels of an expression; a function that is not known here fails."""
    query, words, place = Query(), tokens(expression), 0
    while place < len(words):
        kind, word = words[place]
        following = words[place + 1][1] if place + 1 < len(words) else ""
        place += 1
        if kind != "name":
            continue
        if word in WITH_LABELS:
            assert following == "(", expression
            while words[place][1] != ")":
                place += 1
                if words[place][0] == "name":
                    query.labels.add(words[place][1])
        elif following == "(" or (following in WITH_LABELS and word in FUNCTIONS):
            assert word in FUNCTIONS, f"{word} in {expression!r}"
        elif word not in WORDS:
            asked = query.metrics.setdefault(word, {})
            if following == "{":
                while words[place][1] != "}":
                    place += 1
                    if words[place][0] == "name":
                        label, sign, (_, value) = words[place][1], words[place + 1][1], words[place + 2]
                        values = json.loads(value)
                        asked.setdefault(label, []).extend(values.split("|") if "~" in sign else [values])
    return query


def test_an_expression_is_read() -> None:
    found = parsed(
        'max by (queue) (a_b{state="queued", kind=~"x|y"} > on (instance) group_left () (2 * c)) '
        "and on () histogram_quantile(0.95, sum by (le) (rate(d_bucket[10m]))) > 1e3"
    )
    assert found.metrics == {"a_b": {"state": ["queued"], "kind": ["x", "y"]}, "c": {}, "d_bucket": {}}
    assert found.labels == {"queue", "instance", "le"}
    with pytest.raises(AssertionError, match="raet"):
        parsed("raet(d_bucket[5m])")


@pytest.fixture(scope="module")
def scraped(api: TestClient, api_database: Database) -> dict[str, dict[str, set[str]]]:
    """Values by metric and label, of a service where something of everything goes on."""
    with api_database.transaction() as session:
        for state in ("idle", "busy"):
            workers.beat(
                session,
                id=uuid4(),
                host="here",
                pid=1,
                queues=["cpu"],
                devices=["cpu"],
                gpu=f"GPU-{state}",
                state=state,
                gpu_utilisation=0.5,
                gpu_memory_used=1,
                gpu_memory_total=2,
            )
        for _ in range(2):
            submit(session, kind="tally", request={}, owner="ada", queue="cpu")
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=30)
        assert taken is not None
        data = {"phase": "search", "epoch": 1, "epochs": 2, "metrics": {}}
        record_epoch(session, taken.lease, data | {"step": None, "steps": None})
        record_progress(session, taken.lease, data | {"step": 3, "steps": 9})
        audit.record(session, action="upkeep.end")
    assert api.get("/v1/jobs/none").status_code >= 400
    found: dict[str, dict[str, set[str]]] = {}
    for family in text_string_to_metric_families(api.get("/metrics").text):
        for sample in family.samples:
            labels = found.setdefault(sample.name, {})
            for label, value in sample.labels.items():
                labels.setdefault(label, set()).add(value)
    return found


KNOWN_VALUES = {
    "part": set(get_args(readiness.Part)),
    "state": {*get_args(JobState), "idle", "busy", "draining"},
    "problem": set(PROBLEM_TYPES),
    "status": {str(status) for status, _ in PROBLEM_TYPES.values()} | {"2xx", "3xx", "4xx", "5xx"},
    "job": {"cellar"},
}


@pytest.mark.parametrize("expression", [*(rule["expr"] for rule in ALERTS), *QUERIES])
def test_metrics_and_labels_are_those_of_a_scrape(expression: str, scraped: dict[str, dict[str, set[str]]]) -> None:
    query = parsed(expression)
    assert query.metrics, expression
    labels: set[str] = set(OF_THE_SCRAPE)
    for metric, asked in query.metrics.items():
        if metric == "up":  # Prometheus' own
            continue
        assert metric in scraped, metric
        labels |= scraped[metric].keys()
        assert asked.keys() <= scraped[metric].keys() | OF_THE_SCRAPE, metric
        for label, values in asked.items():
            assert set(values) <= KNOWN_VALUES[label], (metric, label)
    assert query.labels <= labels, expression


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", GUIDE)
    assert len(links) > 8
    for link in links:
        path, _, heading = link.partition("#")
        assert (RUNNING / path).exists(), link
        assert not heading or heading in [name.lower() for name in re.findall(r"^#+ (.+)$", GUIDE, re.MULTILINE)], link


def test_every_alert_is_whole_and_explained() -> None:
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names) > 15
    for rule in ALERTS:
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert re.fullmatch(r"[0-9]+[mh]", rule["for"])
        assert rule["annotations"]["summary"]
    assert re.findall(r"^### (\w+)$", GUIDE, re.MULTILINE) == names, "headings and alerts are the same, in one order"


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    (source,) = DASHBOARD["templating"]["list"]
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        squares = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert max(x for x, _ in squares) < 24
        assert not squares & taken, panel["title"]
        taken |= squares
        assert panel["description"]
        for target in panel["targets"]:
            assert (
                target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": f"${{{source['name']}}}"}
            )


def test_the_guide_names_the_metrics_that_there_are(scraped: dict[str, dict[str, set[str]]]) -> None:
    rows = re.findall(r"^\| ((?:`[a-z_]+`(?:, )?)+) \| ?((?:`[a-z]+`(?:, )?)*) \|", GUIDE, re.MULTILINE)
    told = {
        name: set(re.findall(r"`(\w+)`", labels))
        for names, labels in rows
        for name in re.findall(r"`((?:cellar|http)_\w+)`", names)
    }
    families = {
        re.sub(r"^(http_request_duration_seconds)_\w+$", r"\1", name): labels.keys() - {"le"}
        for name, labels in scraped.items()
        if name.startswith(("cellar_", "http_")) and not name.endswith("_created")
    }
    assert told == families
