"""Container images without a registry: archives of one layer, as `docker save` writes them.

The same files give the same archive, byte for byte: no times, no users, sorted.
"""

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path

BUSYBOX = "localhost/busybox:1"
PAUSE = "localhost/pause:1"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ENVIRONMENT = ("PATH=/usr/local/bin:/usr/bin:/bin",)
USERS = b"root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
# Kept empty: a container's root file system needs them to mount upon.
FOLDERS = ("dev", "etc", "proc", "sys", "tmp")

# (path in the image, a local file or what is to be in it, mode)
Entry = tuple[str, str | Path | bytes, int]


def archive(
    target: str | Path, name: str, files: Iterable[Entry], *, entrypoint: Iterable[str] = (),
    command: Iterable[str] = (), user: str = "", environment: Iterable[str] = ENVIRONMENT,
) -> Path:  # fmt: skip
    """Writes an image NAME:TAG of one layer. A tag `latest` would make Kubernetes pull it."""
    settings = {
        "Entrypoint": list(entrypoint), "Cmd": list(command), "User": user,
        "Env": list(environment),
    }  # fmt: skip
    return write(Path(target), layer(files), {name: settings})


def busybox(target: str | Path) -> Path:
    """Debian's busybox as a small system, and the same as the image that holds a pod together."""
    program = Path("/bin/busybox")
    names = subprocess.run([program, "--list"], text=True, capture_output=True, check=True).stdout
    files: list[Entry] = [("bin/busybox", program, 0o755), ("etc/passwd", USERS, 0o644)]
    links = {f"bin/{name}": "busybox" for name in names.split() if name != "busybox"}
    settings = {"Cmd": ["/bin/sh"], "Env": list(ENVIRONMENT)}
    images = {BUSYBOX: settings, PAUSE: {**settings, "Cmd": ["/bin/sleep", "2147483647"]}}
    return write(Path(target), layer(files, links), images)


def layer(files: Iterable[Entry], links: dict[str, str] | None = None) -> bytes:
    """A layer: these files, these symbolic links, and the folders that they need."""
    entries = {path.strip("/"): (content, mode) for path, content, mode in files}
    links = links or {}
    folders = set(FOLDERS)
    for path in [*entries, *links]:
        folders |= {str(parent) for parent in Path(path).parents} - {"."}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in sorted(folders | entries.keys() | links.keys()):
            if path in links:
                add(tar, path, kind=tarfile.SYMTYPE, link=links[path])
            elif path in entries:
                content, mode = entries[path]
                data = content if isinstance(content, bytes) else Path(content).read_bytes()
                add(tar, path, data, mode)
            else:
                add(tar, path, kind=tarfile.DIRTYPE, mode=0o1777 if path == "tmp" else 0o755)
    return buffer.getvalue()


def add(
    tar: tarfile.TarFile, path: str, data: bytes = b"", mode: int = 0o755,
    kind: bytes = tarfile.REGTYPE, link: str = "",
) -> None:  # fmt: skip
    """Adds an entry that tells nothing of this machine."""
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode, entry.type, entry.linkname = len(data), mode, kind, link
    tar.addfile(entry, io.BytesIO(data))


def write(target: Path, data: bytes, images: dict[str, dict]) -> Path:
    """Writes images that share one layer."""
    digest = hashlib.sha256(data).hexdigest()
    content, manifest = {"layer.tar": data}, []
    for name, settings in images.items():
        about = {
            "architecture": ARCHITECTURES[platform.machine()], "os": "linux", "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        }  # fmt: skip
        text = json.dumps(about, sort_keys=True).encode()
        file = f"{hashlib.sha256(text).hexdigest()}.json"
        content[file] = text
        manifest.append({"Config": file, "RepoTags": [name], "Layers": ["layer.tar"]})
    content["manifest.json"] = json.dumps(manifest).encode()
    with tarfile.open(target, "w") as tar:
        for path in sorted(content):
            add(tar, path, content[path], 0o644)
    return target
