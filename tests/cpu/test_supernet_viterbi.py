"""Paths through shared rules are decoded as a whole: against every path of a small trellis."""

from itertools import product
from math import prod
from random import Random

import pytest
import torch

from app.space import Choice, Grammar, Plan, Ref, SearchSpace, Value, compile_plan, one_of, record
from app.space.zoo import autodeeplab, darts
from workers.supernet.discretise import decode, genotype_of, plain
from workers.supernet.viterbi import onward


def weights(plan: Plan, seed: int) -> dict[str, torch.Tensor]:
    """Random weights of every decision, a softmax each."""
    generator = torch.Generator().manual_seed(seed)
    return {d.path: torch.randn(len(d.options), generator=generator).softmax(0) for d in plan.decisions()}


def weight_of(plan: Plan, genotype: object, given: dict[str, torch.Tensor]) -> float:
    """The product of the weights of the answers that a genotype gives."""
    options = {d.path: d.options for d in plan.decisions()}
    return prod(given[path][options[path].index(answer[0])].item() for path, answer in plan.read(genotype).items())


@pytest.mark.parametrize("fixed", [True, False])
def test_the_likeliest_path_is_found(fixed: bool) -> None:
    space: SearchSpace = autodeeplab(5, (4, 8, 16), fixed=fixed, num_blocks=1, operations=("none",))
    plan = space.plan
    greedy = 0
    for seed in range(12):
        given = weights(plan, seed)
        found = genotype_of(plan, given, "argmax")
        assert plan.check(found) == ()
        best = max(weight_of(plan, plan.unrank(i), given) for i in range(plan.size))
        assert weight_of(plan, found, given) == pytest.approx(best)
        alone = {d.path: (d.options[int(given[d.path].argmax())],) for d in plan.decisions()}
        greedy += weight_of(plan, plan.write(alone), given) < 0.999 * best
    assert greedy, "some seed leads choices that are taken one by one astray"


def test_without_shared_rules_every_choice_is_taken_alone() -> None:
    plan = darts().plan
    assert onward(plan, plain(weights(plan, 0))) == {}


def test_decisions_beside_the_path_count_too() -> None:
    """A rule that is reached by the lighter option decides something that is almost certain there."""
    rules = {
        "start": record("state", to=Choice((Ref("a", shared=True), Ref("b", shared=True)))),
        "a": record("state", level=Value(1), op=one_of("x", "y")),
        "b": record("state", level=Value(2), op=one_of("x", "y", "z")),
    }
    plan = compile_plan(Grammar(rules, "start"))
    given = {"/to": (0.55, 0.45), "@a/op": (0.5, 0.5), "@b/op": (0.01, 0.98, 0.01)}
    assert decode(plan, given, "argmax") == {"/to": (2,), "@a/op": ("x",), "@b/op": ("y",)}
    worth = {to * op for to, ops in zip(given["/to"], (given["@a/op"], given["@b/op"]), strict=True) for op in ops}
    assert max(worth) == 0.45 * 0.98


def test_what_weighs_nothing_is_never_on_the_path() -> None:
    plan = autodeeplab(3, (4, 8), num_blocks=1, operations=("none", "skip_connect")).plan
    rng = Random(0)
    for moves in product((4, 8), repeat=2):
        given = {d.path: tuple(rng.random() for _ in d.options) for d in plan.decisions()}
        given |= {path: tuple(float(o == moves[0]) for o in (4, 8)) for path in given if path == "@l1s4/next"}
        given |= {path: tuple(float(o == moves[1]) for o in (4, 8)) for path in given if path.startswith("@l2")}
        found = decode(plan, given, "argmax")
        assert found["@l1s4/next"] == (moves[0],)
        assert found[f"@l2s{moves[0]}/next"] == (moves[1],)
