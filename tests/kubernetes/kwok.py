"""What kwok plays in place of kubelets: nodes that run nothing, and pods that end as they are told to.

A pod tells by annotations what becomes of it; README.md lists them. Its status has the fields and
words that a kubelet writes, since that is what the programs under test read.
"""

import json
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOMAIN = "kwok.test"
OUTCOME = f"{DOMAIN}/outcome"
#: What an annotation can ask for.
OUTCOMES = (
    "succeed", "fail", "oom-killed", "run", "not-ready", "image-pull-back-off",
    "crash-loop-back-off", "unschedulable",
)  # fmt: skip
ANNOTATIONS = ("container", "delay", "exit-code", "message", "start-delay", "termination")
PODS = "10.202.0.0/16"
PORT = 10250
PRODUCT = "NVIDIA-H100-80GB-HBM3"
# A pod that asks for nothing ends if a Job made it, and else runs.
ASKED = (
    f'.metadata.annotations["{OUTCOME}"] // '
    '(if ((.metadata.ownerReferences // []) | any(.kind == "Job")) then "succeed" else "run" end)'
)
WAITS = (
    "((.status.containerStatuses // []) + (.status.initContainerStatuses // [])) "
    '| map(.state.waiting.reason // "") | map(select(. != "")) | first'
)
# kwok's own functions are in it, so that `NodeConditions` are those of a node in good health.
NODE = """
conditions:
{{ range NodeConditions }}
- type: {{ .type }}
  status: {{ .status | Quote }}
  reason: {{ .reason }}
  message: {{ .message | Quote }}
  lastHeartbeatTime: {{ Now | Quote }}
  lastTransitionTime: {{ Now | Quote }}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ .metadata.name | Quote }}}
daemonEndpoints: {kubeletEndpoint: {Port: {{ NodePort }}}}
nodeInfo:
  architecture: amd64
  bootID: ""
  containerRuntimeVersion: {{ printf "kwok://%s" Version | Quote }}
  kernelVersion: ""
  kubeProxyVersion: ""
  kubeletVersion: {{ printf "kwok-%s" Version | Quote }}
  machineID: ""
  operatingSystem: linux
  osImage: ""
  systemUUID: ""
phase: Running
"""


def configuration(delay: float, log: Path) -> str:
    """kwok's file. DELAY seconds is how long the pods of Jobs run that do not say it themselves; LOG is
    a file that is the log of every pod."""
    logs = object_of("ClusterLogs", "logs", {"logs": [{"logsFile": str(log), "follow": False}]})
    return "\n---\n".join(map(json.dumps, [node_ready(), *pod_stages(delay), logs]))


def log(text: str) -> str:
    """A pod's log as a container runtime keeps it, which is what kwok reads."""
    return "".join(f"2026-01-01T00:00:00.000000000Z stdout F {line}\n" for line in text.splitlines())


def object_of(kind: str, name: str, spec: dict) -> dict:
    """One of kwok's own kinds."""
    head = {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": kind, "metadata": {"name": name}}
    return {**head, "spec": spec}


def node_ready() -> dict:
    """Nodes become Ready at once; kwok keeps their leases."""
    ready = '.status.conditions.[] | select(.type == "Ready") | .status'
    return stage("node-ready", "Node", [(ready, "NotIn", "True")], {"statusTemplate": NODE})


def stage(
    name: str, kind: str, when: list[tuple[str, ...]], then: dict, delay: dict | None = None
) -> dict:
    """A stage: an object of which all of WHEN is true gets THEN, after a delay."""
    found = [
        {"key": key, "operator": operator} | ({"values": list(values)} if values else {})
        for key, operator, *values in when
    ]
    spec = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": found}, "next": then,
    }  # fmt: skip
    return object_of("Stage", name, spec | ({"delay": delay} if delay else {}))


def after(seconds: float, annotation: str = "") -> dict:
    """A delay, which an annotation of the pod can set."""
    delay = {"durationMilliseconds": int(seconds * 1000)}
    if annotation:
        path = f'.metadata.annotations["{DOMAIN}/{annotation}"]'
        delay["durationFrom"] = {"expressionFrom": path}
    return delay


def status(
    phase: str, chosen: str, others: str = "Running", *, ready: bool = False,
    why: str = "ContainersNotReady", event: tuple[str, str] | None = None,
) -> dict:  # fmt: skip
    """What a stage makes of a pod."""
    variables = {"phase": phase, "chosen": chosen, "others": others, "ready": ready, "why": why}
    head = "".join(f"{{{{ ${name} := {json.dumps(it)} }}}}" for name, it in variables.items())
    then: dict = {"statusTemplate": head + (HERE / "kwok-status.tmpl").read_text()}
    if event:
        then["event"] = {"type": "Warning", "reason": event[0], "message": event[1]}
    return then


def pod_stages(delay: float) -> list[dict]:
    """The life of pods."""
    alive = (".metadata.deletionTimestamp", "DoesNotExist")
    new = [alive, (".status.podIP", "DoesNotExist")]
    runs = [alive, (".status.phase", "In", "Running")]

    def asked(*outcomes: str) -> tuple[str, ...]:
        return ASKED, "In", *outcomes

    def pod(name: str, when: list[tuple[str, ...]], then: dict, delay: dict | None = None) -> dict:
        return stage(f"pod-{name}", "Pod", when, then, delay)

    unready = ("not-ready", "crash-loop-back-off")
    waits = (WAITS, "In", "CrashLoopBackOff")
    begin, end = after(0, "start-delay"), after(delay, "delay")
    failed = {"phase": "Failed", "others": "Completed", "why": "PodFailed"}
    return [
        pod("running", [*new, (ASKED, "NotIn", "image-pull-back-off", *unready)],
            status("Running", "Running", ready=True), begin),
        pod("unready", [*new, asked(*unready)], status("Running", "Running"), begin),
        pod("completed", [*runs, asked("succeed")],
            status("Succeeded", "Completed", "Completed", why="PodCompleted"), end),
        pod("failed", [*runs, asked("fail")], status(chosen="Error", **failed), end),
        pod("oom-killed", [*runs, asked("oom-killed")], status(chosen="OOMKilled", **failed), end),
        pod("not-pulled", [*new, asked("image-pull-back-off")],
            status("Pending", "ErrImagePull", event=("Failed", "Error: ErrImagePull")), begin),
        pod("pull-back-off", [alive, (WAITS, "In", "ErrImagePull")],
            status("Pending", "ImagePullBackOff", event=("Failed", "Error: ImagePullBackOff")),
            after(0.5)),
        pod("crashed", [*runs, asked("crash-loop-back-off"), (WAITS, "NotIn", *waits[2:])],
            status("Running", "CrashLoopBackOff",
                   event=("BackOff", "Back-off restarting failed container")), end),
        pod("restarted", [*runs, asked("crash-loop-back-off"), waits],
            status("Running", "Running"), after(10)),
        pod("deleted", [(".metadata.deletionTimestamp", "Exists")], {"delete": True},
            after(0, "termination")),
    ]  # fmt: skip


def node(name: str, *, gpus: int = 0, labels: dict[str, str] | None = None) -> dict:
    """A node. One with GPUs has the labels of NVIDIA's feature discovery and the usual taint."""
    own = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
           "node-role.kubernetes.io/worker": ""}  # fmt: skip
    room = {"cpu": "64", "memory": "512Gi", "pods": "250", "ephemeral-storage": "1Ti"}
    spec: dict = {}
    if gpus:
        own |= {"nvidia.com/gpu.present": "true", "nvidia.com/gpu.product": PRODUCT,
                "nvidia.com/gpu.count": str(gpus)}  # fmt: skip
        room["nvidia.com/gpu"] = str(gpus)
        spec["taints"] = [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]
    return {
        "apiVersion": "v1", "kind": "Node",
        "metadata": {
            "name": name, "labels": own | (labels or {}),
            "annotations": {f"{DOMAIN}/node": "fake"},
        },
        "spec": spec, "status": {"capacity": room, "allocatable": room},
    }  # fmt: skip


def policy(outcomes: list[tuple[dict[str, str], dict[str, str]]]) -> list[dict]:
    """The admission policy for new pods, this API server's own without a webhook: labels and the
    annotations for pods that have them. It is one, as the order of several is not told.

    At last it leaves it to the real scheduler to find no node for a pod that asks for that.
    """
    notes = "object.metadata.annotations"
    nowhere = f'has({notes}) && {notes}[?"{OUTCOME}"].orValue("") == "unschedulable"'
    # An apply configuration may not touch a map that is replaced as a whole, as this one is.
    selector = f'{{"{DOMAIN}/nowhere": ""}}'
    patch = f'[JSONPatch{{op: "add", path: "/spec/nodeSelector", value: {selector}}}]'
    mutations = [applied(labels, annotations) for labels, annotations in outcomes]
    mutations.append({
        "patchType": "JSONPatch", "jsonPatch": {"expression": f"{nowhere} ? {patch} : []"},
    })  # fmt: skip
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": DOMAIN}}
    return [
        {**head, "kind": "MutatingAdmissionPolicy", "spec": {
            "matchConstraints": {"resourceRules": [rule]}, "failurePolicy": "Fail",
            "reinvocationPolicy": "Never", "mutations": mutations,
        }},
        {**head, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": DOMAIN}},
    ]  # fmt: skip


def applied(labels: dict[str, str], annotations: dict[str, str]) -> dict:
    """Gives annotations to pods that have all of some labels."""
    own = "object.metadata.labels"
    tests = [f"{own}[?{json.dumps(key)}].orValue('') == {json.dumps(it)}" for key, it in labels.items()]
    found = " && ".join([f"has({own})", *tests]) if labels else "true"
    wanted = f"Object{{metadata: Object.metadata{{annotations: {json.dumps(annotations)}}}}}"
    expression = {"expression": f"{found} ? {wanted} : Object{{}}"}
    return {"patchType": "ApplyConfiguration", "applyConfiguration": expression}
