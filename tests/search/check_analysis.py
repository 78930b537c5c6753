"""What is asked of a server's documents, beside the same documents in a store.

    python check_analysis.py BINARY SERVER
"""

import json
from math import isclose
from pathlib import Path
from uuid import uuid4

from one_server import main
from server import ROOT, Server, indexer

REPORTS = ROOT / "fixtures/reports"
#: Runs, their samples, and the picker's image that their job's summary names.
RUNS = {
    "run-base": (["0.5.4", "0.7.3"], "epp:1.0"),
    "run-next": (["0.8.1", "0.4.0"], "epp:1.1"),
}
JOB = "steady-chat"
#: More documents than a page of hits has, without an id of their own.
REPEATED = 750
SERIES = [("epp-0", [0.5, 0.7]), ("epp-1", [0.1, 0.3])]


def kube_burner(uuid: str, image: str, start: str) -> list[dict]:
    """A job's summary and a metric of two pods, as kube-burner writes them."""
    summary = {
        "timestamp": start, "endTimestamp": start, "elapsedTime": 8.0, "uuid": uuid,
        "metricName": "jobSummary", "jobConfig": {"name": JOB, "jobIterations": 1},
        "version": "1", "passed": True, "eppImage": image,
    }  # fmt: skip
    metrics = [
        {
            "timestamp": f"{start[:20]}{number:06}Z", "labels": {"namespace": "llm-d", "pod": pod}, "value": value,
            "uuid": uuid, "query": "sum(cpu)", "metricName": "cpu-usage", "jobName": JOB,
            "duringLoad": True,
        }
        for pod, values in SERIES
        for number, value in enumerate(values * REPEATED)
    ]  # fmt: skip
    return [summary, *metrics]


def fill(server: Server, binary: str, folder: str, index: str) -> list[str]:
    """The same benchmarks in a server and in a store; kube-burner's documents in the server."""
    found = []
    for uuid, (releases, image) in RUNS.items():
        for sample, release in enumerate(releases):
            report = str(REPORTS / release / "constant_mixed.json")
            command = ("index", report, "--uuid", uuid, "-j", JOB, "-s", str(sample), "--quiet")
            targets = ("--es-server", server.url, "--es-index", index, "--store", "store")
            code, _, told = indexer(binary, *command, *targets, folder=folder)
            if code:
                found.append(f"{report}: exit {code}: {told}")
        found += put(server, index, kube_burner(uuid, image, "2026-11-24T06:01:01.000000Z"))
    return found


def put(server: Server, index: str, documents: list[dict]) -> list[str]:
    """Puts documents into the server, under their own ids if they have some."""
    lines = []
    for document in documents:
        own = {"_id": document["document_id"]} if "document_id" in document else {}
        lines += [json.dumps({"index": {"_index": index} | own}), json.dumps(document)]
    status, answer = server.call("POST", "_bulk?refresh=true", "\n".join(lines) + "\n")
    return [f"bulk: {answer}"] if status != 200 or answer["errors"] else []


def asked(binary: str, folder: str, *command: str) -> tuple[int, object, str]:
    """Exit code, standard output as JSON if it is some, and what was told."""
    code, outcome, told = indexer(binary, *command, folder=folder)
    if "json" in command and outcome:
        outcome = json.loads(outcome)
    return code, outcome, told


def check_scenarios(server: Server, binary: str, folder: str) -> list[str]:
    """Figures are the store's; facts and metrics are those of the run's job."""
    found = fill(server, binary, folder, "analysed")
    where = ("--es-server", server.url, "--es-index", "analysed")
    for uuid, (_, image) in RUNS.items():
        _, (local,), _ = asked(binary, folder, "scenarios", uuid, "--store", "store", "--json")
        code, (remote,), told = asked(binary, folder, "scenarios", uuid[:6], *where, "--json")
        if code:
            found.append(f"{uuid}: exit {code}: {told}")
        facts = remote["runs"][0].pop("facts")
        if facts.get("eppImage") != image:
            found.append(f"{uuid}: facts {facts}")
        resources = remote["scenarios"][0].pop("resources")
        means = {it["labels"]: (round(it["mean"], 9), it["max"]) for it in resources}
        wanted = {f'pod="{pod}"': (round(sum(of) / 2, 9), of[1]) for pod, of in SERIES}
        if means != wanted:
            found.append(f"{uuid}: resources {means} and not {wanted}")
        local["runs"][0].pop("facts")
        local["scenarios"][0].pop("resources")
        if remote != local:
            found.append(f"{uuid}: not what the store says")
    return found


def check_sides(server: Server, binary: str, folder: str) -> list[str]:
    """Sides by what is known of a run, by a field of its benchmarks, and by nothing that is there."""
    found = fill(server, binary, folder, "sides")
    where = ("--es-server", server.url, "--es-index", "sides", "--format", "json")
    sides = ("eppImage=epp:1.0", "eppImage=epp:1.1")
    code, comparison, told = asked(binary, folder, "compare", *sides, *where)
    if code:
        return [*found, f"exit {code}: {told}"]
    (scenario,) = comparison["scenarios"]
    if (scenario["base_samples"], scenario["candidate_samples"]) != (2, 2):
        found.append(f"samples: {scenario['base_samples']}, {scenario['candidate_samples']}")
    facts = [(it["name"], it["base"], it["candidate"]) for it in comparison["facts"]]
    if facts != [("eppImage", ["epp:1.0"], ["epp:1.1"])]:
        found.append(f"facts: {facts}")
    _, local, _ = asked(
        binary, folder, "compare", *RUNS, "--store", "store", "--format", "json"
    )  # fmt: skip
    if local["scenarios"] != comparison["scenarios"]:
        found.append("the server's comparison is not the store's")
    fields = ("guidellm_version=0.7.3", "report_generation=0.7-0.8,guidellm_version=0.8.1")
    code, comparison, told = asked(binary, folder, "compare", *fields, *where)
    if code or comparison["scenarios"][0]["candidate_samples"] != 1:
        found.append(f"by fields: exit {code}: {told}")
    code, _, told = asked(binary, folder, "compare", "eppImage=epp:9", "run-next", *where)
    if code != 2 or "no benchmark fits" not in told:
        found.append(f"nothing fits: exit {code}: {told}")
    return found


def check_objectives(server: Server, binary: str, folder: str) -> list[str]:
    """What is missed is in the server once, as an alert."""
    found = fill(server, binary, folder, "objectives")
    slos = "slos: [ttft_p95_ms <= 500, {expr: request_success_rate >= 1, severity: critical}]"
    Path(folder, "slo.yaml").write_text(slos)
    where = ("--es-server", server.url, "--es-index", "objectives")
    for _ in range(2):
        code, judged, told = asked(
            binary, folder, "check", "--slo", "slo.yaml", "--record", *where, "--json"
        )  # fmt: skip
        if code != 3 or [it["met"] for it in judged].count("missed") != 2:
            found.append(f"exit {code}: {told} {judged}")
    server.call("POST", "objectives/_refresh")
    query = {"query": {"term": {"metricName.keyword": "alert"}}}
    hits = server.call("POST", "objectives/_search", query)[1]["hits"]["hits"]
    alerts = sorted((it["_source"]["uuid"], it["_source"]["severity"]) for it in hits)
    if alerts != [(uuid, "critical") for uuid in sorted(RUNS)]:
        found.append(f"alerts: {alerts}")
    code, page, told = asked(binary, folder, "report", *where, "-o", "-")
    _, _, data = page.partition('id="data">')
    shown = json.loads(data.partition("</script>")[0])["alerts"] if data else told
    wanted = sorted(it["_source"]["description"] for it in hits)
    if code or sorted(it["description"] for it in shown) != wanted:
        found.append(f"page: exit {code}: {shown} and not {wanted}")
    return found


def failed(uuid: str, job: str, sample: int) -> dict:
    """What a sidecar sends of a sample that left no report."""
    return {
        "metricName": "guidellmSummary", "timestamp": "2026-11-24T06:01:01.000000Z", "uuid": uuid,
        "document_id": str(uuid4()), "schema_version": 1, "job_name": job, "jobName": job,
        "sample": sample, "passed": False, "exit_code": 137, "failure_reason": "OOMKilled",
    }  # fmt: skip


def check_failed(server: Server, binary: str, folder: str) -> list[str]:
    """Samples that left no report are told, and are brought back as they are."""
    found = fill(server, binary, folder, "lost")
    there = [failed("run-base", JOB, 2), failed("run-base", "rag", 0), failed("run-none", "rag", 0)]
    found += put(server, "lost", there)
    where = ("--es-server", server.url, "--es-index", "lost")
    for asked_about in ("run-base", "eppImage=epp:1.0"):
        code, _, told = asked(binary, folder, "scenarios", asked_about, *where)
        lost = "1 of 3 samples left no report: OOMKilled"
        if code or told.count(lost) != 1 or told.count("rag: no sample of run run-base") != 1:
            found.append(f"{asked_about}: exit {code}: {told}")
    code, _, told = asked(binary, folder, "scenarios", "run-base", "-j", JOB, *where)
    if code or "rag" in told:
        found.append(f"of one job: exit {code}: {told}")
    code, _, told = asked(binary, folder, "scenarios", "run-none", *where)
    if code != 2 or "sample 0 of rag left no report: OOMKilled" not in told:
        found.append(f"run-none: exit {code}: {told}")
    Path(folder, "slo.yaml").write_text("slos: [ttft_p95_ms <= 500]")
    code, judged, told = asked(binary, folder, "check", "--slo", "slo.yaml", *where, "--json")
    gone = {it["uuid"] for it in judged if it["scenario"] == "rag" and it["met"] != "met"}
    if code != 3 or gone != {"run-base", "run-none"}:
        found.append(f"not judged: exit {code}: {told}{judged}")
    targets = ("-o", "lost.ndjson", "--format", "ndjson", "--store", "brought")
    code, outcome, told = asked(binary, folder, "export", *where, *targets, "--json")
    if code or outcome["failed_runs"] != len(there):
        found.append(f"export: exit {code}: {told}{outcome}")
    written = [json.loads(it) for it in Path(folder, "lost.ndjson").read_text().splitlines()]
    back = [it for it in written if "benchmark_id" not in it]
    reports = ("-o", "reports", "--format", "benchmark-report")
    _, _, told = asked(binary, folder, "export", *where, *reports)
    if "benchmark-report has no place for runs that left no report; 3 are left out" not in told:
        found.append(f"left out: {told}")
    if not same(back, there):
        found.append(f"brought back: {back}")
    _, _, told = asked(binary, folder, "scenarios", "run-base", "--store", "brought")
    return found if lost in told else [*found, f"brought: {told}"]


def same(some: list[dict], others: list[dict]) -> bool:
    """Whether these are the same documents, in whatever order."""
    return {it["document_id"]: it for it in some} == {it["document_id"]: it for it in others}


def check_missing(server: Server, binary: str, folder: str) -> list[str]:
    """Requests that the server does not have, or has in another index, are noticed."""
    report = str(REPORTS / "0.8.1/constant_mixed.json")
    found = []
    to = ("--es-server", server.url, "--quiet")
    for more in (("--es-index", "kept"), ("--es-index", "apart", "--es-requests-index", "else")):
        code, _, told = indexer(
            binary, "index", report, "--uuid", "run-kept", *to, *more, folder=folder
        )
        found += [f"index: exit {code}: {told}"] if code else []
    server.call("POST", "kept/_refresh")
    query = {"size": 10, "query": {"term": {"metricName.keyword": "guidellmRequest"}}}
    for hit in server.call("POST", "kept/_search", query)[1]["hits"]["hits"]:
        server.call("DELETE", f"kept/_doc/{hit['_id']}")
    _, (local,), _ = asked(binary, folder, "scenarios", report, "--json")
    exact = {name: it["value"] for name, it in local["scenarios"][0]["figures"].items()}
    Path(folder, "slo.yaml").write_text("slos: [request_success_rate >= 0.9]")
    for index, came in (("kept", 23), ("apart", 0)):
        where = ("--es-server", server.url, "--es-index", index)
        doubt = f"{came} request documents are there, of 33 records"
        code, (remote,), told = asked(binary, folder, "scenarios", *where, "--json")
        figures = {name: it["value"] for name, it in remote["scenarios"][0]["figures"].items()}
        same = figures.keys() == exact.keys() and all(
            isclose(value, exact[name], rel_tol=1e-9) for name, value in figures.items()
        )
        if code or doubt not in told + str(remote["scenarios"][0]["doubts"]) or not same:
            found.append(f"{index}: exit {code}: {told}{figures} and not {exact}")
        code, _, told = asked(
            binary, folder, "compare", report, "run-kept", "--fail-on", "ttft_p95_ms>+0%",
            "--fail-on", "request_success_rate<-0", *where,
        )  # fmt: skip
        if code:
            found.append(f"{index}: compare: exit {code}: {told}")
        code, judged, told = asked(binary, folder, "check", "--slo", "slo.yaml", *where)
        wanted = 0 if exact["request_success_rate"] >= 0.9 else 3
        if code != wanted or doubt not in told:
            found.append(f"{index}: check: exit {code}: {told}{judged}")
        code, outcome, told = asked(binary, folder, "export", *where, "-o", "d.json", "--json")
        of = f"{came} requests came, of 33: is --es-requests-index missing"
        if code != 1 or of not in told or outcome["not_whole"]["came"] != came:
            found.append(f"{index}: export: exit {code}: {told}{outcome}")
    whole = ("--es-index", "apart", "--es-requests-index", "else", "-o", "d.json", "--json")
    code, outcome, told = asked(binary, folder, "export", "--es-server", server.url, *whole)
    if code or outcome["not_whole"]["benchmarks"] or outcome["requests"] != 33:
        found.append(f"whole: exit {code}: {told}{outcome}")
    return found


def check_gone(server: Server, binary: str, folder: str) -> list[str]:
    """A server that stays away ends it, and says so."""
    where = ("--es-server", "http://127.0.0.1:1", "--es-index", "x", "--give-up-after", "1s")
    code, _, told = asked(binary, folder, "scenarios", *where)
    return [] if code == 4 and "127.0.0.1:1" in told else [f"exit {code}: {told}"]


if __name__ == "__main__":
    checks = (check_scenarios, check_sides, check_objectives, check_failed, check_missing)
    main(__doc__, (*checks, check_gone))
