"""What stands before a Prometheus that asks for bearer tokens, as OpenShift's does; with faults on demand.

    with Gate(prometheus.url, token="secret") as gate:
        gate.token = "new"             # the old one has expired
        gate.answers = [503, 429]      # the next requests get these
        gate.seen                      # the requests that came: path, parameters, status

Threads of this process serve; so enter a cluster's network before.
"""

import http.server
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Seen:
    """A request that came."""

    path: str
    parameters: dict[str, str]
    status: int
    begun: float
    headers: dict[str, str] = field(repr=False)


class Gate:
    """Lets those through who have the current token, and answers 401 to all others.

    The token is TOKEN, which may change at any time, or what TOKEN_FILE holds; with neither, all may
    pass. Before that, the next requests are answered by what `answers` holds, if anything: a status,
    or "cut", a connection that ends without an answer. `delay` is seconds before each answer. With a
    FOLDER, it serves TLS with a certificate that an authority signed, which is `ca`. PORT is one of
    loopback; 0 is any.
    """

    def __init__(
        self, target: str, *, token: str = "", token_file: str | Path | None = None,
        folder: str | Path | None = None, port: int = 0,
    ) -> None:  # fmt: skip
        self.target, self.token, self.token_file = target, token, token_file
        self.answers: list[int | str] = []
        self.delay, self.retry_after = 0.0, ""
        self.seen: list[Seen] = []
        self.busy, self.most_at_once = 0, 0
        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self.handler())
        self.server.daemon_threads = True
        self.ca: Path | None = None
        if folder:
            self.ca, *own = signed(Path(folder))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*own)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        scheme = "https" if folder else "http"
        self.url = f"{scheme}://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "Gate":
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def handler(gate) -> type:
        """The class that serves for this gate."""

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                gate.serve(self, b"")

            def do_POST(self) -> None:
                gate.serve(self, self.rfile.read(int(self.headers.get("Content-Length", 0))))

            def log_message(self, *_: object) -> None:
                pass

        return Handler

    def serve(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        """Answers a request."""
        begun, path = time.time(), urllib.parse.urlsplit(request.path)
        with self.lock:
            self.busy += 1
            self.most_at_once = max(self.most_at_once, self.busy)
            told = self.answers.pop(0) if self.answers else 0
        try:
            time.sleep(self.delay)
            status, answer, kind = self.judge(request, told, body)
        finally:
            with self.lock:
                self.busy -= 1
        parameters = dict(urllib.parse.parse_qsl(f"{path.query}&{body.decode(errors='replace')}"))
        self.seen.append(Seen(path.path, parameters, status, begun, dict(request.headers)))
        if not status:
            request.close_connection = True
            return
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(answer)))
        if status in (429, 503) and self.retry_after:
            request.send_header("Retry-After", self.retry_after)
        request.end_headers()
        request.wfile.write(answer)

    def judge(self, request, told: int | str, body: bytes) -> tuple[int, bytes, str]:
        """Status, text and type of an answer; status 0 is none."""
        if told == "cut":
            return 0, b"", ""
        if told:
            return int(told), b"on demand\n", "text/plain"
        current = Path(self.token_file).read_text().strip() if self.token_file else self.token
        if current and request.headers.get("Authorization") != f"Bearer {current}":
            return 401, b"Unauthorized\n", "text/plain"
        forwarded = urllib.request.Request(
            self.target + request.path, data=body or None, method=request.command
        )
        for name in ("Content-Type", "Accept"):
            if value := request.headers.get(name):
                forwarded.add_header(name, value)
        try:
            with urllib.request.urlopen(forwarded, timeout=60) as answer:
                return answer.status, answer.read(), answer.headers["Content-Type"]
        except urllib.error.HTTPError as error:
            return error.code, error.read(), error.headers["Content-Type"]
        except OSError as error:
            return 502, f"{error}\n".encode(), "text/plain"


def signed(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate of loopback: its authority's, itself and its key."""
    ca, crt, key = (folder / f"gate-{name}" for name in ("ca.crt", "leaf.crt", "leaf.key"))
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    authority = [*new, "-subj", "/CN=ingress-operator", "-keyout", f"{ca}.key", "-out", ca]
    leaf = [
        *new, "-subj", "/CN=gate", "-CA", ca, "-CAkey", f"{ca}.key", "-keyout", key, "-out", crt,
        "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE",
    ]  # fmt: skip
    for command in (authority, leaf):
        subprocess.run(command, check=True, capture_output=True)
    return ca, crt, key
