"""Tabular benchmarks over HTTP, from the upload to the ranking: jobs are run as a worker's child runs them."""

import gzip
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text

import workers.table
from app.catalogue import Database, Job, jobs
from app.experiment import ORACLE, ReadTable
from app.jobs import claim
from app.main import create_app
from app.settings import Settings
from app.space import space_to_json
from app.space.zoo import ZOO
from workers import run as child
from workers.fenced import Stop

Json = dict[str, Any]
Work = Callable[..., Json]
CSV = {"Content-Type": "text/csv"}
BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
OTHER = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
SAID: Json = {
    "space": "nasbench201",
    "format": "nasbench201",
    "genotype": "arch",
    "metric": "accuracy=acc",
    "dataset": "cifar10",
    "recipe": "theirs",
    "source": "a paper",
    "licence": "MIT",
}
TABLES = ("evaluations", "architectures", "jobs")


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        data_root=tmp_path / "root",
        allowed_hosts=("testserver",),
        reconcile_seconds=3600.0,
    )


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with TestClient(create_app(settings)) as opened:
        yield opened


@pytest.fixture
def work(settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Run a job that was accepted, and answer how it stands then."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def worked(accepted: Json, *, stop: Stop | None = None) -> Json:
        with database.transaction() as session:
            held = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        assert held is not None
        assert str(held.job.id) == accepted["id"], "no other job waits"
        child.run(settings, database, held.lease, stop or Stop())
        ended = job_of(database, accepted)
        return {"state": ended.state, "result": ended.result, "error": ended.error}

    return worked


def job_of(database: Database, accepted: Json) -> Job:
    with database.transaction() as session:
        job = jobs.get(session, UUID(accepted["id"]))
    assert job is not None
    return job


def counted(database: Database) -> list[int]:
    with database.transaction() as session:
        return [session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES]


def table(*rows: str, header: str = "arch,acc") -> bytes:
    return "\n".join((header, *rows, "")).encode()


def post(client: TestClient, content: bytes, expect: int = 202, headers: Json = CSV, **options: Any) -> Json:
    answer = client.post("/v1/benchmarks", params=SAID | options, content=content, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer.json()


def test_an_uploaded_table_is_kept_whole_and_searched_by_its_name(
    client: TestClient, work: Work, database: Database
) -> None:
    content = gzip.compress(table(f"{BEST},94.37,1", "x,1,1", f"{OTHER},80.5,1", f"{BEST},94.5,2", header="arch,acc,s"))
    packed = {"Content-Type": "application/gzip"}
    how: Json = {"file": "t.csv.gz", "seed": "s", "visibility": "public"}
    accepted = post(client, content, headers=packed | {"Idempotency-Key": "t"}, **how)
    assert (accepted["kind"], accepted["visibility"]) == ("table", "public")
    assert post(client, content, headers=packed | {"Idempotency-Key": "t"}, **how)["id"] == accepted["id"]
    assert client.get("/v1/benchmarks").json() == {"items": [], "next": None}

    ended = work(accepted)
    assert ended["state"] == "succeeded", ended["error"]
    rows = ended["result"]["rows"]
    assert (rows["rows"], rows["sound"], rows["refused"], rows["architectures"]) == (4, 3, 1, 2)
    assert rows["refusals"][0]["row"] == 2
    assert rows["refusals"][0]["reason"].startswith("/0: expected |")
    assert counted(database) == [3, 2, 2], "one job a seed"

    (view,) = client.get("/v1/benchmarks").json()["items"]
    assert client.get(view["links"]["self"]).json() == view
    assert (view["id"], view["source"], view["licence"], view["file"]) == (accepted["id"], "a paper", "MIT", "t.csv.gz")
    assert (view["sha256"], view["seeds"]) == (hashlib.sha256(content).hexdigest(), [1, 2])
    assert (view["oracle"], view["label"]) == (True, ORACLE)
    ranked = client.get(view["links"]["evaluations"]).json()["items"]
    assert [(e["accuracy"], e["seed"], e["recipe_digest"]) for e in ranked] == [
        (94.5, 2, view["recipe_digest"]),
        (94.37, 1, view["recipe_digest"]),
        (80.5, 1, view["recipe_digest"]),
    ]
    assert ranked[0]["provenance"]["table"]["sha256"] == view["sha256"]
    (series,) = client.get(view["links"]["series"]).json()["items"]
    assert ended["result"]["jobs"] == [accepted["id"], series["id"]]
    assert (series["name"], series["request"]["seed"]) == ("series-2-0", 2)
    search = {"space": "nasbench201", "strategy": "random", "evaluator": view["evaluator"], "budget": 2}
    planned = client.post("/v1/searches", json=search, params={"dry_run": True})
    assert planned.status_code == 200, planned.text

    again = post(client, content, 200, headers=packed, **how)
    assert again == view
    assert counted(database) == [3, 2, 2]


def test_what_was_uploaded_twice_before_either_was_read_is_written_once(
    client: TestClient, work: Work, database: Database
) -> None:
    one, two = (post(client, table(f"{BEST},94.37"), file=name) for name in ("a.csv", "b.csv"))
    assert work(one)["state"] == "succeeded"
    ended = work(two)
    assert (ended["state"], ended["result"]["known"]) == ("succeeded", [one["id"]])
    assert counted(database) == [1, 1, 2]
    assert len(client.get("/v1/benchmarks").json()["items"]) == 1


def test_a_dry_run_reads_and_writes_nothing(client: TestClient, work: Work, database: Database) -> None:
    content = table(f"{BEST},94.37", "x,1")
    ended = work(post(client, content, dry_run=True))
    assert (ended["state"], ended["result"]["rows"]["refused"]) == ("succeeded", 1)
    assert counted(database) == [0, 0, 1]
    assert client.get("/v1/benchmarks").json()["items"] == []
    assert work(post(client, content))["state"] == "succeeded", "it is not there yet"


def test_a_file_of_the_data_root_is_named(client: TestClient, work: Work, settings: Settings) -> None:
    body = {name: value for name, value in SAID.items() if name != "metric"} | {"metrics": {"accuracy": "acc"}}
    folder = settings.data_root / "tables"
    folder.mkdir(parents=True)
    (folder / "t.csv").write_bytes(table(f"{BEST},94.37"))
    (folder / "link.csv").symlink_to("/etc/hostname")
    os.mkfifo(folder / "pipe.csv")
    answer = client.post("/v1/benchmarks", json=body | {"path": "t.csv"})
    assert work(answer.json())["state"] == "succeeded"
    (view,) = client.get("/v1/benchmarks").json()["items"]
    assert (view["file"], view["seeds"], view["rows"]["sound"]) == ("t.csv", [0], 1)
    for path, said in (("link.csv", "is a link"), ("pipe.csv", "is no file"), ("none.csv", "is not in the data root")):
        failed = work(client.post("/v1/benchmarks", json=body | {"path": path}).json())
        assert failed["state"] == "failed"
        assert said in failed["error"]["detail"]
    again = work(client.post("/v1/benchmarks", json=body | {"path": "t.csv"}).json())
    assert again["result"]["known"] == [view["id"]], "it is known once it was read"
    refused = client.post("/v1/benchmarks", json=body | {"path": "t.csv"}, params={"licence": "MIT"})
    assert refused.json()["errors"][0]["pointer"] == "/licence"
    assert client.post("/v1/benchmarks", json=body | {"path": "../t.csv"}).status_code == 422


@pytest.mark.parametrize(
    ("changed", "pointer"),
    [
        ({"space": "nowhere"}, None),
        ({"format": "darts"}, "/format"),
        ({"skeleton": "large"}, "/skeleton"),
        ({"split": "train"}, "/split"),
        ({"metric": ["accuracy=a", "accuracy=b"]}, "/metric"),
        ({"metric": "accuracy"}, "/metric/0"),
        ({"licence": " "}, "/licence"),
        ({"source": ""}, "/source"),
        ({"genotype": "a\0b"}, "/genotype"),
        ({"metric": "accuracy=a\0"}, "/metric/0"),
        ({"seed": ""}, "/seed"),
        ({"unknown": "1"}, "/unknown"),
    ],
)
def test_what_is_asked_wrongly_is_said_before_the_file_is_taken(
    api: TestClient, api_settings: Settings, changed: Json, pointer: str | None
) -> None:
    answer = api.post("/v1/benchmarks", params=SAID | changed, content=table(f"{BEST},94.37"), headers=CSV)
    assert answer.status_code == (404 if pointer is None else 422), answer.text
    if pointer is not None:
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert not list((api_settings.data_root / "uploads").glob("*"))


def test_an_upload_says_everything_and_is_what_it_says(api: TestClient) -> None:
    lacking = api.post("/v1/benchmarks", content=b"x", headers=CSV).json()
    pointers = {fault["pointer"] for fault in lacking["errors"]}
    assert pointers == {f"/{name}" for name in SAID if name != "format"}
    for kind in ("application/gzip", "application/vnd.apache.parquet"):
        refused = post(api, table(f"{BEST},94.37"), 422, headers={"Content-Type": kind})
        assert "they begin with" in refused["detail"]
    assert post(api, b"", 422)["detail"] == "/: the body is empty: send the bytes of the file"
    assert post(api, b"x", 415, headers={"Content-Type": "text/html"})["status"] == 415


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n", "the table has no column 'arch'; it has 'a', 'b'"),
        (b"arch,acc\n", "no row of the 0 of table can be kept; it is empty"),
        (table("x,1"), "no row of the 1 of table can be kept; row 1: /0: expected |"),
        (b"PAR1 and no more", "table is no CSV or Parquet file that can be read"),
        (b"\x1f\x8b\x08 broken", "table is no CSV or Parquet file that can be read"),
        (table(f"{BEST},0.94"), "accuracies are in percent, unless `fractions` says otherwise"),
        (b",".join([b"c"] * 500_000) + b"\n", "the table has no column 'arch'"),
        (b"arch,acc\n" + b"\0" * (1 << 20), "line 2 has more than 1048575 bytes"),
    ],
)
def test_what_is_wrong_inside_fails_the_job_and_writes_nothing(
    client: TestClient, work: Work, database: Database, content: bytes, said: str
) -> None:
    octets = {"Content-Type": "application/octet-stream"}
    ended = work(post(client, content, headers=octets))
    assert ended["state"] == "failed"
    assert said in ended["error"]["detail"], ended["error"]
    assert counted(database) == [0, 0, 1]


def test_an_import_that_is_stopped_goes_on_from_what_it_had_identified(
    client: TestClient, work: Work, database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = table(f"{BEST},94.37", f"{OTHER},80.5")
    accepted = post(client, content)
    monkeypatch.setattr(workers.table, "LOOK_SECONDS", 0.0)
    stop, identified = Stop(), workers.table.prepare

    class Draining(workers.table.Heed):
        def __call__(self, rows: int) -> None:
            if rows == 1:
                stop.ask("drain")
            super().__call__(rows)

    with monkeypatch.context() as patched:
        patched.setattr(workers.table, "Heed", Draining)
        assert work(accepted, stop=stop)["state"] == "queued"
    assert counted(database) == [0, 0, 1]
    assert not list(settings.data_root.glob("tmp*")), "nothing is left of its rows"
    met: list[int] = []

    def watched(*given: Any, known: Any, **named: Any) -> Any:
        met.append(len(known))
        return identified(*given, known=known, **named)

    monkeypatch.setattr(workers.table, "prepare", watched)
    ended = work(accepted)
    assert ended["state"] == "succeeded", ended["error"]
    assert met == [1], "what was identified is read from the checkpoint"
    assert counted(database) == [2, 2, 1]

    cancelling = Stop()
    cancelling.ask("cancel")
    again = post(client, table(f"{BEST},94.37", f"{OTHER},80.6"))
    assert work(again, stop=cancelling)["state"] == "cancelled"
    assert counted(database) == [2, 2, 2]


def test_it_is_written_in_the_transaction_that_ends_the_job(
    client: TestClient, work: Work, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = post(client, table(f"{BEST},94.37", f"{OTHER},80.5"))
    finish = child.finish

    def failing(*given: Any) -> Any:
        raise OSError("the disk is full")

    def shown_meanwhile(session: Any, lease: Any, result: Any) -> Any:
        with database.transaction() as other:  # the job's row is free while rows are written: it has its heartbeat
            other.execute(text("UPDATE jobs SET visibility = 'public' WHERE id = :id"), {"id": lease.job_id})
        return finish(session, lease, result)

    with monkeypatch.context() as patched:
        patched.setattr(child, "finish", failing)
        ended = work(accepted)
    assert ended["state"] == "failed"
    assert counted(database) == [0, 0, 1], "its evaluations went with it"
    assert client.get("/v1/benchmarks").json()["items"] == []

    accepted = post(client, table(f"{BEST},94.37", f"{BEST},94.38", f"{OTHER},80.5"))
    with monkeypatch.context() as patched:
        patched.setattr(child, "finish", shown_meanwhile)
        assert work(accepted)["state"] == "succeeded"
    with database.transaction() as session:
        seen = session.execute(text("SELECT DISTINCT visibility FROM evaluations")).scalars().all()
    assert seen == ["public"], "it was shown while its rows were written"


def test_a_table_in_a_private_space_is_private_and_nobody_else_sees_either(
    client: TestClient, work: Work, database: Database
) -> None:
    document = space_to_json(ZOO["nasbench201"]) | {"name": "mine"}
    assert client.post("/v1/spaces", json=document).status_code == 201
    content = table(f"{BEST},94.37")
    refused = post(client, content, 422, space="mine", visibility="public")
    assert refused["errors"][0]["pointer"] == "/visibility"
    assert work(post(client, content, space="mine"))["state"] == "succeeded"
    (view,) = client.get("/v1/benchmarks").json()["items"]
    with database.transaction() as session:
        session.execute(text("UPDATE jobs SET owner = 'ada'"))
    assert client.get("/v1/benchmarks").json()["items"] == []
    assert client.get(view["links"]["self"]).status_code == 404


def test_tables_are_paged_the_latest_first(client: TestClient, work: Work) -> None:
    for number in range(3):
        assert work(post(client, table(f"{BEST},{90 + number}"), file=f"{number}.csv"))["state"] == "succeeded"
    page = client.get("/v1/benchmarks", params={"limit": 2}).json()
    rest = client.get("/v1/benchmarks", params={"limit": 2, "cursor": page["next"]}).json()
    assert [item["file"] for item in page["items"] + rest["items"]] == ["2.csv", "1.csv", "0.csv"]
    assert rest["next"] is None


def test_part_of_a_published_table_by_command_and_by_upload_is_the_same(
    client: TestClient, work: Work, database: Database
) -> None:
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if folder is None:
        pytest.skip("CELLAR_BENCHMARK_TABLES does not say where the benchmark tables are")
    with gzip.open(Path(folder) / "nasbench201_cifar10_200ep.csv.gz", "rt") as whole:
        part = "".join(islice(whole, 41)).encode()
    ended = work(post(client, part, metric="accuracy=test_accuracy_percent"))
    assert ended["state"] == "succeeded", ended["error"]
    assert ended["result"]["rows"]["sound"] + ended["result"]["rows"]["repeated"] == 40
    assert counted(database)[0] == ended["result"]["rows"]["sound"]


def test_a_table_that_the_database_refuses_is_not_written_in_part(
    client: TestClient, work: Work, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = child.record_table

    def twice(session: Any, job: Job, read: ReadTable) -> Any:
        rows = list(read.rows())
        return keep(session, job, ReadTable(request=read.request, report=read.report, rows=lambda: [*rows, *rows]))

    accepted = post(client, table(f"{BEST},94.37"))
    monkeypatch.setattr(child, "record_table", twice)
    ended = work(accepted)
    assert ended["state"] == "failed"
    assert "the catalogue refused an architecture twice; nothing was written" in ended["error"]["detail"]
    assert counted(database) == [0, 0, 1]
