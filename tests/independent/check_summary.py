"""Checks the table of `summary`: what it draws over the time of each benchmark.

    python check_summary.py BINARY REPORT...

Spans are made here of the report's own requests: seconds, or as many powers of two of them as 240
need, put together into 8. Each report is also stretched over hours, and read from a store. On a terminal
the table fits.
"""

import fcntl
import gzip
import json
import math
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from expected import Context, Expected, documents
from matching import Tally, micros_of
from reports import load

CONTEXT = Context(uuid="0123456789", job_name="steady-chat", sample=0)
BUCKETS, CELLS = 240, 8
BLOCKS = "▁▂▃▄▅▆▇█"
# Between the records of a stretched report, in seconds.
APART = 97


def buckets(requests: list[dict]) -> tuple[int, list[dict]]:
    """Seconds of a bucket, and what is in each."""
    events = []
    for it in requests:
        if it["timestamp_source"] == "request_start":
            events.append((it["timestamp"], None, 0))
        if it.get("first_token_timestamp") and it.get("ttft_ms") is not None:
            events.append((it["first_token_timestamp"], "ttft", it["ttft_ms"]))
        if it.get("end_timestamp"):
            events.append((it["end_timestamp"], "done", it["status"] == "successful"))
    events = [(micros_of(clock), kind, value) for clock, kind, value in events]
    if not events:
        return 1, []
    width = 1
    while len(places(events, width)) > BUCKETS:
        width *= 2
    found = {place: {"done": [], "ttft": []} for place in places(events, width)}
    for instant, kind, value in events:
        if kind:
            found[instant // (width * 1_000_000)][kind].append(value)
    return width, list(found.values())


def places(events: list[tuple], width: int) -> range:
    """Positions of the buckets from the first event to the last."""
    all_of_them = [instant // (width * 1_000_000) for instant, _, _ in events]
    return range(min(all_of_them), max(all_of_them) + 1)


def drawn(requests: list[dict]) -> tuple[str, str]:
    """Requests done and first tokens, as the table should draw them."""
    width, found = buckets(requests)
    count = min(CELLS, len(found))
    done, ttfts = [], []
    for cell in range(count):
        own = found[cell * len(found) // count : (cell + 1) * len(found) // count]
        done.append(sum(sum(it["done"]) for it in own) / len(own) / width)
        values = [value for it in own for value in it["ttft"]]
        ttfts.append(sum(values) / len(values) if values else None)
    return line(done), line(ttfts)


def line(values: list[float | None]) -> str:
    """Blocks from 0 up to the largest value."""
    most = max((it for it in values if it is not None), default=None)
    if most is None:
        return "-"
    heights = [
        None if it is None else 0 if most == 0 else math.floor(it / most * 7 + 0.5) for it in values
    ]
    return "".join(" " if it is None else BLOCKS[it] for it in heights)


def table(binary: str, folder: str, *arguments: str) -> list[tuple[str, str]]:
    """What the table of `summary` has in both columns, row by row."""
    command = [binary, "summary", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    if done.returncode:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    first, second, *rows = done.stdout.splitlines()
    columns = [at for at in range(len(second)) if second.startswith("BY TIME", at)]
    headings = [first[at:].split()[0] for at in columns]
    if headings != ["DONE/S", "TTFT"]:
        raise RuntimeError(f"columns {headings}")
    cells = [[row[at : at + CELLS].rstrip() for at in columns] for row in rows]
    return [(done, ttft) for done, ttft in cells]


def stretched(path: Path, folder: str) -> Path:
    """The report with its records far apart, in an order that is none of time."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    report = json.loads(text)
    for benchmark in report["benchmarks"]:
        for own in benchmark.get("benchmarks", [benchmark]):
            lists = own.get("requests") or own
            for status in ("successful", "results", "incomplete", "errored", "errors"):
                records = lists.get(status)
                for place, record in enumerate(records if isinstance(records, list) else []):
                    shift(record, place * 7 % len(records) * APART)
    made = Path(folder, "stretched.json")
    made.write_text(json.dumps(report))
    return made


def shift(part: object, seconds: float) -> None:
    """Moves every clock of a record."""
    pairs = part.items() if isinstance(part, dict) else enumerate(part)
    for key, value in list(pairs):
        if isinstance(value, float) and value > 1e9:
            part[key] = value + seconds
        elif isinstance(value, (dict, list)):
            shift(value, seconds)


def expected(every: list[Expected]) -> list[tuple[str, str]]:
    """What each benchmark is drawn as, in the order of time."""
    every = sorted(every, key=lambda each: each.summary["timestamp"])
    own = [drawn(list(each.requests.values())) for each in every]
    return [(done, ttft.rstrip()) for done, ttft in own]


def check(binary: str, path: Path) -> list[str]:
    """All that is wrong with the table of one report, and of the same in a store."""
    flags = ("--uuid", CONTEXT.uuid, "-j", CONTEXT.job_name, "--quiet")
    with tempfile.TemporaryDirectory() as folder:
        wanted = expected(documents(load(path), CONTEXT))
        found = compare("report", wanted, table(binary, folder, str(path), *flags))
        command = [binary, "index", str(path), *flags, "--store", "store"]
        subprocess.run(command, capture_output=True, check=True, cwd=folder)
        return found + compare("store", wanted, table(binary, folder, "--store", "store"))


def compare(where: str, wanted: list[tuple], found: list[tuple]) -> list[str]:
    """Rows that differ."""
    if wanted == found:
        return []
    return [f"{where}: {own} and not {it}" for own, it in zip(found, wanted, strict=True) if own != it]


def check_terminals(binary: str, path: Path) -> list[str]:
    """Tables that are wider than their terminal, or narrower than they have to be."""
    found = []
    for columns, wanted in ((200, "GUIDELLM"), (110, "SAMPLE"), (90, "BY TIME"), (60, "RUN")):
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        command = [binary, "summary", str(path), "-j", CONTEXT.job_name, "--quiet"]
        subprocess.run(command, stdout=theirs, stderr=subprocess.PIPE, check=True)
        text = os.read(ours, 1 << 16).decode()
        os.close(theirs)
        os.close(ours)
        widest = max(len(line.rstrip()) for line in text.splitlines())
        if widest > columns or wanted not in text:
            found.append(f"{columns} columns: {widest}, {text}")
    return found


def main(binary: str, names: list[str]) -> int:
    """Exit code."""
    tally = Tally()
    binary = str(Path(binary).resolve())
    for name in names:
        path = Path(name).resolve()
        with tempfile.TemporaryDirectory() as folder:
            tally.add(name, check(binary, path))
            if path.name.endswith((".json", ".json.gz")):
                tally.add(f"{name}, stretched", check(binary, stretched(path, folder)))
    tally.add("terminals", check_terminals(binary, Path(names[0]).resolve()))
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
