"""BANANAS (White, Neiswanger and Savani, 2021, arXiv:1910.11858): Bayesian optimisation with a neural predictor.

The first `initial` members are random. Then an ensemble of `networks` learns from what was told, and of `candidates`
mutants of the best members the `chosen` that are best by independent Thompson sampling are proposed: each candidate's
worth is drawn from a normal distribution of the ensemble's mean and deviation. The next time the ensemble learns anew,
where what was told has grown by a share of GROWN: always up to some 200 evaluations, and seldom after thousands.

As in the paper: path encoding (`features.py`), the acquisition, candidates by mutation. Otherwise than there: what the
networks learn is the normal score of a member's rank among the measured ones, so that units, signs and outliers of an
objective do not matter, and the networks are small (`predictor.py`).
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from app.space import NoOther
from workers.strategies.discrete.archive import Archive, Fitness, single, told
from workers.strategies.discrete.document import written
from workers.strategies.discrete.features import Columns, Features
from workers.strategies.discrete.predictor import Ensemble, Floats
from workers.strategies.discrete.protocol import Measured, Problem, Proposal

PARENTS = 10  # best members of which candidates are mutants
LEARNT = 2_000  # measured members at most that an ensemble learns from: the best half and the latest half
GROWN = 0.05
WALK = 5  # decisions that a candidate is away from one of them, at most


class Bananas:
    """Everything that was told, and what the last ensemble chose and is still to be proposed."""

    def __init__(
        self, problem: Problem, *, initial: int = 10, networks: int = 5, candidates: int = 100, chosen: int = 10
    ) -> None:
        single(problem, "bananas")
        if initial < 2 or networks < 2 or not 1 <= chosen <= candidates:
            raise ValueError(
                f"initial {initial}, networks {networks}, candidates {candidates}, chosen {chosen}: expected initial "
                "and networks of at least 2, and 1 <= chosen <= candidates"
            )
        self._archive = Archive(
            problem, "bananas", initial=initial, networks=networks, candidates=candidates, chosen=chosen
        )
        self._initial, self._networks, self._candidates, self._chosen = initial, networks, candidates, chosen
        self._features = Features(problem.space)
        self._told: list[tuple[int, Fitness]] = []
        self._queue: list[int] = []  # the next one last
        self._learnt = 0  # the ensemble is of so many of those told, the first ones
        self._ensemble: tuple[Columns, Ensemble] | None = None  # None before it is asked for

    def ask(self, n: int) -> tuple[Proposal, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.proposals(n, self._next)

    def tell(self, measured: Iterable[Measured]) -> None:
        """See `DiscreteStrategy`."""
        for one in self._archive.learn(measured):
            fitness = self._archive.fitness(one)
            if fitness is not None:
                self._told.append((one.proposal.rank, fitness))

    def state(self) -> dict[str, Any]:
        """See `DiscreteStrategy`; no weights, as the same data and seed give the same networks."""
        return self._archive.state(
            told=[[str(rank), list(fitness)] for rank, fitness in self._told],
            queue=written(self._queue),
            learnt=self._learnt,
        )

    def restore(self, document: Mapping[str, Any]) -> None:
        """See `DiscreteStrategy`."""
        found, size = self._archive.opened(document), self._archive.space.plan.size
        members = [told(member, size) for member in found.field("told").items()]
        queue = found.field("queue").ranks(size)
        learnt = found.field("learnt").whole(most=len(members))
        self._archive.restore(found)
        self._told, self._queue, self._learnt, self._ensemble = members, queue, learnt, None

    def notes(self) -> tuple[str, ...]:
        """See `DiscreteStrategy`."""
        return self._archive.notes()

    def _next(self) -> int | None:
        if self._archive.met < self._initial or len(self._told) < 2:
            return self._archive.fresh()
        if not self._queue:
            self._queue = self._best()
        while self._queue:
            if (rank := self._archive.listed(self._queue.pop())) is not None:
                return rank
        return self._archive.fresh()

    def _best(self) -> list[int]:
        """The chosen of the candidates, the best last; empty where no mutant is left."""
        candidates = self._mutants()
        if not candidates:
            return []
        columns, ensemble = self._learn()
        worths = ensemble.predict(columns.matrix([self._features.of(rank) for rank in candidates]))
        drawn = zip(worths.mean(0).tolist(), worths.std(0, ddof=1).tolist(), strict=True)
        sampled = [self._archive.rng.gauss(mean, deviation) for mean, deviation in drawn]
        order = sorted(range(len(candidates)), key=sampled.__getitem__)
        return [candidates[i] for i in order[-self._chosen :]]

    def _mutants(self) -> list[int]:
        """Different mutants of the best, of those that may be proposed.

        What is met already is changed in one more decision, so that the candidates do not run out around the best.
        """
        parents = sorted(self._told, key=lambda member: member[1], reverse=True)[:PARENTS]
        found: dict[int, None] = {}
        for _ in range(self._candidates):
            rank, _ = self._archive.rng.choice(parents)
            for _ in range(WALK):
                try:
                    rank = self._archive.mutant(rank)
                except NoOther:
                    return []
                if rank not in found and self._archive.open(rank):
                    found[rank] = None
                    break
        return list(found)

    def _learn(self) -> tuple[Columns, Ensemble]:
        """What was learnt of what was told."""
        if len(self._told) >= (1 + GROWN) * self._learnt:
            self._learnt, self._ensemble = len(self._told), None
        if self._ensemble is None:
            members = self._told[: self._learnt]
            if len(members) > LEARNT:
                half = LEARNT // 2
                earlier = sorted(members[:-half], key=lambda member: member[1], reverse=True)
                members = [*earlier[:half], *members[-half:]]
            features = [self._features.of(rank) for rank, _ in members]
            columns = Columns(features)
            ensemble = Ensemble(columns.count, self._networks, (self._archive.problem.seed % 2**64, self._learnt))
            ensemble.fit(columns.matrix(features), normal_scores([fitness for _, fitness in members]))
            self._ensemble = columns, ensemble
        return self._ensemble


def normal_scores(fitness: Sequence[Fitness]) -> Floats:
    """(N,): for each of N its quantile of the standard normal distribution, by its rank; equals have the same."""
    ordered = sorted(fitness)
    places = [(bisect_left(ordered, one) + bisect_right(ordered, one)) / 2 for one in fitness]
    return np.array([NormalDist().inv_cdf(place / len(ordered)) for place in places], np.float32)
