#!/usr/bin/env python3
"""Grows a genuine GuideLLM report (JSON, 0.1 to 0.8) to about a given size.

Nobody keeps a 10 GB report in a repository, and an invented one would test a format that nobody
writes. So this repeats the records of a real one, pass after pass:

* the layout stays the source's: one line or indented, escaped or not, same keys, same order;
* the first pass is the source's own records; in every later one each record has ids of its own,
  and the run goes on where the pass before it ended;
* a record's clocks are stretched about its start by a random factor near 1, its latencies
  multiplied and its rates divided by it, so that they still follow from each other;
* conversations stay together: an id is replaced by the same new one all through a pass;
* several benchmarks (a sweep) grow alike, and each starts when the one before it has ended.

`request_totals` and `requests_made` become the numbers of records written. The distributions'
`count` and `total_sum` grow in proportion; their means and percentiles stay the source's, and so
do all settings, the limit on the duration among them. `--size` below the source's own size gives
back the source, byte for byte.

The source is read whole, what is written is streamed.
"""

import argparse
import json
import random
import re
import sys
import time
from pathlib import Path

from record_template import EPOCH, Layout, Template

STATUSES = ("successful", "errored", "incomplete")
#: Plain counts among the metrics; by status in the `request_totals` of each turn.
COUNTED = (*STATUSES, "total", "slo_determined_requests")
#: Header clocks that move with the end of the run.
END = re.compile(r"(^|_)end_|(stop|current)_time$")
BLOCK = 1 << 20


def parse_size(text):
    """`200MB` in bytes; decimal units, as in the tables of the benchmarks."""
    match = re.fullmatch(r"([\d.]+)\s*([KMGT]?)B?", text.strip().upper())
    if not match:
        raise argparse.ArgumentTypeError(f"`{text}` is not a size; write 200MB or 1.5GB")
    return int(float(match[1]) * 1000 ** " KMGT".index(match[2] or " "))


class Benchmark:
    """One benchmark: its header, and the templates of its records."""

    def __init__(self, header, lists, layout, depth, offset):
        self.header, self.lists, self.offset = header, lists, offset
        # Of 0.1's `concurrencies`: where the running totals stand at the end of a pass.
        self.totals = (header.get("concurrencies") or [{}])[-1]
        self.templates = {
            name: [Template(record, layout, depth, offset) for record in records]
            for name, records in lists.items()
            if isinstance(records, list) and records
        }
        every = [template for group in self.templates.values() for template in group]
        between = len(layout.comma + layout.newline(depth))
        self.size = sum(template.size + between for template in every)
        starts = [template.start for template in every if template.start is not None]
        spread = max(starts) - min(starts) if starts else 0.0
        # Seconds from pass to pass. One more gap than there is between the first start and the
        # last keeps the offered load the source's.
        self.span = max(header.get("duration") or 1e-3, spread * (1 + 1 / max(1, len(starts) - 1)))

    def adjust(self, passes):
        """Makes the header fit; returns by how much longer the benchmark is now, in seconds."""
        header, growth = self.header, self.span * (passes - 1)
        kept = {status: passes * len(self.templates.get(status, ())) for status in STATUSES}
        kept["total"] = sum(kept.values())
        metrics = header.get("metrics", {})
        totals = header.get("request_totals") or metrics.get("request_totals") or {}
        ratios = {status: kept[status] / count for status, count in totals.items() if count}
        for part in (metrics, header.get("scheduler_metrics", {}).get("generation_delay")):
            scale(part, passes, ratios)
        for part in (header, metrics, *map(header.get, ("run_stats", "scheduler_metrics"))):
            for name in {"request_totals", "requests_made"} & set(part or ()):
                part[name] = {status: kept[status] for status in part[name]}
        for name, value in header.get("scheduler_state", {}).items():
            if name.endswith("_requests") and isinstance(value, int):
                header["scheduler_state"][name] = value * passes
        if "duration" in header:
            header["duration"] += growth
        self.header.update(move_clocks(header, self.offset, growth))
        return growth


def scale(node, factor, ratios):
    """Multiplies the counts of all distributions below `node`, by status where there is one."""
    if not isinstance(node, dict):
        for inner in node if isinstance(node, list) else ():
            scale(inner, factor, ratios)
    elif "percentiles" in node:
        node["count"] = round(node["count"] * factor)
        node["total_sum"] *= factor
    else:
        for name, value in node.items():
            inner = ratios.get(name, factor)
            if isinstance(value, int) and name in COUNTED:
                node[name] = round(value * inner)
            else:
                scale(value, inner, ratios)


def move_clocks(node, offset, growth, key=""):
    """`node` with its clocks moved: all by `offset`, those of the run's end also by `growth`."""
    if isinstance(node, dict):
        return {name: move_clocks(value, offset, growth, name) for name, value in node.items()}
    if isinstance(node, list):
        return [move_clocks(value, offset, growth, key) for value in node]
    if isinstance(node, float) and node > EPOCH:
        return node + offset + (growth if END.search(key) else 0.0)
    return node


def take_lists(report):
    """Yields each benchmark with its lists of records and how deep these lie in the file."""
    for outer in report["benchmarks"]:
        for header in outer.get("benchmarks", [outer]):  # 0.1 nests them
            if "requests" in header:
                yield header, header["requests"], 5
            else:
                lists = ("results", "errors", "concurrencies")
                yield header, {name: header[name] for name in lists}, 6


def inflate(source, target, size, seed=1):
    """Writes `source`, grown to about `size` bytes, to `target`; returns the number of passes."""
    text = Path(source).read_bytes().decode()
    layout, report = Layout(text), json.loads(text)
    found = list(take_lists(report))
    # How far later benchmarks move depends on the passes, these on the sizes: measure first.
    pass_size = sum(Benchmark(*each[:2], layout, each[2], 0.0).size for each in found)
    if not pass_size:
        raise SystemExit(f"{source} has no records to repeat")
    passes = max(1, 1 + round((size - len(text.encode())) / pass_size))
    if passes == 1:
        Path(target).write_bytes(text.encode())
        return passes
    benchmarks, offset = [], 0.0
    for number, (header, lists, depth) in enumerate(found):
        benchmark = Benchmark(header, lists, layout, depth, offset)
        for name in benchmark.templates:
            (header.get("requests") or header)[name] = [f"@@{number}:{name}@@"]
        offset += benchmark.adjust(passes)
        benchmarks.append(benchmark)
    pieces = re.split(r'"@@(\d+):(\w+)@@"', layout.dump(report))
    with open(target, "wb", buffering=0) as out:
        out.write(pieces[0].encode())
        for number, name, after in zip(*[iter(pieces[1:])] * 3):
            for chunk in copies(benchmarks[int(number)], name, passes, layout, seed):
                out.write(chunk)
            out.write(after.encode())
    return passes


def copies(benchmark, name, passes, layout, seed):
    """The records of one list, in blocks of some MiB."""
    templates = benchmark.templates[name]
    gauss = random.Random(f"{seed}/{benchmark.offset}/{name}").gauss
    separator = layout.comma + layout.newline(templates[0].depth)
    block, length = [], 0
    for number in range(passes):
        shift = benchmark.offset + number * benchmark.span
        for template in templates:
            factor = min(1.5, max(0.5, gauss(1.0, 0.08))) if number else 1.0
            text = template.copy(number, shift, factor, benchmark.totals, seed)
            block.append(text)
            length += len(text)
        if length >= BLOCK or number == passes - 1:
            joined = separator.join(block)
            yield (joined if number == passes - 1 else joined + separator).encode()
            block, length = [], 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", type=Path, metavar="REPORT", help="a genuine report, as JSON")
    parser.add_argument("out", type=Path, metavar="OUT", help="file to write")
    parser.add_argument("--size", type=parse_size, required=True, help="200MB, 1.5GB; decimal")
    parser.add_argument("--seed", type=int, default=1, help="another seed, other ids and times")
    options = parser.parse_args()
    began = time.monotonic()
    passes = inflate(options.report, options.out, options.size, options.seed)
    written, seconds = options.out.stat().st_size, time.monotonic() - began
    print(
        f"{options.out}: {written / 1e6:.1f} MB, {passes} passes over the source's records, "
        f"{seconds:.1f} s",
        file=sys.stderr,
    )


if __name__ == "__main__":
    main()
