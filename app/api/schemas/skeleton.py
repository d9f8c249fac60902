"""Skeletons and images as they are asked for. The bounds keep one question below a second of work."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from app.api.schemas.model import Input, name_or_object
from app.space import CellSkeleton, ChainSkeleton, EdgeCellSkeleton, ImageInput, Skeleton

Channels = Annotated[int, Field(ge=1, le=1024, description="Channels of the first cells or layers")]
Classes = Annotated[int, Field(ge=1, le=65_536, description="Number of classes of the classifier")]
Affine = Annotated[bool, Field(description="Learnable scale and shift in batch normalisation")]


class ImageBody(Input):
    """One input image."""

    channels: int = Field(default=3, ge=1, le=256, description="Channels of the image")
    height: int = Field(default=32, ge=1, le=1024, description="Height in pixels")
    width: int = Field(default=32, ge=1, le=1024, description="Width in pixels")

    def image(self) -> ImageInput:
        """The domain's value."""
        return ImageInput(channels=self.channels, height=self.height, width=self.width)


class CellSkeletonBody(Input):
    """Stacked cells as in DARTS: each reads the two before it; reductions at a third and two thirds of the depth."""

    family: Literal["cells"] = Field(description="Stacked cells")
    channels: Channels = 36
    num_cells: int = Field(default=20, ge=1, le=40, description="Number of cells")
    stem: Literal["cifar", "imagenet"] = Field(default="cifar", description="What comes before the first cell")
    stem_multiplier: int = Field(default=3, ge=1, le=16, description="Width of the CIFAR stem over `channels`")
    affine: Affine = True
    norm_after_pool: bool = Field(default=False, description="Batch normalisation after pooling, as DARTS searches")
    auxiliary: bool = Field(default=False, description="An auxiliary classifier after the second reduction")
    num_classes: Classes = 10

    def skeleton(self) -> Skeleton:
        """The domain's value."""
        return CellSkeleton(**self.model_dump())


class EdgeCellSkeletonBody(Input):
    """Three stages of one cell as in NAS-Bench-201, with residual reductions between them."""

    family: Literal["edge_cells"] = Field(description="Three stages of one cell")
    channels: Channels = 16
    num_cells: int = Field(default=5, ge=1, le=20, description="Number of cells of each stage")
    affine: Affine = True
    num_classes: Classes = 10

    def skeleton(self) -> Skeleton:
        """The domain's value."""
        return EdgeCellSkeleton(**self.model_dump())


class ChainSkeletonBody(Input):
    """A stem, one layer after another, a classifier."""

    family: Literal["chain"] = Field(description="A plain chain of layers")
    channels: Channels = 16
    reductions: list[Annotated[int, Field(ge=0, le=1000)]] = Field(
        default=[2, 5], max_length=8, description="Positions, from 0, at which the width doubles with stride 2"
    )
    affine: Affine = True
    num_classes: Classes = 10

    def skeleton(self) -> Skeleton:
        """The domain's value."""
        fields: dict[str, Any] = self.model_dump() | {"reductions": tuple(self.reductions)}
        return ChainSkeleton(**fields)


SkeletonBody = Annotated[CellSkeletonBody | EdgeCellSkeletonBody | ChainSkeletonBody, Field(discriminator="family")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
SkeletonChoice = Annotated[
    Annotated[Name, Tag("name")] | Annotated[SkeletonBody, Tag("object")], Discriminator(name_or_object)
]
