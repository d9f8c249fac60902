"""The kernels as a shared library: compiled once for a machine, a version of torch and their own text."""

import fcntl
import hashlib
import platform
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch

HERE = Path(__file__).parent
SOURCES = ("branches.cpp", "sums.cpp", "pooling.cpp", "bindings_branches.cpp", "bindings_sums.cpp")
HEADERS = ("kernels.h", "lanes.h", "bindings.h")
COMPILERS = ("g++", "c++")
SECONDS = 600  # after which a compiler is given up


class BuildError(RuntimeError):
    """There are no kernels here; the message says why."""


def built(folder: Path, note: Callable[[str], None] = lambda text: None) -> Path:
    """The library within `folder`, compiled where it is not there yet; another process that compiles is waited for.

    Raises BuildError: no x86 processor with AVX2, no compiler, or it refused.
    """
    features = _features()
    if "avx2" not in features:
        raise BuildError(f"kernels are for x86 processors with AVX2; this is {platform.machine()}")
    compiler = next((found for name in COMPILERS if (found := shutil.which(name))), None)
    if compiler is None:
        raise BuildError(f"kernels need a compiler: one of {', '.join(COMPILERS)}")
    digest = hashlib.sha256(f"{torch.__version__} {' '.join(sorted(features))}".encode())
    for name in (*SOURCES, *HEADERS):
        digest.update((HERE / name).read_bytes())
    library = folder / digest.hexdigest()[:16] / "cellar.so"
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with (library.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not library.exists():
                started = time.monotonic()
                _compile(compiler, library)
                note(f"kernels were compiled in {time.monotonic() - started:.0f} s")
    except (OSError, subprocess.SubprocessError) as error:
        raise BuildError(f"kernels could not be kept in {folder}: {error}") from error
    return library


def _compile(compiler: str, library: Path) -> None:
    root = Path(torch.__file__).parent
    includes = [f"-isystem{root / 'include'}", f"-isystem{root / 'include/torch/csrc/api/include'}"]
    abi = f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"
    always = ["-std=c++20", "-march=native", "-fPIC", "-fopenmp", abi]
    running: list[tuple[Path, subprocess.Popen[str]]] = []
    for name in SOURCES:
        target = library.parent / f"{name}.o"
        # what only calls the kernels gains nothing from optimising, and takes longest
        wanted = ["-O1", *includes] if name.startswith("bindings") else ["-O3"]
        command = [compiler, *always, *wanted, "-c", str(HERE / name), "-o", str(target)]
        running.append((target, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)))
    failed: list[str] = []
    for _, process in running:
        try:
            said, _ = process.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            said, _ = process.communicate()
        if process.returncode:
            failed.append(said)
    if failed:
        raise BuildError(f"{compiler} refused: {failed[0][-500:]}")
    made = library.with_suffix(".new")
    objects = [str(target) for target, _ in running]
    link = [compiler, "-shared", "-o", str(made), *objects, f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu", "-fopenmp"]
    linked = subprocess.run(link, capture_output=True, text=True, timeout=SECONDS)
    if linked.returncode:
        raise BuildError(f"{compiler} could not link: {linked.stderr[-500:]}")
    made.rename(library)
    for target in objects:
        Path(target).unlink()


def _features() -> set[str]:
    """What the processor can do, by the kernel's account; empty where that has none."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return set()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return set(next((line for line in lines if line.startswith("flags")), "").partition(":")[2].split())
