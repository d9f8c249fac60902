"""The report on what sharing weights is worth: coefficients worked out by hand, and what is said of few members."""

import pytest

from app.experiment import TRAINING_RECIPES, SharedMember, SharingCheck, recipe_digest, sharing_report

RECIPE = TRAINING_RECIPES["digits-quick"]
CHECK = SharingCheck(members=12, recipe=RECIPE, seeds=(0, 4))


def pairs(*accuracies: tuple[float, float]) -> list[SharedMember]:
    return [
        SharedMember(index=str(i), inherited=inherited, standalone=standalone, deviation=None, jobs=())
        for i, (inherited, standalone) in enumerate(accuracies)
    ]


def test_coefficients_are_those_of_the_two_orders() -> None:
    # Twelve members; the last three are reversed, and the first two equal with inherited weights.
    inherited = [10.0, 10.0, *(10.0 + i for i in range(1, 8)), 30.0, 29.0, 28.0]
    found = sharing_report(CHECK, pairs(*zip(inherited, range(70, 82), strict=True)), split="selection", seed=0)
    # 66 pairs: one tied on one side, three discordant, 62 concordant: (62 - 3) / sqrt(65 · 66)
    assert found.kendall.coefficient == pytest.approx(59 / (65 * 66) ** 0.5)
    # Ranks of x: 1.5 1.5 3…9 12 11 10, of y 1…12. Sums of squares about 6.5: 142.5 and 143; products about it: 138.5,
    # which is 143 less half of the squared differences 0.25 + 0.25 + 4 + 0 + 4, less a quarter for the tie.
    assert found.spearman.coefficient == pytest.approx(138.5 / (142.5 * 143) ** 0.5)
    assert (found.kendall.n, found.spearman.n, found.notes) == (12, 12, ())
    for one in (found.kendall, found.spearman):
        assert one.low is not None
        assert one.high is not None
        assert one.p_value is not None
        assert one.low < (one.coefficient or 0.0) <= one.high <= 1
        assert one.p_value < 0.01
    assert (found.split, found.recipe, found.seeds) == ("selection", RECIPE.name, (0, 4))
    assert found.recipe_digest == recipe_digest(RECIPE)
    assert found == sharing_report(CHECK, found.pairs, split="selection", seed=0), "chance comes from the seed"


@pytest.mark.parametrize("accuracies", [(), ((10.0, 70.0),), ((10.0, 70.0), (10.0, 71.0), (10.0, 72.0))])
def test_what_has_no_order_has_no_coefficient(accuracies: tuple[tuple[float, float], ...]) -> None:
    found = sharing_report(CHECK, pairs(*accuracies), split="selection", seed=0, notes=["a member is left out"])
    for one in (found.kendall, found.spearman):
        assert (one.coefficient, one.low, one.high, one.p_value, one.n) == (None, None, None, None, len(accuracies))
    assert found.notes == ("a member is left out", f"{len(accuracies)} members: of so few a coefficient says little")
