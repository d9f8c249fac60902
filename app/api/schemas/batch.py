"""Batches: many questions of one kind, answered in their order, a status each."""

from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from app.api.schemas.genotype import (
    CanonicalView,
    CostQuestion,
    CostView,
    DrawingView,
    GenotypeQuestion,
    NeighbourQuestion,
    NeighbourView,
    NetworkQuestion,
    Refusal,
    ValidationView,
)
from app.api.schemas.model import Input, Output
from app.api.schemas.space import SpaceIdentity
