"""What `llm-d-scale` tells each release of GuideLLM, told to the real one against a model server: the
report has to show what was asked for.

    python check_releases.py missing             what this machine lacks; exit code 69 if it does
    python check_releases.py BINARY [VERSION ...]

BINARY is llm-d-scale. Without versions, all: 200 MB each are fetched for those that are not installed.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("guidellm", "independent")]
import asked  # noqa: E402
import guidellm  # noqa: E402
import model_server  # noqa: E402
import yaml  # noqa: E402
from matching import Tally  # noqa: E402

VERSIONS = (*guidellm.VERSIONS, *guidellm.BETWEEN)
#: What the official images have set: the report's place in another way than the Job.
IMAGE = {
    "0.3.1": {"GUIDELLM_OUTPUT_PATH": "/results/benchmarks.json"},
    "0.4.0": {"GUIDELLM_OUTPUT_PATH": "/results/benchmarks.json"},
    "0.5.4": {"GUIDELLM_OUTPUT_DIR": "/results"}, "0.6.1": {"GUIDELLM_OUTPUT_DIR": "/results"},
    "0.7.0": {"GUIDELLM_OUTPUT_DIR": "/results"}, "0.8.1": {"GUIDELLM__DEFAULT_RESULTS_DIR": "/results"},
}  # fmt: skip
SCENARIOS = [
    {"name": "even", "rateType": "constant", "rate": 4, "seconds": 3},
    {"name": "uneven", "rateType": "poisson", "rate": 6, "seconds": 4},
    {"name": "flat-out", "rateType": "throughput", "rate": 3, "seconds": 2},
]
for it in SCENARIOS:
    it |= {"promptTokens": 24, "outputTokens": 6, "samples": 2}
#: Which of the samples of a scenario is run here.
SAMPLE = 1


def jobs(binary: str, version: str, target: str) -> dict[str, dict]:
    """The container of each scenario's Job, as it is rendered."""
    told = {"guidellmVersion": version, "target": target, "model": str(guidellm.tokenizer(version))}
    variables = [f"--set=vars.{name}={it}" for name, it in told.items()]
    done = subprocess.run(
        [binary, "render", "--uuid", "releases", f"--set=scenarios={json.dumps(SCENARIOS)}", *variables],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"render: {done.stderr}")
    rendered = [it for it in yaml.safe_load_all(done.stdout) if it and it["kind"] == "Job"]
    names = [it["name"] for it in SCENARIOS]
    return {
        name: it["spec"]["template"]["spec"]["containers"][0]
        for name, it in zip(names, rendered, strict=True)
    }


def benchmark(version: str, container: dict, folder: Path) -> tuple[int, str]:
    """Runs a container's command with its environment; the volume is a folder. Exit code, what it told."""
    program = folder / "guidellm"
    program.write_text(f'#!/bin/sh\nexec {guidellm.PYTHON} -m guidellm "$@"\n')
    program.chmod(0o755)
    own = asked.environment(container["env"], SAMPLE)
    machine = guidellm.environment(version)
    variables = {**IMAGE[version], **machine, **own, "PATH": f"{folder}:{machine['PATH']}"}
    command = [*container["command"], *container["args"]]
    done = subprocess.run(
        command, env={name: it.replace("/results", str(folder)) for name, it in variables.items()},
        cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        timeout=180,
    )  # fmt: skip
    return done.returncode, done.stdout


def check(binary: str, version: str, folder: Path) -> list[tuple[str, list[str]]]:
    """All kinds of load with a release: names of checks, and what each found."""
    guidellm.install(version)
    results = []
    settings = {"model": guidellm.tokenizer(version), "first_token_ms": 40}
    with model_server.running(**settings) as url:
        for name, container in jobs(binary, version, url).items():
            began = time.monotonic()
            found = one(version, name, container, folder / version / name)
            took = time.monotonic() - began
            results.append((f"{version} {name} ({took:.0f} s)", found))
    return results


def one(version: str, name: str, container: dict, folder: Path) -> list[str]:
    """A benchmark, and what its report shows."""
    folder.mkdir(parents=True)
    code, told = benchmark(version, container, folder)
    report = folder / "benchmarks.json"
    if code or not report.exists():
        return [f"exit code {code}, {os.listdir(folder)}: {told[-1500:]}"]
    [scenario] = [it for it in SCENARIOS if it["name"] == name]
    seed = asked.seed(container["env"], SAMPLE)
    found = asked.differences(scenario, seed, json.loads(report.read_text()), name)
    marker = (folder / "exit-code").read_text().strip()
    return found + ([] if marker == "0" else [f"the sidecar is told {marker!r}"])


def missing() -> int:
    """Tells what this machine lacks."""
    if lacks := guidellm.missing():
        print("SKIPPED: releases, as", *lacks, sep="\n  ")
    return 69 if lacks else 0


def main(binary: str, *versions: str) -> int:
    """All releases, or some; two at once, as each waits most of the time."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="releases-") as folder, ThreadPoolExecutor(2) as pool:
        checks = [
            (it, pool.submit(check, binary, it, Path(folder))) for it in versions or VERSIONS
        ]
        for version, checked in checks:
            try:
                results = checked.result()
            except Exception as error:
                results = [(version, [f"{type(error).__name__}: {error}"])]
            for name, found in results:
                tally.add(name, found)
    return tally.finish()


if __name__ == "__main__":
    if sys.argv[1:] == ["missing"]:
        sys.exit(missing())
    if len(sys.argv) < 2 or not set(sys.argv[2:]) <= set(VERSIONS):
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), *sys.argv[2:]))
