"""How the programs of a cluster are called, and what their files say.

All of them see a /run, a /var/lib and a /var/log of the cluster's own, so paths below these are the
usual ones and yet collide with nothing.
"""

import json
from pathlib import Path

import image
import kwok as fake
from machine import CNI

NODE = "10.200.0.1"
NODE_NAME = "node"
SERVICES = "10.96.0.0/16"
API = "10.96.0.1"
PODS = "10.201.0.0/24"
DOMAIN = "cluster.local"
ETCD = "http://127.0.0.1:2379"
SOCKET = "/run/containerd/containerd.sock"
# The kubelet wants the kernel so, for the whole machine; it is shown files that say that it is.
KERNEL = {
    "kernel/panic": 10, "kernel/panic_on_oops": 1, "vm/overcommit_memory": 1, "vm/panic_on_oom": 0,
}  # fmt: skip
# A test makes many objects at once; the usual limits would make it wait for the clients here.
QUICK = ("--kube-api-qps=500", "--kube-api-burst=1000")


def control_plane(keys: Path) -> dict[str, list[str]]:
    """Programs and arguments, in order of start."""
    return {
        "etcd": etcd(),
        "kube-apiserver": api_server(keys),
        "kube-controller-manager": controller_manager(keys),
        "kube-scheduler": scheduler(keys),
    }


def etcd() -> list[str]:
    """Its data lives as long as the cluster, so nothing is worth a wait for the disk."""
    peers = "http://127.0.0.1:2380"
    return [
        "--name=test", "--data-dir=/var/lib/etcd", "--unsafe-no-fsync", "--log-level=warn",
        f"--listen-client-urls={ETCD}", f"--advertise-client-urls={ETCD}",
        f"--listen-peer-urls={peers}", f"--initial-advertise-peer-urls={peers}",
        f"--initial-cluster=test={peers}",
    ]  # fmt: skip


def api_server(keys: Path) -> list[str]:
    """Listens on all addresses of the namespace: pods come in by the node's."""
    return [
        f"--etcd-servers={ETCD}", "--bind-address=0.0.0.0", f"--advertise-address={NODE}",
        f"--service-cluster-ip-range={SERVICES}", f"--client-ca-file={keys}/ca.crt",
        f"--tls-cert-file={keys}/apiserver.crt", f"--tls-private-key-file={keys}/apiserver.key",
        f"--kubelet-certificate-authority={keys}/ca.crt",
        f"--kubelet-client-certificate={keys}/kubelet-client.crt",
        f"--kubelet-client-key={keys}/kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP",
        f"--service-account-issuer=https://kubernetes.default.svc.{DOMAIN}",
        f"--service-account-key-file={keys}/accounts.crt",
        f"--service-account-signing-key-file={keys}/accounts.key",
        "--authorization-mode=Node,RBAC", "--allow-privileged=true", "--profiling=false",
    ]  # fmt: skip


def controller_manager(keys: Path) -> list[str]:
    """Alone, so there is no leader to elect."""
    return [
        *client(keys, "controller-manager"), *QUICK, "--leader-elect=false",
        f"--root-ca-file={keys}/ca.crt", "--use-service-account-credentials",
        f"--service-account-private-key-file={keys}/accounts.key",
        f"--cluster-signing-cert-file={keys}/ca.crt",
        f"--cluster-signing-key-file={keys}/ca.key",
        "--cert-dir=/run/kube-controller-manager", "--profiling=false",
    ]  # fmt: skip


def scheduler(keys: Path) -> list[str]:
    """Alone as well."""
    return [
        *client(keys, "scheduler"), *QUICK, "--leader-elect=false",
        "--cert-dir=/run/kube-scheduler", "--profiling=false",
    ]  # fmt: skip


def kwok(keys: Path, config: str) -> list[str]:
    """It serves as the kubelet of its nodes as well, by that one's certificate."""
    return [
        f"--kubeconfig={keys}/admin.kubeconfig", f"--config={config}",
        f"--manage-nodes-with-annotation-selector={fake.DOMAIN}/node=fake",
        "--node-lease-duration-seconds=40", f"--node-ip={NODE}", f"--node-port={fake.PORT}",
        f"--server-address=0.0.0.0:{fake.PORT}", f"--cidr={fake.PODS}",
        f"--tls-cert-file={keys}/kubelet.crt", f"--tls-private-key-file={keys}/kubelet.key",
    ]  # fmt: skip


def client(keys: Path, user: str) -> list[str]:
    """One kubeconfig for all three purposes."""
    names = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")
    return [f"--{name}={keys}/{user}.kubeconfig" for name in names]


def containerd() -> str:
    """Its configuration. AppArmor and the OOM scores of others need rights that it may not have."""
    return f"""
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [{", ".join(f'"io.containerd.snapshotter.v1.{name}"' for name in
                               ("aufs", "blockfile", "btrfs", "devmapper", "zfs"))}]
[grpc]
  address = "{SOCKET}"
[plugins."io.containerd.internal.v1.opt"]
  path = "/var/lib/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{image.PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{CNI}"
    conf_dir = "/run/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
"""


def pod_network() -> str:
    """A cable from each pod to the node, rather than a bridge between pods.

    On a bridge, the answer of a pod to another one would go past the node, which could not turn the
    pod's address back into that of the Service.
    """
    addresses = {
        "type": "host-local", "dataDir": "/run/cni", "ranges": [[{"subnet": PODS}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }  # fmt: skip
    plugin = {"type": "ptp", "ipMasq": False, "ipam": addresses}
    return json.dumps({"cniVersion": "0.4.0", "name": "pods", "plugins": [plugin]})


def kubelet(keys: Path, group: str) -> str:
    """Its configuration."""
    return json.dumps({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": NODE,
        "tlsCertFile": f"{keys}/kubelet.crt",
        "tlsPrivateKeyFile": f"{keys}/kubelet.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": f"{keys}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDNS": [NODE],
        "clusterDomain": DOMAIN,
        # The machine's own DNS and its search list are nothing to a pod here.
        "resolvConf": "",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{group}",
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "volumePluginDir": "/var/lib/kubelet/plugins-exec",
        "evictionHard": {
            "memory.available": "100Mi", "nodefs.available": "1%", "imagefs.available": "1%",
        },
        # Images come from files, so one that is removed would not come again.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
        "syncFrequency": "5s",
    })  # fmt: skip


def kube_proxy(keys: Path) -> str:
    """Its configuration; the limits of connections belong to the machine, so 0 leaves them."""
    return json.dumps({
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{keys}/proxy.kubeconfig"},
        "mode": "nftables",
        "clusterCIDR": PODS,
        "hostnameOverride": NODE_NAME,
        "nftables": {"minSyncPeriod": "100ms"},
        "conntrack": {
            "maxPerCore": 0, "tcpEstablishedTimeout": "0s", "tcpCloseWaitTimeout": "0s",
        },
    })  # fmt: skip
