//! A viewer of screens, in a window of the user's: it has our environment and no time limit, and ends with us.

use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::{Error, Result};
use crate::find::find;
use crate::group::Group;

/// A viewer; it is ended when this is dropped.
pub struct Viewer(Group);

/// Starts `program` with one argument, which says where the screen is.
#[expect(clippy::disallowed_methods, reason = "this crate is the place that starts programs")]
pub fn start(program: &str, screen: &str) -> Result<Viewer> {
    let command = format!("{program} {screen}");
    let fault = |source| Error::Start { command: command.clone(), source };
    let path = find(program).unwrap_or_else(|| program.into());
    let child = Command::new(path).arg(screen).process_group(0).spawn().map_err(fault)?;
    Group::new(child).map(Viewer).map_err(fault)
}

impl Viewer {
    /// Whether it runs.
    pub fn runs(&self) -> bool {
        let exit = self.0.exit();
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        !matches!(poll(&mut [PollFd::new(&exit, PollFlags::IN)], Some(&now)), Ok(1))
    }
}
