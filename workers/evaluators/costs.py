"""What members cost, without measuring them: params, MACs and, from a device's lookup table, milliseconds.

Params and MACs are exact (`app.architecture.prices`). A latency is the table's factor times the sum over all that the
member's network computes.
"""

from collections.abc import Mapping
from dataclasses import asdict
from random import Random

from app.architecture import LoweringError, lower, price_of
from app.architecture.entries import entries
from app.experiment import DiscreteSearchRequest
from app.experiment.latency import Unmeasured, summed
from app.space import SearchSpace

REMEMBERED = 50_000  # members whose costs are kept
SAMPLE = {False: 1_000, True: 100}  # members of which the share within the bounds is told; fewer where each is lowered


class Costs:
    """The costs of a request's members; searches with the same space, skeleton, image and bounds may share them.

    Nothing but what it remembers ever changes.
    """

    def __init__(self, request: DiscreteSearchRequest, space: SearchSpace) -> None:
        self._request, self._space = request, space
        self._known: dict[int, Mapping[str, float] | LoweringError | Unmeasured] = {}
        within = asdict(request.bounds)
        bounds = {name.removeprefix("max_"): bound for name, bound in within.items() if bound is not None}
        self._bounds: Mapping[str, float] = bounds
        if "latency_ms" in bounds and request.latencies is None:
            raise ValueError(f"/bounds/max_latency_ms: {bounds['latency_ms']}, and /latencies says nothing of a device")

    @property
    def bounded(self) -> bool:
        """Whether anything is bounded."""
        return bool(self._bounds)

    def of(self, rank: int) -> Mapping[str, float]:
        """Params, MACs and, where latencies are known, milliseconds of a member.

        Raises LoweringError where it has no network, Unmeasured where the lookup table lacks what it computes.
        """
        found = self._known.get(rank)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            try:
                found = self._work_out(rank)
            except (LoweringError, Unmeasured) as error:
                found = error
            self._known[rank] = found
        if isinstance(found, LoweringError | Unmeasured):
            raise found
        return found

    def excess(self, rank: int) -> float:
        """By how much a member passes its bounds, each as a share of the bound, summed.

        Infinite where it has no network, or a latency that nobody can tell.
        """
        if not self._bounds:
            return 0.0
        try:
            costs = self.of(rank)
        except (LoweringError, Unmeasured):
            return float("inf")
        return sum(max(0.0, costs[name] - bound) / max(bound, 1e-9) for name, bound in self._bounds.items())

    def feasible(self, rank: int) -> bool:
        """Whether a member keeps to its bounds; one whose costs are not known keeps to none."""
        return self.excess(rank) == 0

    def share(self, seed: int = 0) -> tuple[int, int]:
        """How many of how many members, drawn uniformly from the grammar, keep to the bounds."""
        rng, size = Random(seed), self._space.plan.size
        drawn = SAMPLE[self._request.latencies is not None]
        return sum(self.feasible(rng.randrange(size)) for _ in range(drawn)), drawn

    def _work_out(self, rank: int) -> Mapping[str, float]:
        request, space = self._request, self._space
        price = price_of(space, request.skeleton, request.image, rank)
        found: dict[str, float] = {"params": price.params, "macs": price.macs}
        if request.latencies is not None:
            read = space.plan.read(space.plan.unrank(rank))
            graph = lower(space.grammar, request.skeleton, request.image, read)
            computed = {entry.key: times for entry, times in entries(graph).items()}
            found["latency_ms"] = request.latencies.factor * summed(computed, request.latencies.entries)
        return found
