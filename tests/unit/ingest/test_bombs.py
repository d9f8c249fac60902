"""What nobody should send: archives that grow, lie, lead out, or hold pickles. Each is refused, and says where."""

import io
import pickle
import stat
import struct
import tracemalloc
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from app.experiment import DatasetRequest
from workers.dataset import bounded, source_of
from workers.ingest import DataError, read_source

REQUEST = DatasetRequest(name="toy", path="toy", largest_bytes=8 << 20)


def never_stopped() -> None:
    return None


def read(path: Path, **how: Any) -> Any:
    fields = {name: getattr(REQUEST, name) for name in REQUEST.__dataclass_fields__} | how
    return read_source(path, DatasetRequest(**fields), never_stopped)


def archive(path: Path, members: dict[str, bytes], how: Callable[[zipfile.ZipInfo], None] | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if how is not None:
                how(info)
            file.writestr(info, content)
    return path


def npy(array: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **how)
    return file.getvalue()


def header_alone(shape: tuple[int, ...], descr: str = "|u1") -> bytes:
    """An array that says it is huge, and has no bytes."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"shape": shape, "fortran_order": False, "descr": descr})
    return file.getvalue()


def png(width: int = 4, height: int = 4, mode: str = "RGB", value: Any = 7) -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height), value if mode in ("L", "P") else (value,) * len(mode)).save(file, "PNG")
    return file.getvalue()


def png_that_says(width: int, height: int) -> bytes:
    """The header of a huge image, and hardly any data: what decodes into gigabytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    )


Y = npy(np.array([0, 1]))


class Evil:
    def __reduce__(self) -> Any:
        return (pytest.fail, ("a pickle was read",))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"x.npy": npy(np.array([Evil()], dtype=object), allow_pickle=True), "y.npy": Y}, "an array of object"),
        ({"x.npy": pickle.dumps(Evil()), "y.npy": Y}, "cannot be read"),
        ({"x.npy": header_alone((1 << 40, 32, 32)), "y.npy": Y}, "bytes, at most"),
        ({"x.npy": header_alone((2, 32, 32)), "y.npy": Y}, r"2048 bytes by its shape \(2, 32, 32\)"),
        ({"x.npy": header_alone((-1, 32, 32)), "y.npy": Y}, "a negative extent"),
        ({"x.npy": npy(np.full((2, 4, 4), np.nan)), "y.npy": Y}, r"x\[0, 0, 0\]: nan is not a whole number"),
        ({"x.npy": npy(np.full((2, 4, 4), 0.5)), "y.npy": Y}, r"x\[0, 0, 0\]: 0.5 is not a whole number"),
        ({"x.npy": npy(np.full((2, 4, 4), np.inf)), "y.npy": Y}, "inf is not a whole number"),
        ({"x.npy": npy(np.full((2, 4, 4), 256)), "y.npy": Y}, "256 is not a whole number from 0 to 255"),
        ({"x.npy": npy(np.zeros((2, 4, 4), "S1")), "y.npy": Y}, "only numbers are"),
        ({"x.npy": npy(np.zeros((2, 4, 4), complex)), "y.npy": Y}, "only numbers are"),
        ({"x.npy": npy(np.zeros((2, 4), np.uint8)), "y.npy": Y}, r"x: shape \(2, 4\); give"),
        ({"x.npy": npy(np.zeros((2, 3, 4, 3), np.uint8)), "y.npy": Y}, "cannot be told; say `layout`"),
        ({"x.npy": npy(np.zeros((2, 2000, 4), np.uint8)), "y.npy": Y}, "2000 × 4 pixels"),
        ({"x.npy": npy(np.zeros((0, 4, 4), np.uint8)), "y.npy": Y}, "0 images"),
        ({"x.npy": npy(np.zeros((3, 4, 4), np.uint8)), "y.npy": Y}, r"labels of shape \(2,\) for 3 images"),
        ({"x.npy": npy(np.zeros((2, 4, 4), np.uint8)), "y.npy": npy(np.array([0.0, np.nan]))}, r"y\[1\]: nan"),
        ({"x.npy": npy(np.zeros((2, 4, 4), np.uint8)), "y.npy": npy(np.array([0, 10**9]))}, r"y\[1\]: 1000000000"),
        ({"x.npy": npy(np.zeros((2, 4, 4), np.uint8))}, "has no y"),
        ({"x.npy": Y, "../y.npy": Y}, "leads out of its folder"),
        ({"/x.npy": Y}, "leads out of its folder"),
        ({"a\\x.npy": Y}, "no backslash"),
        ({"x_nowhere.npy": Y}, "arrays are x and y"),
        ({"z.npy": Y}, "arrays are x and y"),
        ({}, "has no arrays"),
    ],
)
def test_arrays_that_are_refused(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(archive(tmp_path / "a.npz", members))


def test_an_archive_that_grows(tmp_path: Path) -> None:
    """Refused by what the archive says, with no more than its list in memory."""
    zeros = bytes(1 << 20)
    path = archive(tmp_path / "a.npz", {"x.npy": zeros * 16})
    assert path.stat().st_size < 1 << 15
    tracemalloc.start()
    with pytest.raises(DataError, match="unpacked, at most"):
        read(path, largest_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    with pytest.raises(DataError, match=r"grows to \d+ times its size"):
        read(archive(tmp_path / "b.npz", {"x.npy": zeros * 68}), largest_bytes=1 << 30)


def test_a_member_that_is_larger_than_it_says(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.npz", {"x.npy": npy(np.zeros((100, 8, 8), np.uint8)), "y.npy": Y})
    content = path.read_bytes()
    size = struct.pack("<I", len(npy(np.zeros((100, 8, 8), np.uint8))))
    path.write_bytes(content.replace(size, struct.pack("<I", 200)))
    with pytest.raises(DataError, match=r"x\.npy"):
        read(path)


def test_members_that_share_their_bytes(tmp_path: Path) -> None:
    """D. Fifield's bomb: many entries of the list point at one compressed member."""
    path = archive(tmp_path / "a.zip", {"cat/1.png": png() * 200})
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    entry, end = content[start : content.index(b"PK\x05\x06")], content[content.index(b"PK\x05\x06") :]
    entries = b"".join(entry.replace(b"cat/1.png", f"cat/{i}.png".encode()) for i in range(1, 10))
    counts = struct.pack("<HHI", 9, 9, len(entries))
    path.write_bytes(content[:start] + entries + end[:8] + counts + end[16:])
    with pytest.raises(DataError, match="so that they overlap"):
        read(path)


def test_archives_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content in (
        b"",
        b"PK",
        b"PK\x03\x04" + bytes(100),
        archive(tmp_path / "b.npz", {"x.npy": Y}).read_bytes()[:-30],
    ):
        path.write_bytes(content)
        with pytest.raises(DataError, match="archive"):
            read(path, format="npz")


def test_a_list_of_more_members_than_there_may_be(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", {"cat/1.png": png()})
    content = bytearray(path.read_bytes())
    end = content.index(b"PK\x05\x06")
    content[end + 12 : end + 16] = struct.pack("<I", 900 << 20)
    path.write_bytes(content)
    with pytest.raises(DataError, match="members, at most"):
        read(path)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        (lambda info: setattr(info, "external_attr", (stat.S_IFLNK | 0o777) << 16), "a link or a device"),
        (lambda info: setattr(info, "external_attr", (stat.S_IFCHR | 0o777) << 16), "a link or a device"),
        (lambda info: setattr(info, "compress_type", zipfile.ZIP_LZMA), "neither stored nor deflated"),
    ],
)
def test_members_of_another_kind(tmp_path: Path, how: Callable[[zipfile.ZipInfo], None], said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(archive(tmp_path / "a.zip", {"cat/1.png": png()}, how))


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"cat/1.png": png_that_says(60_000, 60_000), "dog/1.png": png()}, "60000|bomb"),
        ({"cat/1.png": png_that_says(2000, 2000), "dog/1.png": png()}, "2000 × 2000 pixels"),
        ({"cat/1.png": png_that_says(4, 400), "dog/1.png": png_that_says(4, 400)}, "cannot be decoded"),
        ({"cat/1.png": png()[:48], "dog/1.png": png()}, r"'cat/1\.png'"),
        ({"cat/1.png": b"not an image", "dog/1.png": png()}, "not a PNG or JPEG"),
        ({"cat/1.png": png(), "dog/1.png": png(5, 5)}, r"'dog/1.png': 5 × 5 pixels, but 'cat/1.png' has 4 × 4"),
        ({"cat/1.png": png(mode="RGBA"), "dog/1.png": png()}, "mode RGBA"),
        ({"cat/inner.zip": b"PK\x05\x06" + bytes(18)}, "not an image"),
        ({"cat/evil.pkl": pickle.dumps(Evil())}, "not an image"),
        ({"1.png": png()}, "files are in <class>/"),
        ({"a/b/c/d/1.png": png()}, "files are in <class>/"),
        ({"odd/cat/1.png": png(), "test/dog/1.png": png()}, "files are in <class>/"),
        ({}, "no images"),
    ],
)
def test_images_that_are_refused(tmp_path: Path, members: dict[str, bytes], said: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=said):
            read(archive(tmp_path / "a.zip", members))


def test_tables_that_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"

    def refused(said: str, **columns: Any) -> None:
        pq.write_table(pa.table(columns), path)
        with pytest.raises(DataError, match=said):
            read(path)

    refused("no column of images", picture=[png()], label=[0])
    refused("no column of labels", image=[png()], target=[0])
    refused("row 1: label -1", image=[png(), png()], label=[0, -1])
    refused("row 0: the label is None", image=[png(), png()], label=pa.array([None, 1], pa.int64()))
    refused("row 1: no image but NoneType", image=[png(), None], label=[0, 1])
    refused("row 0: no image but str", image=["/etc/passwd", "x"], label=[0, 1])
    refused("row 1: 3 pixels", image=[[1, 2, 3, 4], [1, 2, 3]], label=[0, 1])
    refused(r"\[0, 1\]: 256 is not", image=[[1, 256, 3, 4], [1, 2, 3, 4]], label=[0, 1])
    refused("no part is called 'nowhere'", image=[png()], label=[0], split=["nowhere"])
    path.write_bytes(b"PAR1" + bytes(64) + b"PAR1")
    with pytest.raises(DataError, match="not a Parquet file that can be read"):
        read(path)


def test_a_table_that_grows(tmp_path: Path) -> None:
    """One image of a dictionary, named by rows without end."""
    path = tmp_path / "a.parquet"
    image = pa.array([bytes(256 << 10)], pa.binary())
    rows = pa.DictionaryArray.from_arrays(pa.array(np.zeros(20_000, np.int32)), image)
    pq.write_table(pa.table({"image": rows, "label": np.zeros(20_000, np.int64)}), path, store_schema=False)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(DataError, match="unpacked, which is too much"):
        read(path)


def test_memory_that_is_not_given(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes more than 67108864 bytes of memory"), bounded(64 << 20):
        np.ones(256 << 20, np.uint8)
    assert np.ones(256 << 20, np.uint8)[5] == 1  # and it is given again


def test_links(tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "cats"
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "1.png").symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="has links in it"):
        read(folder)
    (tmp_path / "datasets" / "out").symlink_to("/etc")
    for path in ("datasets/out", "datasets/../datasets/cats", "../" + tmp_path.name):
        with pytest.raises(DataError, match="leads out of the data root"):
            source_of(tmp_path, DatasetRequest(name="a", path=path))
    with pytest.raises(DataError, match="not in the data root"):
        source_of(tmp_path, DatasetRequest(name="a", path="datasets/nowhere"))
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(DataError, match="not what was uploaded"):
        source_of(tmp_path, DatasetRequest(name="a", path="file", sha256="0" * 64))
