"""The inside of a cluster: process 1 of its own namespaces, which starts all the others.

    node.py FOLDER PROGRAMS GROUP real|DELAY

`cluster.py` calls it; a DELAY, in seconds, means nodes of kwok. It tells `ready`, does what it is
told by a line (`stop-api`, `start-api`), and lasts until its input ends: so however the process ends
that called it, the cluster ends too. When process 1 ends, the kernel ends all processes of the
namespaces, and with the last of them go their mounts and their network.
"""

import contextlib
import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import image
import keys
import kwok
import machine
import settings

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Starts the cluster in a child, so that this process is free for its duties as the first."""
    folder, programs, group, kind = Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:]
    os.environ.clear()  # a proxy's address, say, is for the machine, not for the cluster
    os.environ.update(PATH=machine.PATH, HOME=str(folder / "lib"))
    machine.join_groups(group)
    node = Node(folder, programs, group)
    starter = os.fork()
    if not starter:
        node.start_real() if kind == "real" else node.start_kwok(float(kind))
        return 0
    failed = watch(starter, node)
    end_all()
    machine.leave_groups()
    machine.remove_groups(group)
    return failed


def watch(starter: int, node: "Node") -> int:
    """Takes leave of ended orphans until the input ends; 1 if the start failed."""
    while True:
        if select.select([sys.stdin], [], [], 0.2)[0]:
            # Unbuffered, as `select` sees nothing of what a buffer has taken.
            told = os.read(sys.stdin.fileno(), 100)
            if not told:
                return 0
            # In a child, as this process has to see to the orphans, one of which may be waited for.
            if not os.fork():
                node.command(told.decode().strip())
                os._exit(0)
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == starter and ended[1]:
                    return 1


def end_all() -> None:
    """Ends all processes of the namespace, those of containers as well."""
    with contextlib.suppress(ChildProcessError):
        while True:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)
            os.wait()


class Node:
    """Starts the control plane and the node."""

    def __init__(self, folder: Path, programs: Path, group: str) -> None:
        self.folder, self.programs, self.group = folder, programs, group
        self.log, self.keys = folder / "log", folder / "keys"
        self.running: dict[str, subprocess.Popen] = {}
        self.begun = time.monotonic()

    def start_real(self) -> None:
        """Everything, in an order that waits as little as possible."""
        own_folders(self.folder)
        own_network()
        self.containerd()
        self.store()
        self.images()
        self.controllers()
        self.kubelet()
        self.kube_proxy()
        self.dns()
        self.until("kubelet", self.is_node_ready)
        self.until("kube-controller-manager", self.has_account)
        self.until("kube-scheduler", is_scheduling)
        self.until("kube-proxy", is_routed)
        print("ready", flush=True)

    def start_kwok(self, delay: float) -> None:
        """The control plane, and kwok for what the nodes would do."""
        own_folders(self.folder)
        own_network()
        self.store()
        self.controllers()
        log = self.folder / "pods.log"
        log.write_text(kwok.log("kwok runs no containers"))
        config = self.configured("kwok.yaml", kwok.configuration(delay, log))
        self.program("kwok", settings.kwok(self.keys, config))
        self.until("kube-controller-manager", self.has_account)
        self.until("kube-scheduler", is_scheduling)
        print("ready", flush=True)

    def store(self) -> None:
        """Starts what keeps objects, and who serves them."""
        keys.make(self.keys)
        control_plane = settings.control_plane(self.keys)
        for name in ("etcd", "kube-apiserver"):
            self.program(name, control_plane[name])

    def controllers(self) -> None:
        """Starts those who act upon objects, once these are served."""
        self.until("kube-apiserver", lambda: self.api("readyz") == b"ok")
        control_plane = settings.control_plane(self.keys)
        for name in ("kube-controller-manager", "kube-scheduler"):
            self.program(name, control_plane[name])

    def command(self, told: str) -> None:
        """Does what it is told, and tells when it is done, or why not."""
        try:
            if told == "stop-api":
                kill("kube-apiserver")
            elif told == "start-api":
                self.program("kube-apiserver", settings.control_plane(self.keys)["kube-apiserver"])
                self.until("kube-apiserver", lambda: self.api("readyz") == b"ok")
            else:
                sys.exit(f"{told!r} is no command")
            print("done", flush=True)
        except SystemExit as error:
            print(json.dumps(str(error)), flush=True)

    def run(self, name: str, command: list[str | Path]) -> None:
        """Starts a program that stays; its log has its name."""
        with open(self.log / f"{name}.log", "ab") as log:
            self.running[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def program(self, name: str, arguments: list[str]) -> None:
        """Starts a program of Kubernetes."""
        self.run(name, [self.programs / name, *arguments])

    def configured(self, name: str, text: str) -> str:
        """Writes a configuration; its path."""
        path = self.folder / name
        path.write_text(text)
        return str(path)

    def containerd(self) -> None:
        """Starts what runs containers."""
        network = Path("/run/cni/net.d")
        network.mkdir(parents=True)
        (network / "pods.conflist").write_text(settings.pod_network())
        config = self.configured("containerd.toml", settings.containerd())
        self.run("containerd", ["containerd", "--config", config])

    def images(self) -> None:
        """Loads the image that every pod needs."""
        archive = image.busybox(self.folder / "busybox.tar")
        self.until("containerd", Path(settings.SOCKET).is_socket)
        subprocess.run(
            ["ctr", "--namespace=k8s.io", "images", "import", "--digests=false", archive],
            check=True, stdout=sys.stderr,
        )  # fmt: skip

    def kubelet(self) -> None:
        """Starts what makes this machine a node."""
        config = self.configured("kubelet.json", settings.kubelet(self.keys, self.group))
        self.program("kubelet", [
            f"--config={config}", f"--kubeconfig={self.keys}/kubelet.kubeconfig",
            f"--hostname-override={settings.NODE_NAME}", f"--node-ip={settings.NODE}",
        ])  # fmt: skip

    def kube_proxy(self) -> None:
        """Starts what routes Services."""
        config = self.configured("kube-proxy.json", settings.kube_proxy(self.keys))
        self.program("kube-proxy", [f"--config={config}"])

    def dns(self) -> None:
        """Starts what pods ask for names."""
        names = self.folder / "names.json"
        client = self.keys / "admin.kubeconfig"
        self.run("dns", [sys.executable, HERE / "dns.py", settings.NODE, names, client])

    def api(self, path: str) -> bytes | None:
        """What the API server answers, nothing if it does not."""
        context = ssl.create_default_context(cafile=str(self.keys / "ca.crt"))
        context.load_cert_chain(self.keys / "admin.crt", self.keys / "admin.key")
        url = f"https://{settings.NODE}:6443/{path}"
        try:
            with urllib.request.urlopen(url, context=context, timeout=5) as answer:
                return answer.read()
        except OSError:
            return None

    def is_node_ready(self) -> bool:
        """Whether pods can be scheduled: Ready, and without the taint of one that is not."""
        node = json.loads(self.api(f"api/v1/nodes/{settings.NODE_NAME}") or b"{}")
        conditions = node.get("status", {}).get("conditions", [])
        ready = any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        return ready and not node["spec"].get("taints")

    def has_account(self) -> bool:
        """Whether the namespace has what each of its pods gets: an account and the authority."""
        path = "api/v1/namespaces/default"
        return all(map(self.api, (
            f"{path}/serviceaccounts/default", f"{path}/configmaps/kube-root-ca.crt",
        )))  # fmt: skip

    def until(self, name: str, reached: Callable[[], bool], timeout: float = 120) -> None:
        """Waits for a program, and tells when it was ready."""
        end = time.monotonic() + timeout
        while not reached():
            for program, process in self.running.items():
                if process.poll() is not None:
                    sys.exit(f"{program} ended by {process.returncode}\n{self.tail(program)}")
            if time.monotonic() > end:
                sys.exit(f"{name} was not ready after {timeout:.0f} s\n{self.tail(name)}")
            time.sleep(0.05)
        print(f"{time.monotonic() - self.begun:6.2f} s {name}", file=sys.stderr, flush=True)

    def tail(self, name: str) -> str:
        """The end of a log."""
        lines = (self.log / f"{name}.log").read_text(errors="replace").splitlines()
        return "\n".join(line[:500] for line in lines[-8:])


def kill(name: str, timeout: float = 10) -> None:
    """Kills a program, as a power cut would: connections break in the middle."""
    until = time.monotonic() + timeout
    while processes := [
        int(path.parent.name) for path in Path("/proc").glob("[0-9]*/comm") if called(path) == name
    ]:
        for process in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if time.monotonic() > until:
            sys.exit(f"{name} does not end")
        time.sleep(0.05)


def called(path: Path) -> str:
    """A process's name, empty if it has just ended."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def own_folders(folder: Path) -> None:
    """The usual places, but our own, and the machine's settings read-only, but for the network."""
    mounts = (
        "-t tmpfs -o mode=755,nosuid,nodev kube /run",
        f"--bind {folder}/lib /var/lib",
        f"--bind {folder}/log /var/log",
        "--bind /proc/sys /proc/sys",
        "-o remount,bind,ro /proc/sys",
        "--bind /proc/sys/net /proc/sys/net",
        "-o remount,bind,rw /proc/sys/net",
    )
    for mount in mounts:
        subprocess.run(["mount", *mount.split()], check=True)
    for name, value in settings.KERNEL.items():
        shown = Path("/run/kernel", name)
        shown.parent.mkdir(parents=True, exist_ok=True)
        shown.write_text(f"{value}\n")
        subprocess.run(["mount", "--bind", shown, f"/proc/sys/{name}"], check=True)


def own_network() -> None:
    """The node's address on the loopback device, as there is no other to give it to.

    The route is for the node's own programs: without one they could not even try the address of a
    Service, which kube-proxy's rules then turn into a pod's.
    """
    commands = (
        "link set lo up",
        f"address add {settings.NODE}/32 dev lo",
        f"route add {settings.SERVICES} dev lo src {settings.NODE}",
    )
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def is_scheduling() -> bool:
    """Whether the scheduler works; who it is does not matter here."""
    context = ssl._create_unverified_context()
    try:
        with urllib.request.urlopen(
            "https://127.0.0.1:10259/readyz", context=context, timeout=5
        ) as answer:
            return answer.status == 200
    except (OSError, urllib.error.HTTPError):
        return False


def is_routed() -> bool:
    """Whether Services lead somewhere; the first is that of the API server."""
    try:
        socket.create_connection((settings.API, 443), timeout=0.2).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
