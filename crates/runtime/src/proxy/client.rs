//! The daemon's side: starts proxies, finds them again, ends them.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::OpenOptionsExt,
    },
    path::Path,
    time::Duration,
};

use rustix::{
    io::Errno,
    net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with, sockopt},
    process::{Pid, PidfdFlags, WaitId, WaitIdOptions, pidfd_open, waitid},
};
use spec::{InstanceSpec, ProxySpec};
use sys::Detached;

use super::{
    Given,
    control::{Told, Wish},
};
use crate::{
    Error, Monitor, cgroup,
    client::executable,
    error::{At, Result},
    protocol::{Reply, packet},
};

/// A proxy that does not answer for so long is given up on.
const PATIENCE: Duration = Duration::from_secs(10);
/// What begins the name of its socket in the instance's run folder, and what ends it.
const NAME: (&str, &str) = ("proxy.", ".sock");

/// The name of a proxy's socket.
pub(super) fn file_name(device: &str) -> String {
    format!("{}{device}{}", NAME.0, NAME.1)
}

/// Its address: a descriptor's path is short, however long that of the folder is.
pub(super) fn address(folder: BorrowedFd, name: &str) -> io::Result<SocketAddrUnix> {
    Ok(SocketAddrUnix::new(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))?)
}

/// Starts a proxy of an instance that runs: `binary`, whose first argument is the role `proxy`, which has to end up
/// in [`super::proxy_main`]. Returns once it listens and serves.
pub fn spawn_proxy(
    binary: &Path,
    instance: &InstanceSpec,
    monitor: &Monitor,
    proxy: &ProxySpec,
) -> Result<()> {
    let init = init_of(monitor)?;
    let log_path = instance.log_dir.join("proxy.log");
    let mut log = OpenOptions::new();
    let log = log.append(true).create(true).mode(0o600).open(&log_path).at("open", &log_path)?;
    let null =
        OpenOptions::new().read(true).write(true).open("/dev/null").at("open", "/dev/null")?;
    let given = Given { instance: instance.clone(), proxy: proxy.clone() };
    let given = packet::memory_file(&serde_json::to_vec(&given)?).at("write", "specification")?;
    let group = cgroup::monitor_group(&instance.cgroup)?;
    let (ours, theirs) = packet::pair()?;
    let child = sys::spawn_detached(&Detached {
        file: executable(binary)?.as_fd(),
        argv: &["microcloud", "proxy", &instance.id, &proxy.device],
        descriptors: &[
            null.as_fd(),
            null.as_fd(),
            log.as_fd(),
            given.as_fd(),
            theirs.as_fd(),
            init.as_fd(),
        ],
        cgroup: group.as_ref().map(File::as_fd),
    })
    .at("start", binary)?;
    drop(theirs);
    let word = packet::recv(ours.as_fd());
    waitid(WaitId::PidFd(child.pidfd.as_fd()), WaitIdOptions::EXITED).at("wait for", "proxy")?;
    match word? {
        Some((Reply::Done, _)) => Ok(()),
        Some((Reply::Failed { fault }, _)) => Err(fault.into()),
        Some(_) => Err(Error::Unsupported),
        None => Err(Error::Gone),
    }
}

/// The instance's first process; the monitor, which has not waited for it, is asked again lest the number is another's.
fn init_of(monitor: &Monitor) -> Result<OwnedFd> {
    let pid = monitor.info()?.pid;
    let raw = Pid::from_raw(pid).ok_or(Error::Gone)?;
    let init = pidfd_open(raw, PidfdFlags::empty()).at("find", pid.to_string())?;
    if monitor.info()?.pid == pid { Ok(init) } else { Err(Error::Gone) }
}

/// What a device's proxy is; `None` if none runs.
pub fn running_proxy(run_dir: &Path, device: &str) -> Result<Option<ProxySpec>> {
    let Some(connection) = dial(run_dir, device)? else { return Ok(None) };
    match ask(&connection, &Wish::Tell) {
        Ok(Some(Told { proxy })) => Ok(Some(proxy)),
        Ok(None) | Err(Error::Gone) => Ok(None),
        // One of another version, which says something else of itself, is another one.
        Err(Error::Message(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends a device's proxy, and removes its socket; none is fine.
pub fn end_proxy(run_dir: &Path, device: &str) -> Result<()> {
    if let Some(connection) = dial(run_dir, device)? {
        match ask(&connection, &Wish::End) {
            Ok(_) | Err(Error::Gone) => {}
            Err(error) => return Err(error),
        }
    }
    let path = run_dir.join(file_name(device));
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).at("remove", path),
        _ => Ok(()),
    }
}

/// The devices that have, or had, a proxy.
pub fn proxies(run_dir: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(run_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.at("read", run_dir)?,
    };
    let mut devices = Vec::new();
    for entry in entries {
        let name = entry.at("read", run_dir)?.file_name();
        let name = name.to_string_lossy();
        let device = name.strip_prefix(NAME.0).and_then(|rest| rest.strip_suffix(NAME.1));
        devices.extend(device.map(str::to_owned));
    }
    devices.sort();
    Ok(devices)
}

/// Ends all proxies of an instance; goes on after an error.
pub fn end_all(run_dir: &Path) -> Result<()> {
    let ended = proxies(run_dir)?.into_iter().map(|device| end_proxy(run_dir, &device));
    ended.fold(Ok(()), Result::and)
}

/// `None` if nobody listens.
fn dial(run_dir: &Path, device: &str) -> Result<Option<OwnedFd>> {
    let name = file_name(device);
    let folder = match crate::client::open_folder(run_dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        folder => folder.at("open", run_dir)?,
    };
    let flags = SocketFlags::CLOEXEC;
    let socket =
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).at("make", &name)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))
        .at("limit", &name)?;
    match connect(&socket, &address(folder.as_fd(), &name).at("name", &name)?) {
        Ok(()) => Ok(Some(socket)),
        Err(Errno::NOENT | Errno::CONNREFUSED) => Ok(None),
        Err(error) => Err(error).at("connect to", &name),
    }
}

/// `None` is the end of the connection.
fn ask(connection: &OwnedFd, wish: &Wish) -> Result<Option<Told>> {
    match packet::send(connection.as_fd(), wish, &[], true) {
        Err(Error::Step { source, .. })
            if source.raw_os_error() == Some(Errno::PIPE.raw_os_error()) =>
        {
            return Err(Error::Gone);
        }
        sent => sent?,
    }
    Ok(packet::recv(connection.as_fd())?.map(|(told, _)| told))
}
