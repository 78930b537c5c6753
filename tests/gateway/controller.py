#!/usr/bin/env python3
"""Stands for Istio: gives Gateways of its class an Envoy, and all of them their statuses.

    controller.py KUBECONFIG ADDRESS ENVOY_IMAGE HELD.json

ADDRESS is where Envoys of pods reach this process. HELD.json may change at any time; it maps
"Gateway/Programmed" and the like to "Unknown", as if no controller had come by yet, or "False".
"""

import json
import sys
import time
import traceback
from pathlib import Path

import conditions
import proxy
import xds
from api import GATEWAY, ISTIO, POOL, Api, Refused, path_of
from conditions import Held, no, yes

NAME = "istio.io/gateway-controller"
TICK = 0.3
GROUPS = {"Gateway": "gateway.networking.k8s.io", "InferencePool": "inference.networking.k8s.io"}


class Controller:
    """Looks at everything, again and again: there is little of it, and nothing can be missed."""

    def __init__(self, api: Api, address: str, image: str, held: Path) -> None:
        self.api, self.address, self.image, self.held_file = api, address, image, held
        self.held = Held()
        self.server = xds.Server(address)
        self.applied: dict[str, str] = {}

    def run(self) -> None:
        """Until it is killed. What fails is told, and tried again."""
        last = ""
        while True:
            try:
                self.look()
                last = ""
            except Exception as error:
                told = f"{type(error).__name__}: {error}"
                if not isinstance(error, (OSError, Refused)):  # a fault of this program
                    told = "".join(traceback.format_exception(error))
                if told != last:
                    print(told, file=sys.stderr, flush=True)
                last = told
            time.sleep(TICK)

    def look(self) -> None:
        """One round."""
        self.held = Held(json.loads(self.held_file.read_text()))
        self.accept_class()
        gateways = [
            it for it in self.api.items(f"{GATEWAY}/gateways")
            if it["spec"]["gatewayClassName"] == proxy.CLASS
        ]  # fmt: skip
        routes = self.api.items(f"{GATEWAY}/httproutes")
        pools = {key(it["metadata"]): it for it in self.api.items(f"{POOL}/inferencepools")}
        parents: dict[str, list[dict]] = {name: [] for name in pools}
        for route in routes:
            self.route_status(route, gateways, pools, parents)
        for gateway in gateways:
            self.make(gateway)
            own = [it for it in routes if attached(it, gateway)]
            self.tell(gateway, own, pools)
            self.gateway_status(gateway, len(own))
        for name, pool in pools.items():
            self.pool_status(pool, parents[name])

    def accept_class(self) -> None:
        """Istio makes its class itself."""
        path = f"{GATEWAY}/gatewayclasses/{proxy.CLASS}"
        found = self.api.call("GET", path)
        if not found:
            found = self.api.apply(path, json.dumps({
                "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
                "metadata": {"name": proxy.CLASS}, "spec": {"controllerName": NAME},
            }))  # fmt: skip
        if found:
            wanted = {"Accepted": yes("Accepted", "Handled by the stand-in for Istio")}
            self.status("GatewayClass", path, found, {}, wanted)

    def status(self, kind: str, path: str, found: dict, more: dict, wanted: dict) -> None:
        """Sets conditions and other members of a status, if they are not so."""
        old = found.get("status", {})
        generation = found["metadata"]["generation"]
        more["conditions"] = self.held.conditions(kind, old.get("conditions", []), generation, wanted)
        self.set(path, old, more)

    def set(self, path: str, old: dict, wanted: dict) -> None:
        """Sets members of a status that are not so yet."""
        if any(old.get(name) != it for name, it in wanted.items()):
            self.api.set_status(path, wanted)

    def make(self, gateway: dict) -> None:
        """Makes what a Gateway needs, and adds what its parameters say."""
        namespace, name = gateway["metadata"]["namespace"], proxy.name_of(gateway)
        core, apps = f"api/v1/namespaces/{namespace}", f"apis/apps/v1/namespaces/{namespace}"
        self.apply(f"{core}/serviceaccounts/{name}", json.dumps(proxy.account(gateway)))
        service, deployment = f"{core}/services/{name}", f"{apps}/deployments/{name}"
        self.apply(service, json.dumps(proxy.service(gateway)))
        self.apply(deployment, json.dumps(proxy.deployment(gateway, self.image, self.address)))
        infrastructure = gateway["spec"].get("infrastructure", {})
        reference = infrastructure.get("parametersRef")
        if reference and reference["kind"] == "ConfigMap":
            parameters = self.api.call("GET", f"{core}/configmaps/{reference['name']}") or {}
            data = parameters.get("data", {})
            for kind, version, path in (
                ("Service", "v1", service), ("Deployment", "apps/v1", deployment)
            ):  # fmt: skip
                if text := data.get(kind.lower()):
                    added = proxy.overlay(gateway, version, kind, text)
                    self.apply(path, added, "parameters")

    def apply(self, path: str, text: str, manager: str = "istio-stand-in") -> None:
        """Applies an object that is not so yet, or not there any more."""
        if self.applied.get(f"{path} {manager}") != text or self.api.call("GET", path) is None:
            self.api.apply(path, text, manager)
            self.applied[f"{path} {manager}"] = text

    def tell(self, gateway: dict, routes: list[dict], pools: dict[str, dict]) -> None:
        """Tells a Gateway's Envoy what to route."""
        found, filters, clusters = [], {}, {}
        for route in routes:
            for rule in route["spec"].get("rules", []):
                backend = self.pool_of(route, rule, pools)
                if not backend:
                    continue
                name = key(backend["metadata"])
                picker = backend["spec"]["endpointPickerRef"]
                open_ = picker.get("failureMode") == "FailOpen"
                filters[name] = xds.picker(name, allow_failure=open_)
                clusters[name] = xds.pool_clusters(name, *self.picker_of(backend))
                timeout = rule.get("timeouts", {}).get("request", "0s")
                found += [xds.to_pool(it, name, timeout) for it in matches(rule)]
        # Envoy takes the first that fits, the API means the longest path.
        found.sort(key=lambda it: -len(next(iter(it["match"].values()))))
        listeners = [
            xds.listener(it["name"], it["port"], found, [*filters.values()])
            for it in gateway["spec"]["listeners"]
        ]  # fmt: skip
        of_all = [it for both in clusters.values() for it in both]
        self.server.tell(proxy.node_of(gateway), listeners, of_all)
        while self.server.refused:
            print("Envoy refuses:", self.server.refused.pop(0), file=sys.stderr, flush=True)

    def pool_of(self, route: dict, rule: dict, pools: dict[str, dict]) -> dict | None:
        """The pool that a rule leads to, if it is there."""
        for backend in rule.get("backendRefs", []):
            if backend.get("kind") == "InferencePool" and backend.get("group") == GROUPS["InferencePool"]:
                namespace = backend.get("namespace", route["metadata"]["namespace"])
                return pools.get(f"{namespace}/{backend['name']}")
        return None

    def picker_of(self, pool: dict) -> tuple[list[tuple[str, int]], bool]:
        """The endpoints of a pool's picker that are ready, and whether to use TLS: only if a
        DestinationRule says so, as Istio does."""
        namespace, picker = pool["metadata"]["namespace"], pool["spec"]["endpointPickerRef"]
        chosen = f"labelSelector=kubernetes.io/service-name%3D{picker['name']}"
        discovery = f"apis/discovery.k8s.io/v1/namespaces/{namespace}"
        slices = self.api.items(f"{discovery}/endpointslices?{chosen}")
        path = f"api/v1/namespaces/{namespace}/services/{picker['name']}"
        service = self.api.call("GET", path) or {}
        ports = service.get("spec", {}).get("ports", [])
        [port] = [it for it in ports if it["port"] == picker["port"]["number"]] or [{}]
        found = [
            (address, one["port"]) for it in slices for one in it.get("ports") or []
            if one.get("name", "") == port.get("name", "")
            for endpoint in it.get("endpoints") or [] if endpoint["conditions"].get("ready")
            for address in endpoint["addresses"]
        ]  # fmt: skip
        host = f"{picker['name']}.{namespace}.svc.cluster.local"
        rules = self.api.items(f"{ISTIO}/namespaces/{namespace}/destinationrules")
        modes = [
            it["spec"].get("trafficPolicy", {}).get("tls", {}).get("mode") for it in rules
            if it["spec"]["host"] in (host, picker["name"])
        ]  # fmt: skip
        return sorted(found), "SIMPLE" in modes

    def gateway_status(self, gateway: dict, attached: int) -> None:
        """Accepted at once, programmed when its Envoy is ready."""
        about = gateway["metadata"]
        name = proxy.name_of(gateway)
        host = f"{name}.{about['namespace']}.svc.cluster.local"
        path = f"apis/apps/v1/namespaces/{about['namespace']}/deployments/{name}"
        deployment = self.api.call("GET", path)
        ready = bool((deployment or {}).get("status", {}).get("availableReplicas"))
        port = gateway["spec"]["listeners"][0]["port"]
        programmed = (
            yes("Programmed", f"Resource programmed, assigned to service(s) {host}:{port}") if ready else
            no("AddressNotAssigned", f"Assigned to service(s) {host}:{port}, but no instances found")
        )  # fmt: skip
        old = gateway.get("status", {})
        entries = {it["name"]: it for it in old.get("listeners", [])}
        listeners = []
        for one in gateway["spec"]["listeners"]:
            before = entries.get(one["name"], {})
            told = {"Accepted": yes("Accepted", "No errors found"),
                    "Conflicted": no("NoConflicts", "No errors found"),
                    "Programmed": yes("Programmed", "No errors found"),
                    "ResolvedRefs": yes("ResolvedRefs", "No errors found")}  # fmt: skip
            kinds = [{"group": GROUPS["Gateway"], "kind": it} for it in ("HTTPRoute", "GRPCRoute")]
            listeners.append({
                "name": one["name"], "attachedRoutes": attached, "supportedKinds": kinds,
                "conditions": self.held.conditions(
                    "Listener", before.get("conditions", []), about["generation"], told),
            })  # fmt: skip
        addresses = [{"type": "Hostname", "value": host}] if ready else []
        more = {"listeners": listeners, "addresses": addresses}
        wanted = {"Accepted": yes("Accepted", "Resource accepted"), "Programmed": programmed}
        if not ready and "addresses" not in old:
            del more["addresses"]  # the API server keeps no empty list
        self.status("Gateway", path_of(GATEWAY, "gateways", about), gateway, more, wanted)

    def route_status(
        self, route: dict, gateways: list[dict], pools: dict[str, dict], parents: dict[str, list[dict]]
    ) -> None:
        """Each Gateway that a route names tells whether it takes it; pools learn of these Gateways."""
        about = route["metadata"]
        old, entries = route.get("status", {}).get("parents", []), []
        for reference in route["spec"].get("parentRefs", []):
            gateway = next((it for it in gateways if means(reference, route, it)), None)
            if not gateway:
                continue  # Istio says nothing of a Gateway that is not its own either.
            entry, before = conditions.parent(old, reference, NAME)
            lacks = []
            for rule in route["spec"].get("rules", []):
                pool = self.pool_of(route, rule, pools)
                if pool:
                    parents[key(pool["metadata"])].append(gateway)
                else:
                    lacks += [it["name"] for it in rule.get("backendRefs", [])] or ["no backend"]
            told = {
                "Accepted": yes("Accepted", "Route was valid") if attached(route, gateway) else
                no("NotAllowedByListeners", "no listener takes routes of this namespace"),
                "ResolvedRefs": no("BackendNotFound", f"not found: {', '.join(lacks)}") if lacks else
                yes("ResolvedRefs", "All references resolved"),
            }  # fmt: skip
            entry["conditions"] = self.held.conditions("HTTPRoute", before, about["generation"], told)
            entries.append(entry)
        others = [it for it in old if it["controllerName"] != NAME]
        self.set(path_of(GATEWAY, "httproutes", about), {"parents": old}, {"parents": [*others, *entries]})

    def pool_status(self, pool: dict, gateways: list[dict]) -> None:
        """A pool knows the Gateways whose routes lead to it."""
        about, old = pool["metadata"], pool.get("status", {}).get("parents", [])
        picker = pool["spec"]["endpointPickerRef"]["name"]
        service = self.api.call("GET", f"api/v1/namespaces/{about['namespace']}/services/{picker}")
        entries = {}
        for gateway in gateways:
            reference = {"group": GROUPS["Gateway"], "kind": "Gateway",
                         "name": gateway["metadata"]["name"],
                         "namespace": gateway["metadata"]["namespace"]}  # fmt: skip
            entry, before = conditions.parent(old, reference, NAME)
            told = {
                "Accepted": yes("Accepted", "Referenced by an HTTPRoute"),
                "ResolvedRefs": yes("ResolvedRefs", "Referenced ExtensionRef resolved") if service else
                no("InvalidExtensionRef", f"Referenced ExtensionRef not found {picker}"),
            }  # fmt: skip
            entry["conditions"] = self.held.conditions("InferencePool", before, about["generation"], told)
            entries[reference["name"]] = entry
        others = [it for it in old if it.get("controllerName") != NAME]
        self.set(path_of(POOL, "inferencepools", about), {"parents": old},
                 {"parents": [*others, *entries.values()]})  # fmt: skip


def key(about: dict) -> str:
    """A name that is unique among namespaces."""
    return f"{about['namespace']}/{about['name']}"


def means(reference: dict, route: dict, gateway: dict) -> bool:
    """Whether a route's reference is to a Gateway."""
    namespace = reference.get("namespace", route["metadata"]["namespace"])
    return reference.get("kind", "Gateway") == "Gateway" and (
        f"{namespace}/{reference['name']}" == key(gateway["metadata"])
    )


def attached(route: dict, gateway: dict) -> bool:
    """Whether a Gateway takes a route: one of its listeners lets its namespace in."""
    if not any(means(it, route, gateway) for it in route["spec"].get("parentRefs", [])):
        return False
    here = route["metadata"]["namespace"] == gateway["metadata"]["namespace"]
    allowed = [
        it.get("allowedRoutes", {}).get("namespaces", {}).get("from", "Same")
        for it in gateway["spec"]["listeners"]
    ]
    return "All" in allowed or here and "Same" in allowed


def matches(rule: dict) -> list[dict]:
    """What a rule wants of paths; of headers and methods this stand-in knows nothing."""
    found = []
    for match in rule.get("matches") or [{}]:
        if match.keys() - {"path"}:
            raise ValueError(f"only paths can be matched here, not {sorted(match)}")
        path = match.get("path", {"type": "PathPrefix", "value": "/"})
        if path["type"] == "Exact":
            found.append({"path": path["value"]})
        elif path["value"] == "/":
            found.append({"prefix": "/"})
        else:
            found.append({"path_separated_prefix": path["value"].rstrip("/")})
    return found


if __name__ == "__main__":
    _, kubeconfig, address, image, held = sys.argv
    Controller(Api(kubeconfig), address, image, Path(held)).run()
