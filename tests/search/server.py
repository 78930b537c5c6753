"""A real search server for a check, and plain HTTP to look at what is in it."""

import base64
import json
import os
import shutil
import ssl
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SEARCH = ROOT / "tests/servers/search"
REPORT = ROOT / "fixtures/reports/0.8.1/constant_multirate.json"


class Server:
    """A server that runs as long as the `with` block; `stop` and `start` keep its data."""

    def __init__(self, name: str, *settings: str) -> None:
        self.name, self.settings = name, settings
        self.folder = tempfile.mkdtemp(prefix=f"{name}-")
        self.url = ""
        self.credentials = ""

    def __enter__(self) -> "Server":
        self.start("0")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("kill", self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, port: str | None = None) -> None:
        """Starts it, on the same port as before unless another is given."""
        port = port or self.url.rsplit(":", 1)[1]
        told = self._run("start", self.name, port, self.folder, *self.settings)
        self.url = told.split()[1].rstrip("/")

    def stop(self) -> None:
        """Ends it in good order."""
        self._run("stop", self.folder)

    def kill(self) -> None:
        """Ends it as a power cut does."""
        self._run("kill", self.folder)

    def _run(self, *arguments: str) -> str:
        environment = {**os.environ, "SEARCH_PARENT_PID": str(os.getpid()), "HEAP": "384m"}
        done = subprocess.run(
            [SEARCH, *arguments], env=environment, text=True, capture_output=True, check=False
        )
        if done.returncode:
            raise RuntimeError(f"search {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """Status and JSON of a call."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        request = urllib.request.Request(
            f"{self.url}/{path}", method=method, data=None if text is None else text.encode()
        )
        request.add_header("Content-Type", "application/json")
        if self.credentials:
            encoded = base64.b64encode(self.credentials.encode()).decode()
            request.add_header("Authorization", f"Basic {encoded}")
        context = ssl._create_unverified_context() if self.url.startswith("https") else None
        try:
            with urllib.request.urlopen(request, timeout=60, context=context) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def count(self, index: str) -> int:
        """Documents of an index, after a refresh."""
        self.call("POST", f"{index}/_refresh")
        return self.call("GET", f"{index}/_count")[1].get("count", 0)

    def documents_of(self, index: str, uuid: str) -> list[dict]:
        """A run's documents."""
        self.call("POST", f"{index}/_refresh")
        query = {"size": 10000, "query": {"term": {"uuid": uuid}}}
        hits = self.call("POST", f"{index}/_search", query)[1]["hits"]["hits"]
        if len(hits) == query["size"]:
            raise RuntimeError("there are more documents")
        return [hit["_source"] for hit in hits]

    def documents(self, index: str) -> dict[str, dict]:
        """All documents of an index by their `_id`."""
        self.call("POST", f"{index}/_refresh")
        query = {"size": 1000, "sort": [{"document_id": "asc"}]}
        found: dict[str, dict] = {}
        while True:
            hits = self.call("POST", f"{index}/_search", query)[1]["hits"]["hits"]
            if not hits:
                return found
            found |= {hit["_id"]: hit["_source"] for hit in hits}
            query["search_after"] = hits[-1]["sort"]


def indexer(binary: str, *arguments: str, folder: str | None = None, **environment: str):
    """Runs the command; its exit code, its outcome and what it told."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("ES_")}
    done = subprocess.run(
        [binary, *arguments], env=kept | environment, cwd=folder, text=True, capture_output=True,
        check=False,
    )  # fmt: skip
    outcome = json.loads(done.stdout) if "--json" in arguments and done.stdout else done.stdout
    return done.returncode, outcome, done.stderr


def expected(binary: str, *reports: str) -> dict[str, dict]:
    """The documents of some reports, by their ids."""
    _, text, _ = indexer(binary, "index", *reports, "-o", "-", "--format", "ndjson", "--quiet")
    documents = [json.loads(line) for line in text.splitlines()]
    return {document["document_id"]: document for document in documents}


def grown(folder: str, times: int) -> str:
    """A report with each successful record many times over, under ids of its own."""
    report = json.loads(REPORT.read_text())
    for benchmark in report["benchmarks"]:
        own = benchmark["requests"]["successful"]
        benchmark["requests"]["successful"] = [
            {**record, "request_id": f"{record['request_id']}-{copy}"}
            for copy in range(times)
            for record in own
        ]
    path = Path(folder) / "grown.json"
    path.write_text(json.dumps(report))
    return str(path)
