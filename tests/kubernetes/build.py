"""Builds etcd, all of Kubernetes and kwok into one program; nothing but Go modules is fetched."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "go"
TARGET = Path(__file__).resolve().parents[2] / "target/kubernetes"
BIN = TARGET / "bin"
DIGEST = BIN / "kube.json"
PROGRAMS = (
    "etcd", "kube-apiserver", "kube-controller-manager", "kube-proxy", "kube-scheduler",
    "kubectl", "kubelet", "kwok",
)  # fmt: skip


def version() -> str:
    """The version of Kubernetes: go.mod is the one place that names it."""
    found = re.search(r"k8s\.io/kubernetes (v\S+)", (SOURCES / "go.mod").read_text())
    assert found, "go.mod names no version of Kubernetes"
    return found[1]


def go_version() -> str:
    """The version of Go, empty if there is none."""
    if not shutil.which("go"):
        return ""
    return subprocess.run(
        ["go", "version"], cwd=SOURCES, text=True, capture_output=True, check=True
    ).stdout.strip()


def made_of() -> dict[str, str]:
    """Of what a build is made: a change makes it again."""
    digest = hashlib.sha256(" ".join(arguments()).encode())
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(SOURCES).as_posix().encode() + path.read_bytes())
    return {"sources": digest.hexdigest(), "go": go_version()}


def is_built() -> bool:
    """Whether the build at hand is of these sources; without Go, another Go's build will do."""
    try:
        have = json.loads(DIGEST.read_text())
    except (OSError, ValueError):
        return False
    want = made_of()
    return have["sources"] == want["sources"] and want["go"] in ("", have["go"])


def arguments() -> list[str]:
    """Of `go build`. Kubernetes asks for its own version, which only the linker can tell it."""
    major, minor = version()[1:].split(".")[:2]
    told = {"gitVersion": version(), "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    names = [f"-X k8s.io/component-base/version.{key}={value}" for key, value in told.items()]
    flags = " ".join(["-s -w", *names])
    return ["-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", flags]


def build() -> Path:
    """Builds what is not built yet, and returns the folder of the programs."""
    BIN.mkdir(parents=True, exist_ok=True)
    with open(TARGET / "lock", "w") as lock:
        # One at a time: the second would only slow the first, and then find its build.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_built():
            compile_all()
    return BIN


def compile_all() -> None:
    """The body of `build`."""
    print(f"building Kubernetes {version()}: minutes, the first time", file=sys.stderr)
    new = BIN / ".kube"
    done = subprocess.run(
        ["nice", "go", "build", *arguments(), "-o", new, "."],
        cwd=SOURCES, env={**os.environ, "CGO_ENABLED": "0"}, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"go build: {done.stderr.strip()[-4000:]}")
    for name in PROGRAMS:
        link = BIN / name
        if not link.is_symlink():
            link.symlink_to("kube")
    # A cluster that runs from the old build goes on: it has the old file open.
    new.replace(BIN / "kube")
    DIGEST.write_text(json.dumps(made_of()))
