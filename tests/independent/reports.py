"""Reads GuideLLM reports with Python's own parsers, and says what their layouts have in common.

Nothing here knows of the Rust code: a report is loaded whole, as plain dictionaries, which is
the slow and simple way that the tool must agree with.
"""

import gzip
import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

STATUSES = ("successful", "incomplete", "errored")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def load(path: Path) -> dict:
    """One report: JSON or YAML, plain or compressed."""
    data = path.read_bytes()
    name = path.name
    if name.endswith(".gz"):
        data, name = gzip.decompress(data), name.removesuffix(".gz")
    elif name.endswith(".zst"):
        import zstandard

        data, name = zstandard.ZstdDecompressor().decompress(data), name.removesuffix(".zst")
    if name.endswith((".yaml", ".yml")):
        import yaml

        return yaml.load(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return json.loads(data.decode("utf-8-sig"))


def generation(report: dict) -> str:
    """The layout, under the name that the documents give it."""
    version = report.get("metadata", {}).get("version")
    if version is not None:
        return {1: "0.5-0.6", 2: "0.7-0.8"}[version]
    if "benchmarks" in report["benchmarks"][0]:
        return "0.1"
    return "0.4" if "args" in report else "0.2-0.3"


@dataclass(frozen=True)
class Benchmark:
    """One benchmark with the report around it."""

    report: dict
    index: int
    raw: dict
    generation: str

    @property
    def config(self) -> dict:
        """Where ids and strategy are, from 0.2 on."""
        return self.raw["args"] if self.generation == "0.2-0.3" else self.raw["config"]

    @property
    def totals(self) -> dict:
        """Requests in the measured window, from 0.2 on."""
        own = self.raw if self.generation == "0.2-0.3" else self.raw["metrics"]
        return own["request_totals"]

    @property
    def made(self) -> dict:
        """Requests of the whole run, from 0.2 on."""
        return (self.raw.get("run_stats") or self.raw["scheduler_metrics"])["requests_made"]

    def records(self, status: str) -> list:
        """The records that the report kept."""
        if self.generation == "0.1":
            return self.raw[{"successful": "results", "errored": "errors"}[status]]
        return self.raw["requests"][status]


def benchmarks(report: dict) -> list[Benchmark]:
    """All benchmarks of a report, in its order."""
    kind = generation(report)
    found = report["benchmarks"]
    if kind == "0.1":
        found = [inner for outer in found for inner in outer["benchmarks"]]
    return [Benchmark(report, index, raw, kind) for index, raw in enumerate(found)]


def number(value: object) -> float | None:
    """A measured number; None for null and for NaN and the infinities."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def clock(seconds: float | None) -> str | None:
    """A GuideLLM clock as the documents write it; None for what is no clock."""
    value = None if seconds is None else number(seconds)
    if value is None or value <= 0:
        return None
    # Whole microseconds, half of one away from zero, without going through a datetime's float.
    micros = math.floor(value * 1e6 + 0.5)
    return micros_to_text(micros)


def micros_to_text(micros: int) -> str:
    """RFC 3339 in UTC with six decimals."""
    moment = EPOCH + timedelta(microseconds=micros)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def text_to_micros(text: str) -> int:
    """The inverse of `micros_to_text`."""
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC)
    return (moment - EPOCH) // timedelta(microseconds=1)
