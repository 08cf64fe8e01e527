//! File systems that the container mounts itself, within its namespaces.

use std::path::PathBuf;

use spec::InstanceSpec;

use super::{FileSystem, Host};

/// Of the host's `/sys` and `/proc`: systemd mounts these if they are missing, and may not.
const HOST_PARTS: [&str; 7] = [
    "/sys/fs/fuse/connections",
    "/sys/fs/pstore",
    "/sys/kernel/config",
    "/sys/kernel/debug",
    "/sys/kernel/security",
    "/sys/kernel/tracing",
    "/proc/sys/fs/binfmt_misc",
];

/// A privileged container's root is the host's, so that file modes protect nothing here.
const PRIVILEGED_READONLY: [&str; 3] = ["/proc/sys/kernel", "/proc/sys/vm", "/proc/sysrq-trigger"];

pub(super) struct FileSystems {
    pub(super) own: Vec<FileSystem>,
    pub(super) host_parts: Vec<PathBuf>,
    pub(super) readonly: Vec<PathBuf>,
}

pub(super) fn plan(spec: &InstanceSpec, host: &Host) -> FileSystems {
    // First /proc and /sys: the kernel allows them only while the host's own are in full sight.
    let mut own = vec![kernel("proc", "/proc"), kernel("sysfs", "/sys")];
    if spec.nesting {
        // Where the first ones are covered in places (lxcfs, the parts below), the kernel refuses
        // new ones to containers inside, unless it finds others that are not.
        own.extend([kernel("proc", "/dev/.lxc/proc"), kernel("sysfs", "/dev/.lxc/sys")]);
    }
    if host.cgroup2 {
        own.push(kernel("cgroup2", "/sys/fs/cgroup"));
    }
    own.push(FileSystem { optional: true, ..kernel("mqueue", "/dev/mqueue") });
    own.push(FileSystem {
        noexec: false,
        options: vec![("mode", "1777")],
        ..kernel("tmpfs", "/dev/shm")
    });
    own.push(FileSystem {
        options: vec![("ptmxmode", "0666"), ("mode", "0620"), ("gid", "5"), ("max", "1024")],
        ..kernel("devpts", "/dev/pts")
    });
    let readonly: &[&str] = if spec.privileged() { &PRIVILEGED_READONLY } else { &[] };
    FileSystems {
        own,
        host_parts: HOST_PARTS.map(PathBuf::from).to_vec(),
        readonly: readonly.iter().map(PathBuf::from).collect(),
    }
}

fn kernel(kind: &'static str, target: &str) -> FileSystem {
    FileSystem { kind, target: target.into(), noexec: true, options: Vec::new(), optional: false }
}
