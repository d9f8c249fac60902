"""What is read from each format, and what becomes of it: splits, classes, normalisation, one file by its digest."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from app.experiment import SPLITS, Dataset, DatasetRequest
from workers.data import load
from workers.ingest import DataError, keep, opened, read_source

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (40, 5, 6, 3), dtype=np.uint8)
Y = np.arange(40) % 4


def never_stopped() -> None:
    return None


def made(root: Path, path: Path, **how: Any) -> Dataset:
    request = DatasetRequest(**{"name": "toy", "path": "-", **how})
    return keep(root, read_source(path, request, never_stopped), request, never_stopped)


def pixels_of(root: Path, dataset: Dataset) -> Any:
    assert dataset.stored is not None
    return opened(root, dataset.stored)


def saved(path: Path, **arrays: Any) -> Path:
    np.savez_compressed(path, **arrays)
    return path


def encoded(pixels: Any, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def sorted_images(pixels: Any) -> list[bytes]:
    return sorted(image.tobytes() for image in pixels)


def test_arrays_in_every_layout_are_the_same_data_set(tmp_path: Path) -> None:
    last = made(tmp_path, saved(tmp_path / "a.npz", x=X, y=Y))
    first = made(tmp_path, saved(tmp_path / "b.npz", images=X.transpose(0, 3, 1, 2), labels=Y.astype(np.float32)))
    wide = made(tmp_path, saved(tmp_path / "c.npz", x=X.astype(np.float64), y=Y[:, None]))
    said = made(tmp_path, saved(tmp_path / "d.npz", x=X, y=Y), layout="channels-last")
    assert last == first == wide == said
    assert last.splits == {"weights": 16, "architecture": 12, "selection": 4, "test": 8}
    assert (last.input.channels, last.input.height, last.input.width, last.num_classes) == (3, 5, 6, 4)
    pixels, labels = pixels_of(tmp_path, last)
    assert sorted_images(pixels) == sorted_images(X.transpose(0, 3, 1, 2))
    for image, label in zip(pixels, labels, strict=True):
        (at,) = np.flatnonzero((X.transpose(0, 3, 1, 2) == image).all(axis=(1, 2, 3)))
        assert Y[at] == label
    assert len(list((tmp_path / "images").iterdir())) == 1, "one content is one file"
    assert made(tmp_path, tmp_path / "a.npz", seed=1).stored != last.stored


def test_its_digests_and_its_statistics(tmp_path: Path) -> None:
    dataset = made(tmp_path, saved(tmp_path / "a.npz", x=X, y=Y))
    assert dataset.stored is not None
    file = tmp_path / "images" / f"{dataset.stored.digest}.safetensors"
    assert hashlib.sha256(file.read_bytes()).hexdigest() == dataset.stored.digest
    assert file.stat().st_size == dataset.stored.bytes
    pixels, _ = pixels_of(tmp_path, dataset)
    assert hashlib.sha256(pixels.tobytes()).hexdigest() == dataset.stored.pixels_digest
    fitted = pixels[:28].astype(np.float64) / 255
    assert dataset.stored.mean == pytest.approx(fitted.mean(axis=(0, 2, 3)))
    assert dataset.stored.deviation == pytest.approx(fitted.std(axis=(0, 2, 3)))
    assert load(dataset, tmp_path).normalisation("weights", "architecture").mean == pytest.approx(dataset.stored.mean)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DataError, match="the file is damaged"):
        load(dataset, tmp_path)
    file.unlink()
    with pytest.raises(DataError, match="cannot be read"):
        load(dataset, tmp_path)


def test_parts_that_are_given_stay_as_they_are(tmp_path: Path) -> None:
    parts = {
        f"{kind}_{split}": a[i * 10 : i * 10 + 10] for i, split in enumerate(SPLITS) for kind, a in (("x", X), ("y", Y))
    }
    dataset = made(tmp_path, saved(tmp_path / "a.npz", **parts))
    pixels, labels = pixels_of(tmp_path, dataset)
    assert np.array_equal(pixels, X.transpose(0, 3, 1, 2))
    assert np.array_equal(labels, Y)
    keras = saved(tmp_path / "b.npz", x_train=X[:30], y_train=Y[:30], x_test=X[30:], y_test=Y[30:])
    assert made(tmp_path, keras).splits == {"weights": 15, "architecture": 11, "selection": 4, "test": 10}
    sizes = {"weights": 12, "architecture": 12, "selection": 6}
    drawn = made(tmp_path, keras, sizes=sizes)
    assert drawn.splits == {**sizes, "test": 10}
    _, labels = pixels_of(tmp_path, drawn)
    assert np.bincount(labels[:12]).tolist() == [3, 3, 3, 3], "stratified"
    for wrong in ({"weights": 30}, {"weights": 10, "architecture": 10, "selection": 9}, {**sizes, "test": 10}):
        with pytest.raises(DataError, match="do not divide 30 images"):
            made(tmp_path, keras, sizes=wrong)
    with pytest.raises(DataError, match="no images for architecture, selection, test"):
        made(tmp_path, saved(tmp_path / "c.npz", x_weights=X, y_weights=Y))


def test_labels_that_leave_a_class_out(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no image has the label 1"):
        made(tmp_path, saved(tmp_path / "a.npz", x=X, y=Y * 2))
    with pytest.raises(DataError, match="all images have one label"):
        made(tmp_path, saved(tmp_path / "a.npz", x=X, y=Y * 0))
    with pytest.raises(DataError, match="too few to divide"):
        made(tmp_path, saved(tmp_path / "a.npz", x=X[:3], y=Y[:3]))


def test_images_in_folders_and_in_an_archive(tmp_path: Path) -> None:
    folder, path = tmp_path / "pets", tmp_path / "pets.zip"
    names = ("cat", "dog", "eel", "fox")
    with zipfile.ZipFile(path, "w") as archive:
        for i, (image, label) in enumerate(zip(X, Y, strict=True)):
            name = f"{'test' if i >= 30 else 'train'}/{names[label]}/{i:02}.png"
            archive.writestr(name, encoded(image))
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(encoded(image))
        archive.writestr("__MACOSX/train/cat/._00.png", b"litter")
    zipped, unpacked = made(tmp_path, path), made(tmp_path, folder)
    assert zipped == unpacked
    assert zipped.stored is not None
    assert zipped.stored.classes == names
    assert zipped.splits["test"] == 10
    pixels, labels = pixels_of(tmp_path, zipped)
    assert sorted_images(pixels[30:]) == sorted_images(X[30:].transpose(0, 3, 1, 2))
    assert sorted(labels[30:].tolist()) == sorted(Y[30:].tolist())


def test_grey_and_coloured_images_together(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    grey = X[..., 0]
    palette = Image.fromarray(grey[1]).convert("P")
    file = io.BytesIO()
    palette.save(file, "PNG")
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(8):
            archive.writestr(f"top/{'ab'[i % 2]}/{i}.png", encoded(X[i] if i == 5 else grey[i]))
        archive.writestr("top/a/p.png", file.getvalue())
        archive.writestr("top/b/j.JPEG", encoded(X[9], "JPEG"))
    dataset = made(tmp_path, path)
    assert (dataset.input.channels, dataset.num_classes) == (3, 2)
    pixels, _ = pixels_of(tmp_path, dataset)
    assert X[5].transpose(2, 0, 1).tobytes() in sorted_images(pixels)
    assert np.stack([grey[0]] * 3).tobytes() in sorted_images(pixels)


def test_tables_as_hugging_face_writes_them(tmp_path: Path) -> None:
    names = ["cat", "dog", "eel", "fox"]
    features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
    folder = tmp_path / "set" / "data"
    folder.mkdir(parents=True)
    for part, chosen in (("train", slice(0, 30)), ("test", slice(30, 40))):
        images = [{"bytes": encoded(image), "path": None} for image in X[chosen]]
        table = pa.table({"image": images, "label": Y[chosen]})
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
        pq.write_table(table, folder / f"{part}-00000-of-00001.parquet")
    dataset = made(tmp_path, tmp_path / "set")
    assert dataset.stored is not None
    assert dataset.stored.classes == tuple(names)
    pixels, labels = pixels_of(tmp_path, dataset)
    assert np.array_equal(pixels[30:], X[30:].transpose(0, 3, 1, 2))
    assert np.array_equal(labels[30:], Y[30:])
    (folder / "odd-00000.parquet").write_bytes((folder / "test-00000-of-00001.parquet").read_bytes())
    with pytest.raises(DataError, match="the name says no part"):
        made(tmp_path, tmp_path / "set")


def test_tables_of_pixels_with_names_and_parts(tmp_path: Path) -> None:
    grey, path = RNG.integers(0, 17, (16, 9)), tmp_path / "a.parquet"
    labels = ["even", "odd"] * 8
    split = [split for split in SPLITS for _ in range(4)]
    pq.write_table(pa.table({"pixels": list(grey), "label": labels, "split": split}), path)
    dataset = made(tmp_path, path, levels=16)
    assert dataset.stored is not None
    assert (dataset.stored.classes, dataset.stored.levels) == (("even", "odd"), 16)
    pixels, _ = pixels_of(tmp_path, dataset)
    assert np.array_equal(pixels, grey.reshape(16, 1, 3, 3))
    with pytest.raises(DataError, match="is not a whole number from 0 to 3"):
        made(tmp_path, path, levels=3)


def cifar(count: int, labels: int = 1) -> tuple[bytes, Any, Any]:
    pixels = RNG.integers(0, 256, (count, 3072), dtype=np.uint8)
    label = (np.arange(count) % 10).astype(np.uint8)
    coarse = [np.zeros_like(label)] * (labels - 1)
    return np.column_stack([*coarse, label, pixels]).tobytes(), pixels.reshape(-1, 3, 32, 32), label


def test_cifar_in_its_binary_version(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-bin"
    folder.mkdir()
    batches = [cifar(40) for _ in range(6)]
    for i, (content, _, _) in enumerate(batches[:5]):
        (folder / f"data_batch_{i + 1}.bin").write_bytes(content)
    (folder / "test_batch.bin").write_bytes(batches[5][0])
    (folder / "batches.meta.txt").write_text("\n".join(f"class{i}" for i in range(10)) + "\n\n")
    sizes = {"weights": 90, "architecture": 90, "selection": 20}
    dataset = made(tmp_path, folder, sizes=sizes)
    assert dataset.splits == {**sizes, "test": 40}
    assert dataset.stored is not None
    assert dataset.stored.classes[9] == "class9"
    pixels, labels = pixels_of(tmp_path, dataset)
    assert np.array_equal(pixels[200:], batches[5][1])
    assert np.array_equal(labels[200:], batches[5][2])
    assert sorted_images(pixels[:200]) == sorted_images(np.concatenate([p for _, p, _ in batches[:5]]))
    assert np.bincount(labels[:90]).tolist() == [9] * 10
    archive = tmp_path / "cifar-10-binary.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(folder, "cifar-10-batches-bin")
    assert made(tmp_path, archive, sizes=sizes) == dataset
    (folder / "data_batch_3.bin").write_bytes(batches[2][0][:-1])
    with pytest.raises(DataError, match=r"data_batch_3\.bin: 122919 bytes are no whole number of records of 3073"):
        made(tmp_path, folder)
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match=r"data_batch_3\.bin: is missing"):
        made(tmp_path, folder)


def test_cifar_100_takes_the_fine_label(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-100-binary"
    folder.mkdir()
    train, test = cifar(60, labels=2), cifar(20, labels=2)
    (folder / "train.bin").write_bytes(train[0])
    (folder / "test.bin").write_bytes(test[0])
    dataset = made(tmp_path, folder)
    _, labels = pixels_of(tmp_path, dataset)
    assert np.array_equal(labels[60:], test[2])


def test_cifar_in_its_python_version_is_never_read(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(b"\x80\x02}q\x00.")
    with pytest.raises(DataError, match="Python version is pickles, which are never read; give the binary one"):
        made(tmp_path, folder)


def test_a_tar_is_read_without_following_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    with tarfile.open(path, "w:gz") as file:
        for name, kind in (("test_batch.bin", tarfile.SYMTYPE), ("data_batch_1.bin", tarfile.LNKTYPE)):
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, "/etc/passwd"
            file.addfile(member)
    with pytest.raises(DataError, match=r"train\.bin: is missing"):
        made(tmp_path, path)
    with tarfile.open(path, "w:gz") as file:
        for i in range(80):
            file.addfile(tarfile.TarInfo(str(i)))
    with pytest.raises(DataError, match="more than 64 members"):
        made(tmp_path, path)
    path.write_bytes(gzip.compress(bytes(10)))
    with pytest.raises(DataError, match=r"a\.tar\.gz: cannot be read"):
        made(tmp_path, path)


def test_idx_files_as_mnist_has_them(tmp_path: Path) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    grey = X[..., 0]
    for prefix, chosen in (("train", slice(0, 30)), ("t10k", slice(30, 40))):
        images, labels = grey[chosen], Y[chosen].astype(np.uint8)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(
            struct.pack(">HBBIII", 0, 8, 3, *images.shape) + images.tobytes()
        )
        (folder / f"{prefix}-labels-idx1-ubyte.gz").write_bytes(
            gzip.compress(struct.pack(">HBBI", 0, 8, 1, len(labels)) + labels.tobytes())
        )
    dataset = made(tmp_path, folder)
    pixels, labels = pixels_of(tmp_path, dataset)
    assert np.array_equal(pixels[30:, 0], grey[30:])
    assert np.array_equal(labels[30:], Y[30:])


def test_what_is_no_format(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,2")
    with pytest.raises(DataError, match=r"a\.csv: neither NumPy arrays"):
        made(tmp_path, tmp_path / "a.csv")
    with pytest.raises(DataError, match="npz is read from one file"):
        made(tmp_path, tmp_path, format="npz")
