"""A worker on a host that is said to have GPUs: leases are accounted for as if it had one. No job computes there."""

import os

from workers import main

main.gpu_uuids = lambda: [f"GPU-{n}" for n in range(32)]  # a dead worker's is free again when its lease has run out

if __name__ == "__main__":
    os._exit(main.main())
