"""The search strategies as they are described: what each does, lets one choose, and needs."""

from collections.abc import Mapping

from app.api.schemas.reference import NeedView, ParameterView, StrategyView
from app.experiment import (
    DISCRETE_STRATEGIES,
    SEARCH_RECIPES,
    TRAINING_RECIPES,
    StrategyDeclaration,
    StrategyParameter,
)
from app.experiment.strategies import Need

OVER_SUPERNETS = [
    ParameterView(
        name="discretisation",
        values=["darts", "argmax"],
        least=None,
        most=None,
        default=None,
        description="`darts`: each node keeps the inputs with the strongest operations other than `none`; "
        "`argmax`: each decision keeps its strongest option. Default: `darts` where nodes choose among inputs",
    ),
    ParameterView(
        name="skeleton",
        values=[],
        least=None,
        most=None,
        default=None,
        description="Skeleton of the supernet: one of the space's names or an object. Default: by image size",
    ),
    ParameterView(
        name="recipe",
        values=sorted(SEARCH_RECIPES),
        least=None,
        most=None,
        default=None,
        description="Search recipe: a name, or every field that differs from the defaults. Default: the data set's",
    ),
    ParameterView(
        name="pressure",
        values=[],
        least=None,
        most=None,
        default=None,
        description="What expensive options cost while the search learns: a cost and its strength. Default: nothing",
    ),
    ParameterView(
        name="max_params",
        values=[],
        least=0,
        most=None,
        default=None,
        description="Learnable numbers of the genotype at most; so too `max_macs` and `max_latency_ms`. Default: any",
    ),
    ParameterView(
        name="retrain_skeleton",
        values=[],
        least=None,
        most=None,
        default=None,
        description="Skeleton of the discrete network that is trained from scratch. Default: by image size",
    ),
    ParameterView(
        name="retrain_recipe",
        values=sorted(TRAINING_RECIPES),
        least=None,
        most=None,
        default=None,
        description="Training recipe of that network and of the baseline. Default: the data set's",
    ),
    ParameterView(
        name="baseline",
        values=[True, False],
        least=None,
        most=None,
        default=True,
        description="Whether a random genotype of the space is trained under the same recipe",
    ),
    ParameterView(
        name="seeds",
        values=[],
        least=None,
        most=None,
        default=None,
        description="Seeds of the trainings from scratch, each of what was found and of another random genotype. "
        "Default: the search's",
    ),
    ParameterView(
        name="recompute",
        values=[True, False],
        least=None,
        most=None,
        default=False,
        description="Whether activations are computed again in the backward pass, which takes less memory",
    ),
]
"""What every search over a supernet lets one choose."""


def _over_supernet(name: str, title: str, paper: str) -> StrategyView:
    return StrategyView(name=name, title=title, draws="weights", paper=paper, needs=[], parameters=OVER_SUPERNETS)


DARTS = "H. Liu, K. Simonyan and Y. Yang (2019), DARTS: Differentiable Architecture Search, arXiv:1806.09055"

SUPERNETS = [
    _over_supernet(
        "darts",
        "Differentiable search, first order: architecture parameters by gradient on images the weights do not see",
        DARTS,
    ),
    _over_supernet(
        "darts_second_order",
        "The same, through one step of the weights; its second derivatives by a central difference",
        DARTS,
    ),
    _over_supernet(
        "snas",
        "Soft draws from the concrete distribution, whose temperature falls from 1 to 0.03",
        "S. Xie, H. Zheng, C. Liu and L. Lin (2019), SNAS: Stochastic Neural Architecture Search, arXiv:1812.09926",
    ),
    _over_supernet(
        "gdas",
        "Hard draws, one option a decision, with a straight-through gradient; the temperature falls from 10 to 0.1",
        "X. Dong and Y. Yang (2019), Searching for a Robust Neural Architecture in Four GPU Hours, arXiv:1910.04465",
    ),
    _over_supernet(
        "drnas",
        "Weights drawn from a Dirichlet distribution, kept near the uniform one",
        "X. Chen, R. Wang, M. Cheng, X. Tang and C.-J. Hsieh (2021), DrNAS: Dirichlet Neural Architecture Search, "
        "arXiv:2006.10355",
    ),
    _over_supernet(
        "pc_darts",
        "First-order DARTS in which operations see one channel in four, and the inputs of a node compete",
        "Y. Xu, L. Xie, X. Zhang, X. Chen, G.-J. Qi, Q. Tian and H. Xiong (2020), PC-DARTS: Partial Channel "
        "Connections for Memory-Efficient Architecture Search, arXiv:1907.05737",
    ),
    _over_supernet(
        "enas",
        "Members drawn by an LSTM that answers one decision after another, and learns by REINFORCE from the share of "
        "images that they answer rightly",
        "H. Pham, M. Y. Guan, B. Zoph, Q. V. Le and J. Dean (2018), Efficient Neural Architecture Search via Parameter "
        "Sharing, arXiv:1802.03268",
    ),
]

NEEDS: Mapping[Need, str] = {
    "one-objective": "One objective",
    "fidelities": "An evaluator with fidelities: epochs of a training, images that a member is judged on, or recipes "
    "of a table",
}


def _discrete(declared: StrategyDeclaration) -> StrategyView:
    return StrategyView(
        name=declared.name,
        title=declared.title,
        draws="members",
        paper=declared.paper,
        needs=[NeedView(name=need, meaning=NEEDS[need]) for need in declared.needs],
        parameters=[_parameter(declared, parameter) for parameter in declared.parameters],
    )


def _parameter(declared: StrategyDeclaration, parameter: StrategyParameter) -> ParameterView:
    greater = [f"; at most `{most}`" for least, most in declared.ascending if least == parameter.name]
    return ParameterView(
        name=parameter.name,
        values=[],
        least=parameter.least,
        most=parameter.most,
        default=parameter.default,
        description="".join([parameter.meaning, *greater]),
    )


STRATEGIES = [*SUPERNETS, *map(_discrete, DISCRETE_STRATEGIES.values())]
