"""Every discrete strategy on every space, through API, queue and worker: the table of docs/pairs.md.

    python tests/benchmarks/measure_pairs.py            run all pairs on a service of its own, and say what came of them
    python tests/benchmarks/measure_pairs.py --write    the same, into docs/pairs.md
    python tests/benchmarks/measure_pairs.py --url http://127.0.0.1:8000 --space darts

A pair passes where its search succeeds with all that was asked of it: every evaluation measured, every member valid and
within the space, none twice. Where it cannot run, the service has to refuse it before any work, at `/space`, and the
reason is the service's own. Anything else is a failure of the pair. Budgets are short: what runs is shown, not what is
found.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.architecture import judge_of, task_of
from app.experiment import DISCRETE_STRATEGIES
from app.listener import listen, url_of
from app.space import SearchSpace, space_from_json
from app.space.constraints import valid
from app.space.zoo import ZOO

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = DOCS / "pairs.md"
OWN = ("einspace", "genetic_cnn")
"""Spaces of users, as they register them: one that recurs, one of connection bits."""
SECONDS = 600.0  # for one search
BUDGET = 6
SHORT: Mapping[str, Mapping[str, int]] = {
    "random": {},
    "evolution": {"population": 3, "tournament": 2},
    "local_search": {"starts": 2},
    "bananas": {"initial": 3, "networks": 2, "candidates": 10, "chosen": 1},
    "nsga2": {"population": 3},
    "successive_halving": {"least": 4, "most": 8, "eta": 2},
}
"""Parameters under which a strategy does all that it does within so few evaluations."""

_TABLE = re.compile(r"(<!-- table: pairs -->\n).*?(<!-- end of table -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a pair."""

    space: str
    strategy: str
    passed: bool
    reason: str = ""  # why it was refused, or what failed
    refused: bool = False
    seconds: float = 0.0  # of the job


def own_spaces() -> dict[str, dict[str, Any]]:
    """Documents of users' spaces by name."""
    documents = [json.loads((DOCS / "spaces" / f"{name}.json").read_text()) for name in OWN]
    return {document["name"]: document for document in documents}


TAUGHT_BY = {"segmentation": "digit_scenes", "detection": "digit_boxes"}
"""The packaged data set of each task; networks without one are taught by `digits`."""


def body(name: str, space: SearchSpace, strategy: str) -> dict[str, Any]:
    """A short search by a zero-cost proxy that is finite on every network; NSGA-II seeks few MACs beside it."""
    dataset = TAUGHT_BY.get(task_of(space.grammar) or "", "digits")
    sought = [{"metric": "grad_norm"}, *([{"metric": "macs"}] if strategy == "nsga2" else [])]
    return {
        "space": name,
        "strategy": strategy,
        "parameters": dict(SHORT[strategy]),
        "objectives": sought,
        "evaluator": {"kind": "proxies", "dataset": dataset, "images": 8},
        "budget": BUDGET,
        "device": "cpu",
    }


def paired(client: httpx.Client, name: str, space: SearchSpace, strategies: Sequence[str]) -> Iterator[Outcome]:
    """The searches of a space, all of them submitted before the first is waited for."""
    asked = {strategy: client.post("/v1/searches", json=body(name, space, strategy)) for strategy in strategies}
    for strategy, answer in asked.items():
        if answer.status_code == 202:
            yield finished(client, name, space, strategy, answer.json()["id"])
            continue
        errors = answer.json().get("errors", [])
        refused = answer.status_code == 422 and [error["pointer"] for error in errors] == ["/space"]
        reason = errors[0]["message"] if refused else f"{answer.status_code}: {answer.text[:300]}"
        yield Outcome(name, strategy, passed=refused, reason=reason, refused=refused)


def finished(client: httpx.Client, name: str, space: SearchSpace, strategy: str, id: str) -> Outcome:
    """Wait for a search, and judge what it did."""
    deadline = time.monotonic() + SECONDS
    while (job := client.get(f"/v1/jobs/{id}").json())["state"] not in ("succeeded", "failed", "cancelled"):
        if time.monotonic() > deadline:
            return Outcome(name, strategy, passed=False, reason=f"{job['state']} after {SECONDS:g} s")
        time.sleep(0.2)
    if job["state"] != "succeeded":
        return Outcome(name, strategy, passed=False, reason=json.dumps(job["error"])[:300])
    report = client.get(f"/v1/searches/{id}/report").json()["report"]
    made = client.get(f"/v1/searches/{id}/trajectory").json()["items"]
    faults = list(faulty(space, strategy, report, made))
    return Outcome(name, strategy, passed=not faults, reason="; ".join(faults), seconds=job["result"]["seconds"])


def faulty(
    space: SearchSpace,
    strategy: str,
    report: Mapping[str, Any],
    made: Sequence[Mapping[str, Any]],
    budget: int = BUDGET,
) -> Iterator[str]:
    """Everything that is wrong with a search that succeeded."""
    if len(made) != report["evaluations"] or (len(made) < budget and not report["exhausted"]):
        yield f"{len(made)} of {budget} evaluations, {report['evaluations']} reported"
    yield from (f"evaluation {one['n']}: {one['failure']}" for one in made if one["values"] is None)
    measured = [(one["index"], one["fidelity"]) for one in made]
    if len(set(measured)) < len(measured):
        yield f"a member twice: {measured}"
    judges = [judge for judge in (valid(space), judge_of(space)) if judge is not None]
    for one in made:
        rank = int(one["index"])
        if not 0 <= rank < space.plan.size or space.plan.check(space.plan.unrank(rank)):
            yield f"{rank} is no member"
        elif not all(judge(rank) for judge in judges):
            yield f"{rank} does not meet the constraints"
    found = report["front"] if strategy == "nsga2" else [report["best"]]
    if not found or any(one is None or one["index"] not in {other["index"] for other in made} for one in found):
        yield f"what was found is not what was measured: {found}"


def registered(client: httpx.Client) -> dict[str, SearchSpace]:
    """Every published space, and the users' own, which are registered."""
    spaces = dict(ZOO)
    for name, document in own_spaces().items():
        answer = client.post("/v1/spaces", json=document)
        if answer.status_code not in (200, 201):
            raise SystemExit(f"{name}: {answer.status_code} {answer.text}")
        spaces[name] = space_from_json(document)
    return spaces


@contextmanager
def service(folder: Path, workers: int) -> Iterator[str]:
    """The whole service, and where it is."""
    listening = listen("127.0.0.1", 0, allow_open=False)
    url = url_of(listening)
    listening.close()
    command = ["up", "--port", url.rpartition(":")[2], "--data-dir", str(folder), "--workers", str(workers)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "app.cli", *command], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 120
        while not answers(url):
            if time.monotonic() > deadline or process.poll() is not None:
                raise SystemExit((folder / "up.log").read_text(errors="replace")[-4000:])
            time.sleep(0.2)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def answers(url: str) -> bool:
    """Whether the service is ready."""
    try:
        return httpx.get(f"{url}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def table(outcomes: Sequence[Outcome]) -> str:
    """A row a space, a column a strategy; below it each reason once."""
    strategies = list(dict.fromkeys(one.strategy for one in outcomes))
    reasons = list(dict.fromkeys(one.reason for one in outcomes if one.refused))
    rows = [f"| space | {' | '.join(f'`{name}`' for name in strategies)} |", "| --- |" + " --- |" * len(strategies)]
    for space in dict.fromkeys(one.space for one in outcomes):
        cells = [
            f"({reasons.index(one.reason) + 1})" if one.refused else "passes" if one.passed else "FAILS"
            for strategy in strategies
            for one in outcomes
            if (one.space, one.strategy) == (space, strategy)
        ]
        rows.append(f"| `{space}` | {' | '.join(cells)} |")
    told = [f"{number}. {reason}." for number, reason in enumerate(reasons, 1)]
    return "\n".join([*rows, "", *told])


def told(outcomes: Sequence[Outcome], seconds: float) -> str:
    """How many pairs pass, are refused, fail."""
    failed, refused = sum(not one.passed for one in outcomes), sum(one.refused for one in outcomes)
    passed = len(outcomes) - failed - refused
    return f"{len(outcomes)} pairs: {passed} pass, {refused} refused with a reason, {failed} fail; {seconds:.0f} s"


def written(guide: str, rows: str) -> str:
    """A guide with another table."""
    return _TABLE.sub(lambda match: f"{match[1]}{rows}\n{match[2]}", guide)


def main() -> None:
    """Run the pairs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="of a service that runs; default: one of its own")
    parser.add_argument("--space", action="append", help="only this one; can be given again")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="bring docs/pairs.md up to date")
    given = parser.parse_args()
    started, outcomes = time.monotonic(), list[Outcome]()
    with (
        tempfile.TemporaryDirectory(prefix="pairs-") as folder,
        service(Path(folder), given.workers) if not given.url else noted(given.url) as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        for name, space in registered(client).items():
            if given.space and name not in given.space:
                continue
            for one in paired(client, name, space, list(DISCRETE_STRATEGIES)):
                outcomes.append(one)
                what = "refused" if one.refused else "passes" if one.passed else "FAILS"
                print(f"{name:24} {one.strategy:20} {what:8} {one.seconds:6.1f} s  {one.reason}", flush=True)
    failed = [one for one in outcomes if not one.passed]
    print(told(outcomes, time.monotonic() - started))
    if given.write:
        GUIDE.write_text(written(GUIDE.read_text(), table(outcomes)))
    sys.exit(1 if failed else 0)


@contextmanager
def noted(url: str) -> Iterator[str]:
    """A service that somebody else runs."""
    yield url


if __name__ == "__main__":
    main()
