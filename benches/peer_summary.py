"""The summary half of `python_peer.py`: identity, settings and statistics of one benchmark."""

import hashlib
import json
import re
import uuid
from datetime import datetime

ROOT = uuid.UUID("8c9f5f0e-2f64-5c1b-9a57-3d1e07b4a6d2")
STATUSES = ("successful", "incomplete", "errored")
SYNTHETIC = re.compile(r"(prompt_tokens|output_tokens)[\"']?\s*[=:]\s*(\d+)")
#: Fields of our summary with the metric of the report; `{}` is the statistic's place.
METRICS = {
    "ttft_{}_ms": "time_to_first_token_ms",
    "itl_{}_ms": "inter_token_latency_ms",
    "time_per_output_token_{}_ms": "time_per_output_token_ms",
    "request_latency_{}_seconds": "request_latency",
    "throughput_{}_rps": "requests_per_second",
    "tokens_per_second_{}": "tokens_per_second",
    "output_tokens_per_second_{}": "output_tokens_per_second",
    "prompt_tokens_per_second_{}": "prompt_tokens_per_second",
    "concurrency_{}": "request_concurrency",
    "dispatch_delay_{}_seconds": "root_dispatch_delay",
    "goodput_{}_rps": "request_goodput",
}
#: Zero throughout where the responses were not streamed.
STREAMED_ONLY = ("time_to_first_token_ms", "inter_token_latency_ms")
#: Less than this part of the rate asked for is worth a flag.
RATE_OFFERED = 0.95


def derive(kind, *parts):
    """The UUID of a sequence of parts; their lengths are hashed too."""
    encoded = [part.encode() for part in (kind, *parts)]
    name = b"".join(len(part).to_bytes(8, "little") + part for part in encoded)
    return uuid.UUID(bytes=hashlib.sha1(ROOT.bytes + name).digest()[:16], version=5)


def rfc3339(clock):
    if not clock or clock <= 0:
        return None
    # Deprecated from 3.12 on, but much the fastest; each request has seven clocks.
    return datetime.utcfromtimestamp(clock).isoformat(timespec="microseconds") + "Z"


def present(document):
    return {name: value for name, value in document.items() if value is not None}


def statistics(name, distribution):
    """The eight fields of one distribution, under our names."""
    percentiles = distribution["percentiles"]
    values = {
        "mean": distribution["mean"],
        "p50": percentiles["p50"] if "p50" in percentiles else distribution["median"],
        **{rank: percentiles[rank] for rank in ("p90", "p95", "p99")},
        "min": distribution["min"],
        "max": distribution["max"],
        "stddev": distribution["std_dev"],
    }
    return {name.format(statistic): value for statistic, value in values.items()}


def weighted(records, field, fewer):
    """Distribution of `field`, weighted by output tokens less `fewer`, as 0.4 and later do."""
    pairs = sorted(
        (record[field], record["output_tokens"] - fewer)
        for record in records
        if record[field] is not None and record["output_tokens"] > fewer
    )
    total = sum(weight for _, weight in pairs)
    if not total:
        return None
    mean = sum(value * weight for value, weight in pairs) / total
    variance = sum(weight * (value - mean) ** 2 for value, weight in pairs) / total
    ranks = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)]
    percentiles, seen = {}, 0
    for value, weight in pairs:
        seen += weight
        while ranks and seen >= ranks[0][1] * total:
            percentiles[ranks.pop(0)[0]] = value
    extremes = {"min": pairs[0][0], "max": pairs[-1][0]}
    return {"mean": mean, "std_dev": variance**0.5, "percentiles": percentiles, **extremes}


def settings_0_2(report, benchmark):
    args, worker, loader = (benchmark[name] for name in ("args", "worker", "request_loader"))
    records = [record for group in benchmark["requests"].values() for record in group or ()]
    return {
        "strategy": args["strategy"],
        "profile": args["profile"]["type_"],
        "backend_model": worker["backend_model"],
        "backend_type": worker["backend_type"],
        "target": worker["backend_target"],
        "endpoint": records[0]["request_type"] if records else None,
        "data": loader["data"],
        "tokenizer": loader["processor"],
        "max_seconds": args["max_duration"],
        "max_requests": args["max_number"],
        "labels": benchmark["extras"] or None,
        "warmup_seconds": args["warmup_duration"],
        "cooldown_seconds": args["cooldown_duration"],
    }


def settings_0_4(report, benchmark):
    config = benchmark["config"]
    common = {
        "strategy": config["strategy"],
        "guidellm_version": report.get("metadata", {}).get("guidellm_version"),
        "backend_model": config["backend"]["model"],
        "target": config["backend"]["target"],
        "warmup_seconds": benchmark["warmup_duration"],
        "cooldown_seconds": benchmark["cooldown_duration"],
    }
    if "config" in report:
        spec = report["config"]["spec"]
        limits = {limit["kind"]: limit for limit in spec["constraints"]}
        return common | {
            "profile": config["profile"]["kind"],
            "backend_type": config["backend"]["kind"],
            "endpoint": config["backend"]["request_format"],
            "streaming": config["backend"].get("stream"),
            "data": json.dumps(spec["data"]),
            "tokenizer": spec["tokenizer"]["model"],
            "max_seconds": limits.get("max_duration", {}).get("seconds"),
            "max_requests": limits.get("max_requests", {}).get("count"),
            "labels": report["config"]["metadata"]["labels"] or None,
        }
    args = report["args"]
    return common | {
        "profile": config["profile"]["type_"],
        "backend_type": args["backend"],
        "endpoint": args.get("data_request_formatter"),
        "data": "; ".join(args["data"]),
        "tokenizer": args["processor"],
        "max_seconds": args["max_seconds"],
        "max_requests": args["max_requests"],
    }


def counts(benchmark, totals, made):
    """The three counts of each status, and the rates that follow."""
    records = {status: len(benchmark["requests"][status] or ()) for status in STATUSES}
    ended = totals["successful"] + totals["errored"]
    return {
        **{f"{status}_requests": totals[status] for status in (*STATUSES, "total")},
        **{f"run_{status}_requests": made[status] for status in (*STATUSES, "total")},
        **{f"{status}_records": count for status, count in records.items()},
        "records_sampled": any(records[status] < totals[status] for status in STATUSES),
        "request_success_rate": totals["successful"] / ended if ended else None,
        "incomplete_rate": totals["incomplete"] / totals["total"] if totals["total"] else None,
    }


def metric_fields(benchmark, old):
    metrics = dict(benchmark["metrics"])
    fields = {}
    if old:  # by request there; ours are by token in every release
        records = benchmark["requests"]["successful"]
        for name, fewer in (("time_per_output_token_ms", 0), ("inter_token_latency_ms", 1)):
            metrics[name] = {"successful": weighted(records, name, fewer)}
    for pattern, name in METRICS.items():
        metric = metrics.get(name) or {}
        distribution = metric.get("successful", metric)
        if distribution and distribution.get("count", 1):
            if distribution["max"] or name not in STREAMED_ONLY:
                fields |= statistics(pattern, distribution)
    delay = benchmark.get("scheduler_metrics", {}).get("generation_delay")
    if delay:
        fields |= statistics("generation_delay_{}_seconds", delay)
    for name in ("prompt_token_count", "output_token_count"):
        fields[f"{name}_mean"] = metrics[name]["successful"]["mean"]
    return fields


def summary_document(report, index):
    """The summary of a benchmark, what its documents share, and the namespace of their ids."""
    benchmark = report["benchmarks"][index]
    old = "run_stats" in benchmark
    identity = benchmark if old else benchmark["config"]
    run = benchmark["run_stats" if old else "scheduler_metrics"]
    settings = (settings_0_2 if old else settings_0_4)(report, benchmark)
    strategy = settings.pop("strategy")
    rate = strategy.get("rate")
    totals = (benchmark if old else benchmark["metrics"])["request_totals"]
    run_id, benchmark_id = identity["run_id"], identity["id_"]
    namespace = derive("summary", run_id, "", "0", run_id, benchmark_id)
    origin = present(
        {
            "schema_version": 1,
            "uuid": run_id,
            "job_name": "",
            "jobName": "",
            "sample": 0,
            "run_id": run_id,
            "benchmark_id": benchmark_id,
            "benchmark_index": index,
            "strategy": strategy["type_"],
            "rate": rate,
            "streams": strategy.get("streams"),
            "tpot_definition": f"{'ex' if old else 'in'}cludes_time_to_first_token",
        }
    )
    start, duration = rfc3339(benchmark["start_time"]), benchmark["duration"]
    achieved = totals["total"] / duration if duration else None
    start_delay = f"request_{'start_time_targeted' if old else 'targeted_start'}_delay_avg"
    warnings = benchmark.get("warnings") or []
    fields = metric_fields(benchmark, old)
    if totals["successful"]:
        settings.setdefault("streaming", "ttft_mean_ms" in fields)
    return (
        present(
            {
                "metricName": "guidellmSummary",
                "document_id": str(namespace),
                "timestamp": start,
                "timestamp_source": "measured_start",
                **origin,
                "report_generation": generation(report, old),
                **settings,
                **dict(SYNTHETIC.findall(settings["data"])),
                "max_concurrency": strategy.get("max_concurrency"),
                "start_timestamp": start,
                "end_timestamp": rfc3339(benchmark["end_time"]),
                "duration_seconds": duration,
                **counts(benchmark, totals, run["requests_made"]),
                **fields,
                "achieved_rate_rps": achieved,
                "rate_missed": achieved < RATE_OFFERED * rate if achieved and rate else None,
                "start_delay_mean_seconds": run[start_delay],
                "warning_codes": [warning["code"] for warning in warnings] or None,
                "warnings": warnings or None,
                "slo_attainment": benchmark["metrics"].get("slo_attainment"),
                "slo_determined_requests": benchmark["metrics"].get("slo_determined_requests"),
                "conclusions": report.get("conclusions") or None,
            }
        ),
        origin,
        namespace,
    )


def generation(report, old):
    if old:
        return "0.2-0.3"
    versions = {1: "0.5-0.6", 2: "0.7-0.8"}
    return versions[report["metadata"]["version"]] if "metadata" in report else "0.4"
