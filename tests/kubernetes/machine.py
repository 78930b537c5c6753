"""What a cluster needs of this machine, and its control groups: all that can outlive it."""

import contextlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

import build

CNI = Path("/usr/lib/cni")
# What the programs of a cluster get; a user's own may lack the folders for administrators.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = {
    "ip": "iproute2", "openssl": "openssl", "unshare": "util-linux", "nsenter": "util-linux",
    "mount": "mount",
}  # fmt: skip
# What containers need besides, which nodes of kwok do not run.
REAL = {
    "containerd": "containerd", "ctr": "containerd", "runc": "runc", "busybox": "busybox-static",
    "nft": "nftables",
}  # fmt: skip
_numbers = itertools.count(1)


def missing(real: bool = True) -> list[str]:
    """What this machine lacks, as sentences; nothing if a cluster can start."""
    lacks = []
    if os.geteuid():
        lacks.append("only root can make namespaces")
    for program, package in {**PACKAGES, **(REAL if real else {})}.items():
        if not shutil.which(program, path=PATH):
            lacks.append(f"{program} is missing: install Debian's package {package}")
    if real and not (CNI / "ptp").exists():
        lacks.append("no CNI plugins: install Debian's package containernetworking-plugins")
    if not build.go_version() and not build.is_built():
        lacks.append("Kubernetes is not built, and there is no Go to build it")
    # The rest tries things, which would only say again what is already said.
    return lacks or unable(real)


def unable(real: bool) -> list[str]:
    """What root may not do here, as in most containers."""
    lacks = []
    if real and b"/ld-linux" in Path("/bin/busybox").read_bytes()[:4096]:
        lacks.append("busybox is linked dynamically: install Debian's package busybox-static")
    tried = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "true"]
    done = subprocess.run(tried, text=True, capture_output=True, check=False)
    if done.returncode:
        lacks.append(f"no namespaces of our own: {done.stderr.strip()}")
    name = group_name()
    try:
        make_groups(name)
    except OSError as error:
        lacks.append(f"cgroups are not writable: {error}")
    if not hierarchies():
        lacks.append("no cgroups are mounted")
    remove_groups(name)
    return lacks


def group_name() -> str:
    """A name that tells whose it is, so that what a dead process left can be found."""
    return f"kube-{os.getpid()}-{next(_numbers)}"


def hierarchies() -> list[Path]:
    """Where cgroups are mounted: one place with version 2, one for each controller with 1."""
    mounts = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [Path(mount[1]) for mount in mounts if mount[2] in ("cgroup", "cgroup2")]


def make_groups(name: str) -> None:
    """Makes NAME for pods and NAME/system for all else (version 2 wants processes in leaves)."""
    for top in hierarchies():
        for group in (top / name, top / name / "system"):
            group.mkdir(exist_ok=True)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                inherit(group, setting)


def inherit(group: Path, setting: str) -> None:
    """A new cpuset of version 1 is empty, and nothing can run in it."""
    parent = group.parent / setting
    if parent.exists() and (value := parent.read_text().strip()):
        (group / setting).write_text(value)


def join_groups(name: str) -> None:
    """Moves this process, and so its later children, into NAME/system."""
    for top in hierarchies():
        (top / name / "system/cgroup.procs").write_text("0")


def leave_groups() -> None:
    """Moves this process to the top: a group that has a process cannot be removed."""
    for top in hierarchies():
        (top / "cgroup.procs").write_text("0")


def members(name: str) -> set[int]:
    """The processes in a group and in those below it."""
    found: set[int] = set()
    for top in hierarchies():
        for folder, _, _ in os.walk(top / name):
            with contextlib.suppress(OSError):  # just removed
                found |= set(map(int, Path(folder, "cgroup.procs").read_text().split()))
    return found


def remove_groups(name: str, timeout: float = 5) -> bool:
    """Removes a group and those below it; those whose processes are still ending take a moment."""
    until = time.monotonic() + timeout
    while True:
        left = [group for top in hierarchies() if (group := top / name).exists()]
        for top in left:
            for folder, _, _ in os.walk(top, topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(folder)
        if not left or time.monotonic() > until:
            return not left
        time.sleep(0.02)


def clean() -> list[str]:
    """Removes what clusters of dead processes left; their names."""
    found = {path.name for top in hierarchies() for path in top.glob("kube-*-*")}
    dead = [name for name in sorted(found) if (match := re.fullmatch(r"kube-(\d+)-\d+", name))
            and not Path("/proc", match[1]).exists()]  # fmt: skip
    for name in dead:
        for process in members(name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        remove_groups(name)
    return dead
