#!/usr/bin/env python3
"""The way of a request through gateway and endpoint picker to a model server, all real but for Istio.

    with Cluster(folder) as cluster, Lab(cluster) as lab:
        cluster.apply(lab.fit(rendered))        # or, with lab.variables in the suite, as it is
        lab.until_programmed("llm-d-scale", "bench")
        status, answer = lab.ask("http://llm-d-scale-istio.bench/v1/models")

As a command: `lab.py missing | build`. README.md tells more.
"""

import json
import subprocess
import sys
from pathlib import Path

import parts
from cluster import Cluster, Failure

HERE = Path(__file__).resolve().parent
EXTENSIONS = ("gateway-api", "inference-extension", "istio")


class Lab:
    """What is added to a cluster of a real node, as long as the `with` block."""

    #: What a suite of llm-d-scale has to be told, so that its objects run here as they are.
    variables = {
        "eppImage": parts.EPP, "simulatorImage": parts.MODEL, "gatewayClass": "istio",
        "eppConfig": "load-aware", "kvEvents": False,
    }  # fmt: skip

    def __init__(self, cluster: Cluster, held: dict[str, str] | None = None) -> None:
        self.cluster, self.held_file = cluster, cluster.folder / "held.json"
        self.log = cluster.folder / "log/istio.log"
        self.process: subprocess.Popen | None = None
        self.hold(held or {})

    @staticmethod
    def missing() -> list[str]:
        """What this machine lacks, as sentences; empty if all is here."""
        return parts.missing()

    def __enter__(self) -> "Lab":
        for name in EXTENSIONS:
            self.cluster.install(name)
        for archive in parts.build().values():
            self.cluster.load(archive)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the controller, and waits until it acts."""
        command = [
            # Ends with this process, whatever ends that.
            "setpriv", "--pdeathsig", "KILL", "--", "nsenter", f"--net={self.cluster.network}",
            sys.executable, "-B", HERE / "controller.py", self.cluster.kubeconfig,
            self.cluster.address, parts.ENVOY, self.held_file,
        ]  # fmt: skip
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.cluster.wait("the class istio", lambda: self.conditions("gatewayclass", "istio", ""))

    def stop(self) -> None:
        """Ends the controller; what it made goes on, as without Istio's."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def hold(self, held: dict[str, str]) -> None:
        """Holds conditions back from now on, instead of those before: "Gateway/Programmed",
        "HTTPRoute/Accepted", "InferencePool/ResolvedRefs", "Listener/Programmed" and the like, to
        "Unknown", as if no controller had come by yet, or "False", as if one refuses the object."""
        if odd := {it for it in held.values() if it not in ("Unknown", "False")}:
            raise ValueError(f"a condition is held Unknown or False, not {odd}")
        new = self.held_file.with_suffix(".new")
        new.write_text(json.dumps(held))
        new.replace(self.held_file)

    def conditions(self, kind: str, name: str, namespace: str) -> dict[str, str]:
        """Conditions of an object by their types; of one with parents, of the first."""
        status = self.cluster.get(kind, name, namespace or "default")["status"]
        found = status["parents"][0] if "parents" in status else status
        return {it["type"]: it["status"] for it in found["conditions"]}

    def until_programmed(self, gateway: str, namespace: str, timeout: float = 60) -> None:
        """Waits until a Gateway has its Envoy."""
        self.cluster.wait(
            f"gateway {gateway} programmed",
            lambda: self.conditions("gateway", gateway, namespace).get("Programmed") == "True", timeout,
        )  # fmt: skip

    def ask(self, url: str, body: dict | None = None, timeout: float = 30) -> tuple[int, str]:
        """Asks as a process of the node does; status and answer. Names of Services will do."""
        host, slash, path = url.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        service, _, namespace = name.removesuffix(".svc.cluster.local").partition(".")
        if namespace and not namespace.replace(".", "").isdigit():
            name = self.cluster.get("service", service, namespace)["spec"]["clusterIP"]
        url = f"http://{name}:{port or 80}{slash}{path}"
        told = json.dumps({"url": url, "body": body, "timeout": timeout})
        done = subprocess.run(
            ["nsenter", f"--net={self.cluster.network}", sys.executable, "-B", HERE / "ask.py"],
            input=told, text=True, capture_output=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Failure(f"{url}: {done.stderr.strip()}")
        status, _, answer = done.stdout.partition("\n")
        return int(status), answer

    def fit(self, rendered: str) -> str:
        """Manifests that name images which are not to be had here, so that they run here: of EPP,
        simulator and vLLM, told by the names of their containers. A GPU is not asked for."""
        text = self.cluster.kubectl(
            "create", "--dry-run=client", "--output=json", "--filename=-", input=rendered
        )
        return "\n---\n".join(json.dumps(fitted(it)) for it in objects(text))

    def guidellm(self, version: str) -> dict[str, object]:
        """Lets pods run a release of GuideLLM whose first container has its image; what a suite has to be
        told for that. It comes by mounts, which an admission policy adds; the model is a tokenizer
        of this machine."""
        parts.guidellm.install(version)
        image, archive = parts.benchmark(version)
        self.cluster.load(archive)
        self.cluster.apply("\n---\n".join(map(json.dumps, mounting(image, version))))
        self.cluster.wait("the mounts", lambda: self.mounts(image), 15)
        model = str(parts.guidellm.tokenizer(version))
        return {"guidellmImage": image, "guidellmVersion": version, "model": model}

    def indexer(self, binary: str | Path) -> dict[str, object]:
        """Lets pods run a guidellm-indexer that was built on this machine; what a suite has to be told
        for that."""
        image, archive = parts.indexer(Path(binary).resolve())
        self.cluster.load(archive)
        return {"indexerImage": image}

    def mounts(self, image: str) -> list[dict]:
        """What a new pod of an image would have mounted by the policy."""
        empty = {"volumes": [{"name": "one", "emptyDir": {}}]}
        mounts = [{"name": "one", "mountPath": "/one"}]
        pod = {
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "mounts-probe"},
            "spec": {**empty, "containers": [{"name": "one", "image": image, "volumeMounts": mounts}]},
        }  # fmt: skip
        told = self.cluster.kubectl(
            "create", "--dry-run=server", "--output=json", "--filename=-", input=json.dumps(pod)
        )
        found = json.loads(told)["spec"]["containers"][0]["volumeMounts"]
        return [it for it in found if it["name"].startswith("machine-")]


def objects(text: str) -> list[dict]:
    """Objects that stand one after the other."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at)
        found += value["items"] if value["kind"] == "List" else [value]
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def fitted(manifest: dict) -> dict:
    """One of them."""
    pod = manifest.get("spec", {}).get("template", {}).get("spec", {})
    for container in pod.get("containers", []):
        if container["name"] == "epp":
            container["image"] = parts.EPP
        elif container["name"] == "vllm":
            container["image"] = parts.MODEL
            if container.pop("command", [])[:2] == ["vllm", "serve"]:
                container["args"] = ["--model", container["args"][0], "--port=8000"]
                # Neither the device nor the shares of memory that go with it are here.
                container["resources"] = {}
                pod["nodeSelector"] = {}
                pod.setdefault("securityContext", {})["runAsUser"] = int(parts.USER)
    return manifest


def mounting(image: str, version: str) -> list[dict]:
    """The policy that mounts a release into pods of its image."""
    volumes, mounts = parts.guidellm.mounts(version)
    patches = [
        f'JSONPatch{{op: "add", path: "/spec/volumes/-", value: Object.spec.volumes{{name: '
        f'"{it["name"]}", hostPath: Object.spec.volumes.hostPath{{path: "{it["hostPath"]["path"]}"}}}}}}'
        for it in volumes
    ] + [
        f'JSONPatch{{op: "add", path: "/spec/containers/0/volumeMounts/-", value: '
        f'Object.spec.containers.volumeMounts{{name: "{it["name"]}", mountPath: '
        f'"{it["mountPath"]}", readOnly: true}}}}'
        for it in mounts
    ]
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    name = f"guidellm-{version}"
    head = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": name}}
    return [
        {**head, "kind": "MutatingAdmissionPolicy", "spec": {
            "matchConstraints": {"resourceRules": [rule]}, "failurePolicy": "Fail",
            "matchConditions": [
                {"name": "image", "expression": f'object.spec.containers[0].image == "{image}"'},
            ],
            "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "JSONPatch", "jsonPatch": {"expression": f"[{', '.join(patches)}]"}},
            ],
        }},
        {**head, "kind": "MutatingAdmissionPolicyBinding", "spec": {"policyName": name}},
    ]  # fmt: skip


def main(arguments: list[str]) -> int:
    """The command."""
    match arguments:
        case ["missing"]:
            print(*parts.missing(), sep="\n")
        case ["build"]:
            print(*parts.build().values(), sep="\n")
        case _:
            print(__doc__, file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
