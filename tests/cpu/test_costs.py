"""The closed form, the price list and torch agree, over every space, every named skeleton and skeletons at random.

Torch builds the network on its meta device, where tensors have shapes and no numbers, and runs it: what it holds is
counted from its parameters; multiply-adds and outputs of convolutions and linear maps by hooks on the modules that run;
the depth by a number that every tensor carries, which is that of the deepest tensor it was made from.
"""

import dataclasses
from random import Random
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from app.architecture import Graph, LoweringError, Node, Price, Prices, cost, lower
from app.space import GrammarError, ImageInput, SearchSpace, Skeleton
from app.space.constraints import valid
from app.space.zoo import (
    ZOO,
    amoebanet,
    autodeeplab,
    enas_micro,
    hierarchical,
    nasbench101,
    nasnet,
    pnasnet,
    simple_cell,
    unconstrained_dag,
)
from workers.network import Network
from workers.primitives import PRIMITIVES, Factory

MANY = 200  # genotypes of every space and skeleton
SPACES = dict(ZOO) | {  # in smaller versions where a price list of the whole one takes seconds
    "amoebanet": amoebanet(3),
    "autodeeplab": autodeeplab(3, (4, 8, 16), num_blocks=2),
    "enas_micro": enas_micro(3),
    "hierarchical": hierarchical(3, 3, 4),
    "nasbench101": nasbench101((2, 3, 4, 5)),
    "nasnet": nasnet(3),
    "pnasnet": pnasnet(3),
    "simple_cell": simple_cell(2),
    "unconstrained_dag": unconstrained_dag(5),
}


class Count(TorchFunctionMode):
    """What torch runs: multiply-adds, outputs, and the convolutions and linear maps before each tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.macs = self.activations = 0

    def mapped(self, module: nn.Module, _: object, output: Any) -> None:
        """A hook on every module: what convolutions and linear maps do."""
        if isinstance(module, nn.Conv2d | nn.Linear):
            self.macs += module.weight[0].numel() * output[0].numel()
            self.activations += output[0].numel()
            output.maps = depth_of(output) + 1

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") == "__get__":  # a property, as a shape
            return func(*args, **kwargs)
        found = self.shaped(func, args, kwargs)
        deepest = depth_of((args, list(kwargs.values())))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, Tensor):
                tensor.maps = max(deepest, depth_of(tensor))  # type: ignore[attr-defined]
        return found

    def shaped(self, func: Any, args: Any, kwargs: Any) -> Any:
        """What torch answers; a tensor of that shape where it was asked before about such shapes."""
        try:
            key = (func, shapes(args), shapes(tuple(sorted(kwargs.items()))))
            known = SHAPES.get(key)
        except TypeError:  # slices have no hash
            return func(*args, **kwargs)
        if known is not None:
            return torch.empty(known[0], dtype=known[1], device="meta")
        found = func(*args, **kwargs)
        if isinstance(found, Tensor) and found is not args[0] and found.device.type == "meta":
            SHAPES[key] = tuple(found.shape), found.dtype
        return found


SHAPES: dict[Any, tuple[tuple[int, ...], torch.dtype]] = {}


def shapes(value: Any) -> Any:
    """A value in which shapes stand for tensors."""
    if isinstance(value, Tensor):
        return (value.dtype, *value.shape)
    return tuple(map(shapes, value)) if isinstance(value, tuple | list) else value


def depth_of(value: Any) -> int:
    """The depth of the deepest tensor in a value."""
    if isinstance(value, Tensor):
        return value.__dict__.get("maps", 0)
    return max(map(depth_of, value), default=0) if isinstance(value, tuple | list) else 0


def counted(network: Network, image: ImageInput) -> Price:
    """What a network on the meta device holds and runs."""
    network.lazy = False  # what only feeds a zero is built and counts
    count = Count()
    x = torch.zeros(1, image.channels, image.height, image.width, device="meta")
    hook = nn.modules.module.register_module_forward_hook(count.mapped)
    try:
        with count:
            output = network(x)
    finally:
        hook.remove()
    first = output[0] if isinstance(output, tuple) else output
    held = sum(parameter.numel() for part in network.parts.values() for parameter in part.parameters())
    return Price(held, count.macs, count.activations, depth_of(first))


MODULES: dict[Any, nn.Module] = {}


def built(graph: Graph) -> Network:
    """The network on the meta device. Modules have no numbers there, so that equal nodes may share one."""
    with torch.device("meta"):
        return Network(graph).eval()


def made_once(make: Factory) -> Factory:
    """The module of a node, or one that was made for a node of the same extents."""

    def factory(graph: Graph, node: Node) -> nn.Module:
        sources = tuple((graph.nodes[name].axis, graph.nodes[name].size) for name in node.inputs)
        key = (make, node.axis, node.size, node.attrs, sources)
        if key not in MODULES:
            MODULES[key] = make(graph, node)
        return MODULES[key]

    return factory


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights are not initialised, for there is nothing to write them to; modules are made once."""
    monkeypatch.setattr("workers.network.PRIMITIVES", {op: made_once(make) for op, make in PRIMITIVES.items()})
    for name in ("kaiming_uniform_", "uniform_", "trunc_normal_", "zeros_", "ones_", "normal_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)


def checked(space: SearchSpace, skeleton: Skeleton, image: ImageInput, ranks: list[int], *, lists: bool = True) -> int:
    """How many of the members have a network; each costs what torch says, by its own graph and by the price list."""
    prices, found = listed(space, skeleton, image) if lists else None, 0
    for rank in ranks:
        try:
            graph = lower(space.grammar, skeleton, image, space.plan.read(space.plan.unrank(rank)))
        except LoweringError:
            assert prices is None, "a list prices every member"
            continue
        total = cost(graph)
        expected = counted(built(graph), image)
        where = (space.name, skeleton, image, rank)
        assert Price(total.params, total.macs, total.activations, total.depth) == expected, where
        if prices is not None:
            assert prices.of(rank) == expected, where
            assert prices.of(rank) == expected, "what is remembered"
        found += 1
    return found


def listed(space: SearchSpace, skeleton: Skeleton, image: ImageInput) -> Prices | None:
    """The price list; None where a space is too large as a whole, or some of its members have no network."""
    try:
        return Prices(space.plan.part, lower(space.grammar, skeleton, image))
    except (LoweringError, GrammarError):
        return None


def drawn(space: SearchSpace, rng: Random, count: int) -> list[int]:
    """Ranks of valid members: half uniform, half uniform per decision."""
    judge, plan = valid(space), space.plan
    ranks: list[int] = []
    for _ in range(1_000 * count):
        if len(ranks) == count:
            break
        rank = plan.rank(plan.sample_per_choice(rng)) if len(ranks) % 2 else rng.randrange(plan.size)
        if judge(rank):
            ranks.append(rank)
    assert len(ranks) == count
    return ranks


def at_random(skeleton: Skeleton, rng: Random) -> Skeleton:
    """Another skeleton of the family: some settings with other values, none so large that its networks are."""
    hints = get_type_hints(type(skeleton))
    changed: dict[str, Any] = {}
    for declared in dataclasses.fields(skeleton):
        bounds, value = declared.metadata.get("bounds"), getattr(skeleton, declared.name)
        if bounds is None or rng.random() < 0.5:
            continue
        wanted = hints[declared.name]
        if wanted is bool:
            changed[declared.name] = rng.random() < 0.5
        elif get_origin(wanted) is Literal:
            changed[declared.name] = rng.choice(get_args(wanted))
        elif wanted is int:
            most = min(bounds.most, max(2 * value, bounds.least + 2), 48)
            number = rng.randint(bounds.least, most)
            even = declared.name in ("stem", "first")  # two groups of channels want even numbers
            changed[declared.name] = number + number % 2 if even else number
        elif wanted is float:
            changed[declared.name] = rng.choice([0.5, 1.0, 2.5])
        elif wanted == tuple[int, ...] and declared.name == "widths":
            changed[declared.name] = tuple(2 * rng.randint(1, 12) for _ in value)  # two groups want even ones
        elif wanted == tuple[int, ...] and declared.name == "strides":
            changed[declared.name] = tuple(rng.randint(1, 2) for _ in value)
    return dataclasses.replace(skeleton, **changed)


def fits(space: SearchSpace, skeleton: Skeleton, image: ImageInput) -> bool:
    """Whether some members stand in a skeleton: its settings may contradict each other, or the space."""
    try:
        for rank in (0, space.plan.size - 1):
            lower(space.grammar, skeleton, image, space.plan.read(space.plan.unrank(rank)))
    except LoweringError:
        return False
    return True


def other_skeletons(space: SearchSpace, rng: Random, count: int) -> list[tuple[Skeleton, ImageInput]]:
    """Skeletons as objects, with images of odd and even extents."""
    found: list[tuple[Skeleton, ImageInput]] = []
    small = space.skeletons["small"]
    for _ in range(100 * count):
        if len(found) == count:
            break
        skeleton = at_random(small, rng)
        image = ImageInput(channels=rng.randint(1, 4), height=rng.randint(9, 40), width=rng.randint(9, 40))
        if fits(space, skeleton, image):
            found.append((skeleton, image))
    assert found, space.name
    return found


@pytest.mark.parametrize("name", SPACES)
def test_some_members_cost_what_torch_holds_and_runs(name: str) -> None:
    """On the small skeleton, and on one at random with another image."""
    space, rng = SPACES[name], Random(name)
    ranks = [space.plan.size - 1, *drawn(space, rng, 2)]
    assert checked(space, space.skeletons["small"], space.input, ranks) == len(ranks)
    ((skeleton, image),) = other_skeletons(space, rng, 1)
    assert checked(space, skeleton, image, ranks[-1:], lists=False)


def test_the_count_notices_what_is_not_there() -> None:
    """The control: a layer less in the graph, a layer more on torch's side."""
    space = ZOO["chain"]
    graph = lower(space.grammar, space.skeletons["small"], space.input, space.plan.read(space.plan.unrank(5)))
    network, other = built(graph), built(graph)
    first = next(name for name, module in other.parts.items() if isinstance(module, nn.Conv2d))
    inner = other.parts[first]
    assert isinstance(inner, nn.Conv2d)
    with torch.device("meta"):
        other.parts[first] = nn.Sequential(inner, nn.Conv2d(inner.out_channels, inner.out_channels, 1, bias=False))
    plain, more = counted(network, space.input), counted(other, space.input)
    assert (more.params - plain.params, more.depth - plain.depth) == (inner.out_channels**2, 1)
    assert more.macs > plain.macs
    assert more.activations > plain.activations


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("name", "skeleton"), [(name, skeleton) for name, space in ZOO.items() for skeleton in space.skeletons]
)
def test_members_of_every_space_on_every_skeleton(name: str, skeleton: str) -> None:
    space = ZOO[name]
    ranks = drawn(space, Random(f"{name} {skeleton}"), MANY)
    assert checked(space, space.skeletons[skeleton], space.input, ranks) == MANY


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ZOO)
def test_members_of_every_space_on_skeletons_at_random(name: str) -> None:
    space, rng = ZOO[name], Random(f"{name}, others")
    found = other_skeletons(space, rng, 10)
    ranks = drawn(space, rng, MANY)
    each = MANY // len(found)
    some = [checked(space, *place, ranks[i * each : (i + 1) * each]) for i, place in enumerate(found)]
    assert sum(some) >= MANY // 2, "some members have no network on some skeletons"
