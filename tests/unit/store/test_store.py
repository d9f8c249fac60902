"""Stored files, the same in a folder and in a bucket: whole, by their content, verified when they are opened."""

import errno
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest
from moto.server import ThreadedMotoServer

from app.store import (
    DamagedObject,
    MissingObject,
    Store,
    StoredFile,
    StoreDown,
    StoreUnusable,
    object_digest,
    object_path,
    open_store,
)

KEYS = {"store_key_id": "key", "store_secret": "secret", "store_region": "us-east-1"}


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def bucket(endpoint: str, data_root: Path, name: str, *, make: bool = True) -> Store:
    settings = SimpleNamespace(data_root=data_root, store_url=f"s3://{name}/cellar", store_endpoint=endpoint, **KEYS)
    store = open_store(settings)
    if make:
        store.place._files.call_s3("create_bucket", Bucket=name)  # type: ignore[attr-defined]
    return store


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    if request.param == "folder":
        return Store.in_folder(tmp_path / "root")
    return bucket(request.getfixturevalue("s3"), tmp_path / "root", f"b{uuid4().hex}")


def written(tmp_path: Path, content: bytes) -> Path:
    file = tmp_path / f"file-{uuid4().hex}"
    file.write_bytes(content)
    return file


def damage(store: Store, path: str, content: bytes | None) -> None:
    """Change or remove a file behind the store's back."""
    place: Any = store.place
    file = place.local(path)
    if file is None:
        key = place._key(path)
        place._files.rm_file(key) if content is None else place._files.pipe_file(key, content)
    else:
        file.unlink() if content is None else file.write_bytes(content)


def leftovers(store: Store) -> list[Path]:
    return list((store._scratch / "incoming").glob("*"))


def test_a_file_is_named_by_its_content_and_comes_back(store: Store, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    file = written(tmp_path, content)
    stored = store.put(file)
    digest = hashlib.sha256(content).hexdigest()
    assert stored == StoredFile(path=f"objects/{digest[:2]}/{digest[2:]}", bytes=3 << 20, sha256=digest)
    assert file.read_bytes() == content
    assert store.has(stored)
    assert store.open(stored).read_bytes() == content
    assert [(found, entry.bytes) for found, entry in store.objects()] == [(digest, 3 << 20)]
    assert abs(next(store.objects())[1].modified - time.time()) < 60
    assert leftovers(store) == []


def test_equal_content_is_one_object_that_is_not_written_again(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = store.put(written(tmp_path, b"same"))
    puts: list[str] = []
    monkeypatch.setattr(store.place, "put", lambda file, path: puts.append(path))
    assert store.put(written(tmp_path, b"same")) == stored
    assert puts == []


def test_what_is_damaged_or_missing_is_named_and_never_given(store: Store, tmp_path: Path) -> None:
    stored = store.put(written(tmp_path, b"content"))
    for content, said in ((b"cont", "4 bytes, not 7"), (b"CONTENT", "its sha256 is")):
        damage(store, stored.path, content)
        with pytest.raises(DamagedObject, match=f"{stored.path} is damaged: {said}"):
            store.open(stored)
    damage(store, stored.path, None)
    assert not store.has(stored)
    with pytest.raises(MissingObject, match=stored.path):
        store.open(stored)
    assert store.put(written(tmp_path, b"content")) == stored
    assert store.open(stored).read_bytes() == b"content"


def test_a_put_heals_a_file_that_was_cut_short(store: Store, tmp_path: Path) -> None:
    stored = store.put(written(tmp_path, b"content"))
    damage(store, stored.path, b"con")
    store.put(written(tmp_path, b"content"))
    assert store.open(stored).read_bytes() == b"content"


def test_a_write_that_fails_leaves_nothing(store: Store) -> None:
    def half(file: Path) -> None:
        file.write_text("ha")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write(half)
    assert (list(store.objects()), leftovers(store)) == ([], [])


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        # safetensors, from a file system of 1 MiB
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_is_a_store_to_wait_for(store: Store, error: Exception) -> None:
    def write(file: Path) -> None:
        file.write_text("ha")
        raise error

    with pytest.raises(StoreDown, match="there is no room in"):
        store.write(write)
    assert leftovers(store) == []


def test_names_that_lead_elsewhere_have_no_file(store: Store, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"x")
    digest = hashlib.sha256(b"x").hexdigest()
    for path in ("../outside", str(tmp_path / "outside"), "objects/../../outside", ""):
        with pytest.raises(MissingObject):
            store.open(StoredFile(path=path, bytes=1, sha256=digest))
    for digest in ("", "../" + "a" * 61, "A" * 64):
        with pytest.raises(ValueError, match="not 64 hexadecimal digits"):
            object_path(digest)
    assert object_digest("objects/ab/../x") is None
    assert object_digest(object_path("ab" * 32)) == "ab" * 32


def test_named_files_are_listed_and_removed(store: Store) -> None:
    paths = [f"jobs/{number}/checkpoints/1-0.safetensors" for number in range(3)]
    for path in paths:
        assert store.write_as(path, lambda file: file.write_text("state") and None).path == path
    assert [entry.path for entry in store.entries("jobs")] == paths
    assert [entry.path for entry in store.entries("jobs/1")] == paths[1:2]
    store.remove(paths[1])
    store.remove(paths[1])
    assert [entry.path for entry in store.entries("jobs")] == [paths[0], paths[2]]
    assert list(store.entries("nowhere")) == []


def test_what_dead_writers_left_goes_after_the_grace_period(store: Store) -> None:
    with pytest.raises(MissingObject):
        store.open(StoredFile(path=object_path("ab" * 32), bytes=1, sha256="ab" * 32))
    for age, name in ((10.0, "young"), (7200.0, "old")):
        file = store._scratch / "incoming" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        os.utime(file, (time.time() - age,) * 2)
    assert store.clear(3600, dry_run=True) == 1
    assert store.clear(3600) == 1
    assert [file.name for file in leftovers(store)] == ["young"]


def test_a_copy_from_a_bucket_is_kept_checked_and_forgotten(s3: str, tmp_path: Path) -> None:
    store = bucket(s3, tmp_path / "root", f"b{uuid4().hex}")
    stored = store.put(written(tmp_path, b"content"))
    copy = store.open(stored)
    damage(store, stored.path, None)
    assert store.open(stored) == copy
    copy.write_bytes(b"CONTENT")
    with pytest.raises(MissingObject):
        store.open(stored)
    os.utime(copy, (time.time() - 7200,) * 2)
    assert store.clear(3600) == 1
    assert not copy.exists()


def test_files_of_before_a_move_to_a_bucket_stay_readable(s3: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    old = root / "jobs" / "1" / "artefacts" / "1" / "weights"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"weights")
    found = Store.in_folder(root).put(old)
    store = bucket(s3, root, f"b{uuid4().hex}")
    assert store.open(found).read_bytes() == b"weights"
    path = "jobs/1/artefacts/1/weights"
    assert store.open(StoredFile(path=path, bytes=7, sha256=found.sha256)) == old


def test_an_upload_in_parts_that_was_never_ended_is_aborted(s3: str, tmp_path: Path) -> None:
    name = f"b{uuid4().hex}"
    store = bucket(s3, tmp_path / "root", name)
    place: Any = store.place
    for key in ("cellar/objects/ab/x", "other/y"):
        place._files.call_s3("create_multipart_upload", Bucket=name, Key=key)
    assert place.clear_unfinished(1e9) == 0  # the server says that every upload began in 2010
    assert place.clear_unfinished(3600) == 1
    left = place._files.call_s3("list_multipart_uploads", Bucket=name)["Uploads"]
    assert [upload["Key"] for upload in left] == ["other/y"]


@pytest.mark.slow
def test_a_large_file_goes_in_parts(s3: str, tmp_path: Path) -> None:
    store = bucket(s3, tmp_path / "root", f"b{uuid4().hex}")
    stored = store.write(lambda file: file.write_bytes(os.urandom(1 << 20) * 120) and None)
    assert store.open(stored).stat().st_size == 120 << 20
    place: Any = store.place
    assert "-" in place._files.info(place._key(stored.path))["ETag"], "the tag of an upload in parts counts them"


def test_a_store_that_is_away_or_refuses_says_so(s3: str, tmp_path: Path) -> None:
    file = written(tmp_path, b"content")
    away = bucket("http://127.0.0.1:9", tmp_path / "root", "away", make=False)
    with pytest.raises(StoreDown, match="the store s3://away/cellar is out of reach"):
        away.put(file)
    with pytest.raises(StoreDown, match="out of reach"):
        list(away.objects())
    missing = bucket(s3, tmp_path / "root", f"b{uuid4().hex}", make=False)
    with pytest.raises(StoreUnusable, match="refuses"):
        missing.put(file)
    assert leftovers(away) == []


def test_the_library_of_buckets_is_imported_by_whoever_uses_one() -> None:
    code = (
        "import sys; from app.store import *; from pathlib import Path; Store.in_folder(Path('/nowhere'));"
        "assert not {'s3fs', 'botocore', 'aiohttp'} & sys.modules.keys(), sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
