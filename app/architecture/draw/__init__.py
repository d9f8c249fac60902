"""Drawings: SVG for pages, text for terminals."""

from app.architecture.draw.svg import draw_svg
from app.architecture.draw.text import draw_text

__all__ = ["draw_svg", "draw_text"]
