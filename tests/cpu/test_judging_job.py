"""Members judged by jobs of their own: what one does, and that a search over the queue comes to the same numbers."""

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import combinations
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import Any
from uuid import uuid4

import pytest
import torch

from app.catalogue import Database, EvaluationQuery, evaluations, jobs
from app.experiment import (
    DiscreteSearchRequest,
    InheritedEvaluator,
    JudgedMember,
    JudgingRequest,
    SearchRecipe,
    SharingCheck,
    SoughtMetric,
    SpaceVersion,
    TrainingRecipe,
    recipe_digest,
)
from app.jobs import attend, claim, release, request_cancel, submit
from app.settings import Settings
from app.space import EdgeCellSkeleton, ImageInput, space_to_json
from app.space.zoo import ZOO
from workers import judge
from workers.discrete import handler
from workers.evaluators.inherited import Inherited
from workers.fenced import FencedProgress, Stop
from workers.files import JobFiles
from workers.progress import Stopped
from workers.run import run
from workers.session import RequestError
from workers.strategies.discrete import Proposal

Memory = Any  # the class of tests/cpu/conftest.py

SPACE = ZOO["nasbench201"]
SKELETON = EdgeCellSkeleton(channels=4, num_cells=1)
RECIPE = SearchRecipe(
    name="test", epochs=1, batch_size=128, learning_rate=0.1, crop_padding=1, flip=False, deterministic=True
)
FROM_SCRATCH = TrainingRecipe(
    name="scratch", epochs=1, batch_size=128, learning_rate=0.1, drop_path=0.0, cutout=0, flip=False, deterministic=True
)
EVALUATOR = InheritedEvaluator(dataset="digits", recipe=RECIPE, skeleton=SKELETON)
SEARCH = DiscreteSearchRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    strategy="random",
    parameters={},
    objectives=(SoughtMetric(metric="accuracy"),),
    evaluator=EVALUATOR,
    budget=7,
    batch=5,
    skeleton=SKELETON,
    image=ImageInput(channels=1, height=8, width=8),
    seed=3,
    device="cpu",
)
MEMBERS = (Proposal(13_835), Proposal(6_311, 40), Proposal(14_177))


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "data"))
    monkeypatch.setenv("CELLAR_CODE_VERSION", "test")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def trained(memory_progress: Memory, tmp_path: Path) -> tuple[JudgingRequest, Path, list[Any]]:
    """What is asked of a child, the file that it reads, and what its parent measures itself."""
    progress = memory_progress(tmp_path / "parent")
    measured = list(Inherited(SEARCH, SPACE, progress).measure(1, MEMBERS))
    file: Path = progress.kept["supernet"]
    request = JudgingRequest(
        space=SEARCH.space,
        document=SEARCH.document,
        evaluator=EVALUATOR,
        supernet=hashlib.sha256(file.read_bytes()).hexdigest(),
        members=tuple(JudgedMember(index=str(one.rank), fidelity=one.fidelity) for one in MEMBERS),
        seed=SEARCH.seed,
        device="cpu",
    )
    return request, file, measured


def child(memory_progress: Memory, folder: Path, file: Path, **how: Any) -> Any:
    progress = memory_progress(folder, **how)
    progress.parents["supernet"] = file
    return progress


def test_a_child_comes_to_the_numbers_of_its_parent(
    memory_progress: Memory, tmp_path: Path, trained: tuple[JudgingRequest, Path, list[Any]]
) -> None:
    request, file, measured = trained
    outcome = judge.run(request, child(memory_progress, tmp_path / "child", file))
    members: Any = outcome.result["members"]
    assert [one["values"] for one in members] == [reading.values for reading in measured]
    assert [(one["index"], one["fidelity"], one["failure"]) for one in members] == [
        ("13835", None, None),
        ("6311", 40, None),
        ("14177", None, None),
    ]
    assert [e.genotype for e in outcome.evaluations] == [SPACE.plan.unrank(13_835), SPACE.plan.unrank(14_177)]
    assert [e.metrics["accuracy"] for e in outcome.evaluations] == [measured[i].values["accuracy"] for i in (0, 2)]
    row = outcome.evaluations[0]
    assert (row.kind, row.split, row.seed, row.metrics["images"]) == ("inherited", "selection", 3, 177.0)
    assert recipe_digest(row.recipe) == recipe_digest(replace(RECIPE, strategy="single_path"))


def test_a_child_that_is_drained_goes_on_and_one_that_is_cancelled_keeps_what_it_has(
    memory_progress: Memory, tmp_path: Path, trained: tuple[JudgingRequest, Path, list[Any]]
) -> None:
    request, file, measured = trained
    drained = child(memory_progress, tmp_path / "drained", file, stop_after=2, reason="drain")
    with pytest.raises(Stopped) as stopped:
        judge.run(request, drained)
    assert (stopped.value.reason, stopped.value.best) == ("drain", None)
    second = drained.next_attempt(tmp_path / "second", kill_after=2)  # one is left: more would be its end
    members: Any = judge.run(request, second).result["members"]
    assert [one["values"] for one in members] == [reading.values for reading in measured]

    with pytest.raises(Stopped) as stopped:
        judge.run(request, child(memory_progress, tmp_path / "cancelled", file, stop_after=2, reason="cancel"))
    assert stopped.value.best is not None
    kept: Any = stopped.value.best.result
    assert ([one["index"] for one in kept["members"]], kept["stopped_in"]) == (["13835", "6311"], "judge")
    assert len(stopped.value.best.evaluations) == 1, "the other was judged on a part of the split"


def test_another_supernet_than_the_one_that_is_meant_is_refused(
    memory_progress: Memory, tmp_path: Path, trained: tuple[JudgingRequest, Path, list[Any]]
) -> None:
    request, file, _ = trained
    other = replace(request, supernet="0" * 64)
    with pytest.raises(RequestError, match=rf"{'0' * 64} has SHA-256 {request.supernet} by now: search anew"):
        judge.run(other, child(memory_progress, tmp_path / "other", file))
    with pytest.raises(RequestError, match=rf"{request.supernet} is not there"):
        judge.run(request, memory_progress(tmp_path / "none"))


def drained(database: Database, settings: Settings, before: str | None = None) -> None:
    """One worker until there is nothing left to do, or the next is of this kind."""
    while True:
        with database.transaction() as session:
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
            if taken is not None and taken.job.kind == before:
                release(session, taken.lease)
                return
        if taken is None:
            return
        assert run(settings, database, taken.lease, Stop()) == 0
        with database.transaction() as session:
            attend(session)


def test_a_search_over_the_queue_is_the_search_of_one_process(
    database: Database, memory_progress: Memory, tmp_path: Path
) -> None:
    check = SharingCheck(members=4, recipe=FROM_SCRATCH, seeds=(0, 5))
    request = replace(SEARCH, evaluator=replace(EVALUATOR, children=2, check=check))
    settings = Settings(database_url=database.url.render_as_string(hide_password=False), data_root=tmp_path / "data")
    with database.transaction() as session:
        made = submit(session, kind="discrete_search", request=asdict(request), owner="ada", queue="cpu", device="cpu")
    drained(database, settings)
    with database.transaction() as session:
        job, children = jobs.get(session, made.job.id), jobs.children(session, made.job.id)
        rows = {one.id: evaluations.query(session, EvaluationQuery(viewer="ada", job_id=one.id)) for one in children}
        own = evaluations.query(session, EvaluationQuery(viewer="ada", job_id=made.job.id))
    assert job is not None
    assert (job.state, job.error) == ("succeeded", None)
    assert {one.state for one in children} == {"succeeded"}
    judgings = {one.name or "": one for one in children if one.kind == "judging"}
    batches = [name.rsplit("-", 1)[0] for name in judgings]
    assert sorted(batches) == ["judging-1-0", "judging-1-1", "judging-6-0", "judging-6-1", "sharing-0", "sharing-1"]
    assert [len(judgings[name].request["members"]) for name in sorted(judgings)] == [2, 3, 1, 1, 2, 2]
    assert sum(one.kind == "training" for one in children) == 8

    alone = handler.run(SEARCH, memory_progress(tmp_path / "alone"))
    ours = (job.result or {})["trajectory"]
    assert [one | {"job": None} for one in ours] == alone.result["trajectory"], "to the bit"
    by_job = {str(one.id): [m["index"] for m in one.request["members"]] for one in judgings.values()}
    assert all(one["index"] in by_job[one["job"]] for one in ours)
    assert own == (), "the children have recorded what they measured"
    assert sum(len(rows[one.id]) for one in judgings.values()) == 7 + 4

    report = (job.result or {})["report"]["sharing"]
    pairs = report["pairs"]
    assert len(pairs) == len({one["index"] for one in pairs}) == 4
    whole = Inherited(SEARCH, SPACE, memory_progress(tmp_path / "again")).measure(
        1, [Proposal(int(one["index"])) for one in pairs]
    )
    assert [one["inherited"] for one in pairs] == [(reading.values or {})["accuracy"] for reading in whole]
    at = {str(one.id): one for one in children}
    for one in pairs:
        trainings = [at[id] for id in one["jobs"]]
        assert [t.request["seed"] for t in trainings] == [0, 5]
        assert {t.request["recipe"]["name"] for t in trainings} == {"scratch"}
        assert all(SPACE.plan.rank(t.request["genotype"]) == int(one["index"]) for t in trainings)
        found = [e.metrics["accuracy"] for t in trainings for e in rows[t.id] if e.split == "selection"]
        assert (one["standalone"], one["deviation"]) == (fmean(found), stdev(found))
    tau = tau_b([(one["inherited"], one["standalone"]) for one in pairs])
    assert report["kendall"]["coefficient"] == (None if tau is None else pytest.approx(tau))
    assert (report["split"], report["recipe"], report["seeds"]) == ("selection", "scratch", [0, 5])
    assert report["notes"] == ["4 members: of so few a coefficient says little"]


def test_a_search_that_is_cancelled_while_its_weights_are_checked_keeps_what_it_found(
    database: Database, tmp_path: Path
) -> None:
    check = SharingCheck(members=2, recipe=FROM_SCRATCH)
    request = replace(SEARCH, evaluator=replace(EVALUATOR, check=check), budget=3)
    settings = Settings(database_url=database.url.render_as_string(hide_password=False), data_root=tmp_path / "data")
    with database.transaction() as session:
        made = submit(session, kind="discrete_search", request=asdict(request), owner="ada", queue="cpu", device="cpu")
    drained(database, settings, before="training")
    with database.transaction() as session:
        waiting = jobs.get(session, made.job.id)
        request_cancel(session, made.job.id)
        attend(session)
    assert waiting is not None
    assert waiting.state == "waiting"
    drained(database, settings)
    with database.transaction() as session:
        job, children = jobs.get(session, made.job.id), jobs.children(session, made.job.id)
    assert job is not None
    assert (job.state, [one.state for one in children]) == ("cancelled", ["cancelled"] * 2)
    result: Any = job.result
    assert (result["stopped_in"], result["report"]["evaluations"], result["report"]["sharing"]) == ("sharing", 3, None)


def tau_b(pairs: list[tuple[float, float]]) -> float | None:
    """Kendall's tau-b, pair by pair."""
    signs = [((a > c) - (a < c), (b > d) - (b < d)) for (a, b), (c, d) in combinations(pairs, 2)]
    untied = [sum(sign[side] != 0 for sign in signs) for side in (0, 1)]
    return sum(x * y for x, y in signs) / sqrt(untied[0] * untied[1]) if all(untied) else None


def test_a_file_is_read_by_the_children_of_the_job_that_kept_it_and_by_nobody_else(
    database: Database, tmp_path: Path
) -> None:
    from app.store import open_store

    settings = Settings(database_url=database.url.render_as_string(hide_password=False), data_root=tmp_path / "data")
    store = open_store(settings)

    def submitted(**how: Any) -> Any:
        with database.transaction() as session:
            submit(session, kind="judging", request={}, queue="cpu", device="cpu", **({"owner": "ada"} | how))
            taken = claim(session, worker_id=uuid4(), queues=["cpu"], devices=["cpu"], lease_seconds=600)
        assert taken is not None
        return taken, FencedProgress(database, taken.lease, JobFiles(store, taken.job.id), Stop())

    parent, progress = submitted()
    progress.keep("supernet", lambda file: file.write_bytes(b"weights"))
    assert progress.parents_artefact("supernet") is None, "it has no parent"
    _, below = submitted(parent_id=parent.job.id, name="one")
    assert below.parents_artefact("supernet").read_bytes() == b"weights"
    assert (below.parents_artefact("other"), below.artefact("supernet")) == (None, None)
    _, stranger = submitted(parent_id=parent.job.id, name="two", owner="bob")
    assert stranger.parents_artefact("supernet") is None
    _, beside = submitted()
    assert beside.parents_artefact("supernet") is None
