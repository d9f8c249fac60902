"""Published tables, read row by row: what is sound, what repeats, what is refused and why."""

import csv
import gzip
import hashlib
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.architecture import architecture_id, cost, lower
from app.architecture.formats import read_format, write_format
from app.experiment import (
    PublishedRecipe,
    PublishedTable,
    SpaceVersion,
    TableReport,
    TableRequest,
    TableRow,
)
from app.space import space_to_json
from app.space.zoo import ZOO
from workers.benchmark import Identified, TableError, prepare, rows, rows_of, with_checksum
from workers.benchmark.rows import LONGEST

SPACE = ZOO["nasbench201"]
BEST = "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|"
OTHER = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|nor_conv_1x1~2|"
# One network: node 1 is the input, so an edge from it is an edge from the input.
BY_INPUT = "|skip_connect~0|+|nor_conv_3x3~0|none~1|+|nor_conv_3x3~0|none~1|none~2|"
BY_NODE = "|skip_connect~0|+|nor_conv_3x3~0|none~1|+|none~0|nor_conv_3x3~1|none~2|"


def table(folder: Path, *rows: str, header: str = "arch,acc") -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join((header, *rows, "")))
    return path


def asked(**changed: Any) -> TableRequest:
    """What is asked of a table of NAS-Bench-201."""
    fields: dict[str, Any] = {
        "table": PublishedTable(file="table.csv", source="a paper", licence="MIT", sha256=None),
        "space": SpaceVersion(name=SPACE.name, version=SPACE.version, digest=SPACE.digest),
        "document": space_to_json(SPACE),
        "skeleton": "cifar",
        "format": "nasbench201",
        "genotype": "arch",
        "metrics": {"accuracy": "acc"},
        "dataset": "cifar10",
        "split": "test",
        "recipe": PublishedRecipe(name="theirs", source="a paper"),
    }
    return TableRequest(**(fields | changed))


def prepared(path: Path, **changed: Any) -> tuple[TableReport, list[TableRow]]:
    """What became of the rows of a file, and the sound ones."""
    lines = path.with_name("lines")
    with lines.open("w") as opened:
        report = prepare(asked(**changed), path, opened)
    return report, [TableRow.of_line(line) for line in lines.read_text().splitlines()]


def bomb(path: Path, rows: int = 1000) -> Path:
    """A small Parquet file whose column of genotypes holds a mebibyte in each row."""
    genotypes = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * (1 << 20)])
    pq.write_table(pa.table({"arch": genotypes, "acc": [1.0] * rows}), path, store_schema=False)
    return path


def test_a_row_has_its_identity_its_costs_and_its_values(tmp_path: Path) -> None:
    file = table(tmp_path, f"{BEST},94.37,0.2", header="arch,acc,test loss")
    report, (line,) = prepared(file, metrics={"accuracy": "acc", "loss": "test loss"}, seed=7)
    genotype = read_format(SPACE, "nasbench201", BEST)
    skeleton = SPACE.skeletons["cifar"]
    total = cost(lower(SPACE.grammar, skeleton, SPACE.input, SPACE.plan.read(genotype)))
    assert line == TableRow(
        number=1,
        architecture=architecture_id(SPACE, skeleton, SPACE.input, genotype),
        first=True,
        index=SPACE.plan.rank(genotype),
        params=total.params,
        macs=total.macs,
        series=(7, 0),
        metrics={"accuracy": 94.37, "loss": 0.2},
    )
    expected = TableReport(rows=1, sound=1, repeated=0, refused=0, architectures=1, series=((7, 0),), refusals=())
    assert report == expected


def test_what_is_refused_is_named_and_keeps_nothing_else_out(tmp_path: Path) -> None:
    rows = (f"{BEST},94.37", "|conv_9x9~0|,90", f"{OTHER},nan", f"{OTHER},101", OTHER, f"{OTHER},many")
    file = table(tmp_path, *rows, f"{BEST},94.37", f"{BEST},94.38", "", f"{OTHER},80.5")
    report, lines = prepared(file)
    assert (report.rows, report.sound, report.repeated, report.refused) == (9, 2, 1, 6)
    assert [line.number for line in lines] == [1, 9], "an empty line is no row"
    places = [(refusal["row"], refusal["column"], refusal["value"]) for refusal in report.refusals]
    assert places == [
        (2, "arch", "|conv_9x9~0|"),
        (3, "acc", "nan"),
        (4, "acc", "101"),
        (5, None, None),
        (6, "acc", "many"),
        (8, "arch", BEST),
    ]
    reasons = [refusal["reason"] for refusal in report.refusals]
    assert reasons[0].startswith("/1: no operation 'conv_9x9' in this space")
    assert reasons[1:] == [
        "not a finite number",
        "an accuracy is in [0, 100] percent",
        "1 fields, and the header has 2",
        "not a number",
        "row 1 has the same genotype and seed, and other values",
    ]


def test_a_hundred_refusals_are_named_and_all_are_counted(tmp_path: Path) -> None:
    report, _ = prepared(table(tmp_path, f"{BEST},94.37", *["x,1"] * 150))
    assert (report.refused, len(report.refusals)) == (150, 100)


def test_isomorphic_genotypes_are_kept_where_their_results_differ(tmp_path: Path) -> None:
    report, (one, two) = prepared(table(tmp_path, f"{BY_INPUT},70", f"{BY_NODE},71", f"{BY_NODE},71"))
    assert (report.sound, report.repeated, report.series) == (2, 1, ((0, 0), (0, 1)))
    assert (one.architecture, one.series, two.series) == (two.architecture, (0, 0), (0, 1))
    assert (one.first, two.first, report.architectures) == (True, False, 1)
    report, _ = prepared(table(tmp_path, f"{BY_INPUT},72", f"{BY_NODE},72"))
    assert (report.sound, report.repeated) == (1, 1)


def test_seeds_are_a_column(tmp_path: Path) -> None:
    file = table(tmp_path, f"{BEST},94,777", f"{BEST},95,888", f"{OTHER},80,-1", header="arch,acc,seed")
    report, _ = prepared(file, seed="seed")
    assert report.series == ((777, 0), (888, 0))
    assert report.refusals[0]["reason"] == "a seed is a whole number in [0, 2^63)"
    with pytest.raises(TableError, match="is 'seed' the column of seeds"):
        prepared(table(tmp_path, *(f"{BEST},1,{seed}" for seed in range(65)), header="arch,acc,seed"), seed="seed")


def test_parquet_gzip_and_a_byte_order_mark_hold_the_same(tmp_path: Path) -> None:
    _, expected = prepared(table(tmp_path, f"{BEST},94.37", f"{OTHER},80.5"))
    packed, marked, parquet = tmp_path / "t.csv.gz", tmp_path / "marked.csv", tmp_path / "t.parquet"
    text = (tmp_path / "table.csv").read_bytes()
    packed.write_bytes(gzip.compress(text))
    marked.write_bytes(b"\xef\xbb\xbf" + text)
    pq.write_table(pa.table({"unused": [1, 2], "arch": [BEST, OTHER], "acc": [94.37, 80.5]}), parquet)
    for file in (packed, marked, parquet):
        assert prepared(file)[1] == expected, file


def test_parquet_may_lack_values(tmp_path: Path) -> None:
    file = tmp_path / "t.parquet"
    pq.write_table(pa.table({"arch": [BEST, None, OTHER], "acc": [94.37, 1.0, None]}), file)
    report, _ = prepared(file)
    assert [(r["row"], r["column"], r["value"]) for r in report.refusals] == [(2, "arch", None), (3, "acc", None)]


def test_accuracies_in_fractions_are_told_by_the_caller(tmp_path: Path) -> None:
    file = table(tmp_path, f"{BEST},0.9437", f"{OTHER},0.805")
    with pytest.raises(TableError, match=r"no accuracy is above 0\.9437: accuracies are in percent, unless"):
        prepared(file)
    assert [line.metrics["accuracy"] for line in prepared(file, fractions=True)[1]] == [94.37, 80.5]


@pytest.mark.parametrize("format", ["json", "nasbench201"])
@pytest.mark.parametrize("index", [0, 7, 15_624])
def test_every_format_of_a_space_is_read(tmp_path: Path, format: str, index: int) -> None:
    genotype = write_format(SPACE, format, SPACE.plan.unrank(index))
    file = tmp_path / "t.csv"
    with file.open("w", newline="") as opened:
        written = genotype if isinstance(genotype, str) else json.dumps(genotype)
        csv.writer(opened).writerows([["arch", "acc"], [written, 50]])
    (line,) = prepared(file, format=format)[1]
    assert line.index == index


def test_a_document_of_a_format_may_be_written_as_json(tmp_path: Path) -> None:
    space, file = ZOO["nasbench101"], tmp_path / "t.csv"
    document = write_format(space, "nasbench101", space.plan.unrank(12_345))
    assert not isinstance(document, str)
    with file.open("w", newline="") as opened:
        csv.writer(opened).writerows([["arch", "acc"], [json.dumps(document), 50], ["[" * 5000, 50]])
    changed = {"document": space_to_json(space), "skeleton": next(iter(space.skeletons)), "format": "nasbench101"}
    report, (line,) = prepared(file, **changed)
    assert line.index == space.plan.rank(read_format(space, "nasbench101", document))
    assert report.refused == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the table is empty"),
        (b"arch,acc,acc\n", "the table has 2 columns 'acc'; it has 'arch', 'acc', 'acc'"),
        (b"arch\n", "the table has no column 'acc'; it has 'arch'"),
        (b"PAR1 and no more", "table.csv is no CSV or Parquet file that can be read"),
        (b"\x1f\x8b\x08 broken", "table.csv is no CSV or Parquet file that can be read"),
        (gzip.compress(b"arch,acc\n" * 100)[:-12], "table.csv is no CSV or Parquet file that can be read"),
        (b"arch,acc\n\xff\xfe,1\n", "table.csv is no CSV or Parquet file that can be read"),
        (b'arch,acc\n"x"y,1\n', "table.csv is no CSV or Parquet file that can be read"),
        (b"arch,acc\n" + b"x" * LONGEST, f"line 2 has more than {LONGEST - 1} bytes"),
        (b'arch,acc\n"' + (b"x" * 1000 + b"\n") * 1100, "field larger than field limit"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "table.csv"
    file.write_bytes(content)
    with pytest.raises(TableError) as raised:
        list(rows_of(file, ["arch", "acc"]))
    assert said in str(raised.value)


def test_a_format_that_the_space_is_not_written_in(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="genotypes of nasbench201 are not written as 'darts'; there are json, "):
        prepared(table(tmp_path, f"{BEST},94.37"), format="darts")


def test_a_batch_of_parquet_is_bounded(tmp_path: Path) -> None:
    file = bomb(tmp_path / "t.parquet", rows=300)
    assert file.stat().st_size < 1 << 20
    with pytest.raises(TableError, match=r"300 rows hold 3\d{8} bytes, at most 268435456 are accepted"):
        prepared(file)


def test_a_table_that_takes_too_much_memory_is_refused_by_its_process(tmp_path: Path) -> None:
    file, lines = bomb(tmp_path / "t.parquet"), tmp_path / "lines"
    document = {"request": asdict(asked()), "file": str(file), "lines": str(lines)}
    limited = "import sys; from workers.benchmark import __main__ as p; p.MEMORY = 1 << 30; sys.exit(p.main())"
    done = subprocess.run([sys.executable, "-c", limited], input=json.dumps(document), capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, "the table needs more than 1 GiB of memory\n")


def test_a_genotype_is_identified_once_whatever_its_seeds(tmp_path: Path) -> None:
    known: dict[int, Identified] = {}
    file = table(tmp_path, f"{BEST},94,1", f"{BEST},95,2", f"{OTHER},80,1", header="arch,acc,seed")
    with (tmp_path / "lines").open("w") as opened:
        first = prepare(asked(seed="seed"), file, opened, known=known)
    assert sorted(known) == sorted(SPACE.plan.rank(read_format(SPACE, "nasbench201", g)) for g in (BEST, OTHER))
    told = dict.fromkeys(known, Identified("0" * 32, 1, 2))
    with (tmp_path / "again").open("w") as opened:
        second = prepare(asked(seed="seed"), file, opened, known=told)
    assert (first.architectures, second.architectures) == (2, 1), "what is known is not worked out again"


def test_what_is_refused_is_told_without_what_a_database_has_no_place_for(tmp_path: Path) -> None:
    file = tmp_path / "table.csv"
    rows = (f"{BEST},94.37", "x\0y,1", "=cmd()|'/c calc'!A1,1", '"""\\ud800""",1')
    file.write_bytes("\n".join(("arch,acc", *rows, "")).encode())
    report, _ = prepared(file)
    assert [refusal["value"] for refusal in report.refusals] == ["x\\0y", "=cmd()|'/c calc'!A1", '"\\ud800"']
    text = json.dumps(asdict(report), ensure_ascii=False)
    assert "\\u0000" not in text
    assert text.encode(), "every character is a whole one"


@pytest.mark.parametrize("end", [b"\n", b"x,1\n"])
def test_tables_without_an_end_are_refused(tmp_path: Path, end: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "table.csv.gz"
    file.write_bytes(gzip.compress(b"arch,acc\n" + end * 200_000))
    assert file.stat().st_size < 10_000
    monkeypatch.setattr(rows, "MOST_ROWS", 100_000)
    with pytest.raises(TableError, match="the table is too long: at most 100000 lines and 17179869184 bytes"):
        list(rows_of(file, ["arch", "acc"]))
    parquet = tmp_path / "t.parquet"
    pq.write_table(pa.table({"arch": [BEST] * 3000, "acc": [1.0] * 3000}), parquet)
    monkeypatch.setattr(rows, "MOST_ROWS", 2000)
    with pytest.raises(TableError, match="at most 2000 rows are accepted"):
        list(rows_of(parquet, ["arch", "acc"]))


def test_a_file_that_is_not_what_was_uploaded(tmp_path: Path) -> None:
    file = table(tmp_path, f"{BEST},94.37")
    request = with_checksum(asked(), file)
    assert request.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert with_checksum(request, file) == request
    file.write_text("arch,acc\n")
    with pytest.raises(TableError, match=r"table\.csv is not what it was"):
        with_checksum(request, file)
