"""The sidecar beside a benchmark that is played here, and a real server.

    python check_sidecar.py BINARY SERVER
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import REPORT, ROOT, Server, expected, grown, indexer

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally

TEXT = REPORT.read_text()


class Pod:
    """A folder of results, and a sidecar that waits for them."""

    def __init__(self, binary: str, server: str, index: str, *more: str, **environment: str):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.log = self.path / "termination-log"
        self.results = self.path / "results"
        self.results.mkdir()
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
    server.stop()
    pod = Pod(binary, server.url, "away", "--give-up-after", "2s")
    pod.write("benchmarks.json", TEXT)
    pod.write("exit-code", "0")
    found = verdict(pod, 4, "62 unsent; `guidellm-indexer replay guidellm-unsent.ndjson`")
    server.start()
    command = ("replay", "guidellm-unsent.ndjson", "--es-server", server.url)
    code, _, told = indexer(binary, *command, folder=str(pod.path))
    if code or server.documents("away") != documents(binary, str(REPORT), **PASSED):
        found.append(f"replay: exit {code}: {told}")
    return found


def check_killed(server: Server, binary: str) -> list[str]:
    """Killed while it sends, and started again."""
    with tempfile.TemporaryDirectory() as folder:
        report = grown(folder, 200)
        wanted, text = documents(binary, report, **PASSED), Path(report).read_text()
        killed = 0
        pod = Pod(binary, server.url, "killed", "--batch-documents", "200")
        pod.write("benchmarks.json", text)
        pod.write("exit-code", "0")
        for _ in range(200):
            server.call("POST", "killed/_refresh")
            if server.call("GET", "killed/_count")[1].get("count", 0):
                break
        pod.child.kill()
        killed += pod.child.wait() == -signal.SIGKILL
        again = Pod(binary, server.url, "killed")
        again.write("benchmarks.json", text)
        again.write("exit-code", "0")
        found = verdict(again, 0, f"{len(wanted)} documents indexed")
    if not killed:
        found.append("it was done before")
    if server.documents("killed") != wanted:
        found.append(f"{server.count('killed')} of {len(wanted)}")
    return found


def main(binary: str, name: str) -> int:
    """All checks on one server."""
    tally = Tally()
    checks = (
        check_marker, check_quiet, check_failed, check_no_report, check_ended_well, check_native,
        check_killed, check_server_away,
    )  # fmt: skip
    with Server(name) as server:
        for check in checks:
            tally.add(f"{name}: {check.__name__}", check(server, binary))
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2]))
