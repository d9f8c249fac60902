"""The checklist over HTTP: answered by what the catalogue holds, as JSON and as a page."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from uuid import uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

from app.catalogue import Database
from app.experiment import ORACLE, ComparedStrategy, ComparisonRequest
from app.settings import Settings
from tests.integration.recorded import run_next, search, submitted, table

RANKS = tuple(range(7000, 9000, 4))
EVOLUTION = {"strategy": "evolution", "parameters": {"population": 20, "tournament": 10}}
VOID = {"meta", "link"}


@pytest.fixture(scope="module", autouse=True)
def tabulated(api_database: Database) -> None:
    for split in ("selection", "test"):
        table(api_database, {rank: {"accuracy": 60 + rank % 37} for rank in RANKS}, split=split)


def checklist_of(api: TestClient, id: str) -> dict:
    answer = api.get(f"/v1/searches/{id}/checklist")
    assert answer.status_code == 200, answer.text
    return answer.json()


def answers(view: dict) -> dict[str, str]:
    return {item["number"]: item["answer"] for item in view["items"]}


class Page(HTMLParser):
    """What a page holds; fails where its elements are not closed in order."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(source)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f" {data}"


def page_of(api: TestClient, id: str) -> tuple[Page, str]:
    answer = api.get(f"/v1/searches/{id}/checklist.html")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    return Page(answer.text), answer.text


def test_a_search_answers_more_the_more_is_done(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    request = search(api_database, **EVOLUTION, budget=200, split="test")
    first = submitted(api_database, request)
    waiting = answers(checklist_of(api, first))
    assert [waiting[number] for number in ("1b", "2a", "2g", "3b", "3c", "s1", "s2", "s3", "s4")] == [
        *("cannot be known", "not applicable", "no", "cannot be known", "no"),
        *("no", "cannot be known", "cannot be known", "cannot be known"),
    ]
    run_next(api_settings, api_database, first)
    alone = checklist_of(api, first)
    assert (alone["oracle"], alone["label"], alone["state"]) == (True, ORACLE, "succeeded")
    assert sum(alone["counts"].values()) == len(alone["items"]) == 19
    found = answers(alone)
    assert [found[number] for number in ("1b", "2g", "2h", "3a", "3b", "3c", "s2", "s3", "s4")] == [
        *("yes", "no", "yes", "not applicable", "yes", "yes", "yes", "cannot be known", "yes")
    ]
    for item in alone["items"]:
        if item["link"] is not None:
            assert api.get(item["link"]).status_code == 200, item

    other = submitted(api_database, replace(request, seed=8))
    run_next(api_settings, api_database, other)
    longer = submitted(api_database, replace(request, seed=9, budget=201))
    run_next(api_settings, api_database, longer)
    again = api.post(f"/v1/searches/{first}/replay").json()["id"]
    run_next(api_settings, api_database, again)
    more = checklist_of(api, first)
    items = {item["number"]: item for item in more["items"]}
    assert items["2g"]["evidence"] == "2 runs that differ in nothing but the seed: 0, 8"
    assert (items["s3"]["answer"], items["s3"]["link"]) == ("yes", f"/v1/searches/{again}/replay")
    assert api.get(items["s3"]["link"]).json()["identical"] is True


def test_a_comparison_on_the_same_footing_answers(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    request = search(api_database, **EVOLUTION, budget=150)
    first = submitted(api_database, request)
    run_next(api_settings, api_database, first)
    strategies = (
        ComparedStrategy(label="chance", strategy="random", parameters={}),
        ComparedStrategy(label="<b>ours</b>", strategy="evolution", parameters=EVOLUTION["parameters"]),
        ComparedStrategy(label="few", strategy="evolution", parameters={"population": 5, "tournament": 2}),
    )
    elsewhere = ComparisonRequest(
        search=replace(request, budget=149), strategies=strategies, seeds=(0, 1, 2), device="cpu"
    )
    run_next(api_settings, api_database, submitted(api_database, elsewhere, kind="comparison"))
    assert answers(checklist_of(api, first))["2a"] == "not applicable", "of another budget"
    compared = submitted(api_database, replace(elsewhere, search=request), kind="comparison")
    run_next(api_settings, api_database, compared)
    found = {item["number"]: item for item in checklist_of(api, first)["items"]}
    for number in ("2a", "2b", "2c", "2d", "2e", "2f", "2g", "2h"):
        assert found[number]["answer"] == "yes", found[number]
    assert found["2f"]["link"] == f"/v1/comparisons/{compared}"
    page, source = page_of(api, first)
    assert "<b>ours</b>" not in source
    assert "chance, <b>ours</b>, few" in page.text


def test_a_page_stands_alone_and_escapes_what_it_shows(api: TestClient, api_database: Database) -> None:
    id = submitted(api_database, search(api_database, split="test"))
    page, source = page_of(api, id)
    assert ORACLE in page.text
    assert page.text.index(ORACLE) < page.text.index("Were all methods judged")
    assert not re.search(r"<script|<style|\sstyle=|\son\w+=|https?://", source)
    for tag, attributes in page.tags:
        for name in ("href", "src"):
            assert (attributes.get(name) or "/").startswith("/"), (tag, attributes)
    (sheet,) = [a["href"] for tag, a in page.tags if tag == "link" and a["rel"] == "stylesheet"]
    assert api.get(str(sheet)).headers["content-type"].startswith("text/css")
    assert [a["lang"] for tag, a in page.tags if tag == "html"] == ["en"]
    headings = [tag for tag, _ in page.tags if tag in ("h1", "h2")]
    assert headings == ["h1", "h2", "h2", "h2", "h2"]
    for item in checklist_of(api, id)["items"]:
        assert item["question"] in page.text
        assert item["evidence"] in page.text
    api.post(f"/v1/jobs/{id}/cancel")


def test_what_decides_by_selection_has_no_label(api: TestClient, api_database: Database) -> None:
    id = submitted(api_database, search(api_database))
    page, _ = page_of(api, id)
    assert "oracle" not in page.text
    assert "role" not in {name for _, attributes in page.tags for name in attributes}
    api.post(f"/v1/jobs/{id}/cancel")


def test_text_of_a_table_is_text_on_the_page(api: TestClient, api_database: Database) -> None:
    hostile = "<script>alert(1)</script>\" onload='x"
    table(api_database, {12_000: {"accuracy": 50.0}}, split="weights")
    with api_database.transaction() as session:
        changed = "UPDATE jobs SET request = jsonb_set(request::jsonb, '{table,source}', to_jsonb(CAST(:s AS text)))"
        session.execute(text(f"{changed} WHERE kind = 'table'"), {"s": hostile})
    id = submitted(api_database, search(api_database, split="weights"))
    page, source = page_of(api, id)
    assert "<script" not in source
    assert hostile in page.text
    api.post(f"/v1/jobs/{id}/cancel")


def test_supernet_searches_have_a_checklist_too(api: TestClient) -> None:
    id = api.post("/v1/searches", json={"space": "darts", "dataset": "digits"}).json()["id"]
    found = answers(checklist_of(api, id))
    assert (found["2f"], found["s1"], found["s4"]) == ("yes", "yes", "not applicable")
    page, _ = page_of(api, id)
    assert "darts on darts@1, seed 0" in " ".join(page.text.split())
    api.post(f"/v1/jobs/{id}/cancel")


def test_strangers_searches_are_not_there(api: TestClient) -> None:
    for suffix in ("checklist", "checklist.html"):
        assert api.get(f"/v1/searches/{uuid4()}/{suffix}").status_code == 404
