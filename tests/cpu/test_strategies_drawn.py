"""SNAS, GDAS and DrNAS against computations of their own, in float64."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from app.architecture import lower
from app.experiment import SearchRecipe
from app.space import EdgeCellSkeleton
from app.space.zoo import nasbench201
from workers.network import Network
from workers.strategies.drnas import STRENGTH, DrNas
from workers.strategies.gumbel import Gdas, Snas
from workers.strategies.shared_weights import STRATEGIES
from workers.supernet.bilevel import BilevelLoss
from workers.supernet.weights import Relaxed, as_vector, relax
from workers.training.checkpoint import CheckpointError

SPACE = nasbench201()
GRAPH = lower(SPACE.grammar, EdgeCellSkeleton(channels=2, num_cells=1, affine=False), SPACE.input)
RELAXED = relax(SPACE.plan, GRAPH.open)
RECIPE = SearchRecipe(name="test", alpha_learning_rate=0.1, alpha_weight_decay=0.0)
CPU = torch.device("cpu")
PATH = RELAXED[0].path


def made(kind: type, relaxed: tuple[Relaxed, ...] = RELAXED, seed: int = 0) -> Any:
    """A strategy whose α is spread out, in float64."""
    found = kind(relaxed, RECIPE, seed=seed, device=CPU)
    spread = torch.Generator().manual_seed(1)
    for path, alpha in found.alpha.values.items():
        found.alpha.values[path] = torch.randn(len(alpha), generator=spread, dtype=torch.float64).requires_grad_()
    parameters = [*found.alpha.values.values()]
    found.alpha.optimiser = torch.optim.SGD(parameters, 1.0)
    found.alpha.like = torch.zeros((), dtype=torch.float64)
    return found


def moved(strategy: Any, loss: Any) -> Tensor:
    """The gradient of the first decision's α that a step follows."""
    before = strategy.alpha.values[PATH].detach().clone()
    strategy.learn(loss)
    return before - strategy.alpha.values[PATH].detach()


def linear(coefficients: Tensor) -> Any:
    """A loss of the first decision's weights."""
    return lambda weights: (as_vector(weights[PATH], coefficients) * coefficients).sum()


@pytest.mark.parametrize("kind", [Snas, Gdas, DrNas])
def test_states_go_on_exactly(kind: type) -> None:
    first, second = kind(RELAXED, RECIPE, seed=3, device=CPU), kind(RELAXED, RECIPE, seed=4, device=CPU)
    cost = linear(torch.arange(5.0))
    for strategy in (first,):
        strategy.reach(0.3)
        strategy.draw()
        strategy.learn(cost)
    second.restore({name: tensor.clone() for name, tensor in first.state().items()})
    second.reach(0.3)
    for strategy in (first, second):
        strategy.learn(cost)
    for path, drawn in first.draw().items():
        assert torch.equal(as_vector(drawn, torch.zeros(())), as_vector(second.draw()[path], torch.zeros(()))), path
        break
    assert torch.equal(first.settled()[PATH], second.settled()[PATH])
    with pytest.raises(CheckpointError):
        second.restore({})


def test_snas_gradient_is_that_of_the_concrete_distribution() -> None:
    strategy = made(Snas)
    strategy.reach(0.5)
    assert strategy.temperature == pytest.approx(math.sqrt(0.03))
    alpha = strategy.alpha.values[PATH].detach().clone()
    cost = torch.tensor([0.3, -1.0, 2.0, 0.1, 0.7], dtype=torch.float64)
    twin = torch.Generator()
    twin.set_state(strategy.generator.get_state())
    uniform = torch.rand((5,), generator=twin).double()
    w = ((alpha - (-uniform.log()).log()) / strategy.temperature).softmax(0)
    expected = (torch.diag(w) - torch.outer(w, w)) @ cost / strategy.temperature  # the softmax's Jacobian by hand
    assert torch.allclose(moved(strategy, linear(cost)), expected, rtol=1e-4, atol=1e-7)


def test_gdas_draws_one_option_with_its_probability() -> None:
    strategy = made(Gdas)
    strategy.reach(0.5)
    assert strategy.temperature == pytest.approx(5.05)
    draws = torch.stack([strategy.draw()[PATH] for _ in range(4000)])
    assert set(draws.flatten().tolist()) == {0.0, 1.0}
    assert torch.equal(draws.sum(1), torch.ones(4000, dtype=draws.dtype))
    p = strategy.settled()[PATH]
    error = (p * (1 - p) / 4000).sqrt()
    assert ((draws.mean(0) - p).abs() < 4.5 * error).all(), (draws.mean(0), p)


def test_gdas_gradient_flows_through_what_was_drawn() -> None:
    strategy = made(Gdas)
    strategy.reach(0.9)
    alpha = strategy.alpha.values[PATH].detach().clone()
    cost = torch.tensor([0.3, -1.0, 2.0, 0.1, 0.7], dtype=torch.float64)
    twin = torch.Generator()
    twin.set_state(strategy.generator.get_state())
    uniform = torch.rand((5,), generator=twin).double()
    soft = ((alpha.log_softmax(0) - (-uniform.log()).log()) / strategy.temperature).softmax(0)
    k = int(soft.argmax())
    row = soft[k] * (torch.eye(5, dtype=torch.float64)[k] - soft) / strategy.temperature
    assert torch.allclose(moved(strategy, linear(cost)), cost[k] * row, rtol=1e-4, atol=1e-8)


def test_gdas_computes_nothing_that_it_did_not_draw() -> None:
    network = Network(GRAPH)
    strategy: Any = Gdas(RELAXED, RECIPE, seed=0, device=CPU)
    seen: list[dict[str, Any]] = []

    def computed(weights: Any) -> tuple[list[str], Tensor]:
        names: list[str] = []
        hooks = [
            part.register_forward_hook(lambda *_, name=name: names.append(name)) for name, part in network.parts.items()
        ]
        output = network(torch.ones(2, 3, 32, 32), weights)
        for hook in hooks:
            hook.remove()
        return names, output

    def loss(weights: Any) -> Tensor:
        drawn, output = computed(weights)
        one_hot = {path: as_vector(given, torch.zeros(())).detach() for path, given in weights.items()}
        alone, same = computed(one_hot)
        assert drawn == alone
        assert torch.equal(output.detach(), same.detach())
        seen.append(weights)
        return output.square().sum()

    before = {path: a.detach().clone() for path, a in strategy.alpha.values.items()}
    strategy.learn(loss)
    assert all(sum(isinstance(w, Tensor) for w in given) == 1 for given in seen[0].values())
    assert any(not torch.equal(before[path], a) for path, a in strategy.alpha.values.items())


def test_drnas_follows_the_expectation_and_its_divergence() -> None:
    cost = torch.tensor([0.3, -1.0, 2.0, 0.1, 0.7], dtype=torch.float64)
    strategy = made(DrNas)
    strategy.alpha.optimiser = torch.optim.SGD([*strategy.alpha.values.values()], 0.0)
    alpha = strategy.alpha.values[PATH].detach().clone().requires_grad_()
    beta = torch.nn.functional.elu(alpha) + 1
    mean = beta / beta.sum()
    total = beta.sum()
    divergence = (  # of Dirichlet(β) from Dirichlet(1), by its closed form
        torch.lgamma(total)
        - torch.lgamma(beta).sum()
        - math.lgamma(5)
        + ((beta - 1) * (torch.digamma(beta) - torch.digamma(total))).sum()
    )
    (expected,) = torch.autograd.grad((mean * cost).sum() + STRENGTH * divergence, alpha)
    gradients: list[Tensor] = []
    for _ in range(800):
        strategy.learn(linear(cost))
        gradients.append(strategy.alpha.values[PATH].grad.clone())
    found = torch.stack(gradients)
    error = found.std(0) / math.sqrt(len(found))
    assert ((found.mean(0) - expected).abs() < 4.5 * error + 1e-9).all(), (found.mean(0), expected, error)
    assert torch.allclose(strategy.settled()[PATH], mean.detach())


def test_drnas_leaves_the_generator_of_torch_alone() -> None:
    strategy = DrNas(RELAXED, RECIPE, seed=0, device=CPU)
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    strategy.draw()
    assert torch.equal(torch.rand(3), expected)


class OfNoNetwork(BilevelLoss):
    """A loss of the decisions alone, the same on both splits, with one weight that it does not depend on."""

    def __init__(self, cost: Any) -> None:
        weight = torch.ones(1, requires_grad=True)
        super().__init__(cost, lambda draws: cost(draws) + 0 * weight.sum(), torch.optim.SGD([weight], 0.1), self.lower)

    def lower(self, draws: Any) -> float:
        """The less it costs, the more is right."""
        return 1.0 - float(self(draws).detach())


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_every_strategy_prefers_what_costs_less(name: Any) -> None:
    strategy = STRATEGIES[name](RELAXED, replace(RECIPE, alpha_learning_rate=0.05), seed=0, device=CPU)
    cost = OfNoNetwork(linear(torch.tensor([1.0, 0.2, 1.0, 1.0, 1.0])))
    for step in range(300):
        strategy.reach(step / 300)
        strategy.learn(cost)
    settled = strategy.settled()[PATH]
    assert int(settled.argmax()) == 1, settled
    assert settled.sum() == pytest.approx(1.0, abs=1e-5)
