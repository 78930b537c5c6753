"""The sidecar beside a real GuideLLM, in real pods, from our manifests; and a real server.

    python check_pods.py missing            what this machine lacks; exit code 69 if it does
    python check_pods.py BINARY IMAGE SERVER [CHECK ...]

IMAGE is an archive of the sidecar's image, BINARY the same program on this machine.
"""

import json
import os
import shutil
import signal
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from world import (
    FORMS, MANIFESTS, MODEL, NEWEST, OLDEST, ROOT, SIDECAR, Cluster, Server, World,
    differences, expected, guidellm, job, place, restarts, set_variables,
    sidecar_process,
)  # fmt: skip

import model_server  # noqa: I001
from matching import Tally
from server import grown, indexer


def whole(world: World, form: str, version: str, samples: int) -> list[str]:
    """Samples that all end well."""
    name = f"{form}-{version.replace('.', '-')}"
    job(world, form, name, version, samples=samples)
    verdict = world.verdict(name)
    pods = world.pods(name)
    if verdict != "Complete" or len(pods) != samples:
        return [f"{verdict}, {len(pods)} pods: {world.log(pods[0])}"]
    wanted = world.wanted(name, pods, passed=True, exit_code=0)
    found = differences(world.server.documents(name), wanted)
    if {it["sample"] for it in wanted.values()} != set(range(samples)):
        found.append("samples are missing")
    for pod in pods:
        if " documents indexed" not in world.told(pod):
            found.append(f"termination log: {world.told(pod)!r}")
        if restarts(pod):
            found.append("the sidecar was started again")
    return found


def check_samples(world: World) -> list[str]:
    """Each form with each GuideLLM: the job is complete, and all of it is indexed."""
    second, native = FORMS
    return [
        f"{form} {version}: {it}"
        for form, version, samples in (
            (second, OLDEST, 3), (native, NEWEST, 3), (second, NEWEST, 1), (native, OLDEST, 1),
        )
        for it in whole(world, form, version, samples)
    ]  # fmt: skip


def check_failed(world: World) -> list[str]:
    """A benchmark that fails by itself: the job fails, one summary says so, with the log."""
    def change(_: dict, benchmark: dict, __: dict) -> None:
        benchmark["args"] = [it.replace(MODEL, "http://nobody:8000") for it in benchmark["args"]]

    found = []
    for form in FORMS:
        name = f"failed-{form}"
        job(world, form, name, OLDEST, change=change)
        found += one_summary(world, name, {"exit_code": 1, "failure_reason": "exit code 1"})
    return found


def check_out_of_memory(world: World) -> list[str]:
    """A benchmark that is killed for want of memory. With much less of it, it would not be killed,
    but crawl: what it reads from its files would never stay."""
    def change(_: dict, benchmark: dict, __: dict) -> None:
        benchmark["resources"] = {"limits": {"memory": "176Mi"}}

    outcome = {"exit_code": 137, "failure_reason": "OOMKilled: ended by signal 9"}
    found = []
    for form in FORMS:
        name = f"memory-{form}"
        job(world, form, name, OLDEST, change=change)
        found += one_summary(world, name, outcome, log=False)
    return found


def one_summary(world: World, name: str, outcome: dict, log: bool = True) -> list[str]:
    """A job that failed, whose one pod left one document."""
    found = [] if (verdict := world.verdict(name)) == "Failed" else [verdict]
    [pod] = world.pods(name)
    documents = list(world.server.documents(name).values())
    wanted = {
        "metricName": "guidellmSummary", "uuid": f"run-{name}", "job_name": name, "sample": 0,
        "passed": False, **place(pod), **outcome,
    }  # fmt: skip
    if len(documents) != 1 or documents[0] != documents[0] | wanted:
        found.append(f"{name}: {documents} {world.told(pod)}")
    elif log and "Error" not in documents[0].get("log_tail", ""):
        found.append(f"{name}: its log: {documents[0].get('log_tail')}")
    return found


def check_deleted(world: World) -> list[str]:
    """A pod that is deleted in the middle: one summary says so, before the pod is gone."""
    found = []
    for form in FORMS:
        name = f"deleted-{form}"
        job(world, form, name, NEWEST, seconds=600)
        pod = world.running(name)
        time.sleep(5)
        world.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=true")
        # Neither GuideLLM writes a report when it is ended.
        [document] = world.server.documents(name).values()
        reason = "the pod was deleted: ended by signal 15"
        wanted = {"passed": False, "exit_code": 143, "failure_reason": reason, **place(pod)}
        if document != document | wanted or "Terminated" not in document["log_tail"]:
            found.append(f"{name}: {document}")
        if (verdict := world.verdict(name)) != "Failed":
            found.append(f"{name}: {verdict}")
    return found


def check_hangs(world: World) -> list[str]:
    """A benchmark that goes on to the deadline of its job."""
    found = []
    for form in FORMS:
        name = f"hangs-{form}"

        def change(spec: dict, *_: dict) -> None:
            spec["activeDeadlineSeconds"] = 20

        job(world, form, name, NEWEST, seconds=3600, change=change)
        if (verdict := world.verdict(name)) != "Failed":
            found.append(f"{name}: {verdict}")
        documents = world.cluster.wait(f"{name} indexed", lambda: world.server.documents(name))
        [document] = documents.values()
        reason = "DeadlineExceeded: ended by signal 15"
        if document != document | {"passed": False, "failure_reason": reason}:
            found.append(f"{name}: {document}")
    return found


def check_sidecar_killed(world: World) -> list[str]:
    """A native sidecar that is killed while it waits is started again, and does its work."""
    name = "killed"
    job(world, "native-sidecar", name, NEWEST, seconds=8)
    os.kill(sidecar_process(world.running(name)), signal.SIGKILL)
    found = [] if (verdict := world.verdict(name)) == "Complete" else [verdict]
    pods = world.pods(name)
    if not restarts(pods[0]):
        found.append("it was not killed")
    return found + differences(
        world.server.documents(name), world.wanted(name, pods, passed=True, exit_code=0)
    )


def check_second_killed(world: World) -> list[str]:
    """A second container that is killed fails the job; the report is still in the volume."""
    name = "second-killed"
    job(world, "second-container", name, NEWEST, seconds=4)
    os.kill(sidecar_process(world.running(name)), signal.SIGKILL)
    found = [] if (verdict := world.verdict(name)) == "Failed" else [verdict]
    pods = world.pods(name)
    command = ("index", str(world.report(pods[0])), "-j", name, "-s", "0", "--uuid", f"run-{name}")
    code, _, told = indexer(
        world.binary, *command, "--es-server", world.server.url, "--es-index", name
    )
    wanted = expected(world.binary, *command[1:])
    if code or world.server.documents(name) != wanted:
        found.append(f"exit {code}: {told}")
    return found


def check_server_away(world: World) -> list[str]:
    """The server is away the whole time: the spool stays in the volume, and `replay` finishes."""
    found = []
    for form in FORMS:
        world.server.stop()
        name = f"away-{form}"

        def change(_: dict, __: dict, sidecar: dict) -> None:
            sidecar["args"] = ["sidecar", "--give-up-after", "2s"]

        job(world, form, name, OLDEST, grace=20, change=change)
        verdict = world.verdict(name)
        [pod] = world.pods(name)
        # Kubernetes asks nobody for the exit code of a native sidecar.
        if verdict != ("Failed" if form == "second-container" else "Complete"):
            found.append(f"{name}: {verdict}")
        told = world.told(pod)
        if " unsent; `guidellm-indexer replay /results/guidellm-unsent.ndjson`" not in told:
            found.append(f"{name}: {told!r}")
        events = world.cluster.kubectl(
            "get", "events.events.k8s.io", "-o", "json",
            "--field-selector", f"regarding.name={pod['metadata']['name']}",
        )  # fmt: skip
        if "ResultsNotSent" not in {it.get("reason") for it in json.loads(events)["items"]}:
            found.append(f"{name}: no Event")
        world.server.start()
        spool = world.report(pod).with_name("guidellm-unsent.ndjson")
        code, _, told = indexer(
            world.binary, "replay", str(spool), "--es-server", world.server.url
        )
        wanted = world.wanted(name, [pod], passed=True, exit_code=0)
        there = world.server.documents(name)
        found += [f"{name}: replay: {code} {told}"] if code or spool.exists() else []
        found += [f"{name}: {it}" for it in differences(there, wanted)]
    return found


def check_empty_dir(world: World) -> list[str]:
    """On an emptyDir it warns at the start. Without its Role, and without a script, it works."""
    name = "empty-dir"

    def change(spec: dict, benchmark: dict, _: dict) -> None:
        pod = spec["template"]["spec"]
        pod["serviceAccountName"] = "default"
        for volume in pod["volumes"]:
            if volume["name"] == "results":
                del volume["persistentVolumeClaim"]
                volume["emptyDir"] = {}
        benchmark["command"] = []

    job(world, "second-container", name, NEWEST, change=change)
    found = [] if (verdict := world.verdict(name)) == "Complete" else [verdict]
    [pod] = world.pods(name)
    told = world.cluster.kubectl("logs", pod["metadata"]["name"], "-c", SIDECAR)
    for part in ("/results goes with the pod (it is an emptyDir)", "needs the Role of"):
        if part not in told:
            found.append(f"{part}: not in {told}")
    summaries = [
        it for it in world.server.documents(name).values() if it["metricName"] == "guidellmSummary"
    ]
    if len(summaries) != 1 or "passed" in summaries[0]:
        found.append(f"{summaries}")
    return found


def check_without_script(world: World) -> list[str]:
    """Without the script that writes the exit code, Kubernetes' own word is taken."""
    name = "no-script"

    def change(_: dict, benchmark: dict, sidecar: dict) -> None:
        benchmark["command"] = []
        set_variables(sidecar, {"QUIET_SECONDS": "600"})

    job(world, "second-container", name, NEWEST, change=change)
    found = [] if (verdict := world.verdict(name)) == "Complete" else [verdict]
    pods = world.pods(name)
    return found + differences(
        world.server.documents(name), world.wanted(name, pods, passed=True, exit_code=0)
    )


def check_restricted(world: World) -> list[str]:
    """Kubernetes' strictest standard for pods admits the manifests."""
    world.cluster.kubectl("create", "namespace", "strict")
    world.cluster.kubectl(
        "label", "namespace", "strict", "pod-security.kubernetes.io/enforce=restricted",
        "pod-security.kubernetes.io/warn=restricted",
    )  # fmt: skip
    found = []
    for form in FORMS:
        pods = world.cluster.kubectl(
            "create", "--dry-run=client", "-o", "json", "-f", str(MANIFESTS / f"{form}.yaml")
        )
        template = json.loads(pods)["spec"]["template"]
        # GuideLLM's own image names no number for its user; a pod has to.
        template["spec"]["securityContext"]["runAsNonRoot"] = True
        template["spec"].pop("serviceAccountName")
        template.pop("metadata")
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": form}, **template}
        command = ("apply", "-n", "strict", "--dry-run=server", "-f", "-")
        try:
            world.cluster.kubectl(*command, input=json.dumps(pod))
        except Exception as error:
            found.append(f"{form}: {error}")
    return found


def check_memory(world: World) -> list[str]:
    """A large report within 64 MiB, though its pages are counted too; under 20 MB while it waits."""
    name, found = "memory", []
    big = world.cluster.folder / "big"
    big.mkdir()
    report = grown(str(big), 1200)

    def change(spec: dict, benchmark: dict, sidecar: dict) -> None:
        spec["template"]["spec"]["volumes"] += [{"name": "big", "hostPath": {"path": str(big)}}]
        benchmark["volumeMounts"] += [{"name": "big", "mountPath": "/big", "readOnly": True}]
        benchmark["args"] = ["sh", "-c", "sleep 5; cp /big/grown.json /results/benchmarks.json"]
        sidecar["resources"] = {"limits": {"memory": "64Mi"}}

    job(world, "native-sidecar", name, OLDEST, change=change)
    process = sidecar_process(world.running(name))
    time.sleep(3)
    status = (Path("/proc") / str(process) / "status").read_text()
    waiting = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    if waiting >= 20_000:
        found.append(f"{waiting} kB while it waits")
    if (verdict := world.verdict(name)) != "Complete":
        found.append(verdict)
    pods = world.pods(name)
    if restarts(pods[0]):
        found.append("it was killed")
    wanted = world.wanted(name, pods, passed=True, exit_code=0)
    size = Path(report).stat().st_size >> 20
    print(f"        {waiting} kB while it waits; {len(wanted)} documents of {size} MiB within 64 MiB")
    return found + differences(world.server.documents(name), wanted)


def check_archive(world: World) -> list[str]:
    """The Indexed Job that indexes an archive of reports, a part in each pod."""
    archive = world.claimed("guidellm-archive")
    state = world.claimed("guidellm-reindex")
    for claim in ("guidellm-archive", "guidellm-reindex"):
        world.cluster.apply(
            (MANIFESTS / "volume.yaml").read_text().replace("guidellm-results", claim)
        )
    shutil.copytree(ROOT / "fixtures/reports", archive, dirs_exist_ok=True)
    world.cluster.apply((ROOT / "manifests/jobs/reindex.yaml").read_text())
    found = [] if (verdict := world.verdict("guidellm-reindex")) == "Complete" else [verdict]
    wanted = expected(world.binary, str(archive))
    there = world.server.documents("guidellm")
    if there != wanted:
        found.append(f"{len(there)} of {len(wanted)}")
    if sorted(it.name for it in state.iterdir()) != [f"journal-{part}" for part in range(4)]:
        found.append(f"{sorted(state.iterdir())}")
    return found


def check_image(archive: Path) -> list[str]:
    """It is small, and holds what it needs and no more."""
    with tarfile.open(archive) as tar:
        [about] = json.load(tar.extractfile("manifest.json"))
        settings = json.load(tar.extractfile(about["Config"]))["config"]
        files = [
            member.name
            for name in about["Layers"]
            for member in tarfile.open(fileobj=tar.extractfile(name))
            if member.isfile()
        ]
    found = [] if archive.stat().st_size < 25_000_000 else [f"{archive.stat().st_size} bytes"]
    if sorted(files) != ["etc/ssl/certs/ca-certificates.crt", "usr/bin/guidellm-indexer"]:
        found.append(f"{files}")
    if settings["User"] != "65532:65532":
        found.append(f"user {settings['User']}")
    return found


CHECKS = (
    check_restricted, check_memory, check_archive, check_samples, check_failed,
    check_out_of_memory, check_deleted, check_hangs, check_sidecar_killed, check_second_killed,
    check_without_script, check_empty_dir, check_server_away,
)  # fmt: skip


def missing() -> int:
    """Tells what this machine lacks to run all of this."""
    lacks = Cluster.missing() + guidellm.missing()
    if not shutil.which("buildah"):
        lacks.append("buildah is missing: install Debian's package buildah")
    if lacks:
        print("SKIPPED: pods, as", *lacks, sep="\n  ")
    return 69 if lacks else 0


def main(binary: str, archive: str, name: str, *chosen: str) -> int:
    """All checks, or some, in one cluster."""
    tally = Tally()
    tally.add("image", check_image(Path(archive)))
    with tempfile.TemporaryDirectory(prefix="pods-") as folder:
        with Cluster(Path(folder) / "cluster") as cluster:
            cluster.load(archive)
            cluster.enter()
            model = model_server.running(host=cluster.address, port=MODEL.rsplit(":", 1)[1])
            with Server(name, "http.host=0.0.0.0") as server, model:
                world = World(cluster, server, binary)
                for check in CHECKS:
                    if chosen and check.__name__ not in chosen:
                        continue
                    began = time.monotonic()
                    try:
                        found = check(world)
                    except Exception as error:
                        found = [f"{type(error).__name__}: {error}"]
                    seconds = time.monotonic() - began
                    tally.add(f"{name}: {check.__name__} ({seconds:.0f} s)", found)
    return tally.finish()


if __name__ == "__main__":
    if sys.argv[1:] == ["missing"]:
        sys.exit(missing())
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    binary, archive = (str(Path(it).resolve()) for it in sys.argv[1:3])
    sys.exit(main(binary, archive, *sys.argv[3:]))
