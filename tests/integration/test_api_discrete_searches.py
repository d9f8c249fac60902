"""Discrete searches over HTTP: what is accepted, with which defaults, and what is answered instead of a job."""

import json
from functools import cache
from itertools import product
from typing import Any
from uuid import UUID, uuid4

import pytest
from fastapi.testclient import TestClient
from pydantic import TypeAdapter

from app.architecture import architecture_id, price_of
from app.catalogue import Database, jobs, profiles
from app.embedded import wait_until
from app.experiment import (
    DISCRETE_STRATEGIES,
    ORACLE,
    SEARCH_RECIPES,
    TRAINING_RECIPES,
    CatalogueEvaluator,
    DiscreteSearchRequest,
    InheritedEvaluator,
    ProxyEvaluator,
    SharingCheck,
    TrainingEvaluator,
)
from app.jobs import claim, fan_out, finish, record_epoch, record_progress, suspend
from app.jobs.children import ChildJob
from app.settings import Settings
from app.space import space_to_json
from app.space.zoo import ZOO
from tests.integration.recorded import RECIPE, SPACE, run_next, table

RANKS = (0, 1000, 2000, 3000, 4000, 5000)
LEAST = {"params": 73_306, "macs": 7_783_040}  # of cells without a convolution, of which there are 729
TRAINING = {
    "space": "nasbench201",
    "strategy": "random",
    "evaluator": {"kind": "training", "dataset": "digits"},
    "budget": 10,
}
PROXIES = TRAINING | {"evaluator": {"kind": "proxies", "dataset": "digits"}}
INHERITED = TRAINING | {"evaluator": {"kind": "inherited", "dataset": "digits"}}
LOOKED_UP: dict[str, Any] = TRAINING | {"evaluator": {"kind": "catalogue"}, "budget": 4}


@cache
def different() -> tuple[int, ...]:
    """The ranks of cells of `none` and `skip_connect`, one of each architecture."""
    edges = list(SPACE.plan.unrank(0))
    cells = [dict(zip(edges, ops, strict=True)) for ops in product(("none", "skip_connect"), repeat=len(edges))]
    found = {architecture_id(SPACE, SPACE.skeletons["cifar"], SPACE.input, cell): cell for cell in cells}
    return tuple(SPACE.plan.rank(cell) for cell in found.values())


@pytest.fixture(scope="module", autouse=True)
def results(api_database: Database) -> None:
    """A table on `selection`, and one that is somebody else's."""
    table(api_database, {rank: {"accuracy": 50.0 + i / 10, "loss": 1.0} for i, rank in enumerate(different())})
    found = {rank: {"accuracy": 50.0 + i} for i, rank in enumerate(RANKS)}
    table(api_database, found, split="test", owner="ada", visibility="private", sha256="6" * 64)


def posted(api: TestClient, body: dict[str, Any], status: int = 202, **query: Any) -> dict[str, Any]:
    answer = api.post("/v1/searches", json=body, params=query)
    assert answer.status_code == status, answer.text
    return answer.json()


def asked(api: TestClient, database: Database, body: dict[str, Any]) -> DiscreteSearchRequest:
    """The request of a job as a worker reads it."""
    job = posted(api, body)
    assert job["kind"] == "discrete_search"
    with database.transaction() as session:
        row = jobs.get(session, UUID(job["id"]))
    assert row is not None
    return TypeAdapter(DiscreteSearchRequest).validate_python(dict(row.request))


def fault(api: TestClient, body: dict[str, Any]) -> dict[str, Any]:
    """The one thing that is wrong."""
    (found,) = posted(api, body, 422)["errors"]
    return found


def test_every_default_of_a_search_that_trains_is_chosen(api: TestClient, api_database: Database) -> None:
    request = asked(api, api_database, TRAINING)
    assert request.document == space_to_json(SPACE)
    assert request.skeleton == SPACE.skeletons["small"], "the images are small"
    assert (request.image.channels, request.image.height) == (1, 8)
    assert isinstance(request.evaluator, TrainingEvaluator)
    assert request.evaluator.recipe == TRAINING_RECIPES["digits-quick"]
    assert (request.evaluator.dataset, request.evaluator.seeds) == ("digits", (0,))
    assert [(o.metric, o.goal) for o in request.objectives] == [("accuracy", "maximise")]
    assert (request.batch, request.budget, request.repeats, request.seed) == (8, 10, False, 0)
    assert (request.warm_start, request.latencies, request.replays, request.oracle) == (None, None, None, False)


def test_everything_can_be_given(api: TestClient, api_database: Database) -> None:
    body = TRAINING | {
        "strategy": "evolution",
        "parameters": {"population": 6, "tournament": 3},
        "evaluator": {"kind": "training", "dataset": "digits", "recipe": {"epochs": 3}, "seeds": [4, 5]},
        "objectives": [{"metric": "loss"}],
        "batch": 3,
        "max_params": 200_000,
        "max_macs": 9_000_000,
        "warm_start": {"proxy": "naswot", "candidates": 30, "kept": 5},
        "skeleton": {"family": "edge_cells", "channels": 8, "num_cells": 1, "num_classes": 77},
        "repeats": True,
        "seed": 7,
        "device": "cuda",
    }
    request = asked(api, api_database, body)
    assert request.parameters == {"population": 6, "tournament": 3}
    assert isinstance(request.evaluator, TrainingEvaluator)
    assert (request.evaluator.recipe.epochs, request.evaluator.seeds) == (3, (4, 5))
    assert [(o.metric, o.goal) for o in request.objectives] == [("loss", "minimise")]
    assert (request.bounds.max_params, request.bounds.max_macs) == (200_000, 9_000_000)
    assert request.warm_start is not None
    assert (request.warm_start.proxy, request.warm_start.kept, request.warm_start.candidates) == ("naswot", 5, 30)
    assert request.warm_start.evaluator == ProxyEvaluator(dataset="digits", images=64)
    assert request.skeleton.num_classes == 10, "the classes are the data set's"
    assert (request.batch, request.repeats, request.seed, request.device) == (3, True, 7, "cuda")


def test_weights_are_inherited_from_a_supernet_of_its_own_skeleton(api: TestClient, api_database: Database) -> None:
    request = asked(api, api_database, INHERITED)
    assert isinstance(request.evaluator, InheritedEvaluator)
    assert request.evaluator.recipe == SEARCH_RECIPES["digits-quick"]
    assert request.evaluator.skeleton.affine is False
    assert request.skeleton.affine is True
    assert request.batch == 1
    assert (request.evaluator.paths, request.evaluator.children, request.evaluator.check) == ("uniform", 0, None)


def test_members_are_judged_by_children_and_weights_checked_where_that_is_asked(
    api: TestClient, api_database: Database
) -> None:
    body = INHERITED | {"budget": 100}
    body["evaluator"] = INHERITED["evaluator"] | {"paths": "sandwich", "children": 4, "check": {"members": 20}}
    request = asked(api, api_database, body)
    assert isinstance(request.evaluator, InheritedEvaluator)
    assert (request.evaluator.paths, request.evaluator.children) == ("sandwich", 4)
    quick = TRAINING_RECIPES["digits-quick"]
    assert request.evaluator.check == SharingCheck(members=20, recipe=quick, seeds=(0,))
    assert request.batch == 32, "eight for each child"
    assert asked(api, api_database, body | {"budget": 10}).batch == 10
    assert asked(api, api_database, body | {"strategy": "successive_halving", "parameters": {"eta": 2}}).batch == 1
    body["evaluator"]["check"] |= {"recipe": {"epochs": 7}, "seeds": [3, 4]}
    plan = posted(api, body, 200, dry_run=True)
    assert (plan["evaluations"], plan["trainings"]) == (100, 40)
    assert plan["epochs"] == SEARCH_RECIPES["digits-quick"].epochs + 40 * 7


@pytest.mark.parametrize(
    ("change", "sought"),
    [
        ({}, [("synflow", "maximise")]),
        ({"strategy": "nsga2"}, [("synflow", "maximise"), ("macs", "minimise")]),
        ({"objectives": [{"metric": "zen"}, {"metric": "params"}]}, [("zen", "maximise"), ("params", "minimise")]),
        ({"objectives": [{"metric": "params", "goal": "maximise"}]}, [("params", "maximise")]),
    ],
)
def test_what_is_sought_follows_the_strategy_and_the_evaluator(
    api: TestClient, api_database: Database, change: dict, sought: list
) -> None:
    request = asked(api, api_database, PROXIES | change)
    assert [(o.metric, o.goal) for o in request.objectives] == sought
    assert request.evaluator == ProxyEvaluator(dataset="digits", images=64)


def test_the_only_results_there_are_need_no_name(api: TestClient, api_database: Database) -> None:
    body = LOOKED_UP | {"device": "auto"}
    request = asked(api, api_database, body)
    assert isinstance(request.evaluator, CatalogueEvaluator)
    assert (request.evaluator.dataset, request.evaluator.split) == ("cifar10", "selection")
    assert (request.evaluator.recipe_name, request.evaluator.recipe_digest) == (RECIPE.name, RECIPE.digest)
    assert (request.evaluator.viewer, request.evaluator.evaluation) == ("local", "trained")
    assert request.skeleton == SPACE.skeletons["cifar"], "that of the results"
    assert request.image == SPACE.input
    assert (request.device, request.oracle) == ("cpu", False)
    view = posted(api, body)
    assert (view["queue"], view["oracle"], view["label"]) == ("cpu", False, None)
    for way in ({"recipe": RECIPE.digest}, {"recipe": RECIPE.name, "split": "selection"}, {"dataset": "cifar10"}):
        named = asked(api, api_database, LOOKED_UP | {"evaluator": {"kind": "catalogue"} | way, "skeleton": "cifar"})
        assert isinstance(named.evaluator, CatalogueEvaluator)
        assert named.evaluator.recipe_digest == RECIPE.digest


def test_a_search_on_the_test_split_is_labelled_wherever_it_is_shown(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    told = {rank: {"accuracy": 90.0} for rank in different()}
    table(api_database, told, split="test", dataset="told", sha256="7" * 64)
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "told"}, "max_params": LEAST["params"]}
    body |= {"budget": 50}
    plan = posted(api, body, 200, dry_run=True)
    assert (plan["oracle"], plan["label"]) == (True, ORACLE)
    job = posted(api, body)
    assert (job["oracle"], job["label"]) == (True, ORACLE)
    drain(api, api_settings, api_database, job["id"])
    here = f"/v1/searches/{job['id']}"
    for path in (here, f"{here}/trajectory", f"/v1/jobs/{job['id']}"):
        answer = api.get(path).json()
        assert (answer["oracle"], answer["label"]) == (True, ORACLE), path
    report = api.get(f"{here}/report").json()["report"]
    assert (report["oracle"], report["label"]) == (True, ORACLE)
    listed = api.get("/v1/jobs", params={"kind": "discrete_search", "limit": 200}).json()["items"]
    assert {one["label"] for one in listed if one["id"] == job["id"]} == {ORACLE}


def drain(api: TestClient, settings: Settings, database: Database, id: str) -> None:
    """Run a job, once whatever else waits is cancelled."""
    cancel_all(api, but=id)
    run_next(settings, database, id)


def test_reports_of_earlier_versions_say_nothing_of_shared_weights(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "cifar10"}, "max_params": LEAST["params"]}
    body |= {"budget": 50}
    first = posted(api, body)["id"]
    drain(api, api_settings, api_database, first)
    report = api.get(f"/v1/searches/{first}/report").json()["report"]
    assert report["sharing"] is None
    second = posted(api, body | {"seed": 1})["id"]
    cancel_all(api, but=second)
    with api_database.transaction() as session:
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        job = jobs.get(session, UUID(first))
        assert taken is not None
        assert job is not None
        assert job.result is not None
        earlier = {name: part for name, part in job.result["report"].items() if name != "sharing"}
        finish(session, taken.lease, {**job.result, "report": earlier})
    assert str(taken.job.id) == second
    assert api.get(f"/v1/searches/{second}/report").json()["report"] == report


def cancel_all(api: TestClient, but: str = "") -> None:
    for state in ("waiting", "queued"):  # in this order: what waits may be queued meanwhile
        for job in api.get("/v1/jobs", params={"state": state, "limit": 200}).json()["items"]:
            if job["id"] != but:
                assert api.post(f"/v1/jobs/{job['id']}/cancel").status_code == 200


def test_results_that_do_not_compare_are_never_mixed(api: TestClient, api_database: Database) -> None:
    other = ZOO["nasbench_macro"]
    assert fault(api, LOOKED_UP | {"space": other.name})["pointer"] == "/evaluator", "there are none"
    for i, (dataset, skeleton) in enumerate([("mixed", "cifar"), ("mixed", "small")]):
        table(api_database, {0: {"accuracy": 10.0}}, dataset=dataset, skeleton=skeleton, sha256=str(i) * 64)
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "mixed"}}
    problem = posted(api, body, 422)
    assert problem["type"] == "urn:cellar:problem:mixed-results"
    assert [found["pointer"] for found in problem["errors"]] == ["/skeleton"]
    assert len(problem["errors"][0]["allowed"]) == 2
    posted(api, body | {"skeleton": "small"})
    problem = posted(api, LOOKED_UP, 422)
    assert problem["errors"][0]["pointer"] == "/evaluator/dataset"
    assert {"cifar10", "mixed"} <= set(problem["errors"][0]["allowed"])


def test_what_others_keep_to_themselves_is_not_there(api: TestClient) -> None:
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "cifar10", "split": "test"}}
    found = fault(api, body)
    assert found["pointer"] == "/evaluator"
    assert all("selection" in choice for choice in found["allowed"] if "cifar10" in choice)
    missing = fault(api, LOOKED_UP | {"space": "nasbench101"})
    assert "cellar data add-benchmark" in missing["message"]


def test_metrics_are_those_that_were_measured(api: TestClient, api_database: Database) -> None:
    table(api_database, {0: {"error": 1.0, "seconds": 3.0}}, dataset="timed", sha256="8" * 64)
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "timed"}}
    found = fault(api, body)
    assert (found["pointer"], found["allowed"][:2]) == ("/objectives", ["error", "seconds"])
    unknown = fault(api, body | {"objectives": [{"metric": "accuracy"}]})
    assert (unknown["pointer"], unknown["allowed"][:2]) == ("/objectives/0/metric", ["error", "seconds"])
    request = asked(api, api_database, body | {"objectives": [{"metric": "seconds", "goal": "minimise"}]})
    assert request.objectives[0].goal == "minimise"


@pytest.mark.parametrize(
    ("base", "change", "pointer"),
    [
        (TRAINING, {"space": "autodeeplab"}, "/evaluator/dataset"),
        (TRAINING, {"strategy": "magic"}, "/strategy"),
        (TRAINING, {"strategy": 5}, "/strategy"),
        (TRAINING, {"budget": 0}, "/budget"),
        (TRAINING, {"budget": 10_001}, "/budget"),
        (TRAINING, {"batch": 11}, "/batch"),
        (TRAINING, {"seed": 2**31}, "/seed"),
        (TRAINING, {"device": "tpu"}, "/device"),
        (TRAINING, {"dataset": "digits"}, "/dataset"),
        (TRAINING, {"skeleton": "nowhere"}, "/skeleton"),
        (TRAINING, {"skeleton": {"family": "edge_cells", "num_cells": 0}}, "/skeleton/num_cells"),
        (TRAINING, {"parameters": {"population": 3}}, "/parameters/population"),
        (TRAINING, {"strategy": "evolution", "parameters": {"population": 0}}, "/parameters/population"),
        (TRAINING, {"strategy": "evolution", "parameters": {"population": "many"}}, "/parameters/population"),
        (TRAINING, {"strategy": "evolution", "parameters": {"tournaments": 3}}, "/parameters/tournaments"),
        (TRAINING, {"evaluator": {"kind": "guess"}}, "/evaluator"),
        (TRAINING, {"evaluator": {"dataset": "digits"}}, "/evaluator"),
        (TRAINING, {"evaluator": {"kind": "training"}}, "/evaluator/dataset"),
        (TRAINING, {"evaluator": {"kind": "training", "dataset": "nowhere"}}, "/evaluator/dataset"),
        (TRAINING, {"evaluator": TRAINING["evaluator"] | {"recipe": "nowhere"}}, "/evaluator/recipe"),
        (TRAINING, {"evaluator": TRAINING["evaluator"] | {"recipe": {"epochs": 0}}}, "/evaluator/recipe/epochs"),
        (TRAINING, {"evaluator": TRAINING["evaluator"] | {"seeds": [1, 1]}}, "/evaluator/seeds"),
        (TRAINING, {"evaluator": TRAINING["evaluator"] | {"split": "test"}}, "/evaluator/split"),
        (TRAINING, {"budget": 10_000, "evaluator": TRAINING["evaluator"] | {"seeds": [0, 1]}}, "/budget"),
        (TRAINING, {"objectives": []}, "/objectives"),
        (TRAINING, {"objectives": [{"metric": "charm"}]}, "/objectives/0/metric"),
        (TRAINING, {"objectives": [{"metric": "loss"}, {"metric": "loss"}]}, "/objectives/1/metric"),
        (TRAINING, {"objectives": [{"metric": "loss", "goal": "up"}]}, "/objectives/0/goal"),
        (TRAINING, {"objectives": [{"metric": "macs"}]}, "/objectives"),
        (TRAINING, {"objectives": [{"metric": "loss"}, {"metric": "macs"}], "strategy": "evolution"}, "/strategy"),
        (TRAINING, {"objectives": [{"metric": "latency_ms"}, {"metric": "loss"}]}, "/latency_device"),
        (TRAINING, {"max_latency_ms": 3.0}, "/latency_device"),
        (TRAINING, {"max_latency_ms": 3.0, "latency_device": "abacus"}, "/latency_device"),
        (TRAINING, {"latency_device": "abacus"}, "/latency_device"),
        (TRAINING, {"max_params": -1}, "/max_params"),
        (TRAINING, {"warm_start": {"proxy": "charm"}}, "/warm_start/proxy"),
        (TRAINING, {"warm_start": {"kept": 11}}, "/warm_start/kept"),
        (TRAINING, {"warm_start": {"kept": 5, "candidates": 4}}, "/warm_start/candidates"),
        (TRAINING, {"warm_start": {"dataset": "fashion_mnist"}}, "/warm_start/dataset"),
        (TRAINING, {"warm_start": {"images": 1024}}, "/warm_start/images"),
        (TRAINING, {"strategy": "successive_halving", "warm_start": {"kept": 2}}, "/warm_start"),
        (PROXIES, {"evaluator": PROXIES["evaluator"] | {"images": 1000}}, "/evaluator/images"),
        (PROXIES, {"objectives": [{"metric": "accuracy"}]}, "/objectives/0/metric"),
        (PROXIES, {"space": "transformer", "objectives": [{"metric": "naswot"}]}, "/objectives/0/metric"),
        (PROXIES, {"space": "autoformer_t", "warm_start": {"proxy": "zen"}}, "/warm_start/proxy"),
        (PROXIES, {"objectives": [{"metric": "macs"}], "device": "cuda"}, "/device"),
        (
            INHERITED,
            {"evaluator": INHERITED["evaluator"] | {"skeleton": {"family": "chain"}}},
            "/evaluator/skeleton/family",
        ),
        (INHERITED, {"evaluator": INHERITED["evaluator"] | {"paths": "largest"}}, "/evaluator/paths"),
        (INHERITED, {"evaluator": INHERITED["evaluator"] | {"children": 65}}, "/evaluator/children"),
        (INHERITED, {"evaluator": INHERITED["evaluator"] | {"check": {}}}, "/evaluator/check/members"),
        (INHERITED, {"evaluator": INHERITED["evaluator"] | {"check": {"members": 1}}}, "/evaluator/check/members"),
        (
            INHERITED,
            {"evaluator": INHERITED["evaluator"] | {"check": {"members": 2, "seeds": [1, 1]}}},
            "/evaluator/check/seeds",
        ),
        (
            INHERITED,
            {"evaluator": INHERITED["evaluator"] | {"check": {"members": 2, "recipe": "nowhere"}}},
            "/evaluator/check/recipe",
        ),
        (LOOKED_UP, {"device": "cuda"}, "/device"),
        (LOOKED_UP, {"evaluator": {"kind": "catalogue", "split": "training"}}, "/evaluator/split"),
        (LOOKED_UP, {"evaluator": {"kind": "catalogue", "recipe": "nowhere"}}, "/evaluator"),
        (LOOKED_UP, {"warm_start": {"kept": 2}}, "/warm_start/dataset"),
        (LOOKED_UP, {"warm_start": {"kept": 2, "dataset": "digits"}}, "/warm_start/dataset"),
        (LOOKED_UP, {"strategy": "successive_halving"}, "/evaluator/fidelities"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_place(api: TestClient, base: dict, change: dict, pointer: str) -> None:
    named = {"evaluator": base["evaluator"] | ({"dataset": "cifar10"} if base is LOOKED_UP else {})}
    before = api.get("/v1/jobs", params={"limit": 1}).json()
    problem = posted(api, base | named | change, 422)
    assert pointer in {found["pointer"] for found in problem["errors"]}, problem
    assert api.get("/v1/jobs", params={"limit": 1}).json() == before


def test_an_unknown_strategy_names_those_there_are(api: TestClient) -> None:
    found = fault(api, TRAINING | {"strategy": "magic"})
    assert {"darts", "random", "successive_halving"} <= set(found["allowed"])
    missing = posted(api, {"space": "darts", "strategy": "random"}, 422)
    assert {found["pointer"] for found in missing["errors"]} == {"/evaluator", "/budget"}


def test_a_space_that_has_no_network_is_not_measured(api: TestClient) -> None:
    document = {
        "name": "mystery-chain",
        "grammar": {"start": "a", "rules": {"a": {"record": "mystery", "fields": {"x": {"choice": [1, 2]}}}}},
        "skeletons": {"one": {"family": "edge_cells"}},
    }
    assert api.post("/v1/spaces", json=document).status_code == 201
    assert posted(api, TRAINING | {"space": "mystery-chain"}, 422)["type"] == "urn:cellar:problem:no-network"


def test_fidelities_are_epochs_images_or_recipes(api: TestClient, api_database: Database) -> None:
    halving = {"strategy": "successive_halving", "parameters": {"eta": 2}}
    epochs = TRAINING_RECIPES["digits-quick"].epochs
    request = asked(api, api_database, TRAINING | halving)
    assert request.parameters == {"least": max(1, epochs // 4), "most": epochs, "eta": 2}
    assert request.batch == 1, "none is measured before it is known which go on"
    request = asked(api, api_database, INHERITED | halving)
    assert request.parameters == {"least": 177 // 4, "most": 177, "eta": 2}, "images of selection"
    request = asked(api, api_database, PROXIES | halving)
    assert request.parameters == {"least": 16, "most": 64, "eta": 2}
    for body, name, value in (
        (TRAINING, "most", 2001),
        (INHERITED, "most", 178),
        (PROXIES, "most", 641),
        (TRAINING, "least", 500),
    ):
        found = fault(api, body | halving | {"parameters": {name: value}})
        assert (found["pointer"], found["value"]) == (f"/parameters/{name}", value)


def test_results_of_several_recipes_stand_for_fidelities(api: TestClient, api_database: Database) -> None:
    recipes = [RECIPE.__class__(name=f"epochs-{n}", source="a paper") for n in (12, 200)]
    for i, recipe in enumerate(recipes):
        found = {rank: {"accuracy": 50.0 + i} for rank in RANKS}
        table(api_database, found, dataset="two", recipe=recipe, sha256=str(i + 3) * 64)
    levels = [{"fidelity": 4, "recipe": "epochs-200"}, {"fidelity": 2, "recipe": "epochs-12"}]
    evaluator = {"kind": "catalogue", "dataset": "two", "fidelities": levels}
    body = LOOKED_UP | {"evaluator": evaluator, "strategy": "successive_halving", "parameters": {"eta": 2}}
    request = asked(api, api_database, body)
    assert isinstance(request.evaluator, CatalogueEvaluator)
    assert [(level.fidelity, level.recipe_name) for level in request.evaluator.fidelities] == [
        (2, "epochs-12"),
        (4, "epochs-200"),
    ]
    assert request.evaluator.recipe_name == "epochs-200"
    assert request.parameters == {"least": 2, "most": 4, "eta": 2}
    gap = fault(api, body | {"parameters": {"eta": 3, "least": 1, "most": 4}})
    assert gap["pointer"] == "/evaluator/fidelities"
    assert "[1, 3]" in gap["message"]
    assert fault(api, body | {"strategy": "random", "parameters": {}})["pointer"] == "/evaluator/fidelities"
    unnamed = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "two"}}
    problem = posted(api, unnamed, 422)
    assert [found["pointer"] for found in problem["errors"]] == ["/evaluator/recipe"]


def test_bounds_that_no_member_keeps_to_are_told_with_the_least(api: TestClient) -> None:
    skeleton, image = SPACE.skeletons["cifar"], SPACE.input
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "cifar10"}}
    assert min(price_of(SPACE, skeleton, image, i).params for i in range(SPACE.plan.size)) == LEAST["params"]
    for name, cost in LEAST.items():
        posted(api, body | {f"max_{name}": cost})
        found = fault(api, body | {f"max_{name}": cost - 1})
        assert (found["pointer"], found["value"]) == (f"/max_{name}", cost - 1)
        assert found["allowed"] == [f"at least {cost}"]
        assert "at least" in found["message"]


def test_bounds_of_a_large_space_are_judged_by_its_price_list(api: TestClient) -> None:
    body = PROXIES | {"space": "darts", "skeleton": {"family": "cells", "channels": 4, "num_cells": 3}}
    found = fault(api, body | {"max_params": 10})
    (allowed,) = found["allowed"]
    least = int(allowed.rpartition(" ")[2])
    assert found["message"].startswith("members of darts have at least")
    posted(api, body | {"max_params": least})
    assert fault(api, body | {"max_params": least - 1})["allowed"] == [allowed]


def test_users_spaces_are_searched_the_same_way(api: TestClient, api_database: Database) -> None:
    document = {
        "name": "four-layers",
        "title": "Four layers of three operations",
        "grammar": {
            "start": "chain",
            "rules": {
                "chain": {
                    "record": "chain",
                    "fields": {
                        "layers": {
                            "repeat": {"choice": ["conv_3x3", "conv_5x5", "skip_connect"]},
                            "lengths": [4],
                        }
                    },
                }
            },
        },
        "skeletons": {"tiny": {"family": "chain", "channels": 8, "reductions": [1]}},
    }
    assert api.post("/v1/spaces", json=document).status_code == 201
    body = PROXIES | {"space": "four-layers", "strategy": "local_search", "objectives": [{"metric": "macs"}]}
    assert asked(api, api_database, body).device == "cpu", "nothing is computed"
    least = fault(api, body | {"max_macs": 0})
    assert least["message"].startswith("members of four-layers have at least")


def test_latencies_are_those_of_a_device(api: TestClient, api_database: Database) -> None:
    body = TRAINING | {"max_latency_ms": 1000.0, "latency_device": "hourglass"}
    job = api.post("/v1/profiles", json={"operations": [{"operation": "sep_conv_3x3", "channels": 4, "size": [8, 8]}]})
    store(api_database, job.json()["id"], {"a": 1.0})
    gap = posted(api, body, 409)
    assert gap["type"] == "urn:cellar:problem:not-measured"
    assert {found["pointer"] for found in gap["errors"]} == {"/latency_device"}
    _, _, missing = gap["detail"].partition("POST /v1/profiles ")
    entries = api.post("/v1/profiles?dry_run=true", json=json.loads(missing)).json()["entries"]
    store(api_database, job.json()["id"], dict.fromkeys(entries, 2.0))
    request = asked(api, api_database, body)
    assert request.bounds.max_latency_ms == 1000.0
    assert request.latencies is not None
    assert (request.latencies.device, request.latencies.factor) == ("hourglass", 1.0)
    assert request.latencies.entries == dict.fromkeys(entries, 2.0)
    found = fault(api, body | {"max_latency_ms": 1.0})
    least = float(found["allowed"][0].rpartition(" ")[2])
    assert (found["pointer"], "was found" in found["message"]) == ("/max_latency_ms", True)
    asked(api, api_database, body | {"max_latency_ms": least})
    sought = asked(api, api_database, TRAINING | {"strategy": "nsga2", "latency_device": "hourglass"} | BOTH)
    assert [(o.metric, o.goal) for o in sought.objectives] == [("accuracy", "maximise"), ("latency_ms", "minimise")]


BOTH = {"objectives": [{"metric": "accuracy"}, {"metric": "latency_ms"}]}


def store(database: Database, job: str, entries: dict[str, float]) -> None:
    """Measurements of a device's table, in milliseconds."""
    row = {
        "target": "entry",
        "operation": "conv",
        "architecture_id": None,
        "description": {},
        "params": 1,
        "macs": 1,
        "batch_size": 1,
        "precision": "float32",
        "direction": "forward",
        "device": "hourglass",
        "device_type": "cpu",
        "threads": 1,
        "torch_version": "2.13.0",
        "code_version": "test",
        "n": 5,
        "runs": 3,
        "minimum_ms": 0.1,
        "peak_memory_bytes": None,
        "memory_method": "by hand",
    }
    rows = [
        row | {"key": key, "entries": {key: 1}, "median_ms": ms, "q1_ms": ms, "q3_ms": ms}
        for key, ms in entries.items()
    ]
    with database.transaction() as session:
        profiles.record(session, job_id=UUID(job), owner="local", visibility="private", rows=rows)


def test_a_key_makes_one_job_whatever_the_moment(api: TestClient) -> None:
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "cifar10"}}
    headers = {"Idempotency-Key": "discrete-once"}
    first, second = (api.post("/v1/searches", json=body, headers=headers).json() for _ in range(2))
    assert first["id"] == second["id"]
    other = api.post("/v1/searches", json=body | {"seed": 1}, headers=headers)
    assert other.json()["type"] == "urn:cellar:problem:idempotency-conflict"


@pytest.mark.parametrize(
    ("body", "trainings", "epochs"),
    [
        (TRAINING | {"evaluator": TRAINING["evaluator"] | {"recipe": {"epochs": 3}, "seeds": [0, 1]}}, 20, 60),
        (INHERITED, 0, SEARCH_RECIPES["digits-quick"].epochs),
        (PROXIES, 0, 0),
        # a bracket: 4 of one epoch, 2 of two, 1 of four; then three of the next
        (
            TRAINING | {"strategy": "successive_halving", "parameters": {"least": 1, "most": 4, "eta": 2}},
            10,
            4 * 1 + 2 * 2 + 4 + 3,
        ),
    ],
)
def test_a_dry_run_tells_the_work_and_starts_nothing(api: TestClient, body: dict, trainings: int, epochs: int) -> None:
    before = api.get("/v1/jobs", params={"limit": 1}).json()
    plan = posted(api, body, 200, dry_run=True)
    assert (plan["kind"], plan["evaluations"], plan["trainings"], plan["epochs"]) == (
        "discrete_search",
        10,
        trainings,
        epochs,
    )
    assert (plan["queue"], plan["workers"], plan["oracle"]) == ("cpu", 0, False)
    assert "document" not in plan["request"]
    assert plan["request"]["parameters"].keys() == {p.name for p in DISCRETE_STRATEGIES[body["strategy"]].parameters}
    assert api.get("/v1/jobs", params={"limit": 1}).json() == before


def test_a_search_is_found_again_with_its_report_and_trajectory(
    api: TestClient, api_settings: Settings, api_database: Database
) -> None:
    body = LOOKED_UP | {"evaluator": {"kind": "catalogue", "dataset": "cifar10"}, "budget": 40, "seed": 3}
    body |= {"max_macs": LEAST["macs"]}
    id = posted(api, body)["id"]
    here = f"/v1/searches/{id}"
    waiting = api.get(here).json()
    assert (waiting["kind"], waiting["strategy"], waiting["evaluator"]) == ("discrete_search", "random", "catalogue")
    assert (waiting["best"], waiting["evaluations"], waiting["budget"]) == (None, 0, 40)
    assert waiting["objectives"] == [{"metric": "accuracy", "goal": "maximise"}]
    assert (waiting["dataset"], waiting["parameters"], waiting["genotype"]) == ("cifar10", {}, None)
    for part in ("report", "trajectory"):
        assert api.get(f"{here}/{part}").status_code == 404
    drain(api, api_settings, api_database, id)
    whole = api.get(f"{here}/trajectory").json()
    assert [item["n"] for item in whole["items"]] == list(range(1, 41))
    assert (whole["total"], whole["next"]) == (40, None)
    pages, cursor = [], None
    while not pages or cursor is not None:
        page = api.get(f"{here}/trajectory", params={"limit": 15} | ({"cursor": cursor} if cursor else {})).json()
        pages.append(page["items"])
        cursor = page["next"]
    assert [len(page) for page in pages] == [15, 15, 10]
    assert [item for page in pages for item in page] == whole["items"]
    assert api.get(f"{here}/trajectory", params={"cursor": "x"}).status_code == 422
    assert api.get(f"{here}/trajectory", params={"limit": 1001}).status_code == 422

    found, search = api.get(f"{here}/report").json(), api.get(here).json()
    report = found["report"]
    assert (report["evaluations"], report["budget"], report["strategy"]) == (40, 40, "random")
    assert (
        report["failed"]
        == sum(item["values"] is None for item in whole["items"])
        == search["evaluations"] - sum(item["values"] is not None for item in whole["items"])
    )
    measured = [item for item in whole["items"] if item["values"] is not None]
    if measured:
        best = max(item["values"]["accuracy"] for item in measured)
        assert report["best"]["values"]["accuracy"] == best
        assert (search["best"], search["genotype"]) == (report["best"], report["best"]["genotype"])


def test_a_search_tells_the_best_so_far_while_it_runs_and_while_it_waits(
    api: TestClient, api_database: Database
) -> None:
    cancel_all(api)
    id = posted(api, TRAINING)["id"]

    def shown() -> tuple[int, Any]:
        search = api.get(f"/v1/searches/{id}").json()
        return search["evaluations"], search["best"]

    at = {"phase": "search", "epoch": 2, "epochs": 10, "step": None, "steps": None}
    with api_database.transaction() as session:
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        assert taken is not None
        record_epoch(session, taken.lease, at | {"metrics": {"best_accuracy": 93.5, "failed": 1.0}})
    assert shown() == (2, {"best_accuracy": 93.5})
    with api_database.transaction() as session:
        fan_out(session, taken.lease, {"child": ChildJob(kind="training", request={})})
        record_progress(session, taken.lease, at | {"epoch": 3, "step": 0, "metrics": {"best_accuracy": 94.0}})
    assert shown() == (3, {"best_accuracy": 94.0})
    with api_database.transaction() as session:
        suspend(session, taken.lease)

    def told() -> bool:  # by the services of the API
        return api.get(f"/v1/jobs/{id}").json()["progress"]["phase"] == "children"

    assert wait_until(told, 30, pause=0.05)
    assert shown() == (2, {"best_accuracy": 93.5}), "what is kept of it"


def test_costs_are_sought_without_a_network(api: TestClient, api_settings: Settings, api_database: Database) -> None:
    body = PROXIES | {"strategy": "local_search", "objectives": [{"metric": "params"}], "budget": 60}
    id = posted(api, body)["id"]
    drain(api, api_settings, api_database, id)
    job = api.get(f"/v1/jobs/{id}").json()
    assert job["state"] == "succeeded", job["error"]
    report = api.get(f"/v1/searches/{id}/report").json()["report"]
    curve = report["curve"]
    assert curve == sorted(curve, reverse=True)
    cost = api.post(
        "/v1/spaces/nasbench201/cost",
        json={
            "genotype": report["best"]["genotype"],
            "skeleton": job["request"]["skeleton"],
            "input": job["request"]["image"],
        },
    ).json()
    assert report["best"]["values"]["params"] == cost["params"] == curve[-1]
