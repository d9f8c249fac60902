"""Drawings: SVG for pages, text for terminals, DOT and JSON for other tools."""

from app.architecture.draw.dot import draw_dot, graph_dot
from app.architecture.draw.json_graph import draw_json, graph_json
from app.architecture.draw.svg import draw_svg
from app.architecture.draw.text import draw_text

__all__ = ["draw_dot", "draw_json", "draw_svg", "draw_text", "graph_dot", "graph_json"]
