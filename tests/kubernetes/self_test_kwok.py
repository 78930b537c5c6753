"""The checks of a cluster whose nodes are kwok's, for `self-test`."""

import json
from functools import partial

import crds
from cluster import Cluster, Failure
from proof import check, condition, expect


def played_job(name: str, **annotations: str) -> str:
    """A Job of two pods with a sidecar, whose annotations say what becomes of them."""
    notes = {f"kwok.test/{key.replace('_', '-')}": it for key, it in annotations.items()}
    return json.dumps({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
        "spec": {
            "completionMode": "Indexed", "completions": 2, "parallelism": 2, "backoffLimit": 0,
            "template": {"metadata": {"annotations": notes}, "spec": {
                "restartPolicy": "Never",
                "initContainers": [{"name": "sidecar", "image": "none:1", "restartPolicy": "Always"}],
                "containers": [{"name": "work", "image": "none:1"}],
            }},
        },
    })  # fmt: skip


def pod_of(cluster: Cluster, job: str, index: int = 0) -> dict:
    """A pod of a Job."""
    chosen = f"job-name={job},batch.kubernetes.io/job-completion-index={index}"
    return json.loads(cluster.kubectl("get", "pods", "-l", chosen, "-o=json"))["items"][0]


def becomes(cluster: Cluster, job: str, wanted: tuple, container: str = "work") -> None:
    """Waits until the first pod of a Job has a phase, and a container a reason, an exit code and
    restarts."""
    def found() -> tuple:
        status = pod_of(cluster, job)["status"]
        both = status["containerStatuses"] + status["initContainerStatuses"]
        [own] = [it for it in both if it["name"] == container]
        [told] = own["state"].values()
        return status["phase"], told.get("reason"), told.get("exitCode"), own["restartCount"]

    cluster.wait(f"{job}: {wanted}", lambda: found() == wanted, 15)


def unschedulable(cluster: Cluster, job: str) -> None:
    """The real scheduler tells that no node fits."""
    def reason() -> str:
        [told] = pod_of(cluster, job)["status"]["conditions"]
        return told["reason"]

    cluster.wait("Unschedulable", lambda: reason() == "Unschedulable", 15)


def told_outside(cluster: Cluster) -> None:
    """A test says what becomes of one pod of a Job that says nothing of it; the last word counts."""
    labels = {"job-name": "told", "batch.kubernetes.io/job-completion-index": "1"}
    cluster.outcome("oom-killed", labels)
    cluster.outcome("fail", labels, exit_code="7", message="no model")
    cluster.apply(played_job("told"))
    condition(cluster, "job", "told", "Failed")
    told = pod_of(cluster, "told", 1)["status"]["containerStatuses"][0]["state"]["terminated"]
    expect((told["exitCode"], told["message"]), (7, "no model"))
    expect(pod_of(cluster, "told", 0)["status"]["phase"], "Succeeded")
    cluster.outcome("unschedulable", {"job-name": "later"})
    cluster.apply(played_job("later"))
    unschedulable(cluster, "later")


def on_gpus(cluster: Cluster) -> None:
    """A pod that asks for GPUs is on the node that has them."""
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "gpu"},
        "spec": {
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
            "containers": [{
                "name": "gpu", "image": "none:1", "resources": {"limits": {"nvidia.com/gpu": "8"}},
            }],
        },
    }))  # fmt: skip
    condition(cluster, "pod", "gpu", "Ready")
    expect(cluster.get("pod", "gpu")["spec"]["nodeName"], "gpu-0")


def claimed(cluster: Cluster) -> None:
    """A claim without a class gets a volume."""
    [folder] = cluster.provide(1)
    cluster.apply(json.dumps({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "results"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }))  # fmt: skip
    bound = lambda: cluster.get("pvc", "results")["status"]["phase"] == "Bound"  # noqa: E731
    cluster.wait("the claim bound", bound, 15)
    expect(folder.stat().st_mode & 0o777, 0o777)


def extended(cluster: Cluster) -> None:
    """Resource definitions of extensions, which the API server then holds objects to."""
    for name in crds.SOURCES:
        cluster.install(name)
    kinds = cluster.kubectl("api-resources", "--output=name").split()
    for kind in ("gateways.gateway", "httproutes.gateway", "inferencepools.inference"):
        expect(f"{kind}.networking.k8s.io" in kinds, True)
    expect("destinationrules.networking.istio.io" in kinds, True)
    pool = {"apiVersion": "inference.networking.k8s.io/v1", "kind": "InferencePool",
            "metadata": {"name": "pool"}, "spec": {"targetPorts": [{"number": 8000}]}}  # fmt: skip
    try:
        cluster.apply(json.dumps(pool))
    except Failure as error:
        expect("spec.selector" in str(error), True)
    else:
        raise AssertionError("a pool without a selector was accepted")


def all_of(cluster: Cluster) -> None:
    """Runs the checks."""
    for name, asked in {
        "complete": {}, "failed": {"outcome": "fail", "exit_code": "3"}, "hung": {"outcome": "run"},
        "killed": {"outcome": "oom-killed"}, "nowhere": {"outcome": "unschedulable"},
        "pulling": {"outcome": "image-pull-back-off"},
        "crashing": {"outcome": "crash-loop-back-off", "container": "sidecar"},
    }.items():  # fmt: skip
        cluster.apply(played_job(name, **asked))
    cluster.kubectl("create", "deployment", "web", "--image=none:1", "--replicas=3")
    for title, probe in {
        "Deployment Available": partial(condition, cluster, "deployment", "web", "Available"),
        "Job Complete": partial(condition, cluster, "job", "complete", "Complete"),
        "Job Failed": partial(condition, cluster, "job", "failed", "Failed"),
        "exit code": partial(becomes, cluster, "failed", ("Failed", "Error", 3, 0)),
        "OOMKilled": partial(becomes, cluster, "killed", ("Failed", "OOMKilled", 137, 0)),
        "ImagePullBackOff": partial(
            becomes, cluster, "pulling", ("Pending", "ImagePullBackOff", None, 0)),
        "CrashLoopBackOff of a sidecar": partial(
            becomes, cluster, "crashing", ("Running", "CrashLoopBackOff", None, 1), "sidecar"),
        "a pod that hangs": partial(becomes, cluster, "hung", ("Running", None, None, 0)),
        "Unschedulable": partial(unschedulable, cluster, "nowhere"),
        "an outcome told from outside": partial(told_outside, cluster),
        "a node with GPUs": partial(on_gpus, cluster),
        "a volume for a claim": partial(claimed, cluster),
        "a log": lambda: expect(
            cluster.kubectl("logs", "job/hung", "-c=work"), "kwok runs no containers\n"),
        "extensions installed": partial(extended, cluster),
        "API server restarted": partial(cluster.restart_api, 0.5),
        "all goes on after it": lambda: (
            cluster.apply(played_job("after")), condition(cluster, "job", "after", "Complete")),
    }.items():  # fmt: skip
        check(f"kwok: {title}", probe)
