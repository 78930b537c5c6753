"""Resource definitions of extensions, out of the Go modules that have them; extensions/go.mod names
the versions."""

import json
import re
import shutil
import subprocess
from pathlib import Path

EXTENSIONS = Path(__file__).resolve().parent / "extensions"
#: Go module, its files, and the definitions to take of these; none named means all.
SOURCES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "gateway-api": (
        "sigs.k8s.io/gateway-api", "config/crd/standard/gateway.networking.k8s.io_*.yaml", ()
    ),
    "inference-extension": (
        "sigs.k8s.io/gateway-api-inference-extension", "config/crd/bases/*.yaml", ()
    ),
    "istio": (
        "istio.io/api", "kubernetes/customresourcedefinitions.gen.yaml",
        ("destinationrules.networking.istio.io",),
    ),
}  # fmt: skip


def folder(module: str) -> Path:
    """Where Go keeps a module, once it has fetched it."""
    if not shutil.which("go"):
        raise RuntimeError(f"{module} is a Go module, and there is no Go to fetch it: install Go")
    done = subprocess.run(
        ["go", "mod", "download", "-json", module], cwd=EXTENSIONS, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    told = json.loads(done.stdout or "{}")
    if done.returncode or "Dir" not in told:
        raise RuntimeError(f"go mod download {module}: {told.get('Error') or done.stderr.strip()}")
    return Path(told["Dir"])


def version(module: str) -> str:
    """The version of a module, as go.mod has it."""
    found = re.search(rf"^\s*{re.escape(module)} (v\S+)", (EXTENSIONS / "go.mod").read_text(), re.M)
    if not found:
        raise RuntimeError(f"{EXTENSIONS}/go.mod names no version of {module}")
    return found[1]


def read(name: str) -> str:
    """The definitions of an extension."""
    if name not in SOURCES:
        raise ValueError(f"{name} is none of {', '.join(SOURCES)}")
    module, pattern, wanted = SOURCES[name]
    text = "\n---\n".join(path.read_text() for path in sorted(folder(module).glob(pattern)))
    found = {names(it)[0]: it for it in re.split(r"(?m)^---\s*$", text) if names(it)}
    if lacking := set(wanted) - found.keys() or not found:
        raise RuntimeError(f"{module} {version(module)}: {pattern} has no definitions {lacking}")
    return "\n---\n".join(it for about, it in found.items() if about in wanted or not wanted)


def names(text: str) -> list[str]:
    """The names of definitions: those that a manifest's `metadata` has first in a line."""
    if "kind: CustomResourceDefinition" not in text:
        return []
    return re.findall(r"(?m)^  name: ([a-z0-9.-]+)$", text)
