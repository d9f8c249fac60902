"""Queries of floor 0, CPU microseconds each: the best of several rounds on one core.

Run it alone: python tests/benchmarks/bench_space.py
"""

import json
import time
from collections.abc import Callable, Iterator
from random import Random

from app.space import SearchSpace, compile_plan, grammar_from_json, grammar_to_json, space_size
from app.space.zoo import ZOO


def best(question: Callable[[], object], each: int = 1, rounds: int = 7, seconds: float = 0.05) -> float:
    """CPU microseconds a question takes, divided by `each`, in the fastest round."""
    question()
    started = time.process_time()
    question()
    calls = max(1, int(seconds / max(time.process_time() - started, 1e-7)))
    fastest = float("inf")
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(calls):
            question()
        fastest = min(fastest, (time.process_time() - started) / calls)
    return fastest / each * 1e6


def questions(space: SearchSpace) -> Iterator[tuple[str, float]]:
    """Every question about one space."""
    plan, rng = space.plan, Random(0)
    genotype = plan.sample(rng, 1)[0]
    text = json.dumps(genotype)
    broken = json.loads(text.replace("_3x3", "_4x4").replace('"input": 1', '"input": 9'))
    index, made, near = plan.rank(genotype), plan.read(genotype), len(list(plan.neighbours(genotype)))
    document = grammar_to_json(space.grammar)
    yield "rank", best(lambda: plan.rank(genotype))
    yield "all faults and rank, valid", best(lambda: (plan.check(genotype), plan.rank(genotype)))
    yield "all faults, broken", best(lambda: plan.check(broken))
    yield "repair, broken", best(lambda: plan.repair(broken))
    yield "unrank", best(lambda: plan.unrank(index))
    yield "sample, each of 1,000", best(lambda: plan.sample(rng, 1_000), each=1_000)
    yield "neighbours, each", best(lambda: list(plan.neighbours(genotype)), each=near)
    yield "read", best(lambda: plan.read(genotype))
    yield "write", best(lambda: plan.write(made))
    yield "json.loads, for comparison", best(lambda: json.loads(text))
    yield "read the grammar's document", best(lambda: grammar_from_json(document))
    yield "compile", best(lambda: compile_plan(space.grammar))
    yield "size, all equivalences", best(lambda: space_size(space), rounds=1)


def main() -> None:
    """Print one line a question and space."""
    print(f"{'space':12} {'question':34} {'us':>10}")
    for name, space in ZOO.items():
        for question, microseconds in questions(space):
            print(f"{name:12} {question:34} {microseconds:10.2f}", flush=True)


if __name__ == "__main__":
    main()
