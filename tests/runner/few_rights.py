"""Somebody who may do all that a run takes, but fetch documents from pods and ask Services."""

import json
from pathlib import Path

from cluster import Cluster, documents

GROUPS = [
    "apps", "batch", "rbac.authorization.k8s.io", "gateway.networking.k8s.io",
    "inference.networking.k8s.io", "networking.istio.io",
]  # fmt: skip
CORE = [
    "configmaps", "events", "namespaces", "nodes", "persistentvolumeclaims", "pods", "pods/log",
    "secrets", "serviceaccounts", "services",
]  # fmt: skip

ALL = [
    {"apiGroups": [""], "resources": CORE, "verbs": ["*"]},
    {"apiGroups": GROUPS, "resources": ["*"], "verbs": ["*"]},
]


def config(cluster: Cluster, folder: Path, name: str = "few", rules: list[dict] = ALL) -> Path:  # noqa: B006
    """Makes a user, and its configuration."""
    group, about = "rbac.authorization.k8s.io", {"name": name}
    cluster.apply(documents([
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**about, "namespace": "default"}},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": about, "rules": rules},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": about,
         "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": name},
         "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": "default"}]},
    ]))  # fmt: skip
    return signed_in(cluster, folder, name)


def within(cluster: Cluster, folder: Path, namespace: str) -> Path:
    """Somebody who may do everything in a namespace, and see no other; and its configuration."""
    group, about = "rbac.authorization.k8s.io", {"name": "within"}
    user = [{"kind": "ServiceAccount", "name": "within", "namespace": "default"}]
    rules = [{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["create", "get", "patch"]}]
    role = {"apiGroup": group, "kind": "ClusterRole"}
    cluster.kubectl("create", "namespace", namespace)
    cluster.apply(documents([
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**about, "namespace": "default"}},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": about, "rules": rules},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": about,
         "roleRef": {**role, "name": "within"}, "subjects": user},
        {"apiVersion": f"{group}/v1", "kind": "RoleBinding", "metadata": {**about, "namespace": namespace},
         "roleRef": {**role, "name": "admin"}, "subjects": user},
    ]))  # fmt: skip
    return signed_in(cluster, folder, "within")


def signed_in(cluster: Cluster, folder: Path, name: str) -> Path:
    """The configuration of a user."""
    token = cluster.kubectl("create", "token", name, "-n", "default", "--duration=2h").strip()
    told = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    told["users"][0]["user"] = {"token": token}
    path = folder / f"{name}.kubeconfig"
    path.write_text(json.dumps(told))
    return path
