"""What Envoy is told: the resources of a gateway, and the server where it asks for them.

Envoy asks by HTTP every half second (REST xDS), so that a route is there as soon as the controller
has seen it, without a new pod.
"""

import hashlib
import http.server
import json
import threading

TYPES = "type.googleapis.com/envoy"
HTTP2 = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
PICKED = "x-gateway-destination-endpoint"
PROXY_PORTS = {"ready": 15021, "metrics": 15090, "admin": 15000}
XDS_PORT = 15010


def any_of(name: str, /, **fields: object) -> dict:
    """A message whose type is told with it."""
    return {"@type": f"{TYPES}.{name}", **fields}


def address(host: str, port: int) -> dict:
    """An address."""
    return {"socket_address": {"address": host, "port_value": port}}


def static(name: str, endpoints: list[tuple[str, int]], **more: object) -> dict:
    """A cluster of known addresses."""
    found = [{"endpoint": {"address": address(*it)}} for it in endpoints]
    return {
        "name": name, "type": "STATIC", "connect_timeout": "5s", **more,
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": found}]},
    }  # fmt: skip


def bootstrap(node: str, server: str) -> dict:
    """What Envoy is started with: where to ask for the rest, and whom its probes ask."""
    source = {
        "resource_api_version": "V3",
        "api_config_source": {
            "api_type": "REST", "transport_api_version": "V3", "cluster_names": ["controller"],
            "refresh_delay": "0.5s", "request_timeout": "5s",
        },
    }  # fmt: skip
    admin = ("127.0.0.1", PROXY_PORTS["admin"])
    return {
        "node": {"id": node, "cluster": "gateway"},
        "admin": {"address": address(*admin)},
        "dynamic_resources": {"lds_config": source, "cds_config": source},
        "static_resources": {
            "clusters": [static("controller", [(server, XDS_PORT)]), static("admin", [admin])],
            "listeners": [
                listener("ready", PROXY_PORTS["ready"], [
                    {"match": {"path": "/healthz/ready"},
                     "route": {"cluster": "admin", "prefix_rewrite": "/ready"}}]),
                listener("metrics", PROXY_PORTS["metrics"], [
                    {"match": {"path": "/stats/prometheus"}, "route": {"cluster": "admin"}}]),
            ],
        },
    }  # fmt: skip


def listener(name: str, port: int, routes: list[dict], filters: list[dict] | None = None) -> dict:
    """A listener; a request that no route fits gets 404."""
    hosts = [{"name": "all", "domains": ["*"], "routes": routes}] if routes else []
    manager = any_of(
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name, route_config={"name": name, "virtual_hosts": hosts},
        http_filters=[*(filters or []), {
            "name": "router", "typed_config": any_of("extensions.filters.http.router.v3.Router"),
        }],
    )  # fmt: skip
    chain = {"filters": [{"name": "http", "typed_config": manager}]}
    return {"name": name, "address": address("0.0.0.0", port), "filter_chains": [chain]}


def picker(name: str, *, allow_failure: bool) -> dict:
    """The filter that asks a pool's endpoint picker; off, but for routes that turn it on."""
    mode = {
        "request_header_mode": "SEND", "response_header_mode": "SEND",
        "request_body_mode": "FULL_DUPLEX_STREAMED", "response_body_mode": "FULL_DUPLEX_STREAMED",
        "request_trailer_mode": "SEND", "response_trailer_mode": "SEND",
    }  # fmt: skip
    return {"name": f"picker/{name}", "disabled": True, "typed_config": any_of(
        "extensions.filters.http.ext_proc.v3.ExternalProcessor",
        grpc_service={"envoy_grpc": {"cluster_name": f"picker/{name}"}, "timeout": "10s"},
        message_timeout="10s", processing_mode=mode, failure_mode_allow=allow_failure,
    )}  # fmt: skip


def to_pool(match: dict, name: str, timeout: str) -> dict:
    """A route to whichever endpoint a picker names."""
    turned_on = any_of("extensions.filters.http.ext_proc.v3.ExtProcPerRoute", overrides={})
    return {
        "match": match, "route": {"cluster": f"pool/{name}", "timeout": timeout},
        "typed_per_filter_config": {f"picker/{name}": turned_on},
    }  # fmt: skip


def pool_clusters(name: str, pickers: list[tuple[str, int]], tls: bool) -> list[dict]:
    """A pool's endpoints, of which the picker tells one for each request, and the picker."""
    options = any_of(HTTP2.removeprefix("envoy."), explicit_http_config={"http2_protocol_options": {}})
    more: dict = {"typed_extension_protocol_options": {HTTP2: options}}
    if tls:
        context = any_of(
            "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            common_tls_context={"alpn_protocols": ["h2"]},
        )
        more["transport_socket"] = {"name": "tls", "typed_config": context}
    pool = {
        "name": f"pool/{name}", "type": "ORIGINAL_DST", "connect_timeout": "5s",
        "lb_policy": "CLUSTER_PROVIDED",
        "original_dst_lb_config": {"use_http_header": True, "http_header_name": PICKED},
    }  # fmt: skip
    return [pool, static(f"picker/{name}", pickers, **more)]


class Server:
    """Where gateways' Envoys ask, by the node id of each."""

    def __init__(self, host: str) -> None:
        self.told: dict[str, dict[str, list[dict]]] = {}
        self.refused: list[str] = []
        handler = type("Handler", (Handler,), {"told": self.told, "refused": self.refused})
        server = http.server.ThreadingHTTPServer((host, XDS_PORT), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def tell(self, node: str, listeners: list[dict], clusters: list[dict]) -> None:
        """Sets what a gateway is told from now on."""
        kinds = {"listeners": ("config.listener.v3.Listener", listeners),
                 "clusters": ("config.cluster.v3.Cluster", clusters)}  # fmt: skip
        self.told[node] = {
            name: [any_of(kind, **it) for it in found] for name, (kind, found) in kinds.items()
        }


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers POST /v3/discovery:KIND."""

    protocol_version = "HTTP/1.1"
    told: dict
    refused: list

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if error := asked.get("error_detail", asked.get("errorDetail")):
            self.refused.append(str(error))
        node = asked["node"]["id"]
        if node not in self.told:
            return self.answer(503, b"")
        resources = self.told[node][self.path.rpartition(":")[2]]
        version = hashlib.sha256(json.dumps(resources).encode()).hexdigest()[:16]
        if asked.get("version_info", asked.get("versionInfo")) == version:
            return self.answer(304, b"")
        told = {"version_info": version, "resources": resources}
        self.answer(200, json.dumps(told).encode())

    def answer(self, status: int, text: bytes) -> None:
        """Sends an answer."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass
