"""Searches on results of a real catalogue: which of them are seen, what they amount to, and jobs that end and go on."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from statistics import fmean, stdev
from subprocess import run as run_process
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.architecture import architecture_id, price_of
from app.catalogue import Database, Job, events, jobs
from app.experiment import Bounds, DiscreteSearchRequest, RecipeAt
from app.experiment.table import PublishedRecipe
from app.jobs import claim
from app.settings import Settings
from app.space.skeleton.setting import identifying
from tests.integration import recorded
from tests.integration.recorded import RECIPE, SPACE, run_next, search, submitted, table
from workers.evaluators.catalogue import Catalogue, NoResults, ResultsChanged, Table
from workers.fenced import Stop
from workers.progress import StopReason
from workers.run import run
from workers.strategies.discrete import Proposal

T = TypeVar("T")
RANKS = tuple(range(7000, 7400, 4))  # no two of them are isomorphic
# One network: node 1 is the input, so an edge from it is an edge from the input.
SKIP, CONV, NONE = "skip_connect", "nor_conv_3x3", "none"
BY_INPUT = {"0->1": SKIP, "0->2": CONV, "1->2": NONE, "0->3": CONV, "1->3": NONE, "2->3": NONE}
BY_NODE = BY_INPUT | {"0->3": NONE, "1->3": CONV}


class Reader:
    """As much of a search's progress as reads the catalogue."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self, work: Callable[[Session], T]) -> T:
        with self._database.transaction() as session:
            return work(session)


def read(database: Database, request: DiscreteSearchRequest) -> Table:
    return Table.read(request, SPACE, Reader(database))  # type: ignore[arg-type]


def accuracies(seed: int = 0) -> Mapping[int, Mapping[str, float]]:
    return {rank: {"accuracy": 50 + (rank * (seed + 3)) % 41 / 2, "loss": 1.0} for rank in RANKS}


def values(database: Database, request: DiscreteSearchRequest, rank: int) -> Mapping[str, float] | None:
    return read(database, request).reading(rank).values


def of(request: DiscreteSearchRequest, **changes: Any) -> DiscreteSearchRequest:
    """The request with another evaluator."""
    return replace(request, evaluator=replace(request.evaluator, **changes))


def test_a_value_is_the_mean_of_an_architectures_results(database: Database) -> None:
    seeds = [accuracies(seed) for seed in range(3)]
    for seed, results in enumerate(seeds):
        table(database, results, seed=seed)
    table(database, {1: {"accuracy": 33.0}}, sha256="9" * 64)
    found = read(database, search(database))
    assert found.metrics == ("accuracy", "loss")
    for rank in RANKS:
        reading, results = found.reading(rank), [one[rank]["accuracy"] for one in seeds]
        assert reading.values is not None
        assert reading.values == {"accuracy": pytest.approx(fmean(results)), "loss": 1.0}
        assert reading.several == 3
        assert reading.deviations == {"accuracy": pytest.approx(stdev(results)), "loss": 0.0}
    alone = found.reading(1)
    assert (alone.values, alone.several, alone.deviations) == ({"accuracy": 33.0}, 1, None)


def test_isomorphic_genotypes_have_one_result(database: Database) -> None:
    ranks = [SPACE.plan.rank(genotype) for genotype in (BY_INPUT, BY_NODE)]
    ids = {architecture_id(SPACE, SPACE.skeletons["cifar"], SPACE.input, one) for one in (BY_INPUT, BY_NODE)}
    assert len(ids) == 1
    table(database, {ranks[1]: {"accuracy": 71.0}})
    found = read(database, search(database))
    assert [found.reading(rank).values for rank in ranks] == [{"accuracy": 71.0}] * 2
    assert found.reading(ranks[0]) is found.reading(ranks[0])


def test_a_member_without_a_result_fails_with_a_reason(database: Database) -> None:
    table(database, accuracies())
    request = search(database)
    (reading,) = Catalogue(request, read(database, request)).measure(1, [Proposal(6999)])
    assert (reading.values, reading.failure) == (None, "the catalogue has no result of this architecture")


def test_nobody_is_judged_by_what_they_may_not_see(database: Database) -> None:
    table(database, {7000: {"accuracy": 80.0}}, visibility="public")
    table(database, {7000: {"accuracy": 60.0}}, owner="ada", visibility="private", sha256="6" * 64)
    request = search(database)
    assert values(database, request, 7000) == {"accuracy": 80.0}
    assert values(database, of(request, viewer="ada"), 7000) == {"accuracy": 70.0}
    assert values(database, of(request, viewer="eve"), 7000) == {"accuracy": 80.0}


def test_what_comes_later_is_not_seen(database: Database) -> None:
    table(database, {7000: {"accuracy": 80.0}})
    request = search(database)
    before = read(database, request).digest
    table(database, {7000: {"accuracy": 60.0}, 7004: {"accuracy": 1.0}}, seed=1)
    assert values(database, request, 7000) == {"accuracy": 80.0}
    assert values(database, request, 7004) is None
    assert read(database, request).digest == before
    assert values(database, search(database), 7000) == {"accuracy": 70.0}


def test_nothing_that_does_not_compare_is_mixed_in(database: Database) -> None:
    table(database, {7000: {"accuracy": 80.0}})
    request, other = search(database), PublishedRecipe(name="theirs", source="another paper")
    for number, difference in enumerate(({"dataset": "cifar100"}, {"split": "test"}, {"recipe": other})):
        table(database, {7000: {"accuracy": 10.0 + number}}, **difference, sha256=str(number) * 64)
    assert values(database, search(database), 7000) == {"accuracy": 80.0}
    assert values(database, of(search(database), dataset="cifar100"), 7000) == {"accuracy": 10.0}
    assert values(database, search(database, split="test"), 7000) == {"accuracy": 11.0}
    by_other = of(search(database), recipe_name=other.name, recipe_digest=other.digest)
    assert values(database, by_other, 7000) == {"accuracy": 12.0}
    narrow = replace(request, skeleton=replace(SPACE.skeletons["cifar"], num_classes=7))
    small = replace(request, image=replace(SPACE.input, height=16, width=16))
    for asked in (narrow, small, of(request, evaluation="inherited"), of(request, recipe_digest="f" * 64)):
        with pytest.raises(NoResults, match=r"no results on cifar10 selection of nasbench201, .* under theirs"):
            read(database, asked)


def test_a_skeleton_that_was_stored_before_a_setting_came_is_the_same(database: Database) -> None:
    table(database, {7000: {"accuracy": 80.0}})
    skeleton = SPACE.skeletons["cifar"]
    for written in (identifying(skeleton), dict(reversed(asdict(skeleton).items()))):
        with database.transaction() as session:
            session.execute(text("UPDATE architectures SET skeleton = :s"), {"s": json.dumps(written)})
        assert values(database, search(database), 7000) == {"accuracy": 80.0}


def test_a_digest_tells_which_numbers_they_were_and_not_in_which_order_they_came(database: Database) -> None:
    backwards = dict(reversed(accuracies().items()))
    table(database, accuracies(0), seed=0)
    table(database, accuracies(1), seed=1)
    table(database, accuracies(1), seed=0, dataset="other", sha256="6" * 64)
    table(database, backwards, seed=1, dataset="other", sha256="6" * 64)
    table(database, accuracies(0) | {7000: {"accuracy": 80.0001, "loss": 1.0}}, dataset="third", sha256="7" * 64)
    request = search(database)
    one, same, other = (read(database, of(request, dataset=name)).digest for name in ("cifar10", "other", "third"))
    assert one == same != other


def test_fidelities_are_recipes_of_their_own(database: Database) -> None:
    short = PublishedRecipe(name="short", source="a paper")
    table(database, {rank: {"accuracy": 20.0} for rank in RANKS}, recipe=short)
    table(database, accuracies())
    recipes = tuple(
        RecipeAt(fidelity=epochs, recipe_name=recipe.name, recipe_digest=recipe.digest)
        for epochs, recipe in ((200, RECIPE), (12, short))
    )
    request = of(search(database), fidelities=recipes)
    found = read(database, request)
    assert (found.highest, list(found.recipes)) == (200, [12, 200])
    assert found.reading(7000, 12).values == {"accuracy": 20.0}
    assert found.reading(7000, 200).values == found.reading(7000).values == accuracies()[7000]
    assert found.reading(7000, 50).failure == "no recipe stands for fidelity 50; there are 12, 200"
    judged = Catalogue(request, found).judged_by()
    assert judged["results"] == 2 * len(RANKS)
    assert judged["results_digest"] == found.digest not in {one.digest for one in found.recipes.values()}


def test_an_evaluator_does_not_go_on_from_other_results(database: Database) -> None:
    table(database, accuracies())
    request = search(database)
    before = Catalogue(request, read(database, request)).state()
    Catalogue(request, read(database, request)).restore(before)
    table(database, accuracies(1), seed=1)
    with pytest.raises(ResultsChanged, match=str(before["results_digest"])):
        Catalogue(search(database), read(database, search(database))).restore(before)


# -- as jobs


BOUNDS = Bounds(max_params=100_000)  # one genotype in some twenty keeps to it


@pytest.fixture
def whole_table(database: Database, monkeypatch: pytest.MonkeyPatch) -> int:
    """A result of every genotype within the bounds, and how many these are. Their ids are not worked out, which would
    take seconds."""
    monkeypatch.setattr(recorded, "architecture_id", lambda *of: f"{SPACE.plan.rank(of[3]):032x}")
    skeleton = SPACE.skeletons["cifar"]
    within = [i for i in range(SPACE.plan.size) if price_of(SPACE, skeleton, SPACE.input, i).params <= 100_000]
    table(database, {rank: {"accuracy": 50 + rank * 7919 % 4001 / 100} for rank in within})
    return len(within)


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    url = database.url.render_as_string(hide_password=False)
    return Settings(database_url=url, data_root=tmp_path / "root")


class Soon(Stop):
    """What a worker is told that has to stop after its first evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    @property
    def reason(self) -> StopReason | None:
        self.asked += 1
        return "drain" if self.asked > 1 else None


def attempts(settings: Settings, database: Database, id: str, between: Callable[[int], None] = lambda n: None) -> Job:
    """Run a job by as many workers as it takes, each of which has to stop after two steps."""
    for number in range(1, 200):
        between(number)
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        assert taken is not None
        assert run(settings, database, taken.lease, Soon()) == 0
        with database.transaction() as session:
            job = jobs.get(session, UUID(id))
        assert job is not None
        if job.final:
            return job
    raise AssertionError("it gets nowhere")


@pytest.mark.parametrize(
    ("strategy", "parameters"), [("evolution", {"population": 3, "tournament": 2}), ("local_search", {"starts": 2})]
)
def test_a_search_that_many_workers_did_a_step_of_is_one_search(
    settings: Settings, database: Database, whole_table: int, strategy: str, parameters: Mapping[str, int]
) -> None:
    request = search(database, strategy=strategy, parameters=parameters, budget=6, seed=5, bounds=BOUNDS)
    whole = submitted(database, request)
    run_next(settings, database, whole)
    stepwise = attempts(settings, database, submitted(database, request))
    assert stepwise.state == "succeeded", stepwise.error
    with database.transaction() as session:
        undisturbed = jobs.get(session, UUID(whole))
    assert undisturbed is not None
    assert undisturbed.result is not None
    assert stepwise.result is not None
    assert stepwise.result["trajectory"] == undisturbed.result["trajectory"]
    assert len(stepwise.result["trajectory"]) == 6
    timeless = ("seconds", "strategy_seconds")
    reports = [{k: v for k, v in job.result["report"].items() if k not in timeless} for job in (stepwise, undisturbed)]
    assert reports[0] == reports[1]


def test_a_search_whose_results_are_taken_back_starts_over_and_says_so(
    settings: Settings, database: Database, whole_table: int
) -> None:
    id = submitted(database, search(database, budget=3, bounds=BOUNDS))

    def between(number: int) -> None:
        if number == 2:
            with database.transaction() as session:
                session.execute(text("UPDATE evaluations SET created_at = 'infinity' WHERE accuracy > 85"))

    job = attempts(settings, database, id, between)
    assert job.result is not None
    report = job.result["report"]
    assert report["notes"][0].startswith(
        "starting over, for the earlier attempt is of no use: it was judged by results"
    )
    assert 0 < report["judged_by"]["results"] < whole_table
    with database.transaction() as session:
        told = [event.data["text"] for event in events.after(session, UUID(id), 0) if event.kind == "note"]
    assert told.count(report["notes"][0]) == 1


def test_a_search_of_what_has_no_results_fails_and_says_what_was_missing(
    settings: Settings, database: Database
) -> None:
    table(database, accuracies())
    id = submitted(database, of(search(database), dataset="imagenet16-120"))
    run_next(settings, database, id)
    with database.transaction() as session:
        job = jobs.get(session, UUID(id))
    assert job is not None
    assert job.error is not None
    assert job.error["detail"] == (
        "NoResults: the catalogue has no results on imagenet16-120 selection of nasbench201, trained under theirs"
    )


def test_a_search_on_results_never_imports_torch() -> None:
    program = (
        "import sys, workers.discrete.handler, workers.evaluators.catalogue, workers.strategies.discrete\n"
        "assert not {'torch', 'pyarrow'} & set(sys.modules)"
    )
    assert run_process([sys.executable, "-c", program], check=False).returncode == 0
