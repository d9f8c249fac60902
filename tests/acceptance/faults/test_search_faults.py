"""A real search whose workers are killed: it resumes from its checkpoints and ends as if nothing had happened."""

from collections import Counter
from dataclasses import asdict
from typing import Any

from app.catalogue import EvaluationQuery, artefacts, evaluations
from app.experiment import SearchRecipe, SearchRequest, SpaceVersion, TrainingRecipe
from app.space import CellSkeleton, space_to_json
from app.space.zoo import darts

SPACE = darts(num_nodes=2, operations=("skip_connect", "max_pool_3x3", "sep_conv_3x3"))
SEARCH_EPOCHS, TRAINING_EPOCHS = 3, 2
ROWS = [
    *(("search", epoch) for epoch in range(1, SEARCH_EPOCHS + 1)),
    ("calibrate", 1),
    *(("retrain", epoch) for epoch in range(1, TRAINING_EPOCHS + 1)),
    *(("baseline", epoch) for epoch in range(1, TRAINING_EPOCHS + 1)),
]
REQUEST = SearchRequest(
    space=SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
    document=space_to_json(SPACE),
    strategy="darts",
    discretisation="darts",
    skeleton=CellSkeleton(channels=4, num_cells=3, affine=False, norm_after_pool=True),
    dataset="digits",
    recipe=SearchRecipe(
        name="short",
        epochs=SEARCH_EPOCHS,
        batch_size=128,
        learning_rate=0.1,
        alpha_learning_rate=0.05,
        alpha_warmup_epochs=1,
        crop_padding=1,
        flip=False,
        deterministic=True,
    ),
    retrain_skeleton=CellSkeleton(channels=4, num_cells=3),
    retrain_recipe=TrainingRecipe(
        name="short",
        epochs=TRAINING_EPOCHS,
        batch_size=128,
        learning_rate=0.1,
        drop_path=0.1,
        cutout=0,
        crop_padding=1,
        flip=False,
        deterministic=True,
    ),
    seed=3,
    device="cpu",
)


def timeless(value: Any) -> Any:
    """A result without what depends on the clock."""
    match value:
        case dict():
            return {name: timeless(v) for name, v in value.items() if "seconds" not in name and "hours" not in name}
        case list():
            return [timeless(v) for v in value]
        case _:
            return value


def test_a_search_whose_workers_are_killed_ends_as_one_that_was_left_alone(workplace: Any) -> None:
    worker = workplace.worker()
    calm = workplace.submit(asdict(REQUEST), kind="search")
    assert workplace.until_final(calm, seconds=180).error is None
    disturbed = workplace.submit(asdict(REQUEST), kind="search")

    def told(phase: str, epoch: int) -> bool:
        assert not workplace.job(disturbed).final
        return any(row[:2] == (phase, epoch) for row in workplace.epochs(disturbed))

    for phase, epoch in (("search", 2), ("retrain", 1)):
        workplace.until(lambda at=(phase, epoch): told(*at), seconds=120)
        worker.kill()
        worker.wait()
        worker = workplace.worker()
    job = workplace.until_final(disturbed, seconds=180)
    assert job.error is None
    assert (job.state, job.attempt, job.fence) == ("succeeded", 3, 3)

    rows, alone = workplace.epochs(disturbed), workplace.epochs(calm)
    assert [row[:2] for row in rows] == ROWS
    assert [timeless(row[2]) for row in rows] == [timeless(row[2]) for row in alone]
    assert timeless(job.result) == timeless(workplace.job(calm).result)
    told_once = Counter(
        (e.data["phase"], e.data["epoch"])
        for e in workplace.events(disturbed)
        if e.kind == "progress" and e.data["step"] is None
    )
    assert told_once == Counter(ROWS)
    assert [state for state, _ in workplace.states(disturbed)] == [
        "queued",
        *["running", "queued"] * 2,
        "running",
        "succeeded",
    ]

    with workplace.database.transaction() as session:
        found, same = (evaluations.query(session, EvaluationQuery(viewer="ada", job_id=id)) for id in (disturbed, calm))
        assert artefacts.checkpoint(session, disturbed) is None
        for artefact in artefacts.of_job(session, disturbed):
            assert (workplace.data_root / artefact.path).stat().st_size == artefact.bytes
    results = [{(e.kind, e.split, e.architecture_id, e.accuracy) for e in of} for of in (found, same)]
    assert results[0] == results[1]
    assert len(results[0]) == len(found) == len(same) >= 4
    assert {e.kind for e in found} >= {"trained", "baseline"}
