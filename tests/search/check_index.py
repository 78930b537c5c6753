"""Every fixture into a real server, and back.

    python check_index.py BINARY SERVER...

For each server: what is read back equals what the tool writes into a file; a second run changes
no count; the queries that dashboards make give what the documents say.
"""

import json
import math
import sys
import tempfile
from collections import Counter
from pathlib import Path

import polars
from server import ROOT, Server, expected, grown, indexer

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally

REPORTS = str(ROOT / "fixtures/reports")
INDEX = "guidellm"
#: Documents that `export` asks for at once.
PAGE = 2000


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


def check_journal(server: Server, binary: str, wanted: dict) -> list[str]:
    """Reports whose documents the server has are not sent again."""
    with tempfile.TemporaryDirectory() as folder:
        more = ("--journal", str(Path(folder) / "done"))
        code, first, told = index(server, binary, *more)
        found = [] if code == 0 else [f"exit {code}: {told}"]
        code, again, told = index(server, binary, *more)
        if code or again["reports"] or again["passed_over"] != first["reports"]:
            found.append(f"again: exit {code}, {again}, {told}")
    if server.count(INDEX) != len(wanted):
        found.append(f"{server.count(INDEX)} documents")
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


def check_bulk_file(server: Server, binary: str, wanted: dict) -> list[str]:
    """A file of actions and documents, posted as it is."""
    command = ("index", REPORTS, "-o", "-", "--format", "bulk", "--quiet")
    code, text, told = indexer(binary, *command)
    status, answer = server.call("POST", "bulk-file/_bulk", text)
    found = [] if (code, status, answer.get("errors")) == (0, 200, False) else [f"{code} {told}"]
    # This index has dynamic mappings, which sort by the keyword beside the text.
    server.call("POST", "bulk-file/_refresh")
    query = {"size": 10000, "query": {"match_all": {}}}
    hits = server.call("POST", "bulk-file/_search", query)[1]["hits"]["hits"]
    if {hit["_id"]: hit["_source"] for hit in hits} != wanted:
        found.append(f"{len(hits)} documents of {len(wanted)}")
    return found


def check_alias(server: Server, binary: str, wanted: dict) -> list[str]:
    """An alias that rolls over; the template is that of each of its indices."""
    write = {"aliases": {"rolling": {"is_write_index": True}}}
    server.call("PUT", "rolling-000001", write)
    command = ("index", REPORTS, "--es-server", server.url, "--es-index", "rolling", "--quiet")
    code, _, told = indexer(binary, *command)
    found = [] if code == 0 else [f"exit {code}: {told}"]
    server.call("POST", "rolling/_rollover")
    code, _, told = indexer(binary, *command)
    if code:
        found.append(f"after the rollover: exit {code}: {told}")
    for index in ("rolling-000001", "rolling-000002"):
        fields = server.call("GET", f"{index}/_mapping")[1][index]["mappings"]["properties"]
        if server.documents(index) != wanted or fields["rate"] != {"type": "double"}:
            found.append(f"{index}: {server.count(index)} documents, rate is {fields['rate']}")
    # Both have every document, of which there are several pages.
    with tempfile.TemporaryDirectory() as folder:
        report = grown(folder, 140)
        many = wanted | expected(binary, report)
        for index in ("rolling-000001", "rolling-000002"):
            where = (*command[2:4], "--es-index", index, "--no-template")
            code, _, told = indexer(binary, "index", report, *where)
            found += [f"{index}: exit {code}: {told}"] if code else []
    command = ("export", *command[2:6], "-o", "-", "--format", "ndjson", "--quiet")
    code, text, told = indexer(binary, *command)
    there = [json.loads(line) for line in text.splitlines()]
    # The grown report took its summaries' place; requests of the one that it was grown from are left.
    if code != 1 or "requests came, of" not in told or len(there) != len(many) or {it["document_id"]: it for it in there} != many:
        found.append(f"out of both: exit {code}, {len(there)} of {len(many)}: {told}")
    return found


def check_other_templates(server: Server, binary: str, wanted: dict) -> list[str]:
    """Templates of somebody else for the same names: what they say of an index is kept."""
    found = []
    settings = {"settings": {"number_of_shards": 3}}
    theirs = {"index_patterns": ["team-*"], "priority": 100, "template": settings}
    server.call("PUT", "_index_template/team", theirs)
    server.call("PUT", "_index_template/team-stream", theirs | {
        "index_patterns": ["team-stream*"], "priority": 150, "data_stream": {},
    })  # fmt: skip
    where = ("--es-server", server.url, "--json", "--es-index")
    for index, more, code in (
        ("team-plain", (), 0), ("team-stream", ("--op", "create"), 0), ("team-stream", (), 1),
    ):  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            ended, outcome, told = indexer(
                binary, "index", REPORTS, *where, index, *more, folder=folder
            )  # fmt: skip
            if ended != code or server.count(index) != len(wanted):
                found.append(f"{index}: exit {ended}, {counts(outcome)}: {told}")
            if not code and "goes before it" not in told:
                found.append(f"{index}: {told}")
            if code:
                # The cause, and a way out of it.
                rejected = str(Path(folder) / "guidellm-rejected.ndjson")
                command = ("replay", rejected, "--op", "create", *where[:3])
                ended, shipped, told = indexer(binary, *command, folder=folder)
                outcome = {"documents": shipped}
                if ended or [*counts(outcome)] != ["unchanged"]:
                    found.append(f"replay: exit {ended}, {counts(outcome)}: {told}")
    if not next(iter(server.call("GET", "team-stream")[1])).startswith(".ds-team-stream-"):
        found.append("it is no data stream")
    for index in ("team-plain", "team-stream"):
        shown = next(iter(server.call("GET", index)[1].values()))
        properties = shown["mappings"]["properties"]
        if shown["settings"]["index"]["number_of_shards"] != "3" or properties["rate"]["type"] != "double":
            found.append(f"{index}: {shown['settings']} {properties['rate']}")
    return found


def check_data_stream(server: Server, binary: str, wanted: dict) -> list[str]:
    """A data stream takes `create` alone, and asks for `@timestamp`."""
    mappings = server.call("GET", f"_index_template/guidellm-{INDEX}")[1]
    mappings = mappings["index_templates"][0]["index_template"]["template"]
    stream = {"index_patterns": ["stream-*"], "data_stream": {}, "priority": 300}
    status, answer = server.call("PUT", "_index_template/stream", stream | {"template": mappings})
    found = [] if status == 200 else [f"template: {answer}"]
    for count in ("created", "unchanged"):
        command = ("index", REPORTS, "--es-server", server.url, "--es-index", "stream-guidellm")
        code, outcome, told = indexer(binary, *command, "--op", "create", "--no-template", "--json")
        if code or counts(outcome).get(count, 0) < len(wanted):
            found.append(f"{count}: exit {code}, {counts(outcome)}, {told}")
    there = server.documents("stream-guidellm")
    for document in there.values():
        if document.pop("@timestamp") != document["timestamp"]:
            found.append(f"@timestamp of {document['document_id']}")
    if there != wanted:
        found.append(f"{len(there)} documents of {len(wanted)}")
    return found


def check_export(server: Server, binary: str, wanted: dict) -> list[str]:
    """Everything back out of the server: the documents that went in, in files and in a store."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for index in (INDEX, "bulk-file"):
            command = ("export", "--es-server", server.url, "--es-index", index, "--quiet")
            code, text, told = indexer(binary, *command, "-o", "-", "--format", "ndjson")
            there = [json.loads(line) for line in text.splitlines()]
            if code or {it["document_id"]: it for it in there} != wanted or len(there) != len(wanted):
                found.append(f"{index}: exit {code}, {len(there)} of {len(wanted)}: {told}")
        stores = [str(Path(folder) / name) for name in ("indexed", "exported")]
        indexer(binary, "index", REPORTS, "--store", stores[0], "--quiet")
        command = ("export", "--es-server", server.url, "--es-index", INDEX, "--store", stores[1])
        code, _, told = indexer(binary, *command)
        for kind in ("summaries", "requests"):
            tables = [polars.read_parquet(f"{store}/{kind}/**/*.parquet") for store in stores]
            if code or not tables[0].sort("document_id").equals(tables[1].sort("document_id")):
                found.append(f"{kind} in a store: exit {code}: {told}")
        # Several pages, one benchmark of several, requests in an index of their own.
        report = grown(folder, 140)
        own = expected(binary, report, "-j", "grown", "-s", "2")
        where = ("--es-server", server.url, "--es-index", "grown", "--es-requests-index", "grown-r")
        indexer(binary, "index", report, *where, "-j", "grown", "-s", "2", "--quiet")
        for more, count in (("-j", "grown"), len(own)), (("-j", "grown", "-s", "1"), 0):
            command = ("export", *where, "-o", "-", "--format", "ndjson", *more)
            code, text, told = indexer(binary, *command)
            there = [json.loads(line) for line in text.splitlines()]
            if len(there) != count or any(own[it["document_id"]] != it for it in there):
                found.append(f"{more}: exit {code}, {len(there)} of {count}: {told}")
            if code != (0 if count else 2):
                found.append(f"{more}: exit {code}: {told}")
        requests = Counter(it["benchmark_id"] for it in own.values())
        if max(requests.values()) < 2 * PAGE:
            found.append(f"too few requests for several pages: {requests}")
    return found


def main(binary: str, names: list[str]) -> int:
    """All checks in each server."""
    tally, wanted = Tally(), expected(binary, REPORTS)
    for name in names:
        with Server(name) as server:
            checks = [check_all_arrive, check_again, check_journal, check_queries, check_bulk_file]
            checks += [check_alias, check_export]
            if not name.startswith("elasticsearch-7"):  # Started so, it has none.
                checks += [check_data_stream, check_other_templates]
            for check in checks:
                tally.add(f"{name}: {check.__name__}", check(server, binary, wanted))
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2:]))
