"""A search on Fashion-MNIST from end to end, and what it found beside random genotypes over several seeds.

    python -m tests.benchmarks.bench_found --strategy drnas

A service of its own; a subset of the images, drawn by their own splits and registered over HTTP; one search by
`POST /v1/searches` with `seeds`; its report. Accuracies are measured on this machine; with the same arguments, the same
processor and version of torch they are the same. The images are those of Debian's dataset-fashion-mnist, or of
`--folder`.
"""

import argparse
import io
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.experiment import DATASETS, SPLITS
from tests.benchmarks.measure_pairs import noted, service
from tests.benchmarks.measure_supernets import ended
from workers.data.fashion_mnist import load_idx_pair

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


def subset(folder: Path, images: int, judged: int) -> bytes:
    """The first of each split, in the splits' own order, as .npz."""
    whole = load_idx_pair(DATASETS["fashion_mnist"], folder)
    arrays: dict[str, Any] = {}
    for split in SPLITS:
        chosen = whole.indices[split][: images if split in ("weights", "architecture") else judged]
        arrays[f"x_{split}"] = whole.pixels[chosen, 0].numpy()
        arrays[f"y_{split}"] = whole.labels[chosen].numpy()
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # pyright: ignore[reportUnknownMemberType]
    return buffer.getvalue()


def asked(given: argparse.Namespace) -> dict[str, Any]:
    """The search."""
    small = {"family": "cells", "channels": given.channels, "num_cells": given.cells, "num_classes": 10}
    return {
        "space": "darts",
        "strategy": given.strategy,
        "dataset": "fashion-subset",
        "device": "cpu",
        "skeleton": small | {"affine": False, "norm_after_pool": True},
        "recipe": {
            "name": f"{given.strategy}-subset",
            "epochs": given.epochs,
            "batch_size": 64,
            "learning_rate": 0.05,
            "alpha_learning_rate": given.alpha_learning_rate,
            "alpha_warmup_epochs": 1,
            "crop_padding": 2,
        },
        "retrain_skeleton": small | {"auxiliary": False},
        "retrain_recipe": {
            "name": "subset",
            "epochs": given.trained_epochs,
            "batch_size": 64,
            "learning_rate": 0.05,
            "auxiliary_weight": 0.0,
            "drop_path": 0.0,
            "cutout": 0,
            "crop_padding": 2,
        },
        "seeds": given.seeds,
        "seed": given.seed,
    }


def main() -> None:
    """Search, and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--strategy", default="drnas")
    parser.add_argument("--folder", type=Path, default=DEBIAN)
    parser.add_argument("--images", type=int, default=1500, help="of `weights` and of `architecture`")
    parser.add_argument("--judged", type=int, default=2000, help="of `selection` and of `test`")
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--cells", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--alpha-learning-rate", type=float, default=0.02)
    parser.add_argument("--trained-epochs", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--url", help="of a service that runs; default: one of its own")
    parser.add_argument("--out", type=Path, help="write the report to this file as JSON")
    given = parser.parse_args()
    started = time.monotonic()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="found-"))
        url = stack.enter_context(noted(given.url) if given.url else service(Path(folder), 1))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=120))
        made = client.post(
            "/v1/datasets?name=fashion-subset",
            content=subset(given.folder, given.images, given.judged),
            headers={"Content-Type": "application/x-npz"},
        ).raise_for_status()
        if made.status_code == 202:
            ended(client, made.json()["id"])
        search = client.post("/v1/searches", json=asked(given))
        if search.status_code != 202:
            sys.exit(search.text)
        id = search.json()["id"]
        while (job := ended(client, id))["state"] not in ("succeeded", "failed", "cancelled"):
            pass
        if job["state"] != "succeeded":
            sys.exit(json.dumps(job["error"]))
        report = client.get(f"/v1/searches/{id}/report").raise_for_status().json()["report"]
    if given.out is not None:
        given.out.write_text(json.dumps(report, indent=1))
    print(f"{given.strategy}: {report['genotype']}")
    supernet, inherited = report["supernet"]["percent"], report["inherited"]["percent"]
    print(f"selection: supernet {supernet:.2f}, inherited {inherited:.2f}; skips {report['skip_share']:.0%}")
    for split, told in report["against_chance"].items():
        apart, test = told["difference"], told["test"]
        print(
            f"{split}: found {told['found']}, random {told['random']}, difference {apart['mean']:+.2f} points "
            f"({apart['low']:+.2f} to {apart['high']:+.2f}), p {test['p_value']:.3f}, "
            f"at least {test['least_p']:.3f}"
        )
    print(*report["notes"], sep="\n")
    print(f"{time.monotonic() - started:.0f} s in all")


if __name__ == "__main__":
    main()
