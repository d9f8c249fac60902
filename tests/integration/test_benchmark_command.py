"""`cellar data add-benchmark`: published tables and small ones of our own, found again over the API."""

import csv
import gzip
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from typer.testing import CliRunner, Result

from app.catalogue import Database, spaces
from app.cli import cli
from app.main import create_app
from app.settings import Settings
from app.space import space_to_json
from app.space.zoo import ZOO

Import = Callable[..., Result]
NASBENCH201 = ("--space", "nasbench201", "--format", "nasbench201", "--genotype", "arch")
SAID = ("--dataset", "cifar10", "--recipe", "theirs", "--source", "a paper", "--licence", "MIT")
WORDS = (*NASBENCH201, *SAID, "--metric", "accuracy=acc")
BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
OTHER = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
# One network: node 1 is the input, so an edge from it is an edge from the input.
BY_INPUT = "|skip_connect~0|+|nor_conv_3x3~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
BY_NODE = "|skip_connect~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"


@pytest.fixture
def add(database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lambda *words: CliRunner().invoke(cli, ["data", "add-benchmark", *map(str, words)])


@pytest.fixture
def client(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(
        database_url=database_url,
        redis_url=redis_url,
        data_root=tmp_path / "root",
        allowed_hosts=("testserver",),
        reconcile_seconds=3600.0,
    )
    with TestClient(create_app(settings)) as opened:
        yield opened


def written(path: Path, *rows: str, header: str = "arch,acc") -> Path:
    path.write_text("\n".join((header, *rows, "")))
    return path


def counted(database: Database, table: str) -> int:
    with database.transaction() as session:
        return session.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()


def test_a_table_is_kept_and_says_everywhere_that_it_is_one(
    add: Import, client: TestClient, database: Database, tmp_path: Path
) -> None:
    file = written(tmp_path / "t.csv", f"{BEST},94.37,0.2", "x,1,1", f"{OTHER},80.5,0.7", header="arch,acc,test loss")
    words = (*WORDS, "--metric", "loss=test loss", "--visibility", "public")
    dry = add(file, *words, "--dry-run")
    assert (dry.exit_code, "Nothing was written: it is a dry run." in dry.output) == (0, True), dry.output
    assert [counted(database, table) for table in ("evaluations", "architectures", "jobs", "audit")] == [0] * 4

    done = add(file, *words)
    assert done.exit_code == 0, done.output
    said = (
        "3 rows: 2 sound, 0 that repeat the result of an architecture, 1 refused.\n  row 2, arch: 'x': /0: expected |"
    )
    assert said in done.output
    ranked = client.get("/v1/evaluations", params={"space": "nasbench201", "sort": "-accuracy"}).json()["items"]
    best, other = ranked
    assert best["metrics"] == {"accuracy": 94.37, "loss": 0.2}
    assert (best["genotype"]["0->3"], other["accuracy"]) == ("skip_connect", 80.5)
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    table = {"file": "t.csv", "source": "a paper", "licence": "MIT", "sha256": sha256}
    for evaluation in ranked:
        assert evaluation["provenance"] == {"table": table}
        assert (evaluation["dataset"], evaluation["split"], evaluation["recipe"]) == ("cifar10", "test", "theirs")
        job = client.get(evaluation["links"]["job"]).json()
        assert (job["kind"], job["state"], job["request"]["table"]) == ("table", "succeeded", table)
        assert (job["result"]["rows"]["sound"], job["result"]["rows"]["refused"]) == (2, 1)
    for line in csv.DictReader(client.get("/v1/evaluations.csv?space=nasbench201").text.splitlines()):
        assert json.loads(line["provenance"]) == {"table": table}
    assert counted(database, "outbox") == 0, "nothing waits for a worker"

    again = add(file, *words)
    assert (again.exit_code, "has been imported already" in again.output) == (0, True), again.output
    assert [counted(database, table) for table in ("evaluations", "jobs", "audit")] == [2, 1, 1]
    assert add(file, *words, "--owner", "ada").exit_code == 0, "another owner's own"
    assert [counted(database, table) for table in ("evaluations", "architectures", "jobs")] == [4, 2, 2]


def test_every_further_result_of_an_architecture_is_in_a_further_job(
    add: Import, database: Database, tmp_path: Path
) -> None:
    rows = f"{BY_INPUT},70,1", f"{BY_NODE},71,1", f"{BY_NODE},69,2"
    done = add(written(tmp_path / "t.csv", *rows, header="arch,acc,seed"), *WORDS, "--seed", "seed")
    assert done.exit_code == 0, done.output
    with database.transaction() as session:
        rows = session.execute(text("SELECT seed, accuracy FROM evaluations ORDER BY accuracy")).all()
    assert rows == [(2, 69.0), (1, 70.0), (1, 71.0)]
    assert [counted(database, table) for table in ("architectures", "jobs")] == [1, 3]


def test_published_recipes_compare_with_themselves_alone(add: Import, client: TestClient, tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", f"{BEST},94.37")
    for source in ("a paper", "another paper"):
        assert add(file, *WORDS, "--source", source).exit_code == 0
    query = {"space": "nasbench201", "sort": "-accuracy", "dataset": "cifar10", "split": "test", "recipe": "theirs"}
    mixed = client.get("/v1/evaluations", params=query)
    assert (mixed.status_code, mixed.json()["type"].rpartition(":")[2]) == (422, "mixed-results"), mixed.text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "train"), "--split 'train' is none of weights, architecture, selection, test"),
        (("--visibility", "secret"), "--visibility 'secret' is none of private, public"),
        (("--metric", "accuracy=acc"), "--metric 'accuracy=acc' is not NAME=COLUMN, each name once"),
        (("--licence", " "), "--licence says nothing"),
        (("--dataset", "a b"), "--dataset 'a b' is not a name"),
    ],
)
def test_what_is_asked_wrongly(add: Import, tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    done = add(written(tmp_path / "t.csv", f"{BEST},94.37"), *WORDS, *words)
    assert (done.exit_code, said in done.output) == (1, True), done.output


def test_nothing_is_written_where_something_is_wrong(
    add: Import, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    file = written(tmp_path / "t.csv", f"{BEST},94.37")
    assert "no row of the table can be kept" in add(written(tmp_path / "x.csv", "x,1"), *WORDS).output
    assert "has no column 'loss'; it has 'arch', 'acc'" in add(file, *WORDS, "--metric", "loss=loss").output
    assert "the space nasbench201 has cifar, small" in add(file, *WORDS, "--skeleton", "large").output
    assert "sees no space 'nowhere'" in add(file, *WORDS, "--space", "nowhere").output
    with monkeypatch.context() as patched:
        patched.setattr("app.catalogue.repositories.benchmarks.import_evaluations", failing)
        done = add(file, *WORDS)
    assert (done.exit_code, "the disk is full" in done.output) == (1, True), done.output
    assert [counted(database, table) for table in ("evaluations", "architectures", "jobs")] == [0] * 3
    assert add(file, *WORDS).exit_code == 0


def test_a_table_in_a_private_space_is_private(add: Import, database: Database, tmp_path: Path) -> None:
    document = space_to_json(ZOO["nasbench201"]) | {"name": "mine"}
    with database.transaction() as session:
        spaces.register(
            session, owner="ada", name="mine", digest=ZOO["nasbench201"].digest, title="", document=document
        )
    file = written(tmp_path / "t.csv", f"{BEST},94.37")
    mine = (*WORDS, "--space", "mine")
    assert "local sees no space 'mine'" in add(file, *mine).output
    assert "publish it first" in add(file, *mine, "--owner", "ada", "--visibility", "public").output
    assert add(file, *mine, "--owner", "ada").exit_code == 0
    with database.transaction() as session:
        assert session.execute(text("SELECT owner, visibility FROM evaluations")).all() == [("ada", "private")]


@pytest.fixture(params=["nasbench201", "nasbench_macro"])
def published(request: pytest.FixtureRequest) -> tuple[str, Path]:
    """A space, and the table that was published of it."""
    folder = os.environ.get("CELLAR_BENCHMARK_TABLES")
    if folder is None:
        pytest.skip("CELLAR_BENCHMARK_TABLES does not say where the benchmark tables are")
    return request.param, Path(folder) / TABLES[request.param][0]


TABLES = {
    "nasbench201": ("nasbench201_cifar10_200ep.csv.gz", "nasbench201", "test_accuracy_percent"),
    "nasbench_macro": ("nasbench_macro_cifar10.csv.gz", "nasbench-macro", "test_accuracy_percent_mean"),
}


def found_again(add: Import, client: TestClient, space: str, file: Path) -> tuple[int, int]:
    """Import a table, and find results of it again over the API; how many it kept, and how many were repeated."""
    _, format, accuracy = TABLES[space]
    words = ("--space", space, "--format", format, "--genotype", "arch", *SAID, "--metric", f"accuracy={accuracy}")
    done = add(file, *words, "--visibility", "public")
    assert done.exit_code == 0, done.output
    counts = re.search(r"(\d+) rows: (\d+) sound, (\d+) that repeat the result of an architecture, 0 ref", done.output)
    assert counts is not None, done.output
    rows, sound, repeated = map(int, counts.groups())
    assert rows == sound + repeated
    with gzip.open(file, "rt") as opened:
        expected = list(csv.DictReader(opened))
    assert len(expected) == rows
    for row in expected[:: rows // 20]:
        body = {"space": space, "genotype": row["arch"], "format": format}
        architecture = client.post("/v1/architectures", json=body)
        assert architecture.status_code == 200, "the import has catalogued it"
        if "params" in row:
            costs = architecture.json()["params"], architecture.json()["macs"]
            assert costs == (int(row["params"]), int(row["macs"]))
        measured = client.get(architecture.json()["links"]["evaluations"]).json()["items"]
        assert float(row[accuracy]) in [evaluation["accuracy"] for evaluation in measured]
    return sound, repeated


def test_part_of_a_published_table(
    add: Import, client: TestClient, tmp_path: Path, published: tuple[str, Path]
) -> None:
    space, file = published
    part = tmp_path / "part.csv.gz"
    with gzip.open(file, "rt") as whole, gzip.open(part, "wt") as opened:
        opened.writelines(islice(whole, 121))
    assert sum(found_again(add, client, space, part)) == 120


@pytest.mark.slow
def test_the_whole_of_a_published_table(add: Import, client: TestClient, published: tuple[str, Path]) -> None:
    space, file = published
    expected = {"nasbench201": (15_294, 331), "nasbench_macro": (3_969, 2_592)}
    assert found_again(add, client, space, file) == expected[space]
