"""The documents' ids, derived again from what `identity.rs` promises.

They are UUIDs of version 5, so that indexing a report twice changes nothing. A change here would
orphan every document that was ever indexed; that is why it is checked from outside.
"""

import hashlib
import struct
import uuid

from reports import Benchmark

ROOT = uuid.UUID("8c9f5f0e-2f64-5c1b-9a57-3d1e07b4a6d2")


def version_5(namespace: uuid.UUID, name: bytes) -> uuid.UUID:
    """RFC 9562; Python's own function takes bytes only from 3.12 on."""
    digest = hashlib.sha1(namespace.bytes + name).digest()
    return uuid.UUID(bytes=digest[:16], version=5)


def derived(kind: str, *parts: str) -> uuid.UUID:
    """UUID of some parts, each after its length."""
    texts = [part.encode() for part in (kind, *parts)]
    name = b"".join(struct.pack("<Q", len(text)) + text for text in texts)
    return version_5(ROOT, name)


def benchmark_id(benchmark: Benchmark) -> str:
    """GuideLLM's own, from 0.2 on; else derived from the first record, errors being last."""
    if benchmark.generation != "0.1":
        return benchmark.raw["id_"] if "id_" in benchmark.raw else benchmark.config["id_"]
    first = (benchmark.records("successful") + benchmark.records("errored"))[0]
    return str(derived("benchmark", str(benchmark.index), first["request"]["id"]))


def run_id(benchmark: Benchmark) -> str | None:
    """GuideLLM's own, from 0.2 on."""
    if benchmark.generation == "0.1":
        return None
    return benchmark.raw["run_id"] if "run_id" in benchmark.raw else benchmark.config["run_id"]


def summary_id(benchmark: Benchmark, run: str, job: str, sample: int) -> uuid.UUID:
    """`document_id` of a summary."""
    own_run = run_id(benchmark) or ""
    return derived("summary", run, job, str(sample), own_run, benchmark_id(benchmark))


def request_id(summary: uuid.UUID, request: str) -> uuid.UUID:
    """`document_id` of a request."""
    return version_5(summary, request.encode())
