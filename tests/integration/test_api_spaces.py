"""Spaces over HTTP: listing, one, registration, sizes, decisions."""

import copy

import pytest
from fastapi.testclient import TestClient

from app.api.examples import MINE
from app.catalogue import Database, spaces
from app.space import space_from_json, space_to_json
from app.space.zoo import ZOO

MEMBERS_OF_MINE = 4  # two layers of two operations


def renamed(name: str) -> dict:
    return copy.deepcopy(MINE) | {"name": name}


def test_the_zoo_is_listed_by_name(api: TestClient) -> None:
    page = api.get("/v1/spaces").json()
    names = [item["name"] for item in page["items"]]
    assert names == sorted(names)
    assert set(ZOO) <= set(names)
    assert page["next"] is None
    darts = next(item for item in page["items"] if item["name"] == "darts")
    assert darts["digest"] == ZOO["darts"].digest
    assert api.get(darts["links"]["self"]).json()["name"] == "darts"


def test_pages_follow_one_another_without_gap_or_overlap(api: TestClient) -> None:
    for name in ("aaa", "mmm", "zzz"):
        assert api.post("/v1/spaces", json=renamed(name)).status_code in (200, 201)
    whole = [item["name"] for item in api.get("/v1/spaces").json()["items"]]
    seen: list[str] = []
    query: dict = {"limit": 2}
    while True:
        page = api.get("/v1/spaces", params=query).json()
        seen += [item["name"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert seen == whole


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "ä", "e30" * 20])
def test_a_cursor_that_was_not_given_out_is_refused(api: TestClient, cursor: str) -> None:
    answer = api.get("/v1/spaces", params={"cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/cursor"


def test_a_space_says_everything_about_itself(api: TestClient) -> None:
    space = api.get("/v1/spaces/darts").json()
    assert space["size"]["exact"] == "1076746950455072400"
    assert 18.03 < space["size"]["log10"] < 18.04
    assert space["skeletons"]["cifar"]["num_cells"] == 20
    assert space["abilities"]["search"]["able"] is True
    assert api.post("/v1/size", json={"space": space["document"]}).json()["space"]["digest"] == space["digest"]


def test_a_version_can_be_named(api: TestClient) -> None:
    assert api.get("/v1/spaces/darts@1").json()["version"] == 1


@pytest.mark.parametrize(
    "reference", ["nowhere", "darts@2", "darts@0", "darts@", "darts@x", "DARTS", "a" * 99, "a@b@1"]
)
def test_an_unknown_space_is_a_404(api: TestClient, reference: str) -> None:
    answer = api.get(f"/v1/spaces/{reference}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:cellar:problem:not-found"


def test_a_read_has_a_tag_and_is_not_sent_twice(api: TestClient) -> None:
    first = api.get("/v1/spaces/darts@1")
    assert "immutable" in first.headers["cache-control"]
    second = api.get("/v1/spaces/darts@1", headers={"If-None-Match": first.headers["etag"]})
    assert second.status_code == 304
    assert second.content == b""
    assert second.headers["etag"] == first.headers["etag"]
    other = api.get("/v1/spaces/darts@1", headers={"If-None-Match": '"another"'})
    assert other.status_code == 200


def test_what_names_no_version_is_asked_again(api: TestClient) -> None:
    assert api.get("/v1/spaces/darts").headers["cache-control"] == "no-cache"


def test_a_space_of_ones_own_is_registered_and_never_changes(api: TestClient) -> None:
    document = renamed("mine")
    created = api.post("/v1/spaces", json=document)
    assert created.status_code == 201
    assert created.headers["location"] == "/v1/spaces/mine@1"
    assert created.json()["size"]["exact"] == str(MEMBERS_OF_MINE)
    assert created.json()["origin"] == "registered"

    again = api.post("/v1/spaces", json=document)
    assert again.status_code == 200
    assert again.json() == created.json()

    changed = copy.deepcopy(document)
    changed["grammar"]["rules"]["chain"]["fields"]["layers"]["lengths"] = [2, 3]
    second = api.post("/v1/spaces", json=changed)
    assert second.status_code == 201
    assert second.json()["version"] == 2
    assert second.json()["digest"] != created.json()["digest"]

    assert api.get("/v1/spaces/mine").json()["version"] == 2
    assert api.get("/v1/spaces/mine@1").json() == created.json()
    members = api.get("/v1/spaces/mine@1/members").json()["items"]
    assert members[0]["genotype"] == {"layers": ["conv_3x3", "conv_3x3"]}
    assert len(members) == MEMBERS_OF_MINE


def test_the_same_grammar_with_other_skeletons_is_no_new_version(api: TestClient) -> None:
    document = renamed("fixed")
    assert api.post("/v1/spaces", json=document).status_code == 201
    answer = api.post("/v1/spaces", json=document | {"title": "Another title"})
    assert answer.status_code == 409
    assert answer.json()["errors"][0]["pointer"] == "/title"


def test_the_names_of_the_zoo_are_taken(api: TestClient) -> None:
    answer = api.post("/v1/spaces", json=renamed("darts"))
    assert answer.status_code == 409
    assert answer.json()["type"] == "urn:cellar:problem:space-exists"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": "../etc"}, "/name"),
        ({"owner": "root"}, "/owner"),
        ({"grammar": {"start": "nowhere", "rules": {}}}, "/grammar"),
        ({"grammar": 7}, "/grammar"),
        ({"skeletons": {"s": {"family": "mystery"}}}, "/skeletons/s/family"),
        ({"equivalences": [{"name": "wishful"}]}, "/equivalences/0/name"),
    ],
)
def test_what_is_wrong_with_a_space_is_pointed_at(api: TestClient, change: dict, pointer: str) -> None:
    answer = api.post("/v1/spaces", json=copy.deepcopy(MINE) | change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    inside = api.post("/v1/size", json={"space": copy.deepcopy(MINE) | change})
    assert inside.status_code == 422
    assert inside.json()["errors"][0]["pointer"].startswith(f"/space{pointer}")


def test_a_size_says_what_was_counted(api: TestClient) -> None:
    size = api.get("/v1/spaces/nasbench201/size").json()
    assert size["raw"]["exact"] == "15625"
    assert size["raw"]["equivalence"] is None
    assert size["valid"]["exact"] == "15625"
    product = 1
    for factor in size["factors"]:
        product *= int(factor["exact"])
    assert product == 15625


def test_a_posted_space_is_counted_anew(api: TestClient) -> None:
    document = copy.deepcopy(MINE)
    document["grammar"]["rules"]["chain"]["fields"]["layers"]["lengths"] = [1, 10]
    size = api.post("/v1/size", json={"space": document}).json()
    assert size["raw"]["exact"] == str(2 + 2**10)


def test_decisions_say_their_options_and_what_nodes_may_read(api: TestClient) -> None:
    found = api.get("/v1/spaces/darts/decisions").json()
    by_path = {decision["path"]: decision for decision in found["decisions"]}
    assert by_path["/normal/node3"] == {"path": "/normal/node3", "kind": "subset", "options": [0, 1, 2], "k": 2}
    assert len(by_path["/normal/node3/1/op"]["options"]) == 7
    nodes = {node["node"]: node["inputs"] for node in found["nodes"]}
    assert nodes["/reduce/node5"] == [0, 1, 2, 3, 4]
    simple = api.get("/v1/spaces/simple_cell/decisions").json()
    assert {node["node"]: node["inputs"] for node in simple["nodes"]}["/node2/left"] == [0, 1, 2, 3]


def test_a_private_space_of_somebody_else_does_not_exist(api: TestClient, api_database: Database) -> None:
    for name, visibility in (("hers-alone", "private"), ("hers-for-all", "public")):
        document = space_to_json(space_from_json(renamed(name)))
        with api_database.transaction() as session:
            digest = space_from_json(document).digest
            spaces.register(
                session, owner="ada", name=name, digest=digest, title="", document=document, visibility=visibility
            )
    for route in ("", "/size", "/decisions", "/members/0"):
        assert api.get(f"/v1/spaces/hers-alone{route}").status_code == 404
        assert api.get(f"/v1/spaces/hers-alone@1{route}").status_code == 404
        assert api.get(f"/v1/spaces/hers-for-all@1{route}").status_code == 200
    names = {item["name"] for item in api.get("/v1/spaces", params={"limit": 200}).json()["items"]}
    assert "hers-alone" not in names
    assert "hers-for-all" in names
    assert api.get("/v1/spaces/hers-for-all").json()["visibility"] == "public"


def test_a_space_is_private_unless_it_says_otherwise(api: TestClient) -> None:
    assert api.post("/v1/spaces", json=renamed("kept")).json()["visibility"] == "private"
    public = renamed("shown") | {"visibility": "public"}
    assert api.post("/v1/spaces", json=public).json()["visibility"] == "public"
    assert api.get("/v1/spaces/shown@1").json()["visibility"] == "public"
    assert "visibility" not in api.get("/v1/spaces/shown@1").json()["document"]
    assert api.post("/v1/spaces", json=renamed("shown")).status_code == 200
    changed = api.post("/v1/spaces", json=renamed("shown") | {"visibility": "private"})
    assert changed.status_code == 409
    assert changed.json()["errors"][0]["pointer"] == "/visibility"
    wrong = api.post("/v1/spaces", json=renamed("odd") | {"visibility": "friends"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0] == {
        "pointer": "/visibility",
        "message": "expected private or public",
        "value": "friends",
        "allowed": ["private", "public"],
    }
    assert api.get("/v1/spaces/darts").json()["visibility"] == "public"


@pytest.mark.parametrize(
    ("grammar", "pointer"),
    [
        ({"record": "chain", "fields": {f"f{i}": {"choice": [0, 1]} for i in range(1_001)}}, "/fields"),
        ({"choice": list(range(1_001))}, "/choice"),
        ({"repeat": {"choice": ["a", "b"]}, "lengths": [1_001]}, "/lengths/0"),
        ({"subset": [0, 1, 2], "k": 65}, "/k"),
    ],
)
def test_what_is_larger_than_the_limits_is_pointed_at(api: TestClient, grammar: dict, pointer: str) -> None:
    document = {"name": "large", "grammar": {"start": "x", "rules": {"x": grammar}}}
    answer = api.post("/v1/spaces", json=document)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == f"/grammar/rules/x{pointer}"


def test_a_space_says_what_can_be_asked_of_it_and_what_its_papers_say(api: TestClient) -> None:
    found = api.get("/v1/spaces/nasbench101").json()
    assert [c["name"] for c in found["constraints"]] == ["connected", "edges"]
    assert found["literature"] == ZOO["nasbench101"].literature
    assert found["encodings"] == ["one-hot", "adjacency", "path"]
    assert found["formats"][0]["name"] == "json"
    assert found["abilities"]["canonical"]["able"] is True
    assert api.get("/v1/spaces/nasbench101/size").json()["literature"] == found["literature"]
    assert api.get("/v1/spaces/chain").json()["abilities"]["canonical"]["able"] is False


def test_one_network_is_not_said_to_be_all(api: TestClient) -> None:
    layers = {"repeat": {"choice": ["conv_3x3", "conv_9x9"]}, "lengths": [1]}
    document = {
        "name": "half-known",
        "grammar": {"start": "network", "rules": {"network": {"record": "chain", "fields": {"layers": layers}}}},
        "skeletons": {"mine": {"family": "chain", "num_classes": 4, "channels": 8, "reductions": [1]}},
    }
    abilities = api.post("/v1/spaces", json=document).json()["abilities"]
    assert abilities["cost"]["able"] is True
    assert "not all need have: /layers/0: no operation 'conv_9x9'" in abilities["cost"]["why"]
    assert abilities["search"]["able"] is False
