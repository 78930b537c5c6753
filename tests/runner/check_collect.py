"""`llm-d-scale collect` with a real Prometheus and a real search server.

    python check_collect.py BINARY SERVER

BINARY is llm-d-scale. What a server, a file or a store holds in the end has to be what Prometheus
gives when it is asked here, and kube-burner's form of that.
"""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import duckdb
import pandas
import polars
from collecting import (
    BEGIN, END, PROFILE, START, STEP, collect, differ, ended, expected, finite, metrics_of,
    moment, profile, prometheus, range_documents, there, to,
)  # fmt: skip
from gate import Gate
from one_server import main
from prometheus import Prometheus
from server import Server

#: Requests may not ask for more points than these.
MOST_POINTS = 11_000

ALERTS = """
- expr: memory_bytes{namespace="{{ namespace }}"} > 1500
  description: "{{$labels.pod}} uses {{$value}} bytes"
  severity: error
- expr: cpu_seconds > 1e9
  description: never
  severity: critical
- expr: memory_bytes > 1500
  description: "for long: {{ $labels.pod }}{{$labels.nothing}}"
  severity: warning
  for: 90s
"""


def check_documents_are_prometheus_own(server: Server, binary: str, folder: str) -> list[str]:
    """Each sample once, in kube-burner's form; a second run changes nothing."""
    with prometheus() as prom:
        wanted = expected(prom)
        numbers = finite(wanted)
        file = profile(folder, PROFILE)
        found = []
        runs = (("created", "index"), ("updated", "index"), ("unchanged", "create"))
        for count, operation in runs:
            done = collect(binary, folder, prom.url, "-m", file, *to(server, "collected"), "--op", operation)
            found += ended(done, 0)
            if metrics_of(done) != {count: len(numbers)}:
                found.append(f"{len(numbers)} documents, but {metrics_of(done)}")
            if done[1]["metrics"]["left_out"] != len(wanted) - len(numbers):
                found.append(f"{len(wanted) - len(numbers)} left out, but {done[1]['metrics']}")
            if operation == "index":
                found += differ(numbers, there(server, "collected"))
        if server.count("collected") != len(numbers):
            found.append(f"{server.count('collected')} documents in the end")
        if len(wanted) == len(numbers):
            found.append("no sample was odd")
    # As dashboards ask: of one job, a pod's.
    pods = Counter(it["labels"]["pod"] for it in numbers if "labels" in it)
    for pod, count in pods.items():
        terms = ({"jobName.keyword": "steady-chat-10"}, {"labels.pod": pod})
        query = {"bool": {"filter": [{"term": term} for term in terms]}}
        answer = server.call("POST", "collected/_count", {"query": query})[1]
        if answer.get("count") != count:
            found.append(f"{pod}: {count} documents, but {answer}")
    return found


def check_data_stream(server: Server, binary: str, folder: str) -> list[str]:
    """A data stream, which asks for @timestamp."""
    stream = {"index_patterns": ["stream-*"], "data_stream": {}, "priority": 300}
    status, answer = server.call("PUT", "_index_template/stream", stream)
    found = [] if status == 200 else [f"template: {answer}"]
    with prometheus() as prom:
        wanted = range_documents(prom, "m", "memory_bytes")
        file = profile(folder, "[{query: memory_bytes, metricName: m}]")
        more = (*to(server, "stream-metrics"), "--op", "create", "--no-template")
        found += ended(collect(binary, folder, prom.url, "-m", file, *more), 0)
    stamped = [it | {"@timestamp": it["timestamp"]} for it in wanted]
    return found + differ(stamped, there(server, "stream-metrics"))


def check_files_and_stores(server: Server, binary: str, folder: str) -> list[str]:
    """The same in files of each format, and in a store, however often."""
    del server
    found, store = [], str(Path(folder) / "store")
    with prometheus() as prom:
        wanted = finite(expected(prom))
        file = profile(folder, PROFILE)
        texts = []
        for form in ("ndjson", "json", "bulk", "ndjson"):
            path = Path(folder) / f"metrics.{form}"
            path.unlink(missing_ok=True)
            more = ("-o", str(path), "--format", form, "--store", store)
            found += ended(collect(binary, folder, prom.url, "-m", file, *more), 0)
            texts.append(path.read_text())
        done = collect(binary, folder, prom.url, "-m", file, "-o", "x.csv", "--format", "csv")
        found += ended(done, 2, "CSV has columns for GuideLLM's documents alone")
    lines, array, bulk, again = texts
    if lines != again:
        found.append("a file of the same is another one")
    found += differ(wanted, [json.loads(line) for line in lines.splitlines()])
    found += differ(wanted, json.loads(array))
    found += differ(wanted, [json.loads(line) for line in bulk.splitlines()[1::2]])
    ids = [json.loads(line)["index"]["_id"] for line in bulk.splitlines()[::2]]
    if len(set(ids)) != len(wanted):
        found.append(f"{len(set(ids))} ids of {len(wanted)} documents")
    return found + tables(store, wanted, set(ids))


def tables(store: str, wanted: list[dict], ids: set[str]) -> list[str]:
    """What polars, pandas and DuckDB read of a store's metrics."""
    files = f"{store}/metrics/**/*.parquet"
    rows = polars.read_parquet(files).to_dicts()
    back = []
    for row in rows:
        labels = json.loads(row["labels"])
        made = {name: row[name] for name in ("value", "uuid", "query", "metricName", "jobName")}
        made["timestamp"] = row["timestamp"].strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        back.append(made | ({"labels": labels} if labels else {}))
    found = differ(wanted, back)
    if {row["document_id"] for row in rows} != ids:
        found.append("a store's ids are others")
    count, pods, job = duckdb.sql(
        f"SELECT count(*), count(DISTINCT labels->>'pod'), any_value(job) "
        f"FROM read_parquet('{files}', hive_partitioning = true)"
    ).fetchall()[0]
    if (count, pods, job) != (len(wanted), 3, "steady-chat-10"):
        found.append(f"DuckDB: {count} rows, {pods} pods, job {job}")
    read = sum(len(pandas.read_parquet(path)) for path in Path(store, "metrics").rglob("*.parquet"))
    return found if read == len(wanted) else [*found, f"pandas: {read} rows"]


def check_many_points(server: Server, binary: str, folder: str) -> list[str]:
    """No request asks for more points than Prometheus gives; together they are all."""
    window = (BEGIN + 0.5, BEGIN + 25_000.5)
    with prometheus() as prom, Gate(prom.url) as gate:
        wanted = range_documents(prom, "long", 'long{pod="0"}', window, 1)
        file = profile(folder, "[{query: 'long{pod=\"0\"}', metricName: long}]")
        more = ("-m", file, *to(server, "long"))
        done = collect(binary, folder, gate.url, *more, window=window, step=1)
        asked = [it.parameters for it in gate.seen if it.path.endswith("query_range")]
    found = ended(done, 0) + differ(wanted, there(server, "long"))
    points = sorted(round((at(it["end"]) - at(it["start"])) / float(it["step"])) + 1 for it in asked)
    if max(points) > MOST_POINTS or sum(points) != 25_001:
        found.append(f"requests of {points} points")
    return found


def at(text: str) -> float:
    """Seconds since 1970 of a time that was asked about."""
    return pandas.Timestamp(text).timestamp()


def check_large_answers(server: Server, binary: str, folder: str) -> list[str]:
    """An answer too large to be held is asked for in parts; memory stays bounded."""
    del server
    window = (BEGIN, BEGIN + MOST_POINTS - 1)
    with prometheus() as prom, Gate(prom.url) as gate:
        file = profile(folder, "[{query: long, metricName: long}]")
        command = [binary, "collect", "-u", gate.url, "-m", file, "--store", "store", "-s", "1s"]
        command += ["--start", str(window[0]), "--end", str(window[1]), "--uuid", "u", "--quiet"]
        process = subprocess.Popen(command, cwd=folder)
        _, status, usage = os.wait4(process.pid, 0)
        asked = [it for it in gate.seen if it.path.endswith("query_range")]
        size = len(prom.call("api/v1/query_range", query="long", start=window[0], end=window[1], step=1))
    rows = polars.scan_parquet(f"{folder}/store/metrics/**/*.parquet").select(
        polars.len(), polars.struct("labels", "timestamp").n_unique().alias("distinct")
    )
    rows = rows.collect().row(0)
    found = [] if status == 0 else [f"exit {status}"]
    if rows != (60 * MOST_POINTS, 60 * MOST_POINTS):
        found.append(f"{rows} rows and distinct ones of {60 * MOST_POINTS}")
    if len(asked) != 3 or size < 16 << 20:
        found.append(f"{len(asked)} requests, for an answer of {size} bytes")
    if usage.ru_maxrss > 300 << 10:
        found.append(f"{usage.ru_maxrss >> 10} MiB of memory")
    return found


def check_load(server: Server, binary: str, folder: str) -> list[str]:
    """What lies in the time of the load is marked, and can be asked for; all else is the same."""
    start, end = START + 4 * STEP, START + 20 * STEP + 1
    with prometheus() as prom:
        wanted = range_documents(prom, "m", "memory_bytes")
        file = profile(folder, "[{query: memory_bytes, metricName: m}]")
        load = ("--load-start", f"{start}", "--load-end", moment(end))
        done = collect(binary, folder, prom.url, "-m", file, *load, *to(server, "load"), "--store", "s")
        found = ended(done, 0)
        half = collect(binary, folder, prom.url, "-m", file, *load[:2], "-o", "x.json")
        found += ended(half, 2, "--load-end")
    marked = [
        it | ({"duringLoad": True} if moment(start) <= it["timestamp"] <= moment(end) else {})
        for it in wanted
    ]
    found += differ(marked, there(server, "load"))
    answer = server.call("POST", "load/_count", {"query": {"term": {"duringLoad": True}}})[1]
    stored = polars.read_parquet(f"{folder}/s/metrics/**/*.parquet")["duringLoad"].sum()
    if not answer.get("count") == stored == 3 * 17:
        found.append(f"{answer} and {stored} are marked")
    return found


def first_alerts(prom: Prometheus, query: str, held: int) -> list[tuple]:
    """The first sample of each series that has been there for some seconds: pod, time, value."""
    made = []
    for row in prom.query_range(query, START, END, STEP):
        since = before = None
        for moment_, value in row["values"]:
            if before is None or moment_ - before > STEP:
                since = moment_
            before = moment_
            if moment_ - since >= held:
                made.append((row["metric"]["pod"], moment_, float(value)))
                break
    return made


def check_alerts(server: Server, binary: str, folder: str) -> list[str]:
    """Each series fires once; errors end with 3, warnings do not; documents are kube-burner's."""
    file, store = profile(folder, ALERTS, "alerts.yml"), str(Path(folder) / "store")
    metadata = profile(folder, "team: serving\nbuild: 7\n", "metadata.yml")
    with prometheus() as prom:
        query = 'memory_bytes{namespace="llm-d"} > 1500'
        fixed = {"uuid": "a run", "metricName": "alert", "metadata": {"team": "serving", "build": 7}}
        wanted = [
            fixed | {"timestamp": moment(it), "severity": "error",
                     "description": f"{pod} uses {value:.3f} bytes".replace(".000 ", " ")}
            for pod, it, value in first_alerts(prom, query, 0)
        ]  # fmt: skip
        wanted += [
            fixed | {"timestamp": moment(it), "severity": "warning", "description": f"for long: {pod}"}
            for pod, it, _ in first_alerts(prom, "memory_bytes > 1500", 90)
        ]
        # Zeros at the end of three decimals are not told.
        for it in wanted:
            words = it["description"].split()
            it["description"] = " ".join(w.rstrip("0").rstrip(".") if "." in w else w for w in words)
        found = []
        for _ in range(2):
            more = ("-a", file, "--store", store, "--user-metadata", metadata, *to(server, "alerts"))
            done = collect(binary, folder, prom.url, *more)
            found += ended(done, 3, "alert: error at ")
            found += differ(wanted, there(server, "alerts")) + differ(wanted, done[1]["alerts"]["alerts"])
            if polars.read_parquet(f"{store}/alerts/**/*.parquet").height != len(wanted):
                found.append("a store has others")
        if {it["severity"] for it in wanted} != {"error", "warning"}:
            found.append(f"too few alerts: {wanted}")
        mild = profile(folder, ALERTS.replace("error", "warning"), "mild.yml")
        found += ended(collect(binary, folder, prom.url, "-a", mild, "-o", "x.json"), 0, "alert: warning")
        wrong = profile(folder, ALERTS.replace("warning", "bad"), "wrong.yml")
        found += ended(collect(binary, folder, prom.url, "-a", wrong, "-o", "x.json"), 2, "bad")
        broken = profile(folder, "[{expr: 'sum(', description: d, severity: error}]", "broken.yml")
        found += ended(collect(binary, folder, prom.url, "-a", broken, "-o", "x.json"), 1, "sum(")
    return found


def check_built_in_profile(server: Server, binary: str, folder: str) -> list[str]:
    """Without a profile, there is one; what gives nothing is told."""
    del server
    with prometheus() as prom:
        done = collect(binary, folder, prom.url, "-o", "m.json")
    metrics = done[1]["metrics"]
    found = ended(done, 0, "warning: no sample of cpu-usage, memory-usage")
    return found if metrics["queries"] == len(metrics["empty"]) == 2 else [*found, f"{metrics}"]


if __name__ == "__main__":
    main(
        __doc__,
        (
            check_documents_are_prometheus_own,
            check_data_stream,
            check_files_and_stores,
            check_many_points,
            check_large_answers,
            check_load,
            check_alerts,
            check_built_in_profile,
        ),
    )
