"""`cellar data` on a catalogue of its own."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from app.catalogue import Database, audit, datasets
from app.cli import cli
from app.commands import data
from app.experiment import SpaceVersion, TrainingRecipe, TrainingRequest
from app.jobs import request_cancel, submit
from app.space import CellSkeleton

Cellar = Callable[..., Result]


@pytest.fixture
def run(database_url: str, redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cellar:
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("REDIS_URL", redis_url)
    monkeypatch.setenv("CELLAR_DATA_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return lambda *words: CliRunner().invoke(cli, ["data", *map(str, words)])


def toy(path: Path, seed: int = 0) -> Path:
    np.savez(path, x=np.random.default_rng(seed).integers(0, 256, (40, 4, 4), dtype=np.uint8), y=np.arange(40) % 2)
    return path


def test_add_list_and_remove(run: Cellar, tmp_path: Path, database: Database) -> None:
    images = tmp_path / "root" / "images"
    added = run("add", toy(tmp_path / "Toy.npz"), "--licence", "CC0", "--public")
    assert added.exit_code == 0, added.output
    assert added.output.startswith("toy@")
    assert run("add", tmp_path / "Toy.npz", "--name", "twin", "--owner", "ada").exit_code == 0
    listed = run("list").output
    assert "public of local" in listed
    assert "twin" not in listed, "it is private, of somebody else"
    refused = run("add", toy(tmp_path / "b.npz", 1), "--name", "toy")
    assert (refused.exit_code, "is another data set already" in refused.output) == (1, True)
    (kept, _) = sorted(images.iterdir(), key=lambda file: file.stat().st_mtime)

    with database.transaction() as session:
        row = datasets.owned(session, "local", "toy")
        assert row is not None
        request = TrainingRequest(
            space=SpaceVersion(name="darts", version=1, digest="0" * 64),
            document={},
            genotype=None,
            skeleton=CellSkeleton(channels=4, num_cells=3),
            dataset=row.dataset.reference,
            data=row.dataset,
            recipe=TrainingRecipe(name="test"),
        )
        job = submit(session, kind="training", request=asdict(request), owner="local", queue="cpu").job
    assert "is needed by a job that is not finished" in run("remove", "toy").output
    with database.transaction() as session:
        request_cancel(session, job.id)
    assert "its file is that of another data set too" in run("remove", "toy").output
    assert kept.exists()
    assert run("remove", "twin", "--owner", "ada").exit_code == 0
    assert not kept.exists()
    assert "has no data set 'toy'" in run("remove", "toy").output
    with database.transaction() as session:
        assert len(audit.listing(session, action="dataset.remove")) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("/nowhere/at-all.npz",), "is no file or folder here"),
        (("x", "--name", "A b"), "is not a name"),
        (("x", "--format", "gif"), "--format: Input should be 'npz'"),
        (("x", "--layout", "sideways"), "--layout: Input should be 'auto'"),
    ],
)
def test_what_is_refused(run: Cellar, words: tuple[str, ...], said: str) -> None:
    result = run("add", *words)
    assert result.exit_code == 1
    assert said in result.output


def test_fashion_mnist_comes_from_the_packages_folder(
    run: Cellar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "FASHION_MNIST", tmp_path / "packaged")
    assert "install Debian's package dataset-fashion-mnist" in run("add", "fashion_mnist").output
    (tmp_path / "packaged").mkdir()
    (tmp_path / "packaged" / "train-images-idx3-ubyte.gz").write_bytes(b"x")
    assert run("add", "fashion_mnist").exit_code == 0
    assert (tmp_path / "root" / "datasets" / "fashion_mnist" / "train-images-idx3-ubyte.gz").read_bytes() == b"x"
