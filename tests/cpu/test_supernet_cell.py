"""MixedOp and DARTSCell against the formula, written with nothing but torch.nn.functional, in float64."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.space.zoo import OPERATIONS
from workers.supernet import DARTSCell, MixedOp
from workers.training.determinism import generator, seeded

Parameters = dict[str, Tensor]


def norm(x: Tensor, p: Parameters, at: str) -> Tensor:
    mean, variance = x.mean((0, 2, 3), keepdim=True), x.var((0, 2, 3), correction=0, keepdim=True)
    y = (x - mean) / (variance + 1e-5).sqrt()
    if f"{at}.weight" in p:
        y = y * p[f"{at}.weight"][:, None, None] + p[f"{at}.bias"][:, None, None]
    return y


def separable(x: Tensor, p: Parameters, at: str, kernel: int, stride: int, dilation: int) -> Tensor:
    pad = dilation * (kernel - 1) // 2
    y = F.conv2d(x.clamp(min=0), p[f"{at}/depth.weight"], None, stride, pad, dilation, groups=x.shape[1])
    return norm(F.conv2d(y, p[f"{at}/point.weight"]), p, f"{at}/norm")


def plain_operation(name: str, x: Tensor, p: Parameters, at: str, stride: int) -> Tensor:
    """One operation of quark0/darts `cnn/operations.py`, as its definition reads."""
    match name.split("_"):
        case ["none"]:
            return torch.zeros_like(x[:, :, ::stride, ::stride])
        case ["skip", "connect"]:
            if stride == 1:
                return x
            y = x.clamp(min=0)
            halves = [
                F.conv2d(y, p[f"{at}/conv0.weight"], None, 2),
                F.conv2d(y[:, :, 1:, 1:], p[f"{at}/conv1.weight"], None, 2),
            ]
            return norm(torch.cat(halves, 1), p, f"{at}/norm")
        case ["max", "pool", _]:
            windows = F.pad(x, (1, 1, 1, 1), value=float("-inf")).unfold(2, 3, stride).unfold(3, 3, stride)
            return norm(windows.amax((4, 5)), {}, "")
        case ["avg", "pool", _]:

            def total(z: Tensor) -> Tensor:
                return F.pad(z, (1, 1, 1, 1)).unfold(2, 3, stride).unfold(3, 3, stride).sum((4, 5))

            return norm(total(x) / total(torch.ones_like(x)), {}, "")
        case ["sep", "conv", size]:
            y = separable(x, p, f"{at}/1", int(size[0]), stride, 1)
            return separable(y, p, f"{at}/2", int(size[0]), 1, 1)
        case ["dil", "conv", size]:
            return separable(x, p, at, int(size[0]), stride, 2)
    raise AssertionError(name)


def parameters(module: torch.nn.Module) -> Parameters:
    return {name.removeprefix("network.parts."): p for name, p in module.named_parameters()}


def randomised(module: torch.nn.Module) -> torch.nn.Module:
    with torch.no_grad():
        for i, p in enumerate(module.parameters()):
            p.copy_(torch.randn(p.shape, generator=generator(i, "p"), dtype=torch.float64))
    return module.double()


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize("operations", [OPERATIONS, ("skip_connect", "sep_conv_5x5"), ("dil_conv_3x3",)])
def test_mixed_op_is_the_formula(operations: tuple[str, ...], stride: int, affine: bool) -> None:
    with seeded(0, "op"):
        op = randomised(MixedOp(6, operations, stride=stride, affine=affine).double())
    x = torch.randn(3, 6, 8, 8, generator=generator(0, "x"), dtype=torch.float64).requires_grad_()
    alpha = torch.randn(len(operations), generator=generator(0, "alpha"), dtype=torch.float64).requires_grad_()
    weights = alpha.softmax(0)
    p = parameters(op)
    expected = sum(
        alpha.exp()[i] / alpha.exp().sum() * plain_operation(name, x, p, f"mixed/{name}", stride)
        for i, name in enumerate(operations)
    )
    assert isinstance(expected, Tensor)
    found = op(x, weights)
    assert found.shape == (3, 6, 8 // stride, 8 // stride)
    close(found, expected)
    sought = [x, alpha, *op.parameters()] if len(operations) > 1 else [x, *op.parameters()]
    pull = torch.randn(found.shape, generator=generator(0, "pull"), dtype=torch.float64)
    for a, b in zip(
        torch.autograd.grad((found * pull).sum(), sought),
        torch.autograd.grad((expected * pull).sum(), sought),
        strict=True,
    ):
        close(a, b)


@pytest.mark.parametrize(("num_nodes", "stride"), [(4, 1), (4, 2), (1, 1), (2, 2)])
def test_cell_is_the_formula(num_nodes: int, stride: int) -> None:
    cell = randomised(DARTSCell(4, num_nodes=num_nodes, stride=stride).double())
    s0, s1 = torch.randn(2, 2, 4, 8, 8, generator=generator(1, "s"), dtype=torch.float64).requires_grad_().unbind(0)
    edges = [f"{i}->{n}" for n in range(2, 2 + num_nodes) for i in range(n)]
    alpha = {
        e: torch.randn(8, generator=generator(j, "alpha"), dtype=torch.float64).requires_grad_()
        for j, e in enumerate(edges)
    }
    p = parameters(cell)
    states = [s0, s1]
    for n in range(2, 2 + num_nodes):
        into = [
            alpha[f"{i}->{n}"].softmax(0)[o]
            * plain_operation(name, states[i], p, f"cell/node{n}/{i}/{name}", stride if i < 2 else 1)
            for i in range(n)
            for o, name in enumerate(OPERATIONS)
        ]
        states.append(torch.stack(into).sum(0))
    expected = torch.cat(states[2:], 1)
    found = cell(s0, s1, {e: a.softmax(0) for e, a in alpha.items()})
    assert found.shape == (2, num_nodes * 4, 8 // stride, 8 // stride)
    close(found, expected)
    sought = [*alpha.values(), *cell.parameters()]
    for a, b in zip(
        torch.autograd.grad(found.square().sum(), sought),
        torch.autograd.grad(expected.square().sum(), sought),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)


def test_one_hot_weights_are_the_operation() -> None:
    x = torch.randn(2, 4, 8, 8, generator=generator(2, "x"), dtype=torch.float64)
    op = MixedOp(4, OPERATIONS).double()
    for i, name in enumerate(OPERATIONS):
        weights = torch.zeros(8, dtype=torch.float64)
        weights[i] = 1.0
        close(op(x, weights), plain_operation(name, x, parameters(op), f"mixed/{name}", 1))


def test_edges_are_named_from_source_to_node() -> None:
    cell = DARTSCell(4, num_nodes=4)
    assert cell.edges == (
        "0->2", "1->2", "0->3", "1->3", "2->3", "0->4", "1->4", "2->4", "3->4", "0->5", "1->5", "2->5", "3->5", "4->5",
    )  # fmt: skip


def test_wrong_names_and_shapes_are_said() -> None:
    with pytest.raises(ValueError, match="no operation 'conv_9x9'"):
        MixedOp(4, ("skip_connect", "conv_9x9"))
    with pytest.raises(ValueError, match="expected one or more different names"):
        MixedOp(4, ())
    with pytest.raises(ValueError, match="expected one or more different names"):
        DARTSCell(4, operations=("none", "none"))
    with pytest.raises(ValueError, match="num_nodes: 0"):
        DARTSCell(4, num_nodes=0)
    op, x = MixedOp(4, ("skip_connect", "max_pool_3x3")), torch.zeros(1, 4, 8, 8)
    with pytest.raises(ValueError, match=r"weights: torch.float32 \(3,\), expected one floating-point weight for each"):
        op(x, torch.ones(3))
    with pytest.raises(ValueError, match=r"weights: torch.int64 \(2,\)"):
        op(x, torch.ones(2, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"x: shape \(1, 3, 8, 8\), expected \(B, 4, H, W\)"):
        op(torch.zeros(1, 3, 8, 8), torch.ones(2))
    cell = DARTSCell(4, num_nodes=1, operations=("skip_connect", "max_pool_3x3"))
    weights = {"0->2": torch.ones(2), "1->2": torch.ones(2)}
    assert cell(x, x, weights).shape == (1, 4, 8, 8)
    with pytest.raises(ValueError, match=r"\['1->2'\] missing or no edges; the edges are \['0->2', '1->2'\]"):
        cell(x, x, {"0->2": torch.ones(2)})
    with pytest.raises(ValueError, match=r"\['2->3'\] missing or no edges"):
        cell(x, x, {**weights, "2->3": torch.ones(2)})
    with pytest.raises(ValueError, match=r"arch_weights\['1->2'\]"):
        cell(x, x, {**weights, "1->2": torch.ones(1)})
    with pytest.raises(ValueError, match="s1: shape"):
        cell(x, x[:, :2], weights)
