"""What Prometheus reads of the service: the queue, the pace, the devices, what is refused; bounded and cheap."""

import json
import threading
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app.api import exposition, readiness
from app.catalogue import Database, audit, keys, workers
from app.catalogue.repositories import census
from app.jobs import Lease, claim, record_epoch, record_progress, submit
from app.main import create_app
from app.settings import Settings

NOWHERE = "postgresql+psycopg://nobody:secret@127.0.0.1:1/none"
Samples = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def fresh(api_settings: Settings) -> Iterator[TestClient]:
    """An API process that keeps no answer."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (exposition, readiness):
            patch.setattr(module, "KEPT_SECONDS", 0.0)
        patch.setattr(exposition, "FINAL_KEPT_SECONDS", 0.0)
        app = create_app(api_settings.model_copy(update={"streams": 7}))
    with TestClient(app) as client:
        yield client


@pytest.fixture(autouse=True)
def emptied(api_database: Database) -> Iterator[None]:
    yield
    with api_database.transaction() as session:
        session.execute(text("DELETE FROM workers"))
        session.execute(text("DELETE FROM jobs"))


def scraped(client: TestClient) -> Samples:
    """Values by name and label values, in the order of the labels' names."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    families = text_string_to_metric_families(answer.text)
    found = [sample for family in families for sample in family.samples]
    return {(one.name, *(value for _, value in sorted(one.labels.items()))): one.value for one in found}


def running(database: Database, kind: str = "tally", *, queue: Any = "cpu") -> Lease:
    with database.transaction() as session:
        submit(session, kind=kind, request={}, owner="ada", queue=queue)
        taken = claim(session, worker_id=uuid4(), queues=[queue], devices=["cpu"], lease_seconds=30)
    assert taken is not None
    return taken.lease


def test_the_queue_is_told_by_queue_kind_and_state(fresh: TestClient, api_database: Database) -> None:
    running(api_database)
    with api_database.transaction() as session:
        for _ in range(3):
            submit(session, kind="tally", request={}, owner="ada", queue="cpu")
        submit(session, kind="count", request={}, owner="ben", queue="gpu")
        session.execute(text("UPDATE jobs SET queued_at = now() - interval '1 hour' WHERE kind = 'count'"))
        session.execute(
            text(
                "UPDATE jobs SET attempt = 2, fence = 2, lease_until = now() + interval '20 s' WHERE state = 'running'"
            )
        )
        gone = submit(session, kind="count", request={}, owner="ben", queue="cpu").job.id
        session.execute(text("UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE id = :id"), {"id": gone})
    found = scraped(fresh)
    assert found["cellar_jobs", "tally", "cpu", "queued"] == 3
    assert found["cellar_jobs", "count", "gpu", "queued"] == 1
    assert found["cellar_jobs", "tally", "cpu", "running"] == 1
    assert found["cellar_jobs", "count", "cpu", "cancelled"] == 1
    assert 3600 <= found["cellar_job_age_seconds", "count", "gpu", "queued"] < 3700
    assert found["cellar_job_attempts", "tally", "cpu", "running"] == 2
    assert found["cellar_jobs_begun_again", "tally", "cpu", "running"] == 1
    assert found["cellar_jobs_begun_again", "tally", "cpu", "queued"] == 0
    assert 10 <= found["cellar_lease_age_seconds", "cpu"] < 20, "the lease of 30 s was renewed 10 s ago"
    assert ("cellar_lease_age_seconds", "gpu") not in found
    assert found["cellar_owner_queued_jobs",] == 3
    assert found["cellar_queued_jobs_limit",] == 100_000
    assert found["cellar_census_up",] == 1
    assert found["cellar_event_streams",] == 0
    assert found["cellar_event_streams_limit",] == 7
    assert found["cellar_data_root_free_bytes",] > 0
    assert found["process_resident_memory_bytes",] > 1 << 20


def test_the_age_of_the_last_upkeep(fresh: TestClient, api_database: Database) -> None:
    with api_database.transaction() as session:
        session.execute(text("DELETE FROM audit WHERE action LIKE 'upkeep.%'"))
        audit.record(session, action="upkeep.begin")
    assert ("cellar_upkeep_age_seconds",) not in scraped(fresh)
    with api_database.transaction() as session:
        for action in ("upkeep.begin", "upkeep.end", "upkeep.begin"):
            audit.record(session, action=action)
        session.execute(text("UPDATE audit SET at = now() - interval '1 hour' WHERE action = 'upkeep.end'"))
    assert 3600 <= scraped(fresh)["cellar_upkeep_age_seconds",] < 3700


def test_epochs_and_steps_a_second(fresh: TestClient, api_database: Database) -> None:
    def told(lease: Lease, phase: str, epoch: int, step: int | None, steps: int | None) -> None:
        data = {"phase": phase, "epoch": epoch, "epochs": 9, "step": step, "steps": steps, "metrics": {}}
        with api_database.transaction() as session:
            (record_epoch if step is None else record_progress)(session, lease, data)

    one, other = running(api_database, "training"), running(api_database, "training", queue="gpu")
    for epoch, step in ((0, 10), (0, 90), (1, None), (1, 40)):
        told(one, "train", epoch, step, None if step is None else 100)
    for epoch, step in ((4, 5), (5, None), (5, 30), (5, 10)):  # begun again from step 0, and told again
        told(other, "train", epoch, step, None if step is None else 100)
    told(other, "retrain", 1, None, None)
    tally = running(api_database)
    told(tally, "count", 0, 10, 1000)
    with api_database.transaction() as session:
        session.execute(
            text("UPDATE job_events SET created_at = now() - interval '2 minutes' WHERE job_id = :id"),
            {"id": tally.job_id},
        )
    found = scraped(fresh)
    assert found["cellar_epochs_per_second", "training"] == pytest.approx(3 / 60)
    assert found["cellar_steps_per_second", "training"] == pytest.approx((130 + 125) / 60)
    assert ("cellar_steps_per_second", "tally") not in found, "what was told two minutes ago is no pace"


def test_workers_and_their_devices(fresh: TestClient, api_database: Database) -> None:
    def beat(id: UUID, gpu: str | None, state: str) -> None:
        with api_database.transaction() as session:
            workers.beat(session, id=id, host="here", pid=1, queues=["cpu"], devices=["cpu"], gpu=gpu, state=state)

    with_gpu = uuid4()
    beat(with_gpu, "GPU-1", "busy")
    beat(uuid4(), "GPU-2", "idle")
    beat(uuid4(), None, "idle")
    with api_database.transaction() as session:
        session.execute(
            text(
                "UPDATE workers SET gpu_utilisation = 0.75, gpu_memory_used = 3000, gpu_memory_total = 4000 "
                "WHERE id = :id"
            ),
            {"id": with_gpu},
        )
    found = scraped(fresh)
    assert [found["cellar_workers", state] for state in ("idle", "busy", "draining")] == [2, 1, 0]
    assert found["cellar_gpu_utilisation_ratio", "GPU-1"] == 0.75
    assert found["cellar_gpu_memory_used_bytes", "GPU-1"] == 3000
    assert found["cellar_gpu_memory_size_bytes", "GPU-1"] == 4000
    assert not [name for name in found if "GPU-2" in name], "what a worker did not measure is not told"


def test_answers_that_are_problems_are_counted_by_kind(api_settings: Settings, api_database: Database) -> None:
    with api_database.transaction() as session:
        reader = keys.add(session, owner="ada", scopes=["read"])[1]
        watcher = keys.add(session, owner="ops", scopes=["metrics"])[1]
    guarded = api_settings.model_copy(update={"require_keys": True, "key_rate": "3/hour"})
    with TestClient(create_app(guarded)) as client:

        def shown(path: str, key: object) -> int:
            return client.get(path, headers={} if key is None else {"Authorization": f"Bearer {key}"}).status_code

        assert shown("/metrics", None) == 401
        assert shown("/metrics", reader) == 403
        asked = [("/v1/workers", None), ("/v1/workers", "nonsense"), ("/v1/keys", reader), ("/v1/jobs", reader)]
        assert [shown(*one) for one in (*asked, ("/v1/jobs", reader))] == [401, 401, 403, 200, 429]
        client.headers["Authorization"] = f"Bearer {watcher}"
        found = scraped(client)
    problems = {name[1:]: value for name, value in found.items() if name[0] == "http_problems_total"}
    assert problems == {("unauthenticated", "401"): 2, ("forbidden", "403"): 1, ("rate-limited", "429"): 1}


def test_many_scrapers_ask_the_database_once(api_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, int] = {}
    for name in ("tables_revision", "open_jobs", "final_jobs"):

        def counting(*given: Any, name: str = name, ask: Any = getattr(census, name), **more: Any) -> Any:
            asked[name] = asked.get(name, 0) + 1
            return ask(*given, **more)

        monkeypatch.setattr(census, name, counting)
    with TestClient(create_app(api_settings)) as client:
        statuses: list[int] = []

        def scrape() -> None:
            for path in ("/metrics", "/readyz") * 5:
                statuses.append(client.get(path).status_code)

        threads = [threading.Thread(target=scrape) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert statuses == [200] * 80
    assert asked.keys() == {"tables_revision", "open_jobs", "final_jobs"}
    assert max(asked.values()) <= 3, asked  # kept for seconds, and a busy machine may take some for all that


def test_callers_make_no_series(fresh: TestClient, api_database: Database) -> None:
    def ask(round: int) -> None:
        for number in range(20):
            made_up = f"made-up-{round}-{number}"
            fresh.get(f"/v1/{made_up}")
            fresh.get(f"/v1/jobs/{uuid4()}")
            fresh.get(f"/v1/spaces/{made_up}")
            fresh.get("/v1/jobs", params={made_up: made_up})
            fresh.request(made_up.upper(), "/v1/spaces")
            with api_database.transaction() as session:
                submit(session, kind="tally", request={}, owner=made_up, queue="cpu")

    ask(0)
    once = set(scraped(fresh))
    ask(1)
    assert set(scraped(fresh)) == once
    assert not [name for name in once if "made-up" in json.dumps(name)]


def test_a_scrape_answers_without_a_database(api_settings: Settings) -> None:
    with TestClient(create_app(api_settings.model_copy(update={"database_url": NOWHERE}))) as client:
        client.get("/v1/spaces/darts/size")
        began = time.monotonic()
        found = scraped(client)
    assert time.monotonic() - began < 5
    assert found["cellar_part_up", "database"] == 0
    assert found["cellar_ready",] == found["cellar_census_up",] == 0
    assert any(name[0] == "http_requests_total" for name in found)
    assert not any(name[0] in ("cellar_jobs", "cellar_workers") for name in found), "unknown is not told as nothing"


def test_a_census_that_hangs_is_said_and_in_nobody_s_way(fresh: TestClient, api_database: Database) -> None:
    with api_database.transaction() as session:
        session.execute(text("LOCK TABLE jobs IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        found = scraped(fresh)
        assert time.monotonic() - began < readiness.LIMIT_SECONDS + 1
        assert found["cellar_census_up",] == 0
        assert found["cellar_part_up", "database"] == found["cellar_ready",] == 1
        assert not any(name[0] == "cellar_jobs" for name in found)
    assert scraped(fresh)["cellar_census_up",] == 1


def test_a_census_of_many_jobs_is_quick(database: Database) -> None:
    with database.transaction() as session:
        session.execute(
            text(
                "INSERT INTO jobs (id, kind, queue, device, state, priority, owner, visibility, request) "
                "SELECT gen_random_uuid(), 'training', 'gpu', 'auto', 'queued', 0, 'o' || n % 10, 'private', '{}' "
                "FROM generate_series(1, 20000) n"
            )
        )
        session.execute(text("INSERT INTO outbox (job_id) SELECT id FROM jobs"))
        workers.beat(session, id=uuid4(), host="here", pid=1, queues=["cpu"], devices=["cpu"], gpu=None, state="idle")
    with database.transaction() as session:
        session.execute(text("ANALYZE jobs, outbox"))
        began = time.perf_counter()
        assert sum(row.number for row in census.open_jobs(session)) == 20_000
        assert census.owed_hints(session)[0] == 20_000
        assert census.most_queued(session) == 2_000
        assert [(owed.queue, owed.device) for owed in census.owed_by_device(session)] == [("gpu", "auto")]
        assert census.paces(session, within_seconds=60) == ()
        assert time.perf_counter() - began < 1
