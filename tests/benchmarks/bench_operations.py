"""Do MACs predict time? The eight operations of DARTS at 16 channels and 32x32 pixels, forward and backward.

    python tests/benchmarks/bench_operations.py [--batch 64] [--rounds 15] [--threads 1] [--device cpu]

Measured by the code that profiles jobs run: interleaved rounds, medians. Beside each latency what it is of a skip's.
"""

import argparse
from typing import Any

from app.experiment import ProfiledOperation, ProfileRequest
from app.experiment.ranks import kendall, spearman
from workers import profile

OPERATIONS = (
    "none",
    "skip_connect",
    "max_pool_3x3",
    "avg_pool_3x3",
    "sep_conv_3x3",
    "sep_conv_5x5",
    "dil_conv_3x3",
    "dil_conv_5x5",
)


class Unattended:
    """Nobody waits for the job's progress, and nothing of it is kept."""

    def resume(self) -> None:
        return None

    def should_stop(self) -> None:
        return None

    def report(self, *args: Any, **named: Any) -> None:
        pass

    def checkpoint(self, *args: Any) -> None:
        pass

    def note(self, text: str) -> None:
        print(text)


def main() -> None:
    """Print one line an operation, then the correlations."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    asked = parser.parse_args()
    request = ProfileRequest(
        operations=tuple(
            ProfiledOperation(operation=name, channels=16, width=16, size=(32, 32)) for name in OPERATIONS
        ),
        batch_size=asked.batch,
        direction="forward+backward",
        rounds=asked.rounds,
        threads=asked.threads if asked.device == "cpu" else None,
        device=asked.device,
        entries=False,
    )
    progress: Any = Unattended()
    found = profile.run(request, progress).profiles
    skip = next(p.median_ms for p in found if p.operation == "skip_connect")
    first = found[0]
    print(f"{first.device}, {first.threads} threads, torch {first.torch_version}, batch {first.batch_size}")
    print(f"{'operation':14} {'ms':>9} {'quartiles':>19} {'of a skip':>10} {'MACs':>10} {'params':>7} {'peak MiB':>9}")
    for p in found:
        peak = "-" if p.peak_memory_bytes is None else f"{p.peak_memory_bytes / 2**20:.1f}"
        quartiles = f"{p.q1_ms:.3f} to {p.q3_ms:.3f}"
        times = f"{p.median_ms:9.3f} {quartiles:>19} {p.median_ms / skip:10.1f}"
        print(f"{p.operation:14} {times} {p.macs:10,} {p.params:7,} {peak:>9}")
    for label, rows in (("all", found), ("those that multiply", [p for p in found if p.macs])):
        macs, ms = [float(p.macs) for p in rows], [p.median_ms for p in rows]
        tau, rho = kendall(macs, ms), spearman(macs, ms)
        print(f"MACs and time, {label}: Kendall's tau-b {tau:.2f}, Spearman's rho {rho:.2f}, n {len(rows)}")


if __name__ == "__main__":
    main()
