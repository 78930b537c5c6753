"""Every fixture into a real server, and back.

    python check_index.py BINARY SERVER...

For each server: what is read back equals what the tool writes into a file; a second run changes
no count; the queries that dashboards make give what the documents say.
"""

import math
import sys
import tempfile
from pathlib import Path

from server import ROOT, Server, expected, indexer

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally

REPORTS = str(ROOT / "fixtures/reports")
INDEX = "guidellm"


def index(server: Server, binary: str, *more: str):
    """Indexes all fixtures; exit code, outcome, messages."""
    with tempfile.TemporaryDirectory() as folder:
        command = ("index", REPORTS, "--es-server", server.url, "--es-index", INDEX, "--json")
        return indexer(binary, *command, *more, folder=folder)


def counts(outcome: dict) -> dict[str, int]:
    """Counts of both kinds of documents together, those that are not 0."""
    kinds = (outcome["documents"]["summaries"], outcome["documents"]["requests"])
    total = {name: kinds[0][name] + kinds[1][name] for name in kinds[0]}
    return {name: count for name, count in total.items() if count}


def check_all_arrive(server: Server, binary: str, wanted: dict) -> list[str]:
    """First run, and what is there then."""
    code, outcome, told = index(server, binary)
    found = [] if code == 0 else [f"exit {code}: {told}"]
    if counts(outcome).get("created") != len(wanted):
        found.append(f"{len(wanted)} documents, but {counts(outcome)}")
    there = server.documents(INDEX)
    if there != wanted:
        missing, more = wanted.keys() - there.keys(), there.keys() - wanted.keys()
        changed = [key for key in wanted.keys() & there.keys() if wanted[key] != there[key]]
        found.append(f"{len(missing)} missing, {len(more)} too many, {len(changed)} changed")
    return found


def check_again(server: Server, binary: str, wanted: dict) -> list[str]:
    """Later runs change nothing."""
    found = []
    for operation, count in (("index", "updated"), ("create", "unchanged")):
        code, outcome, told = index(server, binary, "--op", operation)
        # Some fixtures are the same report in another form, so that more than these are sent.
        if code or counts(outcome).keys() != {count}:
            found.append(f"--op {operation}: exit {code}, {counts(outcome)}, {told}")
        if server.count(INDEX) != len(wanted):
            found.append(f"--op {operation}: {server.count(INDEX)} documents")
    return found


def check_queries(server: Server, binary: str, wanted: dict) -> list[str]:
    """What dashboards and kube-burner's tools ask."""
    del binary
    summaries = [it for it in wanted.values() if it["metricName"] == "guidellmSummary"]
    uuid = summaries[0]["uuid"]
    metric = {
        "timestamp": "2026-11-24T06:00:00Z", "uuid": uuid, "jobName": "", "value": 0.5,
        "metricName": "cpu", "labels": {"pod": "epp-0"}, "query": "sum(rate(cpu[2m]))",
        "metadata": {"ocpVersion": "4.20"}, "stranger": {"of": 1},
    }  # fmt: skip
    summary = {
        "timestamp": "2026-11-24T06:00:00Z", "uuid": uuid, "metricName": "jobSummary",
        "jobConfig": {"jobIterations": 9, "name": "x"}, "passed": True, "ocpVersion": "4.20",
    }  # fmt: skip
    found = []
    for number, document in enumerate((metric, summary)):
        status, answer = server.call("PUT", f"{INDEX}/_doc/kube-burner-{number}", document)
        if status != 201:
            found.append(f"kube-burner's document: HTTP {status} {answer}")
    server.call("POST", f"{INDEX}/_refresh")
    query = {
        "size": 0, "query": {"term": {"metricName": "guidellmSummary"}},
        "aggs": {
            "jobs": {
                "terms": {"field": "strategy.keyword", "size": 50},
                "aggs": {
                    "p95": {"percentiles": {"field": "ttft_p95_ms", "percents": [95]}},
                    "worst": {"max": {"field": "ttft_p95_ms"}},
                    "rate": {"avg": {"field": "request_success_rate"}},
                },
            }
        },
    }  # fmt: skip
    answer = server.call("POST", f"{INDEX}/_search", query)[1]
    for bucket in answer["aggregations"]["jobs"]["buckets"]:
        own = [it for it in summaries if it["strategy"] == bucket["key"]]
        ttft = [it["ttft_p95_ms"] for it in own if "ttft_p95_ms" in it]
        rates = [it["request_success_rate"] for it in own if "request_success_rate" in it]
        if len(own) != bucket["doc_count"]:
            found.append(f"{bucket['key']}: {len(own)} summaries, {bucket['doc_count']} found")
        if max(ttft) != bucket["worst"]["value"]:
            found.append(f"{bucket['key']}: ttft {max(ttft)}, {bucket['worst']['value']} found")
        if not min(ttft) <= bucket["p95"]["values"]["95.0"] <= max(ttft):
            found.append(f"{bucket['key']}: p95 {bucket['p95']}")
        if not math.isclose(sum(rates) / len(rates), bucket["rate"]["value"], rel_tol=1e-9):
            found.append(f"{bucket['key']}: success rate {bucket['rate']}")
    both = {"bool": {"filter": [{"term": {"uuid.keyword": uuid}}, {"term": {"jobName": ""}}]}}
    answer = server.call("POST", f"{INDEX}/_search", {"query": both, "size": 500})[1]
    kinds = {hit["_source"]["metricName"] for hit in answer["hits"]["hits"]}
    if kinds != {"guidellmSummary", "guidellmRequest", "cpu"}:
        found.append(f"by uuid and jobName: {kinds}")
    for term in ({"jobConfig.jobIterations": 9}, {"ocpVersion.keyword": "4.20"}, {"passed": True}):
        answer = server.call("POST", f"{INDEX}/_count", {"query": {"term": term}})[1]
        if answer.get("count") != 1:
            found.append(f"{term}: {answer}")
    fields = server.call("GET", f"{INDEX}/_mapping")[1]
    if "stranger" in next(iter(fields.values()))["mappings"]["properties"]:
        found.append("a stranger's field is in the mappings")
    return found


def main(binary: str, names: list[str]) -> int:
    """All checks in each server."""
    tally, wanted = Tally(), expected(binary, REPORTS)
    for name in names:
        with Server(name) as server:
            for check in (check_all_arrive, check_again, check_queries):
                tally.add(f"{name}: {check.__name__}", check(server, binary, wanted))
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2:]))
