//! What stands in `/dev`.
//!
//! It is a tmpfs that the monitor makes before the container's user namespace exists. So it may
//! hold real device nodes (nothing has to be bound from the host, and nodes can be added later), and
//! the container cannot unmount it.

use std::path::{Path, PathBuf};

use spec::{DeviceNode, InstanceSpec};

use super::Host;

/// Devices that every container has: path below `/dev`, major, minor (the kernel's
/// `devices.txt`).
const STANDARD: [(&str, u32, u32); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// Devices it has if the host has them.
pub(crate) const OPTIONAL: [(&str, u32, u32); 2] = [("fuse", 10, 229), ("net/tun", 10, 200)];

const LINKS: [(&str, &str); 6] = [
    ("ptmx", "pts/ptmx"),
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("core", "/proc/kcore"),
];

pub(super) struct Dev {
    pub(super) folders: Vec<PathBuf>,
    pub(super) nodes: Vec<DeviceNode>,
    pub(super) links: Vec<(PathBuf, PathBuf)>,
}

pub(super) fn plan(spec: &InstanceSpec, host: &Host) -> Dev {
    let optional =
        OPTIONAL.iter().filter(|it| host.devices.iter().any(|have| have == Path::new(it.0)));
    let mut nodes: Vec<_> = STANDARD.iter().chain(optional).map(|it| standard(spec, it)).collect();
    for device in &spec.devices {
        let node = on_host(spec, device);
        nodes.retain(|other| other.path != node.path);
        nodes.push(node);
    }
    let mut folders = vec!["pts".into(), "shm".into(), "mqueue".into()];
    if spec.nesting {
        folders.extend([".lxc".into(), ".lxc/proc".into(), ".lxc/sys".into()]);
    }
    for node in &nodes {
        let parents = node.path.ancestors().skip(1).filter(|it| !it.as_os_str().is_empty());
        let mut parents: Vec<_> = parents.map(Path::to_owned).collect();
        parents.reverse();
        parents.retain(|folder| !folders.contains(folder));
        folders.extend(parents);
    }
    let links = LINKS.iter().map(|(from, to)| (from.into(), to.into())).collect();
    Dev { folders, nodes, links }
}

fn standard(spec: &InstanceSpec, (path, major, minor): &(&str, u32, u32)) -> DeviceNode {
    let node = DeviceNode { mode: 0o666, ..DeviceNode::character(path, *major, *minor) };
    on_host(spec, &node)
}

/// The node with a path below `/dev` and owners as the host counts.
pub(crate) fn on_host(spec: &InstanceSpec, device: &DeviceNode) -> DeviceNode {
    let path = device.path.strip_prefix("/dev").unwrap_or(&device.path);
    let path = path.strip_prefix("/").unwrap_or(path).to_owned();
    let uid = spec.host_uid(device.uid).unwrap_or(spec.root_id());
    let gid = spec.host_gid(device.gid).unwrap_or(spec.root_id());
    DeviceNode { path, uid, gid, ..device.clone() }
}
