"""What can be wrong with a space, a genotype or a question about them.

SpaceError (ValueError)
├── GrammarError      a grammar or document is malformed; `pointer` names the place in the document
├── InvalidGenotype   a genotype is not a member; `faults` has every fault at once
└── OutOfRange        an index outside [0, size)
"""

from collections.abc import Sequence
from dataclasses import dataclass

_TOLD = 20  # faults in the text of an exception; its `faults` has all


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a JSON value: where, what was there, what was allowed."""

    pointer: str  # JSON pointer (RFC 6901) into the value; "" is the whole
    message: str
    value: object = None  # what was found there; None where nothing was
    allowed: tuple[object, ...] = ()  # the values, names or lengths that were allowed, where they can be listed


class SpaceError(ValueError):
    """Base of every error of this package."""


class GrammarError(SpaceError):
    """A grammar or a space document is malformed; `faults` holds every reason, the first of them is the message."""

    def __init__(self, pointer: str, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(f"{pointer or '/'}: {message}")
        self.pointer = pointer
        self.message = message
        self.faults = tuple(faults) or (Fault(pointer, message),)


class InvalidGenotype(SpaceError):
    """A genotype is not a member of the space; `faults` holds every reason."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        told = [f"{f.pointer or '/'}: {f.message}" for f in faults[:_TOLD]]
        super().__init__("; ".join(told) + (f"; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else ""))
        self.faults = tuple(faults)


class OutOfRange(SpaceError):
    """An index is not in [0, size)."""

    def __init__(self, index: int, size: int) -> None:
        super().__init__(f"index {index} is not in [0, {size})")
        self.index = index
        self.size = size
