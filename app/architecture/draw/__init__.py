"""Drawings: SVG for pages, text for terminals, DOT and JSON for other tools."""

from app.architecture.draw.canvas import NARROWEST, PAGE, WIDEST
from app.architecture.draw.dot import draw_dot, graph_dot
from app.architecture.draw.json_graph import draw_json, graph_json
from app.architecture.draw.palette import Theme
from app.architecture.draw.supernet import draw_supernet
from app.architecture.draw.svg import draw_svg
from app.architecture.draw.text import draw_text

__all__ = [
    "NARROWEST",
    "PAGE",
    "WIDEST",
    "Theme",
    "draw_dot",
    "draw_json",
    "draw_supernet",
    "draw_svg",
    "draw_text",
    "graph_dot",
    "graph_json",
]
