"""What guards weigh in one forward pass of a network."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from app.architecture import TRUE, Guard
from app.space.algebra import Path

Entry = Tensor | float
Weights = Mapping[Path, Tensor | Sequence[Entry]]


@dataclass(slots=True)
class Scales:
    """What the guards weigh in one forward pass."""

    values: list[Entry]  # one a guard
    vectors: dict[Path, Tensor] = field(default_factory=dict)  # weights that want a gradient, as given


def simple(guard: Guard) -> tuple[Path, int] | None:
    """(path, option) of a guard that holds exactly where that option is taken."""
    q = guard.question
    if q is None:
        return None
    taken = [i for i, t in enumerate(guard.then) if t is TRUE]
    if len(taken) != 1 or any(t.question is not None for t in guard.then):
        return None
    if q.member is None:
        return q.path, taken[0]
    return (q.path, q.member) if taken == [0] else None
