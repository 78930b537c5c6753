"""Checks that the tool's Parquet folder can be read as it stands by those who would read it.

    python check_store.py BINARY REPORT...

DuckDB, pandas, pyarrow and polars each open the folder without any help, and must find what the
tool writes as NDJSON for the same reports: the same documents, sums and types. The reports are
then indexed once more, after which nothing may have changed.

Two different reports of one run (`fixtures/valid` has some) must not be given together: their
documents share their ids, so the later one replaces the other.
"""

import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from matching import Tally
from reports import text_to_micros

KINDS = ("summaries", "requests")
METRIC_NAMES = {"guidellmSummary": "summaries", "guidellmRequest": "requests"}
SUMS = {
    "summaries": ("request_latency_mean_seconds", "ttft_mean_ms"),
    "requests": ("request_latency_seconds", "ttft_ms"),
}

Documents = dict[str, dict]


def index(binary: str, paths: list[str], output: list[str]) -> str:
    """Runs the tool over all reports at once."""
    command = [binary, "index", *paths, "--job-name", "store-check", "--quiet", *output]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def expected_documents(binary: str, paths: list[str]) -> dict[str, Documents]:
    """The NDJSON documents by kind and id; JSON and YAML of one run share their ids."""
    found: dict[str, Documents] = {kind: {} for kind in KINDS}
    for line in index(binary, paths, ["--format", "ndjson", "-o", "-"]).splitlines():
        document = json.loads(line)
        found[METRIC_NAMES[document["metricName"]]][document["document_id"]] = document
    return found


def figures(kind: str, documents: Documents) -> dict:
    """What every reader must find."""
    return {"rows": len(documents), "ids": set(documents)} | {
        field: math.fsum(each[field] for each in documents.values() if field in each)
        for field in SUMS[kind]
    }


def by_duckdb(folder: Path, kind: str, hive: bool) -> dict:
    """The folder in DuckDB, with and without its keys as columns."""
    option = "true" if hive else "false"
    source = f"read_parquet('{folder}/**/*.parquet', hive_partitioning={option})"
    sums = ", ".join(f"sum({field})" for field in SUMS[kind])
    rows, *values = duckdb.sql(f"select count(*), {sums} from {source}").fetchall()[0]
    ids = duckdb.sql(f"select document_id::varchar from {source}").fetchall()
    found = {"rows": rows, "ids": {row[0] for row in ids}}
    return found | {field: value or 0.0 for field, value in zip(SUMS[kind], values)}


def by_pandas(folder: Path, kind: str) -> dict:
    """The folder in pandas."""
    frame = pd.read_parquet(folder)
    found = {"rows": len(frame), "ids": set(frame["document_id"].astype(str))}
    return found | {field: float(frame[field].sum()) for field in SUMS[kind]}


def by_polars(folder: Path, kind: str) -> dict:
    """The folder in polars, lazily."""
    frame = pl.scan_parquet(folder, hive_partitioning=True)
    found = frame.select("document_id", *SUMS[kind]).collect()
    ids = set(found["document_id"].cast(pl.String).to_list())
    return {"rows": found.height, "ids": ids} | {field: found[field].sum() for field in SUMS[kind]}


def by_pyarrow(folder: Path, kind: str) -> dict:
    """The folder as an Arrow data set."""
    table = ds.dataset(folder, format="parquet", partitioning="hive").to_table()
    found = {"rows": table.num_rows, "ids": set(map(str, table["document_id"].to_pylist()))}
    return found | {
        field: math.fsum(value for value in table[field].to_pylist() if value is not None)
        for field in SUMS[kind]
    }


def unequal(expected: dict, found: dict) -> list[str]:
    """Differences between the figures of two readers."""
    problems = []
    for name, value in expected.items():
        theirs = found[name]
        if name == "ids":
            if value != theirs:
                problems.append(
                    f"{len(value - theirs)} ids missing, {len(theirs - value)} too many"
                )
        elif not math.isclose(value, theirs, rel_tol=1e-9):
            problems.append(f"{name}: expected {value!r}, found {theirs!r}")
    return problems


def cells(folder: Path, documents: Documents) -> list[str]:
    """Every value of every row against the NDJSON document, read file by file without keys."""
    problems = []
    for path in sorted(folder.rglob("*.parquet")):
        for row in pq.ParquetFile(path).read().to_pylist():
            document = documents[str(row["document_id"])]
            missing = set(document) - set(row)
            if missing:
                problems.append(f"no column for {sorted(missing)}")
            for field, value in row.items():
                if not same_cell(document.get(field), value):
                    problems.append(f"{field}: {document.get(field)!r}, in Parquet {value!r}")
    return problems


def same_cell(wanted: object, found: object) -> bool:
    """One cell; lists and objects may be stored in any form, but not left out."""
    if isinstance(wanted, (list, dict)):
        return found is not None
    if wanted is None:
        return found is None or found == [] or found == {}
    if hasattr(found, "tzinfo"):
        return found.strftime("%Y-%m-%dT%H:%M:%S.%fZ") == wanted
    return str(found) == wanted if isinstance(wanted, str) else found == wanted


def wrong_types(folder: Path, documents: Documents) -> list[str]:
    """Column types that do not fit the documents, as Arrow and as DuckDB, pandas and polars see."""
    schema = ds.dataset(folder, format="parquet").schema
    frame = pd.read_parquet(folder)
    lazy = pl.scan_parquet(folder).collect_schema()
    described = duckdb.sql(f"describe select * from read_parquet('{folder}/**/*.parquet')")
    in_duckdb = {row[0]: row[1] for row in described.fetchall()}
    problems = []
    for field in schema.names:
        values = [each[field] for each in documents.values() if field in each]
        kind = schema.field(field).type
        if field.endswith("timestamp"):
            utc = (
                kind == pa.timestamp("us", tz="UTC")
                and str(frame[field].dtype) == "datetime64[us, UTC]"
                and lazy[field] == pl.Datetime("us", "UTC")
                and in_duckdb[field] == "TIMESTAMP WITH TIME ZONE"
            )
            right = utc and all(text_to_micros(value) for value in values)
        elif values and isinstance(values[0], bool):
            right = pa.types.is_boolean(kind)
        elif values and isinstance(values[0], int):
            right = pa.types.is_integer(kind)
        elif values and isinstance(values[0], float):
            right = pa.types.is_float64(kind)
        else:
            right = True
        if not right:
            problems.append(f"{field} is {kind}")
    schemas = {str(pq.read_schema(path)) for path in folder.rglob("*.parquet")}
    if len(schemas) != 1:
        problems.append(f"{len(schemas)} different schemas among the files")
    return problems


def layout(folder: Path, documents: Documents, summaries: Documents) -> list[str]:
    """Files must be at `run=<uuid>/job=<job>/<summary's document_id>.parquet`, and no others."""
    kept = {
        (each["uuid"], each["job_name"], each["benchmark_id"]): name
        for name, each in summaries.items()
    }
    wanted = set()
    for each in documents.values():
        name = kept[each["uuid"], each["job_name"], each["benchmark_id"]]
        wanted.add(f"run={each['uuid']}/job={each['job_name']}/{name}.parquet")
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    problems = [f"missing {name}" for name in sorted(wanted - found)]
    # A benchmark without records may have an empty file, or none.
    files = {name for name in found - wanted if name.endswith(".parquet")}
    empty = {name for name in files if pq.read_metadata(folder / name).num_rows == 0}
    return problems + [f"unexpected {name}" for name in sorted(found - wanted - empty)]


def check(tally: Tally, store: Path, kind: str, documents: dict[str, Documents]) -> None:
    """All readers over one of the two folders."""
    folder, own = store / kind, documents[kind]
    wanted = figures(kind, own)
    readers = {
        "DuckDB with hive keys": lambda: unequal(wanted, by_duckdb(folder, kind, True)),
        "DuckDB without": lambda: unequal(wanted, by_duckdb(folder, kind, False)),
        "pandas": lambda: unequal(wanted, by_pandas(folder, kind)),
        "polars": lambda: unequal(wanted, by_polars(folder, kind)),
        "pyarrow": lambda: unequal(wanted, by_pyarrow(folder, kind)),
        "every cell": lambda: cells(folder, own),
        "types": lambda: wrong_types(folder, own),
        "layout": lambda: layout(folder, own, documents["summaries"]),
    }
    for name, read in readers.items():
        try:
            problems = read()
        except Exception as error:  # Each reader has errors of its own.
            problems = [f"{type(error).__name__}: {error}"]
        tally.add(f"{kind}: {name}", problems)


def main(binary: str, paths: list[str]) -> int:
    """Indexes the reports twice and reads what is there each time."""
    tally = Tally()
    documents = expected_documents(binary, paths)
    with tempfile.TemporaryDirectory() as folder:
        for when in ("once", "twice"):
            print(f"Indexed {when}:")
            index(binary, paths, ["--store", folder])
            for kind in KINDS:
                check(tally, Path(folder), kind, documents)
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
