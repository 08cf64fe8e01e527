//! A specification, resolved into what has to be done: mounts, nodes, maps, namespaces. Pure: data
//! in, data out; `container` acts on it, golden tests look at it.

mod check;
mod devices;
mod file_systems;

use std::path::PathBuf;

use serde::Serialize;
use spec::{DeviceNode, InstanceSpec, Mount, Root};

use crate::{
    error::{Error, Result},
    idmap::{Kind, Maps, Range, RawEntry, merge},
};
pub(crate) use check::{check, check_device, check_mount};
pub(crate) use devices::{OPTIONAL as OPTIONAL_DEVICES, on_host};

/// What of the host a plan depends on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Host {
    /// Which of [`devices::OPTIONAL`] the host has.
    pub(crate) devices: Vec<PathBuf>,
    /// Is there control group version 2?
    pub(crate) cgroup2: bool,
}

/// What has to be done.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Plan {
    /// `uid_map` and `gid_map`; `None`: no user namespace.
    pub(crate) id_maps: Option<[String; 2]>,
    /// Host's id of the container's root.
    pub(crate) root_id: u32,
    pub(crate) root: RootPlan,
    /// Whether device nodes in the root open devices: a filter says which.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) root_opens_nodes: bool,
    /// Folders below `/dev`.
    pub(crate) dev_folders: Vec<PathBuf>,
    /// Nodes below `/dev`, owners as the host counts.
    pub(crate) nodes: Vec<DeviceNode>,
    /// Links below `/dev`, and where they point.
    pub(crate) links: Vec<(PathBuf, PathBuf)>,
    /// Disks bound before the container's user namespace exists, so that the kernel locks them.
    pub(crate) disks: Vec<Mount>,
    /// Disks below `/proc` and `/sys`, which only exist later.
    pub(crate) late_disks: Vec<Mount>,
    /// Mounted by init, in this order.
    pub(crate) file_systems: Vec<FileSystem>,
    /// Parts of the host's `/sys` and `/proc`, bound to the same place if the host has them:
    /// without them systemd's own mounts fail.
    pub(crate) host_parts: Vec<PathBuf>,
    /// Made read-only by init.
    pub(crate) readonly: Vec<PathBuf>,
    pub(crate) hostname: String,
    pub(crate) sysctls: Vec<(PathBuf, String)>,
}

/// The root file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) enum RootPlan {
    Dir {
        path: PathBuf,
    },
    /// The upper layer and its work folder have to be on one mount: their common folder.
    Overlay {
        lower: Vec<PathBuf>,
        common: PathBuf,
        upper: PathBuf,
        work: PathBuf,
    },
}

/// A file system of the container's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileSystem {
    pub(crate) kind: &'static str,
    pub(crate) target: PathBuf,
    pub(crate) noexec: bool,
    pub(crate) options: Vec<(&'static str, &'static str)>,
    /// Not every kernel has it.
    pub(crate) optional: bool,
}

impl Plan {
    pub(crate) fn new(spec: &InstanceSpec, host: &Host) -> Result<Plan> {
        check(spec)?;
        let (late_disks, disks) = spec.mounts.iter().cloned().partition(below_kernel_mounts);
        let dev = devices::plan(spec, host);
        let files = file_systems::plan(spec, host);
        Ok(Plan {
            id_maps: id_maps(spec)?,
            root_id: spec.root_id(),
            root: root(&spec.root)?,
            root_opens_nodes: spec.filters_devices(),
            dev_folders: dev.folders,
            nodes: dev.nodes,
            links: dev.links,
            disks,
            late_disks,
            file_systems: files.own,
            host_parts: files.host_parts,
            readonly: files.readonly,
            hostname: spec.hostname.clone(),
            sysctls: sysctls(spec),
        })
    }
}

fn below_kernel_mounts(mount: &Mount) -> bool {
    ["/proc", "/sys", "/dev/pts", "/dev/mqueue"].iter().any(|top| mount.target.starts_with(top))
}

fn id_maps(spec: &InstanceSpec) -> Result<Option<[String; 2]>> {
    let Some(map) = spec.idmap else { return Ok(None) };
    let entries = spec.raw_idmap.iter().filter_map(|it| {
        let kind = match (it.users, it.groups) {
            (true, true) => Kind::Both,
            (true, false) => Kind::Uid,
            (false, true) => Kind::Gid,
            (false, false) => return None,
        };
        Some(RawEntry { kind, host: Range { first: it.host, count: it.count }, inside: it.inside })
    });
    let maps = merge(map, &entries.collect::<Vec<_>>());
    let maps = maps.map_err(|error| Error::Invalid { field: format!("idmap: {error}").into() })?;
    Ok(Some([Maps::text(&maps.uids), Maps::text(&maps.gids)]))
}

fn root(root: &Root) -> Result<RootPlan> {
    match root {
        Root::Dir { path } => Ok(RootPlan::Dir { path: path.clone() }),
        Root::Overlay { lower, upper, work } => {
            let common = upper.ancestors().find(|folder| work.starts_with(folder));
            let common = common.unwrap_or_else(|| std::path::Path::new("/"));
            let below = |path: &PathBuf| path.strip_prefix(common).unwrap_or(path).to_owned();
            Ok(RootPlan::Overlay {
                lower: lower.clone(),
                common: common.to_owned(),
                upper: below(upper),
                work: below(work),
            })
        }
    }
}

/// `net.ipv4.ip_forward` is the file `net/ipv4/ip_forward`; a slash in a name stands for a dot.
fn sysctls(spec: &InstanceSpec) -> Vec<(PathBuf, String)> {
    let path = |name: &str| {
        name.chars()
            .map(|letter| match letter {
                '.' => '/',
                '/' => '.',
                other => other,
            })
            .collect::<String>()
    };
    spec.sysctls.iter().map(|(name, value)| (path(name).into(), value.clone())).collect()
}

#[cfg(test)]
mod tests;
