"""DARTS, second order, against a computation of its own: both steps written out, in float64."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from app.architecture import lower
from app.experiment import SearchRecipe
from app.space import EdgeCellSkeleton
from app.space.zoo import nasbench201
from workers.network import Network
from workers.strategies.darts import SecondOrderDarts
from workers.supernet.bilevel import BilevelLoss
from workers.supernet.weights import relax

SPACE = nasbench201()
GRAPH = lower(SPACE.grammar, EdgeCellSkeleton(channels=2, num_cells=1, affine=True), SPACE.input)
RELAXED = relax(SPACE.plan, GRAPH.open)
RECIPE = SearchRecipe(name="test")


def unasked(draws: object) -> float:
    raise AssertionError("no accuracy is wanted")


class Case:
    """A supernet in float64 that has made a step, two batches, and a second-order strategy."""

    def __init__(self, exact: bool) -> None:
        draw = torch.Generator().manual_seed(0)
        torch.manual_seed(0)
        self.network = Network(GRAPH).double()
        self.network.lazy = False
        self.batches = [
            (torch.randn(6, 3, 32, 32, generator=draw).double(), torch.randint(10, (6,), generator=draw))
            for _ in range(2)
        ]
        self.optimiser = torch.optim.SGD(self.network.parameters(), 0.05, 0.9, weight_decay=3e-3)
        self.strategy = SecondOrderDarts(RELAXED, RECIPE, seed=0, device=torch.device("cpu"), exact=exact)
        for path, a in self.strategy.alpha.values.items():
            self.strategy.alpha.values[path] = (1000 * a.detach().double()).requires_grad_()
        self.strategy.alpha.optimiser = torch.optim.SGD([*self.strategy.alpha.values.values()], 1.0)
        self.loss(1, self.strategy.settled()).backward()
        self.optimiser.step()
        self.bilevel = BilevelLoss(lambda w: self.loss(0, w), lambda w: self.loss(1, w), self.optimiser, unasked)

    def loss(self, which: int, weights: Any) -> Tensor:
        x, labels = self.batches[which]
        return torch.nn.functional.cross_entropy(self.network(x, weights), labels)

    def step(self) -> list[Tensor]:
        before = [a.detach().clone() for a in self.strategy.alpha.values.values()]
        self.strategy.learn(self.bilevel)
        return [b - a.detach() for b, a in zip(before, self.strategy.alpha.values.values(), strict=True)]

    def written_out(self) -> list[Tensor]:
        """d/dα L_architecture(w'(α), α) through the step of the weights itself, by differentiating that."""
        alphas = {path: a.detach().clone().requires_grad_() for path, a in self.strategy.alpha.values.items()}
        names = [name for name, _ in self.network.named_parameters()]
        weights = {path: a.softmax(0) for path, a in alphas.items()}

        def at(parameters: Mapping[str, Tensor], which: int) -> Tensor:
            x, labels = self.batches[which]
            output = torch.func.functional_call(self.network, dict(parameters), (x, weights))
            return torch.nn.functional.cross_entropy(output, labels)

        w = dict(self.network.named_parameters())
        gradients = torch.autograd.grad(at(w, 1), [w[n] for n in names], create_graph=True)
        ahead = {
            name: w[name] - 0.05 * (0.9 * self.optimiser.state[w[name]]["momentum_buffer"] + g + 3e-3 * w[name])
            for name, g in zip(names, gradients, strict=True)
        }
        return list(torch.autograd.grad(at(ahead, 0), list(alphas.values())))


def test_the_step_is_the_derivative_through_the_step_of_the_weights() -> None:
    case = Case(exact=True)
    before = [p.detach().clone() for p in case.network.parameters()]
    expected = torch.cat(case.written_out())
    found = torch.cat(case.step())
    assert (found - expected).norm() < 1e-9 * expected.norm()
    for p, value in zip(case.network.parameters(), before, strict=True):
        assert torch.equal(p, value), "the weights are what they were"


@pytest.mark.parametrize("exact", [True, False])
def test_a_difference_along_the_gradient_is_the_product_where_losses_are_smooth(exact: bool) -> None:
    draw = torch.Generator().manual_seed(0)
    w = torch.randn(7, generator=draw).double().requires_grad_()
    unused = torch.ones(2).double().requires_grad_()
    strategy = SecondOrderDarts(RELAXED, RECIPE, seed=0, device=torch.device("cpu"), exact=exact)
    for path, a in strategy.alpha.values.items():
        strategy.alpha.values[path] = (1000 * a.detach().double()).requires_grad_()
    alphas = list(strategy.alpha.values.values())
    strategy.alpha.optimiser = torch.optim.SGD(alphas, 1.0)
    mixing = [torch.randn(7, len(a), generator=draw).double() for a in alphas]

    def loss(weights: Any, at: Tensor, shift: float) -> Tensor:
        mixed = [m @ p for m, p in zip(mixing, weights.values(), strict=True)]
        return sum((torch.sin(at * m + shift).sum() for m in mixed), at.new_zeros(()))

    optimiser = torch.optim.SGD([w, unused], 0.3)
    bilevel = BilevelLoss(lambda p: loss(p, w, 0.7), lambda p: loss(p, w, 0.0), optimiser, unasked)
    twins = {path: a.detach().clone().requires_grad_() for path, a in strategy.alpha.values.items()}
    weights = {path: a.softmax(0) for path, a in twins.items()}
    (gradient,) = torch.autograd.grad(loss(weights, w, 0.0), w, create_graph=True)
    through = loss(weights, w - 0.3 * gradient, 0.7)
    expected = torch.cat(torch.autograd.grad(through, list(twins.values())))
    before = [a.detach().clone() for a in alphas]
    strategy.learn(bilevel)
    found = torch.cat([b - a.detach() for b, a in zip(before, alphas, strict=True)])
    assert (found - expected).norm() < (1e-12 if exact else 1e-4) * expected.norm()


def test_first_order_is_another_gradient() -> None:
    case = Case(exact=True)
    expected = torch.cat(case.written_out())
    values = list(case.strategy.alpha.values.values())
    first = torch.cat(torch.autograd.grad(case.loss(0, case.strategy._weights()), values))  # pyright: ignore
    assert (first - expected).norm() > 1e-2 * expected.norm()


def test_looking_ahead_makes_the_step_that_the_optimiser_makes() -> None:
    case = Case(exact=True)
    parameters = list(case.network.parameters())
    loss = case.loss(1, case.strategy.settled())
    gradients = torch.autograd.grad(loss, parameters)
    with case.bilevel.ahead(gradients) as xi:
        seen = [p.detach().clone() for p in parameters]
    assert xi == 0.05
    for p, gradient in zip(parameters, gradients, strict=True):
        p.grad = gradient
    case.optimiser.step()
    for p, value in zip(parameters, seen, strict=True):
        assert torch.allclose(p, value, rtol=1e-12, atol=1e-15)


def test_weights_come_back_where_the_loss_fails() -> None:
    case = Case(exact=False)
    before = [p.detach().clone() for p in case.network.parameters()]
    calls = 0

    def failing(weights: Any) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise RuntimeError("no memory")
        return case.loss(1, weights)

    bilevel = BilevelLoss(lambda w: case.loss(0, w), failing, case.optimiser, unasked)
    with pytest.raises(RuntimeError, match="no memory"):
        case.strategy.learn(bilevel)
    assert calls == 3
    for p, value in zip(case.network.parameters(), before, strict=True):
        assert torch.equal(p, value)
