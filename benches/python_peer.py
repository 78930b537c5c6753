#!/usr/bin/env python3
"""The peer of the benchmarks: the documents of a GuideLLM report, with Python's standard library.

This is the script that one writes when there is no tool: `json.load`, then one dict for each
request and one for each benchmark, with the fields of our documents and their ids. It reads 0.2
to 0.8 (0.1 has no statistics to take over) and prints how many documents it made; it neither
keeps nor serialises them, which is in its favour.
"""

import argparse
import json
import re
import uuid

from peer_summary import STATUSES, present, rfc3339, summary_document

HTTP_STATUS = re.compile(r"error '(\d{3}) ")


def classify(status, message):
    """Class of a failure, and its HTTP status where the message has one."""
    if status == "incomplete":
        return "cancelled", None
    found = HTTP_STATUS.search(message or "")
    if found:
        return "http_status", int(found[1])
    lower = (message or "").lower()
    if "timeout" in lower or "timed out" in lower:
        return "timeout", None
    if "peer closed connection" in lower or "remoteprotocolerror" in lower:
        return "dropped_stream", None
    return "other", None


def clocks_0_2(record):
    """Clocks of a record of 0.2 or 0.3, and what 0.4 calls otherwise."""
    info = record["scheduler_info"]
    received = record["first_token_time"] is not None or record["output"]
    return {
        "start": record["start_time"],
        "end": record["end_time"],
        "first": record["first_token_time"],
        "last": record["last_token_time"],
        "targeted": info["targeted_start_time"],
        "queued": info["queued_time"],
        "dequeued": info["dequeued_time"],
        "scheduled": info["scheduled_time"],
        "error": record.get("error"),
        # A failed request that received nothing has the tokens that were asked for.
        "output_tokens": record["output_tokens"] if received else None,
    }


def clocks_0_4(record):
    info = record["info"]
    timings = info["timings"]
    return {
        "start": timings["request_start"],
        "end": timings["request_end"] or timings["resolve_end"],
        "first": timings["first_token_iteration"],
        "last": timings["last_token_iteration"],
        "targeted": timings["targeted_start"],
        "queued": timings["queued"],
        "dequeued": timings["dequeued"],
        "scheduled": timings["scheduled_at"],
        "error": info.get("error"),
        "output_tokens": record["output_tokens"],
        "conversation_id": info.get("conversation_id"),
        "turn_index": info.get("turn_index"),
    }


def request_document(record, status, origin, summary_id, benchmark_timestamp, clocks_of):
    clocks = clocks_of(record)
    start, targeted, queued, dequeued = (
        clocks[name] for name in ("start", "targeted", "queued", "dequeued")
    )
    sources = ("request_start", start), ("queued", queued), ("targeted_start", targeted)
    for source, clock in sources:
        timestamp = rfc3339(clock)
        if timestamp:
            break
    else:
        source, timestamp = "benchmark", benchmark_timestamp
    successful = status == "successful"
    error_class, http_status = (None, None) if successful else classify(status, clocks["error"])
    return present(
        {
            "metricName": "guidellmRequest",
            "document_id": str(uuid.uuid5(summary_id, record["request_id"])),
            "timestamp": timestamp,
            "timestamp_source": source,
            **origin,
            "request_id": record["request_id"],
            "response_id": record.get("response_id"),
            "conversation_id": clocks.get("conversation_id"),
            "turn_index": clocks.get("turn_index"),
            "status": status,
            "completed": successful,
            "errored": status == "errored",
            "error_message": clocks["error"],
            "error_class": error_class,
            "http_status": http_status,
            "request_latency_seconds": record["request_latency"],
            "tokens_per_second": record["tokens_per_second"] if successful else None,
            "output_tokens_per_second": record["output_tokens_per_second"] if successful else None,
            "tpot_ms": record["time_per_output_token_ms"],
            "itl_ms": record["inter_token_latency_ms"],
            "ttft_ms": record["time_to_first_token_ms"],
            "prompt_token_count": record["prompt_tokens"],
            "output_token_count": clocks["output_tokens"],
            "cached_token_count": record.get("cached_tokens"),
            "targeted_start_timestamp": rfc3339(targeted),
            "queued_timestamp": rfc3339(queued),
            "dequeued_timestamp": rfc3339(dequeued),
            "scheduled_timestamp": rfc3339(clocks["scheduled"]),
            "first_token_timestamp": rfc3339(clocks["first"]),
            "last_token_timestamp": rfc3339(clocks["last"]),
            "end_timestamp": rfc3339(clocks["end"]),
            "queue_seconds": dequeued - queued if dequeued and queued else None,
            "start_delay_seconds": start - targeted if start and targeted else None,
        }
    )


def documents(report, with_requests):
    """All documents of a report, in the order of our tool: each summary, then its requests."""
    for index, benchmark in enumerate(report["benchmarks"]):
        if "benchmarks" in benchmark:
            raise SystemExit("a report of 0.1; the peer reads 0.2 to 0.8")
        summary, origin, namespace = summary_document(report, index)
        yield summary
        if not with_requests:
            continue
        clocks_of = clocks_0_2 if "run_stats" in benchmark else clocks_0_4
        for status in STATUSES:
            for record in benchmark["requests"][status] or ():
                yield request_document(
                    record, status, origin, namespace, summary["timestamp"], clocks_of
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=("summary", "documents"))
    parser.add_argument("file", metavar="FILE", help="a report of 0.2 to 0.8, as JSON")
    options = parser.parse_args()
    with open(options.file, encoding="utf-8") as file:
        report = json.load(file)
    print(sum(1 for _ in documents(report, options.what == "documents")))


if __name__ == "__main__":
    main()
