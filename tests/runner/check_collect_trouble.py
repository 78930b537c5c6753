"""`llm-d-scale collect` where Prometheus or the search server make trouble.

    python check_collect_trouble.py BINARY SERVER

BINARY is llm-d-scale, beside guidellm-indexer.
"""

import subprocess
import time
from collections import Counter
from pathlib import Path

from collecting import (
    END, PROFILE, SECRET, START, collect, differ, ended, expected, finite, metrics_of, profile,
    prometheus, range_documents, samples, there, to, written,
)  # fmt: skip
from gate import Gate
from one_server import main
from prometheus import Prometheus
from server import Server, indexer


class Late(Gate):
    """A gate that renews the token of a file once an old one was shown to it."""

    def judge(self, request, told, body):
        judged = super().judge(request, told, body)
        if judged[0] == 401:
            Path(self.renewed).write_text(self.token + "\n")
        return judged


def check_tokens(server: Server, binary: str, folder: str) -> list[str]:
    """Tokens from a file that is renewed, from the environment, and none that is accepted."""
    del server
    token = Path(folder) / "token"
    token.write_text("old")
    file = profile(folder, "[{query: memory_bytes, metricName: m}, {query: odd, metricName: o}]")
    out = ("-m", file, "-o", "m.ndjson", "--format", "ndjson")
    with prometheus() as prom, Late(prom.url, token=SECRET) as gate:
        gate.renewed = token
        found = ended(collect(binary, folder, gate.url, *out, "--token-file", str(token)), 0)
        if [it.status for it in gate.seen].count(401) != 1:
            found.append(f"answers {[it.status for it in gate.seen]}")
        found += ended(collect(binary, folder, gate.url, *out, PROMETHEUS_TOKEN=SECRET), 0)
        gate.token = "another"
        gate.renewed = Path(folder) / "elsewhere"
        gate.seen.clear()
        expired = collect(binary, folder, gate.url, *out, PROMETHEUS_TOKEN=SECRET)
        found += ended(expired, 2, "credentials refused (HTTP 401)")
        if len(gate.seen) != 1:
            found.append(f"{len(gate.seen)} requests with an expired token")
        found += ended(collect(binary, folder, gate.url, *out), 2, "credentials refused")
        missing = collect(binary, folder, gate.url, *out, "--token-file", "nowhere")
        found += ended(missing, 2, "nowhere: no token")
        twice = collect(binary, folder, gate.url, *out, "--token-file", str(token), PROMETHEUS_TOKEN=SECRET)
        found += ended(twice, 2, "give one of")
        odd = collect(binary, folder, gate.url, *out, PROMETHEUS_TOKEN=f"{SECRET}\n2")
        found += ended(odd, 2, "no header's value")
        # It expires in the middle: what is left fails at once, each with its name.
        gate.token = SECRET
        gate.answers = [0, 401]
        gate.seen.clear()
        middle = collect(binary, folder, gate.url, *out, "--queries-in-flight", "1", PROMETHEUS_TOKEN=SECRET)
        found += ended(middle, 1, "m: ")
        if len(gate.seen) != 2 or [it["name"] for it in middle[1]["metrics"]["failed"]] != ["m", "o"]:
            found.append(f"{len(gate.seen)} requests, {middle[1]['metrics']}")
    return found


def check_faults_pass(server: Server, binary: str, folder: str) -> list[str]:
    """What passes is waited for; what does not ends in time, with what was not asked."""
    del server
    file = profile(folder, PROFILE)
    out = ("-m", file, "-o", "m.ndjson", "--format", "ndjson")
    with prometheus() as prom, Gate(prom.url) as gate:
        wanted = finite(expected(prom))
        gate.answers = [503, 0, 429, "cut", 500, 502, 0, 504, 408, "cut"]
        found = ended(collect(binary, folder, gate.url, *out), 0)
        found += differ(wanted, written(folder))
        gate.retry_after, gate.answers, gate.seen = "2", [429], []
        found += ended(collect(binary, folder, gate.url, *out), 0)
        if gate.seen[1].begun - gate.seen[0].begun < 2:
            found.append("Retry-After was not waited for")
        gate.retry_after, gate.answers = "", [0] + [503] * 1000
        begun = time.monotonic()
        done = collect(binary, folder, gate.url, *out, "--query-give-up-after", "2s")
        found += ended(done, 4, "no answer within 2s: HTTP 503: on demand")
        failed = Counter(it["name"] for it in done[1]["metrics"]["failed"])
        if len(failed) != 8 or time.monotonic() - begun > 6:
            found.append(f"{failed} after {time.monotonic() - begun:.1f} s")
        done = collect(binary, folder, gate.url, *out, "--query-give-up-after", "1s")
        found += ended(done, 4, "no answer within 1s")
        gate.answers = []
    away = collect(binary, folder, gate.url, *out, "--query-give-up-after", "1s")
    return found + ended(away, 4, "no answer within 1s")


def check_one_query_fails(server: Server, binary: str, folder: str) -> list[str]:
    """The others go on; what is no Prometheus, or no profile, is told."""
    text = "[{query: 'sum(', metricName: broken}, {query: memory_bytes, metricName: m}]"
    file = profile(folder, text)
    with prometheus() as prom:
        wanted = range_documents(prom, "m", "memory_bytes")
        done = collect(binary, folder, prom.url, "-m", file, *to(server, "partial"))
        found = ended(done, 1, "broken: ") + differ(wanted, there(server, "partial"))
        if "HTTP 400: bad_data" not in done[2]:
            found.append(f"no reason: {done[2]}")
        typo = profile(folder, "- query: x\n  metricName: x\n- querry: x\n  metricName: y\n", "typo.yml")
        found += ended(collect(binary, folder, prom.url, "-m", typo, "-o", "-"), 2)
        done = collect(binary, folder, prom.url, "-m", typo, "-o", "x.json")
        found += ended(done, 2, "querry") + ended(done, 2, typo) + ended(done, 2, "line 3")
        unknown = profile(folder, "- query: x[{{ since }}]\n  metricName: x\n", "unknown.yml")
        found += ended(collect(binary, folder, prom.url, "-m", unknown, "-o", "x.json"), 2, "line 1: nothing is known of `since`")
        swapped = collect(binary, folder, prom.url, "-m", file, "-o", "x.json", window=(END, START))
        found += ended(swapped, 2, "before its start")
    done = collect(binary, folder, server.url, "-m", file, "-o", "x.json")
    return found + ended(done, 2, "HTTP 4")


class GetOnly(Gate):
    """A gateway that lets GET through alone."""

    def judge(self, request, told, body):
        if request.command != "GET":
            return 405, b"no", "text/plain"
        return super().judge(request, told, body)


def check_gateways(server: Server, binary: str, folder: str) -> list[str]:
    """GET where nothing else passes; as many requests at once as told; no way round a login."""
    del server
    file = profile(folder, PROFILE)
    out = ("-m", file, "-o", "m.ndjson", "--format", "ndjson")
    with prometheus() as prom:
        wanted = finite(expected(prom))
        with GetOnly(prom.url) as gate:
            found = ended(collect(binary, folder, gate.url, *out), 0)
            found += differ(wanted, written(folder))
            if [it.status for it in gate.seen].count(405) != 1:
                found.append("it goes on with what is refused")
        with Gate(prom.url) as gate:
            gate.delay = 0.2
            found += ended(collect(binary, folder, gate.url, *out, "--queries-in-flight", "3"), 0)
            if gate.most_at_once != 3:
                found.append(f"{gate.most_at_once} requests at once")
            gate.delay, gate.answers = 0, [302]
            found += ended(collect(binary, folder, gate.url, *out), 2, "HTTP 302")
    return found


class Signed(Prometheus):
    """One whose certificate is signed by an authority."""

    def web(self):
        told = super().web()
        leaf, key, self.ca = self.ca, self.folder / "prometheus.key", self.folder / "authority.crt"
        new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        authority = ["-subj", "/CN=authority", "-keyout", self.folder / "authority.key", "-out", self.ca]
        signed = ["-CA", self.ca, "-CAkey", self.folder / "authority.key", "-keyout", key, "-out", leaf]
        named = ["-subj", "/CN=prometheus", "-addext", "subjectAltName=IP:127.0.0.1"]
        named += ["-addext", "basicConstraints=CA:FALSE"]
        for command in ([*new, *authority], [*new, *named, *signed]):
            subprocess.run(command, check=True, capture_output=True)
        return told


def check_secure_prometheus(server: Server, binary: str, folder: str) -> list[str]:
    """TLS, and a user with a password."""
    del server
    file = profile(folder, "[{query: memory_bytes, metricName: m}]")
    out = ("-m", file, "-o", "m.ndjson", "--format", "ndjson")
    password = {"PROMETHEUS_PASSWORD": SECRET}
    with Signed(Path(folder) / "prom", samples=samples(), password=("me", SECRET), tls=True) as prom:
        trusted = ("--prometheus-cacert", str(prom.ca))
        user = ("--username", "me")
        run = lambda *more, url=prom.url, **environment: collect(
            binary, folder, url, *out, *more, **environment
        )
        found = ended(run(*user, **password), 2, "certificate not trusted")
        found += ended(run(*trusted), 2, "credentials refused")
        found += ended(run(*trusted, *user, PROMETHEUS_PASSWORD="wrong"), 2, "credentials refused")
        found += ended(run(*trusted, *user, **password), 0)
        found += differ(range_documents(prom, "m", "memory_bytes"), written(folder))
        inside = prom.url.replace("https://", f"https://me:{SECRET}@")
        found += ended(run(*trusted, url=inside), 0)
        found += ended(run(*trusted, *user, url=inside, **password), 2, "given twice")
        found += ended(run("--skip-tls-verify", *user, **password), 0, "warning: --skip-tls-verify")
        found += ended(run("--skip-tls-verify=false", *user, **password), 2, "not trusted")
    with Prometheus(Path(folder) / "own", tls=True) as prom:
        own = collect(binary, folder, prom.url, *out, "--prometheus-cacert", str(prom.ca))
        found += ended(own, 2, "shows an authority's certificate as its own")
    return found


def check_the_last_scrape(server: Server, binary: str, folder: str) -> list[str]:
    """The end of a window that has just passed is asked about once it is scraped."""
    del server
    file = profile(folder, "[{query: up, metricName: up}]")
    prom = Prometheus(Path(folder) / "prom")
    prom.scrape, found = {"itself": {"static_configs": [{"targets": ["127.0.0.1:1"]}]}}, []
    with prom, Gate(prom.url) as gate:
        prom.wait_for("up")
        end = round(time.time(), 3)
        more = ("-m", file, "-o", "up.ndjson", "--format", "ndjson", "--scrape-interval", "2s")
        found += ended(collect(binary, folder, gate.url, *more, window=(end - 10, end)), 0)
        waited = [it.begun - end for it in gate.seen if it.path.endswith("query_range")]
        if len(waited) != 1 or not 4 <= waited[0] < 5:
            found.append(f"asked after {waited} s")
        gate.seen.clear()
        past = (end - 10, end - 4)
        found += ended(collect(binary, folder, gate.url, *more, window=past), 0)
    return found


def check_server_away(server: Server, binary: str, folder: str) -> list[str]:
    """What a search server does not take is kept, and sent by `guidellm-indexer replay`."""
    file = profile(folder, PROFILE)
    index = ("--es-index", "kept", "--give-up-after", "1s")
    with prometheus() as prom:
        wanted = finite(expected(prom))
        away = ("--es-server", "http://127.0.0.1:9", *index)
        done = collect(binary, folder, prom.url, "-m", file, *away)
        found = ended(done, 4, "replay")
        if metrics_of(done) != {"unsent": len(wanted)}:
            found.append(f"{metrics_of(done)} of {len(wanted)}")
    replay = str(Path(binary).with_name("guidellm-indexer"))
    command = ("replay", "guidellm-unsent.ndjson", "--es-server", server.url, "--json")
    code, outcome, told = indexer(replay, *command, folder=folder)
    if code or outcome["metrics"]["created"] != len(wanted):
        found.append(f"replay: exit {code}, {outcome}, {told}")
    return found + differ(wanted, there(server, "kept"))


if __name__ == "__main__":
    main(
        __doc__,
        (
            check_tokens,
            check_faults_pass,
            check_one_query_fails,
            check_gateways,
            check_secure_prometheus,
            check_the_last_scrape,
            check_server_away,
        ),
    )
