"""Checks what `scenarios` says of several samples together, with numpy.

    python check_scenarios.py BINARY REPORT REPORT...

The reports are samples of one scenario. Their documents are read from the tool's NDJSON, which
check_documents.py holds to the reports themselves; which requests count, with what weight, their
percentiles, the seconds, errors and goodput are worked out here again, from GuideLLM's definitions.
"""

import json
import math
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime

import numpy as np
from scipy import stats

from distributions import describe
from matching import Tally


class Found(list):
    """What is wrong; counts what was looked at."""

    looked_at = 0

    def check(self, right: bool, wrong: str) -> None:
        self.looked_at += 1
        if not right:
            self.append(wrong)

FIELDS = {
    "ttft_{}_ms": ("ttft_ms", lambda it: 1.0),
    "itl_{}_ms": ("itl_ms", lambda it: max(it.get("output_token_count", 1) - 1, 0)),
    "time_per_output_token_{}_ms": ("tpot_ms", lambda it: it.get("output_token_count", 0)),
    "request_latency_{}_seconds": ("request_latency_seconds", lambda it: 1.0),
}
LIMITS = {"ttft_ms": 50.0, "request_latency_seconds": 0.2}
TRIM = 1.0


def epoch(text: str | None) -> float | None:
    if text is None:
        return None
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC).timestamp()


class Sample:
    """A benchmark, its requests and its window, which may be trimmed."""

    def __init__(self, summary: dict, requests: list[dict], trim: float):
        self.summary, self.requests = summary, requests
        self.origin = epoch(summary["start_timestamp"])
        self.start, self.end = self.origin + trim, epoch(summary["end_timestamp"]) - trim
        generation = summary["report_generation"]
        self.windowed = generation not in ("0.1", "0.2-0.3") or trim > 0
        release = summary.get("guidellm_version", "0")
        self.by_phase = tuple(int(part) for part in release.split(".")[:2]) >= (0, 8)

    def touches(self, since: float | None, until: float | None) -> bool:
        if not self.windowed:
            return True
        if until is None:
            return False
        return until >= self.start and (until if since is None else since) <= self.end

    def counts(self, request: dict, field: str) -> bool:
        start, end = self.start_of(request), epoch(request.get("end_timestamp"))
        first = epoch(request.get("first_token_timestamp"))
        if self.by_phase and field == "ttft_ms":
            return self.touches(start, first)
        if self.by_phase and field == "itl_ms":
            return self.touches(start if first is None else first, end)
        return self.touches(start, end)

    @staticmethod
    def start_of(request: dict) -> float | None:
        started = request["timestamp_source"] == "request_start"
        return epoch(request["timestamp"]) if started else None

    def values(self, template: str) -> list[tuple[float, float]]:
        field, weigh = FIELDS[template]
        return [
            (it.get(field, 0.0), weigh(it))
            for it in self.requests
            if it["status"] == "successful" and self.counts(it, field)
        ]

    def inside(self, status: str) -> list[dict]:
        return [it for it in self.requests if it["status"] == status and self.counts(it, "")]


def documents(binary: str, report: str) -> tuple[dict, list[dict]]:
    command = [binary, "index", report, "--quiet", "-o", "-", "--format", "ndjson"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    found = [json.loads(line) for line in lines]
    (summary,) = [it for it in found if it["metricName"] == "guidellmSummary"]
    return summary, [it for it in found if it["metricName"] == "guidellmRequest"]


def scenario(binary: str, reports: list[str], trim: float) -> dict:
    command = [binary, "scenarios", *reports, "--pool-runs", "--json"]
    command += [f"--limit={name}={limit}" for name, limit in LIMITS.items()]
    command += [f"--trim-start={trim}", f"--trim-end={trim}"]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    (analysis,) = json.loads(out)
    (found,) = analysis["scenarios"]
    return found


def check_figures(found_wrong: Found, found: dict, samples: list[Sample], trim: float) -> None:
    figures = found["figures"]
    for template in FIELDS:
        pooled = [pair for sample in samples for pair in sample.values(template)]
        expected = describe([value for value, _ in pooled], [weight for _, weight in pooled])
        own = [describe(*zip(*sample.values(template), strict=True)) for sample in samples]
        for member, value in expected.items():
            name = template.format(member)
            figure = figures[name]
            exact = member not in ("mean", "stddev")
            same = figure["value"] == value if exact else math.isclose(figure["value"], value, rel_tol=1e-9)
            found_wrong.check(same, f"{name}: {figure['value']} and not {value}")
            found_wrong.check(figure["basis"] == "pooled_requests", f"{name}: {figure['basis']}")
            values = [it[member] for it in own]
            low, high = stats.t.interval(
                0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values)
            )
            interval = figure["interval"]
            near = np.allclose([interval["low"], interval["high"]], [low, high], rtol=1e-6)
            found_wrong.check(near, f"{name}: {interval} and not {(low, high)}")
    good = sum(len(sample.inside("successful")) for sample in samples)
    bad = sum(len(sample.inside("errored")) for sample in samples)
    rate = figures["request_success_rate"]["value"]
    found_wrong.check(math.isclose(rate, good / (good + bad)), f"success {rate}")
    if trim:
        rates = []
        for sample in samples:
            ends = [epoch(it["end_timestamp"]) for it in sample.inside("successful")]
            done = sum(sample.start <= end <= sample.end for end in ends)
            rates.append(done / (sample.end - sample.start))
        throughput = figures["throughput_mean_rps"]["value"]
        found_wrong.check(math.isclose(throughput, np.mean(rates), rel_tol=1e-6), f"throughput {throughput}")


def check_goodput(found_wrong: Found, found: dict, samples: list[Sample]) -> None:
    ended = kept = 0
    for sample in samples:
        ended += len(sample.inside("successful")) + len(sample.inside("errored"))
        kept += sum(
            all(it.get(name, 0.0) <= limit for name, limit in LIMITS.items())
            for it in sample.inside("successful")
        )
    goodput = found["goodput"]
    seconds = sum(sample.end - sample.start for sample in samples)
    found_wrong.check(goodput["good_requests"] == kept, f"goodput {goodput} and not {kept}")
    found_wrong.check(0 < kept < ended, "the limits tell nothing apart")
    found_wrong.check(math.isclose(goodput["share"], kept / ended), f"share {goodput['share']}")
    found_wrong.check(math.isclose(goodput["rate_rps"], kept / seconds, rel_tol=1e-6), "rate")


def check_seconds(found_wrong: Found, found: dict, samples: list[Sample]) -> None:
    expected: dict[int, Counter] = defaultdict(Counter)
    for sample in samples:
        for it in sample.requests:
            start, end = sample.start_of(it), epoch(it.get("end_timestamp"))
            if start is not None:
                expected[math.floor(start - sample.origin)]["started"] += 1
            if end is not None and it["status"] != "incomplete":
                name = "completed" if it["status"] == "successful" else "errored"
                expected[math.floor(end - sample.origin)][name] += 1
            if start is not None and end is not None:
                for second in range(math.floor(start - sample.origin), math.floor(end - sample.origin) + 1):
                    since = max(start - sample.origin, second)
                    expected[second]["in_flight"] += min(end - sample.origin, second + 1) - since
    seconds = {it["second"]: it for it in found["seconds"]}
    found_wrong.check(set(expected) <= set(seconds), f"seconds {sorted(seconds)}")
    for second, values in expected.items():
        for name, value in values.items():
            mean, told = value / len(samples), seconds[second][name]
            found_wrong.check(
                math.isclose(told, mean, rel_tol=1e-6, abs_tol=1e-6),
                f"second {second}: {name} {told} and not {mean}",
            )


def check_errors(found_wrong: Found, found: dict, samples: list[Sample]) -> None:
    expected = Counter(
        (it["error_class"], it.get("http_status"))
        for sample in samples
        for it in sample.requests
        if it["status"] != "successful"
    )
    told = {(it["class"], it.get("http_status")): it["count"] for it in found["errors"]}
    found_wrong.check(told == dict(expected), f"errors {told} and not {expected}")


def main(binary: str, *reports: str) -> int:
    tally = Tally()
    for trim in (0.0, TRIM):
        samples = [Sample(*documents(binary, report), trim) for report in reports]
        found = scenario(binary, list(reports), trim)
        for check in (check_figures, check_goodput, check_seconds, check_errors):
            wrong = Found()
            wrong.check(len(found["samples"]) == len(reports), "samples")
            if check is check_figures:
                check(wrong, found, samples, trim)
            else:
                check(wrong, found, samples)
            name = check.__name__.removeprefix("check_")
            tally.add(f"trimmed by {trim} s: {name} ({wrong.looked_at} figures)", wrong)
    return tally.finish()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
