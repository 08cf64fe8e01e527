//! Namespaces of a daemon's own: mounts, network, processes. What runs in them ends with them.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail};

use super::files;
use crate::shell;

/// `/sys` is mounted anew, so that it shows the links of this network; the control groups are put
/// back. Whatever a daemon keeps in `/run` goes with it.
const SET_UP: &str = "set -e
groups=$(mktemp -d)
mount --rbind /sys/fs/cgroup $groups
mount -t sysfs sysfs /sys
mount --rbind $groups /sys/fs/cgroup
umount --lazy $groups
rmdir $groups
mount -t tmpfs -o mode=755 tmpfs /run
ip link set lo up
echo ready
exec sleep infinity";

/// For a build that must fetch packages: the machine's own network and what is in `/run` for it.
const SET_UP_HOST: &str = "echo ready; exec sleep infinity";

/// Until all of its processes are gone.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Sandbox {
    holder: Child,
    /// The first process of its process namespace, as seen from outside.
    init: u32,
}

impl Sandbox {
    /// With a network of its own, or in the machine's.
    pub(super) fn new(own_network: bool) -> Result<Sandbox> {
        let flags = ["--mount", "--pid", "--fork", "--kill-child", "--mount-proc"];
        let rest: &[_] =
            if own_network { &["--net", "sh", "-c", SET_UP] } else { &["sh", "-c", SET_UP_HOST] };
        let words = [&flags[..], rest].concat();
        let mut command = shell::command("unshare", &words);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut holder = command.spawn().context("start unshare")?;
        let mut line = String::new();
        if let Some(stdout) = holder.stdout.as_mut() {
            BufReader::new(stdout).read_line(&mut line).context("read from unshare")?;
        }
        let init = files::children(holder.id()).first().copied();
        // A holder that is dropped here has ended, or ends with its child.
        let mut sandbox = Sandbox { holder, init: init.unwrap_or_default() };
        if line.trim() != "ready" || sandbox.init == 0 {
            sandbox.end();
            bail!("namespaces cannot be made here");
        }
        Ok(sandbox)
    }

    /// A command that runs in it.
    pub(super) fn command(&self, program: &Path, args: &[&str]) -> Command {
        let target = self.init.to_string();
        let program = program.to_string_lossy();
        let words = ["--target", &target, "--mount", "--net", "--pid", "--", &program];
        shell::command("nsenter", &[&words[..], args].concat())
    }

    fn end(&mut self) {
        // Its child goes with it, and all other processes with that one.
        drop(self.holder.kill());
        drop(self.holder.wait());
        let end = Instant::now() + PATIENCE;
        while fs::exists(format!("/proc/{}", self.init)).unwrap_or_default() && Instant::now() < end
        {
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.end();
    }
}
