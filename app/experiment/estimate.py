"""Estimates: from what was measured to what the next job would take, with a band.

A line is fitted to logarithms, seconds of a step over its work or bytes over their extent: log y = a + b log x. The
band covers a new measurement with probability 0.8. It comes from how far each point lies from the line through the
others, divided by what chance alone adds at its place, sqrt(1 + h), h its leverage; of nine points or more the ranks of
these residuals are taken, as in split conformal prediction (Vovk et al., 2005), else a t-distribution is assumed.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.experiment.pace import Load, Pace

LEVEL = 0.8
SPREAD = math.log(2)  # of the abscissae; with less no slope can be told
STEEPEST = 1.5
RANKED = 9  # points at least for ranks: with fewer, no rank bounds one in ten
ASSUMED = math.log(4)  # half the band of a single point: an assumption, said to be one
SLANT = 0.3  # error assumed of a slope that nothing was fitted for
BEYOND = 0.2  # error assumed of a fitted slope outside what was measured: small jobs are bound by other things
STRANGE = math.log(3)  # more for points of another kind of step, whose passes are counted and not measured
# 90 % quantiles of Student's t with 1, 2, ... degrees of freedom; Abramowitz & Stegun (1964), table 26.10.
STUDENT = (3.078, 1.886, 1.638, 1.533, 1.476, 1.440, 1.415, 1.397)

Point = tuple[float, float]  # x, y, both positive


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A predicted number."""

    expected: float
    low: float
    high: float

    def times(self, factor: float) -> "Band":
        """So many of it, errors going together."""
        return Band(expected=self.expected * factor, low=self.low * factor, high=self.high * factor)

    def plus(self, other: "Band") -> "Band":
        """Both, errors going together."""
        return Band(expected=self.expected + other.expected, low=self.low + other.low, high=self.high + other.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A predicted number and where it comes from."""

    band: Band
    points: int
    device: str
    alike: bool  # whether all points are of the same kind of step
    nearest: float  # x of the nearest point, as a share of the one asked for
    level: float | None  # the chance that the band holds; None: it is assumed


@dataclass(frozen=True, slots=True)
class Line:
    """log y = mean_y + slope (log x - mean_x)."""

    mean_x: float
    mean_y: float
    slope: float
    spread: float  # sum of squares of log x about its mean; 0 where the slope was not fitted
    points: int

    def at(self, x: float) -> float:
        """log y at log x."""
        return self.mean_y + self.slope * (x - self.mean_x)

    def leverage(self, x: float) -> float:
        """Variance of the line at log x in units of a point's."""
        return 1 / self.points + ((x - self.mean_x) ** 2 / self.spread if self.spread else 0.0)


def fitted(points: Sequence[Point]) -> Line:
    """Least squares through logarithms; of slope 1 where there is too little to tell one from."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    n, mean_x, mean_y = len(points), math.fsum(xs) / len(xs), math.fsum(ys) / len(ys)
    if n < 3 or max(xs) - min(xs) < SPREAD:
        return Line(mean_x, mean_y, 1.0, 0.0, n)
    spread = math.fsum((x - mean_x) ** 2 for x in xs)
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    return Line(mean_x, mean_y, min(max(slope, 0.0), STEEPEST), spread, n)


def predicted(points: Sequence[Point], x: float, *, strange: bool = False) -> tuple[Band, float | None]:
    """The number at `x` with its band, and the band's level; None where it rests on an assumption.

    Args:
        points: at least one.
        x: positive.
        strange: whether they are of another kind, so that the band is wider.
    """
    logs = [(math.log(a), math.log(b)) for a, b in points]
    line, at = fitted(logs), math.log(x)
    below, above = _errors(logs, line)
    scale = math.sqrt(1 + line.leverage(at))
    least, most = min(p[0] for p in logs), max(p[0] for p in logs)
    if line.spread:
        doubt = BEYOND * max(0.0, least - at, at - most)
    else:
        doubt = SLANT * abs(at - line.mean_x)
    doubt += STRANGE if strange else 0.0
    middle = line.at(at)
    band = Band(
        expected=math.exp(middle),
        low=math.exp(middle - below * scale - doubt),
        high=math.exp(middle + above * scale + doubt),
    )
    return band, LEVEL if len(points) > 1 and not doubt else None


def _errors(logs: Sequence[Point], line: Line) -> tuple[float, float]:
    """How far below and above the line a point lies at most with probability 0.8, without what the line adds."""
    n = len(logs)
    if n == 1:
        return ASSUMED, ASSUMED
    residuals: list[float] = []
    for i, (x, y) in enumerate(logs):
        others = fitted([*logs[:i], *logs[i + 1 :]])
        residuals.append((y - others.at(x)) / math.sqrt(1 + others.leverage(x)))
    if n >= RANKED:
        residuals.sort()
        rank = math.ceil((n + 1) * (1 + LEVEL) / 2)
        return max(0.0, -residuals[n - rank]), max(0.0, residuals[rank - 1])
    freedom = n - (2 if line.spread else 1)
    half = STUDENT[freedom - 1] * math.sqrt(math.fsum(r * r for r in residuals) / n)
    return half, half


def seconds_per_step(paces: Sequence[Pace], load: Load, device: str) -> Estimate | None:
    """Seconds of one step on a device; None where nothing was measured on it."""
    return _estimate(
        [(p, p.seconds_per_step) for p in paces if p.device == device and p.seconds > 0],
        load,
        lambda each: each.work,
    )


def peak_bytes(paces: Sequence[Pace], load: Load, device: str) -> Estimate | None:
    """Bytes that a step holds at its largest moment; None where nothing of this kind was measured on the device."""
    if not load.extent:
        return None
    known = [(p, float(p.peak_memory_bytes)) for p in paces if p.device == device and p.peak_memory_bytes]
    return _estimate([k for k in known if k[0].load.like(load)], load, lambda each: float(each.extent or 0))


def _estimate(known: Sequence[tuple[Pace, float]], load: Load, size: Callable[[Load], float]) -> Estimate | None:
    """Of the points of the same kind of step, else of all."""
    sized = [(p, y) for p, y in known if size(p.load) > 0 and y > 0]
    alike = [(p, y) for p, y in sized if p.load.like(load)]
    chosen = alike or sized
    if not chosen or size(load) <= 0:
        return None
    points = [(size(p.load), y) for p, y in chosen]
    band, level = predicted(points, size(load), strange=not alike)
    shares = [x / size(load) for x, _ in points]
    return Estimate(
        band=band,
        points=len(points),
        device=chosen[0][0].device,
        alike=bool(alike),
        nearest=min(shares, key=lambda share: abs(math.log(share))),
        level=level,
    )
