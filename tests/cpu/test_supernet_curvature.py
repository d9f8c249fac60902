"""Curvature against torch's own Hessian, in float64, and the rule that ends a search by hand."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.architecture import lower
from app.experiment import SearchRecipe
from app.space import EdgeCellSkeleton, ImageInput
from app.space.zoo import nasbench201
from workers.strategies.darts import Darts
from workers.strategies.drnas import DrNas
from workers.strategies.enas import Enas
from workers.strategies.gumbel import Gdas, Snas
from workers.strategies.shared_weights import STRATEGIES
from workers.supernet.curvature import Watch, dominant_eigenvalue, lanczos, measured
from workers.supernet.rewrite import FusedNetwork
from workers.supernet.weights import relax

CPU = torch.device("cpu")
SPACE = nasbench201()
IMAGE = ImageInput(channels=1, height=8, width=8)
GRAPH = lower(SPACE.grammar, EdgeCellSkeleton(channels=4, num_cells=1, num_classes=5, affine=False), IMAGE)
RELAXED = relax(SPACE.plan, GRAPH.open)
RECIPE = SearchRecipe(name="test")


def made(kind: Any) -> tuple[Any, FusedNetwork, Any]:
    """A strategy with spread α in float64, a network, and the loss of one batch."""
    strategy = kind(RELAXED, RECIPE, seed=0, device=CPU)
    spread = torch.Generator().manual_seed(1)
    for path, alpha in strategy.alpha.values.items():
        strategy.alpha.values[path] = torch.randn(len(alpha), generator=spread, dtype=torch.float64).requires_grad_()
    network = FusedNetwork(GRAPH).double()
    x, labels = torch.randn(6, 1, 8, 8), torch.arange(6) % 5

    def loss_at(draws: Any) -> Tensor:
        return F.cross_entropy(network(x, draws), labels)

    return strategy, network, loss_at


def softmax_weights(values: list[Tensor]) -> dict[str, Tensor]:
    return {r.path: v.softmax(0) for r, v in zip(RELAXED, values, strict=True)}


def dirichlet_means(values: list[Tensor]) -> dict[str, Tensor]:
    means = [F.elu(v) + 1 for v in values]
    return {r.path: b / b.sum() for r, b in zip(RELAXED, means, strict=True)}


@pytest.mark.parametrize(
    ("kind", "weights"),
    [(Darts, softmax_weights), (Gdas, softmax_weights), (Snas, softmax_weights), (DrNas, dirichlet_means)],
)
@pytest.mark.usefixtures("exactly")
def test_the_value_is_that_of_the_whole_hessian(kind: Any, weights: Any) -> None:
    strategy, network, loss_at = made(kind)
    values = [v.detach().clone() for v in strategy.alpha.values.values()]
    blocks: Any = torch.autograd.functional.hessian(lambda *v: loss_at(weights([*v])), tuple(values))
    hessian = torch.cat([torch.cat(row, 1) for row in blocks])
    spectrum = torch.linalg.eigvalsh(hessian)
    greatest, dominant = float(spectrum[-1]), float(spectrum[spectrum.abs().argmax()])
    assert greatest > 1e-4
    found = measured(strategy, loss_at, seed=0, network=network)
    assert found == pytest.approx(greatest, abs=1e-3 * abs(dominant))
    alphas = [*strategy.alpha.values.values()]
    exact = dominant_eigenvalue(lambda: loss_at(weights(alphas)), alphas, seed=0, tolerance=0.0)
    assert exact == pytest.approx(dominant, rel=1e-9)


@pytest.mark.usefixtures("exactly")
def test_nothing_is_disturbed() -> None:
    strategy, network, loss_at = made(Darts)
    loss_at(strategy.settled())  # running statistics of one batch
    before = {name: value.clone() for name, value in network.state_dict().items()}
    alphas = [a.detach().clone() for a in strategy.alpha.values.values()]
    drawn = torch.get_rng_state()
    first = measured(strategy, loss_at, seed=3, network=network)
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in [*network.parameters(), *strategy.alpha.values.values()])
    assert all(torch.equal(a, b) for a, b in zip(alphas, strategy.alpha.values.values(), strict=True))
    assert measured(strategy, loss_at, seed=3, network=network) == first
    with torch.no_grad():
        assert measured(strategy, loss_at, seed=3, network=network) == first


def test_a_strategy_without_alpha_has_none() -> None:
    def never(draws: Any) -> Tensor:
        raise AssertionError("no loss is asked for")

    assert measured(Enas(RELAXED, RECIPE, seed=0, device=CPU), never, seed=0) is None
    assert measured(Darts((), RECIPE, seed=0, device=CPU), never, seed=0) is None


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_settled_weights_are_those_that_it_is_measured_at(name: Any) -> None:
    strategy: Any = STRATEGIES[name](RELAXED, RECIPE, seed=0, device=CPU)
    if name == "enas":
        assert not hasattr(strategy, "relaxed_weights")
        return
    relaxed = strategy.relaxed_weights()
    assert all(torch.equal(w, relaxed[path].detach()) for path, w in strategy.settled().items())
    assert all(w.requires_grad for w in relaxed.values())


@pytest.mark.parametrize("spectrum", [(5.0, 1.0, 0.5, -0.2), (1.0, 0.5, -7.0, 0.2), (2.0, -1.9, 0.0, 0.0)])
def test_the_sign_is_kept(spectrum: tuple[float, ...]) -> None:
    turn, _ = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    matrix = turn @ torch.diag(torch.tensor(spectrum, dtype=torch.float64)) @ turn.T
    x = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    found = dominant_eigenvalue(lambda: 0.5 * x.flatten() @ matrix @ x.flatten() + x.sum(), [x], seed=0)
    assert found == pytest.approx(max(spectrum, key=abs), rel=1e-9)
    found = dominant_eigenvalue(lambda: 0.5 * x.flatten() @ matrix @ x.flatten(), [x], seed=0, by="value")
    assert found == pytest.approx(max(spectrum), rel=1e-9)


def test_of_what_does_not_bend_it_is_zero() -> None:
    x, unused = torch.ones(3, requires_grad=True), torch.ones(2, requires_grad=True)
    assert dominant_eigenvalue(lambda: x.sum(), [x, unused], seed=0) == 0.0
    assert dominant_eigenvalue(lambda: (x**2).sum(), [x, unused], seed=0) == pytest.approx(2.0)


def test_of_a_large_matrix_few_products_are_asked() -> None:
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(300, 300, generator=generator, dtype=torch.float64)
    direction = F.normalize(torch.randn(300, generator=generator, dtype=torch.float64), dim=0)
    matrix = (noise + noise.T) / 20 - 6.0 * torch.outer(direction, direction)  # a semicircle, and one value beyond it
    values = torch.linalg.eigvalsh(matrix)
    expected = float(values[values.abs().argmax()])
    asked = []

    def product(vector: Tensor) -> Tensor:
        asked.append(vector)
        return matrix @ vector

    start = torch.randn(300, generator=generator, dtype=torch.float64)
    assert lanczos(product, start, steps=40, tolerance=1e-3) == pytest.approx(expected, rel=1e-3)
    assert expected < 0
    assert len(asked) <= 40


def test_the_watch_compares_windows_as_the_paper_does() -> None:
    watch = Watch(factor=1.333)
    for epoch, value in enumerate([1.0, 1.0, 1.0, 1.0, 1.0, 1.2, 1.2, 1.2, 1.2], 1):
        watch.tell(epoch, value)
    assert watch.grown is None
    watch.tell(10, 1.2)
    assert watch.grown == pytest.approx(1.2)  # epochs 6 to 10 over 1 to 5
    assert not watch.ends
    watch = Watch.restored(watch.state(), factor=1.333)
    watch.tell(11, 2.2)
    assert watch.grown == pytest.approx(1.4 / 1.04)  # epochs 7 to 11 over 2 to 6
    assert watch.ends
    assert watch.back_to == 6
    assert not Watch.restored(watch.state()).ends


def test_the_watch_says_nothing_of_what_does_not_grow() -> None:
    watch = Watch(factor=1.1, window=2, step=1)
    for epoch, value in ((2, -1.0), (4, -2.0), (6, float("nan")), (8, -3.0)):
        watch.tell(epoch, value)
    assert watch.epochs == [2, 4, 8]
    assert watch.grown is None  # the mean before is negative
    assert not watch.ends
    assert watch.back_to == 4


@pytest.mark.usefixtures("exactly")
def test_hard_sigmoids_and_attention_bend_as_their_formulas_do() -> None:
    x = torch.randn(3, 4, 5)
    a = torch.tensor([0.3, -0.8, 0.5], requires_grad=True)

    def attended(q: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(q[None], x[None], x[None])[0]

    def by_hand(q: Tensor) -> Tensor:
        return (q @ x.transpose(1, 2) / 5**0.5).softmax(-1) @ x

    def loss(attend: Any, gate: Any, v: Tensor) -> Tensor:
        return (attend(x * v[:, None, None]) * gate((v**3).sum()) ** 2).square().sum()

    plain: Any = torch.autograd.functional.hessian(
        lambda v: loss(by_hand, lambda y: (y + 3).clamp(0, 6) / 6, v), a.detach()
    )
    values = torch.linalg.eigvalsh(plain)
    found = dominant_eigenvalue(lambda: loss(attended, torch.nn.Hardsigmoid(), a), [a], seed=0)
    assert found == pytest.approx(float(values[values.abs().argmax()]), rel=1e-9)
