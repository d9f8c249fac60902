"""Ids of the Hugging Face hub, with a library in its place: nothing is fetched here."""

import importlib.util
import io
import json
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from app.experiment import DatasetRequest
from workers.ingest import __main__ as command
from workers.ingest import hub

REQUEST = DatasetRequest(name="toy", path="someone/toy")


def parquet(folder: Path) -> None:
    images: list[dict[str, Any]] = []
    for i in range(20):
        file = io.BytesIO()
        Image.fromarray(np.full((4, 4), i, np.uint8)).save(file, "PNG")
        images.append({"bytes": file.getvalue(), "path": None})
    folder.mkdir(parents=True)
    for part in ("train", "test"):
        table = pa.table({"image": images, "label": np.arange(20) % 2})
        pq.write_table(table, folder / f"{part}-00000-of-00001.parquet")


def library(snapshot_download: Callable[..., str]) -> ModuleType:
    module = ModuleType(hub.LIBRARY)
    module.snapshot_download = snapshot_download  # pyright: ignore[reportAttributeAccessIssue]
    module.__spec__ = importlib.util.spec_from_loader(hub.LIBRARY, loader=None)
    return module


def test_an_id_is_fetched_by_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def snapshot_download(id: str, **how: Any) -> str:
        asked.append((id, how["repo_type"], how["allow_patterns"]))
        parquet(Path(how["local_dir"]) / "data")
        return how["local_dir"]

    monkeypatch.setitem(sys.modules, hub.LIBRARY, library(snapshot_download))
    dataset = command.made("someone/toy", tmp_path, REQUEST)
    assert asked == [("someone/toy", "dataset", ["*.parquet"])]
    assert dataset.splits == {"weights": 10, "architecture": 7, "selection": 3, "test": 20}


def test_what_the_library_refuses_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(id: str, **how: Any) -> str:
        raise ConnectionError("no route to the hub")

    monkeypatch.setitem(sys.modules, hub.LIBRARY, library(snapshot_download))
    with pytest.raises(hub.DataError, match="'someone/toy' cannot be fetched: no route to the hub"):
        command.made("someone/toy", tmp_path, REQUEST)


def test_without_the_library_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(hub.DataError, match="install huggingface_hub, or give the folder"):
        command.made("someone/toy", tmp_path, REQUEST)
    with pytest.raises(hub.DataError, match="no file or folder here, and no id"):
        command.made("nowhere", tmp_path, REQUEST)


def test_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def run(source: Path) -> int:
        asked = {"source": str(source), "data_root": str(tmp_path), "request": asdict(REQUEST)}
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(asked)))
        return command.main()

    parquet(tmp_path / "set")
    assert run(tmp_path / "set") == 0
    assert json.loads(capsys.readouterr().out)["num_classes"] == 2
    (tmp_path / "empty").mkdir()
    assert run(tmp_path / "empty") == 1
    assert "there are no images" in capsys.readouterr().err
