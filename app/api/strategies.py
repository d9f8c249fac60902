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

DARTS = StrategyView(
    name="darts",
    title="Differentiable search, first order: architecture parameters by gradient on images the weights do not see",
    draws="weights",
    paper="H. Liu, K. Simonyan and Y. Yang (2019), DARTS: Differentiable Architecture Search, arXiv:1806.09055",
    needs=[],
    parameters=[
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
    ],
)

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


STRATEGIES = [DARTS, *map(_discrete, DISCRETE_STRATEGIES.values())]
