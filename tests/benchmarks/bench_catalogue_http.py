"""The same questions as `bench_catalogue.py measure`, over HTTP with JSON: how long a caller waits for an answer.

Beside a service on the data root that `bench_catalogue.py generate` has filled, and nothing else:

    cellar up --data-dir /tmp/catalogue --workers 0 --port 8123
    python -m tests.benchmarks.bench_catalogue_http --api http://127.0.0.1:8123 [--rounds 40]
"""

import argparse
import time
from collections.abc import Mapping
from typing import Any

import httpx
import numpy as np

from app.space.zoo import ZOO
from tests.benchmarks.bench_catalogue import SPACES

Query = Mapping[str, str | int]


def questions(rng: np.random.Generator, client: httpx.Client) -> dict[str, tuple[str, Query]]:
    """Every kind of question, with filters and bounds that are drawn anew: by name its path and its query."""
    space, _, params, macs = SPACES[int(rng.integers(3))]
    small = {"max_params": int(np.exp(rng.uniform(np.log(params[0]), np.log(params[1]))) * 1e6)}
    cheap = {"max_macs": int(np.exp(rng.uniform(np.log(macs[0]), np.log(macs[1]))) * 1e6)}
    table = {"space": space, "dataset": "cifar10", "recipe": "standard-108", "split": "test", "kind": "trained"}
    top = table | {"sort": "-accuracy"}
    fronts = table | {"x": "macs", "y": "accuracy"}
    here = f"/v1/architectures/{some_architecture(rng, client, space)}"
    return {
        "newest of everything": ("/v1/evaluations", {}),
        "newest of a space": ("/v1/evaluations", {"space": space}),
        "newest within a bound": ("/v1/evaluations", table | small),
        "top 50 of a table": ("/v1/evaluations", top),
        "top 50 within max_params": ("/v1/evaluations", top | small),
        "top 50 within max_macs": ("/v1/evaluations", top | cheap),
        "top 50 within both": ("/v1/evaluations", top | small | cheap),
        "smallest 50 of a table": ("/v1/evaluations", table | {"sort": "params"}),
        "the second page of a table": ("/v1/evaluations", top | {"cursor": next_page(client, top)}),
        "evaluations of an architecture": (f"{here}/evaluations", {}),
        "front of macs": ("/v1/pareto", fronts),
        "front of macs within max_macs": ("/v1/pareto", fronts | cheap),
        "front of macs within max_params": ("/v1/pareto", fronts | small),
        "seeds of a table, summed up": ("/v1/evaluations/summary", table),
        "seeds of a space, summed up": ("/v1/evaluations/summary", {"space": space}),
        "architecture by its id": (here, {}),
        "smallest 50 architectures": ("/v1/architectures", {"space": space, "sort": "params"}),
        "neighbours with results": (neighbours_of(rng, client), {"dataset": "cifar10", "recipe": "standard-108"}),
    }


def some_architecture(rng: np.random.Generator, client: httpx.Client, space: str) -> str:
    """The id of one of the smallest of a space."""
    items = client.get("/v1/architectures", params={"space": space, "sort": "params", "limit": 200}).json()["items"]
    return items[int(rng.integers(len(items)))]["id"]


def next_page(client: httpx.Client, query: Query) -> str:
    """The cursor of the page after the first."""
    return client.get("/v1/evaluations", params=query).raise_for_status().json()["next"]


def neighbours_of(rng: np.random.Generator, client: httpx.Client) -> str:
    """The path of the neighbours of a member of NAS-Bench-201, all of which are catalogued."""
    space = ZOO["nasbench201"]
    body = {"space": space.name, "genotype": space.plan.unrank(int(rng.integers(space.plan.size)))}
    made: dict[str, Any] = client.post("/v1/architectures", json=body).raise_for_status().json()
    return made["links"]["neighbours"]


def main() -> None:
    """p50, p95 and the slowest of each question, in milliseconds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--api", default="http://127.0.0.1:8123", help="of the service")
    parser.add_argument("--rounds", type=int, default=40, help="how often each question is asked, each time another")
    given = parser.parse_args()
    rng, taken = np.random.default_rng(2), dict[str, list[float]]()
    with httpx.Client(base_url=given.api, timeout=60) as client:
        for number in range(given.rounds + 1):
            for name, (path, query) in questions(rng, client).items():
                began = time.perf_counter()
                answer = client.get(path, params=query)
                seconds = time.perf_counter() - began
                assert answer.status_code == 200, (name, answer.text)
                if number:  # the first round warms the service
                    taken.setdefault(name, []).append(1000 * seconds)
    print("| question | p50 ms | p95 ms | slowest ms |\n| --- | --- | --- | --- |")
    for name, times in taken.items():
        p50, p95 = np.percentile(times, [50, 95])
        print(f"| {name} | {p50:.1f} | {p95:.1f} | {max(times):.1f} |")


if __name__ == "__main__":
    main()
