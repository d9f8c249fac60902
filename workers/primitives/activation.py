"""Elementwise functions: any shape to the same."""

import torch
from torch import Tensor, nn

from app.architecture import Graph, Node


class Multiply(nn.Module):
    """The product of two inputs of one shape."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Number by number."""
        return a * b


class Average(nn.Module):
    """The mean of several inputs of one shape."""

    def forward(self, *xs: Tensor) -> Tensor:
        """Number by number."""
        return torch.stack(xs).mean(0)


class Highway(nn.Module):
    """A step from a state towards a candidate, as long as a gate is open (Zilly et al., 2017)."""

    def forward(self, gate: Tensor, candidate: Tensor, state: Tensor) -> Tensor:
        """Three of one shape -> state + sigmoid(gate) * (candidate - state)."""
        return torch.lerp(state, candidate, gate.sigmoid())


def relu(graph: Graph, node: Node) -> nn.Module:
    """max(x, 0)."""
    return nn.ReLU()


def relu6(graph: Graph, node: Node) -> nn.Module:
    """min(max(x, 0), 6)."""
    return nn.ReLU6()


def hsigmoid(graph: Graph, node: Node) -> nn.Module:
    """min(max(x + 3, 0), 6) / 6 (Howard et al., 2019)."""
    return nn.Hardsigmoid()


def hswish(graph: Graph, node: Node) -> nn.Module:
    """x hsigmoid(x)."""
    return nn.Hardswish()


def gelu(graph: Graph, node: Node) -> nn.Module:
    """x Φ(x) (Hendrycks and Gimpel, 2016)."""
    return nn.GELU()


def silu(graph: Graph, node: Node) -> nn.Module:
    """x sigmoid(x)."""
    return nn.SiLU()


def sigmoid(graph: Graph, node: Node) -> nn.Module:
    """1 / (1 + exp(-x))."""
    return nn.Sigmoid()


def tanh(graph: Graph, node: Node) -> nn.Module:
    """The hyperbolic tangent."""
    return nn.Tanh()


def multiply(graph: Graph, node: Node) -> nn.Module:
    """The product of two inputs."""
    return Multiply()


def average(graph: Graph, node: Node) -> nn.Module:
    """The mean of the inputs."""
    return Average()


def highway(graph: Graph, node: Node) -> nn.Module:
    """A gated step from a state towards a candidate."""
    return Highway()
