"""Checkpoints that somebody else has written: whatever is in them, it is refused and nothing of it is run."""

import json
import os
import pickle
import resource
import struct
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from app.architecture.source.pieces import READING
from workers.training import checkpoint
from workers.training.checkpoint import CheckpointError

RAN = Path(tempfile.gettempdir()) / f"cellar-test-pickle-{os.getpid()}"  # a folder that each payload makes


class Payload:
    def __reduce__(self) -> Any:
        return (os.mkdir, (str(RAN),))


def written(header: bytes, length: int | None = None, data: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def of_cellar(record: str, **tensors: Any) -> bytes:
    return written(json.dumps({"__metadata__": {"cellar": record}, **tensors}).encode())


def tensor(shape: list[int], start: int, end: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": shape, "data_offsets": [start, end]}


POISONED: dict[str, Callable[[], bytes]] = {
    "a pickle": lambda: pickle.dumps(Payload()),
    "nothing": lambda: b"",
    "a header of 2^60 bytes": lambda: written(b"{", 1 << 60),
    "a header of 90 MB that is not there": lambda: written(b"{", 90_000_000),
    "a deep header": lambda: written(b'{"a":' * 100_000 + b"0" + b"}" * 100_000),
    "a tensor of 2^60 numbers": lambda: of_cellar('{"format": 1}', a=tensor([1 << 60], 0, 1 << 62)),
    "a tensor that is not there": lambda: of_cellar('{"format": 1}', a=tensor([1_000_000_000], 0, 4_000_000_000)),
    "tensors that overlap": lambda: of_cellar('{"format": 1}', a=tensor([2], 0, 8), b=tensor([2], 4, 12)) + bytes(12),
    "a record that is no JSON": lambda: of_cellar("import os"),
    "a record that is no object": lambda: of_cellar("[1]"),
    "a deep record": lambda: of_cellar("[" * 100_000),
    "a record of another format": lambda: of_cellar('{"format": 999}'),
    "an integer of 5,000 digits": lambda: of_cellar('{"format": ' + "9" * 5_000 + "}"),
}


@pytest.mark.parametrize("name", POISONED)
def test_what_is_no_checkpoint_of_ours_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / "c.safetensors"
    file.write_bytes(POISONED[name]())
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    with pytest.raises(CheckpointError):
        checkpoint.load(file)
    assert time.process_time() - started < 1
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 128 * 1024  # KiB
    assert not RAN.exists()


@pytest.mark.parametrize("how", [{}, {"_use_new_zipfile_serialization": False}], ids=["zip", "legacy"])
def test_a_file_of_torch_with_a_payload_is_refused(tmp_path: Path, how: dict[str, bool]) -> None:
    file = tmp_path / "c.pt"
    torch.save({"weight": Payload()}, file, **how)
    with pytest.raises(CheckpointError):
        checkpoint.load(file)
    assert not RAN.exists()


def test_the_source_of_a_network_refuses_it_too(tmp_path: Path) -> None:
    """The file that users of the catalogue get reads files of torch, and runs nothing that they hold."""
    names: dict[str, Any] = {"torch": torch, "json": json, "re": __import__("re")}
    exec(READING, names)
    file = tmp_path / "c.pt"
    torch.save({"weight": Payload()}, file)
    with pytest.raises(pickle.UnpicklingError):
        names["read_weights"](file)
    assert not RAN.exists()
    torch.load(file, weights_only=False)
    RAN.rmdir()  # the payload works where it is let
