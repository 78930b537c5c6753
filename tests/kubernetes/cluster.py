#!/usr/bin/env python3
"""A real Kubernetes on this machine, for a test: control plane and a node that runs real pods.

    with Cluster(folder) as cluster:
        cluster.load(archive)
        cluster.apply(yaml)
        cluster.wait("the job", lambda: cluster.get("job", "run")["status"].get("succeeded"), 60)

Or one whose nodes only play that they run pods: `Cluster(folder, nodes="kwok")`.

As a command: `cluster.py missing [NODES] | build | clean | start FOLDER [NODES]`. README.md tells more.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import build
import crds
import kwok
import machine
import settings
import storage

HERE = Path(__file__).resolve().parent
CLONE_NEWNET = 0x40000000
# The cluster has places of its own for these, which would hide a folder there.
HIDDEN = ("/run", "/var/run", "/var/lib", "/var/log", "/proc")
T = TypeVar("T")


class Failure(Exception):
    """A command failed, or something did not come about in time."""


class Cluster:
    """A Kubernetes that runs as long as the `with` block, or else as long as this process.

    FOLDER, which should be new, gets its data, keys and logs; it is the caller's to remove. NODES are
    "real", one that runs pods, or "kwok", some that run nothing: there the pods of a Job succeed
    after DELAY seconds, unless annotations ask for something else.
    """

    address = settings.NODE
    """The node, as pods reach it: there a test can serve, after `enter`."""

    def __init__(self, folder: str | Path, nodes: str = "real", delay: float = 1.0) -> None:
        if nodes not in ("real", "kwok"):
            raise ValueError(f"nodes are real or kwok, not {nodes!r}")
        self.real, self.delay, self.provided = nodes == "real", delay, 0
        self.outcomes: list[tuple[dict[str, str], dict[str, str]]] = []
        self.folder = Path(folder).resolve()
        if str(self.folder).startswith(tuple(f"{hidden}/" for hidden in HIDDEN)):
            raise ValueError(f"{self.folder}: a cluster cannot be below {', '.join(HIDDEN)}")
        self.name = machine.group_name()
        self.kubeconfig = self.folder / "keys/admin.kubeconfig"
        self.process: subprocess.Popen | None = None
        self.init = 0

    @staticmethod
    def missing(nodes: str = "real") -> list[str]:
        """What this machine lacks to start a cluster, as sentences."""
        return machine.missing(nodes == "real")

    @staticmethod
    def build() -> Path:
        """Builds the programs, if they are not; the folder where they are."""
        return build.build()

    def __enter__(self) -> "Cluster":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts all, and returns when pods can run."""
        programs = self.build()
        machine.clean()
        for name in ("lib", "log"):
            (self.folder / name).mkdir(parents=True)
        self.resolve({})
        machine.make_groups(self.name)
        spaces = ("--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")
        kind = "real" if self.real else str(self.delay)
        command = [sys.executable, HERE / "node.py", self.folder, programs, self.name, kind]
        with open(self.folder / "log/start.log", "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", *spaces, "--", *command], cwd="/", start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        if self.process.stdout.readline() != b"ready\n":
            told = (self.folder / "log/start.log").read_text(errors="replace")
            raise Failure(f"no cluster:\n{told[-4000:]}")
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        self.init = int(children.read_text())
        if not self.real:
            self.play()

    def play(self) -> None:
        """Makes kwok's nodes, and waits until pods can be bound to them."""
        nodes = [kwok.node("worker-0"), kwok.node("worker-1"), kwok.node("gpu-0", gpus=8)]
        self.apply(documents([*nodes, *kwok.policy([])]))
        for node in nodes:
            self.until_ready(node["metadata"]["name"])
        asked = {kwok.OUTCOME: "unschedulable"}
        self.await_policy(asked, {}, lambda pod: pod["spec"].get("nodeSelector"))

    def until_ready(self, node: str) -> None:
        """Waits until a node is Ready, and until the controllers have seen that it is."""
        def ready() -> bool:
            found = self.get("node", node)
            taints = [it["key"] for it in found["spec"].get("taints", [])]
            return not any(key.startswith("node.kubernetes.io/") for key in taints) and any(
                it["type"] == "Ready" and it["status"] == "True" for it in found["status"]["conditions"]
            )

        self.wait(f"node {node} Ready", ready, 30)

    def stop(self) -> None:
        """Ends all that was started. Its first process sees the end of its input and does so."""
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()  # and by --kill-child all the rest
                self.process.wait()
            self.process.stdout.close()
        self.process, self.init = None, 0
        if not machine.remove_groups(self.name):
            raise Failure(f"cgroups {self.name} stay: {sorted(machine.members(self.name))}")

    @property
    def network(self) -> str:
        """The path of the network namespace, for `nsenter --net=PATH`."""
        return f"/proc/{self.init}/ns/net"

    def enter(self) -> None:
        """Moves this process into the cluster's network, and so what it starts from now on.

        There is no way back, and no way out of that network. Only the calling thread moves, so a
        process should do this while it has but one.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        with open(self.network) as namespace:
            if libc.setns(namespace.fileno(), CLONE_NEWNET):
                error = ctypes.get_errno()
                raise OSError(error, os.strerror(error), self.network)

    def resolve(self, names: dict[str, str]) -> None:
        """Sets the names that pods can look up, besides Services: full name -> address."""
        new = self.folder / "names.new"
        new.write_text(json.dumps({name.lower().rstrip("."): to for name, to in names.items()}))
        new.replace(self.folder / "names.json")

    def load(self, archive: str | Path) -> None:
        """Imports an image: a tar of Docker's or of OCI's kind."""
        command = ["ctr", "--namespace=k8s.io", "images", "import", "--digests=false", "-"]
        with open(archive, "rb") as tar:
            run(["nsenter", f"--target={self.init}", "--mount", "--pid", "--net", *command],
                stdin=tar)  # fmt: skip

    def install(self, name: str) -> None:
        """Installs the resource definitions of an extension: "gateway-api", "inference-extension" or
        "istio" (of which DestinationRule alone)."""
        names = crds.names(text := crds.read(name))
        self.apply(text)

        def established() -> bool:
            found = json.loads(self.kubectl("get", "crd", *names, "--output=json"))
            return all(
                any(one["type"] == "Established" and one["status"] == "True"
                    for one in it["status"]["conditions"] or [])
                for it in found.get("items", [found])
            )  # fmt: skip

        self.wait(f"the definitions of {name}", established, 30)

    def node(self, name: str, *, gpus: int = 0, labels: dict[str, str] | None = None) -> None:
        """Adds a node of kwok."""
        self.apply(documents([kwok.node(name, gpus=gpus, labels=labels)]))
        self.until_ready(name)

    def outcome(self, outcome: str, labels: dict[str, str], **more: str) -> None:
        """Says what becomes of kwok's pods that have some labels and are made from now on, for
        manifests that are not the test's to change. MORE are the other annotations, as `exit_code`."""
        annotations = {f"{kwok.DOMAIN}/{name.replace('_', '-')}": str(it) for name, it in more.items()}
        odd = [name for name in annotations if name.split("/")[1] not in kwok.ANNOTATIONS]
        if outcome not in kwok.OUTCOMES or odd:
            raise ValueError(f"no such outcome: {outcome} {' '.join(odd)}")
        annotations[kwok.OUTCOME] = outcome
        self.outcomes.append((labels, annotations))
        self.apply(documents(kwok.policy(self.outcomes)))
        wanted = annotations.items()
        self.await_policy({}, labels, lambda pod: wanted <= pod["metadata"]["annotations"].items())

    def set_log(self, text: str) -> None:
        """What the log of each of kwok's pods says from now on."""
        (self.folder / "pods.log").write_text(kwok.log(text))

    def await_policy(self, annotations: dict, labels: dict, seen: Callable[[dict], object]) -> None:
        """Waits until the API server heeds an admission policy: it does a moment after it has it."""
        about = {"name": "policy-probe", "annotations": annotations, "labels": labels}
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": about,
            "spec": {"containers": [{"name": "none", "image": "none"}]},
        }  # fmt: skip
        self.wait("the admission policy", lambda: seen(json.loads(self.kubectl(
            "create", "--dry-run=server", "--output=json", "--filename=-", input=json.dumps(pod)
        ))))  # fmt: skip

    def provide(self, count: int, size: str = "100Gi") -> list[Path]:
        """Gives the cluster volumes for claims, as an administrator would who has no provisioner, and
        makes theirs the default storage class; their folders."""
        objects = [storage.storage_class()]
        for _ in range(count):
            self.provided += 1
            objects.append(storage.volume(self.folder, self.provided, size))
        self.apply(documents(objects))
        return [Path(it["spec"]["hostPath"]["path"]) for it in objects[1:]]

    def stop_api(self) -> None:
        """Kills the API server: connections to it break, and new ones are refused."""
        self.tell("stop-api")

    def start_api(self) -> None:
        """Starts it again, and returns when it is ready."""
        self.tell("start-api")

    def restart_api(self, down: float = 0.0) -> None:
        """Kills the API server and starts it again, after DOWN seconds."""
        self.stop_api()
        time.sleep(down)
        self.start_api()

    def tell(self, command: str) -> None:
        """Has the first process of the cluster do something."""
        self.process.stdin.write(f"{command}\n".encode())
        self.process.stdin.flush()
        if (told := self.process.stdout.readline()) != b"done\n":
            raise Failure(f"{command}: {told.decode().strip()}")

    def kubectl(self, *arguments: str, input: str | None = None, check: bool = True) -> str:
        """Runs kubectl as the cluster's administrator; what it printed."""
        environment = {
            "PATH": os.environ["PATH"], "HOME": str(self.folder),
            "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.folder / "cache"),
        }  # fmt: skip
        command = ["nsenter", f"--net={self.network}", build.BIN / "kubectl", *arguments]
        return run(command, input=input, check=check, env=environment)

    def apply(self, yaml: str) -> str:
        """Applies manifests."""
        return self.kubectl(
            "apply", "--server-side", "--force-conflicts", "--filename=-", input=yaml
        )

    def get(self, kind: str, name: str, namespace: str = "default") -> dict:
        """An object."""
        return json.loads(self.kubectl("get", kind, name, f"-n={namespace}", "--output=json"))

    def wait(self, description: str, predicate: Callable[[], T], timeout: float = 60) -> T:
        """Waits until the predicate gives something true, and returns that.

        A `Failure` in it, as of an object that is not there, counts as not yet; a missing key too.
        """
        until, why = time.monotonic() + timeout, ""
        while True:
            try:
                if found := predicate():
                    return found
            except (Failure, KeyError, IndexError) as error:
                why = f"\nlast: {error!r}"
            if time.monotonic() > until:
                text = f"{description}: not within {timeout:.0f} s{why}\n{self.diagnosis()}"
                raise Failure(text)
            time.sleep(0.1)

    def diagnosis(self) -> str:
        """What helps to see why something does not happen."""
        parts = [
            self.kubectl("get", "pods,jobs,services", "-A", "-o=wide", check=False),
            tail(self.kubectl("get", "events", "-A", "--sort-by=.lastTimestamp", check=False), 20),
        ]
        for path in sorted((self.folder / "log/pods").glob("*/*/*.log"))[:12]:
            about = path.relative_to(self.folder / "log/pods")
            parts.append(f"{about}:\n{tail(path.read_text(errors='replace'), 5)}")
        for path in sorted((self.folder / "log").glob("*.log")):
            parts.append(f"{path.name}:\n{tail(path.read_text(errors='replace'), 3)}")
        return "\n".join(parts)


def run(command: list[str | Path], check: bool = True, **more: object) -> str:
    """Runs a command; what it printed."""
    if more.get("input") is None:
        more.setdefault("stdin", subprocess.DEVNULL)
        more.pop("input", None)
    done = subprocess.run(command, text=True, capture_output=True, check=False, **more)
    if check and done.returncode:
        text = " ".join(map(str, command))
        raise Failure(f"{text}: exit code {done.returncode}\n{done.stderr.strip()}")
    return done.stdout


def documents(objects: list[dict]) -> str:
    """Manifests of objects."""
    return "\n---\n".join(map(json.dumps, objects))


def tail(text: str, lines: int) -> str:
    """The last lines, cut to a readable width."""
    return "\n".join(line[:300] for line in text.splitlines()[-lines:])


def main(arguments: list[str]) -> int:
    """The command."""
    match arguments:
        case ["missing", *nodes] if nodes in ([], ["real"], ["kwok"]):
            print(*Cluster.missing(*nodes), sep="\n")
        case ["build"]:
            print(Cluster.build())
        case ["clean"]:
            print(*machine.clean(), sep="\n")
        case ["start", folder, *nodes] if nodes in ([], ["real"], ["kwok"]):
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            with Cluster(folder, *nodes) as cluster:
                print(f"export KUBECONFIG={cluster.kubeconfig}")
                print(f"nsenter --net={cluster.network} {shutil.which('kubectl', path=build.BIN)}")
                print("lasts until Ctrl-C", flush=True)
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    pass
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
