"""What documents of a 0.1 report should hold.

0.1 writes no statistics, so a summary's figures are computed from the records, by the definitions
of GuideLLM 0.3, the nearest release that has them right: 0.2 counts each prompt twice in
`tokens_per_second`. The clocks of 0.1 are of its own kind: the first token is seconds after the
start, later tokens are gaps between tokens.
"""

from fractions import Fraction

from distributions import PERCENTILES, concurrency, describe, request_rate, token_rate
from fields import METRIC_FIELDS, mean_only, spread
from matching import Near, OneOf
from reports import Benchmark, clock

# The report's two readings of one clock were taken up to this far apart.
CLOCK_SLACK_MICROS = 5


def strategy(benchmark: Benchmark) -> str:
    """`asynchronous` is how 0.1 names every strategy with a rate, in a sweep constant ones."""
    mode = benchmark.raw["mode"]
    if mode != "asynchronous":
        return mode
    asked = benchmark.report["benchmarks"][0]["args"]["mode"]
    return "poisson" if asked == "poisson" else "constant"


def timings(record: dict) -> dict:
    """Clocks and latencies of one successful record; the token's are None without streaming."""
    start, end = record["start_time"], record["end_time"]
    first_after = record["first_token_time"]
    found = {"start": start, "end": end, "latency": end - start}
    if first_after is None:
        return found | {"first": None, "last": None, "ttft": None, "decoding": None}
    decoding = sum(record["decode_times"]["data"])
    return found | {
        "first": start + first_after,
        "last": start + first_after + decoding,
        "ttft": 1000 * first_after,
        "decoding": decoding,
    }


def metrics(benchmark: Benchmark) -> dict:
    """The summary's figures, all of them absent where nothing succeeded."""
    records = benchmark.records("successful")
    times = [timings(record) for record in records]
    output = [record["output_token_count"] for record in records]
    prompt = [record["prompt_token_count"] for record in records]
    spans = [(time["start"], time["end"]) for time in times]
    streamed = [
        (time, output[index])
        for index, time in enumerate(times)
        if time["ttft"] is not None and output[index] > 0
    ]
    # Without a first token, GuideLLM takes all tokens as evenly spaced from the start on.
    spoken = [
        (time, prompt[index], output[index])
        for index, time in enumerate(times)
        if output[index] > 0
    ]
    token_spans = [(time["start"], time["end"]) for time, _, _ in spoken]
    first = [time["start"] if time["first"] is None else time["first"] for time, _, _ in spoken]
    counts = [count for _, _, count in spoken]
    at_first = [ours + 1 for _, ours, _ in spoken]
    multi = [(time, count) for time, count in streamed if count > 1]
    found: dict = {}
    found |= weighted("ttft", [time["ttft"] for time, _ in streamed], [1] * len(streamed))
    found |= weighted(
        "itl",
        [1000 * time["decoding"] / (count - 1) for time, count in multi],
        [count - 1 for _, count in multi],
    )
    found |= weighted(
        "time_per_output_token",
        [1000 * time["decoding"] / count for time, count in streamed],
        [count for _, count in streamed],
    )
    found |= weighted("request_latency", [time["latency"] for time in times], [1] * len(times))
    found |= spread("throughput", request_rate(spans))
    found |= spread("output_tokens_per_second", token_rate(token_spans, first, counts))
    found |= spread("tokens_per_second", token_rate(token_spans, first, counts, at_first))
    found |= spread("concurrency", concurrency(spans))
    duration = max((end for _, end in spans), default=0) - min((s for s, _ in spans), default=0)
    found |= mean_only("prompt_tokens_per_second", sum(prompt) / duration if duration else None)
    found["prompt_token_count_mean"] = sum(prompt) / len(prompt) if prompt else None
    found["output_token_count_mean"] = sum(output) / len(output) if output else None
    return found


def weighted(metric: str, values: list[float], weights: list[int]) -> dict:
    """A metric's fields. Where a rank falls exactly on a value's end, the next value is right too.

    GuideLLM's rounded sums decide such a tie one way or the other; exact sums always take the
    smaller value. Both follow the definition.
    """
    found = spread(metric, describe(values, weights))
    if not values:
        return found
    pairs = sorted(zip(values, weights))
    total = sum(weights)
    for name, rank in PERCENTILES.items():
        reached = 0
        for value, weight in pairs:
            reached += weight
            if reached >= Fraction(str(rank)) * total:
                field = METRIC_FIELDS[metric].format(name)
                found[field] = OneOf((found[field], value))
                break
    return found


def window(benchmark: Benchmark) -> dict:
    """From the first start to the last end of what succeeded."""
    times = [timings(record) for record in benchmark.records("successful")]
    if not times:
        return dict.fromkeys(("start_timestamp", "end_timestamp", "duration_seconds"))
    start = min(time["start"] for time in times)
    end = max(time["end"] for time in times)
    return {
        "start_timestamp": clock(start),
        "end_timestamp": clock(end),
        "duration_seconds": end - start,
    }


def first_clock(benchmark: Benchmark) -> str:
    """The earliest clock of all: a start, or a reading of the concurrency."""
    starts = [record["start_time"] for record in benchmark.records("successful")]
    return clock(min(starts + [each["time"] for each in benchmark.raw["concurrencies"]]))


def request(benchmark: Benchmark, status: str, record: dict) -> dict:
    """One request's own fields. An errored one has a message and no clock at all."""
    if status == "errored":
        code = record["message"].removeprefix("Error code: ")[:3]
        known = record["message"].startswith("Error code: ")
        return {
            "timestamp": first_clock(benchmark),
            "timestamp_source": "benchmark",
            "error_message": record["message"],
            "error_class": "http_status" if known else "other",
            "http_status": int(code) if known else None,
            "prompt_token_count": OneOf((record["request"]["prompt_token_count"], None)),
        }
    time = timings(record)
    output, prompt = record["output_token_count"], record["prompt_token_count"]
    found = {
        "timestamp": clock(time["start"]),
        "timestamp_source": "request_start",
        "request_latency_seconds": time["latency"],
        "tokens_per_second": (prompt + output) / time["latency"],
        "output_tokens_per_second": output / time["latency"],
        "prompt_token_count": prompt,
        "output_token_count": output,
        "end_timestamp": clock(time["end"]),
    }
    if time["ttft"] is not None:
        found |= {
            "ttft_ms": time["ttft"],
            "tpot_ms": 1000 * time["decoding"] / output if output else None,
            "itl_ms": 1000 * time["decoding"] / (output - 1) if output > 1 else None,
            "first_token_timestamp": Near(clock(time["first"]), CLOCK_SLACK_MICROS),
            "last_token_timestamp": Near(clock(time["last"]), CLOCK_SLACK_MICROS),
        }
    return found
