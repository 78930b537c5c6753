"""A server with TLS, users and rights.

    python check_secure.py BINARY SERVER
"""

import json
import sys
import tempfile
from pathlib import Path

from server import ROOT, Server, expected, indexer

sys.path.insert(0, str(ROOT / "tests/independent"))
from matching import Tally

REPORT = str(ROOT / "fixtures/reports/0.8.1/constant_mixed.json")
PASSWORD = "lab-Pass-1"
WRONG = "hunter2-secret"


def main(binary: str, name: str) -> int:
    """All checks in one server."""
    tally, wanted = Tally(), expected(binary, REPORT)
    with Server(name) as server, tempfile.TemporaryDirectory() as folder:
        server.credentials = f"admin:{PASSWORD}"
        authority = f"{server.folder}/config/ca.pem"

        def index(*more: str, index: str = "guidellm", **environment: str):
            command = ("index", REPORT, "--es-index", index, "--give-up-after", "2s")
            return indexer(binary, *command, *more, folder=folder, **environment)

        def check(title: str, done, code: int, message: str) -> None:
            found = [] if done[0] == code else [f"exit {done[0]}, not {code}: {done[2]}"]
            if message not in done[2]:
                found.append(f"no `{message}` in: {done[2]}")
            if PASSWORD in done[1] + done[2] or WRONG in done[1] + done[2]:
                found.append(f"a password is told: {done[1]} {done[2]}")
            tally.add(f"{name}: {title}", found)

        at = ("--es-server", server.url)
        trusted = (*at, "--cacert", authority)
        writer = {"ES_USERNAME": "writer", "ES_PASSWORD": PASSWORD}
        check("untrusted authority", index(*at, **writer), 2, "certificate not trusted")
        check("no credentials", index(*trusted), 2, "credentials refused")
        wrong = {"ES_USERNAME": "writer", "ES_PASSWORD": WRONG}
        check("wrong password", index(*trusted, **wrong), 2, "credentials refused")
        check("user and password", index(*trusted, **writer), 0, f"{len(wanted)} created")
        host = server.url.removeprefix("https://")
        inside = ("--es-server", f"https://writer:{PASSWORD}@{host}", "--cacert", authority)
        check("password in the URL", index(*inside), 0, f"{len(wanted)} updated")
        check("--insecure", index(*at, "-k", **writer), 0, "warning: --insecure")
        twice = index(*inside, **wrong)
        check("credentials twice", twice, 2, "given twice")
        other = index(*trusted, "--no-template", index="other", **writer)
        check("another's index", other, 1, "rejected: HTTP 403")
        rejected = Path(folder) / "guidellm-rejected.ndjson"
        lines = [json.loads(line) for line in rejected.read_text().splitlines()]
        ids = {line["id"] for line in lines if line["status"] == 403}
        tally.add(f"{name}: they are kept", [] if ids == wanted.keys() else [f"{len(ids)} kept"])
        certificate = Path(server.folder) / "config/client.pem"
        if certificate.exists():
            both = Path(folder) / "both.pem"
            key = certificate.with_name("client.key")
            both.write_text(certificate.read_text() + key.read_text())
            check("client certificate", index(*trusted, "--cert", str(both)), 0, "updated")
        there = server.documents("guidellm")
        tally.add(f"{name}: all there", [] if there == wanted else [f"{len(there)} there"])
    return tally.finish()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(str(Path(sys.argv[1]).resolve()), sys.argv[2]))
