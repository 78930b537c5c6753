"""The Deployment and the Service that Istio makes for a Gateway; pure."""

import json

import xds

CLASS = "istio"


def name_of(gateway: dict) -> str:
    """Istio's name for all that it makes for a Gateway."""
    return f"{gateway['metadata']['name']}-{gateway['spec']['gatewayClassName']}"


def node_of(gateway: dict) -> str:
    """Whom its Envoy says it is."""
    return f"{gateway['metadata']['namespace']}/{gateway['metadata']['name']}"


def head(gateway: dict, version: str, kind: str) -> dict:
    """What all of them have: removed with the Gateway, and found by Istio's labels."""
    about = gateway["metadata"]
    owner = {
        "apiVersion": gateway["apiVersion"], "kind": "Gateway", "name": about["name"],
        "uid": about["uid"],
    }  # fmt: skip
    return {"apiVersion": version, "kind": kind, "metadata": {
        "name": name_of(gateway), "namespace": about["namespace"], "labels": labels(gateway),
        "ownerReferences": [owner],
    }}  # fmt: skip


def labels(gateway: dict) -> dict[str, str]:
    """Istio's labels."""
    return {
        "gateway.networking.k8s.io/gateway-name": gateway["metadata"]["name"],
        "gateway.networking.k8s.io/gateway-class-name": gateway["spec"]["gatewayClassName"],
    }


def service(gateway: dict) -> dict:
    """Its Service. Istio's is of type LoadBalancer, which nothing here would give an address."""
    ports = [{"name": "status-port", "port": xds.PROXY_PORTS["ready"]}]
    for one in gateway["spec"]["listeners"]:
        ports.append({"name": one["name"], "port": one["port"], "appProtocol": "http"})
    return head(gateway, "v1", "Service") | {
        "spec": {"type": "ClusterIP", "selector": labels(gateway), "ports": ports}
    }


def account(gateway: dict) -> dict:
    """Its account."""
    return head(gateway, "v1", "ServiceAccount")


def deployment(gateway: dict, image: str, server: str) -> dict:
    """Its pods. What they route, their Envoy asks the controller for, at SERVER."""
    config = json.dumps(xds.bootstrap(node_of(gateway), server))
    container = {
        "name": "istio-proxy", "image": image,
        "args": ["--config-yaml", config, "--disable-hot-restart", "--concurrency", "1"],
        "ports": [{"name": "metrics", "containerPort": xds.PROXY_PORTS["metrics"]}],
        "readinessProbe": {
            "httpGet": {"path": "/healthz/ready", "port": xds.PROXY_PORTS["ready"]},
            "periodSeconds": 1,
        },
        "securityContext": {
            "runAsUser": 1337, "runAsNonRoot": True, "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]}, "readOnlyRootFilesystem": True,
        },
    }  # fmt: skip
    sysctl = {"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}
    return head(gateway, "apps/v1", "Deployment") | {"spec": {
        "selector": {"matchLabels": labels(gateway)},
        "template": {"metadata": {"labels": labels(gateway)}, "spec": {
            "serviceAccountName": name_of(gateway), "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 2, "securityContext": {"sysctls": [sysctl]},
            "containers": [container],
        }},
    }}  # fmt: skip


def overlay(gateway: dict, version: str, kind: str, text: str) -> str:
    """A part that the Gateway's parameters add to one of these. It is YAML and stays so, as an object
    that is applied need not be read here."""
    about = {"name": name_of(gateway), "namespace": gateway["metadata"]["namespace"]}
    head = {"apiVersion": version, "kind": kind, "metadata": about}
    return "".join(f"{key}: {json.dumps(it)}\n" for key, it in head.items()) + text
