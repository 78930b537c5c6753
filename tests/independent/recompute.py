"""Figures of a benchmark computed again from its records, for reports that kept all of them.

Two independent sources then say the same: GuideLLM's own statistics, which the tool copies into
its summaries, and the records, which it copies into its requests. Run as a script, this compares
the two within GuideLLM's reports alone; that shows that the definitions used here are GuideLLM's.

    python recompute.py REPORT...
"""

import math
import sys
from pathlib import Path

from distributions import concurrency, describe, request_rate, token_rate
from matching import Tally
from reports import Benchmark, benchmarks, load, number

# Names of the metrics in the reports, by the fields' names in the documents.
METRICS = {
    "request_latency_{}_seconds": "request_latency",
    "ttft_{}_ms": "time_to_first_token_ms",
    "time_per_output_token_{}_ms": "time_per_output_token_ms",
    "itl_{}_ms": "inter_token_latency_ms",
}


def first_token(record: dict) -> float | None:
    """When the first token came, on any layout from 0.2 on."""
    if "info" in record:
        return record["info"]["timings"]["first_token_iteration"]
    return record["first_token_time"]


def overlapping(benchmark: Benchmark, start_of, end_of) -> list[dict]:
    """Successful records whose span touches the measured window; 0.2 and 0.3 keep no others."""
    records = benchmark.records("successful")
    if benchmark.generation == "0.2-0.3":
        return records
    first, last = benchmark.raw["start_time"], benchmark.raw["end_time"]
    found = []
    for record in records:
        start, end = start_of(record), end_of(record)
        if end is not None and end >= first and (end if start is None else start) <= last:
            found.append(record)
    return found


def kept_records(benchmark: Benchmark) -> list[dict] | None:
    """The records behind the report's own figures; None where they are not all there."""
    if benchmark.generation == "0.1":
        return None
    if len(benchmark.records("successful")) < benchmark.made["successful"]:
        # 0.2 and 0.3 drop those of the warm-up, which leaves all of the window.
        if benchmark.generation != "0.2-0.3" or benchmark.raw["request_samples"] is not None:
            return None
    records = overlapping(
        benchmark,
        lambda record: record["request_start_time"],
        lambda record: record["request_end_time"],
    )
    values = [record[name] for record in records for name in METRICS.values()]
    if any(value is not None and number(value) is None for value in values):
        return None  # A NaN was put into this file by hand.
    return records


def recomputed(benchmark: Benchmark) -> dict[str, dict | None] | None:
    """Statistics by the names in `METRICS`; None where the report kept not all records."""
    records = kept_records(benchmark)
    if records is None:
        return None
    release = benchmark.report.get("metadata", {}).get("guidellm_version", "0.3")
    with_first, decoding = records, records
    if tuple(int(part) for part in release.split(".")[:2]) >= (0, 8):
        # From 0.8 on these two have windows of their own, which end or start at the first token.
        with_first = overlapping(benchmark, lambda r: r["request_start_time"], first_token)
        decoding = overlapping(
            benchmark,
            lambda r: r["request_start_time"] if first_token(r) is None else first_token(r),
            lambda r: r["request_end_time"],
        )

    def values(name: str, among: list[dict]) -> list[float]:
        return [record[name] or 0.0 for record in among]

    return {
        "request_latency": describe(values("request_latency", records)),
        "time_to_first_token_ms": describe(values("time_to_first_token_ms", with_first)),
        "time_per_output_token_ms": describe(
            values("time_per_output_token_ms", records),
            [record["output_tokens"] or 0 for record in records],
        ),
        "inter_token_latency_ms": describe(
            values("inter_token_latency_ms", decoding),
            [(record["output_tokens"] or 1) - 1 for record in decoding],
        ),
    }


def recomputed_rates(benchmark: Benchmark) -> dict[str, dict | None]:
    """Rates of 0.2 and 0.3. Those of 0.3 are also this project's for 0.1."""
    records = [r for r in benchmark.records("successful") if r["output_tokens"] > 0]
    spans = [(record["start_time"], record["end_time"]) for record in records]
    first = [record["first_token_time"] or record["start_time"] for record in records]
    output = [record["output_tokens"] for record in records]
    prompt = [record["prompt_tokens"] for record in records]
    both, at_first = output, [count + 1 for count in prompt]
    if "p50" not in benchmark.raw["metrics"]["request_latency"]["total"]["percentiles"]:
        # 0.2 counts the prompt twice: at the first token, and spread over the response.
        both, at_first = [sum(pair) for pair in zip(output, prompt)], prompt
    return {
        "requests_per_second": request_rate(spans),
        "request_concurrency": concurrency(spans),
        "output_tokens_per_second": token_rate(spans, first, output),
        "tokens_per_second": token_rate(spans, first, both, at_first),
    }


def problems(own: dict, computed: dict | None, name: str) -> list[str]:
    """Where a report's own distribution and the recomputed one differ."""
    if computed is None:
        return [f"{name}: no value, but count {own['count']}"] if own["count"] else []
    found = []
    for statistic, value in computed.items():
        if statistic.startswith("p"):
            theirs = own["percentiles"].get(statistic, own["median"])
        else:
            theirs = own["std_dev" if statistic == "stddev" else statistic]
        exact = statistic not in ("mean", "stddev")
        same = theirs == value if exact else math.isclose(theirs, value, rel_tol=1e-9, abs_tol=1e-9)
        if not same:
            found.append(f"{name}.{statistic}: report {theirs!r}, recomputed {value!r}")
    return found


def main(paths: list[str]) -> int:
    """Compares every report's own figures with its records."""
    tally = Tally()
    for path in paths:
        for benchmark in benchmarks(load(Path(path))):
            computed = recomputed(benchmark)
            if computed is None:
                continue
            own = benchmark.raw["metrics"]
            if benchmark.generation == "0.2-0.3":
                computed |= recomputed_rates(benchmark)
            found = []
            for name, statistics in computed.items():
                found += problems(own[name]["successful"], statistics, name)
            tally.add(f"{path} benchmark {benchmark.index}", found)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
