"""Boxes: how much two of them overlap, and which of many that say the same is kept.

A box is (left, top, right, bottom), the last two beyond it. Shapes: B images, D detections, K boxes of an image.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

MOST = 100  # detections of an image, as in COCO's measure
SAME = 0.6  # overlap of two detections of a class from which the less confident one is dropped (FCOS)
FOUND = 0.5  # overlap from which a detection finds a box


def area(boxes: Tensor) -> Tensor:
    """(..., 4) to (...); of a box that is turned inside out 0."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp_min(0).prod(-1)


def overlap(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection over union and the union of boxes (..., 4) that broadcast: (...), (...)."""
    corners = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    shared = area(torch.cat(corners, -1))
    union = area(a) + area(b) - shared
    return shared / union.clamp_min(torch.finfo(union.dtype).tiny), union


def generalised(a: Tensor, b: Tensor) -> Tensor:
    """Generalised intersection over union, in (-1, 1]: (..., 4) and (..., 4) to (...).

    Rezatofighi et al. (2019), arXiv:1902.09630: what the least box around both has beside their union counts against
    it, so that boxes apart have a gradient too.
    """
    shared, union = overlap(a, b)
    hull = area(torch.cat((torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])), -1))
    return shared - (hull - union) / hull.clamp_min(torch.finfo(hull.dtype).tiny)


@dataclass(frozen=True, slots=True)
class Detections:
    """What a network says is there, the most confident first."""

    scores: Tensor  # (B, D), 0 where a detection was dropped for a more confident one
    classes: Tensor  # int64 (B, D)
    boxes: Tensor  # (B, D, 4)

    @property
    def kept(self) -> Tensor:
        """bool (B, D): those that stand."""
        return self.scores > 0

    def first(self, number: int) -> "Detections":
        """The most confident of those that stand, so many of each image."""
        order = self.kept.long().sort(dim=1, descending=True, stable=True).indices[:, :number]
        boxes = self.boxes.gather(1, order[..., None].expand(-1, -1, 4))
        return Detections(self.scores.gather(1, order), self.classes.gather(1, order), boxes)


@torch.no_grad()
def detections(logits: Tensor, boxes: Tensor) -> Detections:
    """The most confident pairs of place and class of each image, without those that say the same again.

    `logits` (B, L, C) of L places, each with a class or several; `boxes` (B, L, 4).
    """
    batch, _, classes = logits.shape
    scores, order = logits.sigmoid().flatten(1).sort(dim=1, descending=True, stable=True)
    scores, order = scores[:, :MOST], order[:, :MOST]
    chosen, places = order % classes, order // classes
    found = boxes.gather(1, places[..., None].expand(-1, -1, 4))
    same = overlap(found[:, :, None], found[:, None])[0] > SAME
    same &= chosen[:, :, None] == chosen[:, None]
    kept = torch.ones(batch, scores.shape[1], dtype=torch.bool, device=logits.device)
    for i in range(scores.shape[1] - 1):
        kept[:, i + 1 :] &= ~(same[:, i, i + 1 :] & kept[:, i, None])
    return Detections(torch.where(kept, scores, 0), chosen, found)


@torch.no_grad()
def finds(found: Detections, labels: Tensor) -> Tensor:
    """bool (B, D): which detections find a box, each box once. `labels` (B, K, 5), class below 0 for none.

    The more confident choose first, each the box of its class that it overlaps most of those left, as COCO does.
    """
    fits = overlap(found.boxes[:, :, None], labels[:, None, :, 1:].to(found.boxes.dtype))[0]
    allowed = (found.classes[:, :, None] == labels[:, None, :, 0]) & found.kept[..., None] & (fits >= FOUND)
    free = torch.ones(labels.shape[:2], dtype=torch.bool, device=labels.device)
    hits: list[Tensor] = []
    for i in range(fits.shape[1]):
        best, which = torch.where(allowed[:, i] & free, fits[:, i], -1).max(1)
        hits.append(best >= 0)
        free &= ~(hits[-1][:, None] & (torch.arange(labels.shape[1], device=labels.device) == which[:, None]))
    return torch.stack(hits, 1)
