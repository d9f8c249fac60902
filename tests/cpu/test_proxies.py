"""Every zero-cost proxy against its value found in another way on a small network: by hand, by loops, by differences.

Float64 throughout, so that what two ways give differs by rounding alone.
"""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.experiment import PROXIES
from workers.proxies import compute
from workers.training.determinism import seeded

pytestmark = pytest.mark.usefixtures("exactly")

N, K = 5, 3


def batch(channels: int = 2, size: int = 4) -> tuple[Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(5)
    return torch.randn(N, channels, size, size, generator=drawn), torch.randint(K, (N,), generator=drawn)


def value(name: str, network: nn.Module, images: Tensor, labels: Tensor) -> float:
    score = compute([name], network, (images, labels), seed=3)[name]
    assert score.value is not None, score.reason
    return score.value


def regression() -> nn.Sequential:
    """Logits W x: the loss and its derivatives have a closed form."""
    return nn.Sequential(nn.Flatten(), nn.Linear(32, K, bias=False))


def smooth() -> nn.Sequential:
    """Two convolutions and a classifier with second derivatives everywhere; images do not touch each other."""
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1), nn.Tanh(), nn.Conv2d(3, 2, 2), nn.Softplus(), nn.Flatten(), nn.Linear(18, K)
    )


def two_layers() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(32, 6, bias=False), nn.ReLU(), nn.Linear(6, K, bias=False))


def weight(network: nn.Sequential, i: int) -> Tensor:
    module = network[i]
    assert isinstance(module, nn.Linear | nn.Conv2d)
    return module.weight


def errors(network: nn.Sequential, images: Tensor, labels: Tensor) -> Tensor:
    """∂Lₙ/∂logits of softmax and cross-entropy: probabilities less the truth, (N, K)."""
    return network(images).softmax(1).detach() - F.one_hot(labels, K)


def test_synflow_of_two_layers_is_twice_their_flow() -> None:
    network = two_layers()
    flow = (weight(network, 3).abs() @ weight(network, 1).abs() @ torch.ones(32)).sum().item()
    assert value("synflow", network, *batch()) == pytest.approx(2 * flow, rel=1e-12)


def test_synflow_reads_neither_images_nor_labels_nor_signs_nor_normalisation() -> None:
    images, labels = batch()
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.LayerNorm(16), nn.Linear(16, K)
    )
    found = value("synflow", network, images, labels)
    assert value("synflow", network, 100 * images + 1, labels.flip(0)) == found
    plain = nn.Sequential(network[0], network[2], network[3], network[5])
    assert value("synflow", plain, images, labels) == found
    with torch.no_grad():
        weight(network, 0).neg_()
    assert value("synflow", network, images, labels) == found


def test_synflow_of_a_float32_network_passes_float32() -> None:
    layers = [nn.Linear(1, 1, bias=False, dtype=torch.float32) for _ in range(14)]
    for layer in layers:
        nn.init.constant_(layer.weight, 1000)
    images = torch.zeros(2, 1, 1, 1, dtype=torch.float32)
    network = nn.Sequential(nn.Flatten(), *layers)
    assert value("synflow", network, images, torch.zeros(2, dtype=torch.int64)) == pytest.approx(14 * 1e42)


def test_snip_and_grad_norm_of_a_softmax_regression() -> None:
    images, labels = batch()
    network = regression()
    gradient = errors(network, images, labels).T @ images.flatten(1) / N
    assert value("snip", network, images, labels) == pytest.approx(
        (gradient * weight(network, 1)).abs().sum().item(), rel=1e-12
    )
    assert value("grad_norm", network, images, labels) == pytest.approx(gradient.square().sum().sqrt().item())


@pytest.mark.parametrize("name", ["snip", "grad_norm"])
def test_gradients_by_differences(name: str) -> None:
    images, labels = batch()
    network, step = smooth(), 1e-5
    expected = 0.0
    for i in (0, 2, 5):
        w = weight(network, i).data.view(-1)
        slopes: list[float] = []
        for j in range(len(w)):
            at = w[j].item()
            losses: list[float] = []
            for change in (step, -step):
                w[j] = at + change
                losses.append(F.cross_entropy(network(images), labels).item())
            w[j] = at
            slopes.append((losses[0] - losses[1]) / (2 * step))
        if name == "snip":
            expected += sum(abs(slope * x) for slope, x in zip(slopes, w.tolist(), strict=True))
        else:
            expected += math.hypot(*slopes)
    assert value(name, network, images, labels) == pytest.approx(expected, rel=1e-6)


def test_grasp_by_the_whole_hessian() -> None:
    images, labels = batch()
    network = smooth()
    names = [f"{i}.weight" for i in (0, 2, 5)]
    sizes = [network.get_parameter(name).shape for name in names]

    def loss_of(flat: Tensor) -> Tensor:
        parts = flat.split([size.numel() for size in sizes])
        given = {name: part.view(size) for name, part, size in zip(names, parts, sizes, strict=True)}
        return F.cross_entropy(torch.func.functional_call(network, given, (images,)), labels)

    w = torch.cat([network.get_parameter(name).detach().flatten() for name in names])
    hessian = torch.autograd.functional.hessian(loss_of, w)
    gradient = torch.autograd.functional.jacobian(loss_of, w)
    assert isinstance(hessian, Tensor)
    assert isinstance(gradient, Tensor)
    assert value("grasp", network, images, labels) == pytest.approx(-(hessian @ gradient @ w).item(), rel=1e-9)


def test_fisher_of_a_softmax_regression() -> None:
    images, labels = batch()
    network = regression()
    felt = network(images).detach() * errors(network, images, labels)
    assert value("fisher", network, images, labels) == pytest.approx((felt**2).sum().item() / (2 * N), rel=1e-12)


def test_fisher_by_scaling_each_channel_of_each_image() -> None:
    """Σ a ∂L/∂a is the slope of the loss where a channel is multiplied by a number near 1."""
    images, labels = batch()
    network, step = smooth(), 1e-5
    expected = 0.0
    for i, channels in ((0, 3), (2, 2), (5, K)):
        for c in range(channels):
            for n in range(N):
                losses: list[float] = []
                for factor in (1 + step, 1 - step):
                    x = network[: i + 1](images[n : n + 1]).clone()
                    x[:, c] *= factor
                    losses.append(F.cross_entropy(network[i + 1 :](x), labels[n : n + 1]).item())
                expected += ((losses[0] - losses[1]) / (2 * step)) ** 2 / (2 * N)
    assert value("fisher", network, images, labels) == pytest.approx(expected, rel=1e-6)


def test_jacov_where_every_image_has_one_gradient() -> None:
    """Logits that are linear in the image: all correlations are 1, the eigenvalues N and 0."""
    k = 1e-5
    expected = -(math.log(N + k) + 1 / (N + k)) - (N - 1) * (math.log(k) + 1 / k)
    assert value("jacov", regression(), *batch()) == pytest.approx(expected, rel=1e-6)


def test_jacov_by_differences_image_by_image() -> None:
    images, labels = batch()
    network, step, k = smooth(), 1e-5, 1e-5
    rows = np.zeros((N, 32))
    for n in range(N):
        for j in range(32):
            change = torch.zeros(32)
            change[j] = step
            x, dx = images[n : n + 1], change.view(1, 2, 4, 4)
            rows[n, j] = (network(x + dx).sum() - network(x - dx).sum()).item() / (2 * step)
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(rows))
    expected = -sum(math.log(s + k) + 1 / (s + k) for s in eigenvalues)
    assert value("jacov", network, images, labels) == pytest.approx(expected, rel=1e-4)


def test_naswot_of_three_patterns_by_hand() -> None:
    """Patterns 10, 01 and 11: K is ((2, 0, 1), (0, 2, 1), (1, 1, 2)), its determinant 4."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, K))
    weight(network, 1).data = torch.eye(2)
    images = torch.tensor([[1.0, -1], [-1, 1], [1, 1]]).view(3, 2, 1, 1)
    assert value("naswot", network, images, torch.zeros(3, dtype=torch.int64)) == pytest.approx(math.log(4))


RELUS: dict[str, Callable[[], nn.Module]] = {
    "module": nn.ReLU,
    "in place": lambda: nn.ReLU(inplace=True),
    "relu6": nn.ReLU6,
}


@pytest.mark.parametrize("kind", RELUS)
def test_naswot_by_hamming_distances(kind: str) -> None:
    images, labels = batch()
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3), RELUS[kind](), nn.Conv2d(4, 3, 2), RELUS[kind](), nn.Flatten(), nn.Linear(3, K)
    )
    codes = torch.cat([network[: i + 1](images).flatten(1) > 0 for i in (1, 3)], 1).tolist()
    kernel = [[sum(p == q for p, q in zip(a, b, strict=True)) for b in codes] for a in codes]
    expected = np.linalg.slogdet(np.array(kernel, dtype=float))[1]
    assert value("naswot", network, images, labels) == pytest.approx(expected)


def test_naswot_does_not_hang_on_the_scale_of_weights_or_on_labels() -> None:
    images, labels = batch()
    network = nn.Sequential(nn.Conv2d(2, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 2), nn.ReLU(), nn.Flatten())
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.zero_()
    found = value("naswot", network, images, labels)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(8)  # a power of two: no sign moves by rounding
    assert value("naswot", network, images, labels.flip(0)) == found


def test_zen_step_by_step() -> None:
    """Two normalised convolutions by their definitions, drawn from the same stream."""
    images, labels = batch()
    network = nn.Sequential(
        nn.Conv2d(2, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Conv2d(4, 3, 1),
        nn.BatchNorm2d(3),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, K),
    )
    with seeded(3, "proxy", "zen"):
        first, second, _ = torch.randn(4, 2, 3, 3), torch.randn(3, 4, 1, 1), torch.randn(K, 3)
        x, noise = torch.randn(images.shape), torch.randn(images.shape)

    def normal(y: Tensor) -> tuple[Tensor, Tensor]:
        centred = y - y.mean((0, 2, 3), keepdim=True)
        variance = centred.square().mean((0, 2, 3), keepdim=True)
        return centred / (variance + 1e-5).sqrt(), variance.mean()

    def forward(x: Tensor) -> tuple[Tensor, list[Tensor]]:
        y, a = normal(F.conv2d(x, first))
        y, b = normal(F.conv2d(y.relu(), second))
        return y, [a, b]

    before, variances = forward(x)
    after, _ = forward(x + 0.01 * noise)
    moved = sum(math.dist(a.flatten().tolist(), b.flatten().tolist()) for a, b in zip(before, after, strict=True)) / N
    expected = math.log(moved) + sum(math.log(v.sqrt().item()) for v in variances)
    found = value("zen", network, images, labels)
    assert found == pytest.approx(expected, rel=1e-10)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=7)
    assert value("zen", network, 3 * images, labels.flip(0)) == found, "weights and batch are not read"


def test_sizes_by_hand() -> None:
    assert value("params", smooth(), *batch()) == (2 * 9 + 1) * 3 + (3 * 4 + 1) * 2 + (18 + 1) * K
    assert value("macs", smooth(), *batch()) == 16 * 3 * 2 * 9 + 9 * 2 * 3 * 4 + 18 * K


def test_every_proxy_is_checked_here() -> None:
    checked = {"synflow", "snip", "grasp", "fisher", "grad_norm", "jacov", "naswot", "zen", "params", "macs"}
    assert set(PROXIES) == checked
