"""Random search: members uniform over the space (Li and Talwalkar, 2019, arXiv:1902.07638)."""

from collections.abc import Iterable, Mapping
from typing import Any

from workers.strategies.discrete.archive import Archive
from workers.strategies.discrete.protocol import Measured, Problem, Proposal


class RandomSearch:
    """Every member as likely as any other; what was told does not matter."""

    def __init__(self, problem: Problem) -> None:
        self._archive = Archive(problem, "random")

    def ask(self, n: int) -> tuple[Proposal, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.proposals(n, self._archive.fresh)

    def tell(self, measured: Iterable[Measured]) -> None:
        """See `DiscreteStrategy`."""
        self._archive.learn(measured)

    def state(self) -> dict[str, Any]:
        """See `DiscreteStrategy`."""
        return self._archive.state()

    def restore(self, document: Mapping[str, Any]) -> None:
        """See `DiscreteStrategy`."""
        self._archive.restore(self._archive.opened(document))

    def notes(self) -> tuple[str, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.notes()
