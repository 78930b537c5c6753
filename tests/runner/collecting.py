"""What the checks of `llm-d-scale collect` have in common: samples in a real Prometheus, the command, and
kube-burner's documents of what Prometheus gives when it is asked here."""

import contextlib
import json
import math
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("search", "prometheus")]
from prometheus import Prometheus
from server import Server, indexer

#: A time long past, at which samples begin; in seconds since 1970.
BEGIN = 1_764_000_000
STEP = 15
#: The window of most checks: no step ends at its end.
START, END = BEGIN + 60.25, BEGIN + 660
RUN = ("--uuid", "a run", "-j", "steady-chat-10", "-n", "llm-d")
SECRET = "hunter2-secret"
PROFILE = """
- query: sum by (pod) (rate(cpu_seconds{namespace="{{ namespace }}"}[2m]))
  metricName: cpu-usage
- query: memory_bytes{namespace="{{.namespace}}"}
  metricName: memory-usage
- query: max_over_time(memory_bytes[{{.elapsed}}])
  metricName: memory-max
  instant: true
- query: cpu_seconds
  metricName: cpu-seconds
  instant: true
  captureStart: true
- query: odd
  metricName: odd
- query: scalar(sum(memory_bytes)) + 0.1
  metricName: scalar
- query: memory_bytes{pod="epp-0"} / 2
  metricName: memory-usage
- query: '{__name__=~"memory_bytes|odd",pod="epp-0"}'
  metricName: several names
"""


def samples():
    """Series whose values are none that are round."""
    times = range(BEGIN, BEGIN + 900, STEP)
    for number in range(3):
        labels = {"pod": f"epp-{number}", "namespace": "llm-d", "kind": 'a "quoted" \\ ü'}
        yield "cpu_seconds", labels, [(it, (it - BEGIN) * (number + 1) / 7) for it in times]
        wave = [(it, 1000 + 1000 * abs(math.sin((it - BEGIN) / 97 + number))) for it in times]
        yield "memory_bytes", labels, wave
    odd = [math.nan, math.inf, -math.inf, 1e300, -0.0, 5e-324]
    yield "odd", {"pod": "epp-0"}, [(it, odd[it // STEP % 6]) for it in times]
    for number in range(60):
        points = [(it, it + number / 3) for it in range(BEGIN, BEGIN + 26_000, 240)]
        yield "long", {"pod": f"{number}"}, points


@contextlib.contextmanager
def prometheus():
    """A Prometheus that has them, for all checks."""
    with tempfile.TemporaryDirectory() as folder, Prometheus(folder, samples=samples()) as server:
        yield server


def profile(folder: str, text: str, name: str = "metrics.yml") -> str:
    """A file of it."""
    path = Path(folder) / name
    path.write_text(text)
    return str(path)


def collect(binary: str, folder: str, url: str, *more: str, window=(START, END), step=STEP, **environment):
    """Runs the command; exit code, outcome, messages."""
    times = ("--start", f"{window[0]}", "--end", f"{window[1]}", "-s", f"{step}s", "--json")
    clear = {"PROMETHEUS_TOKEN": "", "PROMETHEUS_PASSWORD": ""} | environment
    return indexer(binary, "collect", "-u", url, *times, *RUN, *more, folder=folder, **clear)


def to(server: Server, index: str) -> tuple[str, ...]:
    """Flags that send documents to an index."""
    return ("--es-server", server.url, "--es-index", index)


def there(server: Server, index: str) -> list[dict]:
    """All documents of an index; none if there is no such index."""
    server.call("POST", f"{index}/_refresh")
    page = server.call("POST", f"{index}/_search?scroll=1m", {"size": 10_000})[1]
    found: list[dict] = []
    while page.get("hits", {}).get("hits"):
        found += [hit["_source"] for hit in page["hits"]["hits"]]
        page = server.call("POST", "_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]})[1]
    return found


def moment(seconds: float) -> str:
    """A time as documents have it."""
    whole, millis = divmod(round(seconds * 1000), 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{millis:03}000Z"


def document(name: str, query: str, labels: dict, point: tuple) -> dict:
    """kube-burner's document of a sample."""
    rest = {key: value for key, value in labels.items() if key != "__name__"}
    made = {
        "timestamp": moment(point[0]), "value": float(point[1]), "uuid": "a run", "query": query,
        "metricName": name, "jobName": "steady-chat-10",
    }  # fmt: skip
    return made | ({"labels": rest} if rest else {})


def range_documents(prom: Prometheus, name: str, query: str, window=(START, END), step=STEP) -> list:
    """What Prometheus gives in a window, asked for in small parts, and at its end."""
    made, (start, end) = [], window
    steps = int((end - start) / step + 1e-9)
    for first in range(0, steps + 1, 5000):
        last = min(first + 4999, steps)
        rows = prom.query_range(query, start + first * step, start + last * step, step)
        made += [document(name, query, it["metric"], point) for it in rows for point in it["values"]]
    if round((end - start) * 1000) % round(step * 1000):
        made += instant_documents(prom, name, query, end)
    return made


def instant_documents(prom: Prometheus, name: str, query: str, at: float) -> list:
    """What Prometheus gives at a time."""
    rows = prom.query(query, at)
    if rows and not isinstance(rows[0], dict):  # A scalar: a time and a value.
        return [document(name, query, {}, rows)]
    return [document(name, query, it["metric"], it["value"]) for it in rows]


def expected(prom: Prometheus) -> list[dict]:
    """The documents of PROFILE, as kube-burner makes them; those that are no number left out."""
    elapsed = f"{int(END - START)}s"
    made = range_documents(
        prom, "cpu-usage", 'sum by (pod) (rate(cpu_seconds{namespace="llm-d"}[2m]))'
    )
    made += range_documents(prom, "memory-usage", 'memory_bytes{namespace="llm-d"}')
    made += instant_documents(prom, "memory-max", f"max_over_time(memory_bytes[{elapsed}])", END)
    made += instant_documents(prom, "cpu-seconds-start", "cpu_seconds", START)
    made += instant_documents(prom, "cpu-seconds", "cpu_seconds", END)
    made += range_documents(prom, "odd", "odd")
    made += range_documents(prom, "scalar", "scalar(sum(memory_bytes)) + 0.1")
    made += range_documents(prom, "memory-usage", 'memory_bytes{pod="epp-0"} / 2')
    names = '{__name__=~"memory_bytes|odd",pod="epp-0"}'
    made += range_documents(prom, "several names", names)
    return made


def finite(documents: list[dict]) -> list[dict]:
    """Without those that are no number."""
    return [it for it in documents if math.isfinite(it["value"])]


def written(folder: str) -> list[dict]:
    """The documents of a file; none if there is no file."""
    path = Path(folder) / "m.ndjson"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def differ(wanted: list[dict], found: list[dict]) -> list[str]:
    """What is missing and what is too many."""
    text = lambda documents: Counter(json.dumps(it, sort_keys=True) for it in documents)
    wanted, found = text(wanted), text(found)
    lines = [f"missing: {it}" for it in (wanted - found)] + [f"too many: {it}" for it in (found - wanted)]
    return lines if wanted else ["nothing was wanted"]


def ended(done: tuple, code: int, message: str = "") -> list[str]:
    """Whether a command ended so, told this, and no secret."""
    found = [] if done[0] == code else [f"exit {done[0]}, not {code}: {done[2]}"]
    if message not in done[2]:
        found.append(f"no `{message}` in: {done[2]}")
    if SECRET in f"{done[1]} {done[2]}":
        found.append(f"a secret is told: {done[1]} {done[2]}")
    return found


def metrics_of(done: tuple) -> dict[str, int]:
    """What became of the samples that went to a server; counts that are not 0."""
    return {name: count for name, count in done[1]["documents"]["metrics"].items() if count}
