"""The cluster's certificates, and the kubeconfigs made of them."""

import json
import subprocess
from pathlib import Path

from settings import API, DOMAIN, NODE, NODE_NAME

MASTERS = "/O=system:masters/CN="
SERVICE = "kubernetes.default.svc"
API_NAMES = (
    f"IP:127.0.0.1,IP:{NODE},IP:{API},DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,"
    f"DNS:{SERVICE},DNS:{SERVICE}.{DOMAIN}"
)
# Name of the files: subject, names of a server.
CERTIFICATES = {
    "apiserver": ("/CN=kube-apiserver", API_NAMES),
    "kubelet-client": (f"{MASTERS}kube-apiserver-kubelet-client", ""),
    "kubelet": (f"/O=system:nodes/CN=system:node:{NODE_NAME}", f"DNS:{NODE_NAME},IP:{NODE}"),
    "admin": (f"{MASTERS}admin", ""),
    "controller-manager": ("/CN=system:kube-controller-manager", ""),
    "scheduler": ("/CN=system:kube-scheduler", ""),
    "proxy": ("/CN=system:kube-proxy", ""),
    # Signs the tokens of service accounts; the certificate is but where the public key is.
    "accounts": ("/CN=service-accounts", ""),
}
# Who talks to the API server.
CLIENTS = ("admin", "controller-manager", "kubelet", "proxy", "scheduler")


def make(folder: Path) -> None:
    """Makes all keys, certificates and kubeconfigs."""
    folder.mkdir(mode=0o700)
    authority = ["-subj", "/CN=kubernetes", "-addext", "keyUsage=critical,keyCertSign"]
    finish(request(folder, "ca", authority))
    # All at once: each takes a process, and processes take time.
    running = [
        request(folder, name, signed(folder, subject, names))
        for name, (subject, names) in CERTIFICATES.items()
    ]
    for process in running:
        finish(process)
    for client in CLIENTS:
        (folder / f"{client}.kubeconfig").write_text(json.dumps(kubeconfig(folder, client)))


def signed(folder: Path, subject: str, names: str) -> list[str]:
    """What makes a certificate one of the cluster's authority."""
    usage = "extendedKeyUsage=clientAuth" + (",serverAuth" if names else "")
    more = ["-addext", f"subjectAltName={names}"] if names else []
    return [
        "-CA", str(folder / "ca.crt"), "-CAkey", str(folder / "ca.key"), "-subj", subject,
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", usage, *more,
    ]  # fmt: skip


def request(folder: Path, name: str, more: list[str]) -> subprocess.Popen:
    """Starts to make a key and its certificate."""
    command = [
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "365", "-keyout", str(folder / f"{name}.key"),
        "-out", str(folder / f"{name}.crt"), *more,
    ]  # fmt: skip
    return subprocess.Popen(
        command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )


def finish(process: subprocess.Popen) -> None:
    """Waits for an openssl."""
    told = process.communicate()[1]
    if process.returncode:
        raise RuntimeError(f"openssl: {told.strip()}")


def kubeconfig(folder: Path, user: str) -> dict:
    """How a client reaches the API server; JSON is YAML too."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": {
            "server": f"https://{NODE}:6443",
            "certificate-authority": str(folder / "ca.crt"),
        }}],
        "users": [{"name": user, "user": {
            "client-certificate": str(folder / f"{user}.crt"),
            "client-key": str(folder / f"{user}.key"),
        }}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
        "current-context": "test",
    }  # fmt: skip
