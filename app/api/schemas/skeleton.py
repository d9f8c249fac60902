"""Skeletons and images as they are asked for. The bounds keep one question below a second of work."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin, get_type_hints

from pydantic import Discriminator, Field, Tag, create_model

from app.api.schemas.model import Input, name_or_object
from app.space import ImageInput, Skeleton
from app.space.skeleton import FAMILIES, Bounds
from app.space.skeleton.setting import NUMBERS


class ImageBody(Input):
    """One input image."""

    channels: int = Field(default=3, ge=1, le=256, description="Channels of the image")
    height: int = Field(default=32, ge=1, le=1024, description="Height in pixels")
    width: int = Field(default=32, ge=1, le=1024, description="Width in pixels")

    def image(self) -> ImageInput:
        """The domain's value."""
        return ImageInput(channels=self.channels, height=self.height, width=self.width)


class SkeletonFields(Input):
    """What the bodies of all families have in common; each has the fields that its dataclass declares."""

    def skeleton(self) -> Skeleton:
        """The domain's value."""
        fields: dict[str, Any] = self.model_dump()
        lists: dict[str, list[Any]] = {name: value for name, value in fields.items() if isinstance(value, list)}
        return FAMILIES[fields["family"]](**fields | {name: tuple(value) for name, value in lists.items()})


def _body(kind: type[Any]) -> type[SkeletonFields]:
    """The body of a family: its settings with their meaning and bounds."""
    types = get_type_hints(kind)
    fields: dict[str, Any] = {}
    for declared in dataclasses.fields(kind):
        wanted: Any = types[declared.name]
        default: Any = declared.default
        bounds: Bounds | None = declared.metadata.get("bounds")
        if bounds is None:  # the family itself: a request names it, a default would say nothing
            fields[declared.name] = (wanted, Field(description="Which family of skeletons"))
        elif get_origin(wanted) is tuple:
            item = _item(get_args(wanted)[0], bounds)
            fields[declared.name] = (
                list[item],
                Field(default=list(default), max_length=NUMBERS, description=bounds.meaning),
            )
        else:
            fields[declared.name] = (_item(wanted, bounds), Field(default=default, description=bounds.meaning))
    doc = (kind.__doc__ or "").strip()
    return create_model(f"{kind.__name__}Body", __base__=SkeletonFields, __module__=__name__, __doc__=doc, **fields)


def _item(wanted: Any, bounds: Bounds) -> Any:
    return Annotated[wanted, Field(ge=bounds.least, le=bounds.most)] if wanted in (int, float) else wanted


BODIES = tuple(_body(kind) for kind in FAMILIES.values())
globals().update({body.__name__: body for body in BODIES})  # where pickle looks for them: batches go to a process
if TYPE_CHECKING:
    SkeletonBody = SkeletonFields
else:
    SkeletonBody = Annotated[Union[BODIES], Field(discriminator="family")]  # noqa: UP007
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
SkeletonChoice = Annotated[
    Annotated[Name, Tag("name")] | Annotated[SkeletonBody, Tag("object")], Discriminator(name_or_object)
]
