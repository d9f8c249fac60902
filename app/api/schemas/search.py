"""Searches as they are asked for: which strategy is named decides what else there is to say."""

from typing import Annotated, Any, cast, get_args

from pydantic import BeforeValidator, Discriminator, Tag, ValidationError
from pydantic_core import InitErrorDetails

from app.api.schemas.discrete_search import DiscreteSearchBody, StrategyName
from app.api.schemas.experiment import SearchBody, SupernetStrategy

DARTS = "darts"
OVER_SUPERNETS = get_args(SupernetStrategy)
STRATEGIES = (*OVER_SUPERNETS, *get_args(StrategyName))


def strategy_in(body: object) -> object:
    """The strategy that a body names; where it names none, the one that shares weights."""
    if isinstance(body, dict):
        return cast("dict[str, Any]", body).get("strategy", DARTS)
    return getattr(body, "strategy", DARTS)


def named(body: object) -> object:
    """Refuse a strategy that there is not before anything else: what else is at fault depends on it."""
    strategy = strategy_in(body)
    if strategy not in STRATEGIES:
        fault: InitErrorDetails = {
            "type": "literal_error",
            "loc": ("strategy",),
            "input": strategy,
            "ctx": {"expected": ", ".join(map(repr, STRATEGIES))},
        }
        raise ValidationError.from_exception_data("search", [fault])
    return body


def family(body: object) -> str:
    """Tells the bodies apart."""
    return "supernet search" if strategy_in(body) in OVER_SUPERNETS else "discrete search"


SearchChoice = Annotated[
    Annotated[SearchBody, Tag("supernet search")] | Annotated[DiscreteSearchBody, Tag("discrete search")],
    Discriminator(family),
    BeforeValidator(named),
]
