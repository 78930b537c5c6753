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


def config(cluster: Cluster, folder: Path) -> Path:
    """Makes a user, and its configuration."""
    rules = [
        {"apiGroups": [""], "resources": CORE, "verbs": ["*"]},
        {"apiGroups": GROUPS, "resources": ["*"], "verbs": ["*"]},
    ]
    group, about = "rbac.authorization.k8s.io", {"name": "few"}
    cluster.apply(documents([
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**about, "namespace": "default"}},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRole", "metadata": about, "rules": rules},
        {"apiVersion": f"{group}/v1", "kind": "ClusterRoleBinding", "metadata": about,
         "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "few"},
         "subjects": [{"kind": "ServiceAccount", "name": "few", "namespace": "default"}]},
    ]))  # fmt: skip
    token = cluster.kubectl("create", "token", "few", "-n", "default", "--duration=2h").strip()
    told = json.loads(cluster.kubectl("config", "view", "--raw", "-o", "json"))
    told["users"][0]["user"] = {"token": token}
    path = folder / "few.kubeconfig"
    path.write_text(json.dumps(told))
    return path
