"""What every discrete strategy is: it proposes members of a space and is told what was measured of them.

ask(n)      up to n proposals; fewer, finally none, where the space has nothing left to propose
tell(...)   what was measured, in any order: before or after further asks, less than was asked, or of members that
            were never asked (a warm start)
state()     a JSON document from which `restore` goes on with the very same proposals

A member's rank in its space's plan stands for it. Ranks may exceed what JSON numbers hold: documents have them as
decimal strings.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from app.space import SearchSpace

Goal = Literal["maximise", "minimise"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A named number that is measured of each member, and which way is better."""

    name: str
    goal: Goal = "maximise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is searched. A strategy with the same problem that is told the same proposes the same.

    feasible   a bound that is known without measuring, such as one on parameters: what it refuses is never proposed
    excess     by how much a member passes that bound, 0 where it keeps to it, infinite where that cannot be said:
               where members within the bound are too rare to be drawn, it leads to them
    repeats    whether a member may be proposed again
    """

    space: SearchSpace
    objectives: tuple[Objective, ...]
    seed: int
    feasible: Callable[[int], bool] | None = None
    excess: Callable[[int], float] | None = None
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Proposal:
    """A member to measure, by its rank."""

    rank: int
    fidelity: int | None = None  # of the evaluation, such as epochs, where the strategy decides it


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a proposal.

    values      one finite number for each objective, in their order; None where the evaluation failed
    violation   by how much bounds on measured numbers are exceeded, summed; 0 where they are kept to. Less is better
                than any value (Deb, 2000, doi:10.1016/S0045-7825(99)00389-8)
    """

    proposal: Proposal
    values: tuple[float, ...] | None
    violation: float = 0.0


class DiscreteStrategy(Protocol):
    """How the next members are chosen. Nothing else: measuring is the caller's."""

    def ask(self, n: int) -> tuple[Proposal, ...]:
        """Up to `n` valid and feasible members; Unmet where no feasible one was ever found."""
        ...

    def tell(self, measured: Iterable[Measured]) -> None:
        """Learn from measurements; OutOfRange or ValueError, and nothing is learnt, where one makes no sense."""
        ...

    def state(self) -> dict[str, Any]:
        """Everything that `restore` needs, the random generator included, as JSON."""
        ...

    def restore(self, document: Mapping[str, Any]) -> None:
        """The inverse of `state`, for the same problem and parameters.

        Raises ValueError, with the place and what was expected there, for anything else; then nothing has changed.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """What one should know about the search so far, in sentences; empty where all is as usual."""
        ...
