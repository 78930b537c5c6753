"""The API server of a cluster by plain HTTP, for the controller."""

import json
import ssl
import urllib.error
import urllib.request
from pathlib import Path

MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"
OWNER = "istio-stand-in"
GATEWAY = "apis/gateway.networking.k8s.io/v1"
POOL = "apis/inference.networking.k8s.io/v1"
ISTIO = "apis/networking.istio.io/v1"


class Refused(Exception):
    """The API server does not want an object so."""


class Api:
    """Calls by the account of a kubeconfig."""

    def __init__(self, kubeconfig: str) -> None:
        config = json.loads(Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.server = cluster["server"]
        self.context = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self.context.load_cert_chain(user["client-certificate"], user["client-key"])

    def call(self, method: str, path: str, body: str | None = None, kind: str = MERGE) -> dict | None:
        """What it answers; None if there is no such object. OSError if it is away."""
        request = urllib.request.Request(
            f"{self.server}/{path}", method=method, data=None if body is None else body.encode(),
            headers={"Content-Type": kind, "Accept": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=10) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            text = error.read().decode(errors="replace")
            raise Refused(f"{method} {path}: {error.code} {text[:1000]}") from error

    def items(self, path: str) -> list[dict]:
        """The objects of a list; none if the kind is not installed."""
        return (self.call("GET", path) or {}).get("items", [])

    def apply(self, path: str, text: str, manager: str = OWNER) -> dict | None:
        """Applies an object, JSON or YAML, whoever else has its fields."""
        return self.call("PATCH", f"{path}?fieldManager={manager}&force=true", text, APPLY)

    def set_status(self, path: str, status: dict) -> None:
        """Sets members of an object's status."""
        self.call("PATCH", f"{path}/status", json.dumps({"status": status}))


def path_of(prefix: str, plural: str, about: dict) -> str:
    """The path of an object, by its metadata or whatever has its name and namespace."""
    return f"{prefix}/namespaces/{about['namespace']}/{plural}/{about['name']}"
