"""A profile by a real worker: what it measured is in the catalogue, and predicts what was measured."""

from dataclasses import asdict

from app.catalogue import ProfileQuery, architectures, profiles
from app.experiment import ProfiledOperation, ProfileRequest, SpaceVersion
from app.space import CellSkeleton, ImageInput, space_to_json
from app.space.zoo import darts


def test_a_worker_measures_and_fills_the_lookup_table(workplace) -> None:
    space = darts(num_nodes=1, operations=("sep_conv_3x3", "skip_connect"))
    request = ProfileRequest(
        operations=(ProfiledOperation(operation="conv_3x3", channels=4, width=4, size=(8, 8)),),
        space=SpaceVersion(name=space.name, version=space.version, digest=space.digest),
        document=space_to_json(space),
        genotypes=tuple(space.plan.unrank(index) for index in (0, 3)),
        skeleton=CellSkeleton(channels=4, num_cells=3),
        input=ImageInput(channels=1, height=8, width=8),
        rounds=3,
        device="cpu",
    )
    workplace.worker("--queues", "cpu")
    id = workplace.submit(asdict(request), kind="profile")
    job = workplace.until_final(id)
    assert job.state == "succeeded", job.error
    assert job.result is not None
    with workplace.database.transaction() as session:
        rows = profiles.query(session, ProfileQuery(viewer="ada", job_id=id, limit=200))
        (table,) = profiles.lookup_tables(session, viewer="ada")
        known = profiles.entry_latencies(session, table, viewer="ada")
        wholes = profiles.whole_latencies(session, table, viewer="ada", space=space.digest)
        assert profiles.query(session, ProfileQuery(viewer="bob", job_id=id)) == ()
        measured = [architectures.get(session, row.architecture_id) for row in rows if row.architecture_id]
    assert len(rows) == job.result["measurements"] == 3 + len(known)
    assert (table.operations, table.architectures, table.entries) == (1, 2, len(known))
    assert (table.device, table.threads) == (job.result["device"], 1)
    assert all(row.n == 3 and row.median_ms > 0 and row.peak_memory_bytes for row in rows)
    assert sorted(found.index for found in measured if found is not None) == [0, 3]
    assert len(wholes) == 2
    assert all(set(computed) <= set(known) for computed, _ in wholes)
