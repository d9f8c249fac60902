"""Panels on shelves: side by side as long as the page has room, then on the next shelf."""

from collections.abc import Callable, Iterable

from app.architecture.draw.canvas import GAP, MARGIN, Canvas

Draw = Callable[[Canvas, float], float]  # draws a panel from a y on, and returns the y below it


def shelve(canvas: Canvas, y: float, panels: Iterable[Draw]) -> float:
    """Panels from `y` on; returns the y below all of them."""
    top = bottom = y
    left = 0.0
    for draw in panels:
        trial = Canvas(canvas.width)
        draw(trial, 0)
        if left and left + trial.right > canvas.width - MARGIN:
            top, left = bottom, 0.0
        canvas.left = left
        bottom = max(bottom, draw(canvas, top))
        left += trial.right - MARGIN + 2 * GAP
    canvas.left = 0.0
    return bottom
