"""The runner on OpenShift, as far as it talks to it: a real API server with OpenShift's kinds, and its
monitoring as a real Prometheus behind TLS, before which each token is judged by the API server.

    python check_openshift.py missing | BINARY [CHECK ...]
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("kubernetes", "prometheus", "independent")]
from cluster import Cluster, documents  # noqa: E402
from gate import Gate  # noqa: E402
from matching import Tally  # noqa: E402
from prometheus import Prometheus  # noqa: E402

MONITORING, ACCOUNT, ROUTE = "openshift-monitoring", "prometheus-k8s", "thanos-querier"
USER = f"system:serviceaccount:{MONITORING}:{ACCOUNT}"
#: Where OpenShift publishes whom its default certificate of routes is of.
AUTHORITY = ("openshift-config-managed", "default-ingress-cert")
VERSION = "4.19.3"
#: Samples that are long past.
BEGIN = 1_764_000_000
POINTS = [(BEGIN + 10 * number, number / 7) for number in range(60)]
WINDOW = (BEGIN + 100, BEGIN + 400)
PROFILE = "".join(f"- query: load * {it}\n  metricName: load-{it}\n" for it in range(1, 6))
SUITE = """
vars: {samples: 1}
jobs:
  - name: prepare
    objects: [{objectTemplate: indexer-rbac.yaml.j2}]
scenarios:
  - {name: first, rateType: constant, rate: 1, promptTokens: 8, outputTokens: 8, seconds: 1, pause: 0s}
metricsEndpoints:
  - metrics: [five.yml]
    step: 1s
"""


class Thanos(Gate):
    """OpenShift's way to its metrics: who may read them is the API server's to say."""

    def __init__(self, target: str, folder: Path, cluster: Cluster) -> None:
        super().__init__(target, folder=folder, port=443)
        self.cluster = cluster
        self.allowed = {USER}
        #: The first token is not taken any more after so many requests; and what happens then.
        self.expires_after = 0
        self.expired = lambda: None
        self.forget()

    def forget(self) -> None:
        """What came so far."""
        self.seen.clear()
        #: Tokens in the order in which they came first, and the names of whom they are.
        self.tokens: list[str] = []
        self.users: list[str] = []

    def judge(self, request, told, body):
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            self.tokens.append(token)
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
                  "metadata": {"name": "one"}, "spec": {"token": token}}  # fmt: skip
        made = self.cluster.kubectl("create", "-f", "-", "-o", "json", input=json.dumps(review))
        status = json.loads(made)["status"]
        name = status.get("user", {}).get("username", "nobody")
        self.users.append(name)
        if not status.get("authenticated"):
            return 401, b"Unauthorized\n", "text/plain"
        if self.expires_after and token == self.tokens[0] and len(self.seen) >= self.expires_after:
            self.expired()
            return 401, b"Unauthorized\n", "text/plain"
        if name not in self.allowed:
            return 403, f"Forbidden (user={name}, verb=get)\n".encode(), "text/plain"
        return super().judge(request, told, body)


class World:
    """All of it, as long as the `with` block; this process is in the cluster's network from then on."""

    def __init__(self, binary: str) -> None:
        self.binary = binary

    def __enter__(self) -> "World":
        self.temporary = tempfile.TemporaryDirectory(prefix="openshift-")
        self.folder = Path(self.temporary.name)
        self.cluster = Cluster(self.folder / "cluster", nodes="kwok")
        self.cluster.__enter__()
        self.cluster.enter()
        self.prometheus = Prometheus(self.folder / "prometheus", samples=[("load", {}, POINTS)])
        self.prometheus.__enter__()
        self.thanos = Thanos(self.prometheus.url, self.folder, self.cluster)
        self.thanos.__enter__()
        self.install()
        for name, text in (
            ("metrics.yml", PROFILE), ("suite.yaml", SUITE),
            ("five.yml", "- query: vector(5)\n  metricName: five\n"),
        ):  # fmt: skip
            (self.folder / name).write_text(text)
        return self

    def __exit__(self, *about: object) -> None:
        for part in (self.thanos, self.prometheus, self.cluster):
            part.__exit__(*about)
        self.temporary.cleanup()

    def install(self) -> None:
        """OpenShift's kinds, its monitoring, and its authority."""
        self.cluster.apply(documents([
            definition("route.openshift.io", "routes", "Route", "Namespaced"),
            definition("config.openshift.io", "clusterversions", "ClusterVersion", "Cluster"),
            *(namespace(it) for it in (MONITORING, AUTHORITY[0])),
            {"apiVersion": "v1", "kind": "ServiceAccount",
             "metadata": {"name": ACCOUNT, "namespace": MONITORING}},
        ]))  # fmt: skip
        self.cluster.kubectl(
            "wait", "--for=condition=Established", "--timeout=30s", "crd/routes.route.openshift.io",
            "crd/clusterversions.config.openshift.io",
        )  # fmt: skip
        version = {
            "apiVersion": "config.openshift.io/v1", "kind": "ClusterVersion",
            "metadata": {"name": "version"}, "spec": {"channel": "stable-4.19", "clusterID": "0"},
        }  # fmt: skip
        self.cluster.apply(documents([route(), version]))
        status = {"status": {"desired": {"version": VERSION, "image": "none"}}}
        self.cluster.kubectl("patch", "clusterversion", "version", "--subresource=status",
                             "--type=merge", "-p", json.dumps(status))  # fmt: skip
        self.publish(self.thanos.ca.read_text())

    def publish(self, authorities: str | None) -> None:
        """Sets OpenShift's authorities of routes; None takes them away."""
        place, name = AUTHORITY
        if authorities is None:
            self.cluster.kubectl("delete", "configmap", name, f"-n={place}")
        else:
            self.cluster.apply(json.dumps({
                "apiVersion": "v1", "kind": "ConfigMap",
                "metadata": {"name": name, "namespace": place},
                "data": {"ca-bundle.crt": authorities},
            }))  # fmt: skip

    def call(self, *arguments: str, config: Path | None = None, **environment: str):
        """Runs the command; its exit code, what it printed, and its words."""
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("ES_", "UUID", "PROMETHEUS_", "KUBE"))}  # fmt: skip
        done = subprocess.run(
            [self.binary, *arguments, "--kubeconfig", str(config or self.cluster.kubeconfig)],
            env=kept | environment, cwd=self.folder, text=True, capture_output=True, check=False,
            timeout=120,
        )  # fmt: skip
        for token in self.thanos.tokens:
            if token and token in done.stdout + done.stderr:
                raise RuntimeError("a token is shown")
        return done.returncode, done.stdout, done.stderr

    def collect(self, store: str, *more: str, config: Path | None = None, **environment: str):
        """Collects what is long past; without a word of where Prometheus is."""
        self.thanos.forget()
        times = ("--start", str(WINDOW[0]), "--end", str(WINDOW[1]), "-s", "10s", "--uuid", store)
        return self.call("collect", *times, "-m", "metrics.yml", "--store", store, *more,
                         config=config, **environment)  # fmt: skip

    def run(self, command: str, uuid: str, *more: str, config: Path | None = None):
        """`run` or `check` of a suite, without a search server."""
        self.thanos.forget()
        return self.call(
            command, "-c", "suite.yaml", "--uuid", uuid, "-n", uuid, "--store", uuid, "--skip-probe",
            "--scrape-interval", "100ms", "--folder", f"run-{uuid}", "--json", *more, config=config,
        )  # fmt: skip

    def rows(self, store: str, table: str) -> list[dict]:
        """What is in a store."""
        files = sorted((self.folder / store / table).glob("**/*.parquet"))
        return [row for it in files for row in pq.read_table(it, partitioning=None).to_pylist()]

    def user(self, name: str, *rights: tuple[str, str, str]) -> Path:
        """A configuration for somebody who has but these rights: verb, resource, namespace."""
        account = ("-n", "default")
        self.cluster.kubectl("create", "serviceaccount", name, *account)
        for number, (verb, resource, place) in enumerate(rights):
            own = f"{name}-{number}"
            self.cluster.kubectl("create", "role", own, f"-n={place}", f"--verb={verb}", f"--resource={resource}")
            self.cluster.kubectl("create", "rolebinding", own, f"-n={place}", f"--role={own}",
                                 f"--serviceaccount=default:{name}")  # fmt: skip
        config = json.loads(self.cluster.kubectl("config", "view", "--raw", "-o", "json"))
        token = self.cluster.kubectl("create", "token", name, *account).strip()
        config["users"][0]["user"] = {"token": token}
        path = self.folder / f"{name}.kubeconfig"
        path.write_text(json.dumps(config))
        return path


def definition(group: str, plural: str, kind: str, scope: str) -> dict:
    """A kind of OpenShift, with the members that it has there, and others."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {
        "name": "v1", "served": True, "storage": True, "subresources": {"status": {}},
        "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    names = {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{group}",
            # Groups of that name are protected.
            "annotations": {"api-approved.kubernetes.io": "https://github.com/openshift/api"},
        },
        "spec": {"group": group, "scope": scope, "names": names, "versions": [version]},
    }  # fmt: skip


def namespace(name: str) -> dict:
    """One."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def route() -> dict:
    """The route to Thanos, as OpenShift's monitoring makes it; but that the host is the gate's."""
    return {
        "apiVersion": "route.openshift.io/v1", "kind": "Route",
        "metadata": {"name": ROUTE, "namespace": MONITORING},
        "spec": {
            "host": "127.0.0.1", "path": "/api", "port": {"targetPort": "web"},
            "tls": {"termination": "reencrypt", "insecureEdgeTerminationPolicy": "Redirect"},
            "to": {"kind": "Service", "name": ROUTE, "weight": 100}, "wildcardPolicy": "None",
        },
    }  # fmt: skip


def wrong(found: object, wanted: object, what: str) -> list[str]:
    """What is to be said if something is not as it should be."""
    return [] if found == wanted else [f"{what}: {found}, not {wanted}"]


def told(words: str, *parts: str) -> list[str]:
    """What is missing in a message."""
    return [f"not told: {it}: {words}" for it in parts if it not in words]


def check_collect(world: World) -> list[str]:
    """Nobody names a Prometheus: it is found, trusted, and shown a token of its own account."""
    code, _, words = world.collect("found")
    found = wrong(code, 0, f"exit code: {words}")
    found += wrong(set(world.thanos.users), {USER}, "asked by")
    found += wrong(len(world.thanos.tokens), 1, "tokens")
    rows = {(it["metricName"], it["value"]) for it in world.rows("found", "metrics")}
    wanted = {
        (f"load-{factor}", value * factor) for factor in range(1, 6)
        for moment, value in POINTS if WINDOW[0] <= moment <= WINDOW[1]
    }  # fmt: skip
    found += wrong(sorted(rows ^ wanted), [], f"other samples than the {len(wanted)}")
    # As the API server would say, an hour is what the token lives.
    claims = world.thanos.tokens[0].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    found += wrong(claims["exp"] - claims["iat"], 3600, "seconds of a token's life")
    code, _, words = world.call("collect", "--start", "1", "--end", "2", "-o", "x.json", config=Path("/nowhere"))
    return found + wrong(code, 2, "without a cluster") + told(words, "which Prometheus", "--prometheus-url")


def renewed(world: World, store: str, what: Callable[[], object]) -> list[str]:
    """A token is not taken any more in the middle, and WHAT happens then; nothing is missing."""
    world.thanos.expires_after, world.thanos.expired = 3, what
    try:
        code, _, words = world.collect(store, "--queries-in-flight", "1")
    finally:
        world.thanos.expires_after, world.thanos.expired = 0, lambda: None
    statuses = [it.status for it in world.thanos.seen]
    found = wrong(code, 0, f"exit code: {words}")
    found += wrong(statuses, [200, 200, 200, 401, 200, 200, 200], "answers")
    found += wrong((len(world.thanos.tokens), set(world.thanos.users)), (2, {USER}), "tokens")
    return found + wrong(len(world.rows(store, "metrics")), 155, "samples")


def check_renewed(world: World) -> list[str]:
    """A token that is not taken any more is renewed."""
    return renewed(world, "renewed", lambda: None)


def check_api_server_restarts(world: World) -> list[str]:
    """The same while the API server, whose the tokens are, is away for a while."""
    def restart() -> None:
        world.cluster.stop_api()
        threading.Timer(2, world.cluster.start_api).start()

    return renewed(world, "restart", restart)


def check_run(world: World) -> list[str]:
    """A run finds it too; a job's summary tells OpenShift's version."""
    code, text, words = world.run("check", "one")
    checks = {it["name"]: it for it in json.loads(text or "[]")}
    found = wrong(code, 0, f"check: {checks} {words}")
    found += wrong(checks.get("Prometheus", {}).get("ok"), True, "check of Prometheus")
    code, _, words = world.run("run", "one")
    found += wrong(code, 0, f"exit code: {words}")
    found += wrong(set(world.thanos.users), {USER}, "asked by")
    summaries = {it["jobName"]: json.loads(it["metadata"]) for it in world.rows("one", "job_summaries")}
    versions = {
        name: (it.get("ocpVersion"), it.get("ocpMajorVersion")) for name, it in summaries.items()
    }
    # It is looked at what there is before the first scenario.
    found += wrong(versions.get("first"), (VERSION, "4.19"), f"versions of {sorted(versions)}")
    values = {(it["jobName"], it["metricName"], it["value"]) for it in world.rows("one", "metrics")}
    return found + wrong(values, {(it, "five", 5.0) for it in ("first", "prepare")}, "metrics")


def check_trust(world: World) -> list[str]:
    """OpenShift's own authority is trusted, or the user's, or by the user's wish anybody; a token is
    shown to nobody else."""
    found, pem = [], world.thanos.ca.read_text()
    other = world.folder / "other"
    other.mkdir()
    with Gate("http://127.0.0.1:1", folder=other) as gate:
        stranger = gate.ca.read_text()
    try:
        for text, parts in (
            (None, ["certificate not trusted", "--prometheus-cacert"]),
            (stranger, ["certificate not trusted", "--prometheus-cacert"]),
            ("rubbish", ["default-ingress-cert", "no certificate"]),
        ):
            world.publish(text)
            code, _, words = world.collect("trust")
            found += wrong(code, 2, f"{text}: {words}") + told(words, *parts)
            found += wrong(world.thanos.seen, [], "came to whom nobody trusts")
            code, text, words = world.run("check", "trust")
            [check] = [it for it in json.loads(text) if it["name"] == "Prometheus"]
            found += wrong((code, check["ok"]), (1, False), f"check: {words}")
            found += told(check["detail"], *parts)
        world.publish(stranger)
        code, _, words = world.collect("cacert", "--prometheus-cacert", str(world.thanos.ca))
        found += wrong(code, 0, f"--prometheus-cacert: {words}")
        code, _, words = world.collect("insecure", "--skip-tls-verify")
        found += wrong(code, 0, f"--skip-tls-verify: {words}") + told(words, "warning: --skip-tls-verify")
        # A bundle of several, as OpenShift's is.
        world.publish(stranger + pem)
        code, _, words = world.collect("bundle")
        found += wrong(code, 0, f"a bundle: {words}")
    finally:
        world.publish(pem)
    return found


def refused(world: World, parts: list[str], config: Path | None = None) -> list[str]:
    """All commands say why there are no metrics, what to do, and make nothing."""
    found = []
    code, _, words = world.collect("refused", config=config)
    found += wrong(code, 2, f"collect: {words}") + told(words, *parts)
    found += wrong(words.count("\n"), 1, f"lines of an error: {words}")
    found += wrong((world.folder / "refused").exists(), False, "a store was made")
    code, text, words = world.run("check", "refused", config=config)
    [check] = [it for it in json.loads(text or "[]") if it["name"] == "Prometheus"] or [{}]
    found += wrong((code, check.get("ok")), (1, False), f"check: {words}")
    found += told(check.get("detail", ""), *parts)
    code, _, words = world.run("run", "refused", "--skip-check", config=config)
    found += wrong(code, 2, f"run: {words}") + told(words, *parts, "metricsEndpoints=[]")
    found += wrong(world.thanos.seen, [], "asked all the same")
    names = world.cluster.kubectl("get", "namespaces", "-o", "name").split()
    return found + wrong("namespace/refused" in names, False, "a namespace was made")


def check_no_route(world: World) -> list[str]:
    """OpenShift without the route."""
    world.cluster.kubectl("delete", "route", ROUTE, f"-n={MONITORING}")
    try:
        return refused(world, [f"{MONITORING}/{ROUTE}", "not found", "--prometheus-url"])
    finally:
        world.cluster.apply(documents([route()]))


def check_no_account(world: World) -> list[str]:
    """OpenShift without the account."""
    world.cluster.kubectl("delete", "serviceaccount", ACCOUNT, f"-n={MONITORING}")
    try:
        return refused(world, [f"{MONITORING}/{ACCOUNT}", "not found", "--token-file", "PROMETHEUS_TOKEN"])
    finally:
        world.cluster.kubectl("create", "serviceaccount", ACCOUNT, f"-n={MONITORING}")


def check_no_rights(world: World) -> list[str]:
    """Users who may not look at the route, or get no token; these may show one of their own."""
    nobody = world.user("nobody")
    found = refused(world, [f"{MONITORING}/{ROUTE}", "forbidden", "--prometheus-url"], nobody)
    few = world.user("few", ("get", "routes.route.openshift.io", MONITORING),
                     ("get", "configmaps", AUTHORITY[0]))  # fmt: skip
    parts = [f"{MONITORING}/{ACCOUNT}", "forbidden", "serviceaccounts/token", "--token-file"]
    found += refused(world, parts, few)
    token = json.loads(few.read_text())["users"][0]["user"]["token"]
    code, _, words = world.collect("own", config=few, PROMETHEUS_TOKEN=token)
    found += wrong(code, 2, f"a token of somebody: {words}") + told(words, "HTTP 403", "default:few")
    world.thanos.allowed.add("system:serviceaccount:default:few")
    code, _, words = world.collect("own", config=few, PROMETHEUS_TOKEN=token)
    found += wrong(code, 0, f"a token of one's own: {words}")
    # Who gets tokens may be one who cannot read the authorities; then there is a way as well.
    blind = world.user("blind", ("get", "routes.route.openshift.io", MONITORING),
                       ("create", "serviceaccounts/token", MONITORING))  # fmt: skip
    code, _, words = world.collect("blind", config=blind)
    found += wrong(code, 2, f"blind: {words}")
    found += told(words, AUTHORITY[1], "forbidden", "certificate not trusted", "--prometheus-cacert")
    code, _, words = world.collect("blind", "--prometheus-cacert", str(world.thanos.ca), config=blind)
    return found + wrong((code, "forbidden" in words), (0, False), f"blind, with an authority: {words}")


def check_elsewhere(world: World) -> list[str]:
    """A cluster that is not OpenShift: without a URL there is nothing to collect, which is told; a run
    goes on without metrics."""
    world.cluster.kubectl("delete", "crd", "routes.route.openshift.io")
    code, _, words = world.collect("elsewhere")
    found = wrong(code, 2, f"collect: {words}") + told(words, "which Prometheus", "--prometheus-url")
    code, text, words = world.run("check", "elsewhere")
    [check] = [it for it in json.loads(text) if it["name"] == "Prometheus"]
    # As a run has it.
    found += wrong((code, check["ok"], check["warning"]), (0, True, True), f"check: {words}")
    found += told(check["detail"], "--prometheus-url")
    code, _, words = world.run("run", "elsewhere")
    found += wrong(code, 0, f"run: {words}") + told(words, "warning: no Prometheus is known")
    return found + wrong(world.thanos.seen, [], "asked all the same")


CHECKS = tuple(it for name, it in list(globals().items()) if name.startswith("check_"))


def main() -> None:
    """The checks that are named, or all, in their order."""
    if sys.argv[1:] == ["missing"]:
        lacks = Cluster.missing("kwok") + Prometheus.missing()
        if lacks:
            print("skipped: OpenShift: " + "; ".join(lacks))
        sys.exit(1 if lacks else 0)
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    binary, *names = sys.argv[1:]
    tally = Tally()
    with World(str(Path(binary).resolve())) as world:
        tally.run(CHECKS, names, world)
    sys.exit(tally.finish())


if __name__ == "__main__":
    main()
