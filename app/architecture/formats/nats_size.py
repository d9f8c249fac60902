"""The width string of NATS-Bench's size space (Dong et al., 2021): 64:64:64:64:64, one width a stage."""

import re
from typing import cast

from app.architecture.formats.format import Format, FormatError
from app.architecture.formats.reader import Reader
from app.space import Choice, Genotype, Record, SearchSpace, Value

_WIDTH, _COLON, _END = re.compile(r"\d{1,9}"), re.compile(":"), re.compile(r"\s*+\Z")

Stages = dict[str, tuple[int, ...]]  # the widths that each stage may have


def _stages(space: SearchSpace) -> Stages | None:
    """The stages of a space of widths; None of another kind of space."""
    follow = space.grammar.follow
    root = follow(space.grammar.root)
    if not isinstance(root, Record) or root.builds != "widths":
        return None
    stages: Stages = {}
    for name, term in root.fields:
        choice = follow(term)
        options = [follow(o) for o in choice.options] if isinstance(choice, Choice) else [choice]
        widths = [o.value for o in options if isinstance(o, Value)]
        stages[name] = tuple([w for w in widths if isinstance(w, int) and not isinstance(w, bool)])
        if len(stages[name]) != len(options):
            return None
    return stages


def _read(space: SearchSpace, value: object) -> Genotype:
    stages = _stages(space)
    if stages is None:
        raise FormatError("", f"{space.name} is no space of widths", space.name)
    reader = Reader(value)
    found: dict[str, Genotype] = {}
    for name, widths in stages.items():
        if found:
            reader.expect(_COLON, f": and the width of {name}")
        width = reader.expect(_WIDTH, f"the width of {name}")
        if int(width[0]) not in widths:
            raise reader.error(width.start(), f"{name} is not {width[0]} channels wide", int(width[0]), widths)
        found[name] = int(width[0])
    reader.expect(_END, "the end")
    return found


def _write(space: SearchSpace, genotype: Genotype) -> str:
    return ":".join(map(str, cast("dict[str, int]", genotype).values()))


NATS_SIZE = Format(
    name="nats-size",
    title="64:64:64:64:64 as text, one width a stage",
    source="D-X-Y/NATS-Bench, nats_bench/api_size.py",
    suits=lambda space: _stages(space) is not None,
    read=_read,
    write=_write,
)
