"""Examples of the vocabulary: what an operation is, and what it costs at a place."""

from app.api.examples.example import Example, refused
from app.api.problems import not_found
from app.api.schemas.model import Output
from app.api.vocabulary import operation_view, place_of
from app.architecture.vocabulary import near, operation_of


def about_operations() -> tuple[Example, ...]:
    """Examples of the vocabulary."""
    return (
        Example(
            method="get",
            path="/v1/operations/{name}",
            name="at-a-place",
            summary="A separable convolution at 36 channels on 32x32 places",
            parameters={"name": "sep_conv_3x3", "channels": 36, "height": 32},
            reply=lambda: shown("sep_conv_3x3", 36, 32),
        ),
        Example(
            method="get",
            path="/v1/operations/{name}",
            name="spelt",
            summary="An inverted residual whose name spells its fields",
            parameters={"name": "mb4_k9_se", "channels": 24, "height": 56},
            reply=lambda: shown("mb4_k9_se", 24, 56),
        ),
        Example(
            method="get",
            path="/v1/operations/{name}",
            name="unknown",
            summary="A name that means nothing, and what is near it",
            status=404,
            parameters={"name": "sep_conv_3"},
            reply=refused(lambda: shown("sep_conv_3", 1, 1)),
        ),
    )


def shown(name: str, channels: int, height: int) -> Output:
    """The answer to a question about one operation."""
    operation = operation_of(name)
    if operation is None:
        raise not_found("operation", name, near(name))
    return operation_view(operation, place_of(channels, None, height, None, None, None))
