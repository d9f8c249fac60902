"""Random changes of a whole batch at once, on the device that holds it.

Shapes: B images, C channels, H × W pixels. A value never depends on the batch's neighbours, only on the generator.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.experiment import SearchRecipe, TrainingRecipe
from workers.data.images import VOID, Normalisation


@dataclass(frozen=True, slots=True, kw_only=True)
class Augmentation:
    """What is done to training images: crop after padding, horizontal flip, cutout."""

    crop_padding: int = 0  # pixels of black around the image before a crop of its own size
    flip: bool = False
    cutout: int = 0  # side of the blanked square in pixels

    @classmethod
    def of(cls, recipe: TrainingRecipe | SearchRecipe) -> "Augmentation":
        """A recipe's augmentation."""
        return cls(crop_padding=recipe.crop_padding, flip=recipe.flip, cutout=recipe.cutout)


def normalised(pixels: Tensor, normalisation: Normalisation, levels: int) -> Tensor:
    """uint8 (B, C, H, W) to float32 (B, C, H, W) of zero mean and unit deviation on the splits that were measured."""
    mean = torch.tensor(normalisation.mean, device=pixels.device)[:, None, None]
    deviation = torch.tensor(normalisation.deviation, device=pixels.device)[:, None, None]
    return (pixels.float() / levels - mean) / deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """Where each image of a batch goes, and all that is labelled in it with it: moved, then mirrored."""

    right: Tensor | None  # int64 (B, 1), pixels to the right; None: nothing is moved
    down: Tensor | None
    mirrored: Tensor | None  # bool (B,)

    @classmethod
    def drawn(cls, batch: int, augmentation: Augmentation, generator: torch.Generator) -> "Movement":
        """By up to `crop_padding` pixels either way; mirrored left to right with probability 1/2, where it says so."""
        padding, device = augmentation.crop_padding, generator.device
        down = right = mirrored = None
        if padding:
            offsets = torch.randint(2 * padding + 1, (2, batch, 1), generator=generator, device=device)
            down, right = padding - offsets
        if augmentation.flip:
            mirrored = torch.rand(batch, generator=generator, device=device) < 0.5
        return cls(right=right, down=down, mirrored=mirrored)

    def of_maps(self, maps: Tensor, filling: int) -> Tensor:
        """(B, C, H, W) to the same, `filling` coming in."""
        if self.right is not None and self.down is not None:
            batch, _, height, width = maps.shape
            rows = torch.arange(height, device=maps.device) - self.down  # (B, H), whence each row comes
            columns = torch.arange(width, device=maps.device) - self.right  # (B, W)
            outside = ((rows < 0) | (rows >= height))[:, :, None] | ((columns < 0) | (columns >= width))[:, None, :]
            images = torch.arange(batch, device=maps.device)[:, None, None]
            there = rows.clamp(0, height - 1)[:, :, None], columns.clamp(0, width - 1)[:, None, :]
            maps = maps.permute(0, 2, 3, 1)[images, *there].permute(0, 3, 1, 2).contiguous()
            maps = maps.masked_fill(outside[:, None], filling)
        if self.mirrored is not None:
            maps = torch.where(self.mirrored[:, None, None, None], maps.flip(3), maps)
        return maps

    def of_boxes(self, boxes: Tensor, size: tuple[int, int]) -> Tensor:
        """(B, K, 5) to the same, on images of `size` (height, width): what sticks out is cut off.

        A place whose box has left the image altogether has no box.
        """
        height, width = size
        classes, left, top, right, bottom = boxes.unbind(2)
        if self.right is not None and self.down is not None:
            left, right = left + self.right, right + self.right
            top, bottom = top + self.down, bottom + self.down
        if self.mirrored is not None:
            here = self.mirrored[:, None]
            left, right = torch.where(here, width - right, left), torch.where(here, width - left, right)
        left, right = left.clamp(0, width), right.clamp(0, width)
        top, bottom = top.clamp(0, height), bottom.clamp(0, height)
        there = (classes != VOID) & (left < right) & (top < bottom)
        moved = torch.stack([classes, left, top, right, bottom], 2)
        return torch.where(there[..., None], moved, VOID)


def cropped(pixels: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) to the same: each image moved by up to `padding` pixels either way, black coming in."""
    return Movement.drawn(len(pixels), Augmentation(crop_padding=padding), generator).of_maps(pixels, 0)


def flipped(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) to the same: each image mirrored left to right with probability 1/2."""
    return Movement.drawn(len(pixels), Augmentation(flip=True), generator).of_maps(pixels, 0)


def cut_out(images: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) to the same: a square set to 0, its centre uniform over the image, what sticks out ignored.

    DeVries and Taylor (2017). Blanking comes after normalisation, so that it puts the mean there.
    """
    if side == 0:
        return images
    batch, _, height, width = images.shape
    y = torch.randint(height, (batch, 1), generator=generator, device=images.device)
    x = torch.randint(width, (batch, 1), generator=generator, device=images.device)
    rows = torch.arange(height, device=images.device) - y  # (B, H), distance from the centre
    columns = torch.arange(width, device=images.device) - x
    low, high = -(side // 2), side - side // 2
    inside = ((low <= rows) & (rows < high))[:, :, None] & ((low <= columns) & (columns < high))[:, None, :]
    return images.masked_fill(inside[:, None], 0.0)


def augmented(
    pixels: Tensor, augmentation: Augmentation, normalisation: Normalisation, levels: int, generator: torch.Generator
) -> Tensor:
    """uint8 (B, C, H, W) to float32 (B, C, H, W): cropped, flipped, normalised, cut out, in this order."""
    return augmented_and_moved(pixels, augmentation, normalisation, levels, generator)[0]


def augmented_and_moved(
    pixels: Tensor, augmentation: Augmentation, normalisation: Normalisation, levels: int, generator: torch.Generator
) -> tuple[Tensor, Movement]:
    """The same, and where the images went; a cutout moves nothing and leaves every label as it is."""
    movement = Movement.drawn(len(pixels), augmentation, generator)
    images = normalised(movement.of_maps(pixels, 0), normalisation, levels)
    return cut_out(images, augmentation.cutout, generator), movement
