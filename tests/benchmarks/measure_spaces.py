"""Train uniform samples of small spaces over HTTP, and keep what the catalogue then holds.

Cell or macro space, connectivity, operations: every group is a space on a skeleton whose width is chosen so that the
median member has as near as can be `PARAMS` learnable numbers; all share a recipe, a data set and seeds. The service
runs here, on engines of its own.

    python tests/benchmarks/measure_spaces.py --data DIRECTORY [--minutes 30]

It may be stopped and called again with the same directory: what was measured is not trained again. Groups take turns,
so that all of them have about the same number of members whenever it ends. `space_tables.py` makes tables of it.
"""

import argparse
import csv
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from app.settings import Settings
from app.supervisor import Service

Json = dict[str, Any]

OUT = Path(__file__).parents[2] / "docs" / "guides" / "measurements.json"
PARAMS = 20_000  # learnable numbers of the median member of every group
DATASET, SPLITS = "digits", ("test", "selection")
IMAGE = {"channels": 1, "height": 8, "width": 8}
RECIPE = {
    "name": "guides",
    "epochs": 6,
    "batch_size": 64,
    "learning_rate": 0.1,
    "warmup_epochs": 1,
    "drop_path": 0.0,
    "cutout": 0,
    "crop_padding": 1,
    "flip": False,
    "label_smoothing": 0.05,
}
SAMPLE_SEED, TRAINING_SEED = 2026, 0
REPEATED, OTHER_SEEDS = 6, (1, 2)  # members of one group that are trained again, to see what the seed alone does
SEEDED = "measured-residual"

MIXED = ["conv_1x1", "conv_3x3", "sep_conv_3x3", "avg_pool_3x3", "identity"]
OPERATION_SETS = {
    "plain": ["conv_1x1", "conv_3x3", "conv_5x5"],
    "plain-identity": ["conv_1x1", "conv_3x3", "conv_5x5", "identity"],
    "plain-pools": ["conv_1x1", "conv_3x3", "conv_5x5", "avg_pool_3x3", "max_pool_3x3"],
    "separable": ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3"],
    "separable-pools": ["sep_conv_3x3", "sep_conv_5x5", "dil_conv_3x3", "avg_pool_3x3", "max_pool_3x3"],
}
PATTERN_NODES = {
    "chain": 6,
    "residual": 6,
    "dense": 3,
    "dag": 3,
    "tree": 2,
}  # six operations in a cell; seven in a tree


@dataclass(frozen=True, slots=True)
class Group:
    """A space on a skeleton, and how many of its members are drawn."""

    space: str
    questions: tuple[str, ...]
    members: int
    skeleton: Callable[[int], Json]  # by width
    document: Json | None = None  # of a space that the service does not know


def free(name: str, body: Json, stages: int, cells: int) -> tuple[Json, Callable[[int], Json]]:
    """A document of one body, and its skeleton by width."""
    document = {
        "name": name,
        "input": IMAGE,
        "skeletons": {"small": {"family": "free", "channels": 8, "num_stages": stages, "num_cells": cells}},
        "grammar": {"start": "network", "rules": {"network": {"record": "free", "fields": {"body": body}}}},
    }
    return document, lambda width: {"family": "free", "channels": width, "num_stages": stages, "num_cells": cells}


def pattern(name: str, nodes: int, operations: list[str]) -> Json:
    return {"pattern": name, "nodes": nodes, "operations": operations}


def groups() -> Iterator[Group]:
    """Everything that is compared."""
    published: dict[str, Callable[[int], Json]] = {
        "darts": lambda w: {"family": "cells", "channels": w, "num_cells": 5, "stem_multiplier": 3},
        "nasbench201": lambda w: {"family": "edge_cells", "channels": w, "num_cells": 1},
        "nasbench_macro": lambda w: {
            "family": "mobile", "stem": w, "first": 0, "depths": [2, 3, 3], "widths": [w, 2 * w, 3 * w],
            "strides": [1, 2, 2], "activation": "relu", "stem_stride": 1, "head": 64,
        },
        "enas_macro": lambda w: {"family": "skips", "channels": w, "reductions": [4]},
    }  # fmt: skip
    for name, skeleton in published.items():
        yield Group(name, ("published",), 10, skeleton)

    # Twelve places in two stages: three decided and repeated four times, or all twelve decided.
    yield measured("cell", ("places",), 16, pattern("chain", 3, MIXED), stages=2, cells=2)
    stage = {"repeat": {"choice": MIXED}, "lengths": [6]}
    down = {"record": "apply", "fields": {"op": "conv_3x3", "stride": 2, "width": 2}}
    whole = {"record": "sequence", "fields": {"first": stage, "reduction": down, "second": stage}}
    yield measured("macro", ("places",), 16, whole, stages=1, cells=1)

    for name, nodes in PATTERN_NODES.items():
        yield measured(name, ("patterns",), 12, pattern(name, nodes, MIXED), stages=2, cells=1)
    for name, operations in OPERATION_SETS.items():
        yield measured(name, ("operations",), 12, pattern("dense", 3, operations), stages=2, cells=1)


def measured(name: str, questions: tuple[str, ...], members: int, body: Json, *, stages: int, cells: int) -> Group:
    document, skeleton = free(f"measured-{name}", body, stages, cells)
    return Group(document["name"], questions, members, skeleton, document)


class Client:
    """The service, asked for what must succeed."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=url, timeout=60)

    def get(self, path: str, **query: Any) -> Any:
        return self._answer(self._http.get(path, params=query))

    def post(self, path: str, body: Json) -> Any:
        return self._answer(self._http.post(path, json=body))

    def evaluations(self, **query: Any) -> Iterator[Json]:
        """Every evaluation, page by page."""
        cursor: dict[str, str] = {}
        while True:
            page = self.get("/v1/evaluations", limit=200, **query, **cursor)
            yield from page["items"]
            if page["next"] is None:
                return
            cursor = {"cursor": page["next"]}

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        if not response.is_success:
            raise RuntimeError(f"{response.request.method} {response.request.url}: {response.text}")
        return response.json()


@dataclass(frozen=True, slots=True)
class Drawn:
    """A group with the members that were drawn of it."""

    group: Group
    space: Json  # identity
    size: str
    width: int
    skeleton: Json
    indices: tuple[str, ...]
    genotypes: tuple[Any, ...]
    costs: tuple[Json, ...]


def drawn(client: Client, group: Group) -> Drawn:
    """Draw different members, and choose the width."""
    if group.document is not None:
        client.post("/v1/spaces", group.document)
    size = client.get(f"/v1/spaces/{group.space}/size")["raw"]["exact"]
    sample = client.post(f"/v1/spaces/{group.space}/sample", {"count": 4 * group.members, "seed": SAMPLE_SEED})
    items = list({item["index"]: item["genotype"] for item in sample["items"]}.items())[: group.members]
    genotypes = [genotype for _, genotype in items]

    def costs(width: int) -> list[Json]:
        asked = [
            {"genotype": g, "skeleton": group.skeleton(width) | {"num_classes": 10}, "input": IMAGE, "by_node": False}
            for g in genotypes
        ]
        answer = client.post(f"/v1/spaces/{group.space}/cost/batch", {"items": asked})
        return [item["answer"] for item in answer["items"]]

    def distance(width: int) -> float:
        return abs(median(cost["params"] for cost in costs(width)) - PARAMS)

    width = min(range(2, 49), key=distance)
    indices = tuple(index for index, _ in items)
    return Drawn(
        group,
        sample["space"],
        size,
        width,
        group.skeleton(width) | {"num_classes": 10},
        indices,
        tuple(genotypes),
        tuple(costs(width)),
    )


def trainings(samples: list[Drawn]) -> Iterator[tuple[Drawn, int, int]]:
    """(group, place of a member, seed): the groups in turn, the repeated seeds spread among them."""
    for place in range(max(len(d.indices) for d in samples)):
        for sample in samples:
            if place < len(sample.indices):
                yield sample, place, TRAINING_SEED
                if sample.group.space == SEEDED and place < REPEATED:
                    for seed in OTHER_SEEDS:
                        yield sample, place, seed


def train(client: Client, samples: list[Drawn], minutes: float) -> Mapping[tuple[str, str, int], str]:
    """Submit everything and wait; what has not begun in time is cancelled. The job of (space, index, seed)."""
    while left := client.get("/v1/jobs", state=["queued", "running"], limit=200)["items"]:
        for job in left:  # of a run that was cut off; what it had not finished is submitted again
            client.post(f"/v1/jobs/{job['id']}/cancel", {})
        time.sleep(1)
    jobs: dict[tuple[str, str, int], str] = {}
    for sample, place, seed in trainings(samples):
        asked = {
            "space": f"{sample.space['name']}@{sample.space['version']}",
            "genotype": sample.genotypes[place],
            "skeleton": sample.skeleton,
            "dataset": DATASET,
            "recipe": RECIPE,
            "seed": seed,
            "device": "cpu",
        }
        answer = client.post("/v1/trainings", asked)
        known = "job_id" in answer or "architecture_id" in answer
        jobs[sample.group.space, sample.indices[place], seed] = (
            answer["links"]["job"].rpartition("/")[2] if known else answer["id"]
        )
    ends = time.monotonic() + 60 * minutes
    waiting = list(dict.fromkeys(jobs.values()))  # in the order in which they are taken
    while waiting:
        state = client.get(f"/v1/jobs/{waiting[0]}")["state"]
        if state in ("succeeded", "failed", "cancelled"):
            del waiting[0]
            print(f"{len(jobs) - len(waiting)} of {len(jobs)}: {state}", flush=True)
        elif time.monotonic() < ends:
            time.sleep(2)
        else:
            for job in waiting:
                client.post(f"/v1/jobs/{job}/cancel", {})
            print(f"{len(waiting)} cancelled: the time is over", flush=True)
            break
    return jobs


def catalogue(client: Client, samples: list[Drawn], jobs: Mapping[tuple[str, str, int], str]) -> Json:
    """What the catalogue holds of these trainings, and where it comes from."""
    found: dict[tuple[str, str], Json] = {}
    for split in SPLITS:
        for row in client.evaluations(dataset=DATASET, recipe=RECIPE["name"], split=split, kind="trained"):
            found[row["links"]["job"].rpartition("/")[2], split] = row
    results: list[Json] = []
    for sample in samples:
        members: list[Json] = []
        for place, index in enumerate(sample.indices):
            for seed in (TRAINING_SEED, *OTHER_SEEDS):
                job = jobs.get((sample.group.space, index, seed), "")
                if (job, "test") in found:
                    test, selection = (found[job, split] for split in SPLITS)
                    members.append(
                        {
                            "index": index,
                            "seed": seed,
                            "params": test["params"],
                            "macs": test["macs"],
                            "depth": sample.costs[place]["depth"],
                            "test": test["accuracy"],
                            "selection": selection["accuracy"],
                            "loss": test["metrics"]["loss"],
                        }
                    )
        results.append(
            {
                "space": sample.space,
                "document": sample.group.document,
                "questions": list(sample.group.questions),
                "size": sample.size,
                "skeleton": sample.skeleton,
                "drawn": len(sample.indices),
                "members": members,
            }
        )
    rows = list(found.values())
    return {
        "provenance": {
            "dataset": DATASET,
            "test_images": int(next(r["metrics"]["images"] for r in rows if r["split"] == "test")),
            "recipe": RECIPE,
            "recipe_digest": one({row["recipe_digest"] for row in rows}),
            "sample_seed": SAMPLE_SEED,
            "training_seeds": [TRAINING_SEED, *OTHER_SEEDS],
            "device": one({row["device"] for row in rows}),
            "torch_version": one({row["torch_version"] for row in rows}),
            "code_version": one({row["code_version"] for row in rows}),
        },
        "groups": results,
    }


def one(values: set[str]) -> str:
    """The only value. Raises ValueError where results do not come from one place."""
    if len(values) != 1:
        raise ValueError(f"expected one value in all results, found {sorted(values)}")
    return values.pop()


def written(results: Json, path: Path) -> None:
    """JSON, and beside it a line a training as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    with path.with_suffix(".csv").open("w", newline="") as stream:
        lines = csv.writer(stream, lineterminator="\n")
        columns = ("index", "seed", "params", "macs", "depth", "test", "selection", "loss")
        lines.writerow(("space", *columns))
        for group in results["groups"]:
            for member in group["members"]:
                lines.writerow((group["space"]["name"], *(member[c] for c in columns)))


def main() -> None:
    """Run the service, train, read back."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="data root of the service; kept")
    parser.add_argument("--minutes", type=float, default=30.0, help="what has not begun by then is cancelled")
    parser.add_argument("--workers", type=int, default=1, help="worker processes")
    parser.add_argument("--out", type=Path, default=OUT, help="where the results go")
    parser.add_argument("--dry-run", action="store_true", help="draw and price, and train nothing")
    asked = parser.parse_args()
    settings = Settings(data_root=asked.data, port=0, workers=0 if asked.dry_run else asked.workers)
    with Service(settings, command="measure_spaces") as service:
        client = Client(service.url)
        samples = [drawn(client, group) for group in groups()]
        for s in samples:
            params, macs = (median(c[x] for c in s.costs) for x in ("params", "macs"))
            print(
                f"{s.group.space:26} width {s.width:2}  {params:9,.0f} params  {macs:11,.0f} MACs  of {s.size}",
                flush=True,
            )
        if not asked.dry_run:
            written(catalogue(client, samples, train(client, samples, asked.minutes)), asked.out)


if __name__ == "__main__":
    main()
