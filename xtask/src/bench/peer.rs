//! One of the daemons: its folder, its namespaces, its process, its clients.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::groups::Groups;
use super::place::Place;
use super::sandbox::Sandbox;
use super::{files, lxd};
use crate::shell;

/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which program a peer is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ours,
    Lxd,
}

/// Which client drives it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Client {
    Stock,
    Own,
    /// LXD's own `lxd-benchmark`, which speaks to any daemon that LXD_DIR names.
    Benchmark,
}

pub(super) struct Peer {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    folder: PathBuf,
    home: PathBuf,
    binary: PathBuf,
    sandbox: Sandbox,
    child: Option<Child>,
}

impl Peer {
    pub(super) fn ours(place: &Place, binary: &Path, groups: &mut Groups) -> Result<Peer> {
        let peer = Peer::new(place, Kind::Ours, "microcloud", binary.to_owned(), true)?;
        groups.add(&peer.folder)?;
        Ok(peer)
    }

    /// Ours in the machine's own network, for building images.
    pub(super) fn builder(place: &Place, binary: &Path, groups: &mut Groups) -> Result<Peer> {
        let peer = Peer::new(place, Kind::Ours, "builder", binary.to_owned(), false)?;
        groups.add(&peer.folder)?;
        Ok(peer)
    }

    pub(super) fn lxd(place: &Place) -> Result<Peer> {
        Peer::new(place, Kind::Lxd, "LXD", PathBuf::from("lxd"), true)
    }

    fn new(
        place: &Place,
        kind: Kind,
        name: &'static str,
        binary: PathBuf,
        own_network: bool,
    ) -> Result<Peer> {
        let folder = place.path().join(format!("{}.state", name.to_lowercase()));
        fs::create_dir(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o711)))
            .with_context(|| format!("make {}", folder.display()))?;
        let sandbox = Sandbox::new(own_network)?;
        Ok(Peer { kind, name, folder, home: place.home(), binary, sandbox, child: None })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that runs where the daemon does.
    pub(super) fn inside(&self, program: &str, words: &[&str]) -> Command {
        self.sandbox.command(Path::new(program), words)
    }

    /// What a client prints.
    pub(super) fn says(&self, client: Client, words: &[&str]) -> Result<String> {
        let mut command = self.client(client);
        command.args(words);
        shell::printed(command)
    }

    fn log(&self) -> PathBuf {
        self.folder.with_extension("log")
    }

    /// Starts it; how long it took until it was ready.
    pub(super) fn start(&mut self) -> Result<Duration> {
        let log = File::options().create(true).append(true).open(self.log());
        let log = log.and_then(|log| Ok((log.try_clone()?, log))).context("open a log")?;
        let words: &[&str] = if self.kind == Kind::Ours { &["daemon"] } else { &[] };
        let mut command = self.sandbox.command(&self.binary, words);
        command.env("MICROCLOUD_DIR", &self.folder).env("LXD_DIR", &self.folder);
        command.stdin(Stdio::null()).stdout(log.0).stderr(log.1);
        let start = Instant::now();
        self.child = Some(command.spawn().context("start nsenter")?);
        // Both say only when all is up that they are ready.
        let path = if self.kind == Kind::Ours { "/1.0" } else { "/internal/ready" };
        while !self.answers(path) {
            let child = self.child.as_mut();
            if child.is_none_or(|child| child.try_wait().is_ok_and(|status| status.is_some()))
                || start.elapsed() > PATIENCE
            {
                let log = fs::read_to_string(self.log()).unwrap_or_default();
                bail!("{} does not start; its log:\n{log}", self.name);
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(start.elapsed())
    }

    fn answers(&self, path: &str) -> bool {
        let asked = || -> std::io::Result<String> {
            let mut stream = UnixStream::connect(self.folder.join("unix.socket"))?;
            stream.set_read_timeout(Some(Duration::from_secs(5)))?;
            write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
            let mut answer = [0; 16];
            stream.read_exact(&mut answer)?;
            Ok(String::from_utf8_lossy(&answer).into_owned())
        };
        asked().is_ok_and(|answer| answer.contains(" 200"))
    }

    /// The daemon's process: the child of the one that entered the namespaces.
    pub(super) fn pid(&self) -> Result<u32> {
        let child = self.child.as_ref().context("the daemon does not run")?;
        let inside = files::children(child.id());
        inside.first().copied().with_context(|| format!("{} does not run", self.name))
    }

    /// Ends it; its namespaces and its folder stay.
    pub(super) fn stop(&mut self) -> Result<()> {
        let pid = self.pid()?.to_string();
        shell::succeeds(&mut shell::command("kill", &["-TERM", &pid]))?;
        let Some(mut child) = self.child.take() else { return Ok(()) };
        let end = Instant::now() + PATIENCE;
        while child.try_wait().context("wait for a daemon")?.is_none() {
            if Instant::now() > end {
                bail!("{} does not end; its log is {}", self.name, self.log().display());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Pool, bridge and default profile.
    pub(super) fn set_up(&self) -> Result<()> {
        match self.kind {
            Kind::Ours => self.must(Client::Own, &["init", "--auto"]),
            Kind::Lxd => lxd::set_up(self),
        }
    }

    /// A client without its words.
    pub(super) fn client(&self, client: Client) -> Command {
        let mut command = match client {
            Client::Own => shell::command(&self.binary.to_string_lossy(), &[]),
            Client::Stock => shell::command("lxc", &[]),
            Client::Benchmark => shell::command("lxd-benchmark", &[]),
        };
        for name in ["LXD_CONF", "XDG_CONFIG_HOME", "MICROCLOUD_PROJECT"] {
            command.env_remove(name);
        }
        command.env("MICROCLOUD_DIR", &self.folder).env("LXD_DIR", &self.folder);
        command.env("HOME", &self.home).stdin(Stdio::null());
        command
    }

    /// Runs a client to its end, which must be good; how long that took.
    pub(super) fn timed(&self, client: Client, words: &[&str]) -> Result<Duration> {
        let mut command = self.client(client);
        command.args(words);
        let start = Instant::now();
        let output = command.output().context("start a client")?;
        let taken = start.elapsed();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr).into_owned();
            bail!("{} on {}: {}", words.join(" "), self.name, why.trim());
        }
        Ok(taken)
    }

    pub(super) fn must(&self, client: Client, words: &[&str]) -> Result<()> {
        self.timed(client, words).map(drop)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The daemon itself ends with its namespaces.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
