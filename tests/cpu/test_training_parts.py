import math
from pathlib import Path

import pytest
import torch
from torch import nn

from app.experiment import DATASETS, SEARCH_RECIPES, TRAINING_RECIPES, TrainingRecipe
from workers.data import Normalisation, load
from workers.training import checkpoint
from workers.training.augment import Augmentation, augmented, cropped, cut_out, flipped, normalised
from workers.training.checkpoint import CheckpointError
from workers.training.determinism import deterministic, generator, seeded, stream_seed
from workers.training.evaluation import evaluate, recalibrate
from workers.training.feed import Feed
from workers.training.loss import classification_loss
from workers.training.metrics import Tally
from workers.training.precision import autocast
from workers.training.schedule import cosine, drop_path_probability, learning_rate
from workers.training.tasks import task_for

PLAIN = Normalisation(mean=(0.0,), deviation=(1.0,), splits=("weights",))
CPU = torch.device("cpu")


def some_pixels(count: int = 40, side: int = 6) -> torch.Tensor:
    return torch.randint(1, 256, (count, 2, side, side), generator=generator(0, "pixels"), dtype=torch.uint8)


def test_crop_is_a_window_of_the_padded_image() -> None:
    pixels = some_pixels()
    found = cropped(pixels, 2, generator(1, "crop"))
    padded = nn.functional.pad(pixels, (2, 2, 2, 2))
    offsets = set()
    for image, whole in zip(found, padded, strict=True):
        matches = [(y, x) for y in range(5) for x in range(5) if torch.equal(image, whole[:, y : y + 6, x : x + 6])]
        assert len(matches) == 1
        offsets.add(matches[0])
    assert len(offsets) > 10  # of 25: every image has its own
    assert torch.equal(cropped(pixels, 0, generator(1, "crop")), pixels)


def test_flip_mirrors_about_half() -> None:
    pixels = some_pixels(400)
    found = flipped(pixels, generator(2, "flip"))
    mirrored = sum(torch.equal(f, p.flip(2)) for f, p in zip(found, pixels, strict=True))
    same = sum(torch.equal(f, p) for f, p in zip(found, pixels, strict=True))
    assert mirrored + same == 400
    assert 150 < mirrored < 250


@pytest.mark.parametrize("side", [1, 2, 3, 4])
def test_cutout_blanks_one_square(side: int) -> None:
    images = torch.ones(500, 2, 6, 6)
    found = cut_out(images, side, generator(3, "cutout"))
    areas = set()
    for image in found:
        assert torch.equal(image[0], image[1])
        rows, columns = torch.where(image[0] == 0)
        height, width = int(rows.max() - rows.min()) + 1, int(columns.max() - columns.min()) + 1
        assert len(rows) == height * width  # a full rectangle, cut by the image's edge at most
        assert height <= side
        assert width <= side
        areas.add(height * width)
    assert side * side in areas
    assert torch.equal(cut_out(images, 0, generator(3, "cutout")), images)


def test_cutout_centre_is_uniform_over_the_image() -> None:
    found = cut_out(torch.ones(7200, 1, 6, 6), 1, generator(4, "cutout"))
    counts = (found == 0).sum(0).flatten().float()
    assert counts.sum() == 7200
    assert (counts - 200).abs().max() < 6 * math.sqrt(200)


def test_normalised_has_zero_mean_and_unit_deviation() -> None:
    digits = load("digits")
    pixels, _ = digits.of("weights")
    x = normalised(pixels, digits.normalisation("weights"), digits.levels)
    assert float(x.mean()) == pytest.approx(0.0, abs=1e-5)
    assert float(x.std()) == pytest.approx(1.0, abs=1e-3)


def test_augmentation_depends_on_its_generator_alone() -> None:
    pixels = some_pixels()
    how = Augmentation(crop_padding=1, flip=True, cutout=2)
    normalisation = Normalisation(mean=(0.5, 0.5), deviation=(0.25, 0.25), splits=("weights",))
    first = augmented(pixels, how, normalisation, 255, generator(7, "a"))
    torch.rand(10)  # the global generator must not matter
    assert torch.equal(first, augmented(pixels, how, normalisation, 255, generator(7, "a")))
    assert not torch.equal(first, augmented(pixels, how, normalisation, 255, generator(8, "a")))


def test_recipes_map_to_augmentation() -> None:
    assert Augmentation.of(TRAINING_RECIPES["darts-cifar"]) == Augmentation(crop_padding=4, flip=True, cutout=16)
    assert Augmentation.of(SEARCH_RECIPES["darts-cifar"]) == Augmentation(crop_padding=4, flip=True, cutout=0)


def test_cosine_agrees_with_torchs_scheduler() -> None:
    parameter = nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([parameter], 0.025)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 50, eta_min=0.001)
    for epoch in range(50):
        assert cosine(epoch, 50, 0.025, 0.001) == pytest.approx(optimiser.param_groups[0]["lr"])
        optimiser.step()
        scheduler.step()


def test_warmup_rises_to_the_peak_and_drop_path_grows() -> None:
    recipe = TrainingRecipe(
        name="t", epochs=10, warmup_epochs=3, learning_rate=0.4, min_learning_rate=0.0, drop_path=0.2
    )
    rates = [learning_rate(recipe, epoch) for epoch in range(10)]
    assert rates[:4] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert [drop_path_probability(recipe, e) for e in (0, 5)] == pytest.approx([0.0, 0.1])


def test_loss_by_hand() -> None:
    logits, labels = torch.tensor([[2.0, 0.0, -1.0], [0.5, 0.5, 3.0]]), torch.tensor([0, 1])
    auxiliary = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])

    def smoothed(x: torch.Tensor, epsilon: float) -> float:
        target = torch.full((2, 3), epsilon / 3)
        target[torch.arange(2), labels] += 1 - epsilon
        return float(-(target * x.log_softmax(1)).sum(1).mean())

    assert float(classification_loss(logits, labels)) == pytest.approx(smoothed(logits, 0.0))
    found = classification_loss((logits, auxiliary), labels, smoothing=0.1, auxiliary_weight=0.4)
    assert float(found) == pytest.approx(smoothed(logits, 0.1) + 0.4 * smoothed(auxiliary, 0.1))


def test_tally_counts_and_restores() -> None:
    tally = Tally.empty()
    task = task_for(DATASETS["digits"])
    batches = [(1.5, [[1.0, 0.0], [1.0, 0.0]], [0, 1]), (0.3, [[0.0, 1.0]], [1])]
    for loss, logits, labels in batches:
        tally.add(torch.tensor(loss), task.hits(torch.tensor(logits), torch.tensor(labels)), len(labels))
    assert tally.accuracy == pytest.approx(200 / 3)
    assert tally.mean_loss == pytest.approx((3.0 + float(torch.tensor(0.3))) / 3)
    assert Tally.restored(tally.state()).state() == tally.state()


def test_streams_are_apart_and_fixed() -> None:
    assert stream_seed(0, "order", 1) == stream_seed(0, "order", 1)
    seeds = {stream_seed(s, name, e) for s in range(3) for name in ("order", "augment") for e in range(3)}
    assert len(seeds) == 18
    assert all(0 <= seed < 2**63 for seed in seeds)
    before = torch.get_rng_state()
    with seeded(1, "init"):
        first = nn.Linear(3, 3).weight.detach().clone()
    with seeded(1, "init"):
        assert torch.equal(first, nn.Linear(3, 3).weight)
    assert torch.equal(before, torch.get_rng_state())


def test_deterministic_mode_is_left_behind() -> None:
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
    assert not torch.are_deterministic_algorithms_enabled()


def test_feed_order_is_a_function_of_the_epoch() -> None:
    digits = load("digits")

    def feed() -> Feed:
        return Feed(
            digits, ("weights",), batch_size=100, augmentation=Augmentation(), seed=3, stream="training", device=CPU
        )

    first, second = feed(), feed()
    assert first.steps == 6
    late = [second.batch(number)[1].tolist() for number in (6, 11)]
    assert [first.batch(number)[1].tolist() for number in range(12)][6::5] == late
    assert sorted(first.order(0).tolist()) == list(range(640))
    assert first.order(0).tolist() != first.order(1).tolist()
    x, labels = digits.of("weights")
    everything = torch.cat([batch for batch, _ in first.plain(77)])
    assert torch.equal(everything, normalised(x, digits.normalisation("weights"), 16))
    assert len(labels) == len(everything)


def test_a_batch_larger_than_the_split_is_the_split() -> None:
    feed = Feed(
        load("digits"), ("selection",), batch_size=1000, augmentation=Augmentation(), seed=0, stream="s", device=CPU
    )
    assert (feed.steps, len(feed.batch(0)[1])) == (1, 177)


def test_bfloat16_falls_back_with_a_note() -> None:
    notes: list[str] = []
    with autocast("bfloat16", CPU, notes.append)():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32
    assert notes == ["bfloat16 is not native on cpu: computing in float32"]


def test_checkpoint_round_trip_and_refusals(tmp_path: Path) -> None:
    tensors = {"a/b": torch.arange(6).reshape(2, 3), "rng": torch.Generator().manual_seed(1).get_state()}
    shared = torch.ones(3)
    checkpoint.save(tmp_path / "c", {**tensors, "x": shared, "y": shared}, {"epoch": 3, "value": 0.1 + 0.2})
    found, record = checkpoint.load(tmp_path / "c")
    assert all(torch.equal(found[name], tensor) for name, tensor in tensors.items())
    assert record == {"format": 1, "epoch": 3, "value": 0.1 + 0.2}
    assert list(checkpoint.part("a/", found)) == ["b"]
    content = (tmp_path / "c").read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match="not a readable safetensors file"):
        checkpoint.load(tmp_path / "cut")
    from safetensors.torch import save_file

    save_file({"a": shared}, tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="has no entry 'cellar'"):
        checkpoint.load(tmp_path / "foreign")
    with pytest.raises(CheckpointError, match="does not fit the network"):
        checkpoint.restore_module(nn.Linear(2, 2), {"weight": torch.ones(3, 2)})
    with pytest.raises(CheckpointError, match=r"only \['epoch'\]"):
        checkpoint.place({"epoch": 1})


def test_evaluation_counts_and_recalibration_averages() -> None:
    digits = load("digits")
    normalisation = digits.normalisation("weights")
    with seeded(0, "net"):
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))
    feed = Feed(digits, ("weights",), batch_size=64, augmentation=Augmentation(), seed=0, stream="s", device=CPU)
    assert recalibrate(network, network, feed.plain(160)) == 4
    norm = network[1]
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.momentum == 0.1
    with torch.no_grad():
        features = [network[0](x) for x, _ in feed.plain(160)]
    torch.testing.assert_close(norm.running_mean, torch.stack([f.mean((0, 2, 3)) for f in features]).mean(0))
    torch.testing.assert_close(norm.running_var, torch.stack([f.var((0, 2, 3)) for f in features]).mean(0))
    network.train()
    tally = evaluate(network, network, digits, "test", normalisation, CPU)
    assert network.training
    pixels, labels = digits.of("test")
    network.eval()
    with torch.no_grad():
        logits = network(normalised(pixels, normalisation, 16))
    assert tally.images == 500
    assert tally.accuracy == pytest.approx(100 * float((logits.argmax(1) == labels).float().mean()))
    assert tally.mean_loss == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-5)
