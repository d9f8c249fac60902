"""Rows of a table as rows of the catalogue: genotypes read and judged, architectures identified and priced."""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from app.architecture import LoweringError, architecture_id, faults_of, price_of
from app.architecture.formats import JSON, FormatError, formats_of, read_format
from app.experiment import TableReport, TableRequest, TableRow
from app.space import InvalidGenotype, SearchSpace, space_from_json
from workers.benchmark.rows import Row, TableError, rows_of

REPORTED = 100  # refusals that are named one by one
MOST_SEEDS = 64
MOST_SERIES = 16  # results of one architecture that differ, for one seed
SHOWN = 200  # characters of a value in a refusal
MAX_COST = 2**53  # params or MACs: they travel as JSON numbers

_BITS = 64
_HASH = (1 << _BITS) - 1

Heed = Callable[[int], None]
"""Told after each row how many there were; may raise."""


@dataclass(frozen=True, slots=True)
class Identified:
    """What a genotype is and costs: that takes the most time, and is the same for every seed."""

    architecture: str  # id
    params: int
    macs: int


class Refused(ValueError):
    """A row is not written."""

    def __init__(self, column: str | None, value: object, reason: str) -> None:
        super().__init__(reason)
        self.column, self.value, self.reason = column, value, reason


def prepare(
    request: TableRequest,
    file: Path,
    lines: TextIO,
    *,
    known: dict[int, Identified] | None = None,
    heed: Heed = lambda _: None,
) -> TableReport:
    """Write the sound rows of a file, each as a line. Raises TableError where the table as a whole will not do.

    `known` is by rank, and grows: what is in it need not be identified again.
    """
    try:
        return Preparation(request, lines, {} if known is None else known).run(file, heed)
    except FormatError as error:
        raise TableError(f"{error}; there are {', '.join(map(str, error.allowed))}") from error


def with_checksum(request: TableRequest, file: Path) -> TableRequest:
    """The request for what is in the file now. Raises TableError where it is not what was uploaded."""
    with file.open("rb") as opened:
        sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
    if request.sha256 not in (None, sha256):
        raise TableError(f"{request.table.file} is not what it was: its SHA-256 is {sha256}, not {request.sha256}")
    return replace(request, table=replace(request.table, sha256=sha256))


class Preparation:
    """One run over a table."""

    def __init__(self, request: TableRequest, lines: TextIO, known: dict[int, Identified]) -> None:
        self._request = request
        self._lines = lines
        self._known = known
        self._space = space_from_json(request.document)
        self._skeleton = self._space.skeletons[request.skeleton]
        self._seeds: dict[int, int] = {}  # their numbers
        self._architectures: dict[str, int] = {}
        # By rank and seed: the row and a hash of its values. By architecture and seed: hashes of values. Two numbers
        # are one here, and so are a hash and what stands before it, as there may be very many of them.
        self._rows: dict[int, int] = {}
        self._results: dict[int, int | list[int]] = {}
        self._series: set[tuple[int, int]] = set()
        self._highest = -math.inf

    def run(self, file: Path, heed: Heed) -> TableReport:
        """Every row, once."""
        asked = self._request
        seed = [asked.seed] if isinstance(asked.seed, str) else []
        named_format(self._space, asked.format)
        rows = sound = repeated = 0
        refusals: list[dict[str, Any]] = []
        refused = 0
        for row in rows_of(file, [asked.genotype, *asked.metrics.values(), *seed], name=asked.table.file):
            heed(rows)
            rows += 1
            try:
                if self._take(rows, row):
                    sound += 1
                else:
                    repeated += 1
            except Refused as refusal:
                refused += 1
                if refused <= REPORTED:
                    value = None if refusal.value is None else _shown(str(refusal.value)[:SHOWN])
                    reason = _shown(refusal.reason[:1000])
                    refusals.append({"row": rows, "column": refusal.column, "value": value, "reason": reason})
        if sound and not asked.fractions and 0 < self._highest <= 1:
            raise TableError(
                f"no accuracy is above {self._highest}: accuracies are in percent, unless `fractions` says otherwise"
            )
        return TableReport(
            rows=rows,
            sound=sound,
            repeated=repeated,
            refused=refused,
            architectures=len(self._architectures),
            series=tuple(sorted(self._series)),
            refusals=tuple(refusals),
        )

    def _take(self, number: int, row: Row) -> bool:
        """Write a row; False where one before it has said the same. Raises Refused."""
        asked = self._request
        if isinstance(row, str):
            raise Refused(None, None, row)
        metrics = {
            name: self._metric(name, column, value)
            for (name, column), value in zip(asked.metrics.items(), row[1:], strict=False)
        }
        seed = asked.seed if isinstance(asked.seed, int) else _seed(asked.seed, row[-1])
        index = self._rank(row[0])
        of = self._identified(index, row[0])
        place = self._seeds.setdefault(seed, len(self._seeds))
        if place == MOST_SEEDS:
            raise TableError(f"more than {MOST_SEEDS} seeds; is {asked.seed!r} the column of seeds?")
        values = hash(tuple(metrics.values())) & _HASH
        said = self._rows.setdefault(index * MOST_SEEDS + place, number << _BITS | values)
        if said & _HASH != values:
            reason = f"row {said >> _BITS} has the same genotype and seed, and other values"
            raise Refused(asked.genotype, row[0], reason)
        first = of.architecture not in self._architectures
        result = self._architectures.setdefault(of.architecture, len(self._architectures)) * MOST_SEEDS + place
        series = self._serial(result, values, row[0])
        if series is None:
            return False
        self._series.add((seed, series))
        self._highest = max(self._highest, metrics.get("accuracy", -math.inf))
        written = TableRow(
            number=number,
            architecture=of.architecture,
            first=first,
            index=index,
            params=of.params,
            macs=of.macs,
            series=(seed, series),
            metrics=metrics,
        )
        self._lines.write(written.line)
        return True

    def _serial(self, result: int, values: int, given: object) -> int | None:
        """How many other results this architecture has for this seed; None where this is one of them."""
        known = self._results.get(result)
        if known is None:
            self._results[result] = values
            return 0
        if isinstance(known, int):
            if known == values:
                return None
            known = self._results[result] = [known]
        if values in known:
            return None
        if len(known) == MOST_SERIES:
            reason = f"{MOST_SERIES} rows have the same architecture and seed, and other values"
            raise Refused(self._request.genotype, given, reason)
        known.append(values)
        return len(known) - 1

    def _identified(self, index: int, given: object) -> Identified:
        """What the member of a rank is. Raises Refused where it has no network, or one too large."""
        found = self._known.get(index)
        if found is None:
            space, skeleton = self._space, self._skeleton
            try:
                price = price_of(space, skeleton, space.input, index)
                if max(price.params, price.macs) >= MAX_COST:
                    raise LoweringError(
                        "", f"{price.params} params and {price.macs} MACs; at most 2^53 of each can be told"
                    )
                id = architecture_id(space, skeleton, space.input, space.plan.unrank(index))
            except LoweringError as error:
                raise Refused(self._request.genotype, given, str(error)) from error
            found = self._known[index] = Identified(id, price.params, price.macs)
        return found

    def _metric(self, name: str, column: str, value: object) -> float:
        try:
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError
            number = float(value)
        except (ValueError, OverflowError):
            raise Refused(column, value, "not a number") from None
        if not math.isfinite(number):
            raise Refused(column, value, "not a finite number")
        if name == "accuracy":
            if self._request.fractions:
                number = round(100 * number, 10)  # what the decimals of the table say, not those of binary fractions
            if not 0 <= number <= 100:
                allowed = "[0, 1]" if self._request.fractions else "[0, 100] percent"
                raise Refused(column, value, f"an accuracy is in {allowed}")
        return number

    def _rank(self, value: object) -> int:
        """The rank of a valid member. A text may hold a document of the format."""
        space, column = self._space, self._request.genotype
        try:
            genotype = self._read(value)
            if faults := faults_of(space, genotype):
                raise InvalidGenotype(faults)
            return space.plan.rank(genotype)
        except (InvalidGenotype, FormatError, RecursionError) as error:
            raise Refused(column, value, str(error) or "too deep") from error

    def _read(self, value: object) -> Any:
        space, name = self._space, self._request.format
        document = _document(value) if isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"') else None
        if name == JSON.name:
            return value if document is None else document
        if document is None:
            return read_format(space, name, value)
        try:
            return read_format(space, name, document)
        except FormatError:
            return read_format(space, name, value)


def named_format(space: SearchSpace, name: str) -> None:
    """Refuse a format that the space's genotypes are not written in. Raises FormatError."""
    names = tuple(format.name for format in formats_of(space))
    if name not in names:
        raise FormatError("", f"genotypes of {space.name} are not written as {name!r}", name, names)


def _document(text: str) -> Any:
    """The JSON value that a text holds; None where it holds none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _seed(column: str, value: object) -> int:
    """A whole number of 63 bits, written as one."""
    text = str(value)
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 19 else -1
    if isinstance(value, bool) or not 0 <= number < 2**63:
        raise Refused(column, value, "a seed is a whole number in [0, 2^63)")
    return number


def _shown(text: str) -> str:
    """A text without what JSON may hold and PostgreSQL has no place for: halves of characters, and U+0000."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
