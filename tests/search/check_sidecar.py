"""The sidecar beside a benchmark that is played here, and a real server.

    python check_sidecar.py BINARY SERVER
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from proxy import Proxy
from server import REPORT, ROOT, Server, expected, grown, indexer

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally

TEXT = REPORT.read_text()


class Pod:
    """A folder of results, and a sidecar that waits for them; or is started again in a pod's."""

    def __init__(
        self, binary: str, server: str, index: str, *more: str, of: "Pod | None" = None,
        **environment: str,
    ):  # fmt: skip
        self.folder = of.folder if of else tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.log = self.path / "termination-log"
        self.log.unlink(missing_ok=True)
        self.results = self.path / "results"
        self.results.mkdir(exist_ok=True)
        self.unsent = self.results / "guidellm-unsent.ndjson"
        kept = {key: value for key, value in os.environ.items() if not key.startswith("ES_")}
        own = {
            "RESULTS_DIR": str(self.results), "TERMINATION_LOG": str(self.log), "ES_SERVER": server,
            "ES_INDEX": index, "QUIET_SECONDS": "2", "JOB_NAME": "steady-chat-10",
            "JOB_COMPLETION_INDEX": "2",
        }  # fmt: skip
        self.child = subprocess.Popen(
            [binary, "sidecar", *more], cwd=self.path, env=kept | own | environment,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def write(self, name: str, text: str) -> None:
        """What the benchmark writes."""
        (self.results / name).write_text(text)

    def end(self) -> tuple[int, str, str]:
        """Exit code, messages, and the line for Kubernetes."""
        told = self.child.communicate(timeout=60)[1]
        log = self.log.read_text() if self.log.exists() else ""
        return self.child.returncode, told, log


def documents(binary: str, report: str, *more: str, **outcome: object) -> dict:
    """What a sidecar with this environment should send; summaries say how the benchmark ended."""
    wanted = expected(binary, report, "-j", "steady-chat-10", "-s", "2", *more)
    for document in wanted.values():
        if document["metricName"] == "guidellmSummary":
            document |= outcome
    return wanted


PASSED = {"passed": True, "exit_code": 0}


def verdict(pod: Pod, code: int, message: str) -> list[str]:
    """Whether it ended as it should."""
    ended, told, log = pod.end()
    if ended != code or message not in log or len(log.splitlines()) != 1:
        return [f"exit {ended}, log {log!r}: {told}"]
    return []


def check_marker(server: Server, binary: str) -> list[str]:
    """The exit code's file ends the wait, at once; it may be empty at first."""
    pod = Pod(binary, server.url, "marker", QUIET_SECONDS="3600")
    pod.write("benchmarks.json", TEXT)
    pod.write("exit-code", "")
    time.sleep(1)
    found = [] if pod.child.poll() is None else ["it did not wait"]
    pod.write("exit-code", "0\n")
    found += verdict(pod, 0, "exit code 0; 62 documents indexed")
    if server.documents("marker") != documents(binary, str(REPORT), **PASSED):
        found.append(f"{server.count('marker')} documents")
    return found


def check_quiet(server: Server, binary: str) -> list[str]:
    """Without it, a whole report that does not change: half a one is not taken for whole."""
    pod = Pod(binary, server.url, "quiet")
    pod.write("benchmarks.json", TEXT[: len(TEXT) // 2])
    time.sleep(4)
    found = [] if pod.child.poll() is None else ["half a report was taken for whole"]
    pod.write("benchmarks.json", TEXT)
    time.sleep(1)
    found += [] if pod.child.poll() is None else ["it was not quiet yet"]
    found += verdict(pod, 0, "62 documents indexed")
    if server.documents("quiet") != documents(binary, str(REPORT)):
        found.append(f"{server.count('quiet')} documents")
    return found


def check_failed(server: Server, binary: str) -> list[str]:
    """A benchmark that failed or was ended: whole records are salvaged, and marked."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        cut = Path(folder) / "cut.json"
        cut.write_text(TEXT[: int(len(TEXT) * 0.8)])
        for index, marker, code, message, outcome in (
            ("failed", "137\n", 0, "exit code 137",
             {"exit_code": 137, "failure_reason": "ended by signal 9"}),
            ("ended", None, 0, "the pod ends", {"failure_reason": "the pod ended before it did"}),
            ("cut", "0", 1, "exit code 0",
             {"exit_code": 0, "failure_reason": "it left no whole report"}),
        ):  # fmt: skip
            wanted = documents(binary, str(cut), "--salvage", passed=False, **outcome)
            pod = Pod(binary, server.url, index)
            pod.write("benchmarks.json", cut.read_text())
            if marker:
                pod.write("exit-code", marker)
            else:
                time.sleep(0.5)
                pod.child.send_signal(signal.SIGTERM)
            found += verdict(pod, code, message)
            there = server.documents(index)
            if there != wanted or not all(it.get("salvaged") for it in there.values()):
                found.append(f"{index}: {len(there)} of {len(wanted)}")
    return found


def check_no_report(server: Server, binary: str) -> list[str]:
    """A benchmark that left nothing: one summary says so, once, however often it is told."""
    found = []
    for report in (None, "not a report"):
        for _ in range(2):
            pod = Pod(binary, server.url, "nothing", UUID="run-1")
            if report:
                pod.write("benchmarks.json", report)
            pod.write("exit-code", "1")
            found += verdict(pod, 1, "exit code 1; 1 documents indexed")
        [document] = server.documents("nothing").values()
        wanted = {
            "metricName": "guidellmSummary", "uuid": "run-1", "job_name": "steady-chat-10",
            "jobName": "steady-chat-10", "sample": 2, "passed": False, "exit_code": 1,
            "failure_reason": "exit code 1",
        }  # fmt: skip
        if document != document | wanted or "timestamp" not in document:
            found.append(f"{document}")
    return found


def check_ended_well(server: Server, binary: str) -> list[str]:
    """SIGTERM after a whole report, as a native sidecar sees a benchmark that ended well."""
    pod = Pod(binary, server.url, "well", NATIVE_SIDECAR="true", QUIET_SECONDS="3600")
    pod.write("benchmarks.json", TEXT)
    time.sleep(0.5)
    pod.child.send_signal(signal.SIGTERM)
    found = verdict(pod, 0, "62 documents indexed")
    if server.documents("well") != documents(binary, str(REPORT)):
        found.append(f"{server.count('well')} documents")
    return found


def check_native(server: Server, binary: str) -> list[str]:
    """A native sidecar waits for SIGTERM after its work; it takes next to no memory."""
    pod = Pod(binary, server.url, "native", NATIVE_SIDECAR="true", RESULTS_FILE="*.json")
    time.sleep(1)
    status = Path(f"/proc/{pod.child.pid}/status").read_text()
    resident = next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
    found = [] if resident < 20_000 else [f"{resident} kB while it waits"]
    pod.write("a.json", TEXT)
    pod.write("exit-code", "0")
    while not pod.log.exists() or not pod.log.read_text():
        time.sleep(0.1)
    time.sleep(1)
    if pod.child.poll() is not None:
        found.append("it did not wait for SIGTERM")
    pod.child.send_signal(signal.SIGTERM)
    return found + verdict(pod, 0, "62 documents indexed")


def check_server_away(server: Server, binary: str) -> list[str]:
    """The server stays away: all is kept, and the exit code and the log say so."""
    found = []
    server.stop()
    pod = Pod(binary, server.url, "away", "--give-up-after", "2s")
    time.sleep(1)
    pod.write("benchmarks.json", TEXT)
    pod.write("exit-code", "0")
    code, told, log = pod.end()
    if code != 4 or f"62 unsent; `guidellm-indexer replay {pod.unsent}`" not in log:
        found.append(f"exit {code}, log {log!r}: {told}")
    if "it is tried again when the benchmark has ended" not in told:
        found.append(f"no warning at the start: {told}")
    server.start()
    code, _, told = indexer(binary, "replay", str(pod.unsent), "--es-server", server.url)
    if code or server.documents("away") != documents(binary, str(REPORT), **PASSED):
        found.append(f"replay: exit {code}: {told}")
    return found


def check_pod_ends(server: Server, binary: str) -> list[str]:
    """SIGTERM while the server is away: all is on the disk at once. A server that comes back in
    the time that is left gets it; else the exit code says so, in time."""
    found = []
    for comes_back in (True, False):
        server.stop()
        index = f"pod-ends-{comes_back}".lower()
        pod = Pod(binary, server.url, index, GRACE_SECONDS="30" if comes_back else "5")
        pod.write("benchmarks.json", TEXT)
        pod.write("exit-code", "0")
        time.sleep(1)
        pod.child.send_signal(signal.SIGTERM)
        time.sleep(1.5)
        if len(pod.unsent.read_text().splitlines() if pod.unsent.exists() else ()) != 62:
            found.append("not all is on the disk")
        if comes_back:
            server.start()
            found += verdict(pod, 0, "exit code 0; 62 documents indexed")
            if server.documents(index) != documents(binary, str(REPORT), **PASSED):
                found.append(f"{server.count(index)} documents")
        else:
            found += verdict(pod, 4, "0 documents indexed, 62 unsent")
            server.start()
        if pod.unsent.exists() == comes_back:
            found.append(f"the spool: {pod.unsent.exists()}")
    return found


def check_pod_ends_meanwhile(server: Server, binary: str) -> list[str]:
    """SIGTERM while documents are sent to a server that is slow: it finishes, each once."""
    def slowly(number: int, body: bytes, handler: object) -> None:
        time.sleep(0.3)

    with tempfile.TemporaryDirectory() as folder, Proxy(server.call, slowly) as proxy:
        report = grown(folder, 100)
        wanted = documents(binary, report, **PASSED)
        pod = Pod(binary, proxy.url, "meanwhile", "--batch-documents", "500")
        pod.write("benchmarks.json", Path(report).read_text())
        pod.write("exit-code", "0")
        while proxy.bulks < 3:
            time.sleep(0.05)
        pod.child.send_signal(signal.SIGTERM)
        found = verdict(pod, 0, " documents indexed")
    if server.documents("meanwhile") != wanted:
        found.append(f"{server.count('meanwhile')} of {len(wanted)}")
    return found + (["the spool is still there"] if pod.unsent.exists() else [])


def check_no_room(server: Server, binary: str) -> list[str]:
    """SIGTERM, a server that is there, and a disk that takes nothing: the server gets it all."""
    pod = Pod(binary, server.url, "no-room", "--unsent", "/dev/full")
    pod.write("benchmarks.json", TEXT)
    time.sleep(0.5)
    pod.child.send_signal(signal.SIGTERM)
    found = verdict(pod, 0, "62 documents indexed")
    if server.documents("no-room") != documents(binary, str(REPORT)):
        found.append(f"{server.count('no-room')} documents")
    return found


def check_refused(server: Server, binary: str) -> list[str]:
    """Whatever is wrong with the server, the documents are kept, and it is told why."""
    server.call("PUT", "refused", {"mappings": {"properties": {"rate": {"type": "long"}}}})
    pod = Pod(binary, server.url, "refused")
    pod.write("benchmarks.json", TEXT)
    pod.write("exit-code", "0")
    found = verdict(pod, 4, "62 unsent")
    code, outcome, told = indexer(
        binary, "replay", str(pod.unsent), "--es-server", server.url, "--es-index", "mended", "--json"
    )
    if code or server.documents("mended") != documents(binary, str(REPORT), **PASSED):
        found.append(f"replay: exit {code}: {outcome} {told}")
    return found


def check_secret_file(server: Server, binary: str) -> list[str]:
    """A password may stand in a mounted file; it never shows."""
    asked = []
    with tempfile.TemporaryDirectory() as folder, Proxy(
        server.call, lambda *_: None, lambda handler, _: asked.append(handler.headers)
    ) as proxy:
        secret = Path(folder) / "password"
        secret.write_text("hunter2\n")
        pod = Pod(binary, proxy.url, "secret", ES_USERNAME="me", ES_PASSWORD_FILE=str(secret))
        pod.write("benchmarks.json", TEXT)
        pod.write("exit-code", "0")
        found = verdict(pod, 0, "62 documents indexed")
        if any(it["Authorization"] != "Basic bWU6aHVudGVyMg==" for it in asked) or not asked:
            found.append(f"{[it['Authorization'] for it in asked]}")
        pod = Pod(binary, proxy.url, "secret", ES_API_KEY_FILE=str(secret) + "-not")
        code, told, _ = pod.end()
        if code != 2 or "password-not (named by ES_API_KEY_FILE)" not in told:
            found.append(f"exit {code}: {told}")
    return found


def check_objectives(server: Server, binary: str) -> list[str]:
    """What the benchmark misses is in the server as alerts, and in the exit code."""
    found = []
    for kind, bound, code in (("kept", 5000, 0), ("missed", 1, 3)):
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as slos:
            slos.write(f"slos: [{{expr: ttft_p95_ms <= {bound}, severity: critical}}, total_requests > 0]")
            slos.flush()
            pod = Pod(binary, server.url, f"slo-{kind}", QUIET_SECONDS="3600", SLO_FILE=slos.name)
            pod.write("benchmarks.json", TEXT)
            pod.write("exit-code", "0")
            found += verdict(pod, code, "ttft_p95_ms <= 1: missed" if code else "documents indexed")
        server.call("POST", f"slo-{kind}/_refresh")
        query = {"query": {"term": {"metricName.keyword": "alert"}}}
        hits = server.call("POST", f"slo-{kind}/_search", query)[1]["hits"]["hits"]
        severities = [hit["_source"]["severity"] for hit in hits]
        benchmarks = len(json.loads(TEXT)["benchmarks"]) if code else 0
        if severities != ["critical"] * benchmarks:
            found.append(f"{kind}: {severities} of {benchmarks} benchmarks")
    pod = Pod(binary, server.url, "slo-wrong", SLO_FILE="/nowhere.yaml")
    code, told, _ = pod.end()
    if code != 2 or "/nowhere.yaml" not in told:
        found.append(f"no file: exit {code}: {told}")
    return found


def check_health(server: Server, binary: str) -> list[str]:
    """It tells how far it has come, to Kubernetes and to Prometheus."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    pod = Pod(binary, server.url, "health", NATIVE_SIDECAR="true", HEALTH_PORT=str(port))
    time.sleep(1)
    found = [] if urllib.request.urlopen(f"{url}/healthz").read() == b"ok\n" else ["not well"]

    def metrics() -> dict[str, float]:
        text = urllib.request.urlopen(f"{url}/metrics").read().decode()
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    since = "guidellm_indexer_waiting_since_timestamp_seconds"
    if abs(metrics()[since] - time.time()) > 10 or any(
        value for name, value in metrics().items() if name != since
    ):
        found.append(f"before: {metrics()}")
    pod.write("benchmarks.json", TEXT)
    pod.write("exit-code", "0")
    while not pod.log.exists() or not pod.log.read_text():
        time.sleep(0.1)
    after = metrics()
    created = {
        re.search('kind="(.*?)"', name)[1]: value
        for name, value in after.items() if 'outcome="created"' in name
    }  # fmt: skip
    if after[since] or created != {"summary": 3, "request": 59}:
        found.append(f"after: {after}")
    if not 1000 < after["guidellm_indexer_sent_bytes_total"] < 200_000:
        found.append(f"bytes: {after}")
    pod.child.send_signal(signal.SIGTERM)
    return found + verdict(pod, 0, "62 documents indexed")


def check_killed(server: Server, binary: str) -> list[str]:
    """Killed while it sends, and started again beside what there is."""
    with tempfile.TemporaryDirectory() as folder:
        report = grown(folder, 200)
        wanted, text = documents(binary, report, **PASSED), Path(report).read_text()
        pod = Pod(binary, server.url, "killed", "--batch-documents", "200")
        pod.write("benchmarks.json", text)
        pod.write("exit-code", "0")
        there = 0
        while not there and pod.child.poll() is None:
            server.call("POST", "killed/_refresh")
            there = server.call("GET", "killed/_count")[1].get("count", 0)
        pod.child.kill()
        killed = pod.child.wait() == -signal.SIGKILL
        there = server.count("killed")
        again = Pod(binary, server.url, "killed", of=pod)
        found = verdict(again, 0, f"{len(wanted)} documents indexed")
    if not killed or not 0 < there < len(wanted):
        found.append(f"killed {killed}, when {there} of {len(wanted)} were there")
    if server.documents("killed") != wanted:
        found.append(f"{server.count('killed')} of {len(wanted)}")
    return found


def check_killed_with_a_spool(server: Server, binary: str) -> list[str]:
    """Killed when it had put all on the disk, and started again: it sends what there is, and
    says what was kept."""
    server.stop()
    pod = Pod(binary, server.url, "spooled", GRACE_SECONDS="60")
    pod.write("benchmarks.json", TEXT)
    pod.write("exit-code", "0")
    time.sleep(1)
    pod.child.send_signal(signal.SIGTERM)
    until = time.monotonic() + 20
    while time.monotonic() < until and (
        not pod.unsent.exists() or len(pod.unsent.read_text().splitlines()) < 62
    ):
        time.sleep(0.1)
    pod.child.kill()
    pod.child.wait()
    lines = [*pod.results.glob("guidellm-unsent.ndjson*")]
    found = [] if lines else ["nothing was kept"]
    server.start()
    again = Pod(binary, server.url, "spooled", of=pod)
    ended, told, log = again.end()
    if ended or "exit code 0; 62 documents indexed" not in log:
        found.append(f"exit {ended}, log {log!r}: {told}")
    if f"`guidellm-indexer replay {pod.unsent}`" not in told:
        found.append(f"nothing of what was kept: {told}")
    wanted = documents(binary, str(REPORT), **PASSED)
    if server.documents("spooled") != wanted:
        found.append(f"{server.count('spooled')} of {len(wanted)}")
    code, _, told = indexer(binary, "replay", str(pod.unsent), "--es-server", server.url)
    if code or server.documents("spooled") != wanted or [*pod.results.glob("*.ndjson*")]:
        found.append(f"replay: exit {code}, {server.count('spooled')} of {len(wanted)}: {told}")
    return found


def main(binary: str, name: str) -> int:
    """All checks on one server."""
    tally = Tally()
    checks = (
        check_marker, check_quiet, check_failed, check_no_report, check_ended_well, check_native,
        check_killed, check_killed_with_a_spool, check_pod_ends_meanwhile, check_no_room, check_refused, check_secret_file,
        check_health, check_objectives, check_server_away, check_pod_ends,
    )  # fmt: skip
    with Server(name) as server:
        for check in checks:
            tally.add(f"{name}: {check.__name__}", check(server, binary))
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2]))
