"""Axes: a dimension of a tensor as guarded segments.

    plain      one segment under TRUE
    elastic    nested prefixes: width, heads, expansion; the last stretch is there only for the largest
    rings      nested centred windows: an elastic kernel
    concat     guarded parts side by side

One type covers them, and says how the tensors of a sub-network lie in the supernet's (`kept`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from app.architecture.guard import FALSE, TRUE, Decided, Guard, all_of, any_of, given


@dataclass(frozen=True, slots=True)
class Axis:
    """Segments (extent, guard) in normal form: none empty or FALSE, neighbours with equal guards merged."""

    segments: tuple[tuple[int, Guard], ...]
    extent: int = field(init=False, repr=False, compare=False)  # the largest: every segment there

    def __post_init__(self) -> None:
        object.__setattr__(self, "extent", sum(n for n, _ in self.segments))

    @classmethod
    def of(cls, segments: Iterable[tuple[int, Guard]] | int) -> "Axis":
        """An axis in normal form; a number is a plain one."""
        if isinstance(segments, int):
            return cls(((segments, TRUE),) if segments else ())
        out: list[tuple[int, Guard]] = []
        for n, g in segments:
            if n and g is not FALSE:
                if out and out[-1][1] is g:
                    out[-1] = (out[-1][0] + n, g)
                else:
                    out.append((n, g))
        return cls(tuple(out))

    @classmethod
    def elastic(cls, cases: Sequence[tuple[Guard, int]]) -> "Axis":
        """Exclusive cases of an extent as nested prefixes."""
        ends = sorted({n for _, n in cases})
        guards = [TRUE if end == ends[0] else any_of(*(g for g, n in cases if n >= end)) for end in ends]
        return cls.of((end - start, g) for start, end, g in zip([0, *ends[:-1]], ends, guards, strict=True))

    @classmethod
    def rings(cls, cases: Sequence[tuple[Guard, int]]) -> "Axis":
        """Exclusive cases of a kernel's extent, all odd or all even, as nested centred windows."""
        first, *rest = cls.elastic(cases).segments
        outer = [(n // 2, g) for n, g in rest]
        return cls.of([*reversed(outer), first, *outer])

    def __len__(self) -> int:
        return self.extent

    @property
    def plain(self) -> bool:
        """Whether every segment is there for certain."""
        return all(g is TRUE for _, g in self.segments)

    def under(self, g: Guard) -> "Axis":
        """This axis where g holds, else nothing."""
        return self if g is TRUE else Axis.of((n, all_of(g, h)) for n, h in self.segments)

    def __add__(self, other: "Axis") -> "Axis":
        return Axis.of((*self.segments, *other.segments))

    def given(self, decided: Decided, memo: dict[int, Guard]) -> "Axis":
        """What remains once some decisions are made."""
        return self if self.plain else Axis.of((n, given(g, decided, memo)) for n, g in self.segments)

    def kept(self, decided: Decided, memo: dict[int, Guard]) -> list[int]:
        """The indices along this axis that survive the decisions."""
        out: list[int] = []
        start = 0
        for n, g in self.segments:
            if given(g, decided, memo) is not FALSE:
                out.extend(range(start, start + n))
            start += n
        return out
