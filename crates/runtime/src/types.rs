//! The words of the runtime's users.

use std::{
    os::fd::{BorrowedFd, OwnedFd},
    path::PathBuf,
};

use serde::{Deserialize, Serialize};

/// Where an instance is in its life: `Created` until PID 1 runs, then `Running` or `Frozen`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Its namespaces exist; PID 1 waits to be released.
    Created,
    /// PID 1 runs.
    Running,
    /// All its processes are halted.
    Frozen,
    /// PID 1 ended; the monitor cleans up.
    Stopped,
}

/// What a monitor says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// Version of the protocol it speaks.
    pub version: u32,
    /// Version of the specification it was given.
    pub spec_version: u32,
    /// Generation of the start it serves.
    pub generation: u64,
    /// Where the instance is.
    pub state: State,
    /// Host's id of PID 1.
    pub pid: i32,
    /// When it was started: seconds since 1970.
    pub started_at: u64,
    /// Id of the monitor itself.
    #[serde(default)]
    pub monitor_pid: u32,
}

/// How an instance ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ExitReason {
    /// PID 1 returned.
    Exit(i32),
    /// PID 1 was killed by a signal.
    Signal(i32),
    /// It shut itself down.
    Halt,
    /// It asked to be started again.
    Reboot,
    /// The kernel killed PID 1 for want of memory.
    OomKilled,
    /// Its monitor was killed, so nobody knows.
    Lost,
    /// Its deadline came, and nobody had put it off ([`crate::Monitor::set_deadline`]).
    Deadline,
}

/// What an instance uses; `None` where the kernel does not count it here.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes of memory, caches included.
    pub memory: Option<u64>,
    /// The most it ever was.
    pub memory_peak: Option<u64>,
    /// Bytes swapped out.
    pub swap: Option<u64>,
    /// Nanoseconds of processor time.
    pub cpu_ns: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

/// A program to be run in a running instance.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecSpec {
    /// Program and arguments; a name without a slash is looked up in `PATH` of `env`.
    pub argv: Vec<String>,
    /// Its whole environment.
    pub env: Vec<(String, String)>,
    /// Working directory; `None` is `HOME` of `env` if it is there, else `/`.
    pub cwd: Option<PathBuf>,
    /// User, as the container counts.
    pub uid: u32,
    /// Group, as the container counts.
    pub gid: u32,
    /// Further groups.
    pub groups: Vec<u32>,
    /// Width and height of its terminal; `None` gives it no terminal.
    pub tty: Option<(u16, u16)>,
}

impl ExecSpec {
    /// A program run by the container's root, without a terminal.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> ExecSpec {
        let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        ExecSpec {
            argv: argv.into_iter().map(Into::into).collect(),
            env: [("PATH", path), ("HOME", "/root"), ("TERM", "dumb")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            ..ExecSpec::default()
        }
    }
}

/// What an exec'd program's input and output are connected with.
#[derive(Debug, Clone, Copy)]
pub enum ExecIo<'a> {
    /// A new terminal or new pipes, as [`ExecSpec::tty`] says; see `Exec::take_stdio`.
    New,
    /// Nothing: `/dev/null`.
    Null,
    /// These descriptors, its standard input, output and error.
    Given([BorrowedFd<'a>; 3]),
}

/// The caller's ends of an exec'd program's input and output.
#[derive(Debug)]
pub enum Stdio {
    /// Master of its terminal.
    Pty(OwnedFd),
    /// Pipes.
    Pipes {
        /// To be written.
        stdin: OwnedFd,
        /// To be read.
        stdout: OwnedFd,
        /// To be read.
        stderr: OwnedFd,
    },
    /// Taken already, or never made.
    None,
}

/// A console, attached.
#[derive(Debug)]
pub struct Console {
    /// The last output before it was attached, at most 128 KiB.
    pub ring: Vec<u8>,
    /// What comes after, and where input goes. Detach by closing.
    pub stream: OwnedFd,
}

/// What happened to an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// PID 1 ended and all is cleaned up; it may be started again at once.
    Stopped(ExitReason),
}
