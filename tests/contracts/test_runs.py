"""Runs of layers of one shape: counts, canonical forms and orbits against lists of all members and their networks."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from math import comb

import pytest

from app.architecture import architecture_id
from app.space import (
    Equivalence,
    Genotype,
    Grammar,
    ImageInput,
    MobileSkeleton,
    Record,
    Repeat,
    SearchSpace,
    one_of,
    record,
    space_size,
)
from app.space.classes import reading_of, readings_of
from app.space.zoo import fbnet, mobilenet_ofa, nasbench_macro, proxylessnas


def unique(space: SearchSpace) -> dict[str | None, int]:
    return {size.equivalence: size.exact for size in space_size(space).unique}


def test_nasbench_macro() -> None:
    """Runs of 1, 2 and 2 layers, and three first layers that change the shape."""
    assert unique(nasbench_macro()) == {"functional": 3**3 * (1 + 2) * (1 + 2 + 4) ** 2} == {"functional": 3_969}


def test_proxylessnas() -> None:
    """Five runs of three layers."""
    assert 6**6 * (1 + 6 + 36 + 216) ** 5 == 54_375_883_032_510_144
    assert unique(proxylessnas()) == {"functional": 54_375_883_032_510_144}


def test_fbnet() -> None:
    """The first layer is a run of its own; five runs of three follow."""
    assert 1 + 8 + 64 + 512 == 585
    assert unique(fbnet()) == {"functional": 9**7 * 585**5} == {"functional": 327_700_343_401_999_790_625}


STAGES = MobileSkeleton(
    stem=4, first=0, depths=(2, 3), widths=(4, 6), strides=(1, 2), activation="relu", head=6, num_classes=3
)


def space_of(layers: Repeat | Record, **skeletons: MobileSkeleton) -> SearchSpace:
    return SearchSpace(
        name="runs",
        version=1,
        title="",
        paper="",
        grammar=Grammar({"runs": record("mobile", layers=layers)}, "runs"),
        skeletons=skeletons or {"small": STAGES},
        equivalences=(Equivalence("functional"),),
    )


def uneven() -> SearchSpace:
    """The first stage, all of whose layers keep the shape, has no name for its input, the second has two."""
    first, second = one_of("mb2_k3", "mb3_k3"), one_of("mb2_k3", "skip", "mb3_k3", "identity")
    fields = [("a", first), ("b", first), ("c", one_of("skip", "mb2_k3")), ("d", second), ("e", second)]
    return space_of(Record("positions", tuple(fields)))


SPACES: dict[str, Callable[[], SearchSpace]] = {
    "identity first": lambda: space_of(Repeat(one_of("identity", "mb2_k3", "mb2_k5"), (5,))),
    "skip in the middle": lambda: space_of(Repeat(one_of("mb2_k3", "skip", "mb2_k5"), (5,))),
    "skip last": lambda: space_of(Repeat(one_of("k3_e1_g2", "k3_e3", "skip"), (5,))),
    "two names for the input": lambda: space_of(Repeat(one_of("skip", "mb2_k3", "identity"), (5,))),
    "operations of cells": lambda: space_of(Repeat(one_of("conv_3x3", "max_pool_3x3", "skip_connect"), (5,))),
    "zero at positions": lambda: replace(
        proxylessnas((2, 3), ("mb3_k3", "mb3_k5")), skeletons={"small": replace(STAGES, widths=(5, 6))}
    ),
    "uneven": uneven,
}


def layers_of(genotype: Genotype) -> list[Genotype]:
    assert isinstance(genotype, dict)
    layers = genotype["layers"]
    return list(layers.values()) if isinstance(layers, dict) else list(layers)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SPACES)
def test_classes_are_the_networks(name: str) -> None:
    """One class for each network: equal graphs, whatever the layers are called that keep their input."""
    space = SPACES[name]()
    reading = reading_of(space, "functional")
    classes: dict[str, list[int]] = defaultdict(list)
    for index in range(space.plan.size):
        identity = architecture_id(
            space,
            next(iter(space.skeletons.values())),
            ImageInput(channels=1, height=8, width=8),
            space.plan.unrank(index),
        )
        classes[identity].append(index)
    counted = reading.count(space)
    assert counted is not None
    assert reading.orbit is not None
    assert counted.exact == len(classes) < space.plan.size
    for members in classes.values():
        for index in members:
            genotype = space.plan.unrank(index)
            assert space.plan.rank(reading.canonical(space, genotype)) == members[0]
            assert reading.orbit(space, genotype) == len(members)


def test_an_orbit_counts_the_places() -> None:
    space = proxylessnas()
    reading = reading_of(space, "functional")
    genotype = space.plan.unrank(0)
    assert isinstance(genotype, dict)
    layers = {**genotype["layers"], "layer1": "zero", "layer6": "zero", "layer7": "zero"}  # type: ignore[dict-item]
    assert reading.orbit is not None
    assert reading.orbit(space, {"layers": layers}) == comb(3, 1) * comb(3, 2)


def test_what_has_no_runs_is_not_read() -> None:
    """Several lengths, skeletons that disagree or do not fit, menus that differ, other meanings."""
    layer = one_of("identity", "mb2_k3")
    assert readings_of(space_of(Repeat(layer, (5,))))
    assert not readings_of(space_of(Repeat(layer, (4, 5))))
    assert not readings_of(space_of(Repeat(layer, (5,)), a=STAGES, b=replace(STAGES, strides=(2, 2))))
    assert not readings_of(space_of(Repeat(layer, (6,))))
    fields = (("a", layer), ("b", one_of("mb2_k3", "identity")), *((name, layer) for name in "cde"))
    assert not readings_of(space_of(Record("positions", fields)))
    assert not readings_of(replace(mobilenet_ofa(), equivalences=(Equivalence("functional"),)))
