"""Latency from a lookup table: the sum over what an architecture computes, and how wrong such sums have been.

What is measured alone runs from a warm cache and without its neighbours, so sums are off by a factor that a device
has in common for all architectures: the median ratio of measured to summed latency over the architectures that were
measured whole. The error is that of leaving each of these out in turn.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, median

Entries = Mapping[str, int]  # how often an architecture computes the thing of this key
Table = Mapping[str, float]  # milliseconds of one computation


@dataclass(frozen=True, slots=True)
class WholeLatency:
    """An architecture that was measured as a whole."""

    entries: Entries
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionError:
    """How far predictions were from measured architectures."""

    mape_percent: float  # mean absolute percentage error
    architectures: int
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A latency that was not measured."""

    ms: float  # sum_ms times factor
    sum_ms: float
    factor: float
    error: PredictionError | None  # None where no architecture was measured that the table covers


class Unmeasured(LookupError):
    """The table lacks something that the architecture computes."""

    def __init__(self, keys: Sequence[str]) -> None:
        super().__init__(f"{len(keys)} of its computations were never measured: {'; '.join(keys)}")
        self.keys = tuple(keys)


def predict(entries: Entries, table: Table, measured: Sequence[WholeLatency]) -> Prediction:
    """The latency of an architecture. Raises Unmeasured.

    Measured architectures that the table does not cover tell nothing of its sums and are passed over.
    """
    total = summed(entries, table)
    known = [(whole.ms, summed(whole.entries, table)) for whole in measured if covers(table, whole.entries)]
    factor = scale(known) if len(known) > 1 else 1.0
    return Prediction(ms=factor * total, sum_ms=total, factor=factor, error=error_of(known))


def summed(entries: Entries, table: Table) -> float:
    """Milliseconds of everything, one after the other. Raises Unmeasured."""
    missing = [key for key in entries if key not in table]
    if missing:
        raise Unmeasured(missing)
    return sum(table[key] * n for key, n in entries.items())


def covers(table: Table, entries: Entries) -> bool:
    """Whether everything that an architecture computes was measured, and anything is."""
    return bool(entries) and all(key in table for key in entries)


def scale(known: Sequence[tuple[float, float]]) -> float:
    """The median of measured over summed latency."""
    return median(ms / total for ms, total in known)


def error_of(known: Sequence[tuple[float, float]]) -> PredictionError | None:
    """The error of predictions of architectures whose (measured, summed) latency is known."""
    if not known:
        return None
    if len(known) == 1:
        errors = [abs(total - ms) / ms for ms, total in known]
        method = "the sum itself against the one architecture that was measured"
    else:
        rests = [(*known[:i], *known[i + 1 :]) for i in range(len(known))]
        errors = [abs(scale(rest) * total - ms) / ms for rest, (ms, total) in zip(rests, known, strict=True)]
        method = "each measured architecture predicted with the factor of the others"
    return PredictionError(mape_percent=100 * mean(errors), architectures=len(known), method=method)
