//! Whole-system tests: the real daemon, the stock `lxc` client and our own, real containers.
//!
//! A test takes a [`Daemon`] of its own: a state folder under `/tmp/microcloud-lab-*` and a network
//! namespace, so that tests run side by side and the machine's links and packet filter stay as
//! they are. When the daemon is dropped everything is deleted through the API, and what is left
//! then (a process, a mount, a control group, a link, a file) fails the test.
//!
//! | module | what it is |
//! |---|---|
//! | `daemon` | the daemon's life: start, kill, restart, end |
//! | `client` | the two clients, and what a command gave |
//! | `ceph` | a Ceph that several daemons share |
//! | `cluster` | daemons that are one cluster, and the cables between them |
//! | `http` | requests no client would send |
//! | `netns` | a network namespace, and a server in one |
//! | `images` | images for tests, whole, split and damaged |
//! | `machines` | the small virtual machine that most tests of machines run |
//! | `tarball` | backups, honest and damaged |
//! | `s3` | buckets that are served, and boto3 as their client |
//! | `volumes` | what custom volumes of every driver must do |
//! | `dice` | chance that is the same in each run |
//! | `asked` | a request that changes something, and what came of it |
//! | `asks` | what tests ask a daemon again and again |
//! | `leaks` | what must be gone at the end |
//! | `census` | what there is of a daemon, to be compared |
#![allow(clippy::print_stderr, reason = "tests talk to people")]
#![allow(clippy::disallowed_methods, reason = "the lab is who starts the programs it tests")]

mod asked;
mod asks;
mod census;
pub mod ceph;
mod client;
pub mod cluster;
mod daemon;
mod dice;
pub mod http;
pub mod images;
mod leaks;
pub mod machines;
mod netns;
mod person;
pub mod s3;
pub mod sftp;
pub mod tarball;
pub mod volumes;
mod wait;

pub use asked::{Asked, ask};
pub use census::{Census, field};
pub use client::{Background, Client, Run, host, program};
pub use daemon::{Daemon, Disk, Options, binary};
pub use dice::Dice;
pub use http::Reply;
pub use leaks::running;
pub use netns::{Netns, inside, whoami};
pub use wait::{SHORT, until, within};

/// Says why a test cannot run here; the test then returns.
pub fn skip(why: &str) {
    eprintln!("SKIP: {why}");
}

/// Whether a test that takes minutes, and whose like runs always, is to be left out: unless `LAB_LONG=1` is set.
pub fn too_long() -> bool {
    let left_out = std::env::var_os("LAB_LONG").is_none();
    if left_out {
        skip("takes two minutes, and its like runs: LAB_LONG=1 cargo xtask test has it run");
    }
    left_out
}

/// Why nothing of the lab can run here, if so.
fn unable() -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some(String::from("needs root"));
    }
    let needed = ["busybox", "ip", "lxc", "nft", "nsenter", "script", "tar", "unshare"];
    let missing: Vec<_> = needed.into_iter().filter(|name| !installed(name)).collect();
    (!missing.is_empty()).then(|| format!("not installed: {}", missing.join(" ")))
}

/// Whether a program can be started by its name.
pub fn installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}

/// Bytes of no pattern that a mistake could hide behind.
pub fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}
