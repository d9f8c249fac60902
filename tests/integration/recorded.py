"""Searches with their records, for tests of what is told of them: a table of results, and jobs that are run here."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from typing import Any
from uuid import UUID, uuid4

from app.architecture import architecture_id, price_of
from app.catalogue import Database
from app.catalogue.repositories.benchmarks import keep
from app.catalogue.repositories.cohorts import moment
from app.experiment import (
    CatalogueEvaluator,
    DiscreteSearchRequest,
    ReadTable,
    SoughtMetric,
    SpaceVersion,
    TableReport,
    TableRequest,
)
from app.experiment.table import PublishedRecipe, PublishedTable, TableRow
from app.jobs import claim, submit
from app.settings import Settings
from app.space import space_to_json
from app.space.zoo import ZOO
from workers.fenced import Stop
from workers.run import run

SPACE = ZOO["nasbench201"]
VERSION = SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest)
DOCUMENT = space_to_json(SPACE)
RECIPE = PublishedRecipe(name="theirs", source="a paper")


@cache
def identified(skeleton: str, rank: int) -> tuple[str, int, int]:
    """The id, params and MACs of a member."""
    chosen = SPACE.skeletons[skeleton]
    price = price_of(SPACE, chosen, SPACE.input, rank)
    id = architecture_id(SPACE, chosen, SPACE.input, SPACE.plan.unrank(rank))
    return id, price.params, price.macs


def table(
    database: Database,
    results: Mapping[int, Mapping[str, float]],
    *,
    dataset: str = "cifar10",
    split: Any = "selection",
    recipe: PublishedRecipe = RECIPE,
    skeleton: str = "cifar",
    seed: int = 0,
    owner: str = "local",
    visibility: Any = "public",
    sha256: str = "5" * 64,
) -> UUID:
    """Import a table of these results by rank, which are of so many architectures."""
    request = TableRequest(
        table=PublishedTable(file="t.csv", source="a paper", licence="MIT", sha256=sha256),
        space=VERSION,
        document=DOCUMENT,
        skeleton=skeleton,
        format="nasbench201",
        genotype="arch",
        metrics={"accuracy": "acc"},
        dataset=dataset,
        split=split,
        recipe=recipe,
        seed=seed,
    )
    rows = dict[str, TableRow]()
    for number, (rank, metrics) in enumerate(results.items(), 1):
        id, params, macs = identified(skeleton, rank)
        row = TableRow(
            number=number,
            architecture=id,
            first=True,
            index=rank,
            params=params,
            macs=macs,
            series=(seed, 0),
            metrics=metrics,
        )
        assert rows.setdefault(id, row) is row, "isomorphic to one before"
    report = TableReport(
        rows=len(rows),
        sound=len(rows),
        repeated=0,
        refused=0,
        architectures=len(rows),
        series=((seed, 0),),
        refusals=(),
    )
    read = ReadTable(request=request, report=report, rows=lambda: iter(rows.values()))
    with database.transaction() as session:
        return keep(session, read, owner=owner, visibility=visibility).jobs[0]


def search(database: Database, **changes: Any) -> DiscreteSearchRequest:
    """A search on that table, for whoever is local."""
    with database.transaction() as session:
        now = moment(session)
    split = changes.pop("split", "selection")
    evaluator = CatalogueEvaluator(
        dataset="cifar10",
        split=split,
        recipe_name=RECIPE.name,
        recipe_digest=RECIPE.digest,
        viewer="local",
        as_of=now.isoformat(),
    )
    given: dict[str, Any] = {
        "space": VERSION,
        "document": DOCUMENT,
        "strategy": "random",
        "parameters": {},
        "objectives": (SoughtMetric(metric="accuracy"),),
        "evaluator": evaluator,
        "budget": 12,
        "skeleton": SPACE.skeletons["cifar"],
        "image": SPACE.input,
        "device": "cpu",
    }
    return DiscreteSearchRequest(**given | changes)


def submitted(database: Database, request: Any, kind: str = "discrete_search", visibility: Any = "private") -> str:
    """The id of a job that waits."""
    with database.transaction() as session:
        fields = asdict(request)
        job = submit(session, kind=kind, request=fields, owner="local", queue="cpu", visibility=visibility).job
    return str(job.id)


def run_next(settings: Settings, database: Database, id: str) -> None:
    """Run the job that waits, as a worker does."""
    with database.transaction() as session:
        taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
    assert taken is not None
    assert str(taken.job.id) == id
    assert run(settings, database, taken.lease, Stop()) == 0
