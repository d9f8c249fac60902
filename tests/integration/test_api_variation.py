"""Members beside one another over HTTP: mutants, children, differences, encodings, conversions, classes."""

import copy
from itertools import pairwise
from random import Random

import pytest
from fastapi.testclient import TestClient

from app.api.examples import BROKEN, DARTS_V2
from app.architecture.formats import formats_of, read_format, write_format
from app.space.validity import valid_sample
from app.space.zoo import ZOO

DARTS = ZOO["darts"]
OTHER = DARTS.plan.unrank(123_456_789_012_345)


def ask(api: TestClient, question: str, body: dict, space: str = "darts"):
    return api.post(f"/v1/spaces/{space}/{question}", json=body)


def test_mutants_are_neighbours_and_follow_the_seed(api: TestClient) -> None:
    body = {"genotype": DARTS_V2, "count": 50, "seed": 3}
    found = ask(api, "mutate", body).json()
    near = {str(DARTS.plan.rank(genotype)) for genotype in DARTS.plan.neighbours(DARTS_V2)}
    indices = [item["index"] for item in found["items"]]
    assert len(indices) == 50
    assert set(indices) <= near
    assert len(set(indices)) > 10
    assert ask(api, "mutate", body).json() == found
    assert ask(api, "mutate", body | {"seed": 4}).json() != found


def test_a_space_of_one_member_has_no_mutants(api: TestClient) -> None:
    layers = {"repeat": {"choice": ["skip_connect"]}, "lengths": [2]}
    grammar = {"start": "chain", "rules": {"chain": {"record": "chain", "fields": {"layers": layers}}}}
    assert api.post("/v1/spaces", json={"name": "only-one", "grammar": grammar}).status_code == 201
    answer = ask(api, "mutate", {"genotype": {"layers": ["skip_connect", "skip_connect"]}}, "only-one")
    assert answer.status_code == 422
    assert answer.json()["type"] == "urn:cellar:problem:no-other"


def test_children_answer_as_their_parents_do(api: TestClient) -> None:
    found = ask(api, "crossover", {"first": DARTS_V2, "second": OTHER, "count": 20, "seed": 1}).json()
    one, other = DARTS.plan.read(DARTS_V2), DARTS.plan.read(OTHER)
    assert (int(found["first"]), int(found["second"])) == (DARTS.plan.rank(DARTS_V2), DARTS.plan.rank(OTHER))
    for item in found["items"]:
        for path, answer in DARTS.plan.read(item["genotype"]).items():
            assert answer in (one.get(path), other.get(path))
    assert len({item["index"] for item in found["items"]}) > 5


def test_a_difference_names_the_decisions_in_order(api: TestClient) -> None:
    changed = copy.deepcopy(DARTS_V2)
    changed["normal"]["node5"] = [{"input": 0, "op": "skip_connect"}, {"input": 4, "op": "max_pool_3x3"}]
    changed["reduce"]["node2"][0]["op"] = "avg_pool_3x3"
    found = ask(api, "diff", {"first": DARTS_V2, "second": changed}).json()
    assert found["edits"] == [
        {"path": "/normal/node5", "kind": "subset", "from": [0, 2], "to": [0, 4]},
        {"path": "/normal/node5/2/op", "kind": "choice", "from": "dil_conv_3x3", "to": None},
        {"path": "/normal/node5/4/op", "kind": "choice", "from": None, "to": "max_pool_3x3"},
        {"path": "/reduce/node2/0/op", "kind": "choice", "from": "max_pool_3x3", "to": "avg_pool_3x3"},
    ]
    assert found["distance"] == 4
    assert ask(api, "diff", {"first": DARTS_V2, "second": DARTS_V2}).json()["edits"] == []


@pytest.mark.parametrize("question", ["crossover", "diff"])
def test_what_is_wrong_with_either_is_pointed_at(api: TestClient, question: str) -> None:
    for body, place in (
        ({"first": BROKEN, "second": OTHER}, "/first"),
        ({"first": OTHER, "second": BROKEN}, "/second"),
    ):
        answer = ask(api, question, body)
        assert answer.status_code == 422
        assert all(fault["pointer"].startswith(f"{place}/") for fault in answer.json()["errors"])


def test_a_one_hot_vector_has_a_one_for_every_answer(api: TestClient) -> None:
    found = ask(api, "encode", {"genotype": DARTS_V2}).json()
    row = dict(zip(found["columns"], found["vector"], strict=True))
    assert row["/normal/node5=0"] == row["/normal/node5=2"] == 1
    assert row["/normal/node5=1"] == row["/normal/node5/1/op=skip_connect"] == 0
    assert sum(found["vector"]) == 16 + 2 * 3 * 2  # an operation on 16 edges; the two inputs of nodes that choose
    short = ask(api, "encode", {"genotype": DARTS_V2, "columns": False}).json()
    assert short == found | {"columns": None}


def test_a_cell_is_encoded_as_a_graph_or_as_its_ways(api: TestClient) -> None:
    graph = ask(api, "encode", {"genotype": DARTS_V2, "encoding": "adjacency"}).json()
    assert [cell["path"] for cell in graph["cells"]] == ["/normal", "/reduce"]
    assert all(len(cell["edges"]) == sum(map(sum, cell["matrix"])) == 12 for cell in graph["cells"])
    assert graph["cells"][0]["ways"] == []
    path = ask(api, "encode", {"genotype": DARTS_V2, "encoding": "path"}).json()
    assert ["input0", "skip_connect"] in path["cells"][0]["ways"]
    lengths = [len(way) for way in path["cells"][0]["ways"]]
    assert all(a <= b for a, b in pairwise(lengths))


def test_a_space_without_cells_says_what_suits_it(api: TestClient) -> None:
    genotype = ZOO["chain"].plan.unrank(0)
    answer = ask(api, "encode", {"genotype": genotype, "encoding": "path"}, "chain")
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert (fault["pointer"], fault["allowed"]) == ("/encoding", ["one-hot"])


@pytest.mark.parametrize("space", ZOO.values(), ids=ZOO)
def test_every_format_of_a_space_converts_into_every_other(api: TestClient, space) -> None:
    names = [f.name for f in formats_of(space)]
    (genotype,) = valid_sample(space, Random(0), 1).genotypes
    for name in names:  # what a format leaves out, such as vertices on no way, is gone after the first time
        genotype = read_format(space, name, write_format(space, name, genotype))
    rank = str(space.plan.rank(genotype))
    written = {
        name: ask(api, "convert", {"genotype": genotype, "to": name}, space.name).json()["genotype"] for name in names
    }
    for source in names:
        for target in names:
            found = ask(api, "convert", {"genotype": written[source], "from": source, "to": target}, space.name)
            assert found.status_code == 200, found.text
            assert found.json()["genotype"] == written[target]
            assert (found.json()["from"], found.json()["to"]) == (source, target)
        valid = ask(api, "validate", {"genotype": written[source], "format": source}, space.name).json()
        assert valid["index"] == rank
    listed = api.get(f"/v1/spaces/{space.name}").json()["formats"]
    assert [f["name"] for f in listed] == names


@pytest.mark.parametrize(("place", "body"), [("/from", {"from": "nowhere"}), ("/to", {"to": "nowhere"})])
def test_a_format_that_the_space_does_not_have_is_pointed_at(api: TestClient, place: str, body: dict) -> None:
    answer = ask(api, "convert", {"genotype": DARTS_V2} | body)
    assert answer.status_code == 422
    (fault,) = answer.json()["errors"]
    assert fault["pointer"] == place
    assert "json" in fault["allowed"]


def test_a_canonical_form_is_that_of_the_equivalence_asked_for(api: TestClient) -> None:
    zero = dict.fromkeys(("0->1", "0->2", "1->2", "0->3", "1->3", "2->3"), "none")
    dead = zero | {"0->1": "nor_conv_3x3"}
    for equivalence, same in (("functional", True), ("relabelling", False)):
        found = [
            ask(api, "canonical", {"genotype": g, "equivalence": equivalence}, "nasbench201").json()
            for g in (zero, dead)
        ]
        assert [answer["equivalence"] for answer in found] == [equivalence] * 2
        assert (found[0]["index"] == found[1]["index"]) is same
    answer = ask(api, "canonical", {"genotype": zero, "equivalence": "motif-renaming"}, "nasbench201")
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/equivalence"
    assert "functional" in answer.json()["errors"][0]["allowed"]


def test_classes_are_drawn_by_their_canonical_forms(api: TestClient) -> None:
    body = {"count": 200, "seed": 2, "distribution": "uniform-unique", "equivalence": "relabelling"}
    found = api.post("/v1/spaces/nasbench201/sample", json=body).json()
    assert found["equivalence"] == "relabelling"
    for item in found["items"]:
        form = ask(api, "canonical", {"genotype": item["genotype"], "equivalence": "relabelling"}, "nasbench201")
        assert form.json()["index"] == item["index"]
    assert 0 < found["acceptance"] <= 1
    plain = api.post("/v1/spaces/nasbench201/sample", json={"count": 5}).json()
    assert (plain["equivalence"], plain["acceptance"]) == (None, 1)
    refused = api.post("/v1/spaces/nasbench201/sample", json={"equivalence": "relabelling"})
    assert refused.json()["errors"][0]["pointer"] == "/equivalence"


@pytest.mark.parametrize("question", ["mutate", "crossover", "diff", "encode", "convert"])
def test_a_batch_answers_each_as_it_would_alone(api: TestClient, question: str) -> None:
    pair = question in ("crossover", "diff")
    items = [{"first": g, "second": OTHER} if pair else {"genotype": g} for g in (DARTS_V2, BROKEN)]
    found = ask(api, f"{question}/batch", {"items": items}).json()["items"]
    alone = [ask(api, question, item) for item in items]
    assert [entry["status"] for entry in found] == [200, 422] == [answer.status_code for answer in alone]
    assert found[0]["answer"] == alone[0].json()
    assert found[1]["problem"]["errors"] == alone[1].json()["errors"]


# -- spaces with constraints -------------------------------------------------------------------------------------------

DISCONNECTED = {"cell": {"vertices": 3, "0->1": 1, "0->2": 0, "1->2": 0, "v1": "conv3x3-bn-relu"}}


def test_a_constraint_that_is_not_met_is_a_fault_with_a_repair(api: TestClient) -> None:
    space = ZOO["nasbench101"]
    found = ask(api, "validate", {"genotype": DISCONNECTED}, space.name).json()
    assert found["valid"] is False
    assert found["index"] is None
    assert found["errors"][0]["pointer"].startswith("/cell")
    assert ask(api, "validate", {"genotype": found["repair"]}, space.name).json()["valid"] is True
    refused = ask(api, "neighbours", {"genotype": DISCONNECTED}, space.name)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith("/genotype/cell")
    index = space.plan.rank(DISCONNECTED)
    assert api.get(f"/v1/spaces/{space.name}/members/{index}").json()["valid"] is False
    valid = int(ask(api, "validate", {"genotype": found["repair"]}, space.name).json()["index"])
    assert api.get(f"/v1/spaces/{space.name}/members/{valid}").json()["valid"] is True


@pytest.mark.parametrize("name", ["nasbench101", "nas_fpn"])
@pytest.mark.parametrize("distribution", ["uniform", "per-choice"])
def test_what_is_drawn_and_made_is_valid(api: TestClient, name: str, distribution: str) -> None:
    body = {"count": 20, "seed": 1, "distribution": distribution}
    drawn = api.post(f"/v1/spaces/{name}/sample", json=body)
    assert drawn.status_code == 200, drawn.text
    assert 0 < drawn.json()["acceptance"] <= 1
    first, second = (item["genotype"] for item in drawn.json()["items"][:2])
    made = [
        ask(api, "mutate", {"genotype": first, "count": 20}, name),
        ask(api, "crossover", {"first": first, "second": second, "count": 20}, name),
        ask(api, "neighbours", {"genotype": first, "limit": 50}, name),
    ]
    for answer in [drawn, *made]:
        assert answer.status_code == 200, answer.text
        items = answer.json()["items"]
        assert items
        assert all(item["valid"] for item in items)
        faults = ask(api, "validate/batch", {"items": [{"genotype": i["genotype"]} for i in items]}, name).json()
        assert all(entry["answer"]["valid"] for entry in faults["items"])


# -- questions about texts ---------------------------------------------------------------------------------------------

TEXT = write_format(DARTS, "darts", DARTS.plan.normalise(DARTS_V2))


def test_every_question_takes_a_genotype_in_its_format(api: TestClient) -> None:
    text, tree = {"genotype": TEXT, "format": "darts"}, {"genotype": DARTS_V2}
    questions = {"canonical": {}, "neighbours": {"limit": 3}, "mutate": {}, "encode": {}, "cost": {"by_node": False}}
    for question, more in questions.items():
        answer = ask(api, question, text | more)
        assert answer.status_code == 200, answer.text
        assert answer.json() == ask(api, question, tree | more).json()
    pair = {"first": TEXT, "second": TEXT, "format": "darts"}
    assert ask(api, "diff", pair).json()["distance"] == 0
    body = {"space": "darts", "skeleton": "small", "input": {"channels": 1, "height": 8, "width": 8}}
    first, second = (api.post("/v1/architectures", json=body | genotype) for genotype in (text, tree))
    assert first.json()["id"] == second.json()["id"]


def test_what_is_wrong_with_a_text_is_pointed_at(api: TestClient) -> None:
    misspelt = str(TEXT).replace("sep_conv_3x3", "sep_conv_9x9", 1)
    place = misspelt.index("sep_conv_9x9")
    found = ask(api, "validate", {"genotype": misspelt, "format": "darts"})
    assert found.status_code == 200
    answer = found.json()
    assert (answer["valid"], answer["index"], answer["repair"]) == (False, None, None)
    (fault,) = answer["errors"]
    assert (fault["pointer"], fault["value"]) == (f"/{place}", "sep_conv_9x9")
    assert "sep_conv_3x3" in fault["allowed"]
    for question in ("cost", "canonical", "encode"):
        refused = ask(api, question, {"genotype": misspelt, "format": "darts"})
        assert refused.status_code == 422
        assert refused.json()["type"] == "urn:cellar:problem:unreadable-genotype"
        assert refused.json()["errors"][0]["pointer"] == f"/genotype/{place}"
    for odd in (None, 7, [], {}, "", "Genotype(", "Genotype(normal=__import__('os'))"):
        assert ask(api, "validate", {"genotype": odd, "format": "darts"}).json()["valid"] is False
