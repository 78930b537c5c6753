"""Names of the documents' fields, metric by metric."""

from reports import number

# By the metric's short name: the fields' form, `{}` being the statistic.
METRIC_FIELDS = {
    "ttft": "ttft_{}_ms",
    "itl": "itl_{}_ms",
    "time_per_output_token": "time_per_output_token_{}_ms",
    "request_latency": "request_latency_{}_seconds",
    "throughput": "throughput_{}_rps",
    "tokens_per_second": "tokens_per_second_{}",
    "output_tokens_per_second": "output_tokens_per_second_{}",
    "prompt_tokens_per_second": "prompt_tokens_per_second_{}",
    "concurrency": "concurrency_{}",
    "dispatch_delay": "dispatch_delay_{}_seconds",
    "generation_delay": "generation_delay_{}_seconds",
    "goodput": "goodput_{}_rps",
}

STATISTICS = ("mean", "p50", "p90", "p95", "p99", "min", "max", "stddev")

# By the same short names: the reports' own names, from 0.2 on, of what has a status.
REPORT_METRICS = {
    "ttft": "time_to_first_token_ms",
    "itl": "inter_token_latency_ms",
    "time_per_output_token": "time_per_output_token_ms",
    "request_latency": "request_latency",
    "throughput": "requests_per_second",
    "tokens_per_second": "tokens_per_second",
    "output_tokens_per_second": "output_tokens_per_second",
    "prompt_tokens_per_second": "prompt_tokens_per_second",
    "concurrency": "request_concurrency",
}


def spread(metric: str, statistics: dict | None) -> dict:
    """A metric's eight fields; all None, which is absent, without statistics."""
    form = METRIC_FIELDS[metric]
    return {form.format(name): (statistics or {}).get(name) for name in STATISTICS}


def mean_only(metric: str, mean: float | None) -> dict:
    """A metric of which only the mean is known."""
    return spread(metric, None if mean is None else {"mean": mean})


def copied(own: dict | None) -> dict | None:
    """A distribution of the report under this project's names; None where nothing was counted.

    0.2 has no 50th percentile, only the median, which is the same.
    """
    if own is None or not own["count"]:
        return None
    found = {name: number(own[name]) for name in ("mean", "min", "max")}
    found["stddev"] = number(own["std_dev"])
    for name in ("p50", "p90", "p95", "p99"):
        found[name] = number(own["percentiles"].get(name, own["median"]))
    return found
