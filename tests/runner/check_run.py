"""`llm-d-scale run` on a cluster whose nodes only play, with a real API server, search server and
Prometheus.

    python check_run.py missing | BINARY SERVER [CHECK ...]

BINARY is llm-d-scale. Each check has a run, a namespace and an index of its own.
"""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from playground import JOB, RUN, SHORT, Cluster, Playground, Prometheus, ended
from matching import Tally

SCENARIOS = [
    "steady-chat-10", "steady-chat-20", "steady-chat-40", "steady-rag-10", "steady-rag-20",
    "steady-rag-40", "throughput-chat", "poisson-chat", "poisson-rag",
]  # fmt: skip
QUICK = (*SHORT, "--set", "vars.samples=1")
#: A few scenarios, for what is not about all of them.
TWO = """
jobs:
  - name: prepare
    objects:
      - objectTemplate: results-volume.yaml.j2
        wait: false
      - objectTemplate: indexer-rbac.yaml.j2
scenarios:
  - {name: first, rateType: constant, rate: 1, promptTokens: 8, outputTokens: 8, seconds: 1}
  - {name: second, rateType: constant, rate: 1, promptTokens: 8, outputTokens: 8, seconds: 1}
metricsEndpoints:
  - metrics: [metrics.yml]
    step: 1s
"""
DEFAULTS = "resultsSize: 1Gi\n  resultsAccessMode: ReadWriteOnce\n  resultsStorageClass: null\n  samples: 1"


def suite(world: Playground, name: str, text: str = TWO, more: str = "") -> list[str]:
    """The arguments for a suite of the test's own."""
    path = world.folder / f"{name}.yaml"
    path.write_text(f"vars:\n  {DEFAULTS}\n{more}{text}")
    return ["-c", str(path)]


def check_whole_suite(world: Playground) -> list[str]:
    """The default suite: all is applied in order, measured, told and deleted."""
    uuid = "whole"
    arguments = [*QUICK, "--set", "metricsEndpoints.0.alerts=[alerts.yml]"]
    code, told, words = world.run(uuid, *arguments)
    found = [] if code == 0 else [f"exit code {code}: {words}"]
    ran = [it["name"] for it in told.get("jobs", [])]
    if ran != ["deploy-infra", *SCENARIOS]:
        found.append(f"ran {ran}")
    summaries = world.summaries(uuid)
    for name in ("deploy-infra", *SCENARIOS):
        summary = summaries.get(name)
        if not summary:
            found.append(f"no summary of {name}")
            continue
        if not summary["passed"] or summary["version"].count(".") != 2:
            found.append(f"{name}: {summary}")
        for fact in ("k8sVersion", "eppImage", "eppConfigHash", "modelServerImage", "gatewayClass"):
            if name != "deploy-infra" and not summary.get(fact):
                found.append(f"{name} knows no {fact}")
        if name != "deploy-infra" and summary["gpuModel"] != "NVIDIA-H100-80GB-HBM3":
            found.append(f"{name}: GPU {summary['gpuModel']}")
    starts = [summaries[name]["timestamp"] for name in SCENARIOS if name in summaries]
    if starts != sorted(starts):
        found.append(f"not one after the other: {starts}")
    documents = world.documents(uuid)
    for name in ("deploy-infra", *SCENARIOS):
        own = [it for it in documents if it.get("jobName") == name]
        if {it["metricName"] for it in own} != {"up", "series"}:
            found.append(f"{name}: metrics {Counter(it['metricName'] for it in own)}")
    alerts = [it for it in documents if it["metricName"] == "alert"]
    if not alerts or {it["description"] for it in alerts} != {"exporter is up, which is 1"}:
        found.append(f"alerts: {alerts[:2]}")
    return found + left(world, uuid)


def status(world: Playground, uuid: str, code: int, told: str, *parts: str) -> list[str]:
    """What `status` has to say of a run, in words and as JSON, and by its exit code."""
    command = [world.binary, "status", str(world.folder / uuid)]
    words = subprocess.run(command, capture_output=True, text=True, check=False)
    parsed = subprocess.run([*command, "--json"], capture_output=True, text=True, check=False)
    found = {(words.returncode, told), (parsed.returncode, json.loads(parsed.stdout)["status"])}
    wrong = [f"status: {found}: {words.stdout}"] if found != {(code, told)} else []
    return wrong + [f"status does not tell {it}: {words.stdout}" for it in (told, *parts) if it not in words.stdout]


def left(world: Playground, uuid: str) -> list[str]:
    """What should have been deleted."""
    stay = world.objects(uuid)
    return [f"stays: {stay}"] if stay else []


def check_matrix(world: Playground) -> list[str]:
    """All that is rendered is accepted by the API server, in every combination."""
    found = []
    world.cluster.kubectl("create", "namespace", "matrix")
    for gaie in ("true", "false"):
        for simulator in ("true", "false"):
            for version in ("0.3.1", "0.4.0", "0.6.1", "0.7.0", "0.8.1"):
                options = [
                    "--set", f"vars.gaie={gaie}", "--set", f"vars.simulator={simulator}",
                    "--set", f"vars.guidellmVersion={version}", "-n", "matrix", "--uuid", "matrix",
                    "--es-server", "http://user:secret@search:9200", "--set", "vars.hfToken=hf_secret",
                ]  # fmt: skip
                done = subprocess.run([world.binary, "render", *options], capture_output=True, text=True, check=False)
                if "hf_secret" in done.stdout or "user:secret" in done.stdout:
                    found.append(f"{options}: a secret is shown")
                if done.returncode:
                    found.append(f"{options}: {done.stderr}")
                    continue
                world.cluster.kubectl(
                    "apply", "--dry-run=server", "--validate=strict", "-f", "-", input=done.stdout
                )
    return found


def check_rendered(world: Playground) -> list[str]:
    """What is rendered can be applied where nothing is yet; `gc` leaves the namespaces, which may be others'."""
    uuid = "rendered"
    (world.folder / "map.yaml.j2").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: map, namespace: {{ namespace }}}\n"
    )
    text = "jobs: [{name: a, jobIterations: 2, namespacedIterations: true, objects: [{objectTemplate: map.yaml.j2}]}]\n"
    command = [world.binary, "render", *suite(world, uuid, text), "-n", uuid, "--uuid", uuid]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    world.cluster.kubectl("apply", "-f", "-", input=done.stdout)
    found = [] if len(world.objects(uuid)) == 2 else [f"objects: {world.objects(uuid)}: {done}"]
    gone = subprocess.run(
        [world.binary, "gc", "--uuid", uuid, "--kubeconfig", str(world.cluster.kubeconfig)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    names = world.cluster.kubectl("get", "namespaces", "-o", "name").split()
    if gone.returncode or not {"namespace/rendered-0", "namespace/rendered-1"} <= set(names):
        found.append(f"gc: {gone}: {names}")
    return found + left(world, uuid)


def fails(
    world: Playground, uuid: str, words: str, seconds: float, arguments: list[str], *,
    skipped: int | None = None,
) -> list[str]:  # fmt: skip
    """A run has to fail, and name why within some seconds of the beginning of the job."""
    start = time.monotonic()
    process = world.start(uuid, *arguments)
    lines, noticed = [], 0.0
    for line in process.stderr:
        lines.append(line)
        if words in line and not noticed:
            noticed = time.monotonic() - start
    code, told, _ = ended(process)
    text = "".join(lines)
    found = [] if code == 1 else [f"exit code {code}: {text}"]
    if not noticed:
        found.append(f"{words!r} was not told: {text}")
    elif noticed > seconds:
        found.append(f"{words!r} was told after {noticed:.0f} s")
    print(f"        {uuid}: {words} told after {noticed:.1f} s, ended after {time.monotonic() - start:.1f} s")
    if skipped is not None and told.get("skipped") != skipped:
        found.append(f"skipped {told.get('skipped')}")
    failed = [it for it in told.get("jobs", []) if it.get("failures")]
    for job in failed:
        folder = world.folder / uuid / "failures" / job["name"]
        for name in ("objects.yaml", "events.txt", "pods.yaml"):
            if not (folder / name).is_file():
                found.append(f"no {name} of {job['name']}")
        summary = world.summaries(uuid).get(job["name"], {})
        if summary.get("passed") is not False or not summary.get("executionErrors"):
            found.append(f"{job['name']}: {summary}")
    if not failed:
        found.append("no job failed")
    return found + left(world, uuid)


def check_failed_job(world: Playground) -> list[str]:
    """A benchmark fails: it is named, and the others run."""
    world.cluster.outcome("fail", {JOB: "steady-chat-10", RUN: "failed"}, exit_code=3, container="guidellm")
    world.cluster.set_log("the last words of a benchmark")
    found = fails(world, "failed", "exit code 3", 40, [*QUICK], skipped=0)
    jobs = world.summaries("failed")
    wrong = [name for name, it in jobs.items() if it["passed"] == (name == "steady-chat-10")]
    logs = list((world.folder / "failed/failures/steady-chat-10").glob("*.log"))
    if not any("the last words" in log.read_text() for log in logs):
        found.append(f"no log among {logs}")
    return found + ([f"wrong verdicts: {wrong}"] if wrong else [])


def check_stops_on_failure(world: Playground) -> list[str]:
    """The same, but the others are not wanted then."""
    world.cluster.outcome("oom-killed", {JOB: "first", RUN: "stops"}, container="guidellm")
    arguments = [*suite(world, "stops"), "--on-failure", "stop"]
    return fails(world, "stops", "OOMKilled", 20, arguments, skipped=1)


def check_image_pull(world: Playground) -> list[str]:
    """An image that is not there: nobody waits for it."""
    world.cluster.outcome("image-pull-back-off", {JOB: "deploy-infra", RUN: "pull", "app.kubernetes.io/component": "model-server"})
    return fails(world, "pull", "ImagePullBackOff", 25, [*QUICK], skipped=9)


def check_crash_loop(world: Playground) -> list[str]:
    """An endpoint picker that crashes again and again."""
    world.cluster.outcome("crash-loop-back-off", {RUN: "crash", "app.kubernetes.io/component": "endpoint-picker"})
    arguments = [*QUICK, "--set", "global.troubleTimeout=5s"]
    return fails(world, "crash", "CrashLoopBackOff", 25, arguments, skipped=9)


def check_unschedulable(world: Playground) -> list[str]:
    """No node for a benchmark."""
    world.cluster.outcome("unschedulable", {RUN: "nowhere", JOB: "first"})
    arguments = [*suite(world, "nowhere", more=""), "--set", "global.troubleTimeout=5s"]
    return fails(world, "nowhere", "Unschedulable", 20, arguments, skipped=0)


def check_quota(world: Playground) -> list[str]:
    """A quota under which no pod can be made."""
    world.cluster.kubectl("create", "namespace", "quota")
    world.cluster.kubectl("create", "quota", "none", "-n", "quota", "--hard=pods=0")
    return fails(world, "quota", "exceeded quota", 20, suite(world, "quota"), skipped=0)


def check_prepared_again(world: Playground) -> list[str]:
    """What is to be measured could not be made; once it can be, `--resume` makes it and measures."""
    uuid = "again"
    (world.folder / "served.yaml.j2").write_text("""
apiVersion: apps/v1
kind: Deployment
metadata: {name: served}
spec:
  selector: {matchLabels: {app: served}}
  template:
    metadata: {labels: {app: served}}
    spec: {containers: [{name: served, image: none}]}
""")
    text = TWO.replace("scenarios:", "      - objectTemplate: served.yaml.j2\nscenarios:")
    arguments = suite(world, uuid, text)
    world.cluster.kubectl("create", "namespace", uuid)
    world.cluster.kubectl("create", "quota", "none", "-n", uuid, "--hard=pods=0")
    found = fails(world, uuid, "exceeded quota", 20, arguments, skipped=2)
    world.cluster.kubectl("delete", "quota", "none", "-n", uuid)
    code, told, words = world.run(uuid, *arguments, "--resume")
    if code or told.get("skipped"):
        found.append(f"resumed: exit code {code}: {told} {words}")
    found += [f"{name} failed: {it}" for name, it in world.summaries(uuid).items() if not it["passed"]]
    return found + left(world, uuid)


def check_gateway_not_programmed(world: Playground) -> list[str]:
    """A gateway that nobody takes is waited for, as long as the suite says, and named."""
    world.held.add("gateways")
    try:
        arguments = [*QUICK, "--set", "jobs.0.maxWaitTimeout=10s"]
        return fails(world, "gateway", "gateway/llm-d-scale: not Accepted", 40, arguments, skipped=9)
    finally:
        world.held.clear()


def check_wrong_prometheus(world: Playground) -> list[str]:
    """Nobody listens at the URL, which is told before it is waited for."""
    there = ("--set", "metricsEndpoints.0.endpoint=http://127.0.0.1:1")
    arguments = [*suite(world, "deaf"), *there, "--query-give-up-after", "3s"]
    process, start = world.start("deaf", *arguments), time.monotonic()
    lines = [process.stderr.readline() for _ in range(2)]
    noticed = time.monotonic() - start
    code, _, told = ended(process)
    found = [] if code == 2 else [f"exit code {code}: {told}"]
    if "warning: Prometheus at http://127.0.0.1:1/" not in lines[1] or noticed > 2:
        found.append(f"told after {noticed:.0f} s: {lines}")
    if told.count("warning: Prometheus") or "metricsEndpoints=[]" not in told:
        found.append(f"told: {told}")
    return found + left(world, "deaf")


def check_unknown_kinds(world: Playground) -> list[str]:
    """What the cluster lacks is told before anything is made."""
    text = TWO.replace("indexer-rbac.yaml.j2", "odd.yaml.j2")
    (world.folder / "odd.yaml.j2").write_text(
        "apiVersion: none.example.com/v1\nkind: Odd\nmetadata: {name: odd}\n"
    )
    code, _, told = world.run("unknown", *suite(world, "unknown", text))
    found = [] if code == 2 and "Odd of none.example.com/v1" in told else [f"exit code {code}: {told}"]
    return found + left(world, "unknown")


def check_api_server_restarts(world: Playground) -> list[str]:
    """The API server is away for some seconds in the middle; the run goes on."""
    world.cluster.outcome("succeed", {RUN: "restart", JOB: "first"}, delay="8s")
    process = world.start("restart", *suite(world, "restart"))
    world.cluster.wait("the first job", lambda: "job.batch/first-restart" in world.objects("restart"))
    world.cluster.restart_api(down=4)
    code, _, told = ended(process)
    found = [] if code == 0 else [f"exit code {code}: {told}"]
    wrong = {name: it for name, it in world.summaries("restart").items() if not it["passed"]}
    return found + ([f"failed: {wrong}"] if wrong else []) + left(world, "restart")


def check_token_expires(world: Playground) -> list[str]:
    """The token of a file is refused from a moment on, which is told at once, and once; the run goes on with
    the next one in the file, and ends soon if it is stopped before there is one."""
    uuid, account = "token", ("-n", "default")
    token, kubeconfig = world.folder / "a-token", world.folder / "token.kubeconfig"
    refusal = "HTTP 401"
    admin = json.loads(world.cluster.kubectl("config", "view", "--raw", "-o", "json"))
    admin["users"][0]["user"] = {"tokenFile": str(token)}
    kubeconfig.write_text(json.dumps(admin))

    def renew() -> None:
        world.cluster.kubectl("create", "serviceaccount", "runner", *account)
        token.write_text(world.cluster.kubectl("create", "token", "runner", *account))

    renew()
    world.cluster.kubectl(
        "create", "clusterrolebinding", "runner", "--clusterrole=cluster-admin",
        "--serviceaccount=default:runner",
    )  # fmt: skip
    world.cluster.outcome("succeed", {RUN: uuid, JOB: "first"}, delay="5s")
    process = world.start(uuid, *suite(world, uuid), "--kubeconfig", str(kubeconfig))
    world.cluster.wait("the first job", lambda: "job.batch/first-token" in world.objects(uuid))
    # Tokens of an account are those of its one life.
    world.cluster.kubectl("delete", "serviceaccount", "runner", *account)
    renew()
    code, _, told = ended(process)
    found = [] if code == 0 else [f"exit code {code}: {told}"]
    if told.count(refusal) != 1 or "takes the credential again" not in told:
        found.append(f"not told once: {told}")
    if sorted(world.summaries(uuid)) != ["first", "prepare", "second"]:
        found.append(f"summaries of {sorted(world.summaries(uuid))}")
    found += left(world, uuid)

    world.cluster.outcome("run", {RUN: "expired", JOB: "first"})
    process = world.start("expired", *suite(world, "expired"), "--kubeconfig", str(kubeconfig))
    world.cluster.wait("the first job", lambda: "job.batch/first-expired" in world.objects("expired"))
    world.cluster.kubectl("delete", "serviceaccount", "runner", *account)
    start, lines = time.monotonic(), []
    for line in process.stderr:
        lines.append(line)
        if refusal in line:
            break
    noticed, start = time.monotonic() - start, time.monotonic()
    process.send_signal(signal.SIGTERM)
    code, _, told = ended(process)
    told, took = "".join(lines) + told, time.monotonic() - start
    print(f"        told after {noticed:.0f} s, stopped after {took:.0f} s")
    # The API server itself believes in a token for some seconds after its end.
    if code != 1 or noticed > 20 or took > 20 or "log in again" not in told:
        found.append(f"expired: exit code {code}, told after {noticed:.0f} s, stopped after {took:.0f} s: {told}")
    renew()
    world.cluster.kubectl("delete", "namespace", "expired")
    return found


def check_killed_and_resumed(world: Playground) -> list[str]:
    """SIGKILL at any moment, several times: each job is there once, and none runs twice."""
    uuid, found, seed = "killed", [], time.time_ns()
    chance = random.Random(seed)
    print(f"        seed {seed}")
    arguments = suite(world, uuid)
    world.cluster.outcome("succeed", {RUN: uuid}, delay="2s")
    process = world.start(uuid, *arguments)
    for _ in range(5):
        time.sleep(chance.uniform(0.3, 4))
        process.kill()
        process.communicate()
        resume = ["--resume"] if (world.folder / uuid / "run.json").exists() else []
        if resume:
            found += status(world, uuid, 1, "interrupted", f"--uuid {uuid} --resume", f"gc --uuid {uuid}")
        process = world.start(uuid, *arguments, *resume)
    code, told, words = ended(process)
    if code:
        found.append(f"seed {seed}: exit code {code}: {words}")
    if [it["name"] for it in told.get("jobs", [])] != ["prepare", "first", "second"]:
        found.append(f"seed {seed}: {told}")
    summaries = world.summaries(uuid)
    if sorted(summaries) != ["first", "prepare", "second"]:
        found.append(f"seed {seed}: summaries of {sorted(summaries)}")
    found += [f"{name} failed: {it}" for name, it in summaries.items() if not it["passed"]]
    return found + left(world, uuid)


def check_clean_up_is_killed(world: Playground) -> list[str]:
    """SIGKILL when the clean-up had deleted the volume, and not the Jobs whose pods hold it: the next
    try ends that first, and what was measured needs nothing to be made again."""
    uuid, found = "half-gone", []
    arguments = [*suite(world, uuid), "--set", "global.gcTimeout=20s"]
    volume = ("persistentvolumeclaim/guidellm-results", "-n", uuid)

    def half_gone(outcome: str, *more: str) -> None:
        world.cluster.outcome(outcome, {RUN: uuid, JOB: "second"})
        code, told, words = world.run(uuid, *arguments, "--keep", *more)
        if code != (outcome == "fail"):
            found.append(f"{outcome}: exit code {code}: {told} {words}")
        world.cluster.kubectl("delete", *volume, "--wait=false")
        meta = json.loads(world.cluster.kubectl("get", *volume, "-o", "json"))["metadata"]
        if not meta.get("deletionTimestamp") or not meta.get("finalizers"):
            found.append(f"{outcome}: nothing holds the volume: {meta}")

    half_gone("fail")
    half_gone("succeed", "--resume")
    code, told, words = world.run(uuid, *arguments, "--resume")
    if code or "1/3" in words:
        found.append(f"all was measured: exit code {code}: {told} {words}")
    found += [f"{name} failed: {it}" for name, it in world.summaries(uuid).items() if not it["passed"]]
    return found + left(world, uuid)


def check_volume_is_held(world: Playground) -> list[str]:
    """What is being deleted, and held by somebody else's pod, is waited for no longer than a clean-up."""
    uuid = "held"
    arguments = [*suite(world, uuid), "--set", "global.gcTimeout=5s"]
    # A namespace of the run's own would go with all that is in it.
    world.cluster.kubectl("create", "namespace", uuid)
    world.cluster.outcome("fail", {RUN: uuid, JOB: "second"})
    code, _, words = world.run(uuid, *arguments, "--keep")
    found = [] if code == 1 else [f"exit code {code}: {words}"]
    pod = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "curious", "namespace": uuid},
        "spec": {
            "containers": [{"name": "shell", "image": "none"}],
            "volumes": [{"name": "results", "persistentVolumeClaim": {"claimName": "guidellm-results"}}],
        },
    }  # fmt: skip
    world.cluster.apply(json.dumps(pod))
    phase = ("get", "pod/curious", "-n", uuid, "-o", "jsonpath={.status.phase}")
    world.cluster.wait("the pod", lambda: world.cluster.kubectl(*phase) == "Running")
    world.cluster.kubectl("delete", "persistentvolumeclaim/guidellm-results", "-n", uuid, "--wait=false")
    code, told, words = world.run(uuid, *arguments, "--resume")
    reason = "persistentvolumeclaim/guidellm-results is still being deleted: it waits for its finalizers: kubernetes.io/pvc-protection"
    if code != 1 or told.get("skipped") != 1 or reason not in words:
        found.append(f"exit code {code}: {told} {words}")
    world.cluster.kubectl("delete", "pod/curious", "-n", uuid)
    world.cluster.outcome("succeed", {RUN: uuid, JOB: "second"})
    code, told, words = world.run(uuid, *arguments, "--resume")
    if code:
        found.append(f"let go: exit code {code}: {told} {words}")
    return found + left(world, uuid)


def check_stopped(world: Playground) -> list[str]:
    """Ctrl-C: what there is is indexed, and all is deleted."""
    world.cluster.outcome("run", {RUN: "stopped", JOB: "first"})
    process = world.start("stopped", *suite(world, "stopped"))
    world.cluster.wait("the first job", lambda: "job.batch/first-stopped" in world.objects("stopped"))
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    code, told, words = ended(process)
    found = [] if code == 1 and told.get("skipped") == 1 else [f"exit code {code}: {told} {words}"]
    summary = world.summaries("stopped").get("first", {})
    if summary.get("passed") is not False or "the user stopped it" not in summary.get("executionErrors", ""):
        found.append(f"summary: {summary}")
    metrics = [it for it in world.documents("stopped") if it.get("jobName") == "first"]
    if not metrics:
        found.append("no metrics of the job that was stopped")
    return found + left(world, "stopped")


def check_server_dies(world: Playground) -> list[str]:
    """The search server is killed in the middle: documents of what ends then are not written, which is
    told; `--resume` writes them, once, and runs nothing again."""
    uuid = index = "server-dies"
    arguments = [*suite(world, uuid), "--give-up-after", "2s", "--request-timeout", "1s"]
    world.cluster.outcome("succeed", {RUN: uuid}, delay="3s")
    process = world.start(uuid, *arguments, index=index)
    book = world.folder / uuid / "run.json"

    def is_written() -> bool:
        known = json.loads(book.read_text())["jobs"] if book.exists() else []
        return any(it["indexed"] for it in known)

    world.cluster.wait("documents of the first job", is_written)
    world.server.kill()
    code, told, words = ended(process)
    written = {it["name"]: it["indexed"] for it in told.get("jobs", [])}
    found = [] if code == 4 else [f"exit code {code}: {told} {words}"]
    if written != {"prepare": True, "first": False, "second": False} or "unsent" not in words:
        found.append(f"without a server: {written}: {words}")
    found += [f"{it} failed" for it in told.get("jobs", []) if it.get("failures")]
    before = {it["name"]: (it["start"], it["end"]) for it in told.get("jobs", [])}
    world.server.start()
    code, told, words = ended(world.start(uuid, *arguments, "--resume", index=index))
    if code or not all(it["indexed"] for it in told.get("jobs", [])):
        found.append(f"resumed: exit code {code}: {told} {words}")
    if before != {it["name"]: (it["start"], it["end"]) for it in told.get("jobs", [])}:
        found.append(f"not the same jobs: {before}, {told}")
    if sorted(summaries := world.summaries(uuid, index)) != ["first", "prepare", "second"]:
        found.append(f"summaries of {sorted(summaries)}")
    # What was measured is gone by then.
    found += [f"{name} knows no GPU" for name in ("first", "second") if not summaries.get(name, {}).get("gpuModel")]
    metrics = [it for it in world.documents(uuid, index) if "query" in it]
    samples = Counter(
        (it["jobName"], it["metricName"], it["timestamp"], json.dumps(it.get("labels"), sort_keys=True))
        for it in metrics
    )
    found += [f"{it} times {sample}" for sample, it in samples.items() if it > 1]
    if {name for name, *_ in samples} != {"prepare", "first", "second"}:
        found.append(f"metrics of {sorted({name for name, *_ in samples})}")
    return found + left(world, uuid)


def check_timeout(world: Playground) -> list[str]:
    """The run's time is over: the same, with the exit code of a deadline."""
    world.cluster.outcome("run", {RUN: "late", JOB: "first"})
    code, told, words = world.run("late", *suite(world, "late"), "--timeout", "12s")
    found = [] if code == 4 and told.get("skipped") == 1 else [f"exit code {code}: {told} {words}"]
    if world.summaries("late").get("first", {}).get("passed") is not False:
        found.append("it is not told that the job failed")
    found += status(world, "late", 4, "ended", "exit code 4", "1 jobs not run")
    return found + left(world, "late")


def check_two_runs(world: Playground) -> list[str]:
    """Two at once do not touch each other; two in one namespace are kept apart by a refusal."""
    arguments = [*QUICK, "--set", "scenarios=[]"]
    world.cluster.outcome("succeed", {RUN: "one"}, delay="10s")
    one, two = world.start("one", *suite(world, "one")), world.start("two", *arguments)
    world.cluster.wait("the job of one", lambda: "job.batch/first-one" in world.objects("one"))
    found = status(world, "one", 0, "running")
    code, _, told = world.run("third", *suite(world, "third"), "-n", "one")
    found += [] if code == 1 and "of run one" in told else [f"third: exit code {code}: {told}"]
    found += refused_elsewhere(world, "one")
    for name, process in (("one", one), ("two", two)):
        code, _, told = ended(process)
        if code:
            found.append(f"{name}: exit code {code}: {told}")
        found += left(world, name)
    return found


def refused_elsewhere(world: Playground, uuid: str) -> list[str]:
    """The same run from another folder is refused, and touches nothing."""
    before, folder = world.objects(uuid), world.folder / f"{uuid}-elsewhere"
    code, _, told = world.run(uuid, *suite(world, uuid), "--folder", str(folder))
    parts = (f"run {uuid} is being run by another llm-d-scale", f"{world.folder / uuid} on ", "another --uuid")
    found = [f"{uuid} elsewhere: exit code {code}: {told}"] if code != 2 else []
    found += [f"not told: {it}: {told}" for it in parts if it not in told]
    if sorted(set(before) - set(world.objects(uuid))):
        found.append(f"deleted: {before}, {world.objects(uuid)}")
    if (folder / "run.json").exists():
        found.append("a run that was refused has left a book")
    return found


def check_killed_and_elsewhere(world: Playground) -> list[str]:
    """A run that was killed is free for another folder, once it is certain that it was."""
    uuid = "dead"
    world.cluster.outcome("succeed", {RUN: uuid, JOB: "first"}, delay="40s")
    process = world.start(uuid, *suite(world, uuid))
    world.cluster.wait("the first job", lambda: f"job.batch/first-{uuid}" in world.objects(uuid))
    process.kill()
    process.communicate()
    found = refused_elsewhere(world, uuid)
    time.sleep(31)
    code, told, words = world.run(uuid, *suite(world, uuid), "--folder", str(world.folder / "other"), "--keep")
    if code:
        found.append(f"exit code {code}: {told} {words}")
    leases = world.cluster.kubectl("get", "leases", "-n", uuid, "-o", "name").split()
    found += [f"stays: {leases}"] if leases else []
    # Whoever was killed leaves one, which goes with the rest.
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
             "metadata": {"name": "left", "namespace": uuid, "labels": {"llm-d-scale/held-run": uuid}}}  # fmt: skip
    world.cluster.apply(json.dumps(lease))
    done = subprocess.run(
        [world.binary, "gc", "--uuid", uuid, "--kubeconfig", str(world.cluster.kubeconfig)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        found.append(f"gc: {done.stderr}")
    leases = world.cluster.kubectl("get", "leases", "-A", "-l", f"llm-d-scale/held-run={uuid}", "-o", "name").split()
    return found + ([f"gc leaves {leases}"] if leases else []) + left(world, uuid)


def check_many_jobs(world: Playground) -> list[str]:
    """500 Jobs, as fast as the suite allows and no faster."""
    count, qps, burst = 500, 40, 20
    (world.folder / "one.yaml.j2").write_text("""
apiVersion: batch/v1
kind: Job
metadata: {name: {{ "one-" ~ iteration }}, namespace: {{ namespace }}}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: one, image: none}]
""")
    text = f"""
jobs:
  - {{name: many, jobIterations: {count}, qps: {qps}, burst: {burst}, objects: [{{objectTemplate: one.yaml.j2}}]}}
metricsEndpoints: [{{metrics: [metrics.yml]}}]
"""
    process = world.start("many", *suite(world, "many", text), "--keep")
    code, _, told = ended(process)
    found = [] if code == 0 else [f"exit code {code}: {told}"]
    listed = json.loads(world.cluster.kubectl("get", "jobs", "-n", "many", "-o", "json"))["items"]
    made = Counter(it["metadata"]["creationTimestamp"] for it in listed)
    if not listed:
        return [f"no Jobs: {told}"]
    if len(listed) != count or max(made.values()) > qps + burst:
        found.append(f"{len(listed)} Jobs, at most {max(made.values())} a second")
    unfinished = [it["metadata"]["name"] for it in listed if not it["status"].get("succeeded")]
    if unfinished:
        found.append(f"{len(unfinished)} have not succeeded")
    took = world.summaries("many")["many"]["elapsedTime"]
    print(f"        {count} Jobs in {took:.0f} s, at most {max(made.values())} a second")
    done = subprocess.run(
        [world.binary, "gc", "--uuid", "many", "--kubeconfig", str(world.cluster.kubeconfig)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        found.append(f"gc: {done.stderr}")
    return found + left(world, "many")


CHECKS = tuple(it for name, it in list(globals().items()) if name.startswith("check_"))


def main() -> None:
    """The checks that are named, or all."""
    if sys.argv[1:] == ["missing"]:
        lacks = Cluster.missing("kwok") + Prometheus.missing()
        if lacks:
            print("skipped: suites on a cluster: " + "; ".join(lacks))
        sys.exit(1 if lacks else 0)
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    binary, search, *names = sys.argv[1:]
    tally = Tally()
    with Playground(str(Path(binary).resolve()), search) as world:
        tally.run(CHECKS, names, world)
    sys.exit(tally.finish())


if __name__ == "__main__":
    main()
