"""Questions to a catalogue of a few thousand rows: the answers are those of a brute force, and come from indexes."""

import csv
import io
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any
from uuid import uuid4

import pyarrow.parquet as pq
import pytest
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from app.catalogue import Database, Evaluation, EvaluationQuery, evaluations
from app.catalogue.repositories import rankings
from app.catalogue.repositories.fronts import front
from app.catalogue.repositories.imports import ArchitectureRow, EvaluationRow, import_architectures, import_evaluations
from app.experiment.fronts import hypervolume
from app.jobs import submit
from app.space.zoo import ZOO

ARCHITECTURES, EVALUATIONS = 600, 3000
VIEWER = "local"
SPACES = ("nasbench201", "chain")


def architecture_row(number: int, **changes: Any) -> ArchitectureRow:
    space = ZOO[SPACES[number % 2]]
    rng = random.Random(number)
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "space_name": space.name,
        "space_version": space.version,
        "space_digest": space.digest,
        "index": number,
        "genotype": {"b": number, "a": 0},
        "skeleton": {"family": "cells"},
        "input": {"channels": 3, "height": 32, "width": 32},
        "params": rng.randrange(1000) ** 2,
        "macs": rng.randrange(300) ** 3,
    }
    return ArchitectureRow(**(values | changes))


def evaluation_row(number: int, **changes: Any) -> EvaluationRow:
    rng = random.Random(-number)
    architecture = rng.randrange(ARCHITECTURES)
    # Whole numbers: many are equal, and only the id says which comes first. A third is better the larger it is.
    accuracy = rng.randrange(101)
    if number % 3 == 0:
        accuracy = accuracy // 10 + round(0.09 * architecture_row(architecture).params ** 0.5)
    values: dict[str, Any] = {
        "architecture_id": f"{architecture:032x}",
        "kind": rng.choice(("trained", "inherited")),
        "dataset": rng.choice(("digits", "cifar10")),
        "split": rng.choice(("test", "selection")),
        "recipe_name": (name := rng.choice(("quick", "slow"))),
        "recipe_digest": {"quick": "1", "slow": "2"}[name] * 64,
        "recipe": '{"name": "quick"}',
        "seed": number,
        "metrics": {"accuracy": float(accuracy)} if number % 50 else {"loss": 0.5},
        "seconds": 1.5,
        "device": "=cmd|' /C calc'!A0" if number == 7 else "cpu",
        "torch_version": "2.13.0",
        "code_version": "test",
    }
    return EvaluationRow(**(values | changes))


def fill(database: Database) -> None:
    """Jobs of three owners, private and public; a row that a job has already is left out."""
    with database.transaction() as session:
        assert import_architectures(session, map(architecture_row, range(ARCHITECTURES))).written == ARCHITECTURES
        groups = list(product((VIEWER, "ada", "eve"), ("private", "public")))
        for place, (owner, visibility) in enumerate(groups):
            job = submit(session, kind="import", request={}, owner=owner, queue="cpu").job
            rows = map(evaluation_row, range(place, EVALUATIONS, len(groups)))
            import_evaluations(session, rows, job_id=job.id, owner=owner, visibility=visibility)
        session.execute(text("ANALYZE"))


@pytest.fixture(scope="module")
def rows(api_database: Database) -> list[Evaluation]:
    """Every evaluation that the viewer may see, one by one."""
    fill(api_database)
    with api_database.transaction() as session:
        ids = session.execute(text("SELECT id, owner, visibility FROM evaluations")).all()
        seen = [id for id, owner, visibility in ids if owner == VIEWER or visibility == "public"]
        found = [evaluations.get(session, id, viewer=VIEWER) for id in seen]
    assert 1000 < len(found) < len(ids)
    return [row for row in found if row is not None]


def matches(row: Evaluation, query: EvaluationQuery) -> bool:
    given = {
        "space": (row.architecture.space_name, row.architecture.space_digest),
        "space_version": (row.architecture.space_version,),
        "dataset": (row.dataset,),
        "recipe": (row.recipe_name, row.recipe_digest),
        "split": (row.split,),
        "kind": (row.kind,),
        "architecture_id": (row.architecture_id,),
        "job_id": (row.job_id,),
    }
    return (
        all(getattr(query, name) in (None, *values) for name, values in given.items())
        and row.params <= (2**63 if query.max_params is None else query.max_params)
        and row.macs <= (2**63 if query.max_macs is None else query.max_macs)
    )


def brute(rows: list[Evaluation], query: EvaluationQuery) -> list[Evaluation]:
    """What a page is by its definition."""

    def place(row: Evaluation) -> Any:
        return getattr(row, query.sort), row.id

    found = [row for row in rows if matches(row, query) and getattr(row, query.sort) is not None]
    return sorted(found, key=place, reverse=query.descending)


def front_by_definition(rows: list[Evaluation], query: EvaluationQuery, size: str) -> list[Evaluation]:
    """The rows that are more accurate than every smaller one; of equals the one with the smallest id."""
    found = [row for row in rows if matches(row, query) and row.accuracy is not None]
    kept: list[Evaluation] = []
    for row in sorted(found, key=lambda row: (getattr(row, size), -(row.accuracy or 0), row.id)):
        if not kept or (row.accuracy or 0) > (kept[-1].accuracy or 0):
            kept.append(row)
    return kept


def bounds(size: int) -> st.SearchStrategy[int | None]:
    """No bound, one that anything may be, or one close to the sizes that there are."""
    sizes = [getattr(architecture_row(number), ("params", "macs")[size]) for number in range(ARCHITECTURES)]
    return st.one_of(
        st.none(),
        st.integers(0, 2**63 - 1),
        st.builds(int.__add__, st.sampled_from(sorted(sizes)), st.sampled_from((0, -1, 1))).map(abs),
    )


QUERIES = st.builds(
    EvaluationQuery,
    viewer=st.just(VIEWER),
    space=st.sampled_from((None, "nasbench201", ZOO["chain"].digest, "darts")),
    space_version=st.sampled_from((None, None, 1, 2)),
    dataset=st.sampled_from((None, "digits")),
    recipe=st.sampled_from((None, "quick", "2" * 64)),
    split=st.sampled_from((None, "test")),
    kind=st.sampled_from((None, "trained")),
    architecture_id=st.one_of(st.none(), st.none(), st.integers(0, 9).map(lambda number: f"{number:032x}")),
    max_params=bounds(0),
    max_macs=bounds(1),
    sort=st.sampled_from(("accuracy", "params", "macs", "created_at")),
    descending=st.booleans(),
    limit=st.sampled_from((1, 20, 300)),
)
# When cohorts are sorted whole, and when they are split: a catalogue this small has neither by itself.
FEW, MANY_COHORTS = st.sampled_from((0, 5, rankings.FEW)), st.sampled_from((0, rankings.MANY_COHORTS))


def asked(query: st.SearchStrategy[EvaluationQuery], **more: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """A test that is run on many questions, each answered in one of the ways that there are."""

    def decorated(test: Any) -> Any:
        @settings(max_examples=200, deadline=None)
        @given(query=query, few=FEW, many=MANY_COHORTS, **more)
        def run(
            api_database: Database, rows: list[Evaluation], query: EvaluationQuery, few: int, many: int, **given: Any
        ) -> None:
            with pytest.MonkeyPatch.context() as patch, api_database.transaction() as session:
                patch.setattr(rankings, "FEW", few)
                patch.setattr(rankings, "MANY_COHORTS", many)
                test(session, rows, query, **given)

        run.__name__ = test.__name__
        return run

    return decorated


@asked(QUERIES)
def test_pages_are_those_of_a_brute_force(session: Session, rows: list[Evaluation], query: EvaluationQuery) -> None:
    expected = brute(rows, query)
    assert evaluations.query(session, query) == tuple(expected[: query.limit])
    middle = expected[len(expected) // 2 :]
    if middle:
        after = getattr(middle[0], query.sort), middle[0].id
        assert evaluations.query(session, replace(query, after=after)) == tuple(middle[1 : 1 + query.limit])


@asked(QUERIES, size=st.sampled_from(("params", "macs")))
def test_fronts_are_those_of_a_brute_force(
    session: Session, rows: list[Evaluation], query: EvaluationQuery, size: Any
) -> None:
    expected = [row.id for row in front_by_definition(rows, query, size)]
    assert [point.id for point in front(session, query, size)] == expected


@asked(QUERIES)
def test_what_a_ranking_would_mix(session: Session, rows: list[Evaluation], query: EvaluationQuery) -> None:
    found = [row for row in rows if matches(row, query)]
    mixed = evaluations.mixture(session, query)
    assert {digest for _, digest in mixed.recipes} == {row.recipe_digest for row in found}
    assert set(mixed.datasets) == {row.dataset for row in found}
    assert set(mixed.splits) == {row.split for row in found}


def test_questions_have_answers(rows: list[Evaluation]) -> None:
    """What the tests above compare is not always nothing."""
    everything = EvaluationQuery(viewer=VIEWER, sort="accuracy")
    assert len(brute(rows, everything)) > 1000
    assert len(front_by_definition(rows, everything, "params")) > 5


ONE_TABLE = {"recipe": "quick", "dataset": "digits", "split": "test"}


def every_page(api: TestClient, **query: Any) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    while True:
        page = api.get("/v1/evaluations", params=query | {"limit": 97}).json()
        items += page["items"]
        if page["next"] is None:
            return items
        query["cursor"] = page["next"]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("query", [{}, ONE_TABLE | {"sort": "-accuracy"}, {"sort": "params", "max_macs": 10**7}])
def test_tables_are_the_listing(api: TestClient, query: dict[str, Any]) -> None:
    listed = every_page(api, **query)
    assert len(listed) > 50
    lines = list(csv.DictReader(io.StringIO(api.get("/v1/evaluations.csv", params=query).text)))
    table = pq.read_table(io.BytesIO(api.get("/v1/evaluations.parquet", params=query).content)).to_pylist()
    assert [line["id"] for line in lines] == [row["id"] for row in table] == [item["id"] for item in listed]
    for line, row, item in zip(lines, table, listed, strict=True):
        assert (row["accuracy"], row["params"], row["seed"]) == (item["accuracy"], item["params"], item["seed"])
        assert (line["recipe"], line["space"]) == (item["recipe"], item["space"]["name"])
        assert line["accuracy"] == ("" if item["accuracy"] is None else str(item["accuracy"]))
        assert row["device"] == item["device"]
        assert line["device"] == ("'" if item["device"].startswith("=") else "") + item["device"]


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("path", ["evaluations.csv", "evaluations.parquet", "pareto", "pareto.csv"])
def test_tables_and_fronts_mix_no_more_than_the_listing(api: TestClient, path: str) -> None:
    query = {"sort": "accuracy"} if "evaluations" in path else {}
    refused = api.get(f"/v1/{path}", params=query)
    assert (refused.status_code, refused.json()["type"]) == (422, "urn:cellar:problem:mixed-results")
    assert api.get(f"/v1/{path}", params=query | {"across_recipes": True}).status_code == 200


@pytest.mark.usefixtures("rows")
def test_a_front_over_http(api: TestClient) -> None:
    whole = api.get("/v1/pareto", params=ONE_TABLE | {"x": "params"}).json()
    points = [(point["x"], point["y"]) for point in whole["points"]]
    assert points == sorted(points)
    assert [y for _, y in points] == sorted({y for _, y in points})
    assert whole["complete"]
    assert whole["total"] == len(points) > 2
    assert all(p["evaluation"]["params"] == p["x"] and p["evaluation"]["accuracy"] == p["y"] for p in whole["points"])
    cut = api.get("/v1/pareto", params=ONE_TABLE | {"x": "params", "limit": 2}).json()
    assert (cut["points"], cut["total"], cut["complete"]) == (whole["points"][:2], whole["total"], False)
    lines = csv.DictReader(io.StringIO(api.get("/v1/pareto.csv", params=ONE_TABLE | {"x": "params"}).text))
    assert [line["id"] for line in lines] == [point["evaluation"]["id"] for point in whole["points"]]
    assert api.get("/v1/pareto", params={"x": "loss"}).json()["errors"][0]["pointer"] == "/x"


@pytest.mark.parametrize("query", [{}, {"max_params": 10**6}, {"max_macs": 3 * 10**7}, {"kind": "trained"}])
@pytest.mark.parametrize("x", ["params", "macs"])
def test_the_hypervolume_is_that_of_all_evaluations(
    api: TestClient, rows: list[Evaluation], query: dict[str, Any], x: str
) -> None:
    asked = EvaluationQuery(viewer="local", recipe="quick", dataset="digits", split="test", **query)
    found = [row for row in rows if matches(row, asked)]
    costs = [(float(getattr(row, x)), -row.accuracy) for row in found if row.accuracy is not None]
    worst = max(float(getattr(row, x)) for row in found), max(y for _, y in costs)
    whole = api.get("/v1/pareto", params=ONE_TABLE | query | {"x": x}).json()
    assert whole["hypervolume"]["reference"] == {"x": worst[0], "y": -worst[1]}
    assert whole["hypervolume"]["value"] == pytest.approx(hypervolume(costs, worst))
    assert whole["hypervolume"]["value"] > 0
    cut = api.get("/v1/pareto", params=ONE_TABLE | query | {"x": x, "limit": 1}).json()
    assert cut["hypervolume"] == whole["hypervolume"]
    lines = list(csv.DictReader(io.StringIO(api.get("/v1/pareto.csv", params=ONE_TABLE | query | {"x": x}).text)))
    for n, line in enumerate(lines, 1):
        part = [(float(p["x"]), -p["y"]) for p in whole["points"][:n]]
        assert float(line["hypervolume"]) == pytest.approx(hypervolume(part, worst))
        assert (float(line[f"reference_{x}"]), float(line["reference_accuracy"])) == (worst[0], -worst[1])


@pytest.mark.usefixtures("rows")
def test_a_reference_can_be_given(api: TestClient) -> None:
    query = ONE_TABLE | {"x": "params"}
    points = api.get("/v1/pareto", params=query).json()["points"]
    middle = points[len(points) // 2]
    given = api.get("/v1/pareto", params=query | {"reference_x": middle["x"], "reference_y": middle["y"]}).json()
    assert given["hypervolume"] == {"value": 0, "reference": {"x": middle["x"], "y": middle["y"]}}
    costs, worst = [(float(p["x"]), -p["y"]) for p in points], (1e9, -12.5)
    given = api.get("/v1/pareto", params=query | {"reference_x": 10**9, "reference_y": 12.5}).json()
    assert given["hypervolume"]["value"] == pytest.approx(hypervolume(costs, worst))
    empty = api.get("/v1/pareto", params=query | {"max_params": 0, "max_macs": 0}).json()
    assert (empty["points"], empty["hypervolume"]) == ([], None)
    for name, value in (("reference_x", -1), ("reference_y", 100.5), ("reference_y", "nan"), ("reference_x", "many")):
        refused = api.get("/v1/pareto", params=query | {name: value})
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, f"/{name}")


@pytest.fixture
def job(database: Database) -> Callable[..., Any]:
    """Import evaluations of one job."""
    with database.transaction() as session:
        id = submit(session, kind="import", request={}, owner="ada", queue="cpu").job.id
        import_architectures(session, map(architecture_row, range(ARCHITECTURES)))

    def run(rows: list[EvaluationRow]) -> Any:
        with database.transaction() as session:
            return import_evaluations(session, rows, job_id=id, owner="ada")

    return run


def test_an_import_writes_what_is_sound_and_new_once(job: Callable[..., Any], database: Database) -> None:
    sound = [evaluation_row(number, architecture_id=f"{number:032x}") for number in range(40)]
    assert job(sound[:30]).written == 30
    report = job([*sound, sound[-1]])
    assert (report.rows, report.written, report.known, report.refused) == (41, 10, 31, 0)
    wrong: list[dict[str, Any]] = [
        {"kind": "guessed"},
        {"split": "train"},
        {"seed": -1},
        {"seed": 2**63},
        {"metrics": {"accuracy": 100.5}},
        {"metrics": {"accuracy": float("nan")}},
        {"seconds": -1.0},
        {"architecture_id": "f" * 32},
    ]
    report = job([evaluation_row(100), *(evaluation_row(0, **change) for change in wrong)])
    assert (report.written, report.refused) == (1, len(wrong))
    assert [refusal.row for refusal in report.refusals] == list(range(1, 1 + len(wrong)))
    for refusal, change in zip(report.refusals, wrong, strict=True):
        name = next(iter(change))
        assert refusal.reason.startswith(f"{'accuracy' if name == 'metrics' else name}: ")
    with database.transaction() as session:
        assert session.execute(text("SELECT count(*) FROM evaluations")).scalar_one() == 41


@pytest.mark.usefixtures("job")
def test_an_import_of_architectures_says_what_it_refuses(database: Database) -> None:
    wrong: list[dict[str, Any]] = [{"id": "A" * 32}, {"index": -1}, {"params": -1}, {"macs": 2**63}]
    given = [architecture_row(3), *(architecture_row(700 + n, **change) for n, change in enumerate(wrong))]
    with database.transaction() as session:
        report = import_architectures(session, [*given, architecture_row(800)])
    assert (report.written, report.known, report.refused) == (1, 1, len(wrong))
    assert [refusal.reason.partition(":")[0] for refusal in report.refusals] == ["id", "index", "params", "macs"]


def test_pages_lose_and_repeat_nothing_while_rows_come_in(job: Callable[..., Any], database: Database) -> None:
    job([evaluation_row(number) for number in range(300)])
    for sort, descending in product(("accuracy", "created_at"), (True, False)):
        query = EvaluationQuery(viewer="ada", sort=sort, descending=descending)
        with database.transaction() as session:
            before = {row.id for row in evaluations.query(session, replace(query, limit=10_000))}
        seen: list[Any] = []
        query = replace(query, limit=17)
        while True:
            with database.transaction() as session:
                page = evaluations.query(session, query)
            seen += [row.id for row in page]
            if len(page) < 17:
                break
            query = replace(query, after=(getattr(page[-1], sort), page[-1].id))
            job([evaluation_row(random.Random(str(uuid4())).randrange(1000, 10**6)) for _ in range(5)])
            if len(seen) > 1500:
                break
        assert len(seen) == len(set(seen))
        if descending or sort == "accuracy":
            assert before <= set(seen)


def test_an_evaluation_changes_its_cohort_with_its_visibility(job: Callable[..., Any], database: Database) -> None:
    job([evaluation_row(number) for number in range(5)])
    with database.transaction() as session:
        assert evaluations.query(session, EvaluationQuery(viewer="eve")) == ()
        session.execute(text("UPDATE evaluations SET visibility = 'public' WHERE seed = 3"))
        assert [row.seed for row in evaluations.query(session, EvaluationQuery(viewer="eve"))] == [3]
        session.execute(text("UPDATE evaluations SET visibility = 'private'"))
        assert evaluations.query(session, EvaluationQuery(viewer="eve")) == ()


def test_questions_are_answered_from_indexes(database: Database, job: Callable[..., Any]) -> None:
    """Of many rows no statement reads all: every scan of the evaluations is one of an index."""
    job([evaluation_row(n, kind="trained", architecture_id=f"{n % ARCHITECTURES:032x}") for n in range(3000)])
    with database.transaction() as session:
        statement = """
            INSERT INTO evaluations (id, architecture_id, job_id, kind, dataset, split, recipe_name, recipe_digest,
                recipe, seed, metrics, accuracy, params, macs, device, torch_version, code_version, seconds,
                provenance, owner, visibility)
            SELECT gen_random_uuid(), architecture_id, job_id, kind, dataset, split, recipe_name,
                recipe_digest || copy, recipe, seed, metrics, accuracy, params + copy, macs, device, torch_version,
                code_version, seconds, provenance, owner, visibility
            FROM evaluations, generate_series(1, 12) AS copy
        """
        session.execute(text(statement))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) evaluations"))
    table = EvaluationQuery(viewer="ada", recipe="quick", dataset="digits", split="test", sort="accuracy")
    asked = [
        EvaluationQuery(viewer="ada"),
        table,
        replace(table, max_params=500_000),
        replace(table, max_macs=1_000_000),
        replace(table, sort="params"),
        EvaluationQuery(viewer="ada", architecture_id=f"{8:032x}"),
    ]
    said: list[tuple[str, Any]] = []

    def hear(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if "evaluations" in statement and not statement.startswith("EXPLAIN"):
            said.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", hear)
    with database.transaction() as session:
        for query in asked:
            evaluations.query(session, query)
        evaluations.mixture(session, table)
        front(session, table, "macs")
        heard = list(said)
        assert len(heard) > 10
        for statement, parameters in heard:
            lines = session.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
            plan = "\n".join(lines)
            assert "Seq Scan on evaluations" not in plan, plan
            assert "on evaluations" in plan
