"""Network: a graph as an nn.Module, plain graphs and supernets alike.

    network = Network(lower(grammar, skeleton, image))      # a supernet; decided, an architecture
    network(x)                                              # a plain graph: (B, C, H, W) -> (B, classes)
    network(x, weights)                                     # weights[path]: one entry an option of that decision

Weights are anything: softmax, Gumbel, one-hot, k-hot for a Subset. Terms of a sum whose guard weighs nothing are not
computed, so a single path costs what its own network costs. With an auxiliary head the answer is a tuple, the logits
first. State-dict keys are `parts.<name of the node>.<tensor>` and depend on the structure alone.

The graph is compiled once into a flat program; a forward pass is one loop over it. Equal nodes without parameters on
equal inputs (the ReLU or pooling of one state, wanted by many edges) are computed once.

Invariant: a channel whose segment is switched off is zero on every wire. Only nodes that could break it (those of
`MASKED`) apply the mask of their axis. Channels stand before height and width, features of tokens and vectors last.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from app.architecture import TRUE, Axis, Graph, Guard, Node, parameters, weigh
from app.architecture.graph import axes_of
from app.architecture.guard import position
from app.space.algebra import Path, Symbol
from workers.channels import channel_dimension, narrowed, runs, zeros
from workers.primitives import PRIMITIVES, LayerNorm, drop_path, weighted_sum
from workers.recomputation import norms_of
from workers.scales import Entry, Scales, Weights, simple
from workers.segments import Call, Program, Segments, Values, run, segments

MASKED = (
    "batch_norm",
    "layer_norm",
    "linear",
    "tied_linear",
    "conv",
    "truncate",
    "embedding",
    "class_token",
    "position",
    "attention",
    "sigmoid",
    "hsigmoid",
)
PROGRAMS = 8  # sets of skipped guards whose programs are kept


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the program."""

    node: Node
    slot: int
    inputs: tuple[int, ...]
    guards: tuple[int, ...]  # indices into `Network._guards`, -1 of a certain input


class Network(nn.Module):
    """The module of a graph.

    lazy       skip what only terms of weight zero and zero operations read (the results are the same)
    drop_path  probability with which a sample loses a term of a discrete cell's node, identities excepted; only in
               training; `generator` draws it, for all samples that those given have their `place` among
    recompute  keep of a forward pass only what few places need, and compute the rest anew in the backward pass
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self.graph = graph
        self.lazy = True
        self.drop_path = 0.0
        self.recompute = False
        self.generator: torch.Generator | None = None
        self.place: tuple[int, int] | None = None
        self.parts = nn.ModuleDict()
        for node in graph.nodes.values():
            if parameters(graph, node) or node.op == "batch_norm":
                self.parts[key(node.name)] = PRIMITIVES[node.op](graph, node)
        self._guards: list[Guard] = []
        self._steps, slots = self._flatten(graph)
        self._at = {step.slot: step for step in self._steps}
        self._slots = 1 + max(self._at)
        self._inputs = {s.node.name: s.slot for s in self._steps if s.node.op == "input"}
        self._outputs = tuple(slots[name] for name in graph.outputs)
        self._simple = [simple(g) for g in self._guards]
        self._programs: dict[tuple[object, ...], Program] = {}
        self._segments: dict[int, tuple[Program, Segments]] = {}

    def __getstate__(self) -> dict[str, Any]:
        # programs hold the modules themselves: a copy compiles its own
        return {**self.__dict__, "_programs": {}, "_segments": {}}

    def forward(self, x: Tensor | Mapping[str, Tensor], weights: Weights | None = None) -> Any:
        """(B, C, H, W), or one tensor an input by its name -> the output, a tuple of several."""
        named = dict.fromkeys(self._inputs, x) if isinstance(x, Tensor) else x
        if isinstance(x, Tensor) and len(self._inputs) != 1:
            raise ValueError(f"the network has inputs {sorted(self._inputs)}: pass them by name")
        values: Values = [None] * self._slots
        for name, slot in self._inputs.items():
            values[slot] = named[name]
        scales = self._scales(weights, next(iter(named.values())))
        program = self._program(scales)
        if self.recompute and torch.is_grad_enabled():
            draws = self.training and self.drop_path > 0
            self._cut(program).run(values, scales, self.generator if draws else None)
        else:
            run(program, values, scales)
        if len(self._outputs) == 1:
            return values[self._outputs[0]]
        return tuple(values[slot] for slot in self._outputs)

    # -- weights

    def _scales(self, weights: Weights | None, like: Tensor) -> Scales:
        if not self._guards:
            return Scales([])
        entries: dict[Path, Sequence[Entry]] = {}
        vectors: dict[Path, Tensor] = {}
        for path, (kind, options) in self.graph.open.items():
            given = None if weights is None else weights.get(path)
            if given is None:
                if kind != "subset":
                    raise ValueError(f"{path}: no weights for the options {list(options)}")
                entries[path] = (1.0,) * len(options)  # every candidate is there, as in DARTS
                continue
            if len(given) != len(options):
                raise ValueError(f"{path}: {len(given)} weights for the options {list(options)}")
            if isinstance(given, Tensor):
                if given.requires_grad or not self.lazy:
                    vectors[path] = given.to(dtype=like.dtype, device=like.device)
                    entries[path] = vectors[path].unbind(0)
                else:
                    entries[path] = given.tolist()
            else:
                entries[path] = given

        def weight(path: Path, symbols: tuple[Symbol, ...]) -> Any:
            found = entries[path]
            return sum(found[position(self.graph.open[path][1], symbol)] for symbol in symbols)

        memo: dict[int, Any] = {}
        values = [
            entries[simple[0]][simple[1]] if simple is not None else weigh(guard, weight, memo)
            for guard, simple in zip(self._guards, self._simple, strict=True)
        ]
        return Scales(values, vectors)

    # -- the program

    def _flatten(self, graph: Graph) -> tuple[list[Step], dict[str, int]]:
        """Nodes as steps; equal ones without parameters share a slot."""
        steps: list[Step] = []
        slots: dict[str, int] = {}
        seen: dict[object, int] = {}
        numbers: dict[int, int] = {id(TRUE): -1}
        for node in graph.nodes.values():
            inputs = tuple(slots[name] for name in node.inputs)
            for guard in (*node.guards, *(g for axis in axes_of(node) for _, g in axis.segments)):
                if id(guard) not in numbers:
                    numbers[id(guard)] = len(self._guards)
                    self._guards.append(guard)
            guards = [numbers[id(guard)] for guard in node.guards]
            same = (node.op, inputs, node.attrs, node.axis)
            if node.op not in ("input", "sum", "concat") and key(node.name) not in self.parts:
                if same in seen:
                    slots[node.name] = seen[same]
                    continue
                seen[same] = len(steps)
            slots[node.name] = len(steps)
            steps.append(Step(node, len(steps), inputs, tuple(guards)))
        return steps, slots

    def _program(self, scales: Scales) -> Program:
        off: tuple[int, ...] = ()
        if self.lazy:
            off = tuple([i for i, v in enumerate(scales.values) if not isinstance(v, Tensor) and v == 0])
        name = (self.lazy, off)
        found = self._programs.get(name)
        if found is None:
            if len(self._programs) >= PROGRAMS:
                self._programs.pop(next(iter(self._programs)))
            found = self._programs[name] = self._compile(frozenset(off))
        return found

    def _cut(self, program: Program) -> Segments:
        """A program in segments; one that was cut is kept with its cuts, so that its identity stays its own."""
        found = self._segments.get(id(program))
        if found is None:
            if len(self._segments) >= PROGRAMS:
                self._segments.pop(next(iter(self._segments)))
            nodes = {slot: step.node for slot, step in self._at.items()}
            sizes = {slot: len(node.axis) * prod(node.size) for slot, node in nodes.items()}
            cut = segments(program, list(self._inputs.values()), sizes.__getitem__, norms_of(self))
            found = self._segments[id(program)] = program, cut
        return found[1]

    def _compile(self, off: frozenset[int]) -> Program:
        """What has to be computed where some guards weigh nothing, and after which step a value is done with."""
        needed = set(self._outputs)
        reads: dict[int, tuple[int, ...]] = {}  # positions among a step's inputs
        for step in reversed(self._steps):
            if step.slot in needed:
                reads[step.slot] = self._live(step, off)
                needed.update(step.inputs[i] for i in reads[step.slot])
        kept = [step for step in self._steps if step.slot in needed and step.node.op != "input"]
        last: dict[int, int] = {}
        for step in kept:
            last.update((step.inputs[i], step.slot) for i in reads[step.slot])
        done: dict[int, list[int]] = {}
        for slot, reader in last.items():
            if slot not in self._outputs:
                done.setdefault(reader, []).append(slot)
        program: list[tuple[int, int, Call, tuple[int, ...]]] = []
        for step in kept:
            source, call = self._call(step, reads[step.slot])
            program.append((step.slot, source, call, tuple(done.get(step.slot, ()))))
        return program

    def _live(self, step: Step, off: frozenset[int]) -> tuple[int, ...]:
        if not step.guards:
            return tuple(range(len(step.inputs)))
        on = [i for i, g in enumerate(step.guards) if g not in off]
        if not self.lazy:
            return tuple(on)
        zeros = [i for i, slot in enumerate(step.inputs) if self._at[slot].node.op == "zero"]
        # where nothing else is left one zero stays: it knows the extents
        return tuple([i for i in on if i not in zeros] or ([i for i in on if i in zeros] or zeros)[:1])

    def _call(self, step: Step, live: tuple[int, ...]) -> tuple[int, Call]:
        """(slot, function of its value) of a node with one input, (-1, function of everything) of any other."""
        node = step.node
        match node.op:
            case "sum":
                return -1, self._sum(step, live)
            case "concat":
                return -1, self._concat(step, live)
            case _:
                # a tied map is that of its second input
                tied = node.op == "tied_linear"
                name = key(node.inputs[1] if tied else node.name)
                module = self.parts[name] if name in self.parts else PRIMITIVES[node.op](self.graph, node)
                inputs = step.inputs[:1] if tied else step.inputs
                elastic = node.op == "conv" and not all(axis.plain for axis in node["kernel"])
                kept = node.op == "conv" and node["depthwise"] and not node["bias"]  # zero where its input is
                if elastic or (node.op in MASKED and not node.axis.plain and not kept):
                    return -1, self._masked(step, inputs, module)
                if len(inputs) != 1:
                    return -1, _joined(inputs, module)
                return inputs[0], module

    def _sum(self, step: Step, live: tuple[int, ...]) -> Call:
        node = step.node
        certain = [step.inputs[i] for i in live if step.guards[i] < 0]
        guarded = [(step.inputs[i], step.guards[i]) for i in live if step.guards[i] >= 0]
        slots = [slot for slot, _ in guarded]
        places = [place for _, guard in guarded if (place := self._simple[guard]) is not None]
        paths = {path for path, _ in places}
        path = paths.pop() if len(paths) == 1 and len(places) == len(guarded) else None
        indices = [index for _, index in places]
        if node["drop_path"] and self.graph.plain:
            made = [step.inputs[i] for i in live if node.inputs[i].startswith(f"{node.name}/")]
            if made:
                return self._dropping_sum(certain, made)

        def call(values: Values, scales: Scales) -> Tensor:
            total: Tensor | None = None
            fresh = False  # whether `total` is ours to add to
            vector = None if path is None else scales.vectors.get(path)
            if vector is not None:
                total, fresh = weighted_sum(vector, indices, [values[slot] for slot in slots]), True
            else:
                for slot, guard in guarded:
                    scale = scales.values[guard]
                    if total is None:
                        certainly = not isinstance(scale, Tensor) and scale == 1
                        total, fresh = (values[slot], False) if certainly else (values[slot] * scale, True)
                    elif isinstance(scale, Tensor):
                        total, fresh = total + values[slot] * scale, True
                    else:
                        total = total.add_(values[slot], alpha=scale) if fresh else total.add(values[slot], alpha=scale)
                        fresh = True
            for slot in certain:
                if total is None:
                    total = values[slot]
                else:
                    total, fresh = (total.add_(values[slot]) if fresh else total + values[slot]), True
            return self._nothing(node, values) if total is None else total

        return call

    def _dropping_sum(self, certain: list[int], made: list[int]) -> Call:
        dropped = [slot in made for slot in certain]

        def call(values: Values, scales: Scales) -> Tensor:
            probability = self.drop_path if self.training else 0.0
            total: Tensor | None = None
            for slot, drops in zip(certain, dropped, strict=True):
                term = values[slot]
                if drops and probability > 0:
                    term = drop_path(term, probability, self.generator, self.place)
                total = term if total is None else total + term
            assert total is not None
            return total

        return call

    def _concat(self, step: Step, live: tuple[int, ...]) -> Call:
        node, guards = step.node, step.guards
        parts = [(slot if i in live else -1, guards[i]) for i, slot in enumerate(step.inputs)]
        there = [runs(self._at[slot].node.axis, guard) for slot, guard in zip(step.inputs, node.guards, strict=True)]

        def call(values: Values, scales: Scales) -> Tensor:
            found = [
                None if slot < 0 else values[slot] if guard < 0 else values[slot] * scales.values[guard]
                for slot, guard in parts
            ]
            like = next((part for part in found if part is not None), None)
            if like is None:
                return self._nothing(node, values)
            dim = channel_dimension(like)
            return torch.cat(
                [
                    zeros(like, n, node.size) if part is None else narrowed(part, dim, start, n)
                    for part, kept in zip(found, there, strict=True)
                    for start, n in kept
                ],
                dim,
            )

        return call

    def _nothing(self, node: Node, values: Values) -> Tensor:
        """Zeros of the extents in the graph: every option of a decision weighs nothing."""
        like = next(v for v in values if v is not None)
        return zeros(like, len(node.axis), node.size)

    def _masked(self, step: Step, inputs: tuple[int, ...], module: nn.Module) -> Call:
        """A node whose channels, or whose kernel, are only partly there."""
        node, source = step.node, inputs[0]
        numbers = {id(g): i for i, g in enumerate(self._guards)}

        def mask(axis: Axis, scales: Scales, like: Tensor) -> Tensor:
            segments = [
                like.new_ones(n) * (1.0 if g is TRUE else scales.values[numbers[id(g)]]) for n, g in axis.segments
            ]
            return torch.cat(segments)

        def call(values: Values, scales: Scales) -> Tensor:
            x = values[source]
            if isinstance(module, nn.Conv2d):
                rows, columns = (mask(axis, scales, module.weight) for axis in node["kernel"])
                y = nn.functional.conv2d(
                    x,
                    module.weight * torch.outer(rows, columns),
                    module.bias,
                    module.stride,
                    module.padding,  # pyright: ignore[reportArgumentType]
                    module.dilation,
                    module.groups,
                )
            elif isinstance(module, LayerNorm):
                y = module(x, mask(node.axis, scales, x))
            else:
                y = module(*[values[slot] for slot in inputs])
            if node.axis.plain:
                return y
            m = mask(node.axis, scales, y)
            return y * (m[:, None, None] if y.ndim == 4 else m)

        return call


def _joined(slots: tuple[int, ...], module: nn.Module) -> Call:
    """A node of several inputs, in their order."""
    return lambda values, scales: module(*[values[slot] for slot in slots])


def key(name: str) -> str:
    """A node's name as the name of a submodule, which may hold no dot."""
    return name.replace("%", "%25").replace(".", "%2E")
