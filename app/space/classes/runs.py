"""Runs of layers of one shape: where a layer may keep its input, it moves freely among the layers of its run.

A run is the layers of a stage that keep width and extents; in it `identity`, `skip`, `skip_connect` and `zero` (which
leaves the residual of its layer) all are the input, whichever place they have. So a run of n layers is the sequence of
its other operations, q to choose from: 1 + q + ... + q^n networks. Of j such operations and p names for the input there
are C(n, j) p^(n - j) spellings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import comb, prod
from typing import TYPE_CHECKING, Any, cast

from app.space.algebra import Genotype, Record, Repeat, Scalar
from app.space.classes.cells import values_of
from app.space.classes.reading import Classes, Reading
from app.space.derived import derived
from app.space.skeleton import MobileSkeleton
from app.space.value import is_object

if TYPE_CHECKING:
    from app.space.document import SearchSpace

KEEPS = ("identity", "skip", "skip_connect", "zero")

Menu = tuple[Scalar, ...]  # the options of a layer


@dataclass(frozen=True, slots=True)
class Run:
    """Layers from `start` to before `stop`, all of one menu."""

    start: int
    stop: int
    menu: Menu

    @property
    def keeps(self) -> Menu:
        """The options that are the input."""
        return tuple(option for option in self.menu if option in KEEPS)

    def others(self, word: list[Scalar]) -> list[Scalar]:
        """The operations in the run that do something, in their order."""
        return [option for option in word[self.start : self.stop] if option not in self.keeps]


@dataclass(frozen=True, slots=True)
class Chain:
    """All layers of a space, and the runs in which one can move."""

    menus: tuple[Menu, ...]
    runs: tuple[Run, ...]


def _menus(space: "SearchSpace") -> tuple[Menu, ...]:
    """The options of every layer; none where the space is no chain of named layers."""
    follow = space.grammar.follow
    match follow(space.grammar.root):
        case Record("mobile", (("layers", term),)):
            layers = follow(term)
        case _:
            return ()
    match layers:
        case Repeat(body, (length,)):
            menus = (values_of(space.grammar, body),) * length
        case Record("positions", fields):
            menus = tuple(values_of(space.grammar, choice) for _, choice in fields)
        case _:
            return ()
    return menus if all(menus) else ()


def _kept(skeleton: MobileSkeleton) -> Iterator[tuple[int, int]]:
    """Where in its stages a skeleton keeps the shape: from a layer to before another."""
    width, start = skeleton.first or skeleton.stem, 0
    for depth, wide, stride in zip(skeleton.depths, skeleton.widths, skeleton.strides, strict=False):
        changes = stride != 1 or wide != width
        if depth > changes:
            yield start + changes, start + depth
        start, width = start + depth, wide


@derived
def chain_of(space: "SearchSpace") -> Chain | None:
    """The layers and runs of a space; None where it has none, or where its skeletons do not agree on them."""
    menus = _menus(space)
    skeletons = [k for k in space.skeletons.values() if isinstance(k, MobileSkeleton)]
    places = {tuple(_kept(skeleton)) for skeleton in skeletons if sum(skeleton.depths) == len(menus)}
    if not menus or len(places) != 1 or any(sum(k.depths) != len(menus) for k in skeletons):
        return None
    runs = tuple(Run(start, stop, menus[start]) for start, stop in places.pop())
    moving = tuple(run for run in runs if any(set(KEEPS) & set(menu) for menu in menus[run.start : run.stop]))
    if any(menu != run.menu for run in moving for menu in menus[run.start : run.stop]):
        return None  # an operation that one layer has and another has not cannot move
    return Chain(menus, moving)


def _chain(space: "SearchSpace") -> Chain:
    chain = chain_of(space)
    assert chain is not None, "asked only of spaces that suit"
    return chain


def _word(genotype: Genotype) -> list[Scalar]:
    """The operations of a member, layer by layer."""
    layers = cast("dict[str, Any]", genotype)["layers"]
    return list(layers.values() if is_object(layers) else layers)


def _canonical(space: "SearchSpace", genotype: Genotype) -> Genotype:
    """The lowest spelling: the first name of the input, as early as it comes before the operation that is next."""
    word = _word(genotype)
    for run in _chain(space).runs:
        order, keep, left = run.menu.index, run.keeps[0], run.others(word)
        for i in range(run.start, run.stop):
            early = len(left) < run.stop - i and (not left or order(keep) < order(left[0]))
            word[i] = keep if early else left.pop(0)
    layers = cast("dict[str, Any]", genotype)["layers"]
    return {"layers": dict(zip(layers, word, strict=True)) if is_object(layers) else list(word)}


def _orbit(space: "SearchSpace", genotype: Genotype) -> int:
    word, size = _word(genotype), 1
    for run in _chain(space).runs:
        n, j = run.stop - run.start, len(run.others(word))
        size *= comb(n, j) * len(run.keeps) ** (n - j)
    return size


def _count(space: "SearchSpace") -> Classes:
    chain = _chain(space)
    moving = {i for run in chain.runs for i in range(run.start, run.stop)}
    exact = prod(len(menu) for i, menu in enumerate(chain.menus) if i not in moving)
    for run in chain.runs:
        q = len(run.menu) - len(run.keeps)
        exact *= sum(q**j for j in range(run.stop - run.start + 1))
    return Classes(
        exact=exact, method="per run of n layers with q operations that change their input: 1 + q + ... + q^n"
    )


RUNS = Reading(
    equivalence="functional",
    suits=lambda space: chain_of(space) is not None,
    canonical=_canonical,
    count=_count,
    count_long=_count,
    orbit=_orbit,
)
