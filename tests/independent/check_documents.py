"""Checks the tool's NDJSON documents against numbers that were computed without it.

    python check_documents.py BINARY REPORT...

Every field of every document is compared: counts, texts and ids must be equal, figures within a
relative 1e-9. Where a report kept all of its records, its percentiles are computed once more from
these and must be equal to the last bit.
"""

import json
import math
import subprocess
import sys
from pathlib import Path

from expected import Context, Expected, documents
from fields import METRIC_FIELDS, REPORT_METRICS, STATISTICS
from matching import Tally, differences
from recompute import recomputed
from reports import load

CONTEXT = Context(uuid="u", job_name="j", sample=2)


def index(binary: str, path: Path) -> list[dict]:
    """The documents that the tool writes for a report."""
    command = [binary, "index", str(path), "--format", "ndjson", "-o", "-", "--quiet"]
    command += ["--uuid", CONTEXT.uuid, "--job-name", CONTEXT.job_name]
    command += ["--sample", str(CONTEXT.sample)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"exit {done.returncode}: {done.stderr.strip()}")
    return [json.loads(line, parse_constant=refuse_constant) for line in done.stdout.splitlines()]


def refuse_constant(token: str) -> None:
    """Python's parser takes NaN and Infinity, which are no JSON."""
    raise ValueError(f"the tool wrote {token}, which is not JSON")


def compare(expected: list[Expected], found: list[dict]) -> list[str]:
    """All differences between the documents of one report."""
    problems = []
    summaries = [each for each in found if each["metricName"] == "guidellmSummary"]
    requests = [each for each in found if each["metricName"] == "guidellmRequest"]
    if len(summaries) + len(requests) != len(found):
        problems.append("documents of neither metricName")
    if len(summaries) != len(expected):
        problems.append(f"{len(expected)} benchmarks, but {len(summaries)} summaries")
    by_benchmark: dict[str, list[dict]] = {}
    for request in requests:
        by_benchmark.setdefault(request["benchmark_id"], []).append(request)
    by_index = {summary["benchmark_index"]: summary for summary in summaries}
    for each in expected:
        name = f"benchmark {each.benchmark.index}"
        summary = by_index.get(each.benchmark.index)
        if summary is None:
            problems.append(f"{name}: no summary")
            continue
        problems += [f"{name}: {line}" for line in differences(each.summary, summary)]
        problems += [f"{name}: {line}" for line in against_records(each, summary)]
        own = by_benchmark.pop(each.summary["benchmark_id"], [])
        problems += [f"{name}: {line}" for line in compare_requests(each.requests, own)]
    problems += [f"requests of an unknown benchmark {each}" for each in by_benchmark]
    ids = [each["document_id"] for each in found]
    if len(set(ids)) != len(ids):
        problems.append(f"{len(ids) - len(set(ids))} document ids occur twice")
    return problems


def compare_requests(expected: dict[str, dict], found: list[dict]) -> list[str]:
    """Differences between the requests of one benchmark."""
    problems = []
    if len(expected) != len(found):
        problems.append(f"{len(expected)} records, but {len(found)} requests")
    for request in found:
        name = request["request_id"]
        if name not in expected:
            problems.append(f"request {name}: not in the report")
            continue
        problems += [f"request {name}: {line}" for line in differences(expected[name], request)]
    return problems


def against_records(expected: Expected, summary: dict) -> list[str]:
    """Differences between a summary and its benchmark's records, where all of them are there."""
    computed = recomputed(expected.benchmark)
    problems = []
    for metric, own_name in REPORT_METRICS.items():
        if computed is None or own_name not in computed:
            continue
        statistics = computed[own_name] or {}
        if metric in ("ttft", "itl") and statistics.get("max") == 0:
            statistics = {}
        for statistic in STATISTICS:
            field = METRIC_FIELDS[metric].format(statistic)
            ours, theirs = statistics.get(statistic), summary.get(field)
            if ours is None or theirs is None:
                same = ours is theirs
            elif statistic in ("mean", "stddev"):
                same = math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)
            else:
                same = ours == theirs
            if not same:
                problems.append(f"{field}: {theirs!r}, but {ours!r} by the records")
    return problems


def main(binary: str, paths: list[str]) -> int:
    """Checks every report; one line for each."""
    tally = Tally()
    for path in paths:
        try:
            problems = compare(documents(load(Path(path)), CONTEXT), index(binary, Path(path)))
        except (RuntimeError, ValueError, KeyError) as error:
            problems = [f"{type(error).__name__}: {error}"]
        tally.add(path, problems)
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
