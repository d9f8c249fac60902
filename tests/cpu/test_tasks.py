"""Losses, hits and measures of maps and boxes, against sums by hand in float64."""

import math
from itertools import product

import pytest
import torch

from app.experiment import DATASETS
from workers.data import VOID, load
from workers.training.augment import Augmentation, Movement
from workers.training.boxes import Detections, detections, finds, generalised
from workers.training.detection import Detection, average_precision
from workers.training.feed import Feed
from workers.training.places import Places, assigned, read, strides
from workers.training.segmentation import Segmentation
from workers.training.tasks import task_for

pytestmark = pytest.mark.usefixtures("exactly")

Box = tuple[float, float, float, float]


# -- segmentation


def test_the_loss_of_a_map_is_the_mean_over_images_of_their_asked_pixels() -> None:
    logits = torch.randn(2, 3, 2, 2)
    labels = torch.tensor([[[0, 2], [VOID, 1]], [[1, VOID], [VOID, VOID]]])

    def at(image: int, y: int, x: int) -> float:
        column = [math.exp(float(logits[image, c, y, x])) for c in range(3)]
        return -math.log(column[int(labels[image, y, x])] / sum(column))

    wanted = ((at(0, 0, 0) + at(0, 0, 1) + at(0, 1, 1)) / 3 + at(1, 0, 0)) / 2
    task = Segmentation(3)
    assert float(task.loss(logits, labels)) == pytest.approx(wanted, abs=1e-12)
    parts = (float(task.loss(logits[i : i + 1], labels[i : i + 1])) for i in (0, 1))
    assert sum(parts) / 2 == pytest.approx(wanted, abs=1e-12)
    nothing = torch.full((1, 2, 2), VOID)
    assert float(task.loss(logits[:1], nothing)) == 0.0


def test_logits_of_fewer_pixels_are_resized_bilinearly() -> None:
    logits = torch.tensor([[[[0.0, 4.0]], [[0.0, 0.0]]]])  # (1, 2, 1, 2)
    labels = torch.zeros(1, 2, 4, dtype=torch.int64)
    # Pixel centres at 0.25, 0.75, 1.25, 1.75 of two columns whose centres are 0.5 and 1.5.
    across = [0.0, 1.0, 3.0, 4.0]
    wanted = sum(math.log1p(math.exp(-value)) for value in across) / 4
    assert float(Segmentation(2).loss(logits, labels)) == pytest.approx(wanted, abs=1e-12)


def test_hits_and_mean_intersection_over_union_by_hand() -> None:
    answers = torch.tensor([[[0, 0, 1], [2, 1, 1]]])
    labels = torch.tensor([[[0, 1, 1], [VOID, 1, 0]]])
    logits = torch.nn.functional.one_hot(answers, 4).permute(0, 3, 1, 2).double()
    task = Segmentation(4)
    hits, asked = task.hits(logits, labels)
    assert (int(hits), int(asked)) == (3, 5)
    measure = task.measure()
    measure.add(logits, labels)
    # Class 0: one pixel of three, class 1: two of four; 2 and 3 are neither there nor answered where it counts.
    assert measure.metrics() == {"miou": pytest.approx(100 * (1 / 3 + 2 / 4) / 2)}


# -- boxes


def by_counting(a: Box, b: Box) -> float:
    """GIoU of boxes of whole pixels, pixel by pixel."""

    def pixels(box: Box) -> set[tuple[int, int]]:
        return set(product(range(int(box[0]), int(box[2])), range(int(box[1]), int(box[3]))))

    hull = min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
    both, either, around = pixels(a) & pixels(b), pixels(a) | pixels(b), pixels(hull)
    return len(both) / len(either) - (len(around) - len(either)) / len(around)


def test_generalised_overlap_counts_pixels() -> None:
    corners = torch.randint(0, 6, (200, 2, 2))
    sides = torch.randint(1, 5, (200, 2, 2))
    boxes = torch.cat((corners, corners + sides), -1)
    found = generalised(boxes[:, 0].double(), boxes[:, 1].double())
    wanted = [by_counting(*(tuple(box) for box in pair)) for pair in boxes.tolist()]  # pyright: ignore[reportArgumentType]
    assert found.tolist() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize(
    ("extents", "size", "found"),
    [
        (((4, 4), (2, 2), (1, 1), (1, 1), (1, 1)), (32, 32), [8, 16, 32, 64, 128]),
        (((80, 80), (40, 40), (20, 20), (10, 10), (5, 5)), (640, 640), [8, 16, 32, 64, 128]),
        (((5, 7), (3, 4)), (33, 50), [8, 16]),
        (((4, 4), (1, 1)), (32, 32), [8, 32]),
    ],
)
def test_strides_are_read_off_the_maps(
    extents: tuple[tuple[int, int], ...], size: tuple[int, int], found: list[int]
) -> None:
    assert strides(extents, size) == found


def test_maps_of_no_level_are_refused() -> None:
    with pytest.raises(ValueError, match="maps of 3 x 3 are no level of an image of 32 x 32"):
        strides(((3, 3),), (32, 32))


def test_places_read_the_maps_in_their_written_order() -> None:
    """Two anchors, three classes, one level of 2 x 2 places on 16 x 16 pixels."""
    said, offsets = torch.randn(1, 6, 2, 2), torch.randn(1, 8, 2, 2)
    places = read((said, offsets), 3, (16, 16))
    assert places.logits.shape == (1, 8, 3)
    for anchor, y, x in product(range(2), range(2), range(2)):
        number = anchor * 4 + y * 2 + x
        assert places.logits[0, number].tolist() == [float(said[0, anchor * 3 + c, y, x]) for c in range(3)]
        left, up, right, down = (8 * math.exp(float(offsets[0, anchor * 4 + i, y, x])) for i in range(4))
        middle = 4 + 8 * x, 4 + 8 * y
        wanted = [middle[0] - left, middle[1] - up, middle[0] + right, middle[1] + down]
        assert places.boxes[0, number].tolist() == pytest.approx(wanted)
        assert float(places.largest[number]) == pytest.approx(16 * (2**-0.5, 1)[anchor])


def some_places(centres: list[tuple[float, float]], largest: list[float]) -> Places:
    n = len(centres)
    return Places(torch.zeros(1, n, 2), torch.zeros(1, n, 4), torch.tensor(centres), torch.tensor(largest))


def test_boxes_go_to_the_places_of_their_size_and_the_smallest_wins() -> None:
    grid = [(4.0 + 8 * x, 4.0 + 8 * y) for y in range(2) for x in range(2)]
    places = some_places([*grid, (8.0, 8.0)], [8.0, 8.0, 8.0, 8.0, 16.0])
    boxes = [
        [0, 0, 0, 7, 7],  # holds the first place alone; its furthest side is 4 away
        [1, 1, 1, 16, 15],  # 11 or more from the fine places, 8 from the coarse one: no place takes it for its sides,
        #                     and the nearest of those that take 15, its longest side, is the coarse one
        [1, 9, 1, 11, 4],  # holds no place: the nearest of the fine ones is the second
        [VOID, VOID, VOID, VOID, VOID],
    ]
    assert assigned(places, torch.tensor([boxes])).tolist() == [[0, 2, -1, -1, 1]]
    larger = [0, 0, 0, 16, 16]
    found = assigned(places, torch.tensor([[larger, [1, 0, 0, 6, 6]]]))
    # The coarse place's own distances to the large box are 8: no place of reach 8 < d <= 16 holds them, so the box,
    # which holds the fine places at 12, is without a place of its own but the nearest for its longest side, 16.
    assert found.tolist() == [[1, -1, -1, -1, 0]]


def test_the_loss_of_boxes_by_hand() -> None:
    """One level of two places, two classes, one box that the first place takes."""
    task = Detection(2, (8, 16))
    said = torch.randn(1, 2, 1, 2)
    offsets = torch.randn(1, 4, 1, 2) * 0.1 - 0.5
    labels = torch.tensor([[[1, 1, 0, 8, 7], [VOID] * 5]])
    focal = 0.0
    for place, c in product(range(2), range(2)):
        chance = 1 / (1 + math.exp(-float(said[0, c, 0, place])))
        right, weight = (chance, 0.25) if (place, c) == (0, 1) else (1 - chance, 0.75)
        focal += -weight * (1 - right) ** 2 * math.log(right)
    left, up, across, down = (8 * math.exp(float(offsets[0, i, 0, 0])) for i in range(4))
    mine, box = (4 - left, 4 - up, 4 + across, 4 + down), (1.0, 0.0, 8.0, 7.0)
    width = max(0.0, min(mine[2], box[2]) - max(mine[0], box[0]))
    shared = width * max(0.0, min(mine[3], box[3]) - max(mine[1], box[1]))
    union = (left + across) * (up + down) + 49 - shared
    hull = (max(mine[2], box[2]) - min(mine[0], box[0])) * (max(mine[3], box[3]) - min(mine[1], box[1]))
    wanted = focal + 1 - (shared / union - (hull - union) / hull)
    assert float(task.loss((said, offsets), labels)) == pytest.approx(wanted, abs=1e-12)
    twice = tuple(torch.cat((x, torch.randn_like(x))) for x in (said, offsets))
    both = torch.cat((labels, torch.full_like(labels, VOID)))
    alone = float(task.loss(tuple(x[1:] for x in twice), both[1:]))
    assert float(task.loss(twice, both)) == pytest.approx((wanted + alone) / 2, abs=1e-12)
    with pytest.raises(ValueError, match=r"label_smoothing 0\.1"):
        task.loss((said, offsets), labels, smoothing=0.1)


def test_of_detections_that_say_the_same_the_most_confident_stays() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 10.0, 9.0], [0.0, 0.0, 10.0, 5.0]]])
    logits = torch.tensor([[[2.0, -1.0], [3.0, -4.0], [1.0, -5.0]]])
    found = detections(logits, boxes)
    stays = [
        (int(c), b.tolist()) for c, b, kept in zip(found.classes[0], found.boxes[0], found.kept[0], strict=True) if kept
    ]
    # Of class 0 the second is the first; the first overlaps it by 0.9, the third by 5/9. Of class 1 the first is; the
    # second overlaps it by 0.9, the third by half.
    assert stays == [
        (0, boxes[0, 1].tolist()),
        (0, boxes[0, 2].tolist()),
        (1, boxes[0, 0].tolist()),
        (1, boxes[0, 2].tolist()),
    ]


def test_a_box_is_found_once_and_by_its_own_class() -> None:
    box = [0.0, 0.0, 10.0, 10.0]
    labels = torch.tensor([[[0, 0, 0, 10, 10], [1, 20, 0, 30, 10], [VOID] * 5]])
    found = Detections(
        torch.tensor([[0.9, 0.8, 0.7, 0.6, 0.5]]),
        torch.tensor([[1, 0, 0, 1, 1]]),
        torch.tensor([[box, [0.0, 0.0, 10.0, 4.0], box, [20.0, 0.0, 30.0, 6.0], [20.0, 0.0, 30.0, 10.0]]]),
    )
    # Another class; overlap of 0.4; found; found at 0.6; found already.
    assert finds(found, labels).tolist() == [[False, False, True, True, False]]


def test_average_precision_by_hand() -> None:
    scores = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.5])
    hits = torch.tensor([True, False, True, True, False])
    # Precision 1, 1/2, 2/3, 3/4, 3/5 at recall 1/4, 1/4, 2/4, 3/4, 3/4; made to fall: 1, 3/4, 3/4, 3/4, 3/5.
    assert average_precision(scores, hits, 4) == pytest.approx((1 + 3 / 4 + 3 / 4) / 4)
    shuffled = torch.tensor([3, 0, 4, 1, 2])
    assert average_precision(scores[shuffled], hits[shuffled], 4) == pytest.approx((1 + 3 / 4 + 3 / 4) / 4)
    assert average_precision(scores[:0], hits[:0], 4) == 0.0


def perfect(labels: torch.Tensor, task: Detection) -> tuple[torch.Tensor, torch.Tensor]:
    """What a detector with one level of 4 x 4 places says that knows every box by the place nearest to its middle."""
    said, offsets = torch.full((len(labels), 10, 4, 4), -9.0), torch.zeros(len(labels), 4, 4, 4)
    for image, places in enumerate(labels.tolist()):
        for c, left, top, right, bottom in (place for place in places if place[0] != VOID):
            x, y = int((left + right) / 16), int((top + bottom) / 16)
            said[image, c, y, x] = 9.0
            sides = 4 + 8 * x - left, 4 + 8 * y - top, right - 4 - 8 * x, bottom - 4 - 8 * y
            offsets[image, :, y, x] = torch.tensor([math.log(max(side, 0.1) / 8) for side in sides])
    return said, offsets


def test_a_perfect_detector_finds_everything_and_false_ones_cost() -> None:
    images = load("digit_boxes")
    _, labels = images.of("selection")
    task = task_for(images.dataset)
    assert isinstance(task, Detection)
    said, offsets = perfect(labels, task)
    hits, boxes = task.hits((said, offsets), labels)
    there = int((labels[..., 0] != VOID).sum())
    assert int(boxes) == there
    assert int(hits) > 0.97 * there  # two digits may share a place
    measure = task.measure()
    measure.add((said, offsets), labels)
    assert measure.metrics()["ap50"] > 97
    loud = said.clone()
    loud[:, 0] = 10.0  # of class 0 everywhere, more confident than what is right
    assert int(task.hits((loud, offsets), labels)[0]) < 0.3 * there


# -- movement


def test_maps_and_boxes_move_with_their_images() -> None:
    maps, boxes = load("digit_scenes"), load("digit_boxes")
    how = Augmentation(crop_padding=5, flip=True)
    movement = Movement.drawn(400, how, torch.Generator().manual_seed(3))
    pixels = movement.of_maps(maps.pixels[:400], 0)
    classes = task_for(maps.dataset).moved(maps.labels[:400], movement)
    places = task_for(boxes.dataset).moved(boxes.labels[:400], movement)
    assert torch.equal(classes > 0, pixels[:, 0] > 0)
    assert bool((classes == VOID).any()), "what comes in has no class"
    found = torch.zeros_like(classes)
    for image, labels in enumerate(places.tolist()):
        for label, left, top, right, bottom in (place for place in labels if place[0] != VOID):
            inside = classes[image, top:bottom, left:right]
            assert set(inside.unique().tolist()) <= {VOID, 0, 1 + label}
            found[image, top:bottom, left:right] = inside
    assert torch.equal(found > 0, classes > 0)


def test_a_box_that_left_the_image_is_none() -> None:
    movement = Movement(right=torch.tensor([[-6]]), down=torch.tensor([[0]]), mirrored=torch.tensor([True]))
    labels = torch.tensor([[[2, 1, 0, 6, 4], [3, 4, 1, 9, 5], [VOID] * 5]])
    assert movement.of_boxes(labels, (16, 16)).tolist() == [[[VOID] * 5, [3, 13, 1, 16, 5], [VOID] * 5]]


def test_a_feed_moves_labels_and_images_alike() -> None:
    feed = Feed(
        load("digit_scenes"),
        ("weights",),
        batch_size=64,
        augmentation=Augmentation(crop_padding=3, flip=True),
        seed=0,
        stream="s",
        device=torch.device("cpu"),
    )
    x, labels = feed.batch(1)
    black = x.flatten(1).amin(1)[:, None, None]
    assert torch.equal(x[:, 0] > black, labels > 0)


def test_teachers_get_no_gradient_and_a_twin_has_nothing_to_learn() -> None:
    for name, shapes in (("digit_scenes", [(2, 11, 8, 8)]), ("digit_boxes", [(2, 10, 4, 4), (2, 4, 4, 4)])):
        task = task_for(DATASETS[name])
        own: tuple[torch.Tensor, ...] = tuple(torch.randn(shape, requires_grad=True) for shape in shapes)
        other: tuple[torch.Tensor, ...] = tuple(x.detach().clone().requires_grad_() for x in own)
        student, teacher = (x if name == "digit_boxes" else x[0] for x in (own, other))
        task.distillation(student, teacher).backward()
        assert all(x.grad is None for x in other)
        steepest = max(float(x.grad.abs().max()) for x in own if x.grad is not None)
        assert steepest < 1e-12, "at a teacher's own answers the loss is least"
