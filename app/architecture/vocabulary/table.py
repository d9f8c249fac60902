"""The tables of docs/operations.md: `python -m app.architecture.vocabulary.table` writes them to standard output."""

from collections.abc import Iterator

from app.architecture.vocabulary import BLOCKS, CATALOGUE, DOMAINS, LETTERS, Field, Operation, Place

WHERE = Place(channels=64, width=64, size=(32, 32))  # C = D = 64 on 32x32 places, norms that learn


def tables() -> str:
    """A section for each domain, one of blocks and their fields, and the legend of the letters."""
    return "\n".join([*_domains(), *_blocks(), *_legend()])


def _domains() -> Iterator[str]:
    for domain, meaning in DOMAINS.items():
        own = [o for o in CATALOGUE.values() if o.domain == domain and o.name not in BLOCKS]
        also = [o for o in CATALOGUE.values() if domain in o.domains[1:]]
        yield from (f"## {domain.capitalize()}", "", f"{meaning}.", "")
        above = {o.domain for o in also if o.domain in ("classification", "mobile") and domain == "detection"}
        shown = [o.name for o in also if o.domain not in above]
        if above:
            yield f"Every operation of {' and '.join(sorted(above))} is one of {domain} too."
        if shown:
            yield f"Also: {', '.join(f'`{name}`' for name in shown)}."
        yield from ("",) if also else ()
        yield "| name | what it is | params | MACs | activations | at C = D = 64, 32×32 | from |"
        yield "| --- | --- | --- | --- | --- | --- | --- |"
        yield from map(_row, own)
        yield ""


def _row(o: Operation) -> str:
    params, macs, _ = o.count(WHERE)
    numbers = f"{params:,} params, {macs:,} MACs"
    return f"| `{o.name}` | {o.title} | {o.params} | {o.macs} | {o.activations} | {numbers} | {o.source} |"


def _blocks() -> Iterator[str]:
    yield from ("## Blocks", "", "One entry for all the values of their fields.", "")
    for o in BLOCKS.values():
        params, macs, _ = o.count(WHERE)
        yield from (f"### {o.name}", "", f"{o.title}.", "")
        yield (
            f"Written `{o.spelling}`" if "{" in o.spelling and "record" not in o.spelling else f"Written: {o.spelling}"
        )
        yield from ("", f"* params: {o.params}", f"* MACs: {o.macs}", f"* activations: {o.activations}")
        yield f"* with its defaults at C = D = 64, 32×32: {params:,} params, {macs:,} MACs"
        yield from (
            f"* from {o.source}",
            "",
            "| field | what it decides | values | default |",
            "| --- | --- | --- | --- |",
        )
        place = ("channels", "output_channels", "stride", "affine")
        yield from (
            f"| `{f.name}` | {f.meaning} | {_allowed(f)} | {_word(f.default)} |"
            for f in o.fields
            if f.name not in place
        )
        yield ""


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _allowed(field: Field) -> str:
    if field.values:
        return ", ".join(map(_word, field.values))
    return f"{'odd, ' if field.odd else ''}{field.least:g} to {field.most:g} {field.unit}".rstrip()


def _legend() -> Iterator[str]:
    yield from ("## Letters", "", "| letter | what it is |", "| --- | --- |")
    yield from (f"| {letter} | {meaning} |" for letter, meaning in LETTERS.items())


if __name__ == "__main__":
    print(tables())
