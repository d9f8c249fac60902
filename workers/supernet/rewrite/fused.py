"""A supernet whose steps are rewritten; what it computes, and what its tensors are called, stays as it is.

    shared      normalisation without a weight of its own, of equal inputs, is done once: pooling of one state for many
                edges. Its running statistics are those of every name.
    flattened   a sum that only another sum reads is a part of it
    folded      a guard's weight goes into the normalisation before it, where only that sum reads it
    phased      convolutions of dilation 2 are dense on the phases of their input, with the pointwise convolution and
                the normalisation behind them; a sum joins the phases once
    laid out    channels last

None of it asks what space it is: everything is read off the graph.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from app.architecture import Graph, Node
from app.architecture.axis import Axis
from workers.network import Call, Network, Step, Values, key
from workers.primitives.normalisation import BatchNorm
from workers.scales import Entry, Scales, Weights
from workers.supernet.rewrite.phases import join, split


@dataclass(frozen=True, slots=True)
class Term:
    """What a sum adds: a value, times its guards, perhaps normalised, perhaps in phases."""

    slot: int
    guards: tuple[int, ...]  # whose weights are multiplied
    norm: str | None = None  # the part that normalises it
    phased: bool = False
    measured: int = -1  # the slot of the statistics that are known of the value
    owned: bool = False  # whether only this sum normalises by that part


class FusedNetwork(Network):
    """`Network`, rewritten. Gradients of weights are exact to any order: nothing here is differentiable only once."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor | Mapping[str, Tensor], weights: Weights | None = None) -> Any:
        """See `Network`."""
        laid = laid_out(x) if isinstance(x, Tensor) else {name: laid_out(value) for name, value in x.items()}
        return super().forward(laid, weights)

    # -- rewriting

    def _flatten(self, graph: Graph) -> tuple[list[Step], dict[str, int]]:
        self._terms: dict[int, tuple[Term, ...]] = {}
        self._dense: dict[int, bool] = {}  # dilated convolutions done densely: whether on all phases
        steps, slots = super()._flatten(graph)
        steps, slots = self._share(steps, slots)
        outputs = {slots[name] for name in graph.outputs}
        readers = Counter(slot for step in steps for slot in step.inputs)
        at = {step.slot: step for step in steps}
        once = {slot for slot, count in readers.items() if count == 1} - outputs
        phased = self._phase(steps, at, once, graph)
        steps = self._split(steps, once, outputs)
        at = {step.slot: step for step in steps}
        for step in steps:
            if step.node.op == "sum" and not drops(step.node, graph):
                self._terms[step.slot] = tuple(self._gathered(step, at, once, phased))
        swallowed = {slot for total in self._terms for slot in at[total].inputs if slot in once and slot in self._terms}
        kept = [
            replace(step, inputs=self._reads(self._terms[step.slot])) if step.slot in self._terms else step
            for step in steps
            if step.slot not in swallowed
        ]
        for slot in swallowed:
            del self._terms[slot]
        return kept, slots

    def _share(self, steps: list[Step], slots: dict[str, int]) -> tuple[list[Step], dict[str, int]]:
        """Normalise equal inputs once, where no weight tells the results apart."""
        instead: dict[int, int] = {}
        seen: dict[object, Step] = {}
        kept: list[Step] = []
        for old in steps:
            step = replace(old, inputs=tuple(instead.get(slot, slot) for slot in old.inputs))
            if step.node.op == "batch_norm" and not step.node["affine"] and step.node.axis.plain:
                first = seen.setdefault(step.inputs, step)
                if first is not step:
                    instead[step.slot] = first.slot
                    self.parts[key(step.node.name)] = self.parts[key(first.node.name)]
                    continue
            kept.append(step)
        return kept, {name: instead.get(slot, slot) for name, slot in slots.items()}

    def _phase(self, steps: list[Step], at: Mapping[int, Step], once: set[int], graph: Graph) -> set[int]:
        """Find the dilated convolutions that are done densely; the slots of normalisations that are then in phases."""
        reader = {slot: step for step in steps for slot in step.inputs}
        phased: set[int] = set()
        for step in steps:
            node = step.node
            if not is_dilated(node) or any(extent % 2 for extent in at[step.inputs[0]].node.size):
                continue
            if node["stride"] == (2, 2):
                self._dense[step.slot] = False
                continue
            point = reader.get(step.slot)
            norm = None if point is None else reader.get(point.slot)
            total = None if norm is None else reader.get(norm.slot)
            if point is None or norm is None or total is None or not {step.slot, point.slot, norm.slot} <= once:
                continue
            normal = norm.node.op == "batch_norm" and norm.node.axis.plain
            joins = total.node.op == "sum" and not drops(total.node, graph)
            if normal and joins and is_pointwise(point.node) and node["stride"] == (1, 1):
                self._dense[step.slot] = True
                phased.add(norm.slot)
        return phased

    def _split(self, steps: list[Step], once: set[int], outputs: set[int]) -> list[Step]:
        """Put the phases of what dense convolutions read before them, once for all that read the same."""
        following = 1 + max(step.slot for step in steps)
        made: dict[tuple[int, bool], int] = {}
        found: list[Step] = []
        for step in steps:
            whole = self._dense.get(step.slot)
            if whole is None:
                found.append(step)
                continue
            (source,) = step.inputs
            if (source, whole) not in made:
                made[source, whole] = following
                node = Node(f"{step.node.name}/phases", "phases" if whole else "phase", (), step.node.axis, ())
                found.append(Step(node, following, (source,), ()))
                following += 1
            found.append(replace(step, inputs=(made[source, whole],)))
        return found

    def _gathered(self, step: Step, at: Mapping[int, Step], once: set[int], phased: set[int]) -> list[Term]:
        """The terms of a sum, those of sums that only it reads among them."""
        terms: list[Term] = []
        for slot, guard in zip(step.inputs, step.guards or (-1,) * len(step.inputs), strict=True):
            guards = () if guard < 0 else (guard,)
            source = at[slot]
            if slot in self._terms and slot in once:
                terms += [replace(term, guards=guards + term.guards) for term in self._terms[slot]]
            elif source.node.op == "batch_norm" and slot in once and source.node.axis.plain:
                terms.append(Term(source.inputs[0], guards, key(source.node.name), slot in phased))
            else:
                terms.append(Term(slot, guards))
        return terms

    def _reads(self, terms: Sequence[Term]) -> tuple[int, ...]:
        """The slots that a sum reads, those of its terms first."""
        return tuple(term.slot for term in terms)

    # -- the program

    def _live(self, step: Step, off: frozenset[int]) -> tuple[int, ...]:
        terms = self._terms.get(step.slot)
        if terms is None:
            return super()._live(step, off)
        on = [i for i, term in enumerate(terms) if off.isdisjoint(term.guards)]
        if not self.lazy:
            return tuple(on)
        zeros = [i for i, term in enumerate(terms) if self._at[term.slot].node.op == "zero"]
        return tuple([i for i in on if i not in zeros] or ([i for i in on if i in zeros] or zeros)[:1])

    def _call(self, step: Step, live: tuple[int, ...]) -> tuple[int, Call]:
        match step.node.op:
            case "phases":
                return step.inputs[0], split
            case "phase":
                return step.inputs[0], first_phase
            case "conv" if step.slot in self._dense:
                module: Any = self.parts[key(step.node.name)]
                padding = [side // 2 for side in module.kernel_size]

                def dense(x: Tensor) -> Tensor:
                    return torch.conv2d(x, module.weight, module.bias, 1, padding, 1, module.groups)

                return step.inputs[0], dense
            case _:
                return super()._call(step, live)

    def _sum(self, step: Step, live: tuple[int, ...]) -> Call:
        terms = self._terms.get(step.slot)
        if terms is None:
            return super()._sum(step, live)
        chosen = [terms[i] for i in live]
        parts = {term.norm: self.parts[term.norm] for term in chosen if term.norm is not None}
        whole = [term for term in chosen if not term.phased]
        apart = [term for term in chosen if term.phased]

        def call(values: Values, scales: Scales) -> Tensor:
            total = added(None, whole, values, scales, parts)
            phases = added(None, apart, values, scales, parts)
            if phases is not None:
                joined = join(phases[0])
                total = (joined, True) if total is None else (plus(total, joined), True)
            return self._nothing(step.node, values) if total is None else total[0]

        return call


Total = tuple[Tensor, bool]  # and whether it is ours to add to


def added(
    total: Total | None, terms: list[Term], values: Values, scales: Scales, parts: Mapping[str, Any]
) -> Total | None:
    """The sum of terms."""
    for term in terms:
        scale = product(term.guards, scales)
        value, norm = values[term.slot], None if term.norm is None else parts[term.norm]
        one = not isinstance(scale, Tensor) and scale == 1
        if isinstance(norm, BatchNorm):
            term_value = norm(value, scale)
            total = (term_value, True) if total is None else (plus(total, term_value), True)
        elif total is None:
            total = (value, False) if one else (value * scale, True)
        elif one:
            total = (plus(total, value), True)
        elif isinstance(scale, Tensor):
            total = (torch.addcmul(total[0], value, scale), True)
        else:
            total = (total[0].add_(value, alpha=scale) if total[1] else total[0].add(value, alpha=scale), True)
    return total


def plus(total: Total, value: Tensor) -> Tensor:
    """A value more, in place where that is allowed."""
    return total[0].add_(value) if total[1] else total[0] + value


def product(guards: tuple[int, ...], scales: Scales) -> Entry:
    """The product of what guards weigh."""
    found: Entry = 1.0
    for guard in guards:
        weight = scales.values[guard]
        found = weight if not isinstance(found, Tensor) and found == 1 else found * weight
    return found


def drops(node: Node, graph: Graph) -> bool:
    """Whether a sum may lose terms in training: those are told apart by their names."""
    return bool(node["drop_path"]) and graph.plain


def laid_out(x: Tensor) -> Tensor:
    """Maps with their channels last; anything else as it is."""
    return x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x


def first_phase(x: Tensor) -> Tensor:
    """Every other row and column: all that a convolution of stride 2 and dilation 2 reads."""
    return x[:, :, ::2, ::2]


def is_dilated(node: Node) -> bool:
    """Whether it is a depthwise convolution of dilation 2 with an odd kernel that keeps extents but for its stride."""
    if node.op != "conv" or not node["depthwise"] or node["dilation"] != 2 or node["pad"] is not None:
        return False
    kernel: tuple[Axis, Axis] = node["kernel"]
    return node.axis.plain and all(axis.plain and len(axis) % 2 for axis in kernel)


def is_pointwise(node: Node) -> bool:
    """Whether it is a convolution of single places."""
    if node.op != "conv" or node["depthwise"] or node["stride"] != (1, 1) or not node.axis.plain:
        return False
    return all(axis.plain and len(axis) == 1 for axis in node["kernel"])
