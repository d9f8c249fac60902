"""How weights are drawn from α, and how they become a genotype again."""

import math
import random
from typing import Any

import pytest
import torch

from app.architecture import lower
from app.experiment import DATASETS
from app.space import Choice, Genotype, Grammar, SearchSpace, Subset, Value, compile_plan, one_of, record
from app.space.zoo import ZOO
from app.space.zoo.darts import darts
from workers.supernet.collapse import alarm, skip_share
from workers.supernet.discretise import decode, genotype_of, strengths
from workers.supernet.summary import decision_summaries, entropy, mean_entropy, trajectory_entry
from workers.supernet.weights import initial_alpha, relax, soft_weights, uniform_weights
from workers.training.determinism import generator

IMAGE = DATASETS["digits"].input
SPACES = {**ZOO, "darts with none": darts(none=True)}


def supernet(space: SearchSpace):
    return lower(space.grammar, space.skeletons["small"], IMAGE)


def near(plan, genotype: Genotype, relaxed) -> dict[str, torch.Tensor]:
    """Weights that lean to what a genotype chose, by decision."""
    read = plan.read(genotype)
    return {
        r.path: torch.tensor([0.9 if option in read.get(r.path, ()) else 0.01 for option in r.options]) for r in relaxed
    }


@pytest.mark.parametrize("name", SPACES)
def test_a_genotype_survives_relaxing_and_decoding(name: str) -> None:
    space = SPACES[name]
    relaxed = relax(space.plan, supernet(space).open)
    for genotype in space.plan.sample(random.Random(1), 20):
        weights = near(space.plan, genotype, relaxed)
        for r in relaxed:
            if r.rule == "present":  # members that were not chosen are undecided within: nothing leans there
                weights[r.path] = torch.ones(len(r.options))
        rule = "darts" if name == "darts" else "argmax"  # the DARTS rule would never take `none`
        assert genotype_of(space.plan, weights, rule) == genotype


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("rule", ["darts", "argmax"])
def test_any_weights_decode_to_a_member(name: str, rule) -> None:
    space = SPACES[name]
    relaxed = relax(space.plan, supernet(space).open)
    for seed in range(5):
        alpha = initial_alpha(relaxed, generator(seed, "alpha"), deviation=2.0)
        genotype = genotype_of(space.plan, soft_weights(relaxed, alpha), rule)
        assert space.plan.check(genotype) == ()
        assert space.plan.normalise(genotype) == genotype
    assert space.plan.check(genotype_of(space.plan, {}, rule)) == ()


def test_darts_relaxation_has_every_edge_and_softmax_operations() -> None:
    space = ZOO["darts"]
    relaxed = relax(space.plan, supernet(space).open)
    alpha = initial_alpha(relaxed, generator(0, "alpha"))
    weights = soft_weights(relaxed, alpha)
    edges = [r for r in relaxed if r.rule == "present"]
    operations = [r for r in relaxed if r.rule == "softmax"]
    # Node 2 has no choice of inputs; nodes 3, 4, 5 of two cells do. 2 + 3 + 4 + 5 edges a cell.
    assert sorted(r.path for r in edges) == [f"/{c}/node{n}" for c in ("normal", "reduce") for n in (3, 4, 5)]
    assert len(operations) == 28
    assert alpha.keys() == {r.path for r in operations}
    for r in edges:
        assert weights[r.path].tolist() == [1.0] * len(r.options)
    for r in operations:
        torch.testing.assert_close(weights[r.path], alpha[r.path].exp() / alpha[r.path].exp().sum())
        assert float(alpha[r.path].abs().max()) < 0.01


def reference_darts(weights: dict[str, dict[str, float]], nodes: int) -> dict[str, list[tuple[int, str]]]:
    """The rule of Liu et al. (2019), section 2.4, written anew: weights by "i->n", then by operation."""
    found = {}
    for n in range(2, 2 + nodes):
        best = {}
        for i in range(n):
            others = {o: w for o, w in weights[f"{i}->{n}"].items() if o != "none"}
            best[i] = max(others, key=lambda o: others[o])
        strongest = sorted(best, key=lambda i: -weights[f"{i}->{n}"][best[i]])[:2]
        found[f"node{n}"] = [(i, best[i]) for i in sorted(strongest)]
    return found


@pytest.mark.parametrize("seed", range(5))
def test_darts_rule_against_a_plain_one(seed: int) -> None:
    space = darts(none=True)
    relaxed = relax(space.plan, supernet(space).open)
    weights = soft_weights(relaxed, initial_alpha(relaxed, generator(seed, "alpha"), deviation=1.0))
    genotype = genotype_of(space.plan, weights, "darts")
    for cell in ("normal", "reduce"):
        options = {r.path: r.options for r in relaxed}
        edges = {
            f"{i}->{n}": dict(zip(options[path], weights[path].tolist(), strict=True))
            for n in range(2, 6)
            for i in range(n)
            for path in [f"/{cell}/node{n}/{i}/op"]
        }
        written = {n: [(e["input"], e["op"]) for e in edges_] for n, edges_ in genotype[cell].items()}
        assert written == reference_darts(edges, 4)


def test_rules_differ_in_none() -> None:
    space = darts(num_nodes=1, operations=("skip_connect", "max_pool_3x3"), none=True)
    paths = [f"/{c}/node2/{i}/op" for c in ("normal", "reduce") for i in (0, 1)]
    weights = {path: torch.tensor([0.8, 0.15, 0.05]) for path in paths}
    by_argmax, by_darts = (genotype_of(space.plan, weights, rule) for rule in ("argmax", "darts"))
    assert {e["op"] for e in by_argmax["normal"]["node2"]} == {"none"}
    assert {e["op"] for e in by_darts["normal"]["node2"]} == {"skip_connect"}


def test_none_is_kept_where_it_is_an_operation_like_others() -> None:
    plan = ZOO["nasbench201"].plan
    weights = {d.path: torch.tensor([0.9, 0.02, 0.02, 0.03, 0.03]) for d in plan.decisions()}
    assert set(genotype_of(plan, weights, "darts").values()) == {"none"}


def test_ties_go_to_the_first_option() -> None:
    plan = ZOO["darts"].plan
    genotype = genotype_of(plan, {}, "darts")
    assert [e["input"] for e in genotype["normal"]["node5"]] == [0, 1]
    assert {e["op"] for e in genotype["normal"]["node5"]} == {"max_pool_3x3"}


def test_bare_subsets_have_weights_of_their_own() -> None:
    grammar = Grammar({"root": record("bag", picks=Subset((Value("a"), Value("b"), Value("c")), 2))}, "root")
    plan = compile_plan(grammar)
    relaxed = relax(plan, {"/picks": None})
    assert [r.rule for r in relaxed] == ["sigmoid"]
    alpha = initial_alpha(relaxed, generator(0, "alpha"), deviation=0.0)
    assert soft_weights(relaxed, alpha)["/picks"].tolist() == pytest.approx([2 / 3] * 3)
    assert genotype_of(plan, {"/picks": torch.tensor([0.2, 0.9, 0.4])}, "argmax") == {"picks": ["b", "c"]}


def test_members_of_unlike_insides() -> None:
    """A subset's member is as strong as the strongest of what is decided within it, however deep."""
    deep = record(
        "edge",
        input=Value(1),
        body=Choice(
            (record("x", kind=Value("x"), op=one_of("none", "f")), record("y", kind=Value("y"), op=one_of("g", "h")))
        ),
    )
    flat = record("edge", input=Value(0), op=one_of("none", "f"))
    other = record("edge", input=Value(2), op=one_of("f", "g"))
    plan = compile_plan(Grammar({"root": record("n", node=Subset((flat, deep, other), 1))}, "root"))
    weights = {
        "/node": (1.0, 1.0, 1.0),
        "/node/0/op": (0.9, 0.1),
        "/node/1/body": (0.5, 0.5),
        "/node/1/body/x/op": (0.7, 0.3),
        "/node/1/body/y/op": (0.2, 0.8),
        "/node/2/op": (0.4, 0.6),
    }
    assert strengths(plan, weights, "darts")["/node"] == (0.1, 0.8, 0.6)
    assert strengths(plan, weights, "argmax")["/node"] == (0.9, 0.8, 0.6)
    assert decode(plan, weights, "darts")["/node"] == (1,)
    assert decode(plan, weights, "argmax")["/node"] == (0,)


def test_weights_that_do_not_fit_are_refused() -> None:
    plan = ZOO["nasbench201"].plan
    with pytest.raises(ValueError, match=r"/0->1: 2 weights for the options \['none'"):
        genotype_of(plan, {"/0->1": torch.ones(2)}, "argmax")
    with pytest.raises(ValueError, match=r"asks \['/nowhere'\], which are no decisions"):
        relax(plan, {"/nowhere": None})


def replaced(genotype: Any, op: str) -> Any:
    """A DARTS genotype with another operation on the third input of the normal cell's second node."""
    edges = [edge | {"op": op} if edge["input"] == 2 else edge for edge in genotype["normal"]["node3"]]
    return genotype | {"normal": genotype["normal"] | {"node3": edges}}


def test_entropy_and_margin() -> None:
    assert entropy([0.25] * 4) == pytest.approx(math.log(4))
    assert entropy([1.0, 0.0]) == 0.0
    assert entropy([3.0, 1.0]) == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    space = ZOO["darts"]
    relaxed = relax(space.plan, supernet(space).open)
    weights = {p: tuple(w.tolist()) for p, w in uniform_weights(relaxed, torch.zeros((), dtype=torch.float64)).items()}
    assert mean_entropy(relaxed, weights) == pytest.approx(math.log(7))
    weights["/normal/node3/2/op"] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.7, 0.3)
    weights["/normal/node3/0/op"] = (0.4, 0.2, 0.1, 0.1, 0.1, 0.1, 0.0)
    found = space.plan.normalise(space.plan.write(decode(space.plan, weights, "darts")))
    summaries = {s.path: s for s in decision_summaries(space.plan, relaxed, weights, "darts", found)}
    node = summaries["/normal/node3"]
    assert node.chosen == (0, 2)
    assert node.weights == pytest.approx((0.4, 1 / 7, 0.7))
    assert node.margin == pytest.approx(0.4 - 1 / 7)
    operation = summaries["/normal/node3/2/op"]
    assert (operation.chosen, operation.margin) == (("dil_conv_3x3",), pytest.approx(0.4))
    other = replaced(found, "dil_conv_5x5")  # as bounds may have it
    told = {s.path: s for s in decision_summaries(space.plan, relaxed, weights, "darts", other)}
    assert told["/normal/node3/2/op"].chosen == ("dil_conv_5x5",)
    assert told["/normal/node3/2/op"].margin == pytest.approx(-0.4)
    entry = trajectory_entry(space.plan, relaxed, weights, "darts", 3)
    assert entry["epoch"] == 3
    assert entry["weights"].keys() == {r.path for r in relaxed if r.rule == "softmax"}


def test_collapse_threshold_comes_from_the_space() -> None:
    space = ZOO["nasbench201"]
    # Exactly: at most five skips but for 1 of 15,625 cells; more than four for 25 of 15,625, which is above 1 in 1,000.
    assert alarm(space.plan).threshold == pytest.approx(5 / 6)
    every = {d.path: "skip_connect" for d in space.plan.decisions()}
    collapsed = space.plan.write({path: (op,) for path, op in every.items()})
    assert skip_share(space.plan, collapsed) == 1.0
    assert alarm(space.plan).rings(1.0)
    assert not alarm(space.plan).rings(0.5)
    # Two operations an edge: half of all genotypes' edges skip, and the threshold follows.
    tight = darts(operations=("skip_connect", "max_pool_3x3"))
    assert alarm(tight.plan).threshold > alarm(ZOO["darts"].plan).threshold
    without = darts(operations=("sep_conv_3x3", "max_pool_3x3"))
    assert alarm(without.plan).threshold == 0.0


def test_collapse_threshold_against_the_binomial() -> None:
    # 16 operations of a DARTS genotype, each a skip with probability 1/7, independently.
    tail, k = 1.0, -1
    while tail > 1e-3:
        k += 1
        tail -= math.comb(16, k) * (1 / 7) ** k * (6 / 7) ** (16 - k)
    assert alarm(ZOO["darts"].plan).threshold == pytest.approx(k / 16, abs=1 / 16 + 1e-9)
