"""Every method over the weights of one supernet on every space, through API, queue and worker: docs/supernets.md.

    python -m tests.benchmarks.measure_supernets            run all pairs on a service of its own, and tell
    python -m tests.benchmarks.measure_supernets --write    the same, into docs/supernets.md
    python -m tests.benchmarks.measure_supernets --space autodeeplab --method darts

A pair passes where its search takes a few steps from end to end and tells all that was asked of it: a valid genotype of
the space, finite losses, both networks trained from scratch; or every member measured with inherited weights. Where a
method has no meaning on a space the service refuses it before any work, with the reason that the table shows. Anything
else is a failure of the pair. What runs is shown, not what is found.
"""

import argparse
import io
import json
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.architecture import judge_of, task_of
from app.space import SearchSpace
from app.space.constraints import valid
from tests.benchmarks.measure_pairs import DOCS, TAUGHT_BY, Outcome, noted, registered, service, table, told, written
from tests.benchmarks.measure_pairs import faulty as faulty_discrete

GUIDE = DOCS / "supernets.md"
SECONDS = 900.0  # for one search
IMAGES = 16  # of each split
BATCH = 8
LARGER = 240  # of packaged data sets, which have more images
MEMBERS = 3  # that are measured with inherited weights

WEIGHTED = ("darts", "darts_second_order", "snas", "gdas", "drnas", "pc_darts", "enas")
SHARED: Mapping[str, tuple[str, str]] = {
    "spos": ("evolution", "uniform"),
    "random": ("random", "uniform"),
    "sandwich": ("random", "sandwich"),
}
"""Weights that are shared first, and searched then: strategy, and what the supernet learns from."""
METHODS = (*WEIGHTED, *SHARED)

RECIPE = {"epochs": 1, "batch_size": BATCH, "learning_rate": 0.05, "crop_padding": 0, "flip": False}
TRAINED = RECIPE | {"drop_path": 0.0, "cutout": 0, "auxiliary_weight": 0.0}


def few_images() -> bytes:
    """A data set of noise, 8 × 8 and grey, as .npz."""
    draw, arrays = np.random.default_rng(0), dict[str, Any]()
    for split in ("weights", "architecture", "selection", "test"):
        arrays[f"x_{split}"] = draw.integers(0, 256, (IMAGES, 8, 8), dtype=np.uint8)
        arrays[f"y_{split}"] = np.arange(IMAGES) % 4
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # pyright: ignore[reportUnknownMemberType]
    return buffer.getvalue()


def upload(client: httpx.Client) -> str:
    """Register that data set; its name."""
    answer = client.post(
        "/v1/datasets?name=few", content=few_images(), headers={"Content-Type": "application/x-npz"}
    ).raise_for_status()
    ended(client, answer.json()["id"]) if answer.status_code == 202 else None
    return "few"


def body(name: str, space: SearchSpace, method: str, few: str) -> dict[str, Any]:
    """A search of a few steps; networks that are no classifiers are taught by the packaged set of their task."""
    task = task_of(space.grammar)
    dataset, asked = TAUGHT_BY.get(task or "", few), dict[str, Any](space=name, device="cpu")
    batch = {"batch_size": BATCH if dataset == few else LARGER}
    recipe, trained = RECIPE | batch, TRAINED | batch
    if method in WEIGHTED:
        return asked | {"strategy": method, "dataset": dataset, "recipe": recipe, "retrain_recipe": trained}
    strategy, paths = SHARED[method]
    return asked | {
        "strategy": strategy,
        "parameters": {"population": 2, "tournament": 2} if strategy == "evolution" else {},
        "evaluator": {"kind": "inherited", "dataset": dataset, "recipe": recipe, "paths": paths},
        "objectives": [{"metric": "accuracy"}],
        "budget": MEMBERS,
    }


def paired(client: httpx.Client, name: str, space: SearchSpace, few: str, methods: Sequence[str]) -> Iterator[Outcome]:
    """The searches of a space, all of them submitted before the first is waited for."""
    asked = {method: client.post("/v1/searches", json=body(name, space, method, few)) for method in methods}
    for method, answer in asked.items():
        if answer.status_code == 202:
            yield finished(client, name, space, method, answer.json()["id"])
            continue
        errors = answer.json().get("errors", [])
        pointers = {error["pointer"] for error in errors}
        refused = answer.status_code == 422 and len(errors) == 1 and pointers <= {"/space", "/strategy"}
        reason = errors[0]["message"] if refused else f"{answer.status_code}: {answer.text[:300]}"
        yield Outcome(name, method, passed=refused, reason=reason, refused=refused)


def ended(client: httpx.Client, id: str) -> dict[str, Any]:
    """A job, once it is final or has taken too long."""
    deadline = time.monotonic() + SECONDS
    while True:
        job: dict[str, Any] = client.get(f"/v1/jobs/{id}").raise_for_status().json()
        if job["state"] in ("succeeded", "failed", "cancelled") or time.monotonic() > deadline:
            return job
        time.sleep(0.2)


def finished(client: httpx.Client, name: str, space: SearchSpace, method: str, id: str) -> Outcome:
    """Wait for a search, and judge what it did."""
    job = ended(client, id)
    if job["state"] != "succeeded":
        reason = json.dumps(job["error"])[:300] if job["error"] else f"{job['state']} after {SECONDS:g} s"
        return Outcome(name, method, passed=False, reason=reason)
    report = client.get(f"/v1/searches/{id}/report").json()["report"]
    made = client.get(f"/v1/searches/{id}/trajectory").json()["items"]
    if method in WEIGHTED:
        faults = list(faulty(space, report, made))
    else:
        faults = list(faulty_discrete(space, SHARED[method][0], report, made, budget=MEMBERS))
    return Outcome(name, method, passed=not faults, reason="; ".join(faults), seconds=job["result"]["seconds"])


def faulty(space: SearchSpace, report: Mapping[str, Any], made: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Everything that is wrong with a search over a supernet that succeeded."""
    if [entry["epoch"] for entry in made] != [1]:
        yield f"a trajectory of the epochs {[entry['epoch'] for entry in made]}"
    faults = space.plan.check(report["genotype"])
    if faults:
        yield f"what was found is no member: {faults[0]}"
    else:
        rank = space.plan.rank(report["genotype"])
        judges = [judge for judge in (valid(space), judge_of(space)) if judge is not None]
        if not all(judge(rank) for judge in judges):
            yield f"{rank} does not meet the constraints"
    measured = [report["supernet"], report["inherited"], report["retrained"]["test"]]
    if space.plan.size > 1:
        measured.append((report["baseline"] or {"test": {"percent": math.nan}})["test"])
    for one in measured:
        if not 0.0 <= one["percent"] <= 100.0:
            yield f"an accuracy of {one['percent']}"
    for decision in report["decisions"]:
        if not all(math.isfinite(weight) for weight in decision["weights"]):
            yield f"{decision['path']}: weights {decision['weights']}"


def main() -> None:
    """Run the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a service that runs; default: one of its own")
    parser.add_argument("--space", action="append", help="only this one; can be given again")
    parser.add_argument("--method", action="append", choices=METHODS, help="only this one; can be given again")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="bring docs/supernets.md up to date")
    given = parser.parse_args()
    started, outcomes, methods = time.monotonic(), list[Outcome](), given.method or METHODS
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="supernets-"))
        url = stack.enter_context(noted(given.url) if given.url else service(Path(folder), given.workers))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        few = upload(client)
        for name, space in registered(client).items():
            if given.space and name not in given.space:
                continue
            for one in paired(client, name, space, few, methods):
                outcomes.append(one)
                what = "refused" if one.refused else "passes" if one.passed else "FAILS"
                print(f"{name:24} {one.strategy:20} {what:8} {one.seconds:6.1f} s  {one.reason}", flush=True)
    failed = [one for one in outcomes if not one.passed]
    print(told(outcomes, time.monotonic() - started))
    if given.write:
        GUIDE.write_text(written(GUIDE.read_text(), table(outcomes)))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
