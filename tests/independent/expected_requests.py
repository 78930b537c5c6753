"""What the document of one request should hold."""

import re

import expected_v0_1
from reports import Benchmark, clock, number


def request(benchmark: Benchmark, status: str, record: dict) -> dict:
    """A request's own fields; those that all documents of the benchmark share come elsewhere."""
    found = {
        "metricName": "guidellmRequest",
        "status": status,
        "completed": status == "successful",
        "errored": status == "errored",
    }
    if benchmark.generation == "0.1":
        found["request_id"] = record["request"]["id"]
        return found | expected_v0_1.request(benchmark, status, record)
    found["request_id"] = record["request_id"]
    found |= of_v0_2(record) if benchmark.generation == "0.2-0.3" else of_v0_4(record)
    found |= failure(status, found.pop("error"))
    if status != "successful":
        # Rates of a request that did not end say nothing; 0.2 even counts tokens that never came.
        found["tokens_per_second"] = found["output_tokens_per_second"] = None
    return found


def of_v0_2(record: dict) -> dict:
    """0.2 and 0.3. Without a first token, `output_tokens` is what was asked for."""
    info = record["scheduler_info"]
    received = record["output_tokens"] if record["first_token_time"] is not None else None
    return {
        "error": record.get("error"),
        "prompt_token_count": record["prompt_tokens"],
        "output_token_count": received,
        **latencies(record),
        **clocks(
            record["start_time"],
            record["end_time"],
            info["targeted_start_time"],
            info["queued_time"],
            info["dequeued_time"],
            info["scheduled_time"],
            record["first_token_time"],
            record["last_token_time"],
        ),
    }


def of_v0_4(record: dict) -> dict:
    """From 0.4 on."""
    info = record["info"]
    timings = info["timings"]
    return {
        "error": info["error"],
        "response_id": record.get("response_id"),
        "conversation_id": info.get("conversation_id"),
        "turn_index": info.get("turn_index"),
        "prompt_token_count": record["prompt_tokens"],
        "output_token_count": record["output_tokens"],
        "cached_token_count": record.get("cached_tokens"),
        **latencies(record),
        **clocks(
            record["request_start_time"],
            record["request_end_time"],
            timings["targeted_start"],
            timings["queued"],
            timings["dequeued"],
            timings["scheduled_at"],
            timings["first_token_iteration"],
            timings["last_token_iteration"],
        ),
    }


def latencies(record: dict) -> dict:
    """Figures that every generation from 0.2 on names alike."""
    names = {
        "request_latency_seconds": "request_latency",
        "tokens_per_second": "tokens_per_second",
        "output_tokens_per_second": "output_tokens_per_second",
        "tpot_ms": "time_per_output_token_ms",
        "itl_ms": "inter_token_latency_ms",
        "ttft_ms": "time_to_first_token_ms",
    }
    return {
        field: None if record[name] is None else number(record[name])
        for field, name in names.items()
    }


def clocks(
    start: float | None,
    end: float | None,
    targeted: float | None,
    queued: float | None,
    dequeued: float | None,
    scheduled: float | None,
    first_token: float | None,
    last_token: float | None,
) -> dict:
    """Timestamps, and the two waits between them."""
    by_source = {"request_start": start, "queued": queued, "targeted_start": targeted}
    source = next(name for name, seconds in by_source.items() if clock(seconds))
    return {
        "timestamp": clock(by_source[source]),
        "timestamp_source": source,
        "targeted_start_timestamp": clock(targeted),
        "queued_timestamp": clock(queued),
        "dequeued_timestamp": clock(dequeued),
        "scheduled_timestamp": clock(scheduled),
        "first_token_timestamp": clock(first_token),
        "last_token_timestamp": clock(last_token),
        "end_timestamp": clock(end),
        "queue_seconds": between(queued, dequeued),
        "start_delay_seconds": between(targeted, start),
    }


def between(earlier: float | None, later: float | None) -> float | None:
    """A wait; None where one of its ends is no clock."""
    if not clock(earlier) or not clock(later):
        return None
    return later - earlier


def failure(status: str, message: str | None) -> dict:
    """The failure's text, class and HTTP status."""
    found = {"error_message": message, "error_class": None, "http_status": None}
    if status == "successful":
        return found | {"error_message": None}
    if status == "incomplete":
        return found | {"error_class": "cancelled"}
    http = re.search(r"(?:Server|Client) error '(\d{3}) ", message)
    if http:
        return found | {"error_class": "http_status", "http_status": int(http[1])}
    if "incomplete chunked read" in message:
        return found | {"error_class": "dropped_stream"}
    if "timed out" in message.lower() or "timeout" in message.lower():
        return found | {"error_class": "timeout"}
    return found | {"error_class": "other"}
