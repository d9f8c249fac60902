"""Files of jobs: complete when they have their name, and cleaned up behind the newest."""

from pathlib import Path
from uuid import uuid4

import pytest

from app.store import Store
from workers.files import JobFiles, jobs_with_checkpoints

JOB = uuid4()


def test_a_file_carries_the_fence_in_its_path_and_is_checked_when_it_is_opened(tmp_path: Path) -> None:
    files = JobFiles(Store.in_folder(tmp_path), JOB)
    stored = files.write_checkpoint(3, 0, lambda file: file.write_text("state") and None)
    assert stored.path == f"jobs/{JOB}/checkpoints/3-0.safetensors"
    assert (stored.bytes, len(stored.sha256)) == (5, 64)
    opened = files.open(stored.path, bytes=stored.bytes, sha256=stored.sha256)
    assert opened is not None
    assert opened.read_text() == "state"
    opened.write_text("stale")
    assert files.open(stored.path, bytes=stored.bytes, sha256=stored.sha256) is None
    opened.unlink()
    assert files.open(stored.path, bytes=stored.bytes, sha256=stored.sha256) is None


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def half(file: Path) -> None:
        file.write_text("ha")
        raise OSError("disk full")

    files = JobFiles(Store.in_folder(tmp_path), JOB)
    with pytest.raises(OSError, match="disk full"):
        files.write_artefact("weights.safetensors", half)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_older_checkpoints_go_and_those_of_a_later_attempt_stay(tmp_path: Path) -> None:
    files = JobFiles(Store.in_folder(tmp_path), JOB)
    paths = [
        files.write_checkpoint(fence, number, lambda file: file.touch()).path
        for fence, number in ((1, 0), (1, 1), (2, 0), (3, 0))
    ]
    files.keep_only_checkpoint(paths[2], fence=2)
    assert [(tmp_path / path).exists() for path in paths] == [False, False, True, True]


def test_a_final_job_keeps_its_artefacts_only(tmp_path: Path) -> None:
    files = JobFiles(Store.in_folder(tmp_path), JOB)
    files.write_checkpoint(1, 0, lambda file: file.touch())
    kept = files.write_artefact("weights.safetensors", lambda file: file.touch())
    assert jobs_with_checkpoints(Store.in_folder(tmp_path)) == (JOB,)
    files.drop_checkpoints()
    assert jobs_with_checkpoints(Store.in_folder(tmp_path)) == ()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / kept.path]
