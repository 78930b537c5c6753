"""Volumes as an administrator makes them by hand; the cluster's own controller binds claims to them."""

from pathlib import Path

CLASS = "standard"


def storage_class() -> dict:
    """The default class, of claims that name none."""
    return {
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {
            "name": CLASS, "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "Immediate",
    }  # fmt: skip


def volume(folder: Path, number: int, size: str) -> dict:
    """A volume that is a folder of this machine, which any user can write to."""
    path = folder / f"volumes/{number}"
    path.mkdir(parents=True)
    path.chmod(0o777)
    return {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"volume-{number}"},
        "spec": {
            "capacity": {"storage": size}, "accessModes": ["ReadWriteOnce", "ReadWriteMany"],
            "hostPath": {"path": str(path)}, "storageClassName": CLASS,
            "persistentVolumeReclaimPolicy": "Retain",
        },
    }  # fmt: skip
