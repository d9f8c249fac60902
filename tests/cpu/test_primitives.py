"""Primitives against torch's own and against what the graph says of them: parameters, MACs, shapes."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import (
    OPERATIONS,
    Axis,
    Builder,
    Graph,
    Node,
    lower_operation,
    node_macs,
    node_params,
)
from workers.network import Network
from workers.primitives import PRIMITIVES, BatchNorm, Shift, Zero, drop_path, weighted_sum

pytestmark = pytest.mark.usefixtures("exactly")


class Counter:
    """Multiply-adds of what runs, by hooks."""

    def __init__(self, network: nn.Module) -> None:
        self.macs = 0
        for module in network.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.register_forward_hook(self.count)

    def count(self, module: nn.Module, _: object, output: Tensor) -> None:
        assert isinstance(module.weight, Tensor)
        self.macs += module.weight[0].numel() * output[0].numel()


def single(op: str, **attrs: object) -> tuple[Graph, Node]:
    """A graph of one node on an input of 4 channels and 7x6 places, its output extents made up."""
    b = Builder()
    x = b.add("x", "input", [], Axis.of(4), (7, 6))
    axis = Axis.of(4 if attrs.get("depthwise", op not in ("conv", "linear", "zero")) else 6)
    node = b.add("y", op, [x], axis, (7, 6), **attrs)
    return b.finish([node]), node


CONV = {"stride": (1, 1), "dilation": 1, "depthwise": False, "bias": True, "pad": None}
NODES: dict[str, dict[str, object]] = {
    "conv": {**CONV, "kernel": (Axis.of(3), Axis.of(3))},
    "conv, wide": {**CONV, "kernel": (Axis.of(1), Axis.of(7)), "bias": False},
    "conv, depthwise": {**CONV, "kernel": (Axis.of(5), Axis.of(5)), "depthwise": True, "dilation": 2},
    "batch_norm": {"affine": True},
    "batch_norm, plain": {"affine": False},
    "relu": {},
    "max_pool": {"kernel": 3, "stride": 1, "pad": 1, "ceil": False},
    "avg_pool": {"kernel": 5, "stride": 1, "pad": 2, "ceil": False},
    "zero": {"stride": 1},
}


@pytest.mark.parametrize("name", NODES)
def test_every_node_holds_and_runs_what_is_said_of_it(name: str) -> None:
    graph, node = single(name.split(",")[0], **NODES[name])
    network = Network(graph).eval()
    counter = Counter(network)
    y = network(torch.randn(2, 4, 7, 6))
    assert y.shape == (2, len(node.axis), 7, 6)
    assert sum(p.numel() for p in network.parameters()) == node_params(graph, node)
    assert counter.macs == node_macs(graph, node)


def test_the_table_has_a_primitive_for_every_operation_of_a_graph() -> None:
    met = {
        node.op
        for name in OPERATIONS
        for s in (1, 2)
        for node in lower_operation(name, channels=4, stride=s).nodes.values()
    }
    assert met - set(PRIMITIVES) == {"input", "sum", "concat"}


def test_pooling_does_not_count_padding() -> None:
    graph = lower_operation("avg_pool_3x3", channels=1, size=(2, 2))
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    assert torch.equal(Network(graph)(x), torch.full((1, 1, 2, 2), 2.5))


def test_a_factorised_reduction_is_two_offset_convolutions() -> None:
    graph = lower_operation("skip_connect", channels=2, width=5, size=(6, 8), stride=2)
    network = Network(graph).train()
    x = torch.randn(3, 2, 6, 8)
    first, second = (network.parts[f"skip_connect/conv{i}"].weight for i in (0, 1))
    y = F.relu(x)
    expected = torch.cat([F.conv2d(y, first, stride=2), F.conv2d(y[:, :, 1:, 1:], second, stride=2)], 1)
    expected = F.batch_norm(expected, None, None, training=True)
    torch.testing.assert_close(network(x), expected)


@pytest.mark.parametrize("size", [(4, 4), (5, 4), (1, 3), (1, 1)])
def test_shift_and_zero_have_the_extents_of_the_graph(size: tuple[int, int]) -> None:
    x = torch.randn(2, 3, *size)
    y = Shift()(x)
    assert y.shape[2:] == tuple(n - 1 + n % 2 for n in size)
    assert torch.equal(y[:, :, : size[0] - 1, : size[1] - 1], x[:, :, 1:, 1:])
    assert Zero(5, 2)(x).shape == (2, 5, (size[0] + 1) // 2, (size[1] + 1) // 2)


class TestBatchNorm:
    @pytest.mark.parametrize("affine", [True, False])
    def test_it_is_torchs(self, affine: bool) -> None:
        ours, theirs = BatchNorm(3, affine=affine), nn.BatchNorm2d(3, affine=affine)
        for training in (True, True, False):
            x = torch.randn(4, 3, 5, 5, requires_grad=True)
            z = x.detach().clone().requires_grad_()
            a, b = ours.train(training)(x), theirs.train(training)(z)
            torch.testing.assert_close(a, b, rtol=0, atol=1e-14)
            a.square().sum().backward()
            b.square().sum().backward()
            torch.testing.assert_close(x.grad, z.grad)
        torch.testing.assert_close(ours.running_mean, theirs.running_mean)
        torch.testing.assert_close(ours.running_var, theirs.running_var)

    def test_without_a_momentum_it_averages_over_all_batches(self) -> None:
        ours, theirs = BatchNorm(2), nn.BatchNorm2d(2)
        for norm in (ours, theirs):
            norm.reset_running_stats()
            norm.momentum = None
        for _ in range(3):
            x = torch.randn(4, 2, 3, 3)
            ours(x)
            theirs(x)
        torch.testing.assert_close(ours.running_mean, theirs.running_mean)
        torch.testing.assert_close(ours.running_var, theirs.running_var)
        ours.reset_running_stats()
        assert torch.equal(ours.running_mean, torch.zeros(2))
        assert torch.equal(ours.running_var, torch.ones(2))

    def test_its_state_is_what_it_learns_and_what_it_saw(self) -> None:
        assert list(BatchNorm(2).state_dict()) == ["weight", "bias", "running_mean", "running_var"]
        assert list(BatchNorm(2, affine=False).state_dict()) == ["running_mean", "running_var"]

    def test_one_value_a_channel_has_no_batch_statistics(self) -> None:
        with pytest.raises(ValueError, match=r"\(1, 2, 1, 1\)"):
            BatchNorm(2).train()(torch.zeros(1, 2, 1, 1))
        assert BatchNorm(2).eval()(torch.zeros(1, 2, 1, 1)).shape == (1, 2, 1, 1)

    def test_gradients_through_slices_in_any_memory_format(self) -> None:
        """A sliced incoming gradient in channels-last layout, as concatenation gives it."""
        x = torch.randn(4, 3, 6, 6).to(memory_format=torch.channels_last)
        norms = [BatchNorm(3), BatchNorm(3, affine=False)]
        assert torch.autograd.gradcheck(
            lambda v: torch.cat([norm(v) for norm in norms], 1)[:, 1:5], x.clone().requires_grad_()
        )


class TestWeightedSum:
    def test_value_and_gradients(self) -> None:
        weights = torch.randn(4, requires_grad=True)
        terms = [torch.randn(2, 3, 4, 4, requires_grad=True) for _ in range(3)]
        indices = (3, 0, 2)
        expected = sum(weights[i] * term for i, term in zip(indices, terms, strict=True))
        torch.testing.assert_close(weighted_sum(weights, indices, terms), expected)
        assert torch.autograd.gradcheck(lambda w, *t: weighted_sum(w, indices, t), (weights, *terms))

    def test_mixed_memory_formats_and_sliced_gradients(self) -> None:
        weights = torch.randn(2, requires_grad=True)
        a = torch.randn(2, 3, 4, 4).to(memory_format=torch.channels_last).requires_grad_()
        b = torch.randn(2, 3, 4, 4, requires_grad=True)
        assert torch.autograd.gradcheck(
            lambda w, *t: torch.cat([weighted_sum(w, (0, 1), t), t[0]], 1)[:, 1:4], (weights, a, b)
        )

    def test_one_weight_may_count_twice(self) -> None:
        weights = torch.randn(2, requires_grad=True)
        terms = [torch.randn(2, 2, requires_grad=True) for _ in range(2)]
        assert torch.autograd.gradcheck(lambda w, *t: weighted_sum(w, (1, 1), t), (weights, *terms))

    def test_constants_need_no_gradient(self) -> None:
        weights = torch.randn(2, requires_grad=True)
        weighted_sum(weights, (0, 1), [torch.ones(2, 2), torch.full((2, 2), 3.0)]).sum().backward()
        assert weights.grad is not None
        assert weights.grad.tolist() == [4.0, 12.0]

    def test_terms_of_two_precisions_meet_in_the_wider(self) -> None:
        weights = torch.tensor([0.5, 0.25], requires_grad=True)
        terms = [torch.ones(2, 2, dtype=torch.bfloat16, requires_grad=True), torch.ones(2, 2, dtype=torch.float32)]
        y = weighted_sum(weights, (0, 1), terms)
        assert y.dtype == torch.float32
        y.sum().backward()
        assert terms[0].grad is not None
        assert terms[0].grad.dtype == torch.bfloat16


class TestDropPath:
    def test_samples_are_dropped_whole_and_the_rest_is_scaled(self) -> None:
        x = torch.rand(4000, 2, 3, 3) + 0.5
        y = drop_path(x, 0.3, torch.Generator().manual_seed(0))
        ratios = (y / x).flatten(1)
        assert torch.all((ratios == 0) | ((ratios - 1 / 0.7).abs() < 1e-6))
        assert torch.all((ratios == 0) == (ratios[:, :1] == 0))
        assert (ratios[:, 0] == 0).double().mean().item() == pytest.approx(0.3, abs=0.03)

    def test_edges(self) -> None:
        x = torch.rand(8, 2)
        assert drop_path(x, 0.0) is x
        assert torch.equal(drop_path(x, 1.0), torch.zeros_like(x))

    def test_the_generator_decides(self) -> None:
        x = torch.rand(64, 2)
        first, second, third = (drop_path(x, 0.5, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, second)
        assert not torch.equal(first, third)


def test_modules_can_be_copied() -> None:
    norm = BatchNorm(2)
    norm(torch.randn(4, 2, 3, 3))
    again = copy.deepcopy(norm)
    again(torch.randn(4, 2, 3, 3))
    assert not torch.equal(norm.running_mean, again.running_mean)
