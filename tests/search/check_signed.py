"""Requests that are signed with AWS credentials (Signature Version 4).

    python check_signed.py BINARY SERVER

A real server stands behind a proxy that signs each request again, with botocore, and compares.
BINARY is built with the feature `sigv4`.
"""

import hashlib
import re

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from one_server import main
from proxy import Proxy
from server import REPORT, Server, expected, indexer

KEY, SECRET, TOKEN = "AKIAEXAMPLE", "sEcReT/kEy+wJalr", "sEsSiOn+tOkEn=="
REGION = "eu-central-1"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": TOKEN,
    "AWS_REGION": REGION, "AWS_EC2_METADATA_DISABLED": "true",
}  # fmt: skip


class Witness:
    """Signs what it sees again, and notes what differs."""

    def __init__(self, service: str) -> None:
        self.service = service
        self.seen, self.differences = 0, []

    def __call__(self, handler, body: bytes) -> None:
        self.seen += 1
        headers = {name.lower(): value for name, value in handler.headers.items()}
        told = headers.get("authorization", "none")
        signed = re.search("SignedHeaders=([^,]+)", told)
        if not signed:
            self.differences.append(f"{handler.path}: not signed: {told}")
            return
        names = signed[1].split(";")
        if not {"host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"} <= set(names):
            self.differences.append(f"{handler.path}: only {names} are signed")
        if headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
            self.differences.append(f"{handler.path}: another body is signed")
        url = handler.path if "://" in handler.path else f"http://{headers['host']}{handler.path}"
        request = AWSRequest(handler.command, url, {name: headers[name] for name in names}, body)
        request.context["timestamp"] = headers["x-amz-date"]
        own = SigV4Auth(Credentials(KEY, SECRET, TOKEN), self.service, REGION)
        text = own.string_to_sign(request, own.canonical_request(request))
        scope = f"Credential={KEY}/{headers['x-amz-date'][:8]}/{REGION}/{self.service}/aws4_request"
        if f"Signature={own.signature(text, request)}" not in told or scope not in told:
            self.differences.append(f"{handler.command} {handler.path}: another signature: {told}")


def check_managed(server: Server, binary: str, folder: str) -> list[str]:
    """A managed cluster: every call is signed, those of `export` as well."""
    wanted, witness = expected(binary, str(REPORT)), Witness("es")
    with Proxy(server.call, lambda *_: None, witness) as proxy:
        where = ("--es-server", proxy.url, "--es-index", "managed", "--aws-sigv4")
        where += ("--es-requests-index", "managed-requests")
        code, _, told = indexer(binary, "index", str(REPORT), *where, folder=folder, **ENVIRONMENT)
        found = [] if code == 0 else [f"exit {code}: {told}"]
        command = ("export", *where, "-o", "-", "--format", "ndjson", "--quiet")
        code, text, told = indexer(binary, *command, folder=folder, **ENVIRONMENT)
        if code or len(text.splitlines()) != len(wanted):
            found.append(f"export: exit {code}: {told}")
    there = server.documents("managed") | server.documents("managed-requests")
    if there != wanted or witness.seen < 8:
        found.append(f"{len(there)} of {len(wanted)}, {witness.seen} calls")
    return found + witness.differences


def check_serverless(server: Server, binary: str, folder: str) -> list[str]:
    """Serverless, by its name: another service, and no call that asks what it is."""
    wanted, witness = expected(binary, str(REPORT)), Witness("aoss")
    url = f"http://abc.{REGION}.aoss.amazonaws.com"
    paths = []

    def upstream(method: str, path: str, body: str):
        paths.append(path)
        return server.call(method, path, body or None)

    with Proxy(upstream, lambda *_: None, witness) as proxy:
        where = ("--es-server", url, "--es-index", "serverless", "--aws-sigv4")
        through = {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url}
        code, _, told = indexer(
            binary, "index", str(REPORT), *where, folder=folder, **ENVIRONMENT, **through
        )
    found = [] if code == 0 else [f"exit {code}: {told}"]
    if "" in paths:
        found.append("it was asked what it is")
    if server.documents("serverless") != wanted:
        found.append(f"{server.count('serverless')} of {len(wanted)}")
    return found + witness.differences


def check_refusals(server: Server, binary: str, folder: str) -> list[str]:
    """What cannot be signed, and what shows in messages."""
    found = []
    where = ("--es-server", server.url, "--es-index", "x", "--aws-sigv4", "--give-up-after", "1s")
    lonely = {**ENVIRONMENT, "AWS_SHARED_CREDENTIALS_FILE": "/none", "AWS_CONFIG_FILE": "/none"}
    no_region = {name: value for name, value in lonely.items() if name != "AWS_REGION"}
    no_key = {name: value for name, value in lonely.items() if name in ("AWS_REGION",)}
    no_key |= {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/none"}
    no_key |= {"AWS_SHARED_CREDENTIALS_FILE": "/none"}
    for title, environment, more, codes, message in (
        ("no region", no_region, (), (2,), "AWS_REGION"),
        ("no key", no_key, (), (2, 4), "credential"),
        ("twice", {**lonely, "ES_API_KEY": "abc"}, (), (2,), "--aws-sigv4"),
    ):
        code, _, told = indexer(
            binary, "index", str(REPORT), *where, *more, folder=folder, **environment
        )
        if code not in codes or message not in told or SECRET in told or TOKEN in told:
            found.append(f"{title}: exit {code}: {told}")
    return found


if __name__ == "__main__":
    main(__doc__, (check_managed, check_serverless, check_refusals))
