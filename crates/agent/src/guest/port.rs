//! Ports of virtio-serial: which is ours, and one host after the other on it.
//!
//! A port has no connections: while no host is there, reading gives the end at once and polling
//! says "hung up" at once. Only changes tell of a host, so they are waited for edge by edge.

use std::{
    fs::{self, OpenOptions},
    io,
    os::fd::{AsFd, OwnedFd},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::{
    event::Timespec,
    event::epoll::{self, CreateFlags, EventData, EventFlags},
    fs::OFlags,
};
use tokio::time::sleep;

use crate::{
    handshake,
    watched::{Watched, hung_up},
};

/// Names of ports that a daemon may speak on; the second is the one images made for LXD know.
pub const NAMES: [&str; 2] = ["org.microcloud.agent", "com.canonical.lxd"];

/// Before a port that is not there, or failed, is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// Before a stream that broke is tried again: a host that is hostile must not keep a processor busy.
const BREATH: Duration = Duration::from_millis(10);

/// The port, if there is one.
pub fn find() -> Option<PathBuf> {
    let linked = |name: &&str| Path::new("/dev/virtio-ports").join(name);
    let by_link = NAMES.iter().map(linked).find(|path| path.exists());
    by_link.or_else(|| NAMES.iter().find_map(|name| by_class(name)))
}

/// Without udev there are no links.
fn by_class(name: &str) -> Option<PathBuf> {
    let named = |path: &PathBuf| {
        fs::read_to_string(path.join("name")).is_ok_and(|found| found.trim_end() == name)
    };
    let ports = fs::read_dir("/sys/class/virtio-ports").ok()?;
    let found = ports.flatten().map(|entry| entry.path()).find(named)?;
    Some(Path::new("/dev").join(found.file_name()?))
}

/// Serves hosts on a port for ever: on this one, or on the one that is found. Within tokio.
pub async fn run(path: Option<PathBuf>) -> ! {
    tokio::spawn(super::processors::attend());
    if path.is_none() {
        tokio::spawn(super::vsock::attend());
    }
    loop {
        if let Some(path) = path.clone().or_else(find) {
            // It may have been unplugged, or another agent holds it.
            let _ = hosts(&path).await;
        }
        sleep(AGAIN).await;
    }
}

async fn hosts(path: &Path) -> io::Result<()> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    let port = OwnedFd::from(file);
    // If nobody is there to hear it, nobody needs to.
    let _ = rustix::io::write(&port, &handshake::announcement());
    loop {
        host(&port).await?;
        // Of a port, each connection is another descriptor: tokio never forgets a hang-up.
        match super::serve(Watched::new(port.try_clone()?)?).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(error),
            _ => sleep(BREATH).await,
        }
    }
}

/// Waits until a host is there.
async fn host(port: &OwnedFd) -> io::Result<()> {
    let changes = epoll::create(CreateFlags::CLOEXEC)?;
    let all = EventFlags::IN | EventFlags::OUT | EventFlags::HUP | EventFlags::ET;
    epoll::add(&changes, port, EventData::new_u64(0), all)?;
    let changes = Watched::new(changes)?;
    while hung_up(port.as_fd()) {
        changes.readable().await?;
        let mut events = [const { std::mem::MaybeUninit::uninit() }; 4];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        epoll::wait(changes.as_fd(), &mut events, Some(&now))?;
    }
    Ok(())
}
