"""A disk that is soon full: a tmpfs of its own, which takes the right to mount."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(path: Path, *, kilobytes: int) -> Iterator[int]:
    """Mount a file system of so many kilobytes at a path whose content it hides; gives its size in bytes."""
    path.mkdir(exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=0777", "tmpfs", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk takes the right to mount: {mounted.stderr.strip()}")
    try:
        yield kilobytes * 1024
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)


def fill(path: Path) -> Path:
    """Fill the rest of the disk at a path with one file."""
    everything = path / "everything"
    with everything.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"\0" * 4096):
                pass
        except OSError:
            return everything
    raise AssertionError("a disk is never full?")
