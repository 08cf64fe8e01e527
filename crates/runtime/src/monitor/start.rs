//! From a specification to an instance that waits to be released.

use std::{
    collections::BTreeMap,
    fs::File,
    os::fd::{AsFd, OwnedFd},
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::{
    fs::{AtFlags, FlockOperation, Mode, OFlags, flock, openat, unlinkat},
    io::Errno,
    net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with},
    process::Pid,
};
use spec::InstanceSpec;

use super::{connections::Connections, files::FileServers, jobs::Jobs, log, release::Release};
use crate::{
    State,
    cgroup::{Group, Layout},
    client::{SPEC_FILE, address},
    container::{
        dev,
        gate::FromSecond,
        spawn::{Spawned, set_init_rlimits, spawn},
    },
    error::{At, Error, Result},
    intercept::{self, Interceptor},
    plan::{Host, OPTIONAL_DEVICES, Plan},
    protocol::{Reply, SOCKET, packet},
};

/// How long the last start's monitor may take to clean up: it writes what the instance left in memory to
/// a disk that may be a slow card.
const PATIENCE: Duration = Duration::from_secs(120);

/// Everything the monitor knows.
pub(super) struct Instance {
    pub(super) spec: InstanceSpec,
    pub(super) group: Group,
    /// The run folder, locked.
    pub(super) folder: File,
    pub(super) listener: OwnedFd,
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
    pub(super) dev: OwnedFd,
    /// The nodes of its devices, by their paths below `/dev`.
    pub(super) nodes: BTreeMap<PathBuf, OwnedFd>,
    /// Held until all were told that the instance stopped; see `tear_down`.
    pub(super) root: Option<OwnedFd>,
    /// What lets a privileged container use no other devices (version 2).
    pub(super) filter: Option<OwnedFd>,
    pub(super) state: State,
    pub(super) killed: bool,
    /// Readable when it is to be killed.
    pub(super) deadline: Option<OwnedFd>,
    /// It was.
    pub(super) overdue: bool,
    pub(super) started_at: u64,
    pub(super) release: Release,
    pub(super) console: Option<super::console::Console>,
    pub(super) connections: Connections,
    pub(super) jobs: Jobs,
    pub(super) files: FileServers,
    /// What does some of its system calls in its stead.
    pub(super) interceptor: Option<Interceptor>,
}

/// Starts, and tells the daemon; after an error nothing is left.
pub(super) fn start(spec: &InstanceSpec, daemon: &OwnedFd) -> Result<Instance> {
    let folder = lock(spec).inspect_err(|error| super::refuse(daemon, error))?;
    let group = match Layout::detect() {
        Ok(layout) => Group::of(&layout, spec),
        Err(error) => {
            super::refuse(daemon, &error);
            return Err(error);
        }
    };
    let cgroup2 = group.unified().is_some();
    match create(spec, folder, group.clone(), cgroup2, daemon) {
        Ok(instance) => Ok(instance),
        Err(error) => {
            let _ = group.kill();
            let _ = group.remove();
            super::refuse(daemon, &error);
            Err(error)
        }
    }
}

fn create(
    spec: &InstanceSpec,
    folder: File,
    group: Group,
    cgroup2: bool,
    daemon: &OwnedFd,
) -> Result<Instance> {
    let host = Host { devices: dev::present(&OPTIONAL_DEVICES), cgroup2 };
    let plan = Plan::new(spec, &host)?;
    group.create()?;
    for file in group.limit(&spec.limits, true)? {
        log(format_args!("no control group file {file}: this limit is not set"));
    }
    let filter = match spec.filters_devices() {
        true => group.allow_devices(&spec.devices, None)?,
        false => None,
    };
    let mut listener = None;
    let spawned = spawn(spec, &plan, &group, || {
        write_spec(&folder, spec)?;
        listener = Some(listen_in(&folder)?);
        Ok(())
    })?;
    let pid = spawned.pid;
    let interceptor = intercept::start(spec, &group, &spawned)?;
    set_init_rlimits(Pid::from_raw(pid), spec);
    let netns = format!("/proc/{pid}/ns/net");
    let netns = File::open(&netns)
        .at("open", &netns)
        .map_err(|error| last_word(&spawned.gate).unwrap_or(error))?;
    // A daemon that died meanwhile finds us by our socket.
    let _ = packet::send(daemon.as_fd(), &Reply::Created { pid }, &[netns.as_fd()], false);
    spawned.go_home()?;
    let Spawned { pidfd, gate, dev, root, .. } = spawned;
    let started_at = clock::since_1970().as_secs();
    let mut instance = Instance {
        spec: spec.clone(),
        group,
        folder,
        listener: listener.ok_or(Error::Gone)?,
        pid,
        pidfd,
        dev,
        nodes: BTreeMap::new(),
        root: Some(root),
        filter,
        state: State::Created,
        killed: false,
        deadline: None,
        overdue: false,
        started_at,
        release: Release::new(gate),
        console: None,
        connections: Connections::default(),
        jobs: Jobs::default(),
        files: FileServers::default(),
        interceptor,
    };
    instance.hold_devices();
    Ok(instance)
}

/// Why init died before anybody listened to it.
fn last_word(gate: &OwnedFd) -> Option<Error> {
    match packet::recv(gate.as_fd()) {
        Ok(Some((FromSecond::Failed { fault }, _))) => Some(fault.into()),
        _ => None,
    }
}

/// The folder's lock is held as long as this instance's monitor lives, cleaning up included.
fn lock(spec: &InstanceSpec) -> Result<File> {
    let folder = File::open(&spec.run_dir).at("open", &spec.run_dir)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(folder),
            // One that runs will not end by waiting; one that cleans up has no socket any more.
            Err(Errno::WOULDBLOCK)
                if Instant::now() < deadline && !spec.run_dir.join(SOCKET).exists() =>
            {
                sleep(Duration::from_millis(1));
            }
            Err(Errno::WOULDBLOCK) => {
                return Err(Error::Running { run_dir: spec.run_dir.display().to_string() });
            }
            Err(error) => return Err(error).at("lock", &spec.run_dir),
        }
    }
}

/// For a cleanup without us. Through the folder's descriptor: its path is covered by the stage now.
fn write_spec(folder: &File, spec: &InstanceSpec) -> Result<()> {
    let flags = OFlags::CREATE | OFlags::TRUNC | OFlags::WRONLY | OFlags::CLOEXEC;
    let file =
        openat(folder, SPEC_FILE, flags, Mode::from_raw_mode(0o600)).at("make", SPEC_FILE)?;
    let bytes = serde_json::to_vec(spec)?;
    std::io::Write::write_all(&mut File::from(file), &bytes).at("write", SPEC_FILE)
}

fn listen_in(folder: &File) -> Result<OwnedFd> {
    let _ = unlinkat(folder, SOCKET, AtFlags::empty());
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).at("make", SOCKET)?;
    bind(&socket, &address(folder.as_fd()).at("name", SOCKET)?).at("bind", SOCKET)?;
    listen(&socket, 128).at("listen on", SOCKET)?;
    Ok(socket)
}

impl Instance {
    /// Removes a file of the run folder; a missing one is no error.
    pub(super) fn remove_file(&self, name: &str) {
        let _ = unlinkat(&self.folder, name, AtFlags::empty());
    }
}
