"""What the checks of pods share: the world around the pods, and our manifests fitted to it."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for folder in ("tests/search", "tests/independent", "tests/guidellm"):
    sys.path.insert(0, str(ROOT / folder))

import guidellm  # noqa: E402
import image  # noqa: E402
from cluster import Cluster  # noqa: E402
from server import Server, expected  # noqa: E402

MANIFESTS = ROOT / "manifests/sidecar"
FORMS = ("second-container", "native-sidecar")
USER = 1000670000  # As OpenShift gives one that no image knows.
NEWEST, OLDEST = "0.8.1", "0.3.1"
SIDECAR, BENCHMARK = "guidellm-indexer", "guidellm"
MODEL = "http://model:8000"


class World:
    """A cluster, a search server that its pods know, and the volume that the manifests ask for."""

    def __init__(self, cluster: Cluster, server: Server, binary: str) -> None:
        self.cluster, self.server, self.binary = cluster, server, binary
        self.volume = self.claimed("guidellm-results")
        port = server.url.rsplit(":", 1)[1]
        cluster.resolve({
            f"{name}.default.svc.cluster.local": cluster.address for name in ("search", "model")
        })  # fmt: skip
        cluster.apply((MANIFESTS / "rbac.yaml").read_text())
        cluster.apply((MANIFESTS / "volume.yaml").read_text())
        cluster.apply(json.dumps({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "guidellm-search"},
            "stringData": {"ES_SERVER": f"http://search:{port}"},
        }))  # fmt: skip

    def claimed(self, claim: str) -> Path:
        """A folder of this machine that is the volume of a claim, as by an administrator."""
        folder = self.cluster.folder / claim
        folder.mkdir()
        folder.chmod(0o777)
        self.cluster.apply(json.dumps({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": claim},
            "spec": {
                "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": str(folder)}, "storageClassName": "",
                "claimRef": {"namespace": "default", "name": claim},
            },
        }))  # fmt: skip
        return folder

    def pods(self, job: str) -> list[dict]:
        """The pods of a job, by their samples."""
        listed = self.cluster.kubectl("get", "pods", "-l", f"job-name={job}", "-o", "json")
        return sorted(json.loads(listed)["items"], key=sample)

    def verdict(self, job: str, seconds: float = 240) -> str:
        """Whether a job is complete or failed, once it is."""
        def ended() -> str:
            conditions = self.cluster.get("job", job)["status"].get("conditions", [])
            true = {it["type"]: it for it in conditions if it["status"] == "True"}
            return next((name for name in ("Complete", "Failed") if name in true), "")

        return self.cluster.wait(f"job {job} ended", ended, seconds)

    def running(self, job: str) -> dict:
        """The pod of a job whose benchmark has begun."""
        def begun() -> dict | None:
            pods = self.pods(job)
            return pods[0] if pods and state(pods[0], BENCHMARK).get("running") else None

        return self.cluster.wait(f"the benchmark of {job} begun", begun)

    def told(self, pod: dict) -> str:
        """What a sidecar left in its termination log."""
        name = pod["metadata"]["name"]
        now = self.cluster.get("pod", name)
        return state(now, SIDECAR).get("terminated", {}).get("message", "")

    def log(self, pod: dict, container: str = BENCHMARK) -> str:
        """The end of a container's log."""
        log = self.cluster.kubectl("logs", pod["metadata"]["name"], "-c", container)
        return log[-1500:]

    def report(self, pod: dict) -> Path:
        """Where a pod's benchmark wrote."""
        return self.volume / pod["metadata"]["name"] / "benchmarks.json"

    def wanted(self, job: str, pods: list[dict], *more: str, **outcome: object) -> dict:
        """The documents of some pods: their reports', with what the sidecar saw."""
        documents: dict[str, dict] = {}
        for pod in pods:
            options = ["-j", job, "-s", str(sample(pod)), "--uuid", f"run-{job}", *more]
            own = expected(self.binary, str(self.report(pod)), *options)
            for document in own.values():
                if document["metricName"] == "guidellmSummary":
                    document |= place(pod) | outcome
            documents |= own
        return documents


def sample(pod: dict) -> int:
    """Its index in its job."""
    return int(pod["metadata"]["annotations"]["batch.kubernetes.io/job-completion-index"])


def place(pod: dict) -> dict:
    """Where it ran, as documents tell it."""
    return {
        "namespace": "default", "podName": pod["metadata"]["name"],
        "nodeName": pod["spec"]["nodeName"],
    }  # fmt: skip


def state(pod: dict, container: str) -> dict:
    """A container's state, of either kind."""
    status = pod.get("status", {})
    statuses = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
    return next((it["state"] for it in statuses if it["name"] == container), {})


def set_variables(container: dict, values: dict[str, str]) -> None:
    """Gives a container some variables, instead of those of the same names."""
    kept = [it for it in container["env"] if it["name"] not in values]
    container["env"] = kept + [{"name": name, "value": value} for name, value in values.items()]


def job(
    world: World, form: str, name: str, version: str, *, samples: int = 1, seconds: int = 3,
    grace: int = 60, change: Callable[[dict, dict, dict], None] = lambda *_: None,
) -> None:  # fmt: skip
    """Applies one of our manifests with what this machine has instead of images of GuideLLM.
    `change` takes the job's specification and its two containers."""
    text = world.cluster.kubectl(
        "create", "--dry-run=client", "-o", "json", "-f", str(MANIFESTS / f"{form}.yaml")
    )
    manifest = json.loads(text)
    manifest["metadata"]["name"] = name
    spec = manifest["spec"]
    pod = spec["template"]["spec"]
    containers = {it["name"]: it for it in pod["containers"] + pod.get("initContainers", [])}
    benchmark, sidecar = containers[BENCHMARK], containers[SIDECAR]
    spec["completions"] = samples
    pod["terminationGracePeriodSeconds"] = grace
    pod["securityContext"]["runAsUser"] = USER
    # Nothing here is pulled.
    benchmark["image"] = image.BUSYBOX
    volumes, mounts = guidellm.mounts(version)
    pod["volumes"] += volumes
    benchmark["volumeMounts"] += mounts
    set_variables(benchmark, guidellm.environment(version))
    benchmark["args"] = guidellm.command(
        version, target=MODEL, output="/results", seconds=seconds, rate=4, prompt_tokens=16,
        output_tokens=8,
    )  # fmt: skip
    set_variables(sidecar, {
        "ES_INDEX": name, "UUID": f"run-{name}", "JOB_NAME": name, "GRACE_SECONDS": str(grace),
    })  # fmt: skip
    change(spec, benchmark, sidecar)
    world.cluster.apply(json.dumps(manifest))


def differences(there: dict, wanted: dict) -> list[str]:
    """What is not as it should be, but for logs, which are as they are."""
    found = []
    for document in there.values():
        if document.get("passed") is False and document.pop("log_tail", "") == "":
            found.append("no log of a benchmark that failed")
    if there != wanted:
        missing, more = wanted.keys() - there.keys(), there.keys() - wanted.keys()
        found.append(f"{len(missing)} missing, {len(more)} too many of {len(wanted)}")
        for id in list(wanted.keys() & there.keys()):
            odd = {
                key: (wanted[id].get(key), there[id].get(key))
                for key in wanted[id].keys() | there[id].keys()
                if wanted[id].get(key) != there[id].get(key)
            }
            if odd:
                found.append(f"{odd}")
                break
    return found


def restarts(pod: dict) -> int:
    """How often the sidecar was started again."""
    status = pod["status"]
    statuses = status.get("containerStatuses", []) + status.get("initContainerStatuses", [])
    return next(it["restartCount"] for it in statuses if it["name"] == SIDECAR)


def sidecar_process(pod: dict) -> int:
    """The sidecar's process id as this machine sees it, found by its environment."""
    own = f"POD_NAME={pod['metadata']['name']}".encode()
    for process in Path("/proc").iterdir():
        try:
            if (process / "comm").read_text().strip() == "guidellm-indexe":
                if own in (process / "environ").read_bytes().split(b"\0"):
                    return int(process.name)
        except (OSError, ValueError):
            continue
    raise RuntimeError("no such process")
