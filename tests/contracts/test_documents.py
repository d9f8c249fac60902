"""Spaces that the zoo does not have, written as JSON alone: each is registered, counted, sampled, drawn and trained.

Every size is computed here a second time, by the mathematics of the paper's description and not by the algebra.
"""

import json
import xml.etree.ElementTree as ET
from itertools import islice, product
from math import comb, prod
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
from fastapi.testclient import TestClient

from app.architecture import architecture_id, cost, draw_svg, draw_text, lower, resolve
from app.space import ImageInput, SearchSpace, space_from_json, space_size, space_to_json
from app.space.validity import space_faults, space_repair, valid_neighbours, valid_sample
from app.space.zoo import ZOO
from workers.network import Network

FOLDER = Path(__file__).parents[2] / "docs" / "spaces"
GREY = ImageInput(channels=1, height=8, width=8)


def einspace() -> int:
    """s(d) = 4 operations + 2 kinds of attention + s(d-1)² sequences + 2 s(d-1)² branchings + s(d-1) routings."""
    size = 0
    for _ in range(3):
        size = 4 + 2 + size**2 + 2 * size**2 + size
    return size


def genetic_cnn() -> int:
    """A bit for each pair of nodes of a stage."""
    return 2 ** sum(comb(nodes, 2) for nodes in (3, 4, 5))


def hat() -> int:
    """Two widths; of each depth to six, two numbers of heads and four ratios a layer."""
    return 2 * sum((2 * 4) ** depth for depth in range(1, 7))


def inception() -> int:
    """Four branches and two ways to merge them."""
    return 2 * (3 + 3**2) * (3 + 3**2) * (2 * 2) * 2


def metaqnn() -> int:
    """Of n layers one or two pool, at most three of the others have the largest kernel, the rest one of two."""
    return sum(
        comb(n, pools) * comb(n - pools, large) * 2 ** (n - pools - large)
        for n in range(4, 9)
        for pools in (1, 2)
        for large in range(min(3, n - pools) + 1)
    )


def nas_unet() -> int:
    """Four operations down and up, three skip connections at each of two levels; four operations at the bottom."""
    return prod([4, 3, 4] * 2) * 4


COUNTS = {
    "einspace": einspace,
    "genetic_cnn": genetic_cnn,
    "hat": hat,
    "inception": inception,
    "metaqnn": metaqnn,
    "nas_unet": nas_unet,
}


def document(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text())


def read(name: str) -> SearchSpace:
    return space_from_json(document(name))


def members(space: SearchSpace, count: int) -> tuple[Any, ...]:
    """Members that meet the constraints, uniform over them."""
    return valid_sample(space, Random(space.name), count).genotypes


def test_every_document_is_tested() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
def test_a_document_is_a_space_that_the_zoo_does_not_have(name: str) -> None:
    space = read(name)
    assert space.name not in ZOO
    assert space.digest not in {known.digest for known in ZOO.values()}
    assert space.paper.startswith("https://")
    again = space_from_json(json.loads(json.dumps(space_to_json(space))))
    assert again == space
    assert again.digest == space.digest


@pytest.mark.parametrize("name", COUNTS)
def test_its_size_is_the_one_that_its_paper_describes(name: str) -> None:
    assert space_size(read(name)).valid.exact == COUNTS[name]()


def test_the_constraints_hold_for_what_they_count() -> None:
    """All chains of the shortest length, one by one."""
    space = read("metaqnn")
    operations = ("conv_1x1", "conv_3x3", "conv_5x5", "max_pool_3x3")
    for layers in product(operations, repeat=4):
        allowed = 1 <= layers.count("max_pool_3x3") <= 2 and layers.count("conv_5x5") <= 3
        assert (not space_faults(space, {"layers": list(layers)})) == allowed


@pytest.mark.parametrize("name", COUNTS)
def test_its_members_are_sampled_judged_and_repaired(name: str) -> None:
    space = read(name)
    for genotype in members(space, 20):
        assert space.plan.unrank(space.plan.rank(genotype)) == genotype
        assert space.plan.write(space.plan.read(genotype)) == genotype
        assert space_faults(space, genotype) == ()
        broken = genotype | {next(iter(genotype)): "warp_drive"}
        assert [fault.pointer for fault in space_faults(space, broken)] == [f"/{next(iter(genotype))}"]
        assert space_faults(space, space_repair(space, broken)) == ()
        around = list(islice(valid_neighbours(space, genotype), 5))
        assert len(around) == 5
        assert not [other for other in around if space_faults(space, other) or other == genotype]


@pytest.mark.parametrize("name", COUNTS)
def test_it_is_drawn_and_has_its_costs_on_every_skeleton(name: str) -> None:
    space = read(name)
    for genotype in members(space, 3):
        assert len(draw_text(space, genotype).splitlines()) > 3
        for skeleton in space.skeletons.values():
            ET.fromstring(draw_svg(space, genotype, skeleton, space.input))
            assert cost(lower(space.grammar, skeleton, space.input, space.plan.read(genotype))).params > 0


@pytest.mark.parametrize("name", ZOO)
def test_a_document_of_the_zoo_means_what_the_zoo_means(name: str) -> None:
    """What is lowered is what a record builds, wherever the grammar comes from."""
    space = ZOO[name]
    read = space_from_json(json.loads(json.dumps(space_to_json(space))))
    decided = space.plan.read(space.plan.sample(Random(name), 1)[0])
    for title, skeleton in space.skeletons.items():
        image = GREY if title == "small" else space.input
        assert read.skeletons[title] == skeleton
        assert lower(read.grammar, read.skeletons[title], image, decided) == lower(
            space.grammar, skeleton, image, decided
        )


@pytest.mark.parametrize("name", COUNTS)
def test_over_http_it_gets_the_same_answers(api: TestClient, name: str) -> None:
    given, space = document(name), read(name)
    registered = api.post("/v1/spaces", json=given)
    assert registered.status_code in (200, 201), registered.text
    assert registered.json()["digest"] == space.digest
    at = f"/v1/spaces/{space.name}"
    assert api.get(f"{at}/size").json()["valid"]["exact"] == str(COUNTS[name]())
    assert api.post("/v1/size", json={"space": given}).json()["valid"]["exact"] == str(COUNTS[name]())
    items = api.post(f"{at}/sample", json={"count": 3, "seed": 1}).json()["items"]
    for item in items:
        genotype = item["genotype"]
        assert api.post(f"{at}/validate", json={"genotype": genotype}).json()["valid"] is True
        body = {"genotype": genotype, "skeleton": "small", "input": {"channels": 1, "height": 8, "width": 8}}
        graph = lower(space.grammar, space.skeletons["small"], GREY, space.plan.read(genotype))
        assert api.post(f"{at}/cost", json=body).json()["params"] == cost(graph).params
        ET.fromstring(api.post(f"{at}/draw", json=body).text)
    listed = api.get(f"{at}/decisions").json()["decisions"]
    assert [decision["path"] for decision in listed] == [decision.path for decision in space.plan.decisions()]


@pytest.mark.parametrize("name", COUNTS)
def test_its_networks_and_its_supernet_compute_and_learn(name: str) -> None:
    space = read(name)
    skeleton = space.skeletons["small"]
    supernet = lower(space.grammar, skeleton, GREY)
    torch.manual_seed(0)
    x = torch.randn(2, 1, 8, 8)
    ids: set[str] = set()
    for genotype in members(space, 3):
        decided = space.plan.read(genotype)
        graph = resolve(supernet, decided)
        assert graph == lower(space.grammar, skeleton, GREY, decided)
        network = Network(graph)
        assert sum(p.numel() for p in network.parameters()) == cost(graph).params
        answers = network(x)
        assert answers.shape == (2, 10)
        answers.square().sum().backward()
        gradients = [p.grad for p in network.parameters() if p.grad is not None]
        assert gradients
        assert all(g.isfinite().all() for g in gradients)
        ids.add(architecture_id(space, skeleton, GREY, genotype))
    assert len(ids) > 1
    weights = {
        path: torch.full((len(options),), 1 / len(options), requires_grad=True)
        for path, (_, options) in supernet.open.items()
    }
    Network(supernet)(x, weights).square().sum().backward()
    assert any(w.grad is not None and w.grad.abs().sum() > 0 for w in weights.values())
