"""A search by trainings that is cancelled while it waits for one: what it has found by then is kept."""

from uuid import uuid4

from fastapi.testclient import TestClient

from app.catalogue import Database
from app.embedded import wait_until
from app.jobs import Claim, attend, claim
from app.settings import Settings
from workers.fenced import Stop
from workers.run import run

BODY = {
    "space": "nasbench201",
    "strategy": "random",
    "evaluator": {"kind": "training", "dataset": "digits", "recipe": {"epochs": 1, "batch_size": 320}},
    "skeleton": {"family": "edge_cells", "channels": 2, "num_cells": 1},
    "budget": 3,
    "batch": 1,
    "device": "cpu",
}


def work(settings: Settings, database: Database) -> None:
    """Run the job that is next, as a worker does. Whoever waited for it is woken by the services of the API."""
    taken: list[Claim] = []

    def take() -> bool:
        with database.transaction() as session:
            attend(session)
            found = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        taken.extend([] if found is None else [found])
        return bool(taken)

    assert wait_until(take, 30, pause=0.05), "there is nothing to do"
    assert run(settings, database, taken[0].lease, Stop()) == 0


def test_what_was_found_before_it_was_cancelled_is_kept(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    answer = api.post("/v1/searches", json=BODY)
    assert answer.status_code == 202, answer.text
    here = f"/v1/searches/{answer.json()['id']}"
    for _ in range(3):  # the search, the first training, the search again: it waits for the second
        work(api_settings, api_database)
    waiting = api.get(here).json()  # its child is queued: nobody is at it
    assert (waiting["state"], waiting["evaluations"], list(waiting["best"])) == ("waiting", 1, ["best_accuracy"])
    asked = api.post(f"/v1/jobs/{answer.json()['id']}/cancel").json()
    assert (asked["state"], asked["cancel_requested"]) == ("waiting", True)
    work(api_settings, api_database)

    search = api.get(here).json()
    assert (search["state"], search["evaluations"]) == ("cancelled", 1)
    assert search["genotype"] == search["best"]["genotype"]
    assert search["best"]["values"]["accuracy"] == waiting["best"]["best_accuracy"]
    (entry,) = api.get(f"{here}/trajectory").json()["items"]
    assert entry["values"] == search["best"]["values"]
    states = api.get("/v1/jobs", params={"parent": answer.json()["id"]}).json()["items"]
    assert [job["state"] for job in states] == ["cancelled", "succeeded"], "the newest first"
    on_selection = {"job": entry["job"], "split": "selection"}
    (measured,) = api.get("/v1/evaluations", params=on_selection).json()["items"]
    assert measured["accuracy"] == entry["values"]["accuracy"]
