"""The tables of docs/guides from docs/guides/measurements.json: every number in them is computed here.

    python tests/benchmarks/space_tables.py            say which guides are out of date
    python tests/benchmarks/space_tables.py --write    bring them up to date

A guide names a table between `<!-- table: NAME -->` and `<!-- end of table -->`. Intervals are percentile bootstraps
over the members that were drawn (2,000 resamples, 500 for a correlation, seed 0): they say how far another sample
might lie, not how far another data set or recipe might.
"""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import comb, log10, sqrt
from pathlib import Path
from random import Random
from statistics import fmean, median, stdev
from typing import Any

from app.experiment.ranks import kendall

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
MEASUREMENTS = GUIDES / "measurements.json"
RESAMPLES = 2_000
TAU_RESAMPLES = 500
COSTS = ("params", "macs", "depth")
NEAR = 1.0  # points below the best that still count as good
LIGHT = 20_000  # params of a bound
FEW = 4  # draws of a small random search

_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Member:
    """A trained member: accuracies in percent."""

    index: str
    seed: int
    params: int
    macs: int
    depth: int
    test: float
    selection: float
    loss: float  # nats, on the test images


@dataclass(frozen=True, slots=True)
class Group:
    """The members of one space that were trained with the first seed, and those trained again with others."""

    name: str
    questions: tuple[str, ...]
    size: int
    width: int
    members: tuple[Member, ...]
    repeated: tuple[Member, ...]

    @property
    def accuracies(self) -> list[float]:
        return [m.test for m in self.members]


@dataclass(frozen=True, slots=True)
class Measurements:
    """Everything that was measured."""

    provenance: dict[str, Any]
    groups: tuple[Group, ...]

    def of(self, question: str) -> tuple[Group, ...]:
        """The groups that answer a question."""
        return tuple(g for g in self.groups if question in g.questions)

    def named(self, name: str) -> Group:
        return next(g for g in self.groups if g.name == name)


def measurements(path: Path = MEASUREMENTS) -> Measurements:
    """What is in the file."""
    read = json.loads(path.read_text())
    first = read["provenance"]["training_seeds"][0]
    return Measurements(read["provenance"], tuple(_group(g, first) for g in read["groups"]))


def _group(found: dict[str, Any], first: int) -> Group:
    trained = [Member(**m) for m in found["members"]]
    skeleton = found["skeleton"]
    return Group(
        name=found["space"]["name"].removeprefix("measured-"),
        questions=tuple(found["questions"]),
        size=int(found["size"]),
        width=skeleton.get("channels", skeleton.get("stem")),
        members=tuple(m for m in trained if m.seed == first),
        repeated=tuple(m for m in trained if m.seed != first),
    )


def bootstrap(statistic: Callable[[Random], float], resamples: int = RESAMPLES) -> tuple[float, float]:
    """The middle 95 % of a statistic over resamples."""
    draw = Random(0)
    found = sorted(statistic(draw) for _ in range(resamples))
    return found[round(0.025 * (resamples - 1))], found[round(0.975 * (resamples - 1))]


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """The bootstrap interval of a mean."""
    return bootstrap(lambda draw: fmean(draw.choices(values, k=len(values))))


def difference_interval(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """The bootstrap interval of mean(a) - mean(b)."""
    return bootstrap(lambda draw: fmean(draw.choices(a, k=len(a))) - fmean(draw.choices(b, k=len(b))))


def expected_best(values: Sequence[float], draws: int) -> float:
    """The mean over all subsets of so many values of their largest: what a random search of that length finds."""
    ordered, n = sorted(values), len(values)
    return sum(value * comb(i, draws - 1) for i, value in enumerate(ordered)) / comb(n, draws)


def tau_interval(costs: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """The bootstrap interval of Kendall's tau; a resample without any order on one side counts as 0."""

    def once(draw: Random) -> float:
        drawn = draw.choices(range(len(costs)), k=len(costs))
        return kendall([costs[i] for i in drawn], [values[i] for i in drawn]) or 0.0

    return bootstrap(once, TAU_RESAMPLES)


def seed_deviation(group: Group) -> tuple[float, int]:
    """(standard deviation of the accuracy of one member over seeds, pooled; members that were repeated)."""
    by_index: dict[str, list[float]] = {}
    for member in group.repeated:
        by_index.setdefault(member.index, []).append(member.test)
    runs = [
        [m.test for m in group.members if m.index == index] + again
        for index, again in by_index.items()
        if any(m.index == index for m in group.members)
    ]
    squares = sum((value - fmean(values)) ** 2 for values in runs for value in values)
    return sqrt(squares / sum(len(values) - 1 for values in runs)), len(runs)


def row(*cells: object) -> str:
    """A row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def spread(groups: Sequence[Group]) -> list[str]:
    """A row a group: cost, mean, spread, the best."""
    best = max(max(g.accuracies) for g in groups)
    columns = ("space", "members", "n", "width", "params", "MACs", "mean accuracy, 95 %", "sd", "best")
    heads = (*columns, f"best at ≤ {LIGHT:,} params", f"best of {FEW}", f"within {NEAR:g} of {best:.1f}")
    rows = [row(*heads), row(*("---" for _ in heads))]
    for g in groups:
        values = g.accuracies
        low, high = mean_interval(values)
        light = [m.test for m in g.members if m.params <= LIGHT]
        near = sum(value >= best - NEAR - 1e-9 for value in values)
        rows.append(
            row(
                f"`{g.name}`",
                sized(g.size),
                len(values),
                g.width,
                f"{median(m.params for m in g.members):,.0f}",
                f"{median(m.macs for m in g.members):,.0f}",
                f"{fmean(values):.1f} ({low:.1f} to {high:.1f})",
                f"{stdev(values):.1f}",
                f"{max(values):.1f}",
                f"{max(light):.1f} of {len(light)}" if light else "none",
                f"{expected_best(values, FEW):.1f}",
                f"{near} of {len(values)}",
            )
        )
    return rows


def sized(size: int) -> str:
    return f"{size:,}" if size < 10**7 else f"10^{log10(size):.1f}"


def differences(groups: Sequence[Group], against: Group) -> list[str]:
    """A row a group: how much its mean is above another's."""
    rows = [f"| against `{against.name}` | difference of means, points | 95 % |", "| --- | --- | --- |"]
    for g in groups:
        if g is not against:
            low, high = difference_interval(g.accuracies, against.accuracies)
            mean = fmean(g.accuracies) - fmean(against.accuracies)
            rows.append(f"| `{g.name}` | {mean:+.1f} | {low:+.1f} to {high:+.1f} |")
    return rows


def correlations(groups: Sequence[Group]) -> list[str]:
    """A row a group: Kendall's tau of accuracy with each cost; then the mean over the groups."""
    found: dict[str, list[float]] = {cost: [] for cost in COSTS}
    rows = [row("space", "n", "params, 95 %", "MACs", "depth"), row(*["---"] * 5)]
    for g in groups:
        told = [f"`{g.name}`", str(len(g.members))]
        for cost in COSTS:
            costs = [getattr(m, cost) for m in g.members]
            tau = kendall(costs, g.accuracies)
            if tau is None:
                told.append("does not vary")
                continue
            found[cost].append(tau)
            low, high = tau_interval(costs, g.accuracies) if cost == "params" else (None, None)
            told.append(f"{tau:+.2f}" if low is None else f"{tau:+.2f} ({low:+.2f} to {high:+.2f})")
        rows.append(row(*told))
    means = [(fmean(taus), *mean_interval(taus)) for taus in found.values()]
    rows.append(row("mean over spaces, 95 %", "", *(f"{m:+.2f} ({low:+.2f} to {high:+.2f})" for m, low, high in means)))
    return rows


def conditions(measured: Measurements) -> list[str]:
    """How everything was measured."""
    p, recipe = measured.provenance, measured.provenance["recipe"]
    deviation, repeated = seed_deviation(next(g for g in measured.groups if g.repeated))
    accuracy = fmean(m.test for g in measured.groups for m in g.members) / 100
    trainings = sum(len(g.members) + len(g.repeated) for g in measured.groups)
    images = sqrt(accuracy * (1 - accuracy) / p["test_images"])
    return [
        row("", ""),
        row("---", "---"),
        row("trainings", f"{trainings}, of uniformly drawn members (seed {p['sample_seed']})"),
        row("data", f"`{p['dataset']}`: 8×8 images, {p['test_images']} to test; accuracy on these, in percent"),
        row(
            "recipe",
            f"{recipe['epochs']} epochs, batches of {recipe['batch_size']}, learning rate {recipe['learning_rate']}, "
            f"seed {p['training_seeds'][0]}; digest `{p['recipe_digest'][:12]}`",
        ),
        row(
            "from one seed to another",
            f"sd {deviation:.1f} points ({repeated} members, {len(p['training_seeds'])} seeds each)",
        ),
        row(f"from {p['test_images']} images to others", f"sd {100 * images:.1f} points at the mean accuracy"),
        row("made with", f"{p['code_version']}, torch {p['torch_version']}, {p['device']}"),
    ]


def tables(measured: Measurements) -> dict[str, list[str]]:
    """Every table that a guide may name."""

    return {
        "conditions": conditions(measured),
        "published": spread(measured.of("published")),
        "places": spread(measured.of("places")),
        "places-differences": differences(measured.of("places"), measured.named("cell")),
        "patterns": spread(measured.of("patterns")),
        "patterns-differences": differences(measured.of("patterns"), measured.named("chain")),
        "operations": spread(measured.of("operations")),
        "operations-differences": differences(measured.of("operations"), measured.named("plain")),
        "correlations": correlations(measured.groups),
    }


def renewed(text: str, made: dict[str, list[str]]) -> str:
    """A guide with its tables as they are now. Raises KeyError for a table that there is not."""
    return _TABLE.sub(lambda match: match[1] + "\n".join(made[match[2]]) + "\n" + match[3], text)


def main() -> None:
    """Compare, or write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="bring the guides up to date")
    write = parser.parse_args().write
    made = tables(measurements())
    for path in sorted(GUIDES.glob("*.md")):
        text = path.read_text()
        if (now := renewed(text, made)) != text:
            print(f"{path.name}: {'written' if write else 'out of date'}")
            if write:
                path.write_text(now)


if __name__ == "__main__":
    main()
