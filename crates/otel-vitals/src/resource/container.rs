//! `container.id`, and whether there is a container at all.
//!
//! A container sees its own id in the path of its control group, or, where control group namespaces hide that, in the
//! host path of a file that the runtime mounts into it. Only what runtimes write is taken: 64 hexadecimal digits in a
//! place that they are known to use. A wrong id is worse than none.

use std::path::Path;

use super::{kubernetes, text};

/// The id of the container around this process.
pub(super) fn id() -> Option<String> {
    let in_cgroup = text("/proc/self/cgroup").and_then(|text| in_cgroup(&text).map(str::to_owned));
    in_cgroup.or_else(|| in_mounts(&text("/proc/self/mountinfo")?).map(str::to_owned))
}

/// Whether this process runs in a container. Under version 2 of control groups many do not show their id, so this asks
/// for less.
pub(super) fn is_around() -> bool {
    let in_cluster = std::env::var_os(kubernetes::IN_CLUSTER).is_some_and(|host| !host.is_empty());
    // What Docker and Podman leave in every container.
    let marked = ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
    in_cluster || marked || mounted_by_a_runtime(&text("/proc/self/mountinfo").unwrap_or_default())
}

/// Whether `/proc/self/mountinfo` shows what the kubelet mounts into a pod, or a root put together of layers.
fn mounted_by_a_runtime(text: &str) -> bool {
    let of_a_pod = |line| {
        let inside = |path: &str| path.contains("/kubelet/pods/");
        // On the machine of a kubelet the target is below its folder too.
        root_and_target(line).is_some_and(|(root, target)| inside(root) && !inside(target))
    };
    // Of mounts in one place the last hides the others.
    let root = text.lines().rfind(|line| root_and_target(line).is_some_and(|(_, target)| target == "/"));
    let layered = root.and_then(|line| line.split_once(" - ")).is_some_and(|(_, kind)| {
        matches!(kind.split(' ').next(), Some("overlay" | "fuse.fuse-overlayfs" | "aufs"))
    });
    layered || text.lines().any(of_a_pod)
}

/// The id in `/proc/self/cgroup`, version 1 or 2: a part of a path, the innermost first, bare or as a scope.
///
/// | runtime | part |
/// | --- | --- |
/// | Docker, Kubernetes with cgroupfs | `<id>` |
/// | Docker with systemd | `docker-<id>.scope` |
/// | containerd | `cri-containerd-<id>.scope`, `…:cri-containerd:<id>`, `nerdctl-<id>.scope` |
/// | CRI-O | `crio-<id>.scope`, `crio-<id>` |
/// | Podman | `libpod-<id>.scope`, with `container` below it; `libpod-conmon-<id>` is the monitor's |
fn in_cgroup(text: &str) -> Option<&str> {
    let mut paths = text.lines().filter_map(|line| line.splitn(3, ':').nth(2));
    paths.find_map(|path| path.rsplit('/').find_map(cgroup_part))
}

fn cgroup_part(part: &str) -> Option<&str> {
    const PREFIXES: [&str; 5] = ["docker-", "cri-containerd-", "nerdctl-", "crio-", "libpod-"];
    let part = part.strip_suffix(".scope").unwrap_or(part);
    let part = PREFIXES.iter().find_map(|prefix| part.strip_prefix(prefix)).unwrap_or(part);
    let part = part.rsplit_once(":cri-containerd:").map_or(part, |(_, id)| id);
    is_id(part).then_some(part)
}

/// The id in `/proc/self/mountinfo`: part of the host path behind `/etc/hostname`.
///
/// In a pod that file belongs to the sandbox, whose id it shows, so there it says nothing.
fn in_mounts(text: &str) -> Option<&str> {
    let mounts = || text.lines().filter_map(root_and_target);
    if mounts().any(|(root, _)| root.contains("/kubelet/pods/")) {
        return None;
    }
    mounts().filter(|(_, target)| *target == "/etc/hostname").find_map(|(root, _)| behind_hostname(root))
}

/// The fields of a line that tell what is mounted where.
fn root_and_target(line: &str) -> Option<(&str, &str)> {
    let mut fields = line.split(' ').skip(3);
    Some((fields.next()?, fields.next()?))
}

/// `<id>` of Docker's `…/containers/<id>/hostname` or Podman's `…/overlay-containers/<id>/userdata/hostname`.
fn behind_hostname(root: &str) -> Option<&str> {
    const AROUND: [(&str, &str); 2] = [("/containers/", "/hostname"), ("-containers/", "/userdata/hostname")];
    AROUND.iter().find_map(|(before, after)| {
        let (_, id) = root.strip_suffix(after)?.rsplit_once(before)?;
        is_id(id).then_some(id)
    })
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ID: &str = "dc64b5743252dbaef6e30521c34d6bbd1620c8ce65bdb7bf9e7143b61bb5b183";

    fn cgroup(line: &str) -> Option<String> {
        let text = format!("12:pids:/user.slice\n{}\n", line.replace("ID", ID));
        in_cgroup(&text).map(str::to_owned)
    }

    fn mounts(lines: &[&str]) -> Option<String> {
        in_mounts(&lines.join("\n").replace("ID", ID)).map(str::to_owned)
    }

    #[test]
    fn control_groups_of_every_runtime_are_known() {
        for line in [
            "4:memory:/docker/ID",
            "0::/system.slice/docker-ID.scope",
            "11:cpu:/kubepods/burstable/pod2c48913c-b29f-11e7-9350-020968147796/ID",
            "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2c.slice/cri-containerd-ID.scope",
            "0::/system.slice/containerd.service/kubepods-besteffort-pod6.slice:cri-containerd:ID",
            "0::/kubepods.slice/kubepods-besteffort.slice/crio-ID.scope",
            "0::/machine.slice/libpod-ID.scope/container",
            "0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-ID.scope",
        ] {
            assert_eq!(cgroup(line).as_deref(), Some(ID), "{line}");
        }
    }

    #[test]
    fn other_control_groups_are_no_containers() {
        for line in [
            "0::/",
            "0::/user.slice/user-1000.slice/session-2.scope",
            "4:memory:/jobs/2714f3d808d5717f660a4edd664ba7d6",
            "0::/docker/IDff",
            "0::/build-ID.service",
            "0::/machine.slice/libpod-conmon-ID.scope",
            "0:/no third field",
            "",
        ] {
            assert_eq!(cgroup(line), None, "{line}");
        }
        assert_eq!(cgroup(&format!("4:memory:/docker/{}", ID.to_uppercase())), None);
    }

    #[test]
    fn mounts_tell_where_control_groups_do_not() {
        let root = "600 500 0:50 / / rw - overlay overlay rw";
        let docker =
            "610 600 254:1 /var/lib/docker/containers/ID/hostname /etc/hostname rw - ext4 /dev/vda rw";
        let podman =
            "611 600 0:25 /containers/overlay-containers/ID/userdata/hostname /etc/hostname rw - tmpfs t rw";
        let rootless =
            "612 600 0:25 /home/u/.local/share/docker/containers/ID/hostname /etc/hostname rw - ext4 d rw";
        let own_disk = "613 600 254:9 /containers/ID/hostname /etc/hostname rw - ext4 /dev/vdb rw";
        for line in [docker, podman, rootless, own_disk] {
            assert_eq!(mounts(&[root, line]).as_deref(), Some(ID), "{line}");
        }
    }

    #[test]
    fn a_sandbox_is_not_the_container() {
        let sandbox = "610 600 254:1 /var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/ID/hostname /etc/hostname rw - ext4 d rw";
        let shared = "610 600 254:1 /var/lib/docker/containers/ID/hostname /etc/hostname rw - ext4 d rw";
        let pod = "611 600 254:1 /var/lib/kubelet/pods/f2c1/etc-hosts /etc/hosts rw - ext4 d rw";
        assert_eq!(mounts(&[sandbox]), None);
        assert_eq!(mounts(&[shared, pod]), None);
    }

    #[test]
    fn other_mounts_say_nothing() {
        let data = "610 600 254:1 /var/lib/docker/containers/ID/hostname /data rw - ext4 d rw";
        let layer = "611 600 0:50 / / rw - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/ID/diff";
        assert_eq!(mounts(&[data, layer, "short", ""]), None);
    }

    #[test]
    fn a_container_without_an_id_is_one() {
        let disk = "29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw";
        let layers = "600 500 0:50 / / rw,relatime master:3 - overlay overlay rw,lowerdir=/a";
        let hosts = "611 600 254:1 /var/lib/kubelet/pods/f2c1/etc-hosts /etc/hosts rw - ext4 /dev/vda rw";
        for mounts in [vec![layers], vec![disk, hosts], vec![disk, layers]] {
            assert!(mounted_by_a_runtime(&mounts.join("\n")), "{mounts:?}");
        }
    }

    #[test]
    fn a_machine_that_runs_containers_is_none() {
        let disk = "29 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda rw";
        let hidden = "1 1 0:2 / / rw - overlay overlay rw";
        let docker = "90 29 0:60 / /var/lib/docker/overlay2/ab/merged rw - overlay overlay rw";
        let token = "91 29 0:61 / /var/lib/kubelet/pods/f2c1/volumes/token rw - tmpfs tmpfs rw";
        let part = "92 29 254:1 /var/lib/kubelet/pods/f2c1/volumes/a /var/lib/kubelet/pods/f2c1/volume-subpaths/a rw - ext4 d rw";
        for mounts in [vec![disk], vec![hidden, disk, docker, token, part], vec!["short", ""]] {
            assert!(!mounted_by_a_runtime(&mounts.join("\n")), "{mounts:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[0-9a-f:/. \n-]{0,120}") {
            let _ = (in_cgroup(&text), in_mounts(&text), mounted_by_a_runtime(&text));
        }
    }
}
