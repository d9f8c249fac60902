"""What is fixed in a release: operations, strategies, data sets."""

from typing import Any, Literal

from pydantic import Field

from app.api.schemas.model import Output

Scalar = bool | int | float | str


class OperationFieldView(Output):
    """A field of an operation."""

    name: str = Field(description="Name of the field")
    meaning: str = Field(description="What it decides")
    unit: str = Field(description="Its unit; empty of words and of true or false")
    letter: str | None = Field(description="How formulas write it; null where none reads it")
    values: list[Scalar] = Field(description="The values it may have, where they can be listed; else empty")
    least: float | None = Field(description="The least number it may be, in its unit; null where values are listed")
    most: float | None = Field(description="The greatest number it may be, in its unit; null where values are listed")
    odd: bool = Field(description="Whether only odd numbers are allowed")
    default: Scalar | None = Field(
        description="What holds where none is given; null where it must be given, or follows"
    )
    fixed: bool = Field(description="Whether the name of the operation says it, so that it has one value only")


class OperationOutputView(Output):
    """The shape of one output."""

    channels: int = Field(description="D: channels")
    height: int = Field(description="H: rows")
    width: int = Field(description="W: columns")


class OperationCostView(Output):
    """What an operation costs at the place that was asked for, exactly."""

    params: int = Field(description="Learnable numbers")
    macs: int = Field(description="Multiply-adds of convolutions and linear maps for one sample")
    activations: int = Field(description="Numbers that convolutions and linear maps put out for one sample")
    output: OperationOutputView = Field(description="Shape of the output, in channels and places")


class OperationView(Output):
    """An operation of the vocabulary."""

    name: str = Field(description="Name, as grammars and genotypes write it")
    title: str = Field(description="What it is, in one line")
    family: str = Field(description="Operations that are built alike")
    domain: str = Field(description="The domain it was made for")
    domains: list[str] = Field(description="Every domain that uses it")
    fields: list[OperationFieldView] = Field(description="What parametrises it: its place, and what its name says")
    spelling: str = Field(description="How the names of a block spell its fields; empty of an operation with one name")
    shape_rule: str = Field(description="Shape of the output from the shape of the input")
    params: str = Field(description="Learnable numbers, as a formula")
    macs: str = Field(description="Multiply-adds for one sample, as a formula")
    activations: str = Field(
        description="Numbers that convolutions and linear maps put out for one sample, as a formula"
    )
    source: str = Field(description="Where it comes from")
    cost: OperationCostView | None = Field(
        description="Its costs at the place that was asked for; null where none was, or where it cannot stand there"
    )
    refusal: str | None = Field(description="Why it cannot stand at the place that was asked for; null where it can")


class OperationList(Output):
    """The vocabulary."""

    items: list[OperationView] = Field(description="The operations, by name")
    letters: dict[str, str] = Field(description="What the letters of shape rules and formulas mean")
    domains: dict[str, str] = Field(description="The domains, and what they use")


class CombinatorFieldView(Output):
    """A field of a record."""

    name: str = Field(
        description="Its name; `node*` stands for node1, node2, ..., `i->j` for 0->1, 0->2, ..., `*` alone for any name"
    )
    holds: str = Field(description="What it holds")
    required: bool = Field(description="Whether it must be there")


class CombinatorView(Output):
    """A record that a document may build."""

    builds: str = Field(description="The name that the record builds")
    family: str = Field(description="Family of the skeletons in which it stands")
    root: bool = Field(description="Whether a space may start with it")
    meaning: str = Field(description="What becomes of its fields")
    fields: list[CombinatorFieldView] = Field(description="Its fields")


class CombinatorList(Output):
    """What networks are put together from."""

    items: list[CombinatorView] = Field(description="The records, by family")


class ParameterView(Output):
    """A parameter of a strategy."""

    name: str = Field(description="Name, as POST /v1/searches accepts it: of members under `parameters`")
    values: list[Any] = Field(description="The values it may have, where they can be listed")
    least: int | None = Field(description="The least whole number it may be; null where it is none")
    most: int | None = Field(description="The greatest whole number it may be; null where it is none")
    default: Any = Field(description="The value it has where none is given; null where that depends on the space")
    description: str = Field(description="What it decides")


class NeedView(Output):
    """What a strategy needs of a search."""

    name: str = Field(description="Its name")
    meaning: str = Field(description="What must be so")


class StrategyView(Output):
    """A search strategy."""

    name: str = Field(description="Name of the strategy")
    title: str = Field(description="What it does, in one line")
    draws: Literal["weights", "members"] = Field(
        description="`weights` of one supernet's decisions, or `members` of the space for an evaluator to measure"
    )
    paper: str = Field(description="Where it was published")
    needs: list[NeedView] = Field(description="What a search must have; without it the search is refused")
    parameters: list[ParameterView] = Field(description="What can be chosen")


class StrategyList(Output):
    """The strategies."""

    items: list[StrategyView] = Field(description="All of them")
