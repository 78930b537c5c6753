"""`llm-d-scale run` end to end, on a real node: GuideLLM with the sidecar, Envoy, the endpoint picker with
a real InferencePool, two model servers; a real search server and a real Prometheus.

    python check_end_to_end.py missing      what this machine lacks; exit code 69 if it does
    python check_end_to_end.py BINARY INDEXER SERVER [VERSION ...]

BINARY is llm-d-scale, INDEXER the guidellm-indexer of its image. Each VERSION of GuideLLM has a run of its
own: the objects of the default suite, and two short scenarios.
"""

import hashlib
import json
import math
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from real_node import SEARCH, World  # noqa: I001

import asked
import handed_over
from guarded import Guard
from matching import Tally
from server import expected, indexer
from world import differences, place, sample

VERSIONS = ("0.8.1", "0.3.1")
INDEX = "end-to-end"
SCENARIOS = [
    {"name": "steady", "rateType": "constant", "rate": 4, "seconds": 4},
    {"name": "flat-out", "rateType": "throughput", "rate": 4, "seconds": 3},
]
for it in SCENARIOS:
    it |= {"promptTokens": 32, "outputTokens": 8, "samples": 2}
#: What the default suite's answers are too quick for: requests at the same time.
PACE = {"simulatorTtft": 20, "simulatorItl": 5}
#: Of the newest release one sample after the other, of the other one both at once.
AT_ONCE = {"parallelism": 2, "resultsAccessMode": "ReadWriteMany"}
#: What the profiles have of the endpoint picker, and it tells with these plugins and without errors.
PICKER = {
    "epp-scheduler-latency-p50", "epp-scheduler-latency-p99", "epp-scheduler-latency-p99-over-time",
    "epp-plugin-latency-p99", "epp-requests-per-second", "epp-requests", "epp-requests-running",
    "epp-request-latency-p95", "pool-kv-cache-usage", "pool-queue-size", "pool-queue-size-by-pod",
    "pool-ready-endpoints",
}  # fmt: skip
OTHERS = {"cpu-usage", "memory-usage", "load-generator-memory-usage", "vllm-requests-running"}


class Ran:
    """A run that has ended, with its objects still there."""

    def __init__(self, world: World, version: str) -> None:
        self.world, self.version, self.name = world, version, f"run-{version.replace('.', '-')}"
        more = AT_ONCE if version != VERSIONS[0] else {}
        told = arguments(world, self.name, version, SCENARIOS, more)
        self.checked = world.call(*world.command("check", *told))
        self.code, self.told, self.words = world.call(*world.command("run", *told, "--keep"))
        pods = world.listed("pods", self.name, "app.kubernetes.io/name=guidellm")
        self.pods = sorted(pods, key=lambda it: (job(it), sample(it)))
        there = world.documents(self.name, INDEX)
        self.results = {it["document_id"]: it for it in there if "document_id" in it}
        self.metrics = [it for it in there if "query" in it]
        self.summaries = {
            it["jobConfig"]["name"]: it for it in there if it["metricName"] == "jobSummary"
        }
        self.count = len(there)

    def of(self, scenario: str) -> list[dict]:
        """The pods of a scenario, by their samples."""
        return [it for it in self.pods if job(it) == scenario]

    def report(self, pod: dict) -> Path:
        """Where a pod's benchmark wrote, on this machine."""
        return results(self.world, self.name) / pod["metadata"]["name"] / "benchmarks.json"

    def requests(self, scenario: str = "") -> list[dict]:
        """Documents of requests, of a scenario or of all."""
        return [
            it for it in self.results.values()
            if it["metricName"] == "guidellmRequest" and scenario in ("", it["job_name"])
        ]  # fmt: skip


def arguments(world: World, run: str, version: str, scenarios: list[dict], more: dict) -> list[str]:
    """What the runner is told for a run."""
    variables = world.told[version] | PACE | more
    told = [f"--set=vars.{name}={text(it)}" for name, it in variables.items()]
    return [
        "--namespace", run, "--uuid", run, "--es-index", INDEX, *told,
        "--set", f"scenarios={json.dumps(scenarios)}", "--set", "metricsEndpoints.0.step=1s",
    ]  # fmt: skip


def results(world: World, run: str) -> Path:
    """The volume of a run's results, on this machine."""
    [claim] = world.listed("persistentvolumeclaims", run)
    volume = world.cluster.get("persistentvolume", claim["spec"]["volumeName"])
    return Path(volume["spec"]["hostPath"]["path"])


def wanted(world: World, report: Path, run: str, scenario: str, number: int, outcome: dict) -> dict:
    """The documents of a report, with what the sidecar saw of its pod."""
    own = expected(world.indexer, str(report), "-j", scenario, "-s", str(number), "--uuid", run)
    for document in own.values():
        if document["metricName"] == "guidellmSummary":
            document |= {"namespace": run, "passed": True, "exit_code": 0, **outcome}
    return own


def text(value: object) -> str:
    """A value as `--set` takes it."""
    return value if isinstance(value, str) else json.dumps(value)


def job(pod: dict) -> str:
    """The job of the suite that a pod is of."""
    return pod["metadata"]["labels"]["llm-d-scale/job"]


def seconds(timestamp: str) -> float:
    """Seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def check_ended(ran: Ran) -> list[str]:
    """All is well, and nothing else is told."""
    code, checks, words = ran.checked
    bad = [it for it in checks if not it["ok"]]
    found = [f"check: exit code {code}: {bad} {words}"] if code or bad or not checks else []
    names = [it["name"] for it in ran.told.get("jobs", [])]
    if ran.code or names != ["deploy-infra", *(it["name"] for it in SCENARIOS)]:
        found.append(f"exit code {ran.code}: {names}: {ran.words}")
    odd = [line for line in ran.words.splitlines() if line.startswith(("warning", "error"))]
    return found + odd


def check_documents(ran: Ran) -> list[str]:
    """The documents are those of the reports, with what the sidecar saw, and no other."""
    all_of: dict[str, dict] = {}
    for pod in ran.pods:
        outcome = {**place(pod), "namespace": ran.name}
        all_of |= wanted(ran.world, ran.report(pod), ran.name, job(pod), sample(pod), outcome)
    found = differences(ran.results, all_of)
    samples = {(it["job_name"], it["sample"]) for it in all_of.values()}
    if samples != {(it["name"], number) for it in SCENARIOS for number in range(it["samples"])}:
        found.append(f"samples: {samples}")
    others = ran.count - len(ran.results) - len(ran.metrics) - len(ran.summaries)
    print(f"        {len(all_of)} of GuideLLM, {len(ran.metrics)} of metrics")
    return found + ([f"{others} documents of no kind"] if others else [])


def check_asked(ran: Ran) -> list[str]:
    """Each report shows what its scenario asks for; no two samples have a seed or a prompt in common."""
    found, seeds, prompts = [], set(), []
    for scenario in SCENARIOS:
        for pod in ran.of(scenario["name"]):
            report = json.loads(ran.report(pod).read_text())
            seed = asked.seed(pod["spec"]["containers"][0]["env"], sample(pod))
            where = f"{scenario['name']} {sample(pod)}"
            found += asked.differences(scenario, seed, report, where)
            seeds.add(seed)
            prompts.append(asked.prompts(report))
    if len(seeds) != sum(it["samples"] for it in SCENARIOS):
        found.append(f"seeds: {seeds}")
    if not all(prompts) or sum(map(len, prompts)) != len(set().union(*prompts)):
        found.append("a prompt is in two samples")
    return found


def check_spread(ran: Ran) -> list[str]:
    """The endpoint picker sent requests to both model servers, and no others came to them."""
    servers = ran.world.listed("pods", ran.name, "app.kubernetes.io/component=model-server")
    fates = [ran.world.lab.ask(f"http://{it['status']['podIP']}:8000/stats") for it in servers]
    counts = [sum(json.loads(told).values()) for _, told in fates]
    whole = [it for it in ran.requests() if it["status"] == "successful"]
    # Each benchmark of 0.3 asks whether somebody is there; so does the runner, once.
    others = 1 + (2 * len(ran.pods) if ran.version.startswith("0.3.") else 0)
    query = f'sum(inference_objective_request_total{{namespace="{ran.name}"}})'
    picked = float(ran.world.prometheus.query(query)[0]["value"][1])
    print(f"        {counts} answered, {picked:.0f} picked, {len(whole)} of {len(ran.requests())} complete")
    found = []
    if len(counts) != 2 or min(counts) < sum(counts) / 4:
        found.append(f"answered: {counts}")
    if not len(whole) <= sum(counts) <= picked <= len(ran.requests()) + others:
        found.append(f"{sum(counts)} answered, {picked} picked, {len(whole)} complete")
    return found


def check_summaries(ran: Ran) -> list[str]:
    """Each job has a summary with what ran; it is asked here in another way."""
    cluster, found = ran.world.cluster, []
    told = ran.world.told[ran.version]
    plugins, simulated = (
        digest(cluster.get("configmap", f"llm-d-scale-{it}", ran.name)["data"])
        for it in ("epp", "simulator")
    )
    version = json.loads(cluster.kubectl("version", "--output=json"))["serverVersion"]["gitVersion"]
    wanted = {
        "uuid": ran.name, "passed": True, "k8sVersion": version, "totalNodes": 1,
        "eppImage": told["eppImage"], "eppConfigHash": plugins, "eppReplicas": 1,
        "modelServerImage": told["simulatorImage"], "modelServerReplicas": 2,
        "modelServerConfigHash": simulated,
        "gatewayClass": "istio", "gatewayImage": "localhost/envoy:1",
    }  # fmt: skip
    names = {"deploy-infra", *(it["name"] for it in SCENARIOS)}
    if ran.summaries.keys() != names:
        found.append(f"summaries of {ran.summaries.keys()}")
    for name, summary in ran.summaries.items():
        odd = {key: summary.get(key) for key, it in wanted.items() if summary.get(key) != it}
        found += [f"{name}: {odd}"] if odd else []
        if ("loadStartTimestamp" in summary) == (name == "deploy-infra"):
            found.append(f"{name}: {summary}")
    return found


def digest(data: dict[str, str]) -> str:
    """What tells one configuration from another."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode()).hexdigest()


def check_metrics(ran: Ran) -> list[str]:
    """Metrics of the endpoint picker and of the others are there, as Prometheus itself answers."""
    found = []
    for scenario in SCENARIOS:
        name = scenario["name"]
        own = [it for it in ran.metrics if it["jobName"] == name]
        if lacks := (PICKER | OTHERS) - {it["metricName"] for it in own}:
            found.append(f"{name} has no {sorted(lacks)}")
        ready = [it for it in own if it["metricName"] == "pool-ready-endpoints"]
        # It tells of what has just come a few seconds late.
        if max(ready, key=lambda it: it["timestamp"])["value"] != 2.0:
            found.append(f"{name}: {ready[-1]} endpoints are ready")
        [picked] = [it["value"] for it in own if it["metricName"] == "epp-requests"]
        # Prometheus extends what it has seen to the whole of the time.
        if not math.isclose(picked, len(ran.requests(name)), rel_tol=0.1, abs_tol=2 * len(ran.pods)):
            found.append(f"{name}: {picked} requests picked, {len(ran.requests(name))} sent")
    asked_for = {(it["query"], it["timestamp"]) for it in ran.metrics}
    there: dict[tuple, float] = {}
    for query, timestamp in asked_for:
        for row in ran.world.prometheus.query(query, seconds(timestamp)):
            if math.isfinite(value := float(row["value"][1])):
                there[(query, timestamp, labelled(row["metric"]))] = value
    told = {
        (it["query"], it["timestamp"], labelled(it.get("labels", {}))): it["value"] for it in ran.metrics
    }
    for key in told.keys() | there.keys():
        if told.get(key) != there.get(key):
            found.append(f"{key}: {told.get(key)}, Prometheus has {there.get(key)}")
    return found


def labelled(labels: dict[str, str]) -> tuple:
    """Labels, to compare by."""
    return tuple(sorted((name, it) for name, it in labels.items() if name != "__name__"))


def check_load(ran: Ran) -> list[str]:
    """The time of the load has all requests in it, and metrics are marked that lie in it."""
    found = []
    for scenario in SCENARIOS:
        name = scenario["name"]
        summary = ran.summaries[name]
        start, end = (seconds(summary[f"load{it}Timestamp"]) for it in ("Start", "End"))
        own = [it for it in ran.metrics if it["jobName"] == name]
        marked = [it for it in own if it.get("duringLoad")]
        if not marked or len(marked) == len(own):
            found.append(f"{name}: {len(marked)} of {len(own)} metrics are of the load")
        for it in own:
            if (start <= seconds(it["timestamp"]) <= end) != it.get("duringLoad", False):
                found.append(f"{name}: {it}, of {start} to {end}")
        times = [seconds(it["timestamp"]) for it in ran.requests(name)]
        # Kubernetes tells whole seconds.
        if not start <= min(times) <= max(times) <= end + 1:
            found.append(f"{name}: requests from {min(times)} to {max(times)}, load {start} to {end}")
    return found


def check_deleted(ran: Ran) -> list[str]:
    """`gc` leaves nothing that has the run's label, and not its namespace."""
    return deleted(ran.world, ran.name)


def deleted(world: World, run: str) -> list[str]:
    """Deletes a run, of which something has to be there before and nothing afterwards."""
    before, kubeconfig = world.left(run), str(world.cluster.kubeconfig)
    told = world.call(world.binary, "gc", "--uuid", run, "--kubeconfig", kubeconfig, "--json")
    found = [] if told[0] == 0 and before else [f"of {len(before)} objects: {told}"]
    if stay := world.left(run):
        found.append(f"stay: {stay}")
    if f"namespace/{run}" in world.cluster.kubectl("get", "namespaces", "--output=name").split():
        found.append("its namespace stays")
    return found


def check_unsent(world: World, version: str) -> list[str]:
    """Sidecars that do not get rid of their documents: the run has failed and says so, and deletes
    nothing; the documents are in the volume, and nowhere else."""
    run, scenario = "unsent", {**SCENARIOS[0], "samples": 1, "seconds": 2}
    told = arguments(world, run, version, [scenario], {})
    # The kubelet: its certificate is trusted by nobody, so that it is given up at once.
    away = f"https://{SEARCH}:10250"
    code, outcome, words = world.call(*world.command("run", *told, search=away))
    found = [] if code == 1 and f"gc --uuid {run}" in words else [f"exit code {code}: {words}"]
    [summary] = [
        it for it in world.documents(run, INDEX)
        if it["metricName"] == "jobSummary" and it["jobConfig"]["name"] == scenario["name"]
    ]  # fmt: skip
    if summary["passed"] or " unsent" not in summary.get("executionErrors", ""):
        found.append(f"{summary}, {outcome}")
    [spool] = results(world, run).glob("*/guidellm-unsent.ndjson")
    code, _, told = indexer(world.indexer, "replay", str(spool), "--es-server", world.server.url)
    [node] = json.loads(world.cluster.kubectl("get", "nodes", "--output=json"))["items"]
    about = {"podName": spool.parent.name, "nodeName": node["metadata"]["name"]}
    report = spool.with_name("benchmarks.json")
    own = wanted(world, report, run, scenario["name"], 0, about)
    there = {it["document_id"]: it for it in world.documents(run, INDEX) if "document_id" in it}
    found += [f"replay: exit code {code}: {told}"] if code else []
    return found + differences(there, own) + deleted(world, run)


def check_guarded(world: World, version: str) -> list[str]:
    """A search server with an authority of its own, that asks for certificates: sidecars are given both,
    by a Secret, and `gc` deletes it."""
    run, scenario = "guarded", {**SCENARIOS[0], "samples": 1, "seconds": 2}
    told = arguments(world, run, version, [scenario], {})
    with Guard(world.server.url, world.folder / "guard", SEARCH) as guard:
        reached = [
            "--es-server", guard.url, "--pods-es-server", f"https://{SEARCH}:{guard.port}",
            "--cacert", str(guard.authority), "--cert", str(guard.client),
        ]  # fmt: skip
        code, outcome, words = world.call(*world.always("run"), *reached, *told, "--keep")
    found = [f"exit code {code}: {words}"] if code else []
    [pod] = world.listed("pods", run, "app.kubernetes.io/name=guidellm")
    report = results(world, run) / pod["metadata"]["name"] / "benchmarks.json"
    own = wanted(world, report, run, scenario["name"], 0, {**place(pod), "namespace": run})
    there = {it["document_id"]: it for it in world.documents(run, INDEX) if "document_id" in it}
    secret = guard.client.with_name("client.key").read_text().splitlines()[1]
    told_of = [words, json.dumps(outcome), json.dumps(pod)]
    found += ["the key is told"] if any(secret in it for it in told_of) else []
    return found + differences(there, own) + deleted(world, run)


def check_fetched(world: World, version: str) -> list[str]:
    """Without a search server, documents are fetched into the store, and reports kept in the volume."""
    run, scenario = "fetched", {**SCENARIOS[0], "seconds": 2}
    told = arguments(world, run, version, [scenario], {})
    return handed_over.fetched(world, told, run, results) + deleted(world, run)


def check_killed(world: World, version: str) -> list[str]:
    """The same without any volume, and killed before the documents are fetched."""
    scenario = {**SCENARIOS[0], "samples": 1, "seconds": 3}
    return handed_over.killed(world, arguments(world, "killed", version, [scenario], {}), "killed")


def check_discarded(world: World, version: str) -> list[str]:
    """The same, and nobody wants the documents."""
    run, scenario = "discarded", {**SCENARIOS[0], "samples": 2, "seconds": 3}
    told = arguments(world, run, version, [scenario], {"parallelism": 2})
    return handed_over.discarded(world, told, run)


def check_lost(world: World, version: str) -> list[str]:
    """The same of a benchmark that cannot begin, for want of a tokenizer: that is in the store."""
    run, scenario = "lost", {**SCENARIOS[0], "samples": 1, "seconds": 2}
    told = arguments(world, run, version, [scenario], {"model": "nobody/nothing"})
    return handed_over.lost(world, told, run, scenario["name"]) + deleted(world, run)


CHECKS = (
    check_ended, check_documents, check_asked, check_spread, check_summaries, check_metrics,
    check_load, check_deleted,
)  # fmt: skip


def missing() -> int:
    """Tells what this machine lacks."""
    if lacks := World.missing():
        print("SKIPPED: end to end, as", *lacks, sep="\n  ")
    return 69 if lacks else 0


def main(binary: str, sidecar: str, search: str, *versions: str) -> int:
    """A run for each release in one cluster, and what is to be seen of each."""
    tally, began = Tally(), time.monotonic()
    with World(binary, sidecar, search, versions or VERSIONS) as world:
        tally.add(f"a cluster with all that it takes ({time.monotonic() - began:.0f} s)", [])
        for version in versions or VERSIONS:
            began = time.monotonic()
            ran = Ran(world, version)
            print(f"        a run with GuideLLM {version}: {time.monotonic() - began:.0f} s")
            for check in CHECKS:
                tried(tally, f"{version}: {check.__name__}", check, ran)
        lasts = (check_unsent, check_guarded, check_fetched, check_lost, check_killed, check_discarded)
        for last in lasts:
            tried(tally, f"{version}: {last.__name__}", last, world, version)
    return tally.finish()


def tried(tally: Tally, name: str, check: Callable[..., list[str]], *arguments: object) -> None:
    """A check, and how long it takes."""
    began = time.monotonic()
    try:
        found = check(*arguments)
    except Exception as error:
        found = [f"{type(error).__name__}: {error}"]
    tally.add(f"{name} ({time.monotonic() - began:.0f} s)", found)


if __name__ == "__main__":
    if sys.argv[1:] == ["missing"]:
        sys.exit(missing())
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    programs = [str(Path(it).resolve()) for it in sys.argv[1:3]]
    sys.exit(main(*programs, *sys.argv[3:]))
