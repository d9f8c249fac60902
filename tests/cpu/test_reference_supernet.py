"""The lowered supernet of DARTS is the one that its paper draws, module by module: values and gradients in float64."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from app.architecture import lower
from app.space.zoo import ZOO
from tests.benchmarks.reference_supernet import Supernet, own, take
from workers.network import Network
from workers.supernet.weights import relax, soft_weights

Pair = tuple[Supernet, Network, dict[str, str]]  # names of the reference's parameters in the network

SPACE = ZOO["darts"]


@pytest.fixture(scope="module")
def pair() -> Pair:
    skeleton = replace(SPACE.skeletons["search"], channels=4, num_cells=5)
    torch.manual_seed(0)
    network = Network(lower(SPACE.grammar, skeleton, SPACE.input)).double()
    for name, tensor in network.state_dict().items():
        if tensor.dtype == torch.float64 and not name.endswith("running_var"):
            tensor.copy_(torch.randn(tensor.shape, dtype=torch.float64) * 0.3)
    operations = network.graph.open["/normal/node2/0/op"][1]
    reference = Supernet([str(name) for name in operations], channels=4, num_cells=5).double()
    return reference, network, take(reference, network.state_dict())


def alphas(network: Network) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    relaxed = relax(SPACE.plan, network.graph.open)
    return {
        r.path: torch.randn(len(r.options), generator=draw, dtype=torch.float64).requires_grad_()
        for r in relaxed
        if r.rule == "softmax"
    }


def by_edge(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """ "/normal/node2/0/op" -> "normal/node2/0"."""
    return {path.strip("/").rpartition("/")[0]: w for path, w in weights.items() if path.endswith("/op")}


@pytest.mark.parametrize("training", [True, False])
def test_values_and_gradients_are_the_reference_s(
    pair: tuple[Supernet, Network, dict[str, str]], training: bool
) -> None:
    reference, network, names = pair
    for net in (reference, network):
        net.train(training)
        net.zero_grad()
    x = torch.randn(4, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    labels = torch.tensor([0, 3, 5, 9])
    found: list[tuple[Tensor, dict[str, Tensor]]] = []
    for which in ("reference", "lowered"):
        alpha = alphas(network)
        weights = soft_weights(relax(SPACE.plan, network.graph.open), alpha)
        output = reference(x, by_edge(weights)) if which == "reference" else network(x, weights)
        loss = torch.nn.functional.cross_entropy(output, labels)
        loss.backward()
        found.append((loss.detach(), {path: a.grad.clone() for path, a in alpha.items() if a.grad is not None}))
    (loss, gradients), (same, also) = found
    assert abs(loss - same) < 1e-12 * abs(loss)
    assert gradients.keys() == also.keys()
    assert len(gradients) == 28
    scale = torch.cat(list(gradients.values())).norm()
    for path, gradient in gradients.items():
        assert (gradient - also[path]).norm() < 1e-10 * scale, path
    lowered = dict(network.named_parameters())
    ours = {name: p.grad for name, p in reference.named_parameters()}
    scale = torch.stack([g.norm() for g in ours.values() if g is not None]).norm()
    for name, gradient in ours.items():
        other = lowered[names[name]].grad
        assert gradient is not None, name
        assert other is not None, name
        assert (gradient - other).norm() < 1e-10 * scale, name
    state = reference.state_dict()
    for theirs, tensor in network.state_dict().items():
        if theirs.endswith(("running_mean", "running_var")):
            assert torch.allclose(state[own(theirs)], tensor, rtol=1e-10, atol=1e-12), theirs
