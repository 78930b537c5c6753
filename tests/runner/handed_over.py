"""Runs without a search server: what sidecars hand over is in the embedded store."""

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import few_rights
import pyarrow as pa
import pyarrow.parquet as pq
from real_node import World
from server import indexer
from world import place, sample, sidecar_process, state

#: What a sidecar saw, which no report says.
OUTCOME = ("passed", "exit_code", "failure_reason", "log_tail", "namespace", "podName", "nodeName")
#: Of a mount, which its kubelet tries again.
SLOW_NODE = "failed to sync configmap cache: timed out"


def stored(folder: Path) -> dict[str, pa.Table]:
    """The tables of GuideLLM's documents in a store, by the names of their files."""
    paths = [it for kind in ("summaries", "requests") for it in folder.glob(f"{kind}/**/*.parquet")]
    return {str(it.relative_to(folder)): pq.read_table(it, partitioning=None) for it in paths}


def differences(world: World, run: str, store: Path, reports: list[tuple[dict, Path]]) -> list[str]:
    """What a store has other than what the indexer makes of the reports of some pods, and what is to be
    seen of these."""
    own = world.folder / f"{run}-own"
    for pod, report in reports:
        scenario = pod["metadata"]["labels"]["llm-d-scale/job"]
        code, _, told = indexer(
            str(Path(world.binary).with_name("guidellm-indexer")), "index", str(report), "--uuid", run, "-j", scenario, "-s", str(sample(pod)),
            "--store", str(own),
        )  # fmt: skip
        if code:
            return [f"index: exit code {code}: {told}"]
    wanted, there, found = stored(own), stored(store), []
    if not wanted or wanted.keys() != there.keys():
        found.append(f"files: {sorted(there)}, not {sorted(wanted)}")
    outcomes = {
        sample(pod): place(pod) | {"namespace": run, "passed": True, "exit_code": 0}
        for pod, _ in reports
    }
    for name in wanted.keys() & there.keys():
        one, other = wanted[name], there[name]
        if name.startswith("summaries"):
            [row] = other.to_pylist()
            seen = {key: row[key] for key in OUTCOME if row[key] is not None}
            if seen != outcomes[row["sample"]]:
                found.append(f"{name}: {seen}")
            one, other = one.drop_columns(OUTCOME), other.drop_columns(OUTCOME)
        if not one.num_rows or not one.equals(other):
            found.append(f"{name}: {other.num_rows} rows, not {one.num_rows}, or others")
    rows = sum(it.num_rows for it in there.values())
    print(f"        {rows} documents in {len(there)} files of the store")
    return found


def fetched(
    world: World, told: list[str], run: str, results: Callable[[World, str], Path]
) -> list[str]:
    """A run to its end, whose reports stay in a volume; its objectives are judged by what was fetched."""
    store, slos = world.folder / f"{run}-store", world.folder / "slo.yaml"
    slos.write_text("slos: [request_success_rate >= 0, {expr: ttft_p95_ms <= 0.001, severity: critical}]")
    code, checks, words = world.call(*world.alone("check", store, *told))
    found = [f"check: exit code {code}: {checks} {words}"] if code else []
    command = world.alone("run", store, *told, "--keep", "--slo", str(slos))
    code, outcome, words = world.call(*command)
    found += [f"exit code {code}: {outcome} {words}"] if code != 3 else []
    lines = [line for line in words.splitlines() if line.startswith(("warning", "error"))]
    missed = [line for line in lines if "ttft_p95_ms <= 0.001: missed, it is" in line]
    found += [line for line in lines if line not in missed and SLOW_NODE not in line]
    alerts = [pq.read_table(it, partitioning=None) for it in store.glob("alerts/**/*.parquet")]
    if not missed or sum(it.num_rows for it in alerts) != len(missed):
        found.append(f"{len(missed)} objectives missed, {len(alerts)} alerts")
    pods, volume = world.listed("pods", run, "app.kubernetes.io/name=guidellm"), results(world, run)
    reports = [(pod, volume / pod["metadata"]["name"] / "benchmarks.json") for pod in pods]
    return found + differences(world, run, store, reports)


def lost(world: World, told: list[str], run: str, scenario: str) -> list[str]:
    """A run whose only sample leaves no report: the store has what stands for it, and what is asked
    about the run says so."""
    store = world.folder / f"{run}-store"
    code, outcome, words = world.call(*world.alone("run", store, *told, "--keep"))
    found = [] if code == 1 else [f"exit code {code}: {outcome} {words}"]
    tables = [pq.read_table(it, partitioning=None) for it in store.glob("failed_runs/**/*.parquet")]
    rows = [row for table in tables for row in table.to_pylist()]
    seen = [(it["uuid"], it["job_name"], it["sample"], it["passed"], it["namespace"]) for it in rows]
    if seen != [(run, scenario, 0, False, run)]:
        return [*found, f"in the store: {seen}; {words}"]
    reason = rows[0]["failure_reason"]
    found += [] if f"sample 0 of {scenario} left no report: {reason}" in words else [words]
    asked = str(Path(world.binary).with_name("guidellm-indexer"))
    code, _, words = indexer(asked, "scenarios", run, "--store", str(store))
    if code != 2 or f"sample 0 of {scenario} left no report: {reason}" not in words:
        found.append(f"asked: exit code {code}: {words}")
    return found


def killed(world: World, told: list[str], run: str) -> list[str]:
    """A run on an emptyDir by somebody who may not fetch documents, killed when that was told; then
    `gc`, which leaves them, and `--resume` by somebody who may. Its objects go with it."""
    store, kept = world.folder / f"{run}-store", world.folder / f"{run}-reports"
    kept.mkdir()
    command = world.alone("run", store, *told)
    [pod], found = refused(world, command, run, 1)
    report = kept / f"{pod['metadata']['name']}.json"
    shutil.copyfile(root(pod) / "results/benchmarks.json", report)
    found += [f"before it was resumed: {list(it)}"] if (it := stored(store)) else []
    code, _, words = gc(world, run)
    if code != 1 or f"pod/{pod['metadata']['name']} stays" not in words or "--resume" not in words:
        found.append(f"gc: exit code {code}: {words}")
    code, outcome, words = world.call(*command, "--resume")
    found += [f"exit code {code}: {outcome} {words}"] if code else []
    found += differences(world, run, store, [(pod, report)])
    return found + ([f"stay: {it}"] if (it := world.left(run)) else [])


def discarded(world: World, told: list[str], run: str) -> list[str]:
    """The same with two samples, one of them being deleted already, and nobody wants the documents: `gc`
    does not wait until the sidecars have given up."""
    pods, found = refused(world, world.alone("run", world.folder / f"{run}-store", *told), run, 2)
    sidecars = [root(pod).parent for pod in pods]
    world.cluster.kubectl("delete", "pod", pods[0]["metadata"]["name"], f"-n={run}", "--wait=false")
    began = time.monotonic()
    code, _, words = gc(world, run, "--discard-documents", "--timeout=90s")
    took = time.monotonic() - began
    print(f"        all is gone after {took:.0f} s")
    found += [f"gc: exit code {code}, {took:.0f} s: {words}"] if code or took > 60 else []
    found += [f"a sidecar is there: {it}" for it in sidecars if it.exists()]
    return found + ([f"stay: {it}"] if (it := world.left(run)) else [])


def refused(world: World, command: list[str], run: str, samples: int) -> tuple[list[dict], list[str]]:
    """Has a run made by somebody who may not fetch documents, and kills it once that was told of all
    samples; the pods that have them."""
    few, admin = few_rights.config(world.cluster, world.folder), str(world.cluster.kubeconfig)
    own = [str(few) if it == admin else it for it in command]
    process = subprocess.Popen(
        [*own, "--skip-check", "--skip-probe"], cwd=world.folder, stdout=-3, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    words = ""
    for line in process.stderr:
        words += line
        if words.count("not fetched yet") == samples:
            break
    else:
        raise RuntimeError(f"it has ended: {words}")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    pods = world.listed("pods", run, "app.kubernetes.io/name=guidellm")
    ended = [it for it in pods if "terminated" in state(it, "guidellm")]
    found = [] if "pods/exec" in words and len(ended) == samples else [f"{len(ended)} ended: {words}"]
    return pods, found


def gc(world: World, run: str, *more: str) -> tuple[int, object, str]:
    """Runs `gc` of a run."""
    config = str(world.cluster.kubeconfig)
    return world.call(world.binary, "gc", "--uuid", run, "--kubeconfig", config, "--json", *more)


def root(pod: dict) -> Path:
    """What a pod's sidecar sees as its files."""
    return Path(f"/proc/{sidecar_process(pod)}/root")
