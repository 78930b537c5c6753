"""What the documents of a report should hold, field by field.

Statistics from 0.2 on are the report's own, of its successful requests; those of 0.1 are computed
in `expected_v0_1`. What was not measured must be absent: GuideLLM fills much of it with zeros.

    python expected.py REPORT...        # prints the documents; shows that every layout is known
"""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import expected_requests
import expected_v0_1
import identity
from expected_settings import settings
from fields import REPORT_METRICS, copied, mean_only, spread
from matching import OneOf
from reports import STATUSES, Benchmark, benchmarks, clock, load, number


@dataclass(frozen=True)
class Context:
    """What the caller tells the tool; `uuid` None leaves the run to the report."""

    uuid: str | None
    job_name: str
    sample: int


@dataclass(frozen=True)
class Expected:
    """The documents of one benchmark; requests by GuideLLM's id."""

    benchmark: Benchmark
    summary: dict
    requests: dict[str, dict]


def documents(report: dict, context: Context) -> list[Expected]:
    """All documents of a report."""
    found = []
    every = benchmarks(report)
    run = context.uuid or identity.run_id(every[0])
    if run is None:
        run = str(identity.derived("run", identity.benchmark_id(every[0])))
    for benchmark in every:
        own_id = identity.summary_id(benchmark, run, context.job_name, context.sample)
        origin = shared(benchmark, run, context)
        summary = {"metricName": "guidellmSummary", "document_id": str(own_id)} | origin
        summary |= own_fields(benchmark, origin["rate"])
        requests = {}
        for status in STATUSES:
            if benchmark.generation == "0.1" and status == "incomplete":
                continue
            for record in benchmark.records(status):
                own = expected_requests.request(benchmark, status, record)
                own["document_id"] = str(identity.request_id(own_id, own["request_id"]))
                requests[own["request_id"]] = origin | own
        found.append(Expected(benchmark, summary, requests))
    return found


def shared(benchmark: Benchmark, run: str, context: Context) -> dict:
    """The identity that all documents of a benchmark have."""
    if benchmark.generation == "0.1":
        strategy, plan = expected_v0_1.strategy(benchmark), {"rate": benchmark.raw["rate"]}
    else:
        plan = benchmark.config["strategy"]
        strategy = plan["type_"]
    old = benchmark.generation in ("0.1", "0.2-0.3")
    return {
        "schema_version": 1,
        "uuid": run,
        "job_name": context.job_name,
        "jobName": context.job_name,
        "sample": context.sample,
        "run_id": identity.run_id(benchmark),
        "benchmark_id": identity.benchmark_id(benchmark),
        "benchmark_index": benchmark.index,
        "strategy": strategy,
        "rate": None if plan.get("rate") is None else float(plan["rate"]),
        "streams": plan.get("streams"),
        "tpot_definition": f"{'ex' if old else 'in'}cludes_time_to_first_token",
    }


def own_fields(benchmark: Benchmark, rate: float | None) -> dict:
    """A summary's fields beyond its identity."""
    found = settings(benchmark) | counts(benchmark)
    if benchmark.generation == "0.1":
        found |= expected_v0_1.window(benchmark) | expected_v0_1.metrics(benchmark)
        found["timestamp"] = expected_v0_1.first_clock(benchmark)
        found["timestamp_source"] = "earliest_record"
    else:
        found |= window(benchmark) | metrics(benchmark)
        found["timestamp"] = found["start_timestamp"]
        found["timestamp_source"] = "measured_start"
    if benchmark.generation == "0.2-0.3":
        # Only 0.2 lacks the 50th percentile, and counts prompts twice.
        percentiles = benchmark.raw["metrics"]["tokens_per_second"]["successful"]["percentiles"]
        found["tokens_per_second_counts_prompt_twice"] = None if "p50" in percentiles else True
    return found | validity(benchmark, found, rate)


def counts(benchmark: Benchmark) -> dict:
    """The three kinds of counts, and the rates of success."""
    old = benchmark.generation == "0.1"
    kept = {s: 0 if old and s == "incomplete" else len(benchmark.records(s)) for s in STATUSES}
    found = {f"{status}_records": kept[status] for status in STATUSES}
    if old:
        ended = {"successful": kept["successful"], "errored": kept["errored"]}
        totals = ended | {"incomplete": None, "total": sum(ended.values())}
        made = {status: OneOf((None, count)) for status, count in totals.items()}
        found["records_sampled"] = False
    else:
        totals, made = benchmark.totals, benchmark.made
        found["records_sampled"] = sampled(benchmark, kept)
    for status in (*STATUSES, "total"):
        found[f"{status}_requests"] = totals[status]
        found[f"run_{status}_requests"] = made[status]
    ended = totals["successful"] + totals["errored"]
    found["request_success_rate"] = totals["successful"] / ended if ended else None
    known = totals["total"] and totals["incomplete"] is not None
    found["incomplete_rate"] = totals["incomplete"] / totals["total"] if known else None
    return found


def sampled(benchmark: Benchmark, kept: dict[str, int]) -> bool:
    """Whether records are missing that the report counted.

    The whole run's count of incomplete requests is no measure: up to 0.7 it holds requests that
    were cancelled in the queue and never sent, of which there is no record. 0.2 and 0.3 never
    keep the warm-up's records, so there only the window's counts are.
    """
    totals, made = benchmark.totals, benchmark.made
    if benchmark.generation == "0.2-0.3":
        return any(kept[status] < totals[status] for status in STATUSES)
    ended = any(kept[status] < made[status] for status in ("successful", "errored"))
    return ended or kept["incomplete"] < totals["incomplete"]


def window(benchmark: Benchmark) -> dict:
    """The measured window, and what was left out around it."""
    raw = benchmark.raw
    around = benchmark.config if benchmark.generation == "0.2-0.3" else raw
    return {
        "start_timestamp": clock(raw["start_time"]),
        "end_timestamp": clock(raw["end_time"]),
        "duration_seconds": number(raw["duration"]),
        "warmup_seconds": number(around["warmup_duration"]),
        "cooldown_seconds": number(around["cooldown_duration"]),
    }


def metrics(benchmark: Benchmark) -> dict:
    """The report's own figures of its successful requests."""
    own = benchmark.raw["metrics"]
    any_success = benchmark.totals["successful"] > 0
    found: dict = {}
    for metric, name in REPORT_METRICS.items():
        statistics = copied(own[name]["successful"]) if any_success and name in own else None
        if metric in ("ttft", "itl") and statistics and statistics["max"] == 0:
            statistics = None
        found |= spread(metric, statistics)
    if "prompt_tokens_per_second" not in own and any_success:
        tokens = own["prompt_token_count"]["successful"]["total_sum"]
        found |= mean_only("prompt_tokens_per_second", tokens / benchmark.raw["duration"])
    for field in ("prompt_token_count", "output_token_count"):
        statistics = copied(own[field]["successful"]) if any_success else None
        found[f"{field}_mean"] = (statistics or {}).get("mean")
    # These three are of the load generator, or have no statuses: they do not need a success.
    scheduler = benchmark.raw.get("scheduler_metrics", {})
    found |= spread("dispatch_delay", copied(own.get("root_dispatch_delay")))
    found |= spread("generation_delay", copied(scheduler.get("generation_delay")))
    found |= spread("goodput", copied(own.get("request_goodput")))
    return found


def validity(benchmark: Benchmark, found: dict, rate: float | None) -> dict:
    """Whether the load was offered as asked, and what GuideLLM itself warns of."""
    raw, duration = benchmark.raw, found["duration_seconds"]
    stats = raw.get("run_stats", {}), raw.get("scheduler_metrics", {})
    delay = stats[0].get("request_start_time_targeted_delay_avg")
    delay = stats[1].get("request_targeted_start_delay_avg", delay)
    warnings = [
        {key: value for key, value in warning.items() if value is not None}
        for warning in raw.get("warnings") or []
    ]
    own = raw.get("metrics", {})
    attainment = own.get("slo_attainment")
    determined = own.get("slo_determined_requests")
    return {
        "achieved_rate_rps": found["total_requests"] / duration if duration else None,
        # The threshold is the tool's own choice; only where there must be an answer is checked.
        "rate_missed": OneOf((True, False)) if rate is not None and duration else None,
        "start_delay_mean_seconds": None if delay is None else number(delay),
        "warnings": warnings or None,
        "warning_codes": [warning["code"] for warning in warnings] or None,
        "slo_attainment": None if attainment is None else number(attainment),
        "slo_determined_requests": OneOf((None, 0)) if attainment is None else determined,
        "conclusions": benchmark.report.get("conclusions") or None,
    }


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for expected in documents(load(Path(name)), Context(None, "job", 0)):
            print(json.dumps([expected.summary, *expected.requests.values()], default=str))
