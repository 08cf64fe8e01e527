//! Where the sockets are, and who takes what comes there.

use std::{
    fs::Permissions,
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, PermissionsExt, chown},
    },
    path::Path,
    sync::Arc,
    time::Duration,
};

use rustix::fs::{CWD, Mode, OFlags, openat};
use spec::Mount;
use tokio::{
    net::UnixListener,
    sync::{Semaphore, watch},
};

use super::{Connection, Desk, Seat};
use crate::{Error, Result, World, instances::guests::Guest, names};

/// Inside of a container.
const TARGET: &str = "/dev/lxd";
const SOCKET: &str = "sock";

/// Connections of one instance at a time; more wait in the kernel, where its own backlog is its limit.
const MOST_OF_ONE: usize = 8;
/// Before a connection is taken again that could not be.
const PAUSE: Duration = Duration::from_millis(100);

/// Makes the folder of an instance that is about to start.
pub(crate) fn folder(world: &World, id: &str) -> Result<()> {
    let path = world.dirs.devlxd(id);
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&path);
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

/// Listens for a guest. Without, it runs all the same.
pub(crate) fn listen(world: &World, guest: &Guest) {
    let Some(desk) = world.desk() else { return };
    let id = names::instance_id(guest.project(), guest.name());
    match bind(&world.dirs.devlxd(&id), guest.spec().root_id()) {
        Ok(listener) => {
            let open = guest.devlxd().opened();
            tokio::spawn(accept(desk.clone(), guest.clone(), listener, open));
        }
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

/// Takes connections until the guest is gone or may ask nothing any more.
async fn accept(desk: Desk, guest: Guest, listener: UnixListener, mut open: watch::Receiver<()>) {
    let own = Arc::new(Semaphore::new(MOST_OF_ONE));
    let handed = open.clone();
    let taking = async {
        loop {
            // Neither is ever closed.
            let (Ok(seat), Ok(common)) =
                (own.clone().acquire_owned().await, desk.seats.clone().acquire_owned().await)
            else {
                return;
            };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(PAUSE).await;
                continue;
            };
            let seat = Seat(Arc::new([seat, common]));
            let (guest, open) = (guest.clone(), handed.clone());
            tokio::spawn((desk.serve)(Connection { guest, stream, open, seat }));
        }
    };
    tokio::select! {
        () = taking => {}
        () = closed(&mut open) => {}
    }
}

/// Waits until the sender is gone.
async fn closed(open: &mut watch::Receiver<()>) {
    while open.changed().await.is_ok() {}
}
