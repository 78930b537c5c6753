"""`llm-d-scale cluster-assets` on a real API server, with the real definitions of the Operator Lifecycle
Manager and of NVIDIA's GPU operator. Their statuses are what this test says.

    python check_assets.py BINARY

The definitions of Istio's and NFD's operators cannot be had as Go modules: of these it is seen that their
absence is told, and how to end it.
"""

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("kubernetes", "independent")]
from cluster import Cluster, Failure  # noqa: E402
from matching import Tally  # noqa: E402

#: Go modules and their resource definitions; the versions are those that the module proxy has.
SOURCES = (
    ("github.com/operator-framework/api@v0.9.1", "crds/*.yaml"),
    ("github.com/NVIDIA/gpu-operator@v0.0.0-20250917190837-d73a0086a6ba",
     "config/crd/bases/nvidia.com_clusterpolicies.yaml"),
)  # fmt: skip
ALL = [
    "openshift-nfd-operator", "openshift-nfd-instance", "openshift-gpu-operator",
    "openshift-gpu-cluster-policy", "openshift-service-mesh-operator", "openshift-istio-cni", "istio",
]  # fmt: skip
GPU, POLICY = "openshift-gpu-operator", "openshift-gpu-cluster-policy"
PLACE, SUBSCRIPTION = "nvidia-gpu-operator", "gpu-operator-certified"


class World:
    """A cluster, and the command on it."""

    def __init__(self, binary: str, folder: Path, cluster: Cluster) -> None:
        self.binary, self.folder, self.cluster = binary, folder, cluster

    def assets(self, *arguments: str, config: str | None = None) -> tuple[int, str, str]:
        """Runs the command; its exit code and what it printed."""
        config = config or str(self.cluster.kubeconfig)
        done = subprocess.run(
            [self.binary, "cluster-assets", *arguments, "--kubeconfig", config],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def told(self, *arguments: str) -> tuple[int, dict[str, tuple[str, str]], str]:
        """The same; each asset's state and why."""
        code, text, words = self.assets(*arguments, "--json")
        told = json.loads(text) if text else []
        return code, {it["name"]: (it["state"], it.get("detail", "")) for it in told}, words

    def is_there(self, kind: str, name: str, namespace: str = "default") -> bool:
        """Whether an object is there."""
        try:
            self.cluster.get(kind, name, namespace)
        except Failure:
            return False
        return True

    def status(self, kind: str, name: str, status: dict, namespace: str = "default") -> None:
        """Gives an object its status."""
        self.cluster.kubectl(
            "patch", kind, name, f"-n={namespace}", "--subresource=status", "--type=merge",
            "-p", json.dumps({"status": status}),
        )  # fmt: skip

    def fetch(self) -> None:
        """Fetches the definitions, while there is a network."""
        self.definitions = []
        for module, pattern in SOURCES:
            done = subprocess.run(["go", "mod", "download", "-json", module], cwd=self.folder,
                                  text=True, capture_output=True, check=False)  # fmt: skip
            told = json.loads(done.stdout or "{}")
            if "Dir" not in told:
                raise RuntimeError(f"go mod download {module}: {told.get('Error') or done.stderr}")
            self.definitions += [it.read_text() for it in sorted(Path(told["Dir"]).glob(pattern))]

    def install(self) -> None:
        """Installs the definitions."""
        for text in self.definitions:
            self.cluster.apply(text)
        for text in self.definitions:
            [name] = re.findall(r"(?m)^  name: ([a-z.]+)$", text)
            self.cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}", "--timeout=30s")


def wrong(found: object, wanted: object, what: str) -> list[str]:
    """What is to be said if something is not as it should be."""
    return [] if found == wanted else [f"{what}: {found}, not {wanted}"]


def check_list(world: World) -> list[str]:
    """All are listed without any cluster."""
    code, text, _ = world.assets(config="/nowhere")
    names = [line for line in text.splitlines() if not line.startswith(" ")]
    return wrong((code, names), (0, ALL), "listed")


def check_no_cluster(world: World) -> list[str]:
    """A cluster that is not there ends it with 2."""
    code, _, words = world.assets("--check", config="/nowhere")
    found = wrong((code, "no cluster" in words), (2, True), f"no configuration: {words}")
    config = world.cluster.kubeconfig.read_text()
    away = world.folder / "away"
    away.write_text(re.sub(r"https://[0-9.]+:\d+", "https://127.0.0.1:1", config))
    code, _, words = world.assets("--check", config=str(away))
    return found + wrong((code, "127.0.0.1:1" in words), (2, True), f"nobody there: {words}")


def check_missing_definitions(world: World) -> list[str]:
    """What is to be installed first is told, and nothing is made by halves."""
    code, told, _ = world.told("--check")
    found = wrong((code, list(told)), (1, ALL), "checked")
    for name, first in (
        ("openshift-nfd-instance", "apply openshift-nfd-operator first"),
        (POLICY, "apply openshift-gpu-operator first"),
        ("openshift-istio-cni", "install the Sail operator"),
        (GPU, "Operator Lifecycle Manager"),
    ):
        code, told, words = world.told(name)
        state, why = told[name]
        found += wrong((code, state, first in why), (1, "failed", True), f"{name}: {why} {words}")
    for namespace in (PLACE, "istio-cni"):
        found += wrong(world.is_there("namespace", namespace), False, f"{namespace} was made")
    code, told, _ = world.told("istio", GPU)
    return found + wrong([it[0] for it in told.values()], ["failed", "skipped"], "after a failure")


def check_dry_run(world: World) -> list[str]:
    """The API server tries all; nothing is made."""
    world.install()
    code, told, words = world.told("--dry-run=server", GPU, POLICY)
    found = wrong((code, {it[0] for it in told.values()}), (0, {"accepted"}), f"tried: {told} {words}")
    found += wrong("was not tried, as its namespace" in words, True, f"not told: {words}")
    found += wrong(world.is_there("namespace", PLACE), False, "the namespace was made")
    world.cluster.kubectl("create", "namespace", PLACE)
    code, _, words = world.told("--dry-run=server", GPU)
    found += wrong((code, "was not tried" in words), (0, False), f"in its namespace: {words}")
    found += wrong(world.is_there("subscription", SUBSCRIPTION, PLACE), False, "it was made")
    own = world.folder / "own" / "cluster"
    own.mkdir(parents=True)
    policy = (ROOT / "manifests/cluster" / f"{POLICY}.yaml").read_text()
    (own / f"{POLICY}.yaml").write_text(policy.replace("strategy: single", "strategy: [1]"))
    code, told, _ = world.told("--dry-run=server", "--manifests", str(own.parent), POLICY)
    return found + wrong((code, "mig.strategy" in told[POLICY][1]), (1, True), f"a wrong file: {told}")


def check_timeout(world: World) -> list[str]:
    """Without an operator, the time is up; what comes after it is not made."""
    begin = time.monotonic()
    code, told, words = world.told("--timeout=2s", GPU, POLICY)
    found = wrong((code, told[GPU][0], told[POLICY][0]), (4, "timedOut", "skipped"), f"{told}")
    found += wrong("no state yet" in told[GPU][1], True, f"why: {told[GPU]}")
    found += wrong(words.count("waiting for"), 1, f"told: {words}")
    if time.monotonic() - begin > 15:
        found.append("it took too long")
    return found + wrong(world.is_there("clusterpolicy", "gpu-cluster-policy"), False, "made too early")


def play(world: World, seen: list[str]) -> None:
    """What the operators would do, with a pause between."""
    def later(what: str, action: object) -> None:
        time.sleep(1.5)
        seen.append(f"{what}, policy there: {world.is_there('clusterpolicy', 'gpu-cluster-policy')}")
        action()

    version = {
        "apiVersion": "operators.coreos.com/v1alpha1", "kind": "ClusterServiceVersion",
        "metadata": {"name": "gpu-operator.v25", "namespace": PLACE},
        "spec": {"displayName": "GPU", "install": {"strategy": "deployment", "spec": {"deployments": []}}},
    }  # fmt: skip
    named = ("clusterserviceversion", "gpu-operator.v25")
    at = {"lastUpdated": "2026-01-01T00:00:00Z"}
    later("pending", lambda: world.status(
        "subscription", SUBSCRIPTION, {"state": "UpgradePending", **at}, PLACE))
    world.cluster.apply(json.dumps(version))
    later("latest", lambda: world.status(
        "subscription", SUBSCRIPTION, {"state": "AtLatestKnown", "installedCSV": named[1], **at}, PLACE))
    later("installing", lambda: world.status(
        *named, {"phase": "Installing", "reason": "InstallWaiting", "message": "a deployment"}, PLACE))
    later("succeeded", lambda: world.status(*named, {"phase": "Succeeded"}, PLACE))
    world.cluster.wait("the policy", lambda: world.is_there("clusterpolicy", "gpu-cluster-policy"), 20)
    for state in ("notReady", "ready"):
        time.sleep(1.5)
        world.status("clusterpolicy", "gpu-cluster-policy", {"state": state, "namespace": PLACE})


def check_applies(world: World) -> list[str]:
    """In order, each after the one before is ready, as kubectl's server-side apply does it."""
    seen: list[str] = []
    player = threading.Thread(target=play, args=(world, seen), daemon=True)
    player.start()
    code, told, words = world.told("--timeout=1m", POLICY, GPU)
    player.join(30)
    found = wrong((code, list(told.items())), (0, [(GPU, ("ready", "")), (POLICY, ("ready", ""))]), words)
    if len(seen) != 4 or any("True" in it for it in seen):
        found.append(f"the policy came before its operator was ready: {seen}")
    for wait in ("UpgradePending", "Installing: InstallWaiting: a deployment", "notReady"):
        if wait not in words:
            found.append(f"not told: {wait}")
    for kind, name, place in (("subscription", SUBSCRIPTION, PLACE), ("clusterpolicy", "gpu-cluster-policy", "default")):
        about = json.loads(world.cluster.kubectl(
            "get", kind, name, f"-n={place}", "-o=json", "--show-managed-fields"))["metadata"]  # fmt: skip
        managers = [(it["manager"], it["operation"]) for it in about["managedFields"] if "subresource" not in it]
        found += wrong(managers, [("llm-d-scale", "Apply")], f"managers of {name}")
        found += wrong(about.get("labels", {}).get("llm-d-scale/run"), None, f"a run's label on {name}")
    return found


def check_again(world: World) -> list[str]:
    """Applied again, nothing changes; what is there is told as ready."""
    def versions() -> list[int]:
        return [world.cluster.get("subscription", SUBSCRIPTION, PLACE)["metadata"]["resourceVersion"],
                world.cluster.get("clusterpolicy", "gpu-cluster-policy")["metadata"]["resourceVersion"]]  # fmt: skip

    before = versions()
    code, told, _ = world.told("--timeout=20s", GPU, POLICY)
    found = wrong((code, {it[0] for it in told.values()}), (0, {"ready"}), f"again: {told}")
    found += wrong(versions(), before, "versions")
    code, told, _ = world.told("--check", POLICY, GPU)
    return found + wrong((code, list(told)), (0, [GPU, POLICY]), f"checked: {told}")


def check_conflict(world: World) -> list[str]:
    """What somebody else has set is taken over only if that is asked for."""
    other = {
        "apiVersion": "operators.coreos.com/v1alpha1", "kind": "Subscription",
        "metadata": {"name": SUBSCRIPTION, "namespace": PLACE},
        "spec": {"name": SUBSCRIPTION, "source": "mirrored", "sourceNamespace": "openshift-marketplace"},
    }  # fmt: skip
    world.cluster.kubectl("apply", "--server-side", "--force-conflicts", "--field-manager=admin",
                          "--filename=-", input=json.dumps(other))  # fmt: skip

    def source() -> str:
        return world.cluster.get("subscription", SUBSCRIPTION, PLACE)["spec"]["source"]

    code, told, _ = world.told("--timeout=20s", GPU)
    why = told[GPU][1]
    advised = "conflict" in why and "--force-conflicts" in why
    found = wrong((code, advised, source()), (1, True, "mirrored"), f"refused: {why}")
    code, told, _ = world.told("--timeout=20s", "--force-conflicts", GPU)
    return found + wrong((code, source()), (0, "certified-operators"), f"taken over: {told}")


def check_not_ready(world: World) -> list[str]:
    """What was ready and is no more is told; what never will be ends the wait at once."""
    world.status("clusterserviceversion", "gpu-operator.v25",
                 {"phase": "Failed", "reason": "ComponentUnhealthy", "message": "no pod"}, PLACE)  # fmt: skip
    code, told, _ = world.told("--check", GPU)
    found = wrong((code, told[GPU][0]), (1, "notReady"), "checked")
    found += wrong("Failed: ComponentUnhealthy: no pod" in told[GPU][1], True, f"why: {told}")
    world.status("clusterpolicy", "gpu-cluster-policy", {"state": "ignored", "namespace": PLACE})
    code, told, _ = world.told("--timeout=30s", POLICY)
    found += wrong((code, told[POLICY][0]), (1, "failed"), f"ignored: {told}")
    code, text, _ = world.assets("--check", POLICY)
    return found + wrong((code, "FAILED" in text), (1, True), f"for people: {text}")


CHECKS = tuple(it for name, it in list(globals().items()) if name.startswith("check_"))


def main() -> None:
    """The checks that are named, or all, in their order: each goes on where the one before ended."""
    if sys.argv[1:] == ["missing"]:
        lacks = Cluster.missing("kwok")
        if lacks:
            print("skipped: assets of clusters: " + "; ".join(lacks))
        sys.exit(1 if lacks else 0)
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary, *names = sys.argv[1:]
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="assets-") as folder:
        with Cluster(Path(folder) / "cluster", nodes="kwok") as cluster:
            world = World(str(Path(binary).resolve()), Path(folder), cluster)
            world.fetch()
            cluster.enter()
            tally.run(CHECKS, names, world)
    sys.exit(tally.finish())


if __name__ == "__main__":
    main()
