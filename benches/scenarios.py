#!/usr/bin/env python3
"""Measures `scenarios` on a store of many requests, beside a bound and a peer.

The store is one grown report, indexed as the samples of several scenarios until it has `--rows`
requests. The bound reads the store's request files and does nothing else; the peer is pandas on
the same files (`pooled_peer.py`), where it is installed.

This measures and never fails. Peak memory is the kernel's `ru_maxrss` of the child.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from measure import run_once
from run import ROOT, grown

SCENARIOS = 9
PEER = str(Path(__file__).with_name("pooled_peer.py"))
READ_ALL = """
import sys, pathlib
buffer = bytearray(1 << 20)
for path in pathlib.Path(sys.argv[1]).glob("requests/run=*/job=*/*.parquet"):
    with open(path, "rb", buffering=0) as file:
        while file.readinto(buffer):
            pass
"""


def filled(binary, report, rows, folder):
    """A store with so many requests; returns how many it has."""
    store, count, sample = f"{folder}/store", 0, 0
    while count < rows:
        command = [binary, "index", report, "--uuid", "bench", "--store", store, "--quiet", "--json"]
        command += ["-j", f"scenario-{sample % SCENARIOS}", "-s", str(sample // SCENARIOS)]
        told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
        count += json.loads(told)["requests"]
        sample += 1
    return store, count


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--size", default="1GB", help="size of the report that is indexed again and again")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=ROOT / "target/bench")
    parser.add_argument("--folder", default=None, help="where the store is made")
    parser.add_argument("--python", default=sys.executable, help="one that has pandas")
    options = parser.parse_args()
    binary = str(ROOT / "target/release/guidellm-indexer")
    report = grown(ROOT / "fixtures/reports/0.5.4/constant_mixed.json", options.size, options.cache)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        store, rows = filled(binary, str(report), options.rows, folder)
        commands = {
            "read() of all request files (the bound)": [options.python, "-c", READ_ALL, store],
            "guidellm-indexer scenarios": [binary, "scenarios", "--store", store],
            "guidellm-indexer compare": [binary, "compare", store, store],
            "guidellm-indexer summary": [binary, "summary", "--store", store],
            "pandas": [options.python, PEER, store],
        }
        print(f"{rows:,} requests, {SCENARIOS} scenarios, best of {options.runs}")
        print("| | seconds | peak MB |\n|---|---|---|")
        for name, command in commands.items():
            try:
                measured = [run_once(command, folder) for _ in range(options.runs)]
            except RuntimeError as error:
                print(f"| {name} | {error} | |")
                continue
            seconds, peak = min(it[0] for it in measured), max(it[1] for it in measured)
            print(f"| {name} | {seconds:.2f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
