"""A count that takes a while, by a real worker that never imports torch."""

from dataclasses import asdict

from app.catalogue import counts
from app.experiment import CountRequest, SpaceVersion
from app.space import space_to_json
from app.space.zoo import simple_cell


def test_a_worker_counts_and_the_count_is_kept(workplace) -> None:
    space = simple_cell(6)
    request = CountRequest(
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        equivalence="relabelling",
        version=1,
    )
    workplace.worker("--queues", "cpu")
    id = workplace.submit(asdict(request), kind="count")
    job = workplace.until_final(id)
    assert job.state == "succeeded", job.error
    with workplace.database.transaction() as session:
        (kept,) = counts.of_space(session, space.digest, space.surroundings)
    assert (kept.exact, kept.job_id) == (2_340_626_795_466_156, id)
    assert job.result is not None
    assert job.result["exact"] == str(kept.exact)
    assert workplace.states(id) == [("queued", 0), ("running", 1), ("succeeded", 1)]
