"""The colours of drawings can be told from what is behind them."""

import pytest

from app.architecture.draw.palette import FAMILIES, INK, MENU, PAPER, QUIET, STATE


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_every_text_can_be_read_on_what_is_behind_it(theme: int) -> None:
    """WCAG 2.2: at least 4.5 of both kinds of text on every fill."""
    fills = [PAPER[theme], STATE[theme], MENU[theme], *(colours[1 + 2 * theme] for colours in FAMILIES.values())]
    for fill in fills:
        for text in (INK[theme], QUIET[theme]):
            assert contrast(text, fill) >= 4.5, (text, fill, contrast(text, fill))


@pytest.mark.parametrize("name", FAMILIES)
def test_labels_can_be_read(name: str) -> None:
    """WCAG 2.1: 7 for text, 3 for the lines that carry meaning."""
    _, fill, line, dark_fill, dark_line = FAMILIES[name]
    assert contrast(fill, "#1b1f24") >= 7
    assert contrast(dark_fill, "#eef1f4") >= 7
    assert contrast(line, "#ffffff") >= 3
    assert contrast(dark_line, "#14171b") >= 3
