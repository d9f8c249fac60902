import gzip
import hashlib
import json
import struct
from pathlib import Path

import pytest
import torch

from app.experiment import DATASETS, SPLITS
from workers.data import DataError, load
from workers.data.digits import SHA256, read_digits
from workers.data.split import stratified
from workers.ingest.idx import read_idx

FASHION_PACKAGE = Path("/usr/share/datasets/fashion-mnist")  # where Debian's dataset-fashion-mnist puts its files


def idx(*extents: int, content: bytes | None = None, kind: int = 8) -> bytes:
    content = bytes(torch.Size(extents).numel()) if content is None else content
    return struct.pack(">HBB", 0, kind, len(extents)) + struct.pack(f">{len(extents)}I", *extents) + content


def fashion_files(folder: Path) -> None:
    """Synthetic files of the right extents; image i of a file is filled with its label, the labels cycle."""
    folder.mkdir(parents=True)
    for part, count in (("train", 60_000), ("t10k", 10_000)):
        labels = (torch.arange(count) % 10).to(torch.uint8)
        images = labels[:, None].expand(count, 28 * 28).contiguous()
        content = idx(count, 28, 28, content=images.numpy().tobytes())
        (folder / f"{part}-images-idx3-ubyte").write_bytes(content)
        (folder / f"{part}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(idx(count, content=labels.numpy().tobytes()))
        )


def test_digits_are_the_published_test_part() -> None:
    digits = load("digits")
    assert digits.pixels.shape == (1797, 1, 8, 8)
    assert digits.labels.bincount().tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (int(digits.pixels.min()), int(digits.pixels.max())) == (0, 16)
    # The first row of optdigits.tes, a zero.
    assert digits.pixels[0, 0, 0].tolist() == [0, 0, 5, 13, 9, 1, 0, 0]
    assert int(digits.labels[0]) == 0


def test_a_damaged_file_is_refused() -> None:
    with pytest.raises(DataError, match=f"expected {SHA256}"):
        read_digits(b"something else")


def test_splits_are_disjoint_complete_and_stratified() -> None:
    digits = load("digits")
    together = torch.cat([digits.indices[split] for split in SPLITS])
    assert sorted(together.tolist()) == list(range(1797))
    share = digits.labels.bincount() / 1797
    for split in SPLITS:
        indices = digits.indices[split]
        assert len(indices) == DATASETS["digits"].splits[split]
        counts = digits.labels[indices].bincount(minlength=10)
        assert (counts - share * len(indices)).abs().max() <= 2


def test_split_rule_by_hand() -> None:
    # SHA-256 of "toy:0" .. "toy:5" sorts the members of class 0 (0, 1, 2) and of class 1 (3, 4, 5).
    found = stratified("toy", [0, 0, 0, 1, 1, 1], {"weights": 2, "test": 4})
    first = [
        min(group, key=lambda i: hashlib.sha256(f"toy:{i}".encode()).hexdigest()) for group in ((0, 1, 2), (3, 4, 5))
    ]
    assert found["weights"].tolist() == sorted(first)
    with pytest.raises(DataError, match="5 images in all, but there are 6"):
        stratified("toy", [0, 0, 0, 1, 1, 1], {"weights": 5})


def test_splits_never_change() -> None:
    # A changed rule would make every stored accuracy incomparable, so its outcome is written down here.
    digits = load("digits")
    indices = json.dumps({split: digits.indices[split].tolist() for split in SPLITS})
    assert (
        hashlib.sha256(indices.encode()).hexdigest()
        == "16435658857208c9bd979632653165e60823e7d32f576c7d8a7d19952ab4199a"
    )


def test_normalisation_comes_from_the_splits_it_names() -> None:
    digits = load("digits")
    pixels, _ = digits.of("weights", "architecture")
    normalisation = digits.normalisation("weights", "architecture")
    assert normalisation.splits == ("weights", "architecture")
    assert normalisation.mean == pytest.approx([float(pixels.double().mean()) / 16])
    assert normalisation.deviation == pytest.approx([float(pixels.double().std(correction=0)) / 16])
    assert normalisation.mean != digits.normalisation("test").mean


def test_unknown_names_and_a_missing_root_are_said() -> None:
    with pytest.raises(DataError, match=r"no data set 'cifar'; there are \['digit_boxes', 'digit_scenes', 'digits', "):
        load("cifar")
    with pytest.raises(DataError, match="needs a data root"):
        load("fashion_mnist")
    with pytest.raises(DataError, match="has no split 'nonsense'"):
        load("digits").of("nonsense")  # pyright: ignore[reportArgumentType]


def test_fashion_mnist_from_idx_files(tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "fashion_mnist"
    fashion_files(folder)
    images = load("fashion_mnist", tmp_path)
    assert {split: len(images.indices[split]) for split in SPLITS} == dict(DATASETS["fashion_mnist"].splits)
    assert torch.equal(images.pixels[:, 0, 3, 5].long(), images.labels)
    assert images.indices["test"].tolist() == list(range(60_000, 70_000))
    for split in SPLITS:
        counts = images.labels[images.indices[split]].bincount()
        assert set(counts.tolist()) == {len(images.indices[split]) // 10}


def test_real_fashion_mnist_where_it_is_installed(tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "fashion_mnist"
    installed = FASHION_PACKAGE.is_dir()
    if installed:
        folder.parent.mkdir()
        folder.symlink_to(FASHION_PACKAGE)
    else:
        fashion_files(folder)
    images = load("fashion_mnist", tmp_path)
    assert images.labels.bincount().tolist() == [7000] * 10
    if installed:
        assert images.labels[:5].tolist() == [9, 0, 0, 3, 0]
        mean = images.pixels[:60_000].double().mean() / 255
        assert float(mean) == pytest.approx(0.2860, abs=1e-4)  # the figure that is commonly used


def test_missing_and_too_short_files_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "datasets" / "fashion_mnist"
    folder.mkdir(parents=True)
    with pytest.raises(DataError, match=r"neither train-images-idx3-ubyte nor train-images-idx3-ubyte\.gz is in"):
        load("fashion_mnist", tmp_path)
    (folder / "train-images-idx3-ubyte").write_bytes(idx(10, 28, 28))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(10))
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx(10, 28, 28))
    (folder / "t10k-labels-idx1-ubyte").write_bytes(idx(10))
    with pytest.raises(DataError, match="60000 images in all, but there are 10"):
        load("fashion_mnist", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes are too few"),
        (b"\x01\x00\x08\x01\x00\x00\x00\x00", "its first bytes are 0100"),
        (idx(2, kind=13), "IDX type 0x0d"),
        (idx(2, 2), "2 dimensions, expected 1"),
        (idx(2)[:6], "cut off within its header, after 6 of 8"),
        (idx(3)[:-1], "2 bytes of data, expected 3"),
        (idx(3) + b"\x00", "4 bytes of data, expected 3"),
        (gzip.compress(idx(300, content=bytes(range(250)) + bytes(50)))[:-12], "cannot be read"),
    ],
)
def test_idx_reader_is_strict(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "labels"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_idx(path, 1)


def test_idx_reader_reads_plain_and_compressed(tmp_path: Path) -> None:
    content = idx(2, 3, content=bytes(range(6)))
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "packed").write_bytes(gzip.compress(content))
    for name in ("plain", "packed"):
        assert read_idx(tmp_path / name, 2).tolist() == [[0, 1, 2], [3, 4, 5]]
    with pytest.raises(DataError, match="no such file"):
        read_idx(tmp_path / "absent", 2)
