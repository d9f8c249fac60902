"""Scenes composed of digits: what their labels say is what their pixels show, and no split sees another's digits."""

import hashlib
from dataclasses import replace

import pytest
import torch

from app.architecture.lower import Task as TaskOfNetworks
from app.experiment import DATASETS, SPLITS, Task
from workers.data import VOID, DataError, Images, load

DIGEST = "6be59c0a1e86c739dea1ff7e2fe6cc236ca186a258e1e0a22b03c0898058112c"


@pytest.fixture(scope="module")
def maps() -> Images:
    return load("digit_scenes")


@pytest.fixture(scope="module")
def boxes() -> Images:
    return load("digit_boxes")


def test_networks_and_data_sets_name_the_same_tasks() -> None:
    assert TaskOfNetworks == Task


def test_scenes_are_the_same_on_every_machine(maps: Images, boxes: Images) -> None:
    assert torch.equal(maps.pixels, boxes.pixels)
    content = maps.pixels.numpy().tobytes() + maps.labels.numpy().tobytes() + boxes.labels.numpy().tobytes()
    assert hashlib.sha256(content).hexdigest() == DIGEST
    together = torch.cat([maps.indices[split] for split in SPLITS])
    assert torch.equal(together, torch.arange(1440))


def test_every_pixel_with_ink_has_the_class_of_the_box_around_it(maps: Images, boxes: Images) -> None:
    assert torch.equal(maps.labels > 0, maps.pixels[:, 0] > 0)
    for classes, places in zip(maps.labels, boxes.labels, strict=True):
        found = torch.zeros_like(classes)
        for label, left, top, right, bottom in places[places[:, 0] != VOID].tolist():
            inside = classes[top:bottom, left:right]
            assert set(inside.unique().tolist()) <= {0, 1 + label}
            edges = (inside[0], inside[-1], inside[:, 0], inside[:, -1])
            assert all(bool(edge.any()) for edge in edges), "a box is the least one around its ink"
            found[top:bottom, left:right] = inside
        assert torch.equal(found, classes), "no ink outside the boxes"
    there = (boxes.labels[..., 0] != VOID).sum(1)
    assert there.bincount()[1:].min() > 20, "scenes with one digit up to four"
    assert int(there.min()) == 1


def test_a_split_is_made_of_its_own_digits(boxes: Images) -> None:
    digits = load("digits")

    def tight(pixels: torch.Tensor) -> bytes:
        rows, columns = (torch.where((pixels > 0).any(axis))[0] for axis in (1, 0))
        return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].contiguous().numpy().tobytes()

    for split in SPLITS:
        own = {(tight(digits.pixels[i, 0]), int(digits.labels[i])) for i in digits.indices[split]}
        for i in boxes.indices[split].tolist():
            places = boxes.labels[i]
            for label, left, top, right, bottom in places[places[:, 0] != VOID].tolist():
                scale = (bottom - top) // 8
                assert (tight(boxes.pixels[i, 0, top:bottom:scale, left:right:scale]), label) in own
    assert not {int(i) for i in digits.indices["weights"]} & {int(i) for i in digits.indices["test"]}


def test_labels_of_another_shape_or_class_are_refused(maps: Images, boxes: Images) -> None:
    with pytest.raises(DataError, match=r"expected torch\.int64 \(1440, 32, 32\) for segmentation"):
        replace(maps, labels=boxes.labels)
    with pytest.raises(DataError, match=r"expected torch\.int64 \(1440, 'K', 5\) for detection"):
        replace(boxes, labels=maps.labels[:, 0])
    with pytest.raises(DataError, match=r"labels run from -1 to 11, not within -1\.\.10"):
        replace(maps, labels=torch.where(maps.labels == 3, 11, maps.labels - (maps.labels == 0).long()))
    assert DATASETS["digits"].task == "classification"
