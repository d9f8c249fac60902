"""Which devices and queues a worker may have."""

import argparse

import pytest

from workers.devices import visible
from workers.main import parse_queues

UUIDS = ["GPU-aa1", "GPU-ab2", "GPU-c3"]


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        (None, UUIDS),
        ("", []),
        ("-1", []),
        ("0", ["GPU-aa1"]),
        ("2,0", ["GPU-c3", "GPU-aa1"]),
        ("1, 7, 0", ["GPU-ab2"]),
        ("GPU-c3,GPU-aa", ["GPU-c3", "GPU-aa1"]),
        ("GPU-a", []),  # which of two?
    ],
)
def test_the_operators_choice_of_devices_is_kept(wanted: str | None, left: list[str]) -> None:
    assert visible(UUIDS, wanted) == left


def test_queues_are_named_in_the_order_in_which_there_are_any() -> None:
    assert parse_queues("cpu,gpu") == ("gpu", "cpu")
    assert parse_queues("cpu") == ("cpu",)
    with pytest.raises(argparse.ArgumentTypeError, match="no queue 'tpu'; there are gpu, cpu"):
        parse_queues("cpu,tpu")
