//! Refusing specifications that cannot be carried out, before anything is touched.

use std::path::{Component, Path};

use spec::{DeviceNode, InstanceSpec, Mount, Root};

use crate::error::{Error, Result};

/// Checks what the types allow and the kernel would not, or what would be dangerous.
pub(crate) fn check(spec: &InstanceSpec) -> Result<()> {
    let name = |text: &str| {
        !text.is_empty()
            && text.len() <= 200
            && !text.starts_with('.')
            && text.chars().all(|it| it.is_ascii_alphanumeric() || "_.-".contains(it))
    };
    ensure(name(&spec.id), "id: letters, digits, '_', '.' and '-'")?;
    ensure(plain(Path::new(&spec.cgroup), false), "cgroup: a relative path without dots")?;
    ensure(!spec.hostname.is_empty() && spec.hostname.len() <= 64, "hostname: 1 to 64 bytes")?;
    ensure(!spec.process.argv.is_empty(), "process: no program")?;
    ensure(spec.run_dir.is_absolute() && spec.log_dir.is_absolute(), "folders: not absolute")?;
    if let Some(map) = spec.idmap {
        ensure(map.base > 0 && map.size > 0, "idmap: maps the host's root, or nothing")?;
        ensure(map.base.checked_add(map.size).is_some(), "idmap: beyond 32 bits")?;
    }
    let root = (Some(spec.root_id()), Some(spec.root_id()));
    ensure((spec.host_uid(0), spec.host_gid(0)) == root, "raw_idmap: maps root")?;
    let process = [spec.host_uid(spec.process.uid), spec.host_gid(spec.process.gid)];
    ensure(!process.contains(&None), "process: a user or group that is not mapped")?;
    for mount in &spec.mounts {
        check_mount(mount)?;
    }
    for device in &spec.devices {
        check_device(device)?;
    }
    for (name, _) in &spec.sysctls {
        let odd = ["..", "//", "./", "/."].iter().any(|it| name.contains(it));
        ensure(!odd && !name.starts_with(['/', '.']), "sysctls: not a name such as net.ipv4.x")?;
    }
    let late = spec.mounts.iter().filter(|mount| super::below_kernel_mounts(mount)).count();
    ensure(late <= 8, "mounts: more than 8 below /proc and /sys")?;
    crate::confine::filter(spec)?;
    match &spec.root {
        Root::Dir { path } => ensure(path.is_absolute(), "root: not absolute"),
        Root::Overlay { lower, upper, work } => {
            ensure(!lower.is_empty(), "root: an overlay without lower layers")?;
            let nested = upper.starts_with(work) || work.starts_with(upper);
            ensure(!nested, "root: upper and work folder within another")
        }
    }
}

/// A disk's target is a plain path.
pub(crate) fn check_mount(mount: &Mount) -> Result<()> {
    ensure(plain(&mount.target, true), "mounts: a target that is not absolute, or the root")
}

/// A device's path is below `/dev`.
pub(crate) fn check_device(device: &DeviceNode) -> Result<()> {
    let below = device.path.starts_with("/dev/") && plain(&device.path, true);
    ensure(below, "devices: a path that is not below /dev")
}

/// No `.` and `..`, and not empty.
fn plain(path: &Path, absolute: bool) -> bool {
    let mut normal = 0;
    path.is_absolute() == absolute
        && path.components().all(|part| match part {
            Component::Normal(_) => {
                normal += 1;
                true
            }
            Component::RootDir => absolute,
            _ => false,
        })
        && normal > 0
}

fn ensure(fine: bool, field: &'static str) -> Result<()> {
    if fine { Ok(()) } else { Err(Error::Invalid { field: field.into() }) }
}
