"""Discrete strategies are what is declared of them, and are had without torch."""

import inspect
import subprocess
import sys

import pytest

from app.experiment import DISCRETE_STRATEGIES, DiscreteStrategyName, StrategyDeclaration
from app.space.zoo import ZOO
from workers.strategies.discrete import DISCRETE, DiscreteStrategy, Objective, Problem

every_strategy = pytest.mark.parametrize("name", list(DISCRETE))
ONE, TWO = (Objective("accuracy"),), (Objective("accuracy"), Objective("macs", "minimise"))


def declared(name: DiscreteStrategyName) -> StrategyDeclaration:
    return DISCRETE_STRATEGIES[name]


def made(name: DiscreteStrategyName, **given: int) -> DiscreteStrategy:
    return DISCRETE[name](problem(), **given)


def problem(objectives: tuple[Objective, ...] = ONE) -> Problem:
    return Problem(space=ZOO["nasbench201"], objectives=objectives, seed=0)


def test_discrete_strategies_are_imported_without_torch() -> None:
    code = "import sys, workers.strategies, workers.strategies.discrete; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "False"


def test_all_that_is_declared_is_there() -> None:
    assert list(DISCRETE) == list(DISCRETE_STRATEGIES)


@every_strategy
def test_parameters_and_defaults_are_as_declared(name: DiscreteStrategyName) -> None:
    found = list(inspect.signature(DISCRETE[name]).parameters.values())[1:]
    assert {p.name: p.default for p in found} == {p.name: p.default for p in declared(name).parameters}
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in found)
    assert made(name).state()["parameters"] == declared(name).completed({})
    assert made(name).state()["strategy"] == name


@every_strategy
def test_bounds_are_as_declared(name: DiscreteStrategyName) -> None:
    """What is within bounds can be made; what is below the least cannot."""
    for parameter in declared(name).parameters:
        greater = [b for a, b in declared(name).ascending if a == parameter.name]
        lesser = [a for a, b in declared(name).ascending if b == parameter.name]
        bounds = {p.name: p for p in declared(name).parameters}
        low = {parameter.name: parameter.least} | {a: bounds[a].least for a in lesser}
        high = {parameter.name: parameter.most} | {b: bounds[b].most for b in greater}
        for given in (low, high):
            made(name, **declared(name).completed(given))
        below = low | {parameter.name: parameter.least - 1}
        with pytest.raises(ValueError, match=f"{parameter.name} {parameter.least - 1}"):
            declared(name).completed(below)
        with pytest.raises(ValueError, match=f"{parameter.name} {parameter.least - 1}"):
            made(name, **below)


@every_strategy
def test_needs_are_as_declared(name: DiscreteStrategyName) -> None:
    if "one-objective" in declared(name).needs:
        with pytest.raises(ValueError, match=r"objectives: accuracy, macs; .* takes one"):
            DISCRETE[name](problem(TWO))
    else:
        DISCRETE[name](problem(TWO))
    fidelities = {proposal.fidelity for proposal in made(name).ask(3)}
    assert ("fidelities" in declared(name).needs) == (fidelities != {None})


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("successive_halving", {"least": 28}, "^least 28: expected at most the most, 27$"),
        ("successive_halving", {"most": 2, "least": 3}, "^least 3: expected at most the most, 2$"),
        ("bananas", {"candidates": 5}, "^candidates 5: expected at least the chosen, 10$"),
        ("evolution", {"population": 0}, "^population 0: expected 1 to 10000$"),
    ],
)
def test_what_does_not_fit_is_refused(name: DiscreteStrategyName, given: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        declared(name).completed(given)
    with pytest.raises(ValueError, match=next(iter(given))):
        made(name, **given)


def test_a_parameter_that_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError, match="populace"):
        declared("evolution").completed({"populace": 3})


def test_papers_are_given() -> None:
    assert all("arXiv:" in d.paper or "doi:" in d.paper for d in DISCRETE_STRATEGIES.values())
