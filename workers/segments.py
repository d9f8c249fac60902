"""Segments: a network's program cut where little is alive; only what crosses a cut is kept for the backward pass.

    most held = what is alive at the cuts + what the largest segment makes

in elements an image, as the graph tells. The cuts are those, of evenly spread ones, for which that is least.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor
from torch.nn.modules.batchnorm import _BatchNorm

from workers.recomputation import recomputed
from workers.scales import Scales

NUMBERS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32)  # of segments that are tried

Values = list[Any]  # a tensor a slot, None where it was not computed or is no longer needed
Call = Callable[..., Tensor]
Program = Sequence[tuple[int, int, Call, tuple[int, ...]]]  # slot, source, function, slots to forget afterwards


def run(program: Program, values: Values, scales: Scales) -> None:
    """Compute a program's values in place; those that nothing reads any more are forgotten."""
    for slot, source, call, done in program:
        values[slot] = call(values[source]) if source >= 0 else call(values, scales)
        for used in done:
            values[used] = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a program, with the slots that are alive before and after it."""

    program: Program
    before: tuple[int, ...]
    after: tuple[int, ...]

    def of(self, slots: int, scales: Scales) -> Callable[..., tuple[Tensor, ...]]:
        """It as a function of the values before it, which answers those after it."""

        def compute(*given: Tensor) -> tuple[Tensor, ...]:
            inside: Values = [None] * slots
            for slot, value in zip(self.before, given, strict=True):
                inside[slot] = value
            run(self.program, inside, scales)
            return tuple([inside[slot] for slot in self.after])

        return compute


@dataclass(frozen=True, slots=True)
class Segments:
    """A program in segments, and what it normalises by."""

    parts: tuple[Segment, ...]
    norms: tuple[_BatchNorm, ...]

    def run(self, values: Values, scales: Scales, generator: torch.Generator | None) -> None:
        """As `run`; all but the last segment are computed once more in the backward pass.

        `generator` is what the program draws from.
        """
        slots = len(values)
        for part in self.parts[:-1]:
            given = [values[slot] for slot in part.before]
            found = recomputed(part.of(slots, scales), *given, norms=self.norms, generator=generator)
            values[:] = [None] * slots
            for slot, value in zip(part.after, found, strict=True):
                values[slot] = value
        run(self.parts[-1].program, values, scales)


def segments(
    program: Program, inputs: Sequence[int], size: Callable[[int], int], norms: tuple[_BatchNorm, ...]
) -> Segments:
    """Cut a program. `inputs` are the slots filled before it; `size`: elements of a slot's value, of one image."""
    alive = [tuple(inputs)]  # before each step, and at the end
    for slot, _, _, done in program:
        alive.append(tuple(s for s in (*alive[-1], slot) if s not in done))
    weights = [sum(size(slot) for slot in slots) for slots in alive]
    made = list(accumulate((size(slot) for slot, *_ in program), initial=0))
    low = [i for i in range(1, len(program)) if weights[i - 1] >= weights[i] <= weights[i + 1]]
    least, chosen = made[-1], (0, len(program))
    for number in NUMBERS:
        bounds = (0, *_cuts(number, made, weights, low), len(program))
        held = sum(weights[i] for i in bounds[1:-1]) + max(made[stop] - made[start] for start, stop in pairwise(bounds))
        if held < least:
            least, chosen = held, bounds
    return Segments(
        tuple(Segment(program[start:stop], alive[start], alive[stop]) for start, stop in pairwise(chosen)), norms
    )


def _cuts(number: int, made: Sequence[int], weights: Sequence[int], low: Sequence[int]) -> list[int]:
    """The places of `low` around each of evenly spread ones at which least is alive, in order."""
    step = made[-1] / number
    found: list[int] = []
    for place in range(1, number):
        near = [i for i in low if abs(made[i] - place * step) <= step / 2]
        if near:
            best = min(near, key=lambda i: weights[i])
            found += [best] if not found or best > found[-1] else []
    return found
