"""Kernels answer as torch does: values, gradients, gradients of gradients, statistics; and do without a compiler."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from app.architecture import lower
from app.architecture.partial import partial
from app.space import ImageInput
from app.space.zoo import ZOO
from workers.network import Network
from workers.primitives import BatchNorm
from workers.supernet.native import BuildError, build, kernels, usable
from workers.supernet.rewrite import NativeNetwork, native, statistics
from workers.supernet.weights import initial_alpha, relax, soft_weights, uniform_weights

EPS = 1e-5
NONE = torch.empty(0, dtype=torch.float64)
Limb = tuple[int, int, int, int]  # kernel (0: none), stride, dilation, width
SHAPES: list[tuple[int, int, int, list[Limb]]] = [
    (2, 7, 6, [(3, 1, 1, 5), (5, 2, 1, 3)]),
    (16, 8, 8, [(3, 1, 1, 16), (5, 1, 1, 16), (3, 1, 2, 16), (5, 1, 2, 16), (7, 1, 1, 32)]),
    (8, 9, 11, [(0, 1, 1, 8), (3, 2, 2, 8), (9, 1, 1, 8)]),
    (10, 4, 5, [(5, 2, 2, 7)]),
]


@pytest.fixture(autouse=True)
def ops(request: pytest.FixtureRequest) -> Any:
    """The operations, where this machine can compile them."""
    try:
        kernels("require", request.config.cache.mkdir("native"))  # pyright: ignore[reportOptionalMemberAccess]
    except BuildError as error:
        pytest.skip(str(error))
    return torch.ops.cellar


def maps(*shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, dtype=dtype).contiguous(memory_format=torch.channels_last).requires_grad_()


def same(found: Any, wanted: Any, tolerance: float) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert (one - other).norm() <= tolerance * other.norm().clamp_min(1e-3)


def held(found: list[Tensor], wanted: list[Tensor], inputs: list[Tensor]) -> None:
    """Values, gradients, and gradients of those."""
    single = found[0].dtype == torch.float32
    same(found, wanted, 1e-4 if single else 1e-12)
    along = [torch.randn_like(part) for part in wanted]
    first = [torch.autograd.grad(parts, inputs, along, retain_graph=True) for parts in (found, wanted)]
    same(*first, 1e-3 if single else 1e-11)
    if single:
        return
    second: list[Any] = []
    for parts in (found, wanted):
        gradients = torch.autograd.grad(parts, inputs, along, create_graph=True)
        bent = torch.stack([(g**2).sum() for g in gradients]).sum()
        second.append(torch.autograd.grad(bent, inputs, allow_unused=True))
    same(*second, 1e-9)


def normalised(x: Tensor, taken: Tensor, weight: Tensor, bias: Tensor, fixed: bool) -> Tensor:
    mean, variance = taken.clone() if fixed else (None, None)
    affine = (weight, bias) if weight.numel() else (None, None)
    return F.batch_norm(x, mean, variance, *affine, not fixed, 0.0, EPS)


def measured(x: Tensor) -> Tensor:
    """The statistics by torch."""
    return torch.stack([x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)]).detach()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("front", ["none", "norm", "affine", "fixed"])
@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize(("channels", "height", "width", "limbs"), SHAPES)
def test_chains_of_convolutions(
    ops: Any, channels: int, height: int, width: int, limbs: list[Limb], front: str, relu: bool, dtype: torch.dtype
) -> None:
    torch.manual_seed(0)
    x = maps(3, channels, height, width, dtype=dtype)
    taken, weight, bias = (NONE.to(dtype),) * 3
    if front == "fixed":
        taken = torch.stack([torch.randn(channels, dtype=dtype), torch.rand(channels, dtype=dtype) + 0.5])
    elif front != "none":
        taken = ops.moments(x)
        same([taken], [measured(x)], 1e-5 if dtype == torch.float32 else 1e-13)
    if front == "affine":
        weight, bias = (torch.randn(channels, dtype=dtype, requires_grad=True) for _ in range(2))
    deep = [torch.randn(channels, 1, k, k, dtype=dtype, requires_grad=True) if k else NONE.to(dtype) for k, *_ in limbs]
    point = [torch.randn(d, channels, 1, 1, dtype=dtype, requires_grad=True) for *_, d in limbs]
    strides, dilations = [limb[1] for limb in limbs], [limb[2] for limb in limbs]
    fixed = front == "fixed"
    found = ops.branches(x, taken, weight, bias, deep, point, fixed, relu, EPS, strides, dilations, True)
    y = x if front == "none" else normalised(x, taken, weight, bias, fixed)
    y = F.relu(y) if relu else y
    wanted: list[Tensor] = []
    for (k, s, d, _), w, v in zip(limbs, deep, point, strict=True):
        z = F.conv2d(y, w, None, s, k // 2 * d, d, channels) if k else y
        wanted.append(F.conv2d(z, v))
    same(found[len(limbs) :], [measured(z) for z in wanted], 1e-4 if dtype == torch.float32 else 1e-12)
    held(found[: len(limbs)], wanted, [t for t in (x, weight, bias, *deep, *point) if t.requires_grad])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize(("channels", "extent", "terms"), [(2, 7, 4), (16, 8, 5), (10, 3, 3)])
def test_weighted_sums(ops: Any, channels: int, extent: int, terms: int, fixed: bool, dtype: torch.dtype) -> None:
    """The second term is not normalised, the third has a weight and a bias of its own."""
    torch.manual_seed(0)
    z = [maps(3, channels, extent, extent, dtype=dtype) for _ in range(terms)]
    by = torch.randn(terms, dtype=dtype, requires_grad=True)
    empty = NONE.to(dtype)
    taken = [measured(x) for x in z]
    if fixed:
        taken = [torch.stack([torch.randn(channels), torch.rand(channels) + 0.5]).to(dtype) for _ in z]
    taken[1] = empty
    weights, biases = [empty] * terms, [empty] * terms
    weights[2], biases[2] = (torch.randn(channels, dtype=dtype, requires_grad=True) for _ in range(2))
    found = ops.total(by, z, taken, weights, biases, fixed, EPS)
    parts = [x if i == 1 else normalised(x, taken[i], weights[i], biases[i], fixed) for i, x in enumerate(z)]
    wanted = torch.stack([w * part for w, part in zip(by.unbind(0), parts, strict=True)]).sum(0)
    held([found], [wanted], [by, *z, weights[2], biases[2]])


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize(
    ("channels", "extent", "kernel", "stride", "pad"),
    [(2, 7, 3, 2, 1), (16, 8, 3, 1, 1), (5, 9, 2, 2, 0), (20, 6, 5, 1, 2)],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pooling(
    ops: Any, channels: int, extent: int, kernel: int, stride: int, pad: int, largest: bool, dtype: torch.dtype
) -> None:
    """Of numbers many of which are equal: the first of them counts."""
    torch.manual_seed(0)
    x = torch.randn(3, channels, extent, extent - 1, dtype=dtype).round().requires_grad_()
    found = ops.pool(x, largest, kernel, stride, pad)
    torchs = F.max_pool2d(x, kernel, stride, pad) if largest else None
    wanted = F.avg_pool2d(x, kernel, stride, pad, count_include_pad=False) if torchs is None else torchs
    assert torch.allclose(found, wanted)
    along = torch.randn_like(wanted)
    first, second = (torch.autograd.grad(y, x, along)[0] for y in (found, wanted))
    assert torch.allclose(first, second, atol=1e-6)


def test_what_is_no_number_stays_none(ops: Any) -> None:
    x = torch.randn(1, 4, 5, 5)
    x[0, 1, 2, 2] = torch.nan
    assert ops.pool(x, True, 3, 1, 1)[0, 1, 1:4, 1:4].isnan().all()
    (out,) = ops.branches(
        x, *(torch.empty(0),) * 3, [torch.ones(4, 1, 3, 3)], [torch.ones(4, 4, 1, 1)], False, True, EPS, [1], [1], False
    )
    assert out[0, :, 1:4, 1:4].isnan().all()
    assert not out[0, :, 0].isnan().any()


def test_statistics_far_from_zero_are_exact(ops: Any) -> None:
    """A variance of 1 at a mean of a million: sums of squares would have lost it."""
    x = 1e6 + torch.randn(4, 3, 9, 9, dtype=torch.float64)
    same([ops.moments(x)[1]], [measured(x)[1]], 1e-9)
    point = [torch.eye(3, dtype=torch.float64).reshape(3, 3, 1, 1)]
    found = ops.branches(x, NONE, NONE, NONE, [NONE], point, False, False, EPS, [1], [1], True)
    same([found[1][1]], [measured(x)[1]], 1e-9)


def test_running_statistics_move_as_those_of_torch(ops: Any) -> None:
    layer = torch.nn.BatchNorm2d(4, affine=False).double()
    mean, variance = torch.zeros(4, dtype=torch.float64), torch.ones(4, dtype=torch.float64)
    for _ in range(3):
        x = torch.randn(2, 4, 3, 3, dtype=torch.float64)
        layer(x)
        ops.absorb([ops.moments(x)], [mean], [variance], 0.1, 18)
    same([mean, variance], [layer.running_mean, layer.running_var], 1e-13)


def pair_of(name: str) -> tuple[Any, Network, NativeNetwork]:
    space = ZOO[name]
    image = ImageInput(channels=3, height=8, width=8)
    graph = lower(space.grammar, space.skeletons["small"], image)
    plain, fast = Network(graph).double(), NativeNetwork(graph).double()
    fast.load_state_dict(plain.state_dict())
    weights = {path: w.double() for path, w in uniform_weights(relax(space.plan, graph.open), torch.zeros(())).items()}
    return weights, plain, fast


def test_without_kernels_torch_computes_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As for values of another precision or on another device."""
    weights, plain, fast = pair_of("darts")
    for module in (native, statistics):
        monkeypatch.setattr(module, "usable", lambda *tensors: False)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    assert torch.allclose(plain(x, weights), fast(x, weights), rtol=1e-10)
    theirs = fast.state_dict()
    for place, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, theirs[place], rtol=1e-10, atol=1e-12), place


def test_partial_channels_are_the_same() -> None:
    """The rewriting of PC-DARTS stands before that into kernels."""
    space = ZOO["darts"]
    skeleton = replace(space.skeletons["small"], channels=8, num_cells=3)  # pyright: ignore[reportCallIssue]
    graph = partial(lower(space.grammar, skeleton, ImageInput(channels=3, height=8, width=8)), 4)
    relaxed = relax(space.plan, graph.open, normalised_edges=True)
    torch.manual_seed(0)
    plain, fast = Network(graph).double(), NativeNetwork(graph).double()
    fast.load_state_dict(plain.state_dict())
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    found: list[list[Tensor | None]] = []
    for network in (plain, fast):
        alpha = {path: torch.zeros_like(a).double() for path, a in initial_alpha(relaxed, torch.Generator()).items()}
        leaves = [a.requires_grad_() for a in alpha.values()]
        network(x, soft_weights(relaxed, alpha))[:, 0].sum().backward()
        found.append([a.grad for a in (*leaves, *network.parameters())])
    same(*found, 1e-10)


def test_recomputing_changes_nothing() -> None:
    """Although statistics measured in one part of a network are then unknown in another."""
    found: list[tuple[Tensor, list[Tensor | None], list[Tensor]]] = []
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    for recompute in (False, True):
        torch.manual_seed(0)
        weights, _, fast = pair_of("darts")
        fast.recompute = recompute
        loss = fast(x, weights)[:, 0].sum()
        loss.backward()
        found.append((loss.detach(), [p.grad for p in fast.parameters()], [*fast.buffers()]))
    (loss, gradients, buffers), (again, also, others) = found
    assert torch.allclose(loss, again, rtol=1e-12)
    same(gradients, also, 1e-10)
    same(buffers, others, 1e-12)


def test_kernels_do_not_take_what_they_cannot_compute() -> None:
    assert usable(torch.zeros(1), torch.zeros(2))
    assert not usable(torch.zeros(1), torch.zeros(2).double())
    assert not usable(torch.zeros(1).bfloat16())
    with torch.autocast("cpu", torch.bfloat16):
        assert not usable(torch.zeros(1))


def test_a_cumulative_average_counts_batches_once() -> None:
    """As when statistics are calibrated anew; a normalisation that many sums read is one of them."""
    weights, plain, fast = pair_of("darts")
    batches = [torch.randn(2, 3, 8, 8, dtype=torch.float64) for _ in range(3)]
    for network in (plain, fast):
        for part in network.parts.values():
            if isinstance(part, BatchNorm):
                part.reset_running_stats()
                part.momentum = None
        for x in batches:
            network(x, weights)
    theirs = fast.state_dict()
    for place, tensor in plain.state_dict().items():
        assert torch.allclose(tensor, theirs[place], rtol=1e-9, atol=1e-12), place


def test_a_gradient_that_is_not_asked_for_is_not_made(ops: Any) -> None:
    """The weights of convolutions get none where only the source is asked."""
    x, point = maps(2, 4, 5, 5), torch.randn(4, 4, 1, 1, dtype=torch.float64, requires_grad=True)
    y, z = ops.branches(x, NONE, NONE, NONE, [NONE] * 2, [point] * 2, False, False, EPS, [1] * 2, [1] * 2, False)
    y.sum().backward(inputs=[x])
    assert point.grad is None
    assert x.grad is not None
    assert z.grad_fn is y.grad_fn


def test_there_may_be_no_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told: list[str] = []
    assert kernels("off", tmp_path, told.append) is False
    assert not told
    monkeypatch.setattr(build, "COMPILERS", ("no-such-compiler",))
    assert kernels("auto", tmp_path, told.append) is False
    (note,) = told
    assert "no-such-compiler" in note
    with pytest.raises(BuildError, match="no-such-compiler"):
        kernels("require", tmp_path)


def test_a_compiler_may_refuse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*build.SOURCES, *build.HEADERS):
        (tmp_path / name).write_text("not C++")
    monkeypatch.setattr(build, "HERE", tmp_path)
    with pytest.raises(BuildError, match="refused"):
        build.built(tmp_path / "kept")
    assert not list((tmp_path / "kept").rglob("*.so"))


def test_what_is_there_is_not_compiled_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    monkeypatch.setattr(build, "_compile", lambda compiler, library: library.write_bytes(b"made"))
    first = build.built(tmp_path, told.append)
    assert build.built(tmp_path, told.append) == first
    (note,) = told
    assert "compiled in" in note


def test_two_that_compile_wait_for_each_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, compiled = threading.Barrier(2), []

    def slowly(compiler: str, library: Path) -> None:
        compiled.append(library)
        time.sleep(0.2)
        library.write_bytes(b"made")

    def both() -> Path:
        begun.wait()
        return build.built(tmp_path)

    monkeypatch.setattr(build, "_compile", slowly)
    with ThreadPoolExecutor(2) as pool:
        first, second = [task.result() for task in [pool.submit(both), pool.submit(both)]]
    assert first == second
    assert compiled == [first]


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(BuildError, match="could not be kept"):
        build.built(tmp_path / "file" / "native")
