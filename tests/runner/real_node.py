"""A real node with the way through the gateway, a search server and a Prometheus that reads all of it;
and the runner before them, as for a user of a cluster.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("kubernetes", "gateway", "search", "prometheus", "guidellm", "independent")
sys.path[:0] = [str(ROOT / "tests" / part) for part in PARTS]
import guidellm  # noqa: E402
from cluster import Cluster, Failure, documents  # noqa: E402
from lab import Lab  # noqa: E402
from prometheus import Prometheus  # noqa: E402
from server import Server  # noqa: E402

RUN = "llm-d-scale/run"
SEARCH = "search.default.svc.cluster.local"
#: Prometheus' name for itself in the cluster, of whose rights it shows a token.
ACCOUNT = "prometheus"
#: Where pods tell their metrics: the label that they are known by, its value, port, path.
TOLD = (
    ("app.kubernetes.io/component", "endpoint-picker", 9090, "/metrics"),
    ("app.kubernetes.io/component", "model-server", 8000, "/metrics"),
    ("gateway.networking.k8s.io/gateway-name", "llm-d-scale", 15090, "/stats/prometheus"),
)


class World:
    """All of it, as long as the `with` block; this process is in the cluster's network from then on."""

    def __init__(self, binary: str, indexer: str, search: str, versions: tuple[str, ...]) -> None:
        self.binary, self.indexer, self.versions = binary, indexer, versions
        self.server = Server(search, "http.host=0.0.0.0")
        self.told: dict[str, dict[str, object]] = {}
        self.ended = threading.Event()
        self.discovering = threading.Thread(target=self.discover, daemon=True)

    @staticmethod
    def missing() -> list[str]:
        """What this machine lacks, as sentences; empty if all is here."""
        return Lab.missing() + guidellm.missing() + Prometheus.missing()

    def __enter__(self) -> "World":
        # Its threads have to be of the cluster's network, which no thread can be moved into later.
        self.temporary = tempfile.TemporaryDirectory(prefix="end-to-end-")
        self.folder = Path(self.temporary.name)
        self.cluster = Cluster(self.folder / "cluster")
        self.cluster.__enter__()
        self.lab = Lab(self.cluster)
        self.lab.__enter__()
        sidecar = self.lab.indexer(self.indexer)
        self.told = {it: self.lab.variables | self.lab.guidellm(it) | sidecar for it in self.versions}
        # Of each run of a release, one that is for what goes wrong, one by TLS, and two without a server.
        self.cluster.provide(len(self.versions) + 4)
        self.cluster.resolve({SEARCH: self.cluster.address})
        self.cluster.enter()
        self.server.__enter__()
        self.prometheus = Prometheus(self.folder / "prometheus", self.scraped(), interval="1s")
        self.prometheus.__enter__()
        self.discovering.start()
        return self

    def __exit__(self, *about: object) -> None:
        self.ended.set()
        if self.discovering.is_alive():
            self.discovering.join()
        for part in ("prometheus", "server", "lab", "cluster"):
            if hasattr(self, part):
                getattr(self, part).__exit__(*about)
        self.temporary.cleanup()

    def scraped(self) -> dict[str, dict]:
        """What Prometheus reads: pods by a file of them, for Debian's knows no Kubernetes; and the
        kubelet, for what containers use, not with its own times, as what is late would change answers
        that were given. Both ask who reads."""
        self.cluster.apply(documents(account()))
        self.token, self.targets = self.folder / "token", self.folder / "targets.json"
        told = self.cluster.kubectl("create", "token", ACCOUNT, "--duration=2h")
        self.token.write_text(told.strip())
        self.targets.write_text("[]")
        authorization = {"authorization": {"credentials_file": str(self.token)}}
        files = [{"files": [str(self.targets)], "refresh_interval": "1s"}]
        return {
            "pods": {"file_sd_configs": files, **authorization},
            "kubelet": {
                "scheme": "https", "metrics_path": "/metrics/cadvisor", "honor_timestamps": False,
                "tls_config": {"insecure_skip_verify": True}, **authorization,
                "static_configs": [{"targets": [f"{self.cluster.address}:10250"]}],
            },
        }  # fmt: skip

    def discover(self) -> None:
        """Tells Prometheus of the pods that are there, with what an operator gives each."""
        while not self.ended.wait(1):
            try:
                listed = json.loads(self.cluster.kubectl("get", "pods", "-A", "--output=json"))
            except (Failure, ValueError):
                continue
            found = json.dumps([it for pod in listed["items"] for it in targets(pod)])
            if found != self.targets.read_text():
                new = self.targets.with_suffix(".new")
                new.write_text(found)
                new.replace(self.targets)

    def command(self, name: str, *more: str, search: str = "") -> list[str]:
        """A command of the runner that takes what `run` does; SEARCH is the search server for pods, if
        it is another."""
        search = search or f"http://{SEARCH}:{self.server.url.rsplit(':', 1)[1]}"
        sending = ["--es-server", self.server.url, "--pods-es-server", search]
        return [*self.always(name), *sending, *more]

    def alone(self, name: str, store: Path, *more: str) -> list[str]:
        """The same without a search server."""
        return [*self.always(name), "--store", str(store), *more]

    def always(self, name: str) -> list[str]:
        """What each of these commands is told."""
        return [
            self.binary, name, "--kubeconfig", str(self.cluster.kubeconfig), "--json",
            "--prometheus-url", self.prometheus.url, "--scrape-interval", "1s",
        ]  # fmt: skip

    def call(self, *command: str) -> tuple[int, object, str]:
        """Runs the runner; exit code, what it told as JSON, and in words."""
        kept = {key: it for key, it in os.environ.items() if not key.startswith(("ES_", "UUID"))}
        done = subprocess.run(
            command, env=kept, cwd=self.folder, text=True, capture_output=True, check=False,
            timeout=400,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def listed(self, kind: str, namespace: str, *labels: str) -> list[dict]:
        """Objects of a namespace."""
        chosen = [f"--selector={it}" for it in labels]
        told = self.cluster.kubectl("get", kind, f"-n={namespace}", "--output=json", *chosen)
        return json.loads(told)["items"]

    def left(self, run: str) -> list[str]:
        """Whatever has a run's label, of all kinds that the cluster knows."""
        kinds = self.cluster.kubectl("api-resources", "--verbs=list,delete", "--output=name").split()
        told = self.cluster.kubectl("get", ",".join(kinds), "-A", f"-l={RUN}={run}", "--output=name")
        return told.split()

    def documents(self, uuid: str, index: str) -> list[dict]:
        """A run's documents."""
        return self.server.documents_of(index, uuid)


def targets(pod: dict) -> list[dict]:
    """A pod as Prometheus' targets."""
    about, address = pod["metadata"], pod["status"].get("podIP")
    labels = about.get("labels", {})
    return [
        {
            "targets": [f"{address}:{port}"],
            "labels": {
                "namespace": about["namespace"], "pod": about["name"], "__metrics_path__": path,
            },
        }
        for label, value, port, path in TOLD
        if address and labels.get(label) == value
    ]  # fmt: skip


def account() -> list[dict]:
    """Who may read metrics, as a cluster's monitoring does."""
    rules = [
        {"nonResourceURLs": ["/metrics"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["nodes/metrics"], "verbs": ["get"]},
    ]
    group = "rbac.authorization.k8s.io"
    about = {"name": ACCOUNT}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**about, "namespace": "default"}},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": about, "rules": rules},
        {
            "apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": about,
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": ACCOUNT},
            "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": "default"}],
        },
    ]  # fmt: skip
