//! Does a folder outlive the pod? Decided from the list of mounts, purely.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use procfs_core::FromBufRead;
use procfs_core::process::MountInfos;

/// Where Linux lists the mounts of a process.
const MOUNTS: &str = "/proc/self/mountinfo";

/// Why a folder goes with the pod, if it does.
pub(super) fn goes_with_the_pod(folder: &Path) -> Option<&'static str> {
    let folder = folder.canonicalize().ok()?;
    why_it_goes(&folder, &mounts()?)
}

fn mounts() -> Option<MountInfos> {
    MountInfos::from_buf_read(BufReader::new(File::open(MOUNTS).ok()?)).ok()
}

fn why_it_goes(folder: &Path, mounts: &MountInfos) -> Option<&'static str> {
    // The last of equals lies on top.
    let mount = mounts
        .0
        .iter()
        .filter(|mount| folder.starts_with(&mount.mount_point))
        .max_by_key(|mount| mount.mount_point.components().count())?;
    match mount.fs_type.as_str() {
        "tmpfs" | "ramfs" => Some("it is kept in memory"),
        "overlay" => Some("it is part of the container"),
        _ if mount.root.contains("/kubernetes.io~empty-dir/") => Some("it is an emptyDir"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in a pod with each kind of volume.
    const IN_A_POD: &str = "\
700 600 0:90 / / ro,relatime master:1 - overlay overlay rw,lowerdir=/a,upperdir=/b,workdir=/c
701 700 8:1 /var/lib/kubelet/pods/0b/volumes/kubernetes.io~empty-dir/results /results rw - ext4 /dev/sda1 rw
702 700 8:1 /srv/spool /spool rw,relatime - ext4 /dev/sda1 rw
703 700 0:95 / /memory rw,relatime - tmpfs tmpfs rw
704 702 0:99 / /spool/claim rw,relatime - nfs4 10.0.0.1:/export rw
705 700 8:1 /var/lib/kubelet/pods/0b/volumes/kubernetes.io~empty-dir/r/of-a-pod /sub rw - ext4 /dev/sda1 rw
";

    #[test]
    fn what_goes_with_the_pod_is_told_from_what_stays() {
        let mounts = MountInfos::from_buf_read(IN_A_POD.as_bytes()).unwrap();
        for (folder, goes) in [
            ("/results", true),
            ("/results/deeper", true),
            ("/resultsbeside", true),
            ("/sub", true),
            ("/memory/x", true),
            ("/tmp", true),
            ("/spool", false),
            ("/spool/claim/x", false),
        ] {
            let why = why_it_goes(Path::new(folder), &mounts);
            assert_eq!(why.is_some(), goes, "{folder}: {why:?}");
        }
    }
}
