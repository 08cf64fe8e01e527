//! From a plan to an init that waits to be released.
//!
//! The monitor makes everything that must be locked in a mount namespace of its own, owned by the
//! host. A child in between makes the user namespace; init is forked from it, as the monitor's
//! child, with all other namespaces owned by the container: its mount namespace is a copy of the
//! monitor's, and the kernel locks what was copied. Then the monitor returns to the host's mount
//! namespace, so that it holds no volume of others busy.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    mount::{MountPropagationFlags, mount_change},
    process::{
        Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, chdir, pidfd_open,
        set_parent_process_death_signal, waitid,
    },
    thread::{LinkNameSpaceType, move_into_link_name_space},
};
use spec::InstanceSpec;
use sys::Fork;

use super::{
    dev,
    disks::{self, Detached},
    gate::{self, Go, Link},
    identity::{become_root, image, set_rlimits},
    init, mounts, path, root,
};
use crate::{
    cgroup::Group,
    confine::Confinement,
    error::{At, Error, Result},
    plan::Plan,
    protocol::packet,
};

/// An init that waits.
pub(crate) struct Spawned {
    pub(crate) pid: i32,
    pub(crate) pidfd: OwnedFd,
    /// Talks with init until it has executed its program.
    pub(crate) gate: OwnedFd,
    /// The root of its `/dev`.
    pub(crate) dev: OwnedFd,
    /// Its root: as long as this is open, nobody who leaves the mount waits for its end.
    pub(crate) root: OwnedFd,
    /// The host's mount namespace.
    home: File,
}

impl Spawned {
    /// Returns to the host's mount namespace. That takes the kernel a while, so do it while others
    /// work; but do it, or what was mounted on the host stays busy.
    pub(crate) fn go_home(&self) -> Result<()> {
        move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Mount))
            .at("leave", "mount namespace")
    }
}

/// Everything init needs, made before it is forked.
pub(super) struct Inheritance<'a> {
    pub(super) spec: &'a InstanceSpec,
    pub(super) plan: &'a Plan,
    pub(super) confinement: Confinement,
    pub(super) program: sys::Image,
    pub(super) link: Link,
    group: &'a Group,
    /// Where the root is mounted.
    pub(super) stage: PathBuf,
}

/// Makes namespaces and init. `meanwhile` runs while the child in between works.
pub(crate) fn spawn(
    spec: &InstanceSpec,
    plan: &Plan,
    group: &Group,
    meanwhile: impl FnOnce() -> Result<()>,
) -> Result<Spawned> {
    let home = File::open("/proc/self/ns/mnt").at("open", "/proc/self/ns/mnt")?;
    sys::unshare(libc::CLONE_NEWNS).at("make", "mount namespace")?;
    // Once all is private nothing follows the host any more.
    let early = disks::early(plan.disks.iter().chain(&plan.late_disks))?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).at("make private", "/")?;
    let (ours, theirs) = gate::links()?;
    let mut ours = Some(ours);
    let inheritance = Inheritance {
        spec,
        plan,
        confinement: Confinement::of(spec)?,
        program: image(&spec.process.argv, &spec.process.env)?,
        link: theirs,
        group,
        stage: root::place(plan, &spec.run_dir),
    };
    let namespaces = if plan.id_maps.is_some() { libc::CLONE_NEWUSER } else { 0 };
    let born_in = group.open()?;
    let how = Fork { namespaces, cgroup: born_in.as_ref().map(File::as_fd), ..Fork::default() };
    let between = sys::fork(&how, || {
        // Only the monitor may hold this end, or nobody would notice that it died.
        ours.take();
        inheritance.link.run_first(|| between(&inheritance))
    })
    .at("make", "user namespace")?;
    // Its end of the gate is the child's only.
    drop(inheritance);
    let link = ours.take().ok_or(Error::Gone)?;
    let (root, dev) = prepare(spec, plan, (between.pid, early), link.first.as_fd())?;
    meanwhile()?;
    let pid = link.born()?;
    waitid(WaitId::PidFd(between.pidfd.as_fd()), WaitIdOptions::EXITED).at("wait for", "child")?;
    let pidfd = open_pidfd(pid)?;
    Ok(Spawned { pid, pidfd, gate: link.second, dev, root, home })
}

/// Resource limits of init, from outside: in its user namespace it may not raise them.
pub(crate) fn set_init_rlimits(pid: Option<Pid>, spec: &InstanceSpec) {
    set_rlimits(pid, &spec.rlimits);
}

pub(super) fn open_pidfd(pid: i32) -> Result<OwnedFd> {
    let known = Pid::from_raw(pid).ok_or(Error::Gone)?;
    pidfd_open(known, PidfdFlags::empty()).at("open process", pid.to_string())
}

/// The monitor's part while the child in between waits: ids, root, `/dev`, disks.
/// Gives the root and its `/dev`.
fn prepare(
    spec: &InstanceSpec,
    plan: &Plan,
    (between, mut early): (i32, BTreeMap<PathBuf, OwnedFd>),
    gate: BorrowedFd,
) -> Result<(OwnedFd, OwnedFd)> {
    let userns = map_ids(plan, between)?;
    let userns = userns.as_ref().map(File::as_fd);
    root::mount(plan, userns, &spec.run_dir)?;
    let root = disks::open_root(&root::place(plan, &spec.run_dir))?;
    let dev = dev::make(plan)?;
    let place = {
        let _owner = sys::FsIds::act_as(plan.root_id).at("act as root of", "container")?;
        path::make(root.as_fd(), Path::new("/dev"), path::Kind::Folder).at("make", "/dev")?
    };
    mounts::attach(dev.as_fd(), place.as_fd()).at("mount", "/dev")?;
    for disk in &plan.disks {
        let opened = early.remove(&disk.target);
        if let Some(disk) = disks::take(disk, userns, opened)? {
            disks::bind(root.as_fd(), &disk, plan.root_id)?;
        }
    }
    let mut late = Vec::new();
    let mut mounts = Vec::new();
    for (index, disk) in plan.late_disks.iter().enumerate() {
        let opened = early.remove(&disk.target);
        if let Some(disk) = disks::take(disk, userns, opened)? {
            late.push((index, disk.kind == path::Kind::Folder));
            mounts.push(disk.mount);
        }
    }
    let mounts: Vec<_> = mounts.iter().map(AsFd::as_fd).collect();
    packet::send(gate, &Go { late }, &mounts, true)?;
    Ok((root, dev))
}

/// Fills the user namespace of a process and opens it.
fn map_ids(plan: &Plan, process: i32) -> Result<Option<File>> {
    let Some(maps) = &plan.id_maps else { return Ok(None) };
    let process = PathBuf::from(format!("/proc/{process}"));
    for (file, map) in ["uid_map", "gid_map"].iter().zip(maps) {
        fs::write(process.join(file), map).at("write", file)?;
    }
    File::open(process.join("ns/user")).map(Some).at("open", "user namespace")
}

/// The child in between: first of the user namespace, maker of the others.
fn between(inheritance: &Inheritance<'_>) -> Result<i32> {
    die_with_parent()?;
    // While it is root on the host.
    inheritance.group.join_v1()?;
    let late = match packet::recv(inheritance.link.first.as_fd())? {
        Some((Go { late }, mounts)) => late_disks(inheritance.plan, late, mounts),
        None => return Err(Error::Gone),
    };
    chdir(&inheritance.stage).at("enter", &inheritance.stage)?;
    become_root()?;
    sys::unshare(libc::CLONE_NEWCGROUP).at("make", "control group namespace")?;
    let namespaces = libc::CLONE_NEWPID
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWNET;
    let how = Fork { namespaces, sibling: true, cgroup: None };
    let init = sys::fork(&how, || inheritance.link.run_second(|| init::run(inheritance, &late)))
        .at("make", "namespaces")?;
    Ok(init.pid)
}

fn late_disks(plan: &Plan, late: Vec<(usize, bool)>, mounts: Vec<OwnedFd>) -> Vec<Detached> {
    let disks = late.into_iter().zip(mounts);
    disks
        .map(|((index, folder), mount)| Detached {
            mount,
            target: plan.late_disks[index].target.clone(),
            kind: if folder { path::Kind::Folder } else { path::Kind::File },
        })
        .collect()
}

/// Killed if the monitor is: nobody else would clean up.
pub(super) fn die_with_parent() -> Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).at("set", "death signal")
}
