"""Tape: which storages are alive when, as torch allocates and autograd keeps and releases them.

A value is a tensor: a storage (views share one), how many numbers, how many bytes each, and what made it if a backward
pass goes on through it. `Tape.op` computes one; `Tape.backward` runs what was recorded in autograd's order, the latest
first. A storage lives as long as something refers to it: a value, the recorded operation that saved it, a gradient.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal

Kind = Literal["parameters", "buffers", "gradients", "optimiser", "activations"]
Rule = Literal["new", "same"]  # the gradient of an input: a storage of its own, or the incoming one

NEVER = 1 << 62


@dataclass(slots=True)
class Value:
    """A tensor. Whoever gets one from `Tape.op` or `Tape.view` gives it back with `Tape.drop`."""

    storage: int
    numel: int
    item: int
    maker: int  # index of what made it; -1 where no gradient is wanted

    @property
    def bytes(self) -> int:
        """Of the numbers, not of the storage, which may hold more."""
        return self.numel * self.item


@dataclass(slots=True)
class Record:
    """A recorded operation; of a parameter, the place where its gradient is kept."""

    place: str
    edges: tuple[tuple[int, int, Rule], ...]  # maker of an input, bytes of its gradient, how that comes about
    saved: tuple[int, ...]
    scratch: int  # bytes at work in the backward pass besides its results
    leaf: bool = False
    kept: int = -1  # storage of the gradient of a leaf
    readers: int = 1  # its value, and the records that lead to it: without any it is forgotten


@dataclass(slots=True)
class Tape:
    """Storages with their births and deaths, in the order of events."""

    recording: bool
    place: str = ""  # the node that is being computed
    live: int = 0
    most: int = 0
    most_at: int = 0
    now: int = 0
    sizes: list[int] = field(default_factory=list[int])
    references: list[int] = field(default_factory=list[int])
    born: list[int] = field(default_factory=list[int])
    died: list[int] = field(default_factory=list[int])
    kinds: list[Kind] = field(default_factory=list[Kind])
    places: list[str] = field(default_factory=list[str])
    records: list[Record] = field(default_factory=list[Record])

    # -- storages

    def allocate(self, size: int, kind: Kind = "activations") -> int:
        """A storage with one reference."""
        self.now += 1
        self.sizes.append(size)
        self.references.append(1)
        self.born.append(self.now)
        self.died.append(NEVER)
        self.kinds.append(kind)
        self.places.append(self.place)
        self.live += size
        if self.live > self.most:
            self.most, self.most_at = self.live, self.now
        return len(self.sizes) - 1

    def hold(self, storage: int) -> None:
        """One reference more."""
        self.references[storage] += 1

    def release(self, storage: int) -> None:
        """One reference less; without any a storage is gone."""
        left = self.references[storage] = self.references[storage] - 1
        if left == 0:
            self.now += 1
            self.died[storage] = self.now
            self.live -= self.sizes[storage]

    def touch(self, size: int) -> None:
        """Memory at work for a moment."""
        if size:
            self.release(self.allocate(size))

    def at_peak(self) -> tuple[Counter[Kind], Counter[str]]:
        """Bytes at the largest moment by kind, and those of activations and gradients by place."""
        kinds: Counter[Kind] = Counter()
        places: Counter[str] = Counter()
        for i, size in enumerate(self.sizes):
            if self.born[i] <= self.most_at < self.died[i]:
                kinds[self.kinds[i]] += size
                if self.kinds[i] in ("activations", "gradients"):
                    places[self.places[i]] += size
        return kinds, places

    # -- values

    def drop(self, *values: Value) -> None:
        """Values that are done with; what only they could have led a backward pass to is forgotten."""
        for value in values:
            self.release(value.storage)
            if value.maker >= 0:
                self._forget(value.maker)

    def again(self, value: Value) -> Value:
        """The same value, to be dropped once more."""
        self.hold(value.storage)
        if value.maker >= 0:
            self.records[value.maker].readers += 1
        return value

    def _forget(self, maker: int) -> None:
        todo = [maker]
        while todo:
            record = self.records[todo.pop()]
            record.readers -= 1
            if record.readers == 0 and not record.leaf:
                for storage in record.saved:
                    self.release(storage)
                todo += [source for source, _, _ in record.edges]

    def parameter(self, numel: int, item: int) -> Value:
        """A learnable tensor, and where its gradient goes."""
        storage = self.allocate(numel * item, "parameters")
        maker = -1
        if self.recording:
            maker = len(self.records)
            self.records.append(Record(self.place, (), (), 0, leaf=True))
        return Value(storage, numel, item, maker)

    def op(
        self,
        inputs: Sequence[Value],
        numel: int,
        item: int,
        *,
        save: Sequence[Value] = (),
        keep: int = 0,
        save_result: bool = False,
        scratch: int = 0,
        back: int = 0,
        rules: Sequence[Rule] = (),
    ) -> Value:
        """A new tensor.

        save        inputs that the backward pass needs
        keep        bytes of anything else it needs: statistics, indices; allocated in any case
        scratch     bytes at work besides the result, forward
        back        bytes at work besides the gradients, backward
        rules       how the gradient of each input comes about; by default each is new
        """
        result = self.allocate(numel * item)
        extra = self.allocate(keep) if keep else -1
        self.touch(scratch)
        return self._record(result, inputs, numel, item, save, extra, save_result, back, rules)

    def view(self, value: Value, numel: int = -1, rule: Rule = "same") -> Value:
        """The same storage, or a part of it, in another shape."""
        self.hold(value.storage)
        return self._record(
            value.storage, (value,), value.numel if numel < 0 else numel, value.item, (), -1, False, 0, (rule,)
        )

    def _record(
        self,
        result: int,
        inputs: Sequence[Value],
        numel: int,
        item: int,
        save: Sequence[Value],
        extra: int,
        save_result: bool,
        back: int,
        rules: Sequence[Rule],
    ) -> Value:
        maker = -1
        if self.recording and any(value.maker >= 0 for value in inputs):
            maker = len(self.records)
            saved = [value.storage for value in save]
            if save_result:
                saved.append(result)
            for storage in saved:
                self.hold(storage)
            if extra >= 0:
                saved.append(extra)
                extra = -1
            how: list[Rule] = list(rules) or ["new" for _ in inputs]
            edges: list[tuple[int, int, Rule]] = [
                (value.maker, value.bytes, rule) for value, rule in zip(inputs, how, strict=True) if value.maker >= 0
            ]
            for source, _, _ in edges:
                self.records[source].readers += 1
            self.records.append(Record(self.place, tuple(edges), tuple(saved), back))
        if extra >= 0:
            self.release(extra)
        return Value(result, numel, item, maker)

    # -- backward

    def backward(self, roots: Sequence[Value]) -> None:
        """Run what was recorded for these values, whose gradients are of their own size; the values are dropped."""
        waits: Counter[int] = Counter()
        seen = {root.maker for root in roots}
        todo = list(seen)
        while todo:
            for maker, _, _ in self.records[todo.pop()].edges:
                waits[maker] += 1
                if maker not in seen:
                    seen.add(maker)
                    todo.append(maker)
        gradients: dict[int, int] = {}
        ready: list[tuple[int, int]] = []
        for root in roots:
            self._accumulate(gradients, root.maker, self.allocate(root.bytes), root.bytes)
            self.release(root.storage)  # what made it is at work from now on
            if not waits[root.maker]:
                heappush(ready, (-root.maker, root.maker))
        while ready:
            _, maker = heappop(ready)
            record = self.records[maker]
            self.place = record.place
            incoming = gradients.pop(maker)
            if record.leaf:
                self._keep(record, incoming)
                continue
            outgoing: list[tuple[int, int, int]] = []
            for source, size, rule in record.edges:
                if rule == "new":
                    kind: Kind = "gradients" if self.records[source].leaf else "activations"
                    outgoing.append((source, self.allocate(size, kind), size))
                else:
                    self.hold(incoming)
                    outgoing.append((source, incoming, size))
            self.touch(record.scratch)
            for storage in record.saved:
                self.release(storage)
            self.release(incoming)
            for source, storage, size in outgoing:
                self._accumulate(gradients, source, storage, size)
                waits[source] -= 1
                if not waits[source]:
                    # gradients of parameters are put away at once
                    heappush(ready, (-NEVER if self.records[source].leaf else -source, source))

    def _accumulate(self, gradients: dict[int, int], maker: int, storage: int, size: int) -> None:
        """Add to the gradient of something: in place where nobody else reads what is there."""
        there = gradients.get(maker)
        if there is None:
            gradients[maker] = storage
        elif self.references[there] == 1:
            self.release(storage)
        else:
            gradients[maker] = self.allocate(size)
            self.release(there)
            self.release(storage)

    def _keep(self, record: Record, gradient: int) -> None:
        """The gradient of a parameter: the incoming one, or a copy of it where others read that."""
        if record.kept >= 0:
            self.release(gradient)
        elif self.references[gradient] == 1:
            self.kinds[gradient] = "gradients"
            record.kept = gradient
        else:
            record.kept = self.allocate(self.sizes[gradient], "gradients")
            self.release(gradient)
