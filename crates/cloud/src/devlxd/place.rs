//! Where the sockets are, and who takes what comes there.

use std::{
    fs::Permissions,
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, PermissionsExt, chown},
    },
    path::Path,
};

use rustix::fs::{CWD, Mode, OFlags, openat};
use spec::Mount;
use tokio::net::UnixListener;

use super::source::{Source, take};
use crate::{Error, Result, World, instances::guests::Guest, names};

/// Inside of a container.
const TARGET: &str = "/dev/lxd";
const SOCKET: &str = "sock";

/// Makes the folder of an instance that is about to start.
pub(crate) fn folder(world: &World, id: &str) -> Result<()> {
    let path = world.dirs.devlxd(id);
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&path);
    // Whatever the daemon's umask: the container's root passes through it.
    let made = made.and_then(|()| std::fs::set_permissions(&path, Permissions::from_mode(0o755)));
    made.map_err(Error::file("make", &path))
}

/// How a container sees it. It cannot be written, so nothing but the socket is ever in it.
pub(crate) fn mount(world: &World, id: &str) -> Mount {
    Mount {
        source: world.dirs.devlxd(id),
        target: TARGET.into(),
        readonly: true,
        ..Mount::default()
    }
}

/// Whether a guest was started with it.
pub(crate) fn is_mounted(guest: &Guest) -> bool {
    guest.spec().mounts.iter().any(|mount| mount.target == Path::new(TARGET))
}

/// Removes the folder of an instance that is gone; a missing one is fine.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Removes the socket.
pub(super) fn unlink(world: &World, guest: &Guest) {
    let id = names::instance_id(guest.project(), guest.name());
    let _ = std::fs::remove_file(world.dirs.devlxd(&id).join(SOCKET));
}

/// Listens for a container. Without, it runs all the same.
pub(crate) fn listen(world: &World, guest: &Guest) {
    let Some(desk) = world.desk() else { return };
    let id = names::instance_id(guest.project(), guest.name());
    match bind(&world.dirs.devlxd(&id), guest.spec().root_id()) {
        Ok(listener) => take(desk, guest, Source::Socket(listener)),
        Err(error) => {
            let (project, name) = (guest.project(), guest.name());
            tracing::warn!(project, name, %error, "the instance has no guest API");
        }
    }
}

/// Binds the socket, for the instance's root alone. Its path may be too long for an address, a
/// descriptor's is not.
fn bind(folder: &Path, owner: u32) -> io::Result<UnixListener> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(CWD, folder, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd());
    remove_file(&path)?;
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    chown(&path, Some(owner), Some(owner))?;
    Ok(listener)
}

fn remove_file(path: &str) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
