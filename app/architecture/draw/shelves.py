"""Panels on shelves: side by side as long as the page has room, small ones under one another beside a tall one."""

from collections.abc import Callable, Iterable

from app.architecture.draw.canvas import GAP, MARGIN, Canvas

Draw = Callable[[Canvas, float], float]  # draws a panel from a y on, and returns the y below it


def shelve(canvas: Canvas, y: float, panels: Iterable[Draw]) -> float:
    """Panels from `y` on, in their order; returns the y below all of them."""
    top = bottom = under = y  # of the shelf, and where the last panel on it ends
    left = right = 0.0  # of the last panel
    for draw in panels:
        trial = Canvas(canvas.width)
        height = draw(trial, 0)
        room = canvas.width - MARGIN - trial.right
        if under > top and under + height <= bottom and left <= room:
            at = under
        elif right <= room:
            at, left = top, right
        else:
            at, left, top = bottom, 0.0, bottom
            right = 0.0
        canvas.left = left
        under = draw(canvas, at)
        bottom = max(bottom, under)
        right = max(right, left + trial.right - MARGIN + 2 * GAP)
    canvas.left = 0.0
    return bottom
