"""Draw the named architectures of `architectures.json`: an SVG for pages, one for phones, and the page that shows them.

    python docs/drawings/draw.py            write what is drawn now beside this file
    python docs/drawings/draw.py --check    say which kept files differ from what is drawn now

An entry has a name; its space, by name or as a document; its genotype in one of the space's formats; its skeleton, by
name or as a document; perhaps an image; paper and source. `published_params` are checked against what is counted here.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.architecture import Cost, cost, draw_svg, lower
from app.architecture.formats import read_format
from app.space import Genotype, ImageInput, SearchSpace, Skeleton, space_from_json
from app.space.skeletons import skeleton_from_json
from app.space.zoo import ZOO

HERE = Path(__file__).parent
PAGE = 1000  # pixels that a picture is laid out for, where there is room
PHONE = 390

HEAD = """# Named architectures

{count} architectures of the literature as genotypes, each drawn on the skeleton that its paper trains or releases.
Parameters and multiply-adds (of convolutions and linear maps, for one input) are counted from the graphs that are
drawn, not copied. The genotypes are in [architectures.json](architectures.json), with their sources;
`python docs/drawings/draw.py` draws them again. Any other architecture is drawn by `POST /v1/spaces/{{space}}/draw`,
also as text, as DOT for Graphviz and as JSON.

| architecture | space | params | MACs |
| --- | --- | ---: | ---: |
"""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One entry, read."""

    name: str
    space: SearchSpace
    genotype: Genotype
    skeleton: Skeleton
    image: ImageInput
    said: Mapping[str, Any]

    @property
    def slug(self) -> str:
        """The name in a file's name."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def cost(self) -> Cost:
        """What it costs on its skeleton."""
        return cost(lower(self.space.grammar, self.skeleton, self.image, self.space.plan.read(self.genotype)))

    def svg(self, width: int) -> str:
        """Its drawing, laid out for so many pixels."""
        return draw_svg(self.space, self.genotype, self.skeleton, self.image, width=width)


def architectures() -> Iterator[Architecture]:
    """The entries of the file, in their order. Raises what a genotype outside its space raises."""
    for said in json.loads((HERE / "architectures.json").read_text(encoding="utf-8")):
        given, skeleton = said["space"], said["skeleton"]
        space = ZOO[given] if isinstance(given, str) else space_from_json(given)
        yield Architecture(
            said["name"],
            space,
            read_format(space, said["format"], said["genotype"]),
            space.skeletons[skeleton] if isinstance(skeleton, str) else skeleton_from_json(skeleton),
            ImageInput(**said["input"]) if "input" in said else space.input,
            said,
        )


def files(found: list[Architecture]) -> Iterator[tuple[str, str]]:
    """Every file that belongs here, by name: the drawings, then the page."""
    rows: list[str] = []
    sections: list[str] = []
    for one in found:
        yield f"{one.slug}.svg", one.svg(PAGE)
        yield f"{one.slug}.phone.svg", one.svg(PHONE)
        total = one.cost
        rows.append(f"| [{one.name}](#{one.slug}) | `{one.space.name}` | {total.params:,} | {total.macs:,} |")
        sections.append(section(one))
    yield "README.md", HEAD.format(count=len(found)) + "\n".join([*rows, "", *sections])


def section(one: Architecture) -> str:
    """An architecture's part of the page."""
    note = f" {one.said['note']}" if "note" in one.said else ""
    return f"""<a id="{one.slug}"></a>
## {one.name}

{one.said["paper"]}. Genotype: {linked(one.said["source"])}.{note}

<picture>
  <source media="(max-width: 600px)" srcset="{one.slug}.phone.svg">
  <img src="{one.slug}.svg" alt="{one.name}: its cells or layers, and its network">
</picture>
"""


def linked(source: str) -> str:
    """A source whose repository is a link."""
    return re.sub(r"https://github\.com/([\w.-]+/[\w.-]+)", r"[\1](https://github.com/\1)", source)


def main(check: bool) -> int:
    """Write the files, or compare them; 1 where some differ."""
    wrong = 0
    for name, text in files(list(architectures())):
        file = HERE / name
        if check:
            if not file.is_file() or file.read_text(encoding="utf-8") != text:
                print(f"{name} is not what is drawn now")
                wrong = 1
        else:
            file.write_text(text, encoding="utf-8")
    return wrong


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
