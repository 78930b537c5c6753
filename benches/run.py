#!/usr/bin/env python3
"""Measures how fast and in how much memory reports are read, beside a bound and some peers.

For each size a genuine report is grown to it (`inflate.py`; kept in the cache folder for the next
time), read into the page cache, and given to each command in turn. The bound is a loop of
`read()`: nothing that looks at every byte is faster. The peer is `python_peer.py`, what one
writes when there is no tool.

This measures and never fails: the list at the end says which targets were met. Ratios are of the
fastest runs, the least disturbed ones. Peak memory is the kernel's `ru_maxrss` of the child, which
starts as a copy of this process: less than `floor` cannot be seen.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zlib
from pathlib import Path

from measure import READ_LOOP, floor, measure

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
#: Above it (and the inexactness of `--size`) the peers' memory, 2.5 times the file, is a nuisance.
PEERS_LIMIT = 2_050_000_000
BOUND = "read() loop, 1 MiB"
PEER = "python json.load + documents"
SUMMARY = "guidellm-indexer summary FILE"
STORE = "guidellm-indexer index FILE --store DIR"
NDJSON = "guidellm-indexer index FILE -o /dev/null --format ndjson"
JSON_LOAD = "import json, sys; json.load(open(sys.argv[1], encoding='utf-8'))"
#: Target, the row it is about, and the measure that has to stay on the right side of the limit.
TARGETS = (
    ("summary at least 15 times as fast as the peer", SUMMARY, "times_peer", 15.0),
    ("summary at most 6 times the read loop", SUMMARY, "times_bound", 6.0),
    ("store at least 8 times as fast as the peer", STORE, "times_peer", 8.0),
    ("peak memory below 128 MB: summary", SUMMARY, "peak_rss_mb", 128.0),
    ("peak memory below 128 MB: store", STORE, "peak_rss_mb", 128.0),
    ("peak memory below 128 MB: ndjson", NDJSON, "peak_rss_mb", 128.0),
)


def commands(file, size, binary):
    """The rows of a table: name, command, and why it is skipped or None."""
    python = sys.executable
    large = "file over 2 GB" if size > PEERS_LIMIT else None
    no_jq = None if shutil.which("jq") else "no jq on the PATH"
    no_binary = None if binary.is_file() else "no binary"
    program, file = str(binary), str(file)
    return [
        (BOUND, [python, "-c", READ_LOOP, file], None),
        ("cat FILE >/dev/null", ["cat", file], None),
        ("python json.load", [python, "-c", JSON_LOAD, file], large),
        (PEER, [python, str(HERE / "python_peer.py"), "documents", file], large),
        (
            "jq .benchmarks[0].metrics.request_totals",
            ["jq", ".benchmarks[0].metrics.request_totals", file],
            no_jq or large,
        ),
        (SUMMARY, [program, "summary", file], no_binary),
        (STORE, [program, "index", file, "--store", "{store}"], no_binary),
        (NDJSON, [program, "index", file, "-o", "/dev/null", "--format", "ndjson"], no_binary),
    ]


def compare(rows):
    """Adds to each row how it stands to the bound and to the peer."""
    fastest = {row["command"]: row["min_seconds"] for row in rows if "seconds" in row}
    for row in rows:
        if "seconds" in row and BOUND in fastest:
            row["times_bound"] = row["min_seconds"] / fastest[BOUND]
        if "seconds" in row and PEER in fastest:
            row["times_peer"] = fastest[PEER] / row["min_seconds"]


def print_table(title, rows):
    header = ("command", "min s", "median s", "MB/s", "peak MB", "x read loop", "x peer's speed")
    lines = [header]
    for row in rows:
        if "note" in row:
            lines.append((row["command"], row["note"]))
            continue
        ratios = [row.get("times_bound"), row.get("times_peer")]
        lines.append(
            (
                row["command"],
                f"{row['min_seconds']:.3f}",
                f"{row['median_seconds']:.3f}",
                f"{row['mb_per_second']:,.0f}",
                f"{row['peak_rss_mb']:,.0f}",
                *("-" if ratio is None else f"{ratio:,.1f}" for ratio in ratios),
            )
        )
    first = max(len(line[0]) for line in lines)
    print(f"\n{title}\n")
    for line in lines:
        cells = [cell.rjust(max(9, len(name))) for cell, name in zip(line[1:], header[1:])]
        print("  ".join([line[0].ljust(first), *(cells if len(line) > 2 else line[1:])]))


def judge(results):
    """One verdict for each target and size; a row that is missing leaves it open."""
    for target, command, measure_name, limit in TARGETS:
        for result in results:
            row = next(row for row in result["rows"] if row["command"] == command)
            value = row.get(measure_name)
            if value is None:
                verdict = "not measured"
            elif measure_name == "times_peer":
                verdict = "met" if value >= limit else "missed"
            else:
                verdict = "met" if value <= limit else "missed"
            yield {"target": target, "size": result["size"], "measured": value, "verdict": verdict}


def grown(report, size, cache):
    """The grown report; made again if its source or the program that makes it has changed."""
    makers = (report, HERE / "inflate.py", HERE / "record_template.py")
    digest = zlib.crc32(b"".join(path.read_bytes() for path in makers))
    file = cache / f"{report.parent.name}-{report.stem}-{size}-{digest:08x}.json"
    if not file.exists():
        part = file.with_suffix(".part")
        # In a process of its own, so that this one stays small: see `floor`.
        inflate = [sys.executable, HERE / "inflate.py", report, part, "--size", size]
        subprocess.run(inflate, check=True, stderr=subprocess.DEVNULL)
        part.rename(file)
    return file


def options():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="200MB,2GB", help="comma-separated; default 200MB,2GB")
    parser.add_argument(
        "--report", type=Path, default=ROOT / "fixtures/reports/0.5.4/constant_mixed.json",
        help="genuine report of 0.2 to 0.8 to grow; default 0.5.4/constant_mixed of the fixtures",
    )  # fmt: skip
    parser.add_argument("--binary", type=Path, default=ROOT / "target/release/guidellm-indexer")
    parser.add_argument("--cache", type=Path, default=ROOT / "target/bench", help="for grown files")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    return parser.parse_args()


def main():
    chosen = options()
    if not chosen.report.is_file():
        raise SystemExit(f"no report {chosen.report}; name one with --report")
    if not chosen.binary.is_file():
        print(f"no {chosen.binary}: `cargo build --release`, or --binary PATH", file=sys.stderr)
    results = []
    chosen.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=chosen.cache) as folder:
        lowest = floor(folder)
        print(f"{os.cpu_count()} CPUs, Python {platform.python_version()}, floor {lowest:.0f} MB")
        for size in chosen.sizes.split(","):
            file = grown(chosen.report, size, chosen.cache)
            length, rows = file.stat().st_size, []
            for name, command, skipped in commands(file, length, chosen.binary):
                print(f"{size}: {name}", file=sys.stderr)
                rows.append(
                    {"command": name, "note": f"skipped: {skipped}"}
                    if skipped
                    else measure(name, command, file, chosen.runs, folder)
                )
            compare(rows)
            print_table(f"{size} of {chosen.report.parent.name}/{chosen.report.name}", rows)
            results.append({"size": size, "bytes": length, "rows": rows})
    verdicts = list(judge(results))
    print("\nTargets\n")
    for verdict in verdicts:
        measured = "" if verdict["measured"] is None else f" ({verdict['measured']:,.1f})"
        print(f"  {verdict['verdict']:12}  {verdict['size']:>6}  {verdict['target']}{measured}")
    if chosen.json:
        figures = {"runs": chosen.runs, "floor_mb": lowest, "sizes": results, "targets": verdicts}
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
