"""The architectures of a space in pages, and what was measured of the neighbours of one."""

import copy
from itertools import pairwise
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.api.examples import DARTS_V2, MINE, TINY
from app.catalogue import Database, architectures, evaluations
from app.jobs import submit
from app.space import space_from_json
from app.space.zoo import ZOO

SPACE = ZOO["nasbench201"]
IMAGE = {"channels": 1, "height": 8, "width": 8}
SMALL = {"family": "edge_cells", "channels": 4, "num_cells": 1}
CENTRE = 7001


def catalogued(api: TestClient, rank: int, **changes: Any) -> dict[str, Any]:
    body = {"space": "nasbench201", "genotype": SPACE.plan.unrank(rank), "skeleton": SMALL, "input": IMAGE}
    answer = api.post("/v1/architectures", json=body | changes)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def measure(database: Database, architecture: dict[str, Any], **changes: Any) -> None:
    values: dict[str, Any] = {
        "kind": "trained",
        "dataset": "digits",
        "split": "test",
        "recipe_name": "quick",
        "recipe_digest": "1" * 64,
        "recipe": {"name": "quick"},
        "seed": 1,
        "metrics": {"accuracy": 90.0},
        "device": "cpu",
        "torch_version": "2.13.0",
        "code_version": "test",
        "seconds": 2.5,
        "owner": "local",
        "params": architecture["params"],
        "macs": architecture["macs"],
    } | changes
    with database.transaction() as session:
        job = submit(session, kind="training", request={}, owner=values["owner"], queue="cpu").job
        assert evaluations.record(session, architecture_id=architecture["id"], job_id=job.id, **values)


@pytest.fixture(scope="module")
def known(api: TestClient, api_database: Database) -> dict[int, dict[str, Any]]:
    """The centre, four of its neighbours and a stranger; of two neighbours something was measured."""
    near = list(SPACE.plan.neighbour_indices(CENTRE))
    found = {rank: catalogued(api, rank) for rank in (CENTRE, *near[:4], 12)}
    for seed in range(12):
        measure(api_database, found[near[0]], seed=seed)
    measure(api_database, found[near[1]], dataset="fashion_mnist", owner="ada", visibility="public")
    measure(api_database, found[near[2]], owner="ada")  # private
    measure(api_database, found[12])
    measure(api_database, catalogued(api, near[3], skeleton="small"))
    return found


def neighbours(api: TestClient, architecture: dict[str, Any], **query: Any) -> dict[str, Any]:
    answer = api.get(architecture["links"]["neighbours"], params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_was_measured_of_neighbours(api: TestClient, known: dict[int, dict[str, Any]]) -> None:
    near = list(SPACE.plan.neighbour_indices(CENTRE))
    found = neighbours(api, known[CENTRE])
    assert (found["architecture_id"], found["index"]) == (known[CENTRE]["id"], str(CENTRE))
    assert (found["neighbours"], found["complete"]) == (len(near), True)
    assert {int(item["index"]) for item in found["items"]} == set(near[:2])
    by_rank = {int(item["index"]): item for item in found["items"]}
    for rank, item in by_rank.items():
        assert item["genotype"] == SPACE.plan.unrank(rank)
        assert item["architecture_id"] == known[rank]["id"] == item["evaluations"][0]["architecture_id"]
    assert [row["seed"] for row in by_rank[near[0]]["evaluations"]] == list(range(11, 1, -1))
    only = neighbours(api, known[CENTRE], dataset="fashion_mnist")["items"]
    assert [int(item["index"]) for item in only] == [near[1]]
    for query in ({"recipe": "slow"}, {"split": "selection"}, {"kind": "inherited"}):
        assert neighbours(api, known[CENTRE], **query)["items"] == []
    cut = neighbours(api, known[CENTRE], limit=1)
    assert (cut["neighbours"], cut["complete"], len(cut["items"])) == (1, False, 1)


def test_a_neighbour_that_was_met_as_a_twin_is_found_by_its_graph(api: TestClient, api_database: Database) -> None:
    # Nodes 3 and 4 read only the cell's inputs and nothing reads them: only their labels are exchanged.
    twin = copy.deepcopy(DARTS_V2)
    twin["normal"]["node3"], twin["normal"]["node4"] = DARTS_V2["normal"]["node4"], DARTS_V2["normal"]["node3"]
    plan, here = ZOO["darts"].plan, {"space": "darts", "skeleton": TINY}
    met = catalogued(api, 0, **here, genotype=DARTS_V2)
    measure(api_database, met)
    centre = catalogued(api, 0, **here, genotype=next(iter(plan.neighbours(twin))))
    near = set(plan.neighbour_indices(int(centre["index"])))
    assert plan.rank(twin) in near
    assert int(met["index"]) not in near
    assert neighbours(api, centre)["items"] == []
    (found,) = neighbours(api, centre, twins=True)["items"]
    assert (found["architecture_id"], found["index"], found["genotype"]) == (met["id"], str(plan.rank(twin)), twin)


def test_another_owners_space_of_the_same_name_is_not_taken_for_it(api: TestClient, api_database: Database) -> None:
    """Names of spaces are their owners': what belongs to ada's is not read as the caller's own of that name."""
    assert api.post("/v1/spaces", json=MINE).status_code == 201
    mine = space_from_json(MINE)
    with api_database.transaction() as session:
        row, _ = architectures.ensure(
            session,
            id="a" * 32,
            space={"name": mine.name, "version": 1, "digest": "f" * 64},
            index=0,
            genotype=mine.plan.unrank(0),
            skeleton=MINE["skeletons"]["tiny"],
            input=IMAGE,
            params=1,
            macs=1,
        )
    for of in (".svg", "/export", "/neighbours"):
        assert api.get(f"/v1/architectures/{row.id}{of}").status_code == 404


def test_neighbours_of_what_is_not_there(api: TestClient, known: dict[int, dict[str, Any]]) -> None:
    assert api.get(f"/v1/architectures/{'0' * 32}/neighbours").status_code == 404
    assert api.get(known[12]["links"]["neighbours"], params={"limit": 201}).status_code == 422


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("sort", ["created_at", "-created_at", "params", "-params", "macs", "-macs"])
def test_architectures_of_a_space_in_pages(api: TestClient, sort: str) -> None:
    query: dict[str, Any] = {"space": "nasbench201@1", "sort": sort, "limit": 3}
    seen: list[dict[str, Any]] = []
    while True:
        page = api.get("/v1/architectures", params=query).json()
        seen += page["items"]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert len(seen) == len({item["id"] for item in seen}) == 7
    assert all(item["space"] == SPACE.identity for item in seen)
    column = sort.removeprefix("-")
    places = [(item[column], item["id"]) for item in seen]
    assert all((b < a) if sort.startswith("-") else (a < b) for a, b in pairwise(places))


def test_architectures_of_other_spaces_are_not_told(api: TestClient) -> None:
    assert api.get("/v1/architectures").status_code == 422
    assert api.get("/v1/architectures", params={"space": "unheard-of"}).status_code == 404
    assert api.get("/v1/architectures", params={"space": "nats_size"}).json() == {"items": [], "next": None}
    page = api.get("/v1/architectures", params={"space": "nasbench201", "limit": 1}).json()
    other = {"space": "nasbench201", "sort": "params", "cursor": page["next"]}
    assert api.get("/v1/architectures", params=other).status_code == 422
