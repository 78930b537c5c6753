"""Documents that wait in pods, since nobody may fetch them, or nobody does: a real API server, with nodes
that only play. (That they are fetched in the end is seen on a real node: handed_over.py.)

    python check_waiting.py BINARY [CHECK ...]
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("kubernetes", "independent")]
import few_rights  # noqa: E402
from cluster import Cluster  # noqa: E402
from matching import Tally  # noqa: E402

RUN = "llm-d-scale/run"
SUITE = """
vars: {samples: 1}
jobs:
  - name: prepare
    objects: [{objectTemplate: indexer-rbac.yaml.j2}]
scenarios:
  - {name: first, rateType: constant, rate: 1, promptTokens: 8, outputTokens: 8, seconds: 1, pause: 0s}
"""

class World:
    """A cluster, and the command on it."""

    def __init__(self, binary: str, folder: Path, cluster: Cluster) -> None:
        self.binary, self.folder, self.cluster = binary, folder, cluster
        (folder / "suite.yaml").write_text(SUITE)
        self.user = Path()

    def start(self, name: str, uuid: str, *more: str, config: Path | None = None) -> subprocess.Popen:
        """Starts `run` or `check` without a search server and without metrics."""
        kept = {key: it for key, it in os.environ.items() if not key.startswith(("ES_", "UUID", "PROM"))}
        return subprocess.Popen(
            [self.binary, name, *(() if "-c" in more else ("-c", "suite.yaml")), "--uuid", uuid, "-n", uuid, "--store", uuid,
             "--folder", f"run-{uuid}", "--json",
             "--kubeconfig", str(config or self.cluster.kubeconfig), *more],
            env=kept, cwd=self.folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def gc(self, uuid: str, *more: str, config: Path | None = None) -> tuple[int, dict, str]:
        """Runs `gc`; its exit code, what it told as JSON, and in words."""
        done = subprocess.run(
            [self.binary, "gc", "--uuid", uuid, "--kubeconfig", str(config or self.cluster.kubeconfig),
             "--json", *more],
            text=True, capture_output=True, check=False, timeout=120,
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout or "{}"), done.stderr

    def pods(self, uuid: str) -> list[dict]:
        """Those of a run."""
        told = self.cluster.kubectl("get", "pods", "-A", "-l", f"{RUN}={uuid}", "-o", "json")
        return json.loads(told)["items"]

    def left(self, uuid: str) -> list[str]:
        """What is there of a run."""
        kinds = "jobs,pods,serviceaccounts,roles,rolebindings,namespaces"
        return self.cluster.kubectl("get", kinds, "-A", "-l", f"{RUN}={uuid}", "-o", "name").split()

    def run_until(
        self, uuid: str, ended: bool, config: Path | None = None, end: signal.Signals = signal.SIGKILL,
    ) -> tuple[str, str]:  # fmt: skip
        """Starts a run and ends it as its benchmark is running, or has ENDED and that was noticed; the
        pod's name and what was told."""
        process = self.start("run", uuid, "--skip-check", "--skip-probe", config=config)

        def runs() -> str:
            [pod] = self.pods(uuid)
            return pod["metadata"]["name"] if pod["status"]["phase"] == "Running" else ""

        self.cluster.wait("its benchmark", lambda: self.pods(uuid) and runs(), 30)
        pod, lines = runs(), []
        if ended:
            self.end(uuid, pod)
            for line in process.stderr:
                lines.append(line)
                if "not fetched yet" in line:
                    break
        process.send_signal(end)
        lines.append(process.communicate(timeout=60)[1])
        return pod, "".join(lines)

    def end(self, namespace: str, pod: str) -> None:
        """Says what a kubelet would of a pod whose benchmark has ended; its sidecar is there."""
        moment = "2026-01-01T00:00:00Z"
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": moment, "finishedAt": moment}
        patch = [{"op": "replace", "path": "/status/containerStatuses/0/state", "value": {"terminated": ended}}]
        self.cluster.kubectl("patch", "pod", pod, f"-n={namespace}", "--subresource=status",
                             "--type=json", "-p", json.dumps(patch))  # fmt: skip


def wrong(found: object, wanted: object, what: str) -> list[str]:
    """What is to be said if something is not as it should be."""
    return [] if found == wanted else [f"{what}: {found}, not {wanted}"]


def told(words: str, *parts: str) -> list[str]:
    """What is missing in a message."""
    return [f"not told: {it}: {words}" for it in parts if it not in words]


def check_rights(world: World) -> list[str]:
    """Who may not fetch documents is told so before anything is made."""
    process = world.start("check", "rights", "--skip-probe", config=world.user)
    out, words = process.communicate(timeout=60)
    checks = {it["name"]: it for it in json.loads(out)}
    found = wrong(process.returncode, 1, f"check: {words}")
    found += wrong([it for it in checks if not checks[it]["ok"]], ["rights"], f"failed: {checks}")
    found += told(checks["rights"]["detail"], "you may not create pods/exec, get pods/exec in rights", "role")
    process = world.start("run", "rights", config=world.user)
    _, words = process.communicate(timeout=60)
    found += wrong(process.returncode, 2, f"run: {words}")
    # The target is asked for a token as well, through the API server.
    denied = "create pods/exec, create services/proxy, get pods/exec, get services/proxy"
    found += told(words, denied, "nothing was made")
    return found + wrong(world.left("rights"), [], "made all the same")


def check_rights_of_objects(world: World) -> list[str]:
    """What takes more than to make objects: to look for the namespace, to make it only if it is not there,
    and to have what a role gives."""
    user = few_rights.config(world.cluster, world.folder, "less", [
        {"apiGroups": [""], "resources": few_rights.CORE + ["pods/exec"],
         "verbs": ["get", "list", "watch", "patch", "delete"]},
        {"apiGroups": [""], "resources": ["serviceaccounts", "pods/exec"], "verbs": ["create"]},
        {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles", "rolebindings"],
         "verbs": ["create", "get", "list", "patch", "delete"]},
        {"apiGroups": ["batch"], "resources": ["*"], "verbs": ["*"]},
    ])  # fmt: skip

    def denied() -> tuple[int, str, str]:
        process = world.start("check", "less", "--skip-probe", config=user)
        out, words = process.communicate(timeout=60)
        checks = {it["name"]: it for it in json.loads(out)}
        return process.returncode, checks["rights"]["detail"], checks.get("lease", {}).get("detail", words)

    code, rights, lease = denied()
    # Its role lets the sidecar write Events of events.k8s.io.
    found = wrong(code, 1, "check") + told(rights, "you may not create events, create namespaces, patch events in")
    found += told(lease, "you may not get, create, update, delete leases in less")
    world.cluster.kubectl("create", "namespace", "less")
    found += told(denied()[1], "you may not create events, patch events in")
    nobody = few_rights.config(world.cluster, world.folder, "blind", [
        {"apiGroups": ["*"], "resources": [it for it in few_rights.CORE if it != "namespaces"], "verbs": ["*"]},
    ])  # fmt: skip
    process = world.start("check", "less", "--skip-probe", config=nobody)
    return found + told(process.communicate(timeout=60)[0], "get namespaces")


def held(world: World, uuid: str, pod: str, why: str) -> list[str]:
    """`gc` deletes nothing of a run, and says which pod it is for, and what to do."""
    before = world.left(uuid)
    code, outcome, words = world.gc(uuid)
    found = wrong(code, 1, f"gc: {words}")
    found += told(words, f"pod/{pod}", why, f"--uuid {uuid} --resume", "--discard-documents")
    names = [(it["object"], it["namespace"]) for it in outcome["left"]]
    found += wrong((outcome["deleted"], names), (0, [(f"pod/{pod}", uuid)]), "gc told")
    deleted = [it for it in world.pods(uuid) if "deletionTimestamp" in it["metadata"]]
    return found + wrong((world.left(uuid), deleted), (before, []), "there afterwards")


def discarded(world: World, uuid: str, pod: str, grace: int) -> list[str]:
    """With the flag, all goes. GRACE is the seconds that pods get in which to end."""
    graces: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            graces.extend(it["metadata"].get("deletionGracePeriodSeconds", -1) for it in world.pods(uuid))

    looking = threading.Thread(target=look)
    looking.start()
    start = time.monotonic()
    code, outcome, words = world.gc(uuid, "--discard-documents")
    took = time.monotonic() - start
    over.set()
    looking.join()
    found = wrong((code, outcome["left"]), (0, []), f"gc: {words}") + told(words, f"pod/{pod}")
    found += wrong({it for it in graces if it >= 0}, {grace}, "time to end")
    found += wrong(took < 30, True, f"seconds: {took:.0f}")
    return found + wrong(world.left(uuid), [], "stays")


def check_refused(world: World) -> list[str]:
    """Who goes on all the same is told at the end of the benchmark; the documents stay where they are."""
    world.cluster.outcome("run", {RUN: "refused"}, termination="4s")
    pod, words = world.run_until("refused", True, world.user)
    found = told(words, f"pod/{pod}", "default:few", "HTTP 403", "get and create pods/exec", "--resume")
    found += wrong("ErrorResponse" in words or "Status {" in words, False, f"words of a program: {words}")
    found += wrong([it["metadata"]["name"] for it in world.pods("refused")], [pod], "pods")
    found += held(world, "refused", pod, "documents that nobody has fetched")
    # Its sidecar is told to go instead, which has no ear here (but on the real node).
    return found + discarded(world, "refused", pod, 2400)


def check_stopped(world: World) -> list[str]:
    """Whoever stops a run whose documents could not be fetched does not lose them."""
    world.cluster.outcome("run", {RUN: "stopped"}, termination="4s")
    pod, words = world.run_until("stopped", True, world.user, end=signal.SIGINT)
    found = told(words, f"documents wait in pod/{pod}", "--uuid stopped --resume", "all stays")
    found += wrong([it for it in world.pods("stopped") if "deletionTimestamp" in it["metadata"]], [], "deleted")
    state = json.loads((world.folder / "run-stopped/run.json").read_text())
    found += wrong([it["name"] for it in state["jobs"] if "end" not in it], ["first"], f"running: {state}")
    found += held(world, "stopped", pod, "documents that nobody has fetched")
    return found + discarded(world, "stopped", pod, 2400)


def check_running(world: World) -> list[str]:
    """A run that was killed while its benchmark was running: it will have documents."""
    world.cluster.outcome("run", {RUN: "running"}, termination="4s")
    pod, _ = world.run_until("running", False)
    found = held(world, "running", pod, "its benchmark is running")
    return found + discarded(world, "running", pod, 1)


def check_one_namespace(world: World) -> list[str]:
    """Who may not look into other namespaces deletes what is in the run's."""
    world.cluster.outcome("run", {RUN: "within"}, termination="2s")
    user = few_rights.within(world.cluster, world.folder, "within")
    (world.folder / "two.yaml").write_text(SUITE + SUITE.splitlines()[-1].replace("first", "second") + "\n")
    more = ("-c", "two.yaml", "--skip-check", "--skip-probe", "--timeout", "8s")
    process = world.start("run", "within", *more, config=user)
    _, words = process.communicate(timeout=120)
    found = wrong(process.returncode, 4, f"run: {words}")
    found += told(words, "not run: second: the time that all of it may take is over")
    found += wrong([it for it in world.left("within") if not it.startswith("namespace")], [], f"left: {words}")
    shutil.rmtree(world.folder / "run-within")
    world.run_until("within", False, user)
    code, _, words = world.gc("within", "--timeout", "5s", config=user)
    found += wrong(code, 2, f"gc everywhere: {words}") + told(words, "--namespace NAME")
    code, outcome, words = world.gc("within", "-n", "within", "--discard-documents", config=user)
    found += wrong((code, outcome["left"]), (0, []), f"gc: {words}")
    return found + wrong([it for it in world.left("within") if not it.startswith("namespace")], [], "gc left")


def plain(run: str, more: Callable[[dict], None]) -> str:
    """A pod of a run that is none of the runner's, or not as that makes it."""
    sidecar = {"name": "guidellm-indexer", "image": "none", "restartPolicy": "Always"}
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": run, "namespace": "default", "labels": {RUN: run}},
        "spec": {"containers": [{"name": "guidellm", "image": "none"}], "initContainers": [sidecar]},
    }  # fmt: skip
    more(pod)
    return json.dumps(pod)


def check_others(world: World) -> list[str]:
    """Pods whose documents are sent, or are fetched already, are deleted without further ado."""
    def hands_over(pod: dict) -> None:
        pod["spec"]["initContainers"][0]["env"] = [{"name": "HAND_OVER_SECONDS", "value": "1800"}]

    world.cluster.outcome("succeed", {RUN: "fetched"}, delay="0s")
    found = []
    for run, more in (("sends", lambda pod: None), ("fetched", hands_over)):
        world.cluster.apply(plain(run, more))
        phase = "Succeeded" if run == "fetched" else "Running"
        world.cluster.wait(phase, lambda: world.pods(run)[0]["status"]["phase"] == phase, 20)  # noqa: B023
        code, outcome, words = world.gc(run)
        found += wrong((code, outcome), (0, {"deleted": 1, "left": []}), f"{run}: {words}")
    return found


def check_no_cluster(world: World) -> list[str]:
    """A cluster that does not answer is told at once, and not only in the end."""
    told_of = json.loads(world.cluster.kubectl("config", "view", "--raw", "-o", "json"))
    told_of["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    gone = world.folder / "gone.kubeconfig"
    gone.write_text(json.dumps(told_of))
    process = world.start("check", "nobody", config=gone)
    _, words = process.communicate(timeout=60)
    found = wrong(process.returncode, 2, f"check: {words}")
    code, _, words = world.gc("nobody", "--timeout", "3s", config=gone)
    found += wrong(code, 2, f"gc: {words}")
    return found + told(words.split("trying again")[0], "warning: cannot list pods")


CHECKS = tuple(it for name, it in list(globals().items()) if name.startswith("check_"))


def main() -> None:
    """The checks that are named, or all, in their order."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary, *names = sys.argv[1:]
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="waiting-") as folder:
        with Cluster(Path(folder) / "cluster", nodes="kwok") as cluster:
            cluster.enter()
            world = World(str(Path(binary).resolve()), Path(folder), cluster)
            world.user = few_rights.config(cluster, world.folder)
            tally.run(CHECKS, names, world)
    sys.exit(tally.finish())


if __name__ == "__main__":
    main()
