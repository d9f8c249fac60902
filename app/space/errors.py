"""What can be wrong with a space, a genotype or a question about them.

SpaceError (ValueError)
├── GrammarError      a grammar or document is malformed; `pointer` names the place in the document
├── InvalidGenotype   a genotype is not a member; `faults` has every fault at once
├── OutOfRange        an index outside [0, size)
├── Unreadable        an equivalence under which nothing is known of a space
└── Unmet             no member, or too few of them, meet the constraints
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


class NoOther(SpaceError):
    """There is no other member to go to."""


class Unreadable(SpaceError):
    """An equivalence that a space does not declare, or under which nothing is known of its structure."""

    def __init__(self, equivalence: str, allowed: Sequence[str]) -> None:
        among = f"; there are {', '.join(allowed)}" if allowed else "; it declares none that is read"
        super().__init__(f"the space is not read up to {equivalence!r}{among}")
        self.equivalence = equivalence
        self.allowed = tuple(allowed)


class Unmet(SpaceError):
    """No member was found that meets the constraints of its space."""

    def __init__(self, tried: int, found: int = 0) -> None:
        after = f"{found} of {tried} members that were drawn do" if tried else "no member does"
        super().__init__(f"too few members meet the constraints to draw more: {after}" if tried else after)
        self.tried = tried
        self.found = found
