"""Where randomness comes from: one seed, and a generator of its own for each use of chance.

Streams never share a generator, so drawing more in one (a data set grew, an operation was added) moves no other.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


def stream_seed(seed: int, *stream: object) -> int:
    """A 63-bit seed for one named use of chance, e.g. `stream_seed(seed, "order", epoch)`."""
    digest = hashlib.sha256("/".join(map(str, (seed, *stream))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(seed: int, *stream: object, device: torch.device | str = "cpu") -> torch.Generator:
    """A fresh generator for one named use of chance."""
    return torch.Generator(device=device).manual_seed(stream_seed(seed, *stream))


@contextmanager
def seeded(seed: int, *stream: object) -> Iterator[None]:
    """Within, torch's global CPU generator is seeded; afterwards it is as it was. For layers that initialise by it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, *stream))
        yield


@contextmanager
def deterministic(enabled: bool, *, strict: bool = True) -> Iterator[None]:
    """Within, torch chooses only algorithms that give the same bits on every run.

    An operation that has none raises; where `strict` is off it computes all the same, with torch's warning. (On CUDA
    the backward of max pooling has none in torch 2.13.)
    """
    if not enabled:
        yield
        return
    # cuBLAS reads this when its first handle is made; https://docs.nvidia.com/cuda/cublas/#results-reproducibility
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    benchmark = torch.backends.cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=not strict)
    torch.backends.cudnn.benchmark = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.backends.cudnn.benchmark = benchmark


def limit_threads(most: int = 8) -> int:
    """Sets torch's CPU threads: all cores this process may use but one, at least 1, at most `most`; returns how many.

    The core that is left is for the service beside it: an OpenMP team that has to share a core waits at every barrier,
    which once made a search four times slower. `OMP_NUM_THREADS`, where it is set, has been obeyed by torch already.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, min(most, len(os.sched_getaffinity(0)) - 1)))
    return torch.get_num_threads()
