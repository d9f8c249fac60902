"""Discrete strategies as they are asked for: what each is called, needs, and lets one choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

DiscreteStrategyName = Literal["random", "evolution", "local_search", "bananas", "nsga2", "successive_halving"]
Need = Literal["one-objective", "fidelities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyParameter:
    """A whole number that decides how a strategy searches."""

    name: str
    default: int
    least: int
    most: int
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StrategyDeclaration:
    """A strategy, without what does it."""

    name: DiscreteStrategyName
    title: str
    paper: str
    parameters: tuple[StrategyParameter, ...] = ()
    needs: tuple[Need, ...] = ()
    ascending: tuple[tuple[str, str], ...] = ()  # parameters of which the first is at most the second

    def completed(self, given: Mapping[str, int]) -> dict[str, int]:
        """Every parameter, by default or as given.

        Raises KeyError of a name that there is not, ValueError of a number out of its bounds, or greater than another
        that it may not pass; its message starts with the parameter's name.
        """
        known = {parameter.name: parameter for parameter in self.parameters}
        for name, value in given.items():
            parameter = known[name]
            if not parameter.least <= value <= parameter.most:
                raise ValueError(f"{name} {value}: expected {parameter.least} to {parameter.most}")
        found = {name: given.get(name, parameter.default) for name, parameter in known.items()}
        for lesser, greater in self.ascending:
            if found[lesser] > found[greater]:
                name, other, bound = (lesser, greater, "most") if lesser in given else (greater, lesser, "least")
                raise ValueError(f"{name} {found[name]}: expected at {bound} the {other}, {found[other]}")
        return found


def _whole(name: str, default: int, least: int, most: int, meaning: str) -> StrategyParameter:
    return StrategyParameter(name=name, default=default, least=least, most=most, meaning=meaning)


DISCRETE_STRATEGIES: Mapping[str, StrategyDeclaration] = {
    declared.name: declared
    for declared in (
        StrategyDeclaration(
            name="random",
            title="Members uniform over the space",
            paper="L. Li and A. Talwalkar (2019), Random Search and Reproducibility for Neural Architecture Search, "
            "arXiv:1902.07638",
        ),
        StrategyDeclaration(
            name="evolution",
            title="Regularised evolution: mutants of the best of a tournament; the oldest member dies",
            paper="E. Real, A. Aggarwal, Y. Huang and Q. V. Le (2019), Regularized Evolution for Image Classifier "
            "Architecture Search, arXiv:1802.01548",
            parameters=(
                _whole("population", 20, 1, 10_000, "Members that live at a time; the paper's, for 20,000, is 100"),
                _whole("tournament", 10, 1, 10_000, "Members of which the best has a child; the paper's is 25"),
            ),
            needs=("one-objective",),
        ),
        StrategyDeclaration(
            name="local_search",
            title="Climbs to the first better neighbour, and starts anew on a summit",
            paper="C. White, S. Nolen and Y. Savani (2020), Exploring the Loss Landscape in Neural Architecture "
            "Search, arXiv:2005.02960",
            parameters=(_whole("starts", 10, 1, 10_000, "Random members of which a climb starts at the best"),),
            needs=("one-objective",),
        ),
        StrategyDeclaration(
            name="bananas",
            title="Bayesian optimisation: an ensemble of small networks predicts which mutants of the best are good",
            paper="C. White, W. Neiswanger and Y. Savani (2021), BANANAS: Bayesian Optimization with Neural "
            "Architectures for Neural Architecture Search, arXiv:1910.11858",
            parameters=(
                _whole("initial", 10, 2, 10_000, "Random members before the ensemble first learns"),
                _whole("networks", 5, 2, 20, "Networks of the ensemble"),
                _whole("candidates", 100, 1, 1_000, "Mutants of the best members that are predicted at a time"),
                _whole("chosen", 10, 1, 1_000, "Of these, members that are measured before the ensemble learns anew"),
            ),
            needs=("one-objective",),
            ascending=(("chosen", "candidates"),),
        ),
        StrategyDeclaration(
            name="nsga2",
            title="Evolution of several objectives: fronts one behind the other, and crowding within a front",
            paper="K. Deb, A. Pratap, S. Agarwal and T. Meyarivan (2002), A Fast and Elitist Multiobjective Genetic "
            "Algorithm: NSGA-II, doi:10.1109/4235.996017",
            parameters=(_whole("population", 20, 2, 1_000, "Members of a generation; the paper's is 100"),),
        ),
        StrategyDeclaration(
            name="successive_halving",
            title="Many members at a low fidelity, the better ones again at a higher one",
            paper="K. Jamieson and A. Talwalkar (2016), Non-stochastic Best Arm Identification and Hyperparameter "
            "Optimization, arXiv:1502.07943",
            parameters=(
                _whole("least", 1, 1, 100_000, "Fidelity of the first rung, in the evaluator's unit"),
                _whole("most", 27, 1, 100_000, "Fidelity that the last rung has at most"),
                _whole("eta", 3, 2, 100, "Of so many members one goes on, at so many times the fidelity"),
            ),
            needs=("one-objective", "fidelities"),
            ascending=(("least", "most"),),
        ),
    )
}
