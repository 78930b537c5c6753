"""Checks exports for other tools against what these tools ask for, and the report's own figures.

    python check_formats.py BINARY REPORT...

llm-d benchmark reports, 0.2.1: members, units and texts are those of its schema, which is stated
here; figures are those that the report has, read without the tool, and time series are made here of
its requests.
"""

import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import yaml
from expected import Context, Expected, documents
from matching import Near, OneOf, Tally, differences, micros_of
from reports import load

CONTEXT = Context(uuid="u", job_name="steady chat/10", sample=2)

STATISTICS = ("mean", "stddev", "min", "p50", "p90", "p95", "p99", "max")

# By member: its unit, and the field of our documents, `{}` being the statistic.
LATENCIES = {
    "time_to_first_token": ("ms", "ttft_{}_ms"),
    "normalized_time_per_output_token": ("ms/token", "time_per_output_token_{}_ms"),
    "time_per_output_token": ("ms/token", "time_per_output_token_{}_ms"),
    "inter_token_latency": ("ms/token", "itl_{}_ms"),
    "request_latency": ("s", "request_latency_{}_seconds"),
}
THROUGHPUTS = {
    "input_token_rate": ("tokens/s", "prompt_tokens_per_second_{}"),
    "output_token_rate": ("tokens/s", "output_tokens_per_second_{}"),
    "total_token_rate": ("tokens/s", "tokens_per_second_{}"),
    "request_rate": ("queries/s", "throughput_{}_rps"),
}

# The schema: what each part must have, and what it may have; no part may have more.
MEMBERS = {
    "": ("version run results", "scenario"),
    "run": ("uid", "eid cid pid time user description keywords"),
    "run.time": ("", "start end duration"),
    "scenario": ("", "stack load"),
    "scenario.load": ("metadata standardized native", ""),
    "scenario.load.metadata": ("schema_version", "cfg_id description"),
    "scenario.load.native": ("", "args envars config"),
    "scenario.load.standardized": (
        "tool tool_version source input_seq_len",
        "parallelism stage output_seq_len prefix multi_turn rate_qps concurrency",
    ),
    "scenario.load.standardized.input_seq_len": ("distribution value", "std_dev min max"),
    "scenario.load.standardized.output_seq_len": ("distribution value", "std_dev min max"),
    "scenario.load.standardized.multi_turn": ("", "enabled max_turns"),
    "results": ("", "request_performance session_performance observability profiling"),
    "results.request_performance": ("", "aggregate time_series"),
    "results.request_performance.time_series": ("", "latency throughput"),
    "results.request_performance.time_series.latency": ("", " ".join(LATENCIES)),
    "results.request_performance.time_series.throughput": ("", " ".join(THROUGHPUTS) + " units"),
    "results.request_performance.aggregate": ("", "requests latency throughput"),
    "results.request_performance.aggregate.requests": (
        "total",
        "failures incomplete input_length output_length request_size multimodal",
    ),
    "results.request_performance.aggregate.latency": ("", " ".join(LATENCIES)),
    "results.request_performance.aggregate.throughput": ("", " ".join(THROUGHPUTS)),
}
SERIES = "results.request_performance.time_series"
MEMBERS |= {
    f"{SERIES}.{kind}.{member}": ("units series", "")
    for kind, members in (("latency", LATENCIES), ("throughput", THROUGHPUTS))
    for member in members
}
POINT = {"ts", "value", "mean", "mode", "stddev", "min", "max"} | {
    f"p{it}" for it in "0p1 1 5 10 25 50 75 90 95 99 99p9".split()
}
SOURCES = {"random", "sampled", "unknown"}
DISTRIBUTIONS = {"fixed", "gaussian", "uniform", "other"}


def convert(binary: str, path: Path, folder: str) -> dict[int, dict]:
    """The benchmark reports of a report, by their stage, as another tool reads them."""
    command = [binary, "index", str(path), "--format", "benchmark-report", "-o", folder, "--quiet"]
    command += ["--uuid", CONTEXT.uuid, "-j", CONTEXT.job_name, "-s", str(CONTEXT.sample)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    found = {}
    for file in sorted(Path(folder).iterdir()):
        stage = re.fullmatch(
            r"benchmark_report_v0\.2,_steady-chat-10_2_(\d+)_[0-9a-f-]{36}\.yaml", file.name
        )
        if stage is None:
            raise RuntimeError(f"{file.name} is no name that was asked for")
        found[int(stage[1])] = yaml.safe_load(file.read_text())
    return found


def part(report: dict, path: str) -> object:
    """A part of a report; None if it is not there."""
    found: object = report
    for name in path.split(".") if path else ():
        found = found.get(name) if isinstance(found, dict) else None
    return found


def check_schema(report: dict) -> list[str]:
    """What the schema does not allow."""
    found = []
    for path, (required, optional) in MEMBERS.items():
        own = part(report, path)
        if own is None:
            continue
        allowed = {*required.split(), *optional.split()}
        found += [f"{path}: no {name}" for name in required.split() if name not in own]
        found += [f"{path}: {name} is not allowed" for name in own if name not in allowed]
        found += [f"{path}: {name} is null" for name, value in own.items() if value is None]
    if report["version"] != "0.2.1":
        found.append(f"version {report['version']!r}")
    time = part(report, "run.time") or {}
    for name in ("start", "end"):
        # PyYAML makes a datetime of an unquoted one.
        value = time.get(name)
        if isinstance(value, str):
            value = datetime.fromisoformat(value)
        if value is not None and value.tzinfo is None:
            found.append(f"run.time.{name} has no zone")
    if "duration" in time and not re.fullmatch(r"PT\d+(\.\d+)?S", time["duration"]):
        found.append(f"run.time.duration {time['duration']!r} is no ISO 8601 duration")
    asked = part(report, "scenario.load.standardized")
    if asked is not None:
        found += check_load(asked)
    for kind in ("latency", "throughput"):
        for member, own in (part(report, f"{SERIES}.{kind}") or {}).items():
            keys = {key for point in own["series"] for key in point}
            if not own["series"] or "ts" not in keys or not keys <= POINT:
                found.append(f"{SERIES}.{kind}.{member}: {len(own['series'])} points with {keys}")
    return found


def check_load(asked: dict) -> list[str]:
    """What the schema does not allow in a load."""
    found = []
    if asked["source"] not in SOURCES or not isinstance(asked["tool_version"], str):
        found.append(f"source {asked['source']!r}, tool_version {asked['tool_version']!r}")
    lengths = [asked[name] for name in ("input_seq_len", "output_seq_len") if name in asked]
    for length in lengths:
        if length["distribution"] not in DISTRIBUTIONS or length["value"] < 0:
            found.append(f"length {length}")
    concurrency = asked.get("concurrency", 1)
    if asked.get("rate_qps", 1) <= 0 or type(concurrency) is not int or concurrency < 1:
        found.append(f"rate_qps {asked.get('rate_qps')}, concurrency {concurrency}")
    return found


def statistics(summary: dict, unit: str, form: str) -> dict | None:
    """A distribution, of what is known; None without a mean."""
    own = {name: summary.get(form.format(name)) for name in STATISTICS}
    if own["mean"] is None:
        return None
    return {"units": unit} | own


def check_figures(each: Expected, report: dict) -> list[str]:
    """What differs from the report's own figures."""
    summary = each.summary
    aggregate = part(report, "results.request_performance.aggregate")
    requests = dict(aggregate["requests"])
    wanted = {
        "total": summary["total_requests"],
        "failures": summary["errored_requests"],
        "incomplete": summary["incomplete_requests"],
    }
    lengths = {}
    for member, field in (("input_length", "prompt"), ("output_length", "output")):
        lengths[member] = requests.pop(member, None)
        mean = summary[f"{field}_token_count_mean"]
        expected = None if mean is None else {"units": "count", "mean": mean}
        if (expected is None) != (lengths[member] is None):
            return [f"{member}: expected {expected}, found {lengths[member]}"]
        if expected:
            wanted |= {f"{member}.{name}": value for name, value in expected.items()}
            requests |= {f"{member}.{name}": value for name, value in lengths[member].items()}
    found = differences(wanted, requests)
    for member, (unit, form) in LATENCIES.items():
        expected = statistics(summary, unit, form)
        if member.startswith("normalized") and summary["tpot_definition"].startswith("excludes"):
            expected = None
        found += compare(member, expected, aggregate["latency"].get(member))
    for member, (unit, form) in THROUGHPUTS.items():
        expected = statistics(summary, unit, form)
        if member == "total_token_rate" and summary.get("tokens_per_second_counts_prompt_twice"):
            expected = None
        found += compare(member, expected, aggregate["throughput"].get(member))
    return found


def by_second(each: Expected) -> dict[int, dict]:
    """The successful requests whose first token came, and those that ended, in each second."""
    found: dict[int, dict] = {}
    clocks = []
    for it in each.requests.values():
        if it["status"] != "successful":
            continue
        for event in ("start", "first", "ended"):
            clock = {
                "start": it["timestamp"] if it["timestamp_source"] == "request_start" else None,
                "first": it.get("first_token_timestamp"),
                "ended": it.get("end_timestamp"),
            }[event]
            if clock is not None:
                second = micros_of(clock) // 1_000_000
                clocks.append(second)
                found.setdefault(second, {}).setdefault(event, []).append(it)
    whole = range(min(clocks), max(clocks) + 1) if clocks else []
    return {second: {"first": [], "ended": []} | found.get(second, {}) for second in whole}


def check_series(each: Expected, report: dict) -> list[str]:
    """What differs from seconds that are made of the report's own requests."""
    summary, seconds = each.summary, by_second(each)
    output = lambda it: it.get("output_token_count") or 0  # noqa: E731
    sources = {
        "time_to_first_token": ("first", "ttft_ms", lambda it: 1),
        "normalized_time_per_output_token": ("ended", "tpot_ms", output),
        "time_per_output_token": ("ended", "tpot_ms", output),
        "inter_token_latency": ("ended", "itl_ms", lambda it: output(it) - 1),
        "request_latency": ("ended", "request_latency_seconds", lambda it: 1),
    }
    found = []
    for member, (unit, _) in LATENCIES.items():
        event, field, weigh = sources[member]
        expected = {}
        for second, own in seconds.items():
            pairs = [(it[field], weigh(it)) for it in own[event] if it.get(field) is not None]
            pairs = [(value, weight) for value, weight in pairs if weight > 0]
            if pairs:
                values, weights = zip(*pairs, strict=True)
                mean = sum(value * weight for value, weight in pairs) / sum(weights)
                expected[second] = {"mean": mean, "min": min(values), "max": max(values)}
        if member.startswith("normalized") and summary["tpot_definition"].startswith("excludes"):
            expected = {}
        found += compare_series(report, f"latency.{member}", unit, expected)
    fields = {
        "input_token_rate": ("prompt_token_count",),
        "output_token_rate": ("output_token_count",),
        "total_token_rate": ("prompt_token_count", "output_token_count"),
    }
    for member, (unit, _) in THROUGHPUTS.items():
        if member == "request_rate":
            expected = {second: float(len(own["ended"])) for second, own in seconds.items()}
        else:
            named = fields[member]
            expected = {
                second: float(sum(it.get(name) or 0 for it in own["ended"] for name in named))
                for second, own in seconds.items()
            }
            known = [it for own in seconds.values() for it in own["ended"]]
            if any(all(it.get(name) is None for it in known) for name in named):
                expected = {}
        if summary["records_sampled"]:
            expected = {}
        wanted = {second: {"value": value} for second, value in expected.items()}
        found += compare_series(report, f"throughput.{member}", unit, wanted)
    return found


def compare_series(report: dict, member: str, unit: str, expected: dict[int, dict]) -> list[str]:
    """Differences of a series, or of whether there is one."""
    own = part(report, f"{SERIES}.{member}")
    if own is None or not expected:
        return [] if own is None and not expected else [f"{member}: {own}, expected {expected}"]
    found = [] if own["units"] == unit else [f"{member}: units {own['units']!r}"]
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    points = {}
    for point in own["series"]:
        ts = datetime.fromisoformat(as_text(point["ts"]))
        points[(ts - epoch) / timedelta(seconds=1)] = {k: v for k, v in point.items() if k != "ts"}
    if list(points) != list(expected):
        return [*found, f"{member}: seconds {list(points)}, expected {list(expected)}"]
    for second, wanted in expected.items():
        lines = differences(wanted, points[second])
        found += [f"{member}: {second}: {line}" for line in lines]
    return found


def compare(member: str, expected: dict | None, actual: dict | None) -> list[str]:
    """Differences of a distribution, or of whether there is one."""
    if expected is None or actual is None:
        same = expected is None and actual is None
        return [] if same else [f"{member}: expected {expected}, found {actual}"]
    return [f"{member}.{line}" for line in differences(expected, actual)]


def check_setting(each: Expected, report: dict) -> list[str]:
    """What differs in what was asked for, and in who asked."""
    summary = each.summary
    run, asked = report["run"], part(report, "scenario.load.standardized")
    labels = [f"{name}={value}" for name, value in sorted((summary["labels"] or {}).items())]
    found = differences(
        {
            "uid": summary["document_id"],
            "eid": CONTEXT.uuid,
            "description": f"{CONTEXT.job_name}, sample {CONTEXT.sample}",
            "keywords": labels or None,
        },
        {name: value for name, value in run.items() if name != "time"},
    )
    time = {name: as_text(value) for name, value in run.get("time", {}).items()}
    duration = summary["duration_seconds"]
    wanted = {
        name: None if clock is None else Near(clock if isinstance(clock, str) else str(clock), 1)
        for name, clock in (("start", summary["start_timestamp"]), ("end", summary["end_timestamp"]))
    }
    seconds = time.pop("duration", None)
    time["duration"] = None if seconds is None else float(seconds[2:-1])
    found += differences(wanted | {"duration": duration}, time)
    if asked is None:
        # Only where not one prompt is known of.
        known = summary["prompt_tokens"] or summary["prompt_token_count_mean"]
        return found + (["no load"] if known else [])
    strategy = summary["strategy"]
    bounds = {
        "synchronous": 1,
        "throughput": summary["max_concurrency"],
        "concurrent": summary["streams"],
    }
    tokens = summary["prompt_tokens"]
    wanted = {
        "tool": "guidellm",
        "tool_version": summary["guidellm_version"] or summary["report_generation"],
        "source": "random" if tokens else OneOf(("sampled", "unknown")),
        "stage": each.benchmark.index,
        "rate_qps": summary["rate"],
        "concurrency": bounds.get(strategy),
        "input": float(tokens) if tokens else summary["prompt_token_count_mean"],
        "multi_turn": OneOf((None, {"enabled": True, "max_turns": turns(each)})),
    }
    own = {name: value for name, value in asked.items() if not name.endswith("_seq_len")}
    own["input"] = asked["input_seq_len"]["value"]
    return found + differences(wanted, own)


def turns(each: Expected) -> dict | None:
    """Turns of a conversation that were asked for, as the report says from 0.7 on."""
    data = each.benchmark.report.get("config", {}).get("spec", {}).get("data") or [{}]
    asked = data[0].get("turns") or 1
    return {"distribution": "fixed", "value": float(asked)} if asked > 1 else None


def as_text(value: object) -> object:
    """A clock that PyYAML took for one, as the documents have it."""
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def check(binary: str, path: Path) -> list[str]:
    """All that is wrong with the benchmark reports of one report."""
    every = documents(load(path), CONTEXT)
    with tempfile.TemporaryDirectory() as folder:
        reports = convert(binary, path, folder)
    found = []
    if len(reports) != len(every):
        found.append(f"{len(every)} benchmarks, but {len(reports)} reports")
    loads = {}
    for each in every:
        report = reports.get(each.benchmark.index)
        if report is None:
            continue
        lines = check_schema(report) + check_figures(each, report) + check_setting(each, report)
        lines += check_series(each, report)
        found += [f"benchmark {each.benchmark.index}: {line}" for line in lines]
        own = part(report, "scenario.load")
        if own is not None:
            # The same load has the same id, and no other has it.
            same = loads.setdefault(own["metadata"]["cfg_id"], own["native"])
            if same != own["native"]:
                found.append(f"benchmark {each.benchmark.index}: another load has its cfg_id")
    return found


def main(binary: str, names: list[str]) -> int:
    """Exit code."""
    tally = Tally()
    for name in names:
        try:
            found = check(binary, Path(name))
        except (RuntimeError, yaml.YAMLError) as error:
            found = [str(error)]
        tally.add(name, found)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
