#!/usr/bin/env python3
"""Measures how fast documents get into a real server, beside a bound and a peer.

The bound is a plain loop that posts batches which were encoded and compressed beforehand, as many
at once as the tool sends (`--in-flight`); the same loop posts one at a time as well, which is what
a plain script does. The peer is opensearch-py's `helpers.bulk`, where it is installed (its
documents are parsed beforehand). Each goes into an index of its own with the tool's mappings, in
turn, `--runs` times after `--warm-up` rounds that do not count; the server is the same, and at rest
when each begins. It compiles and merges segments whenever it likes, which makes single runs differ:
a ratio is the mean of those of the rounds, with its standard error.

The server has half of the CPUs to itself and the others have the other half, as where the cluster
is elsewhere. With `--shared` all of them share all CPUs.

With `--archive` there are eight reports of four releases instead of one: the next is read while one
is sent. Of a single report nothing is sent before it is known to be whole.

This measures and never fails. Peak memory is the kernel's `ru_maxrss` of the child.
"""

import argparse
import gzip
import http.client
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from run import ROOT, grown

sys.path.insert(0, str(ROOT / "tests/search"))
from server import Server

ONE = ("0.5.4/constant_mixed",)
ARCHIVE = (
    "0.4.0/constant_mixed",
    "0.5.4/completions",
    "0.5.4/constant_mixed",
    "0.7.3/constant_mixed",
    "0.7.3/nonstreaming",
    "0.7.3/toolcalls",
    "0.8.1/constant_mixed",
    "0.8.1/nonstreaming",
)
BATCH_DOCUMENTS = 2000
BOUND = "plain loop"


def encoded(lines, index, compress):
    """Bulk bodies, as the tool sends them."""
    bodies = []
    for at in range(0, len(lines), BATCH_DOCUMENTS):
        batch = lines[at : at + BATCH_DOCUMENTS]
        text = "".join(
            f'{{"index":{{"_index":"{index}","_id":"{json.loads(line)["document_id"]}"}}}}\n{line}\n'
            for line in batch
        )
        body = text.encode()
        bodies.append(gzip.compress(body, compresslevel=1) if compress else body)
    return bodies


def post(server, bodies, compressed, at_once):
    """Posts all bodies, so many at once; seconds."""
    host, left, lock = server.url.removeprefix("http://"), iter(bodies), threading.Lock()

    def work():
        connection = http.client.HTTPConnection(host)
        headers = {"Content-Type": "application/x-ndjson"}
        if compressed:
            headers["Content-Encoding"] = "gzip"
        while True:
            with lock:
                body = next(left, None)
            if body is None:
                return
            connection.request("POST", "/_bulk?filter_path=errors", body, headers)
            answer = connection.getresponse().read()
            if b'"errors":false' not in answer.replace(b" ", b""):
                raise RuntimeError(answer[:200])

    threads = [threading.Thread(target=work) for _ in range(at_once)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def tool(server, binary, files, index, folder, *more):
    """Runs the tool; seconds and peak memory in MB."""
    command = [binary, "index", *files, "--es-server", server.url, "--es-index", index, "--quiet"]
    command += more
    began = time.perf_counter()
    child = subprocess.Popen(command, cwd=folder)
    _, status, usage = os.wait4(child.pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {status}")
    return time.perf_counter() - began, usage.ru_maxrss * 1024 / 1e6


def peer(server, documents, index):
    """opensearch-py; seconds, None if it is not installed."""
    try:
        from opensearchpy import OpenSearch, helpers
    except ImportError:
        return None
    client = OpenSearch(server.url, timeout=120)
    actions = ({"_index": index, "_id": it["document_id"], "_source": it} for it in documents)
    began = time.perf_counter()
    helpers.bulk(client, actions)
    return time.perf_counter() - began


class Processors:
    """The server's CPUs, its clients', and whether the server is busy."""

    def __init__(self, shared):
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) < 2 and not shared:
            raise RuntimeError("one CPU cannot be divided: --shared is needed")
        each = len(allowed) if shared else len(allowed) // 2
        self.server, self.clients = allowed[:each], allowed[-each:]
        # What is started now is the server.
        os.sched_setaffinity(0, self.server)

    def watch(self, server):
        """What is started from now on are its clients."""
        os.sched_setaffinity(0, self.clients)
        self.pid = int((Path(server.folder) / "pid").read_text())

    def used(self):
        """Processor time of the server, in seconds."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rest(self):
        """Waits until the server has next to nothing to do."""
        for _ in range(120):
            before = self.used()
            time.sleep(0.5)
            if self.used() - before < 0.02:
                return
        raise RuntimeError("the server does not come to rest")


def told(name, taken, bound, documents):
    """A row of the table."""
    if not taken:
        return f"{name:18}  not installed"
    mean = statistics.mean(taken)
    ratios = [own / other for own, other in zip(taken, bound, strict=True)]
    ratio, error = statistics.mean(ratios), statistics.stdev(ratios) / math.sqrt(len(ratios))
    return (
        f"{name:18}{min(taken):9.2f}{mean:9.2f}{documents / mean:13,.0f}{ratio:14.2f}"
        f"  ± {error:.2f}"
    )


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="opensearch-2.19.6", help="see tests/servers/search")
    parser.add_argument("--archive", action="store_true", help="many reports, not one")
    parser.add_argument("--megabytes", type=int, default=400, help="of all reports; default 400")
    parser.add_argument("--runs", type=int, default=9, help="that count, at least 2; default 9")
    parser.add_argument("--warm-up", type=int, default=2, help="rounds that do not; default 2")
    parser.add_argument("--in-flight", type=int, default=2, help="batches at once; default 2")
    parser.add_argument("--no-gzip", action="store_true", help="neither loop nor tool compresses")
    parser.add_argument("--shared", action="store_true", help="the server has no CPU of its own")
    parser.add_argument("--binary", default=str(ROOT / "target/release/guidellm-indexer"))
    parser.add_argument("--cache", type=Path, default=ROOT / "target/bench")
    return parser.parse_args()


def main():
    chosen = options()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    reports = ARCHIVE if chosen.archive else ONE
    size = f"{chosen.megabytes // len(reports)}MB"
    reports = [ROOT / f"fixtures/reports/{report}.json" for report in reports]
    files = [str(grown(report, size, chosen.cache)) for report in reports]
    command = [chosen.binary, "index", *files, "-o", "-", "--format", "ndjson", "--quiet"]
    more = ["--in-flight", str(chosen.in_flight)] + ["--no-gzip"] * chosen.no_gzip
    processors = Processors(chosen.shared)
    with Server(chosen.server) as server, tempfile.TemporaryDirectory() as folder:
        processors.watch(server)
        # Its first documents find a cold server, and bring the mappings for what follows. Memory is
        # measured now: the child's peak cannot fall below this process's, which is still small.
        _, peak = tool(server, chosen.binary, files, "bench", folder, *more)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        lines = done.stdout.splitlines()
        template = server.call("GET", "_index_template/guidellm-bench")[1]
        template = template["index_templates"][0]["index_template"]
        template |= {"index_patterns": ["bench-*"], "priority": 300}
        server.call("PUT", "_index_template/bench", template)
        bodies = encoded(lines, "bench-documents", not chosen.no_gzip)
        documents = [json.loads(line) for line in lines]
        ways = {
            BOUND: lambda: post(server, bodies, not chosen.no_gzip, chosen.in_flight),
            "one at a time": lambda: post(server, bodies, not chosen.no_gzip, 1),
            "guidellm-indexer": lambda: tool(
                server, chosen.binary, files, "bench-documents", folder, *more
            )[0],
            "opensearch-py": lambda: peer(server, documents, "bench-documents"),
        }
        seconds = {name: [] for name in ways}
        for run in range(-chosen.warm_up, chosen.runs):
            # None of them is always the one after another.
            names = list(ways)
            first = run % len(names)
            for name in names[first:] + names[:first]:
                processors.rest()
                taken = ways[name]()
                if run >= 0 and taken is not None:
                    seconds[name].append(taken)
                count = server.count("bench-documents")
                if taken is not None and count != len(lines):
                    raise RuntimeError(f"{name}: {count} documents of {len(lines)}")
                server.call("DELETE", "bench-documents")
    own = "" if chosen.shared else " of its own"
    print(
        f"{len(lines):,} documents into {chosen.server} on {len(processors.server)} CPUs{own}, "
        f"clients on {len(processors.clients)}, {chosen.runs} runs\n"
    )
    print(f"{'':18}{'best s':>9}{'mean s':>9}{'documents/s':>13}{'x plain loop':>14}")
    for name, taken in seconds.items():
        print(told(name, taken, seconds[BOUND], len(lines)))
    print(f"\npeak memory of guidellm-indexer: {peak:.0f} MB")


if __name__ == "__main__":
    main()
