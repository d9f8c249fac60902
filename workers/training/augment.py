"""Random changes of a whole batch at once, on the device that holds it.

Shapes: B images, C channels, H × W pixels. A value never depends on the batch's neighbours, only on the generator.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from app.experiment import SearchRecipe, TrainingRecipe
from workers.data.images import Normalisation


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


def cropped(pixels: Tensor, padding: int, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) to the same: each image moved by up to `padding` pixels either way, black coming in."""
    if padding == 0:
        return pixels
    batch, _, height, width = pixels.shape
    padded = torch.nn.functional.pad(pixels, (padding,) * 4)
    top, left = torch.randint(2 * padding + 1, (2, batch, 1), generator=generator, device=pixels.device)
    rows = (top + torch.arange(height, device=pixels.device))[:, :, None]  # (B, H, 1)
    columns = (left + torch.arange(width, device=pixels.device))[:, None, :]  # (B, 1, W)
    images = torch.arange(batch, device=pixels.device)[:, None, None]
    return padded.permute(0, 2, 3, 1)[images, rows, columns].permute(0, 3, 1, 2).contiguous()


def flipped(pixels: Tensor, generator: torch.Generator) -> Tensor:
    """(B, C, H, W) to the same: each image mirrored left to right with probability 1/2."""
    mirrored = torch.rand(len(pixels), generator=generator, device=pixels.device) < 0.5
    return torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)


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
    pixels = cropped(pixels, augmentation.crop_padding, generator)
    if augmentation.flip:
        pixels = flipped(pixels, generator)
    return cut_out(normalised(pixels, normalisation, levels), augmentation.cutout, generator)
