"""A cluster that only plays (kwok), a search server and Prometheus, all in one network; and the runner
in it. The runner cannot tell it from a real one but by the documents of GuideLLM, which nobody writes.
"""

import http.server
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("kubernetes", "search", "prometheus", "independent")]
from cluster import Cluster, Failure  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from server import Server  # noqa: E402

RUN, JOB = "llm-d-scale/run", "llm-d-scale/job"
#: The suite's pauses are for caches and queues, which nothing here has.
SHORT = [
    word for number in range(9) for word in ("--set", f"scenarios.{number}.pause=0s")
]  # fmt: skip
PROFILE = "- query: up\n  metricName: up\n- query: series\n  metricName: series\n"
ALERTS = "- expr: up == 1\n  description: '{{$labels.job}} is up, which is {{$value}}'\n  severity: warning\n"
CONDITIONS = {"gateways": ("Accepted", "Programmed"), "httproutes": ("Accepted", "ResolvedRefs"),
              "inferencepools": ("Accepted", "ResolvedRefs")}  # fmt: skip


class Exporter(http.server.BaseHTTPRequestHandler):
    """Something to scrape."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"series 5\n")

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


class Playground:
    """All of it, as long as the `with` block; this process is in the cluster's network from then on."""

    def __init__(self, binary: str, search: str, delay: float = 1.0) -> None:
        self.binary, self.search, self.delay = binary, search, delay
        self.held: set[str] = set()
        self.ended = threading.Event()

    def __enter__(self) -> "Playground":
        self.temporary = tempfile.TemporaryDirectory(prefix="playground-")
        self.folder = Path(self.temporary.name)
        self.cluster = Cluster(self.folder / "cluster", nodes="kwok", delay=self.delay)
        self.cluster.__enter__()
        for name in ("gateway-api", "inference-extension", "istio"):
            self.cluster.install(name)
        self.cluster.provide(40)
        self.cluster.enter()
        self.server = Server(self.search)
        self.server.__enter__()
        exporter = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
        threading.Thread(target=exporter.serve_forever, daemon=True).start()
        scrape = {"exporter": [f"127.0.0.1:{exporter.server_port}"]}
        self.prometheus = Prometheus(self.folder / "prometheus", scrape, interval="1s")
        self.prometheus.__enter__()
        self.prometheus.wait_for("series")
        (self.folder / "metrics.yml").write_text(PROFILE)
        (self.folder / "alerts.yml").write_text(ALERTS)
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()
        return self

    def __exit__(self, *about: object) -> None:
        self.ended.set()
        self.accepting.join()
        self.prometheus.__exit__(*about)
        self.server.__exit__(*about)
        self.cluster.__exit__(*about)
        self.temporary.cleanup()

    def accept(self) -> None:
        """What Istio would do: takes what has come to be there, unless it is held back."""
        while not self.ended.wait(0.5):
            for plural, kinds in CONDITIONS.items():
                try:
                    listed = json.loads(self.cluster.kubectl("get", plural, "-A", "-o", "json"))
                except (Failure, ValueError):
                    continue
                for item in listed["items"]:
                    if plural not in self.held and "taken" not in json.dumps(item.get("status", {})):
                        self.take(plural, kinds, item)

    def take(self, plural: str, kinds: tuple[str, ...], item: dict) -> None:
        """Gives an object its status."""
        about = item["metadata"]
        conditions = [
            {"type": kind, "status": "True", "reason": "taken", "message": "",
             "lastTransitionTime": "2026-01-01T00:00:00Z", "observedGeneration": about["generation"]}
            for kind in kinds
        ]  # fmt: skip
        reference = {"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "llm-d-scale"}
        status = {
            "gateways": {"conditions": conditions},
            "httproutes": {"parents": [{"parentRef": reference, "controllerName": "istio.io/gateway-controller", "conditions": conditions}]},
            "inferencepools": {"parents": [{"parentRef": reference, "conditions": conditions}]},
        }[plural]  # fmt: skip
        patch = json.dumps({"status": status})
        self.cluster.kubectl(
            "patch", plural, about["name"], "-n", about["namespace"], "--subresource=status",
            "--type=merge", "-p", patch, check=False,
        )  # fmt: skip

    def command(self, uuid: str, *more: str, index: str = "runs") -> list[str]:
        """The command that runs a suite, in the namespace of its name unless MORE says another."""
        own = () if "-n" in more else ("-n", uuid)
        if "--kubeconfig" not in more:
            own += ("--kubeconfig", str(self.cluster.kubeconfig))
        if "--folder" not in more:
            own += ("--folder", str(self.folder / uuid))
        return [
            self.binary, "run", "--uuid", uuid, *own, "--skip-probe", "--scrape-interval", "100ms",
            "--prometheus-url", self.prometheus.url, "--manifests", str(self.folder),
            "--set", "metricsEndpoints.0.metrics=[metrics.yml]", "--set", "metricsEndpoints.0.step=1s",
            "--es-server", self.server.url, "--es-index", index, "--json", *more,
        ]  # fmt: skip

    def start(self, uuid: str, *more: str, index: str = "runs") -> subprocess.Popen:
        """Starts a run; `ended` waits for it."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ES_", "UUID"))}
        return subprocess.Popen(
            self.command(uuid, *more, index=index), env=kept, text=True, cwd=self.folder,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, uuid: str, *more: str, index: str = "runs") -> tuple[int, dict, str]:
        """Runs a suite to its end."""
        return ended(self.start(uuid, *more, index=index))

    def objects(self, uuid: str) -> list[str]:
        """What is there of a run, of the kinds that the suite has."""
        kinds = (
            "jobs,pods,deployments,services,configmaps,secrets,serviceaccounts,roles,rolebindings,"
            "clusterroles,clusterrolebindings,persistentvolumeclaims,gateways,httproutes,"
            "inferencepools,destinationrules,namespaces"
        )
        told = self.cluster.kubectl("get", kinds, "-A", "-l", f"{RUN}={uuid}", "-o", "name")
        return told.split()

    def documents(self, uuid: str, index: str = "runs") -> list[dict]:
        """A run's documents."""
        return self.server.documents_of(index, uuid)

    def summaries(self, uuid: str, index: str = "runs") -> dict[str, dict]:
        """A run's `jobSummary` documents by their jobs."""
        found: dict[str, dict] = {}
        for document in self.documents(uuid, index):
            if document["metricName"] == "jobSummary":
                name = document["jobConfig"]["name"]
                if name in found:
                    raise RuntimeError(f"two summaries of {name}")
                found[name] = document
        return found


def ended(process: subprocess.Popen, timeout: float = 300) -> tuple[int, dict, str]:
    """How a run ended: its exit code, what it told as JSON, and in words."""
    try:
        out, told = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        out, told = process.communicate()
        raise RuntimeError(f"it did not end in {timeout} s:\n{told}") from None
    return process.returncode, json.loads(out) if out.strip() else {}, told
