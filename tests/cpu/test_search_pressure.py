"""A search that pays for expensive options: what is added to its loss, and where that leads."""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture import cost, lower, tariff
from app.architecture.workload import workload
from app.experiment import (
    DATASETS,
    Pressure,
    SearchRecipe,
    SearchRequest,
    SpaceVersion,
    TrainingRecipe,
    recipe_digest,
)
from app.space import EdgeCellSkeleton, space_to_json
from app.space.zoo import nasbench201
from workers import search
from workers.session import RequestError
from workers.supernet.pressure import ExpectedCost, decided_costs
from workers.supernet.weights import relax, soft_weights

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = nasbench201()
SKELETON = EdgeCellSkeleton(channels=2, num_cells=1, affine=False)
IMAGE = DATASETS["digits"].input
RECIPE = SearchRecipe(
    name="test", epochs=1, batch_size=320, alpha_learning_rate=0.5, crop_padding=0, flip=False, deterministic=True
)
RETRAIN = TrainingRecipe(
    name="test", epochs=1, batch_size=620, cutout=0, crop_padding=0, flip=False, drop_path=0.0, deterministic=True
)
REQUEST = SearchRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    strategy="darts",
    discretisation="argmax",
    skeleton=SKELETON,
    dataset="digits",
    recipe=RECIPE,
    retrain_skeleton=replace(SKELETON, affine=True),
    retrain_recipe=RETRAIN,
    baseline=False,
    device="cpu",
)


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def searched(memory: Memory, folder: Path, pressure: Pressure | None, **changes: Any) -> dict[str, Any]:
    request = replace(REQUEST, recipe=replace(RECIPE, pressure=pressure), **changes)
    return dict(search.run(request, memory(folder)).result)


def macs(genotype: Any) -> int:
    return cost(lower(SPACE.grammar, SKELETON, IMAGE, SPACE.plan.read(genotype))).macs


def test_no_strength_changes_no_bit_and_much_leads_to_cheap_cells(memory_progress: Memory, tmp_path: Path) -> None:
    free = searched(memory_progress, tmp_path / "free", None)
    weak = searched(memory_progress, tmp_path / "weak", Pressure(cost="macs", strength=0.0))
    assert weak["trajectory"] == free["trajectory"]
    assert weak["genotype"] == free["genotype"]
    assert weak["report"]["supernet"] == free["report"]["supernet"]
    assert free["report"]["pressure"] is None
    strong = searched(memory_progress, tmp_path / "strong", Pressure(cost="macs", strength=100.0))
    told = strong["report"]["pressure"]
    assert (told["cost"], told["strength"]) == ("macs", 100.0)
    assert told["at_end"] < 0.5 * told["at_uniform"]
    assert weak["report"]["pressure"]["at_uniform"] == told["at_uniform"]
    assert macs(strong["genotype"]) < macs(free["genotype"])


def test_nothing_presses_where_nothing_is_decided(memory_progress: Memory, tmp_path: Path) -> None:
    alone = nasbench201(operations=("nor_conv_1x1",))
    told = searched(memory_progress, tmp_path, Pressure(cost="macs", strength=1.0), document=space_to_json(alone))[
        "report"
    ]
    assert told["decisions"] == ()
    assert told["pressure"]["at_uniform"] == told["pressure"]["at_end"] == 0
    assert "no pressure: the decisions decide nothing about macs" in told["notes"]


def test_latencies_press_where_they_are_long(memory_progress: Memory, tmp_path: Path) -> None:
    graph = lower(SPACE.grammar, SKELETON, IMAGE)
    table = {e.key: 10.0 if e.op == "avg_pool" else 0.1 for *_, e in workload(graph)}
    options = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
    weights = {path: torch.full((5,), 0.2, requires_grad=True) for path in graph.open}
    uniform = dict.fromkeys(graph.open, (0.2,) * 5)
    added = ExpectedCost(decided_costs(graph, "latency_ms", table), uniform, 1.0)
    for gradient in torch.autograd.grad(added(weights), [*weights.values()]):
        assert options[gradient.argmax()] == "avg_pool_3x3"
    with pytest.raises(RequestError, match="lack"):
        searched(memory_progress, tmp_path, Pressure(cost="latency_ms", strength=1.0, device="hourglass"))


def test_the_part_of_the_loss_is_the_expected_cost_with_its_gradient() -> None:
    graph = lower(SPACE.grammar, SKELETON, IMAGE)
    relaxed = relax(SPACE.plan, graph.open)
    generator = torch.Generator().manual_seed(0)
    alpha = {r.path: torch.randn(5, generator=generator).double().requires_grad_() for r in relaxed}
    uniform = {r.path: (0.2,) * 5 for r in relaxed}
    added = ExpectedCost(decided_costs(graph, "params", {}), uniform, 3.0)
    prices = tariff(graph)

    def expected(weights: Any) -> Any:
        def weight(path: str, symbols: tuple[Any, ...]) -> Any:
            options = graph.open[path][1]
            return sum(weights[path][options.index(symbol)] for symbol in symbols)

        return prices.price(weight)[0]

    weights = soft_weights(relaxed, alpha)
    always = int(prices.price(lambda path, symbols: float("none" in symbols))[0])
    by_hand = 3.0 * (expected(weights) - always) / (expected(uniform) - always)
    part = added(weights)
    assert part.item() == pytest.approx(by_hand.item())
    leaves = [*alpha.values()]
    gradients = [torch.autograd.grad(loss, leaves, retain_graph=True) for loss in (part, by_hand)]
    for mine, theirs in zip(*gradients, strict=True):
        assert torch.allclose(mine, theirs)


def test_a_recipe_without_pressure_is_what_it_was() -> None:
    fields = {k: v for k, v in asdict(RECIPE).items() if k != "pressure"}
    assert recipe_digest(SearchRecipe(**fields)) == recipe_digest(RECIPE)
    pressed = replace(RECIPE, pressure=Pressure(cost="macs", strength=0.1))
    assert recipe_digest(pressed) != recipe_digest(RECIPE)
    # the digest that this recipe had before there was any pressure, and any other strategy
    assert recipe_digest(SearchRecipe(name="darts-cifar"))[:12] == "428e41ba01fe"
    assert recipe_digest(replace(RECIPE, strategy="single_path")) != recipe_digest(RECIPE)
