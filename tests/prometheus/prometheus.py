"""A real Prometheus for a test: Debian's program, on loopback, with a folder of its own.

    with Prometheus(folder, scrape={"vllm": ["127.0.0.1:8000"]}) as prometheus:
        prometheus.wait_for('up{job="vllm"} == 1')

README.md tells more.
"""

import base64
import json
import math
import shutil
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import warnings
from collections.abc import Iterable
from pathlib import Path

with warnings.catch_warnings():  # it leaves Python with 3.13; Debian 12 has 3.11
    warnings.simplefilter("ignore", DeprecationWarning)
    import crypt

PROGRAMS = {
    "prometheus": "prometheus", "promtool": "prometheus", "openssl": "openssl",
    "setpriv": "util-linux",
}  # fmt: skip
#: Samples of one series: its name, its labels, and (seconds since 1970, value).
Series = tuple[str, dict[str, str], Iterable[tuple[float, float]]]


class Failure(Exception):
    """It did not start, or did not answer as was waited for."""


class Prometheus:
    """A Prometheus that runs as long as the `with` block, or else as long as this process.

    SCRAPE is the addresses to scrape by job, or a whole scrape configuration instead of the
    addresses. SAMPLES are there from the start. PASSWORD, a user and a password, and TLS are
    Prometheus' own; for bearer tokens, which it does not know, see `gate`.
    """

    def __init__(
        self, folder: str | Path, scrape: dict[str, list[str] | dict] | None = None,
        interval: str = "1s", *, samples: Iterable[Series] = (),
        password: tuple[str, str] | None = None, tls: bool = False,
    ) -> None:  # fmt: skip
        self.folder, self.scrape, self.interval = Path(folder).resolve(), scrape or {}, interval
        self.samples, self.password, self.tls = list(samples), password, tls
        self.ca = self.folder / "prometheus.crt"
        self.process: subprocess.Popen | None = None
        self.url = ""

    @staticmethod
    def missing() -> list[str]:
        """What this machine lacks, as sentences; empty if all is here."""
        return [
            f"{program} is missing: install Debian's package {package}"
            for program, package in PROGRAMS.items() if not shutil.which(program)
        ]  # fmt: skip

    def __enter__(self) -> "Prometheus":
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.samples:
            backfill(self.folder / "data", self.samples)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts it, on the same port as before if it had one; its data stay."""
        config = self.folder / "prometheus.json"
        config.write_text(json.dumps(configuration(self.scrape, self.interval)))
        port = urllib.parse.urlsplit(self.url).port or free_port()
        self.url = f"{'https' if self.tls else 'http'}://127.0.0.1:{port}"
        with open(self.folder / "prometheus.log", "ab") as log:
            # Ends with this process, whatever ends that.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "prometheus", f"--config.file={config}",
                 f"--storage.tsdb.path={self.folder}/data", "--storage.tsdb.retention.time=100y",
                 f"--web.listen-address=127.0.0.1:{port}", *self.web()],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.until(f"{self.url}/-/ready", lambda: self.call("-/ready") is not None, 30)

    def stop(self) -> None:
        """Ends it."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def web(self) -> list[str]:
        """Its file about who may ask, if there is anything to say."""
        config: dict = {}
        if self.tls:
            certificate(self.ca, self.folder / "prometheus.key")
            config["tls_server_config"] = {
                "cert_file": str(self.ca), "key_file": f"{self.folder}/prometheus.key",
            }  # fmt: skip
        if self.password:
            user, password = self.password
            config["basic_auth_users"] = {user: hashed(password)}
        if not config:
            return []
        path = self.folder / "web.json"
        path.write_text(json.dumps(config))
        return [f"--web.config.file={path}"]

    def call(self, path: str, **parameters: object) -> bytes | None:
        """What it answers; nothing if it does not, or not well."""
        url = f"{self.url}/{path}?{urllib.parse.urlencode(parameters)}"
        request = urllib.request.Request(url)
        if self.password:
            told = base64.b64encode(":".join(self.password).encode()).decode()
            request.add_header("Authorization", f"Basic {told}")
        context = ssl.create_default_context(cafile=str(self.ca)) if self.tls else None
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 503:  # not ready yet
                return None
            raise Failure(f"{url}: {error}: {error.read().decode()}") from error
        except OSError:
            return None

    def ask(self, path: str, **parameters: object) -> list[dict]:
        """The result of a query, as Prometheus gives it."""
        answer = self.call(f"api/v1/{path}", **parameters)
        if answer is None:
            raise Failure(f"{path} {parameters}: no answer\n{self.tail()}")
        return json.loads(answer)["data"]["result"]

    def query(self, query: str, time: float | None = None) -> list[dict]:
        """An instant query."""
        return self.ask("query", query=query, **({} if time is None else {"time": time}))

    def query_range(self, query: str, start: float, end: float, step: float) -> list[dict]:
        """A range query."""
        return self.ask("query_range", query=query, start=start, end=end, step=step)

    def wait_for(self, query: str, timeout: float = 30) -> list[dict]:
        """Waits until a query has a result, and gives that."""
        return self.until(query, lambda: self.query(query), timeout)

    def until(self, what: str, reached, timeout: float):
        """Waits until something is true, and gives that."""
        end = time.monotonic() + timeout
        while not (found := reached()):
            if not self.process or self.process.poll() is not None:
                raise Failure(f"Prometheus has ended\n{self.tail()}")
            if time.monotonic() > end:
                raise Failure(f"{what}: not within {timeout:.0f} s\n{self.tail()}")
            time.sleep(0.1)
        return found

    def tail(self) -> str:
        """The end of its log, and what it scrapes."""
        lines = (self.folder / "prometheus.log").read_text(errors="replace").splitlines()
        targets = [self.call("api/v1/targets", state="active")] if self.process else []
        return "\n".join([*lines[-8:], *(it.decode() for it in targets if it)])


def configuration(scrape: dict[str, list[str] | dict], interval: str) -> dict:
    """Its file."""
    jobs = [
        {"job_name": job} | (told if isinstance(told, dict) else {"static_configs": [{"targets": told}]})
        for job, told in scrape.items()
    ]  # fmt: skip
    about = {"scrape_interval": interval, "scrape_timeout": interval}
    return {"global": about | {"evaluation_interval": interval}, "scrape_configs": jobs}


def free_port() -> int:
    """A port of loopback that nobody has: Prometheus does not tell which one it chose itself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def hashed(password: str) -> str:
    """A password as Prometheus wants it: of bcrypt's lowest cost, as each request is checked."""
    return crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=16))


def certificate(crt: Path, key: Path) -> None:
    """A certificate of loopback that is its own authority."""
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-days", "30", "-subj", "/CN=prometheus", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-keyout", key, "-out", crt,
    ]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True)


def backfill(data: Path, samples: Iterable[Series]) -> None:
    """Makes blocks of samples; a Prometheus that runs would see them a minute later."""
    text = data.parent / "samples.txt"
    text.write_text(open_metrics(samples))
    done = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", text, data],
        text=True, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise Failure(f"promtool: {done.stderr.strip()}")


def open_metrics(samples: Iterable[Series]) -> str:
    """Samples in the text form of OpenMetrics, which wants those of a name together."""
    by_name: dict[str, list[str]] = {}
    for name, labels, points in samples:
        told = ",".join(f"{key}={json.dumps(it, ensure_ascii=False)}" for key, it in labels.items())
        lines = by_name.setdefault(name, [])
        lines += [f"{name}{{{told}}} {number(value)} {moment:.3f}" for moment, value in points]
    parts = [f"# TYPE {name} unknown\n" + "\n".join(lines) for name, lines in by_name.items()]
    return "\n".join([*parts, "# EOF", ""])


def number(value: float) -> str:
    """A value in that form, every digit of it."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return "NaN" if math.isnan(value) else repr(float(value))
