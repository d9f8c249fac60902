"""Bounds on what members of a search may cost: latencies from a device's table, and bounds that no member keeps to."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from app.api.draws import valid_judge
from app.api.fairness import Opened, needed_entries
from app.api.latencies import filling_all, known_entries, not_measured, table_of
from app.api.pressures import Inference
from app.api.problems import relocated, unprocessable
from app.api.services import Services
from app.architecture import LoweringError, judge_of, lower, price_of
from app.architecture.entries import entries
from app.architecture.prices import least_prices, priced_quickly
from app.catalogue import profiles
from app.experiment import Bounds, Latencies
from app.experiment.latency import Unmeasured, WholeLatency, covers, scale, summed
from app.space import ImageInput, SearchSpace, Skeleton
from app.space.errors import Unmet
from app.space.validity import valid_ranks

DRAWN = 200  # members, before it is asked whether bounds can be kept to at all
ALL = 20_000  # members of a space that are all looked at
AROUND = 500  # neighbours of a member that are looked at
STARTS = 5  # members from which cheaper ones are looked for
SECONDS = 5.0  # for all of that
FEWEST = 2  # architectures measured whole that tell by how much sums are off


@dataclass(frozen=True, slots=True)
class Place:
    """Where members stand, and the table that tells how long they take there."""

    space: SearchSpace
    skeleton: Skeleton
    image: ImageInput
    latencies: Latencies | None = None


def latencies_on(services: Services, here: Place, device: str) -> Latencies:
    """The device's latency of all that members may compute.

    422 where the device has no table or decisions hang together too much, 409 where the table lacks something.
    """
    with relocated("/device", "/latency_device"):
        table = table_of(services, device, Inference())
    known = known_entries(services, table)
    with relocated("", "/latency_device"):
        needed = needed_entries(Opened(here.space, here.space.digest, here.skeleton, here.image))
    missing = [entry.key for entry in needed if entry.key not in known]
    if missing:
        body = filling_all(here.space, here.skeleton, here.image, Inference(), table)
        raise not_measured(Unmeasured(missing), table.device, body, "/latency_device")
    with services.database.transaction() as session:
        whole = profiles.whole_latencies(session, table, viewer=services.caller.owner)
    measured = [WholeLatency(computed, ms) for computed, ms in whole if covers(known, computed)]
    ratios = [(one.ms, summed(one.entries, known)) for one in measured]
    return Latencies(
        device=table.device,
        entries={entry.key: known[entry.key] for entry in needed},
        factor=scale(ratios) if len(ratios) >= FEWEST else 1.0,
    )


def attainable(here: Place, bounds: Bounds) -> None:
    """Refuse bounds that no member keeps to, as far as can be told in some seconds: with the least that there is.

    That is exact where the space has few members or its price list falls apart; otherwise it is what a sample and a
    descent from the best of it have found.
    """
    limits = limits_of(bounds)
    if limits:
        Trial(here, limits).run()


def limits_of(bounds: Bounds) -> dict[str, float]:
    """The limit of each cost that is bounded."""
    every = {"params": bounds.max_params, "macs": bounds.max_macs, "latency_ms": bounds.max_latency_ms}
    return {name: limit for name, limit in every.items() if limit is not None}


class Trial:
    """Looks for a member within limits, and remembers the least of each cost that it has met."""

    def __init__(self, here: Place, limits: dict[str, float]) -> None:
        self._here, self._limits = here, limits
        self._valid = valid_judge(here.space)
        self._least = dict.fromkeys(limits, float("inf"))
        self._seen: dict[int, float] = {}  # by rank: by how much it exceeds
        self._end = time.monotonic() + SECONDS

    def run(self) -> None:
        """Raises a Problem where no member was found."""
        if any(self._excess(rank) == 0 for rank in self._some()):
            return
        here, space = self._here, self._here.space
        quick = here.latencies is None and priced_quickly(space, here.skeleton, here.image)
        if space.plan.size <= ALL and quick:
            if not any(self._excess(rank) == 0 for rank in filter(self._valid, range(space.plan.size))):
                raise self._refusal(exact=True)
            return
        floors = least_prices(space, here.skeleton, here.image)
        for name, least in zip(("params", "macs"), floors or (), strict=False):
            if self._limits.get(name, least) < least:
                assert floors is not None
                said = f"members of {space.name} have " + ("at least" if floors[2] else "more than")
                message = f"{said} {least} {name} on this skeleton"
                raise unprocessable(f"/max_{name}", message, self._limits[name], (f"at least {least}",))
        if not self._descends():
            raise self._refusal(exact=False)

    def _some(self) -> Iterator[int]:
        """Random valid members, as many as time allows."""
        try:
            ranks, _ = valid_ranks(self._here.space, Random(0), DRAWN, judge_of(self._here.space))
        except Unmet:
            return
        for rank in ranks:
            if self._seen and time.monotonic() > self._end:
                return
            yield rank

    def _descends(self) -> bool:
        """Whether a member within the limits is met on the way down from the best that were seen."""
        for start in sorted(self._seen, key=self._seen.__getitem__)[:STARTS]:
            rank: int | None = start
            while rank is not None:
                rank, before = self._next(rank), rank
                if rank is not None and self._seen[rank] == 0:
                    return True
                if rank is not None and self._seen[rank] >= self._seen[before]:
                    break
        return False

    def _next(self, rank: int) -> int | None:
        """The best neighbour that is looked at; None where there is no time, or none."""
        near = [r for r in islice(self._here.space.plan.neighbour_indices(rank), AROUND) if self._valid(r)]
        looked: list[int] = []
        for neighbour in near:
            if time.monotonic() > self._end:
                break
            looked.append(neighbour)
            if self._excess(neighbour) == 0:
                return neighbour
        return min(looked, key=self._seen.__getitem__, default=None)

    def _excess(self, rank: int) -> float:
        """By how much a member exceeds the limits, as shares of them, summed; infinite where it has no network."""
        if rank not in self._seen:
            try:
                costs = costs_of(self._here, rank, self._limits)
            except LoweringError:
                self._seen[rank] = float("inf")
                return float("inf")
            for name, cost in costs.items():
                self._least[name] = min(self._least[name], cost)
            self._seen[rank] = sum(max(0.0, costs[n] - limit) / max(limit, 1e-9) for n, limit in self._limits.items())
        return self._seen[rank]

    def _refusal(self, *, exact: bool) -> Exception:
        """What is said where nothing was found."""
        over = [name for name, limit in self._limits.items() if self._least[name] > limit]
        place = (over or list(self._limits))[0]
        limit, least, name = self._limits[place], self._least[place], self._here.space.name
        shown = f"{least:.15g}"
        if not over:
            bounds = " and ".join(f"max_{n} {limit:.15g}" for n, limit in self._limits.items())
            found = "no member" if exact else f"none of {len(self._seen)} members looked at"
            return unprocessable(f"/max_{place}", f"{found} of {name} keeps to {bounds} at once", limit)
        if exact:
            message = f"members of {name} have at least {shown} {place} on this skeleton"
        else:
            message = (
                f"no such member of {name} was found: {shown} {place} is the least on this skeleton of "
                f"{len(self._seen)} members, a sample and what lies next to the best of it"
            )
        return unprocessable(f"/max_{place}", message, limit, (f"at least {shown}",))


def costs_of(here: Place, rank: int, wanted: dict[str, float]) -> dict[str, float]:
    """The costs of a member that are wanted. Raises LoweringError where it has no network."""
    found: dict[str, float] = {}
    if "params" in wanted or "macs" in wanted:
        price = price_of(here.space, here.skeleton, here.image, rank)
        found = {"params": price.params, "macs": price.macs}
    if "latency_ms" in wanted and here.latencies is not None:
        genotype = here.space.plan.unrank(rank)
        graph = lower(here.space.grammar, here.skeleton, here.image, here.space.plan.read(genotype))
        counted = {entry.key: n for entry, n in entries(graph).items()}
        found["latency_ms"] = here.latencies.factor * summed(counted, here.latencies.entries)
    return {name: cost for name, cost in found.items() if name in wanted}
