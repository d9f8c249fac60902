"""Results that the catalogue has, in memory: an evaluation is a look-up, and nothing is trained.

Results are of architectures, and isomorphic genotypes share one: a rank that is not catalogued itself is found by its
architecture's id, which takes some milliseconds and is remembered. Of several results of an architecture, such as
three seeds', a value is the mean. What is read is what the viewer saw at one moment, and has a digest: two searches
with the same digest were judged by the same numbers.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from statistics import fmean, stdev
from typing import Self

from sqlalchemy.orm import Session

from app.architecture import LoweringError, architecture_id
from app.catalogue import results
from app.catalogue.repositories.results import Result, ResultQuery
from app.experiment import CatalogueEvaluator, DiscreteSearchRequest, MeasuredEvaluation, RecipeAt
from app.space import SearchSpace
from app.space.skeleton.setting import identifying
from workers.evaluators.protocol import Reading
from workers.progress import Progress
from workers.strategies.discrete import Proposal

NOTHING = Reading(values=None, failure="the catalogue has no result of this architecture")


class ResultsChanged(ValueError):
    """The results that a search is judged by are not those that it began with."""


class NoResults(ValueError):
    """The catalogue has nothing to judge a search by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The results of one recipe."""

    by_id: Mapping[str, Reading]
    by_rank: Mapping[int, Reading]
    count: int  # results, of all architectures
    digest: str  # SHA-256 over architectures and their numbers

    @classmethod
    def of(cls, rows: Iterable[Result]) -> Self:
        """Of rows in the order of their architectures' ids."""
        by_id: dict[str, Reading] = {}
        by_rank: dict[int, Reading] = {}
        count, state = 0, hashlib.sha256()
        for id, same in groupby(rows, key=lambda row: row.architecture_id):
            found = list(same)
            written = sorted(json.dumps(row.metrics, sort_keys=True, separators=(",", ":")) for row in found)
            state.update(f"{id} {' '.join(written)}\n".encode())
            count += len(found)
            by_id[id] = by_rank[found[0].index] = _reading([json.loads(text) for text in written])
        return cls(by_id=by_id, by_rank=by_rank, count=count, digest=state.hexdigest())


class Table:
    """The results that a request is judged by; searches on them may share it."""

    def __init__(
        self, request: DiscreteSearchRequest, space: SearchSpace, recipes: Mapping[int | None, Results]
    ) -> None:
        """
        Args:
            request: whose skeleton and image the architectures have.
            space: the request's.
            recipes: results by fidelity, ascending; by None where there is one recipe.
        """
        self._request, self._space, self.recipes = request, space, recipes
        self._ids: dict[int, str | LoweringError] = {}
        self.highest = list(recipes)[-1]
        digests = json.dumps([[fidelity, found.digest] for fidelity, found in recipes.items()])
        (first, *others) = recipes.values()
        self.digest = hashlib.sha256(digests.encode()).hexdigest() if others else first.digest
        self.metrics = tuple(sorted({name for found in recipes.values() for name in _names(found)}))

    @classmethod
    def read(cls, request: DiscreteSearchRequest, space: SearchSpace, progress: Progress) -> Self:
        """What the catalogue has for a request. Raises NoResults."""
        asked = _evaluator(request)
        recipes: dict[int | None, Results] = {}
        for fidelity, recipe in _recipes(asked):
            query = _query(request, asked, recipe)
            recipes[fidelity] = found = progress.read(lambda session, query=query: _read(session, query))
            if not found.count:
                what = f"{asked.dataset} {asked.split} of {request.space.name}, {asked.evaluation}"
                raise NoResults(f"the catalogue has no results on {what} under {recipe.recipe_name}")
        return cls(request, space, recipes)

    def reading(self, rank: int, fidelity: int | None = None) -> Reading:
        """What the catalogue has of a member: at a fidelity, else at the highest there is."""
        at = self.highest if fidelity is None else fidelity
        found = self.recipes.get(at)
        if found is None:
            there = ", ".join(map(str, self.recipes)) if self.highest is not None else "none"
            return Reading(values=None, failure=f"no recipe stands for fidelity {at}; there are {there}")
        reading = found.by_rank.get(rank)
        if reading is not None or not found.by_id:
            return reading or NOTHING
        id = self._id(rank)
        if isinstance(id, LoweringError):
            return Reading(values=None, failure=f"it has no network: {id}")
        return found.by_id.get(id, NOTHING)

    def _id(self, rank: int) -> str | LoweringError:
        known = self._ids.get(rank)
        if known is None:
            request, space = self._request, self._space
            try:
                known = architecture_id(space, request.skeleton, request.image, space.plan.unrank(rank))
            except LoweringError as error:
                known = error
            self._ids[rank] = known
        return known


class Catalogue:
    """The evaluator of one search on a table."""

    expensive = False

    def __init__(self, request: DiscreteSearchRequest, table: Table) -> None:
        self._asked, self._table = _evaluator(request), table
        self.metrics = table.metrics

    def judged_by(self) -> Mapping[str, object]:
        """See `Evaluator`."""
        asked, table = self._asked, self._table
        return {
            "dataset": asked.dataset,
            "split": asked.split,
            "evaluation": asked.evaluation,
            "recipe": asked.recipe_name,
            "recipe_digest": asked.recipe_digest,
            "fidelities": [asdict(at) for at in asked.fidelities],
            "results": sum(found.count for found in table.recipes.values()),
            "results_digest": table.digest,
        }

    def provenance(self) -> Mapping[str, object]:
        """See `Evaluator`."""
        return {"device": "cpu", "torch_version": None}

    def measure(self, first: int, proposals: Sequence[Proposal]) -> Sequence[Reading]:
        """See `Evaluator`."""
        return [self._table.reading(one.rank, one.fidelity) for one in proposals]

    def evaluations(self) -> tuple[MeasuredEvaluation, ...]:
        """None: the catalogue has them."""
        return ()

    def gpu_hours(self) -> float:
        """None."""
        return 0.0

    def state(self) -> Mapping[str, object]:
        """See `Evaluator`."""
        return {"results_digest": self._table.digest}

    def restore(self, document: Mapping[str, object]) -> None:
        """See `Evaluator`. Raises ResultsChanged where other results were seen before."""
        before, now = document["results_digest"], self._table.digest
        if before != now:
            raise ResultsChanged(f"it was judged by results of digest {before}, those seen now have {now}")


def _evaluator(request: DiscreteSearchRequest) -> CatalogueEvaluator:
    assert isinstance(request.evaluator, CatalogueEvaluator), "chosen by its kind"
    return request.evaluator


def _recipes(asked: CatalogueEvaluator) -> Iterator[tuple[int | None, RecipeAt]]:
    """The recipe of each fidelity, ascending; of None where there is one."""
    if not asked.fidelities:
        yield None, RecipeAt(fidelity=0, recipe_name=asked.recipe_name, recipe_digest=asked.recipe_digest)
    for at in sorted(asked.fidelities, key=lambda at: at.fidelity):
        yield at.fidelity, at


def _query(request: DiscreteSearchRequest, asked: CatalogueEvaluator, recipe: RecipeAt) -> ResultQuery:
    return ResultQuery(
        viewer=asked.viewer,
        space_digest=request.space.digest,
        skeletons=(asdict(request.skeleton), identifying(request.skeleton)),
        image=asdict(request.image),
        dataset=asked.dataset,
        split=asked.split,
        kind=asked.evaluation,
        recipe_digest=recipe.recipe_digest,
        as_of=datetime.fromisoformat(asked.as_of),
    )


def _read(session: Session, query: ResultQuery) -> Results:
    return Results.of(results.every_result(session, query))


def _reading(found: Sequence[Mapping[str, float]]) -> Reading:
    """The mean of an architecture's results, by each metric that all of them have."""
    if len(found) == 1:
        return Reading(values=found[0])
    names = [name for name in found[0] if all(name in one for one in found)]
    return Reading(
        values={name: fmean(one[name] for one in found) for name in names},
        several=len(found),
        deviations={name: stdev(one[name] for one in found) for name in names},
    )


def _names(found: Results) -> set[str]:
    return {name for reading in found.by_rank.values() for name in reading.values or ()}
