"""Networks of graphs: what is computed, what is skipped, how weights come in, copies, drop path, elastic axes."""

import copy
import io
import pickle
from random import Random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.architecture import Axis, Cursor, Graph, Layers, lower, lower_cell, resolve
from app.space import CellSkeleton, ChainSkeleton, EdgeCellSkeleton, Grammar, ImageInput, Subset, Value, one_of, record
from app.space.zoo import chain, darts, nasbench201
from workers.inheritance import inherit, one_hot
from workers.network import Network

IMAGE = ImageInput(channels=1, height=8, width=8)
SEARCH = CellSkeleton(channels=2, num_cells=2, affine=False, norm_after_pool=True, num_classes=3)
OPERATIONS = ("none", "skip_connect", "max_pool_3x3", "sep_conv_3x3")


pytestmark = pytest.mark.usefixtures("exactly")


def supernet() -> Graph:
    return lower(darts(3, OPERATIONS).grammar, SEARCH, IMAGE)


def uniform(graph: Graph, *, grad: bool = True) -> dict[str, Tensor]:
    return {
        path: torch.full((len(options),), 1 / len(options)).requires_grad_(grad)
        for path, (kind, options) in graph.open.items()
        if kind != "subset"
    }


def convolutions(network: nn.Module) -> list[str]:
    """Names of the convolutions that a forward pass runs, filled as it goes."""
    ran: list[str] = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda *_, name=name: ran.append(name))
    return ran


def naive(graph: Graph, network: Network, x: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """The graph by its definition: every node once, guards by their questions, nothing skipped or shared."""
    values: dict[str, Tensor] = {}
    for node in graph.nodes.values():
        ins = [values[name] for name in node.inputs]
        scales = []
        for guard in node.guards:
            q = guard.question
            if q is None:
                scales.append(torch.ones(()))
            elif q.member is not None:
                scales.append(torch.ones(()))  # a DARTS supernet takes every edge
            else:
                (i,) = [i for i, t in enumerate(guard.then) if t.question is None and repr(t) == "TRUE"]
                scales.append(weights[q.path][i])
        match node.op:
            case "input":
                y = x
            case "sum":
                y = torch.stack([s * v for s, v in zip(scales, ins, strict=True)]).sum(0)
            case "concat":
                y = torch.cat(ins, 1)
            case "relu":
                y = F.relu(ins[0])
            case "zero":
                y = torch.zeros(len(x), len(node.axis), *node.size)
            case "max_pool":
                y = F.max_pool2d(ins[0], 3, node["stride"], 1)
            case "shift":
                y = ins[0][:, :, 1:, 1:]
            case "mean":
                y = ins[0].mean((2, 3))
            case _:
                y = network.parts[node.name](ins[0])
        values[node.name] = y
    return values[graph.outputs[0]]


@pytest.mark.parametrize("training", [True, False])
def test_outputs_and_gradients_are_those_of_the_formula(training: bool) -> None:
    graph = supernet()
    network = Network(graph).train(training)
    x = torch.randn(3, 1, 8, 8)
    weights = {p: torch.rand(w.shape).softmax(0).requires_grad_() for p, w in uniform(graph).items()}
    parameters = [*network.parameters(), *weights.values()]
    found = network(x, weights)
    expected = naive(graph, network, x, weights)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    gradients = [torch.autograd.grad(y.square().sum(), parameters, allow_unused=True) for y in (found, expected)]
    for a, b in zip(*gradients, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_a_single_path_runs_what_its_own_network_runs() -> None:
    space = darts(3, OPERATIONS)
    graph = supernet()
    network = Network(graph).eval()
    ran = convolutions(network)
    x = torch.randn(1, 1, 8, 8)
    for genotype in space.plan.sample(Random(0), 5):
        decided = space.plan.read(genotype)
        ran.clear()
        network(x, one_hot(graph, decided))
        alone = Network(resolve(graph, decided)).eval()
        expected = convolutions(alone)
        alone(x)
        assert sorted(ran) == sorted(expected)
        assert len(ran) < sum(isinstance(m, nn.Conv2d) for m in network.modules())


def test_equal_nodes_without_parameters_run_once() -> None:
    graph = supernet()
    network = Network(graph).eval()
    relus = [node for node in graph.nodes.values() if node.op == "relu"]
    sources = {node.inputs for node in relus}
    calls = 0

    class Relus(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            nonlocal calls
            calls += func is F.relu
            return func(*args, **(kwargs or {}))

    with Relus():
        network(torch.randn(1, 1, 8, 8), uniform(graph))
    assert calls == len(sources) < len(relus)


class TestWeights:
    def test_members_without_weights_are_all_there(self) -> None:
        graph = supernet()
        network = Network(graph).eval()
        x = torch.randn(2, 1, 8, 8)
        weights = uniform(graph)
        members = {p: torch.ones(len(o)) for p, (kind, o) in graph.open.items() if kind == "subset"}
        assert members
        torch.testing.assert_close(network(x, weights), network(x, {**weights, **members}))

    def test_a_choice_without_weights_is_an_error(self) -> None:
        graph = supernet()
        network = Network(graph)
        with pytest.raises(ValueError, match=r"op: no weights for the options \['none'"):
            network(torch.randn(2, 1, 8, 8))
        weights = uniform(graph)
        path = next(iter(weights))
        with pytest.raises(ValueError, match=f"{path}: 2 weights for the options"):
            network(torch.randn(2, 1, 8, 8), {**weights, path: torch.ones(2)})

    def test_numbers_and_tensors_may_be_mixed(self) -> None:
        """A hard draw: only the option that was drawn is computed, and it alone has a gradient."""
        graph = lower(nasbench201().grammar, EdgeCellSkeleton(channels=2, num_cells=1), IMAGE)
        network = Network(graph).eval()
        ran = convolutions(network)
        chosen = {path: torch.ones((), requires_grad=True) for path in graph.open}
        y = network(torch.randn(2, 1, 8, 8), {path: [0.0, 0.0, 0.0, w, 0.0] for path, w in chosen.items()})
        y.square().sum().backward()
        assert all(w.grad is not None and w.grad.abs() > 0 for w in chosen.values())
        assert not [name for name in ran if "nor_conv_1x1" in name]
        assert [name for name in ran if "nor_conv_3x3" in name]

    def test_weights_of_another_precision(self) -> None:
        graph = supernet()
        network = Network(graph).float().eval()
        weights = {p: w.double() for p, w in uniform(graph).items()}
        y = network(torch.randn(2, 1, 8, 8).float(), weights)
        assert y.dtype == torch.float32

    def test_everything_switched_off_is_zero(self) -> None:
        graph = supernet()
        network = Network(graph).eval()
        y = network(torch.randn(2, 1, 8, 8), {p: torch.zeros_like(w) for p, w in uniform(graph, grad=False).items()})
        assert torch.equal(y, network.parts["head/linear"].bias.expand(2, 3))

    def test_bfloat16_autocast(self) -> None:
        graph = supernet()
        network = Network(graph).float().train()
        weights = {p: w.detach().float().requires_grad_() for p, w in uniform(graph).items()}
        with torch.autocast("cpu", torch.bfloat16):
            y = network(torch.randn(2, 1, 8, 8).float(), weights)
        y.float().square().sum().backward()
        assert all(w.grad is not None and w.grad.isfinite().all() for w in weights.values())


def test_any_extents_may_come_in() -> None:
    """Convolutions know no extents, and zeros take theirs from what they read."""
    graph = lower_cell(darts(2, ("none", "skip_connect")).grammar, "cell", channels=2, size=(32, 32), stride=2)
    network = Network(graph).eval()
    inputs = {"s0": torch.randn(2, 2, 7, 12), "s1": torch.randn(2, 2, 7, 12)}
    for options in ((1.0, 0.0), (0.5, 0.5)):
        y = network(inputs, {path: list(options) for path, (kind, _) in graph.open.items() if kind != "subset"})
        assert y.shape == (2, 4, 4, 6)


def test_several_inputs_go_by_name() -> None:
    graph = lower_cell(darts(2).grammar, "cell", channels=2, size=(8, 8))
    network = Network(graph)
    with pytest.raises(ValueError, match=r"\['s0', 's1'\]"):
        network(torch.randn(2, 2, 8, 8), uniform(graph))


def test_an_auxiliary_head_is_the_second_answer() -> None:
    skeleton = CellSkeleton(channels=2, num_cells=3, auxiliary=True, num_classes=7)
    space = darts()
    graph = lower(space.grammar, skeleton, ImageInput(), space.plan.read(space.plan.unrank(3)))
    network = Network(graph).eval()
    logits, auxiliary = network(torch.randn(2, 3, 32, 32))
    assert logits.shape == auxiliary.shape == (2, 7)
    plain = Network(lower(space.grammar, CellSkeleton(channels=2, num_cells=3, num_classes=7), ImageInput(),
                          space.plan.read(space.plan.unrank(3)))).eval()  # fmt: skip
    inherit(plain, network, {})
    x = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(plain(x), network(x)[0])


class TestState:
    def test_keys_come_from_the_names_of_nodes(self) -> None:
        space = nasbench201()
        graph = lower(space.grammar, EdgeCellSkeleton(channels=2, num_cells=1), IMAGE)
        keys = set(Network(graph).state_dict())
        assert "parts.stage0/cell0/node1/0/nor_conv_3x3/conv.weight" in keys
        for genotype in space.plan.sample(Random(0), 5):
            small = Network(resolve(graph, space.plan.read(genotype)))
            assert set(small.state_dict()) <= keys

    def test_it_goes_into_a_fresh_network(self) -> None:
        graph = supernet()
        network, again = Network(graph).eval(), Network(supernet()).eval()
        x, weights = torch.randn(2, 1, 8, 8), uniform(graph)
        assert not torch.equal(network(x, weights), again(x, weights))
        again.load_state_dict(network.state_dict())
        assert torch.equal(network(x, weights), again(x, weights))

    def test_copies_are_independent(self) -> None:
        """Also once the network has run, so that a compiled program is there."""
        graph = supernet()
        network = Network(graph).eval()
        x, weights = torch.randn(2, 1, 8, 8), uniform(graph)
        before = network(x, weights)
        again = copy.deepcopy(network)
        pickled = pickle.loads(pickle.dumps(network))
        with torch.no_grad():
            for parameter in again.parameters():
                parameter.zero_()
        assert torch.equal(network(x, weights), before)
        assert torch.equal(pickled(x, weights), before)
        assert not torch.equal(again(x, weights), before)

    def test_it_can_be_saved_whole(self) -> None:
        network = Network(supernet())
        file = io.BytesIO()
        torch.save(network.state_dict(), file)
        file.seek(0)
        assert torch.load(file, weights_only=True).keys() == network.state_dict().keys()

    def test_names_may_hold_what_submodules_may_not(self) -> None:
        edges = tuple(record("edge", input=Value(i), op=one_of("conv_1x1")) for i in range(2))
        names = ("a.b", "a%2Eb", "a/b", "train")
        cell = record("shared_cell", **{name: Subset(edges, 1) for name in names})
        graph = lower(Grammar({"net": cell}, "net"), CellSkeleton(channels=2, num_cells=1), IMAGE)
        network = Network(graph).eval()
        found = {k.split("/")[1] for k in network.state_dict() if "conv_1x1" in k}
        assert found == {"a%2Eb", "a%252Eb", "a~1b", "train"}
        assert network(torch.randn(1, 1, 8, 8)).shape == (1, 10)


class TestDropPath:
    def graph(self, *operations: str) -> Graph:
        space = darts(2, ("skip_connect", "sep_conv_3x3", "max_pool_3x3"))
        cell = {f"node{n}": [{"input": i, "op": operations[i]} for i in range(2)] for n in (2, 3)}
        return lower(
            space.grammar,
            CellSkeleton(channels=2, num_cells=1, num_classes=3),
            IMAGE,
            space.plan.read({"normal": cell, "reduce": cell}),
        )

    def test_only_in_training_and_only_what_is_computed(self) -> None:
        network = Network(self.graph("sep_conv_3x3", "max_pool_3x3"))
        x = torch.randn(6, 1, 8, 8)
        quiet = network.eval()(x)
        network.drop_path = 1.0
        assert torch.equal(network.eval()(x), quiet)
        network.train()
        assert torch.equal(network(x), network.parts["head/linear"].bias.expand(6, 3))
        network.drop_path = 0.0
        assert not torch.equal(network(x), network.parts["head/linear"].bias.expand(6, 3))

    def test_identities_stay(self) -> None:
        """At stride 1 a skip is its state itself; only the other operation is dropped."""
        space = darts(1, ("skip_connect", "sep_conv_3x3"))
        cell = {"node2": [{"input": 0, "op": "skip_connect"}, {"input": 1, "op": "sep_conv_3x3"}]}
        graph = lower_cell(
            space.grammar,
            "cell",
            channels=2,
            size=(8, 8),
            decided={
                path.removeprefix("/normal"): a for path, a in space.plan.read({"normal": cell, "reduce": cell}).items()
            },
        )
        network = Network(graph).train()
        network.drop_path = 1.0
        s0, s1 = torch.randn(2, 3, 2, 8, 8)
        assert torch.equal(network({"s0": s0, "s1": s1}), s0)

    def test_its_generator_makes_it_repeatable(self) -> None:
        network = Network(self.graph("sep_conv_3x3", "skip_connect")).train()
        network.drop_path = 0.5
        x = torch.randn(8, 1, 8, 8)
        outputs = []
        for seed in (1, 1, 2):
            network.generator = torch.Generator().manual_seed(seed)
            outputs.append(network(x))
        assert torch.equal(outputs[0], outputs[1])
        assert not torch.equal(outputs[0], outputs[2])

    def test_not_in_a_supernet(self) -> None:
        graph = supernet()
        network = Network(graph).train()
        x, weights = torch.randn(4, 1, 8, 8), uniform(graph)
        quiet = network(x, weights)
        network.drop_path = 1.0
        assert torch.equal(network(x, weights), quiet)


def elastic() -> tuple[Grammar, Graph]:
    """A convolution of elastic width and kernel, then a norm and a classifier."""
    grammar = Grammar({"net": record("net", width=one_of(2, 3, 6), kernel=one_of(1, 3, 5))}, "net")
    return grammar, stretch(grammar, {})


def stretch(grammar: Grammar, decided: dict[str, tuple[int, ...]]) -> Graph:
    root = Cursor.root(grammar, decided)
    b = Layers()
    x = b.image(ImageInput(channels=2, height=6, width=6))
    widths = [(g, int(v)) for g, v in root["width"].values()]
    kernels = [(g, int(v)) for g, v in root["kernel"].values()]
    kernel = Axis.rings(kernels)
    y = b.conv("conv", x, Axis.elastic(widths), (kernel, kernel), bias=True)
    y = b.unary("relu", "relu", b.norm("norm", y))
    return b.finish([b.classifier("head", b.conv("mix", y, 4), 3)])


@pytest.mark.parametrize("width", [2, 3, 6])
@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_elastic_axes_are_slices_of_one_tensor(width: int, kernel: int) -> None:
    grammar, graph = elastic()
    decided = {"/width": (width,), "/kernel": (kernel,)}
    big, small = Network(graph), Network(stretch(grammar, decided))
    assert resolve(graph, decided) == small.graph
    assert len(small.graph.nodes["conv"].axis) == width
    inherit(small, big, decided)
    assert small.parts["conv"].weight.shape == (width, 2, kernel, kernel)
    x = torch.randn(2, 2, 6, 6)
    for training in (True, False):
        expected = small.train(training)(x)
        found = big.train(training)(x, one_hot(graph, decided))
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_memory_formats_agree() -> None:
    graph = supernet()
    network = Network(graph).train()
    x, weights = torch.randn(2, 1, 8, 8), uniform(graph)
    tensors = [*weights.values(), *network.parameters()]
    expected = network(x, weights)
    gradients = torch.autograd.grad(expected.square().sum(), tensors)
    network.to(memory_format=torch.channels_last)
    found = network(x.to(memory_format=torch.channels_last), weights)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for a, b in zip(torch.autograd.grad(found.square().sum(), tensors), gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_programs_are_kept_for_few_patterns_only() -> None:
    space = chain((4,), ("none", "conv_1x1", "skip_connect"))
    graph = lower(space.grammar, ChainSkeleton(channels=2), IMAGE)
    network = Network(graph).eval()
    x = torch.randn(1, 1, 8, 8)
    outputs = {}
    for i, genotype in enumerate(space.plan.sample(Random(0), 30)):
        outputs[i] = network(x, one_hot(graph, space.plan.read(genotype)))
        assert len(network._programs) <= 8
    again = space.plan.sample(Random(0), 1)[0]
    assert torch.equal(network(x, one_hot(graph, space.plan.read(again))), outputs[0])
