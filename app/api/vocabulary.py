"""The operations that genotypes name, and what they cost at a place. No I/O."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi import Path as UrlPath

from app.api.problems import not_found, unprocessable
from app.api.schemas.reference import (
    OperationCostView,
    OperationFieldView,
    OperationList,
    OperationOutputView,
    OperationView,
)
from app.architecture.vocabulary import CATALOGUE, DOMAINS, LETTERS, Operation, Place, Scalar, near, operation_of

router = APIRouter(prefix="/v1", tags=["reference"])

Name = Annotated[str, UrlPath(max_length=64, description="Name of the operation")]
Channels = Annotated[int | None, Query(ge=1, le=4096, description="C: channels of the input")]
OutputChannels = Annotated[
    int | None, Query(ge=1, le=4096, description="D: channels of the output; default: as many as come in")
]
Height = Annotated[int | None, Query(ge=1, le=1024, description="h: rows of the input; default: 32")]
Width = Annotated[int | None, Query(ge=1, le=1024, description="w: columns of the input; default: as many as rows")]
Stride = Annotated[
    int | None, Query(ge=1, le=16, description="s: stride; of a change of level, the factor; default: 1")
]
Affine = Annotated[bool | None, Query(description="Whether norms learn a scale and a shift; default: true")]
FieldValues = Annotated[
    list[str] | None,
    Query(max_length=8, description="`name=value` of a field that the name of a block does not say, such as `heads=8`"),
]


@router.get("/operations")
async def list_operations(
    domain: Annotated[str | None, Query(max_length=64, description="Only operations that this domain uses")] = None,
    family: Annotated[str | None, Query(max_length=64, description="Only operations of this family")] = None,
    channels: Channels = None,
    output_channels: OutputChannels = None,
    height: Height = None,
    width: Width = None,
    stride: Stride = None,
    affine: Affine = None,
) -> OperationList:
    """The vocabulary: what the operations in genotypes are, and what they cost; with `channels` in numbers."""
    place = place_of(channels, output_channels, height, width, stride, affine)
    found = [o for o in CATALOGUE.values() if domain in (None, *o.domains) and family in (None, o.family)]
    return OperationList(
        items=[operation_view(o, place) for o in found],
        letters=dict(LETTERS),
        domains=dict(DOMAINS),
    )


@router.get("/operations/{name}")
async def get_operation(
    name: Name,
    channels: Channels = None,
    output_channels: OutputChannels = None,
    height: Height = None,
    width: Width = None,
    stride: Stride = None,
    affine: Affine = None,
    field: FieldValues = None,
) -> OperationView:
    """One operation, or one that a name such as `mb4_k9_se` spells; with `channels` its costs in numbers."""
    operation = operation_of(name)
    if operation is None:
        raise not_found("operation", name, near(name))
    place = place_of(channels, output_channels, height, width, stride, affine, given_fields(operation, field or []))
    view = operation_view(operation, place)
    if place is not None and view.refusal is not None:
        at, rule = operation.refuses(place) or ("stride", "")
        value = {"channels": place.channels, "output_channels": place.width, "stride": place.stride}[at]
        raise unprocessable(f"/{at}", f"{value}: {operation.name} takes {rule}", value, (rule,))
    return view


def given_fields(operation: Operation, given: Sequence[str]) -> tuple[tuple[str, Scalar], ...]:
    """The fields of a block out of `name=value`; 422 where it has none of that name, or not with that value."""
    place = ("channels", "output_channels", "stride", "affine")
    own = {f.name: f for f in operation.fields if f.name not in place and not f.fixed}
    found: dict[str, Scalar] = {}
    for text in given:
        name, _, word = text.partition("=")
        if name not in own:
            raise unprocessable("/field", f"{operation.name} leaves no field {name!r} open", text, tuple(own))
        value, field = scalar(word), own[name]
        if (rule := field.refuses(value)) is not None:
            allowed = field.values or (f"{field.least:g}", f"{field.most:g}")
            raise unprocessable("/field", f"{name} of {operation.name} is {rule}, not {word!r}", text, allowed)
        found[name] = value
    return tuple(found.items())


def scalar(word: str) -> Scalar:
    """A word of a query as what it means: true or false, a number, or itself."""
    if word in ("true", "false"):
        return word == "true"
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


def place_of(
    channels: int | None,
    output_channels: int | None,
    height: int | None,
    width: int | None,
    stride: int | None,
    affine: bool | None,
    fields: tuple[tuple[str, Scalar], ...] = (),
) -> Place | None:
    """The place that is asked for; None where none is."""
    if channels is None:
        given = (("output_channels", output_channels), ("height", height), ("width", width), ("stride", stride))
        for name, value in given:
            if value is not None:
                raise unprocessable("/channels", f"{name}={value} is of a place: give its channels too")
        return None
    rows = 32 if height is None else height
    return Place(
        channels=channels,
        width=channels if output_channels is None else output_channels,
        size=(rows, rows if width is None else width),
        stride=1 if stride is None else stride,
        affine=affine is not False,
        fields=fields,
    )


def operation_view(operation: Operation, place: Place | None) -> OperationView:
    """An operation as it travels, with its costs at a place."""
    refused = None if place is None else operation.refuses(place)
    costs = None if place is None or refused is not None else cost_view(operation, place)
    return OperationView(
        name=operation.name,
        title=operation.title,
        family=operation.family,
        domain=operation.domain,
        domains=list(operation.domains),
        fields=[OperationFieldView.model_validate(asdict(field)) for field in operation.fields],
        spelling=operation.spelling,
        shape_rule=operation.shape_rule,
        params=operation.params,
        macs=operation.macs,
        activations=operation.activations,
        source=operation.source,
        cost=costs,
        refusal=None if refused is None else f"{refused[0]}: {refused[1]}",
    )


def cost_view(operation: Operation, place: Place) -> OperationCostView:
    """The costs of an operation at a place where it can stand."""
    params, macs, activations = operation.count(place)
    channels, rows, columns = operation.shape(place)
    return OperationCostView(
        params=params,
        macs=macs,
        activations=activations,
        output=OperationOutputView(channels=channels, height=rows, width=columns),
    )
