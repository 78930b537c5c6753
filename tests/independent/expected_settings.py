"""What a summary should say of the settings: what was asked of GuideLLM, and of whom.

Every generation keeps them elsewhere. Where the documents leave a form open, as the text of
`data`, only its content is checked.
"""

import re

from matching import Contains, OneOf
from reports import Benchmark, number


def settings(benchmark: Benchmark) -> dict:
    """The settings' fields of a summary."""
    by_generation = {
        "0.1": of_v0_1,
        "0.2-0.3": of_v0_2,
        "0.4": of_args,
        "0.5-0.6": of_args,
        "0.7-0.8": of_config,
    }
    found = {
        "report_generation": benchmark.generation,
        "guidellm_version": benchmark.report.get("metadata", {}).get("guidellm_version"),
        "labels": None,
        "max_concurrency": None,
        "streaming": streaming(benchmark),
    }
    if benchmark.generation != "0.1":
        found["max_concurrency"] = benchmark.config["strategy"].get("max_concurrency")
    return found | by_generation[benchmark.generation](benchmark)


def of_v0_1(benchmark: Benchmark) -> dict:
    """0.1: the report's `args`."""
    args = benchmark.report["benchmarks"][0]["args"]
    return {
        "profile": args["mode"],
        "backend_model": args["model"],
        "backend_type": args["backend_type"],
        "target": args["target"],
        "endpoint": None,
        "data": args["data"],
        **configured_tokens(args["data"], "generated_tokens"),
        "tokenizer": args["tokenizer"],
        "max_seconds": seconds(args["max_duration"]),
        "max_requests": args["max_number"],
    }


def of_v0_2(benchmark: Benchmark) -> dict:
    """0.2 and 0.3: every benchmark describes itself."""
    raw = benchmark.raw
    data = raw["request_loader"]["data"]
    return {
        "profile": raw["args"]["profile"]["type_"],
        "backend_model": raw["worker"]["backend_model"],
        "backend_type": raw["worker"]["backend_type"],
        "target": raw["worker"]["backend_target"],
        "endpoint": of_records(benchmark, "request_type"),
        "data": data,
        **configured_tokens(data),
        "tokenizer": raw["request_loader"]["processor"],
        "max_seconds": seconds(raw["args"]["max_duration"]),
        "max_requests": raw["args"]["max_number"],
        "labels": {key: str(value) for key, value in raw["extras"].items()} or None,
    }


def of_args(benchmark: Benchmark) -> dict:
    """0.4 to 0.6: the report's `args`, and the benchmark's `config`."""
    args, config = benchmark.report["args"], benchmark.config
    data = args["data"]
    endpoint = of_records(benchmark, "request_type") or args.get("data_request_formatter")
    return {
        "profile": config["profile"]["type_"],
        "backend_model": config["backend"]["model"],
        "backend_type": args["backend"],
        "target": config["backend"]["target"],
        "endpoint": endpoint,
        "data": Contains(tuple(data)),
        **configured_tokens(" ".join(data)),
        "tokenizer": args["processor"],
        "max_seconds": seconds(args["max_seconds"]),
        "max_requests": args["max_requests"],
    }


def of_config(benchmark: Benchmark) -> dict:
    """0.7 and 0.8: the report's `config`, and the benchmark's."""
    spec, config = benchmark.report["config"]["spec"], benchmark.config
    data = spec["data"][0]
    synthetic = data["kind"].startswith("synthetic")
    labels = benchmark.report["config"]["metadata"].get("labels") or {}
    return {
        "profile": config["profile"]["kind"],
        "backend_model": config["backend"]["model"],
        "backend_type": config["backend"]["kind"],
        "target": config["backend"]["target"],
        "endpoint": config["backend"]["request_format"],
        "data": Contains((data["kind"], str(data["prompt_tokens"]), str(data["output_tokens"]))),
        "prompt_tokens": str(data["prompt_tokens"]) if synthetic else None,
        "output_tokens": str(data["output_tokens"]) if synthetic else None,
        "tokenizer": spec["tokenizer"]["model"],
        "max_seconds": seconds(limit(config, "max_duration", "seconds")),
        "max_requests": limit(config, "max_requests", "count"),
        "labels": {key: str(value) for key, value in labels.items()} or None,
    }


def limit(config: dict, kind: str, argument: str) -> float | None:
    """A benchmark's limit; with `--override` it is a list, of which each benchmark has its own."""
    constraint = config["constraints"].get(kind)
    if constraint is None:
        return None
    value = constraint["args"][argument]
    return value[constraint["current_index"]] if isinstance(value, list) else value


def streaming(benchmark: Benchmark) -> object:
    """As the report says, from 0.7 on. Before, only its absence can be seen in the records."""
    if benchmark.generation == "0.7-0.8":
        return benchmark.config["backend"]["stream"]
    successful = benchmark.records("successful")
    field = "first_token_time" if benchmark.generation == "0.1" else "time_to_first_token_ms"
    if successful and all(record[field] is None for record in successful):
        return False
    return OneOf((None, True))


def of_records(benchmark: Benchmark, field: str) -> str | None:
    """What the first record says; all records of a benchmark say the same."""
    for status in ("successful", "errored", "incomplete"):
        for record in benchmark.records(status):
            return record[field]
    return None


def configured_tokens(data: str, output: str = "output_tokens") -> dict:
    """The numbers in `prompt_tokens=32,output_tokens=16`."""
    found = dict(re.findall(r"(\w+)=(\d+)", data))
    return {"prompt_tokens": found.get("prompt_tokens"), "output_tokens": found.get(output)}


def seconds(limit: float | None) -> float | None:
    """A limit as a float; 0.1 and 0.7 write whole numbers."""
    return None if limit is None else number(limit)
