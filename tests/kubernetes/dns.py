"""A small DNS server for pods: names from a file, else Services of the cluster.

    dns.py ADDRESS NAMES.json [KUBECONFIG]

NAMES.json maps names to addresses and may change at any time. `NAME.NAMESPACE.svc.cluster.local`
that is not in it is asked of the API server. Answers A queries over UDP; others get no data.
"""

import json
import socket
import ssl
import struct
import sys
import urllib.request
from pathlib import Path

A, INTERNET, NO_SUCH_NAME = 1, 1, 3
TTL = 1  # second: a test may change names


def question(query: bytes) -> tuple[str, int, bytes]:
    """Name, type, and the question as it was asked."""
    labels, at = [], 12
    while size := query[at]:
        labels.append(query[at + 1 : at + 1 + size].decode("ascii"))
        at += 1 + size
    kind, _ = struct.unpack_from("!HH", query, at + 1)
    return ".".join(labels).lower(), kind, query[12 : at + 5]


def answer(query: bytes, address: str | None) -> bytes:
    """The message that answers a query; no address means that there is no such name."""
    identity, flags = struct.unpack_from("!HH", query)
    _, kind, asked = question(query)
    record = b""
    if address and kind == A:
        # 0xC00C: the name that stands at byte 12, in the question.
        record = struct.pack("!HHHIH", 0xC00C, A, INTERNET, TTL, 4) + socket.inet_aton(address)
    # An answer (0x8000) with authority (0x0400) that keeps the wish for recursion (0x0100).
    flags = 0x8400 | flags & 0x0100 | (0 if address else NO_SUCH_NAME)
    return struct.pack("!HHHHHH", identity, flags, 1, bool(record), 0, 0) + asked + record


def service(name: str, kubeconfig: str) -> str | None:
    """The cluster IP of a Service."""
    labels = name.split(".")
    if labels[2:] != ["svc", "cluster", "local"]:
        return None
    config = json.loads(Path(kubeconfig).read_text())
    cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
    context = ssl.create_default_context(cafile=cluster["certificate-authority"])
    context.load_cert_chain(user["client-certificate"], user["client-key"])
    url = f"{cluster['server']}/api/v1/namespaces/{labels[1]}/services/{labels[0]}"
    try:
        with urllib.request.urlopen(url, context=context, timeout=2) as reply:
            address = json.load(reply)["spec"].get("clusterIP")
    except OSError:
        return None
    return address if address and address != "None" else None


def serve(address: str, names: Path, kubeconfig: str = "") -> None:
    """Answers until it is killed."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, 53))
        while True:
            query, client = server.recvfrom(4096)
            try:
                name = question(query)[0]
                found = json.loads(names.read_text()).get(name)
                if not found and kubeconfig:
                    found = service(name, kubeconfig)
                server.sendto(answer(query, found), client)
            except (IndexError, ValueError, struct.error, OSError) as error:
                print(f"{query.hex()}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
