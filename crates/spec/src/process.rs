//! PID 1 of an instance.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The program that runs as PID 1.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Program and arguments; a name without a slash is looked up in `PATH` of `env`.
    pub argv: Vec<String>,
    /// Its whole environment.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Working directory.
    #[serde(default = "slash")]
    pub cwd: PathBuf,
    /// User, as the container counts.
    #[serde(default)]
    pub uid: u32,
    /// Group, as the container counts.
    #[serde(default)]
    pub gid: u32,
    /// Further groups.
    #[serde(default)]
    pub groups: Vec<u32>,
    /// Run below a tiny PID 1 that reaps orphans and passes signals on (application containers).
    #[serde(default)]
    pub reaper: bool,
}

fn slash() -> PathBuf {
    PathBuf::from("/")
}

impl Process {
    /// The init of a system container, run as root with the environment systemd expects.
    pub fn init(program: &str) -> Self {
        Process {
            argv: vec![program.to_owned()],
            env: [("container", "lxc"), ("TERM", "linux"), ("PATH", DEFAULT_PATH)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .to_vec(),
            cwd: slash(),
            uid: 0,
            gid: 0,
            groups: Vec::new(),
            reaper: false,
        }
    }

    /// The signal that asks it to shut down: SIGRTMIN+3 (halt) for an init, which systemd takes at
    /// once and others ignore or map to SIGPWR; SIGTERM for an application.
    pub fn stop_signal(&self) -> i32 {
        if self.reaper { SIGTERM } else { SIGRTMIN_3 }
    }
}

/// `PATH` where nothing else is said.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const SIGTERM: i32 = 15;
/// glibc and musl users see SIGRTMIN as 34: the first two are the thread library's.
const SIGRTMIN_3: i32 = 37;

/// One resource limit (`limits.kernel.*`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rlimit {
    /// Name in lower case without `RLIMIT_`: `nofile`, `memlock`.
    pub name: String,
    /// Soft limit; `None` is unlimited.
    pub soft: Option<u64>,
    /// Hard limit; `None` is unlimited.
    pub hard: Option<u64>,
}
