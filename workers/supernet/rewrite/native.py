"""A supernet whose separable convolutions, sums and pooling are computed by kernels (`workers.supernet.native`).

    chained     ReLU (and the normalisation before it), depthwise and pointwise convolution are one step: it keeps its
                input alone. All that read one source are one call; it measures what comes out on the way
    summed      a node is one weighted sum of what its options made, normalised as it is read
    measured    the statistics of what many sums normalise are taken once, and it is kept once

Where the kernels do not take a value (another device, lower precision), torch computes the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.architecture import Graph, Node
from workers.network import Call, Step, Values, key
from workers.primitives.normalisation import BatchNorm
from workers.scales import Entry, Scales
from workers.segments import Program, Segments
from workers.supernet.native import usable
from workers.supernet.rewrite.fused import FusedNetwork, Term, drops, is_pointwise, plus, product
from workers.supernet.rewrite.statistics import applied, statistics

NONE = torch.empty(0)


@dataclass(frozen=True, slots=True)
class Chain:
    """Convolutions behind one source."""

    slot: int  # of what comes out
    source: int
    norm: str | None  # the part that normalises the source
    relu: bool
    depth: str | None
    point: str
    measured: int  # the slot of the result's statistics, -1 where nothing asks for them
    reader: str | None  # the part that normalises the result


class Joined(list[tuple[int, int, Call, tuple[int, ...]]]):
    """A program of joined steps, and the one that it was made of."""

    def __init__(self, single: Program) -> None:
        super().__init__()
        self.single = single


class NativeNetwork(FusedNetwork):
    """`FusedNetwork` with kernels. Gradients of weights are exact to any order."""

    def __init__(self, graph: Graph) -> None:
        self._chains: dict[int, Chain] = {}
        self._measured: dict[int, int] = {}  # statistics of a slot
        self._shared: dict[int, Term] = {}  # normalisations that many sums read: what they normalise
        super().__init__(graph)

    # -- rewriting

    def _phase(self, steps: list[Step], at: Any, once: set[int], graph: Graph) -> set[int]:
        return set()  # the kernels know dilation

    def _split(self, steps: list[Step], once: set[int], outputs: set[int]) -> list[Step]:
        """Chain convolutions, and measure once what many sums normalise."""
        numbers = count(1 + max(step.slot for step in steps))
        at = {step.slot: step for step in steps}
        readers: dict[int, list[Step]] = {}
        for step in steps:
            for slot in step.inputs:
                readers.setdefault(slot, []).append(step)
        first: dict[int, tuple[Step, Step | None]] = {}  # of a chain, by its end: what reads the source, the depthwise
        for step in steps:
            if is_pointwise(step.node) and self._plain(step, depthwise=False):
                before = at[step.inputs[0]]
                deep = before.slot in once and before.node.op == "conv" and self._plain(before, depthwise=True)
                first[step.slot] = (before, before) if deep else (step, None)
        begins = {begin.slot for begin, _ in first.values()}
        gone: set[int] = set()
        made: dict[int, Step] = {}
        extra: list[Step] = []
        for slot, (begin, deep) in first.items():
            source, norm = at[begin.inputs[0]], None
            relu = source.node.op == "relu" and source.slot not in outputs
            relu = relu and all(step.slot in begins for step in readers[source.slot])
            if deep is None and not relu:
                continue  # torch is as fast
            if relu:
                gone.add(source.slot)
                alone, source = source.slot in once, at[source.inputs[0]]
                if alone and source.slot in once and source.node.op == "batch_norm" and source.node.axis.plain:
                    gone.add(source.slot)
                    norm, source = key(source.node.name), at[source.inputs[0]]
            if deep is not None:
                gone.add(deep.slot)
            (reader,) = readers.get(slot, []) if slot in once else (None,)
            normal = reader is not None and reader.node.op == "batch_norm" and reader.node.axis.plain
            if normal:
                self._measured[slot] = next(numbers)
                extra.append(named(at[slot].node, "statistics", self._measured[slot], slot))
            self._chains[slot] = Chain(
                slot,
                source.slot,
                norm,
                relu,
                None if deep is None else key(deep.node.name),
                key(at[slot].node.name),
                self._measured.get(slot, -1),
                key(reader.node.name) if reader is not None and normal else None,
            )
            made[slot] = replace(at[slot], inputs=(source.slot,))
        # A ReLU that some of its readers cannot do without stays, as no chain may have taken it then.
        found: list[Step] = []
        for step in steps:
            if step.slot in gone:
                continue
            found.append(made.get(step.slot, step))
            sums = all(
                reader.node.op == "sum" and not drops(reader.node, self.graph) for reader in readers.get(step.slot, [])
            )
            shared = step.node.op == "batch_norm" and step.node.axis.plain and step.slot not in once | outputs
            if shared and sums and step.slot in readers:
                slot = next(numbers)
                found.append(named(step.node, "statistics", slot, step.inputs[0]))
                self._shared[step.slot] = Term(step.inputs[0], (), key(step.node.name), measured=slot)
        return found + extra

    def _plain(self, step: Step, *, depthwise: bool) -> bool:
        """Whether a convolution is one of the kernels'."""
        conv = self.parts[key(step.node.name)]
        if not isinstance(conv, nn.Conv2d) or conv.bias is not None or not step.node.axis.plain:
            return False
        size, stride, dilation = conv.kernel_size[0], conv.stride[0], conv.dilation[0]
        if conv.kernel_size != (size, size) or conv.stride != (stride, stride) or conv.dilation != (dilation, dilation):
            return False
        if conv.padding != (size // 2 * dilation,) * 2 or size % 2 == 0:
            return False
        if not all(axis.plain for axis in step.node["kernel"]):
            return False
        return conv.groups == conv.in_channels == conv.out_channels if depthwise else conv.groups == 1

    def _gathered(self, step: Step, at: Any, once: set[int], phased: set[int]) -> list[Term]:
        terms: list[Term] = []
        for term in super()._gathered(step, at, once, phased):
            shared = self._shared.get(term.slot)
            if term.norm is None and shared is not None:
                term = replace(shared, guards=term.guards)
            elif term.norm is not None and term.measured < 0:
                term = replace(term, measured=self._measured.get(term.slot, -1), owned=True)
            terms.append(term)
        return terms

    def _reads(self, terms: Sequence[Term]) -> tuple[int, ...]:
        return (*super()._reads(terms), *(term.measured for term in terms if not term.owned and term.measured >= 0))

    def _live(self, step: Step, off: frozenset[int]) -> tuple[int, ...]:
        found = super()._live(step, off)
        terms = self._terms.get(step.slot)
        if terms is None:
            return found
        wanted = {terms[i].measured for i in found if not terms[i].owned}
        beyond = range(len(terms), len(step.inputs))
        return (*found, *(i for i in beyond if step.inputs[i] in wanted))

    # -- the program

    def _compile(self, off: frozenset[int]) -> Program:
        """Chains of one source are one call."""
        single = super()._compile(off)
        together: dict[tuple[int, str | None, bool], list[Chain]] = {}
        for slot, *_ in single:
            if (chain := self._chains.get(slot)) is not None:
                together.setdefault((chain.source, chain.norm, chain.relu), []).append(chain)
        joined = Joined(single)
        for slot, source, call, done in single:
            chain = self._chains.get(slot)
            group = [] if chain is None else together[chain.source, chain.norm, chain.relu]
            if len(group) < 2:
                joined.append((slot, source, call, done))
            elif group[0] is chain:
                joined.append((slot, -1, self._chained(group), done))
            elif done:  # what this one was the last to read may go after the step before it
                before, at, other, used = joined[-1]
                joined[-1] = (before, at, other, used + done)
        return joined

    def _cut(self, program: Program) -> Segments:
        # what is cut may hold no step that writes the values of others
        return super()._cut(program.single if isinstance(program, Joined) else program)

    def _call(self, step: Step, live: tuple[int, ...]) -> tuple[int, Call]:
        if step.slot in self._chains:
            return -1, self._chained([self._chains[step.slot]])
        match step.node.op:
            case "statistics":
                return step.inputs[0], measuring(self.parts[key(step.node.name)])
            case "max_pool" | "avg_pool" if not step.node["ceil"]:
                source, module = super()._call(step, live)
                return source, pooling(module, step.node)
            case _:
                return super()._call(step, live)

    def _chained(self, chains: Sequence[Chain]) -> Call:
        """One call for chains of one source; it answers the first one's result and puts the others where they go."""
        first = chains[0]
        before: Any = None if first.norm is None else self.parts[first.norm]
        depths: list[Any] = [None if chain.depth is None else self.parts[chain.depth] for chain in chains]
        points: list[Any] = [self.parts[chain.point] for chain in chains]
        readers: list[Any] = [None if chain.reader is None else self.parts[chain.reader] for chain in chains]
        strides = [1 if deep is None else deep.stride[0] for deep in depths]
        dilations = [1 if deep is None else deep.dilation[0] for deep in depths]
        measured = self._measured.get(first.source, -1)

        def call(values: Values, scales: Scales) -> Tensor:
            x = values[first.source]
            deep = [NONE.to(x.dtype) if conv is None else conv.weight for conv in depths]
            point = [conv.weight for conv in points]
            results: Sequence[Tensor]
            if usable(x, *deep, *point):
                empty = NONE.to(x.dtype)
                taken = empty if before is None else statistics(before, x, values[measured] if measured >= 0 else None)
                measure = any(reader is not None and reader.training for reader in readers)
                found = torch.ops.cellar.branches(
                    x,
                    taken,
                    empty if before is None or before.weight is None else before.weight,
                    empty if before is None or before.bias is None else before.bias,
                    deep,
                    point,
                    before is not None and not before.training,
                    first.relu,
                    0.0 if before is None else before.eps,
                    strides,
                    dilations,
                    measure,
                )
                results = found[: len(chains)]
                if measure:
                    for chain, statistic in zip(chains, found[len(chains) :], strict=True):
                        if chain.measured >= 0:
                            values[chain.measured] = statistic
            else:
                source = x if before is None else before(x)
                source = F.relu(source) if first.relu else source
                results = [
                    conv(source if before is None else before(source))
                    for before, conv in zip(depths, points, strict=True)
                ]
            for chain, result in zip(chains, results, strict=True):
                values[chain.slot] = result
            return results[0]

        return call

    def _sum(self, step: Step, live: tuple[int, ...]) -> Call:
        terms = self._terms.get(step.slot)
        if terms is None:
            return super()._sum(step, live)
        chosen = [terms[i] for i in live if i < len(terms)]
        norms: list[Any] = [None if term.norm is None else self.parts[term.norm] for term in chosen]

        def call(values: Values, scales: Scales) -> Tensor:
            if not chosen:
                return self._nothing(step.node, values)
            by = [product(term.guards, scales) for term in chosen]
            tensors = [values[term.slot] for term in chosen]
            normal = [norm for norm in norms if norm is not None]
            learnt = any(isinstance(scale, Tensor) for scale in by)
            alike = len({norm.training for norm in normal}) < 2 and len({norm.eps for norm in normal}) < 2
            if not (normal or learnt) or not alike or tensors[0].ndim != 4 or not usable(*tensors):
                return by_torch(chosen, norms, by, values)
            empty = NONE.to(tensors[0].dtype)
            taken: list[Tensor] = []
            for term, norm, x in zip(chosen, norms, tensors, strict=True):
                given = values[term.measured] if term.measured >= 0 else None
                taken.append(empty if norm is None else statistics(norm, x, given, moves=term.owned))
            return torch.ops.cellar.total(
                stacked(by, tensors[0]),
                tensors,
                taken,
                [empty if norm is None or norm.weight is None else norm.weight for norm in norms],
                [empty if norm is None or norm.bias is None else norm.bias for norm in norms],
                bool(normal) and not normal[0].training,
                normal[0].eps if normal else 0.0,
            )

        return call


def named(node: Node, op: str, slot: int, source: int) -> Step:
    """A step beside a node, of its name."""
    return Step(Node(node.name, op, (), node.axis, node.size), slot, (source,), ())


def stacked(by: Sequence[Entry], like: Tensor) -> Tensor:
    """Weights of terms as one tensor."""
    if not any(isinstance(scale, Tensor) for scale in by):
        return like.new_tensor(by)
    return torch.stack([s.to(like) if isinstance(s, Tensor) else like.new_tensor(s) for s in by])


def by_torch(terms: Sequence[Term], norms: Sequence[Any], by: Sequence[Entry], values: Values) -> Tensor:
    """The sum where kernels do not take it."""
    total: tuple[Tensor, bool] | None = None
    for term, norm, scale in zip(terms, norms, by, strict=True):
        value = values[term.slot]
        if isinstance(norm, BatchNorm):
            value = norm(value, scale) if term.owned else applied(norm, value, scale)
        elif isinstance(scale, Tensor) or scale != 1:
            value = value * scale
        else:
            total = (value, False) if total is None else (plus(total, value), True)
            continue
        total = (value, True) if total is None else (plus(total, value), True)
    assert total is not None
    return total[0]


def measuring(norm: Any) -> Call:
    """The statistics that a normalisation uses, (2, C); those that run move once."""
    return lambda x: statistics(norm, x, None)


def pooling(module: Any, node: Node) -> Call:
    """Pooling of whole windows by the kernel."""
    largest, kernel, stride, pad = node.op == "max_pool", node["kernel"], node["stride"], node["pad"]

    def call(x: Tensor) -> Tensor:
        return torch.ops.cellar.pool(x, largest, kernel, stride, pad) if usable(x) else module(x)

    return call


__all__ = ["NativeNetwork"]
