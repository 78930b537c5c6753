"""Something between the client and a server, that changes what passes."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Proxy:
    """Passes calls on to `upstream`, but for bulk requests that `change` answers itself.

    `witness` sees each call as it comes: the handler, and the body as it was sent."""

    def __init__(self, upstream, change, witness=lambda *_: None) -> None:
        proxy = self
        self.bulks = 0
        #: Whom its clients wanted to reach through it.
        self.hosts: set[str] = set()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def handle_call(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                body = self.rfile.read(length)
                witness(self, body)
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if "_bulk" in self.path:
                    proxy.bulks += 1
                    changed = change(proxy.bulks, body, self)
                    if changed is not None:
                        status, answer, *headers = changed
                        return self.answer(status, answer, **dict(headers))
                path = self.path.removeprefix("/")
                if path.startswith("http://"):  # As a client writes it that uses a proxy.
                    host, _, path = path.removeprefix("http://").partition("/")
                    proxy.hosts.add(host)
                status, answer = upstream(self.command, path, body.decode())
                return self.answer(status, answer)

            def answer(self, status: int, answer: object, **headers: str) -> None:
                """JSON, unless it is bytes; `Retry_After` is a header as well."""
                text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                kind = "text/html" if isinstance(answer, bytes) else "application/json"
                self.send_header("Content-Type", kind)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_PUT = do_POST = do_DELETE = handle_call

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:
                """Connections are cut here on purpose."""

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> "Proxy":
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """From now on, nobody answers."""
        self.server.shutdown()
        self.server.server_close()
