#!/usr/bin/env python3
"""Measures how fast documents get into a real server, beside a bound and a peer.

The bound is a plain loop that posts batches which were encoded and compressed beforehand, as many
at once as the tool sends. The peer is opensearch-py's `helpers.bulk`, where it is installed (its
documents are parsed beforehand). Each goes into an index of its own with the tool's mappings, in
turn, `--runs` times; the server is the same.

This measures and never fails. Peak memory is the kernel's `ru_maxrss` of the child.
"""

import argparse
import gzip
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from run import ROOT, grown

sys.path.insert(0, str(ROOT / "tests/search"))
from server import Server

BATCH_DOCUMENTS = 2000
IN_FLIGHT = 2


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


def post(server, bodies, compressed):
    """Posts all bodies; seconds."""
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

    threads = [threading.Thread(target=work) for _ in range(IN_FLIGHT)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began


def tool(server, binary, file, index, folder, *more):
    """Runs the tool; seconds and peak memory in MB."""
    command = [binary, "index", file, "--es-server", server.url, "--es-index", index, "--quiet"]
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


def options():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="opensearch-2.19.6", help="see tests/servers/search")
    parser.add_argument("--size", default="400MB", help="of the report; default 400MB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-gzip", action="store_true", help="neither loop nor tool compresses")
    parser.add_argument("--binary", default=str(ROOT / "target/release/guidellm-indexer"))
    parser.add_argument("--cache", type=Path, default=ROOT / "target/bench")
    return parser.parse_args()


def main():
    chosen = options()
    chosen.cache.mkdir(parents=True, exist_ok=True)
    report = ROOT / "fixtures/reports/0.5.4/constant_mixed.json"
    file = str(grown(report, chosen.size, chosen.cache))
    command = [chosen.binary, "index", file, "-o", "-", "--format", "ndjson", "--quiet"]
    more = ["--no-gzip"] if chosen.no_gzip else []
    seconds = {"plain loop": [], "guidellm-indexer": [], "opensearch-py": []}
    with Server(chosen.server) as server, tempfile.TemporaryDirectory() as folder:
        # Its first documents find a cold server, and bring the mappings for what follows. Memory is
        # measured now: the child's peak cannot fall below this process's, which is still small.
        _, peak = tool(server, chosen.binary, file, "bench", folder, *more)
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        lines = done.stdout.splitlines()
        template = server.call("GET", "_index_template/guidellm-bench")[1]
        template = template["index_templates"][0]["index_template"]
        template |= {"index_patterns": ["bench-*"], "priority": 300}
        server.call("PUT", "_index_template/bench", template)
        for run in range(chosen.runs):
            bodies = encoded(lines, f"bench-loop-{run}", not chosen.no_gzip)
            seconds["plain loop"].append(post(server, bodies, not chosen.no_gzip))
            taken, _ = tool(server, chosen.binary, file, f"bench-tool-{run}", folder, *more)
            seconds["guidellm-indexer"].append(taken)
            documents = [json.loads(line) for line in lines]
            taken = peer(server, documents, f"bench-peer-{run}")
            if taken is not None:
                seconds["opensearch-py"].append(taken)
            for index in ("loop", "tool", "peer"):
                count = server.count(f"bench-{index}-{run}")
                if index != "peer" and count != len(lines):
                    raise RuntimeError(f"{index}: {count} documents of {len(lines)}")
                server.call("DELETE", f"bench-{index}-{run}")
    bound = min(seconds["plain loop"])
    print(f"{len(lines):,} documents into {chosen.server}, {os.cpu_count()} CPUs, best of {chosen.runs}\n")
    print(f"{'':18}{'seconds':>9}{'documents/s':>13}{'x plain loop':>14}")
    for name, taken in seconds.items():
        if taken:
            best = min(taken)
            print(f"{name:18}{best:9.2f}{len(lines) / best:13,.0f}{best / bound:14.2f}")
        else:
            print(f"{name:18}  not installed")
    print(f"\npeak memory of guidellm-indexer: {peak:.0f} MB")


if __name__ == "__main__":
    main()
