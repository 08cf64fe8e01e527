//! `shutdown`: the daemon stops its instances, then ends.
//!
//! The API has no request for that. The daemon takes SIGPWR, as LXD's does, and its process is the one
//! at the other end of the socket.

use std::{
    io,
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};
use tokio::net::UnixStream;

use super::OK;
use crate::{
    context::Context,
    error::{Error, Result},
};

/// How often the daemon's end is looked for, and it is told again to hurry.
const TICK: Duration = Duration::from_millis(200);

/// Stops all instances of this machine, then the daemon.
#[derive(Debug, clap::Args)]
pub(crate) struct Shutdown {
    /// Do not wait for operations under way
    #[arg(short, long)]
    force: bool,
    /// Seconds to wait for the end; the shutdown itself goes on
    #[arg(short, long)]
    timeout: Option<u64>,
}

impl Shutdown {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let path =
            cx.client.socket_path().ok_or(Error::Usage("only the daemon of this machine"))?;
        let connect = |source| client::Error::Connect { path: path.to_owned(), source };
        let stream = UnixStream::connect(path).await.map_err(connect)?;
        let pid = stream.peer_cred().map_err(connect)?.pid();
        drop(stream);
        let pid = pid.and_then(Pid::from_raw);
        // It has none where the daemon is in another namespace of processes.
        let pid = pid.ok_or(Error::Usage("the daemon is not of this machine"))?;
        let daemon = pidfd_open(pid, PidfdFlags::empty()).map_err(failed)?;
        let end = self.timeout.map(|seconds| Instant::now() + Duration::from_secs(seconds));
        pidfd_send_signal(&daemon, Signal::POWER).map_err(failed)?;
        while !ended(&daemon)? {
            if end.is_some_and(|end| Instant::now() >= end) {
                return Err(Error::StillStopping(self.timeout.unwrap_or_default()));
            }
            if self.force {
                // It may end just now.
                let _ = pidfd_send_signal(&daemon, Signal::POWER);
            }
        }
        cx.say("The instances are stopped, and so is the daemon");
        Ok(OK)
    }
}

/// Whether it ended within a tick.
fn ended(daemon: &impl std::os::fd::AsFd) -> Result<bool> {
    let tick = Timespec { tv_sec: 0, tv_nsec: i64::from(TICK.subsec_nanos()) };
    match poll(&mut [PollFd::new(daemon, PollFlags::IN)], Some(&tick)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(failed(error)),
    }
}

fn failed(error: Errno) -> Error {
    Error::Shutdown(io::Error::from(error))
}
