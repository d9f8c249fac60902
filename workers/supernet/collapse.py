"""Collapse: a differentiable search that ends in identities (Zela et al., 2020; Chu et al., 2020).

The alarm asks how surprising the share of skips is. Its threshold comes from the space itself: the share that at most
one uniformly drawn genotype in a thousand exceeds, estimated from a fixed sample. Where even an all-skip genotype is
more common than that, the alarm cannot fire, and the threshold is 1.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from app.architecture.vocabulary import is_operation
from app.space import Genotype, Path, Plan, Symbol

SKIPS = frozenset({"skip_connect", "identity"})
RARITY = 1e-3  # one uniform genotype in a thousand
SAMPLES = 10_000  # ten of them lie beyond the threshold
SAMPLE_SEED = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    """The threshold of one space."""

    threshold: float
    samples: int

    def rings(self, share: float) -> bool:
        """Whether a share of skips is beyond what chance gives."""
        return share > self.threshold


def skip_share(plan: Plan, genotype: Genotype) -> float:
    """Skips among the operations that a genotype chooses, 0 to 1; 0 where it chooses none."""
    return _share(plan.read(genotype), _operation_paths(plan))


def alarm(plan: Plan, samples: int = SAMPLES) -> Alarm:
    """The threshold of a space; the same on every call."""
    operations = _operation_paths(plan)
    drawn = plan.sample(random.Random(SAMPLE_SEED), samples)
    shares = sorted((_share(plan.read(genotype), operations) for genotype in drawn), reverse=True)
    # At most `RARITY` of the sample lies strictly above the value at this place.
    return Alarm(shares[int(RARITY * samples)], samples)


def _operation_paths(plan: Plan) -> frozenset[Path]:
    """Decisions between operations of the vocabulary."""
    return frozenset(d.path for d in plan.decisions() if any(is_operation(option) for option in d.options))


def _share(decisions: Mapping[Path, tuple[Symbol, ...]], operations: frozenset[Path]) -> float:
    chosen = [symbol for path, answer in decisions.items() if path in operations for symbol in answer]
    return sum(symbol in SKIPS for symbol in chosen) / len(chosen) if chosen else 0.0
