//! The demo's daemon: its folder, its process, its client.
//!
//! The folder is the demo's if its note is in it: `demo.pid`, which holds the number of the daemon's
//! process. A folder of somebody else is never touched.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::shell;

const FOLDER: &str = "/var/lib/microcloud-demo";
const NOTE: &str = "demo.pid";
/// How long a start or an end may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Run by a shell in a session of its own: a closed terminal ends neither it nor instances.
const START: &str = "umask 022; mkdir -p \"$1\" && echo $$ >\"$1/demo.pid\" \
                     && exec env MICROCLOUD_DIR=\"$1\" \"$2\" daemon >>\"$1/demo.log\" 2>&1 </dev/null";

pub(crate) struct Server {
    folder: PathBuf,
    binary: PathBuf,
}

impl Server {
    /// Names it; starts nothing.
    pub(crate) fn new() -> Result<Server> {
        let given = env::var_os("MICROCLOUD_DIR").filter(|folder| !folder.is_empty());
        let folder = std::path::absolute(given.unwrap_or_else(|| FOLDER.into()))
            .context("name the state folder")?;
        let server = Server { folder, binary: shell::microcloud()? };
        if server.folder.exists() && !server.exists() && !is_empty(&server.folder) {
            let about = "it is not the demo's; name another in MICROCLOUD_DIR";
            bail!("there is a folder {} already, and {about}", server.folder.display());
        }
        Ok(server)
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("demo.log")
    }

    /// Whether there is anything of the demo.
    pub(crate) fn exists(&self) -> bool {
        self.folder.join(NOTE).exists()
    }

    /// Starts it where it does not run, or runs from an older build; tells what was done.
    pub(crate) fn ensure(&self) -> Result<&'static str> {
        let mut done = "the daemon is started";
        if let Some(pid) = self.pid()? {
            if !self.outdated(pid)? && self.answers()? {
                return Ok("the daemon runs");
            }
            self.stop()?;
            done = "the daemon is started anew, from this build; instances live on";
        }
        let (folder, binary) = (text(&self.folder), text(&self.binary));
        let words = ["--fork", "sh", "-c", START, "sh", &folder, &binary];
        if !shell::succeeds(&mut shell::as_root("setsid", &words)?)? {
            bail!("the daemon cannot be started");
        }
        self.wait_ready()?;
        Ok(done)
    }

    fn wait_ready(&self) -> Result<()> {
        let end = Instant::now() + PATIENCE;
        // The note comes a moment after the shell's start.
        let mut seen = false;
        while !self.answers()? {
            let runs = self.pid()?.is_some();
            if (seen && !runs) || Instant::now() > end {
                let log = text(&self.log());
                shell::succeeds(&mut shell::as_root("tail", &["--lines=15", &log])?)?;
                bail!("the daemon does not answer; its log is {log}");
            }
            seen |= runs;
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    fn answers(&self) -> Result<bool> {
        self.has("/1.0")
    }

    /// Its process, if it runs: the noted one, if that is a daemon on this folder.
    fn pid(&self) -> Result<Option<u32>> {
        let Ok(note) = fs::read_to_string(self.folder.join(NOTE)) else { return Ok(None) };
        let Ok(pid) = note.trim().parse::<u32>() else { return Ok(None) };
        let file = |name: &str| read_as_root(&format!("/proc/{pid}/{name}"));
        let is_daemon = file("cmdline")?.ends_with("\0daemon\0");
        let folder = format!("MICROCLOUD_DIR={}", self.folder.display());
        let here = file("environ")?.split('\0').any(|variable| variable == folder);
        Ok((is_daemon && here).then_some(pid))
    }

    /// Whether the program it runs was built anew since.
    fn outdated(&self, pid: u32) -> Result<bool> {
        let link = shell::as_root("readlink", &[&format!("/proc/{pid}/exe")])?;
        Ok(shell::printed(link)?.trim() != text(&self.binary))
    }

    /// Ends it; instances live on.
    pub(crate) fn stop(&self) -> Result<()> {
        let Some(pid) = self.pid()? else { return Ok(()) };
        shell::succeeds(&mut shell::as_root("kill", &["-TERM", &pid.to_string()])?)?;
        let end = Instant::now() + PATIENCE;
        while self.pid()?.is_some() {
            if Instant::now() > end {
                bail!("the daemon (process {pid}) does not end; its log is {:?}", self.log());
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// A client's command, as a person types it after `env`.
    pub(crate) fn words(&self, words: &[&str]) -> Vec<String> {
        let folder = format!("MICROCLOUD_DIR={}", self.folder.display());
        [folder, text(&self.binary)]
            .into_iter()
            .chain(words.iter().map(|w| w.to_string()))
            .collect()
    }

    fn client(&self, words: &[&str]) -> Result<Command> {
        let typed = self.words(words);
        let typed: Vec<&str> = typed.iter().map(String::as_str).collect();
        shell::as_root("env", &typed)
    }

    /// Runs the client, its output on the terminal; true if it succeeds.
    pub(crate) fn run(&self, words: &[&str]) -> Result<bool> {
        shell::succeeds(&mut self.client(words)?)
    }

    /// The same; it must succeed.
    pub(crate) fn must(&self, words: &[&str]) -> Result<()> {
        if !self.run(words)? {
            bail!("`microcloud {}` failed; the daemon's log is {:?}", words.join(" "), self.log());
        }
        Ok(())
    }

    /// Sends a request and waits for all that follows from it.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Result<()> {
        let words = ["query", "--wait", "--request", method, "--data", body];
        let mut client = self.client(if body.is_empty() { &words[..4] } else { &words[..6] })?;
        if !shell::succeeds(client.arg(path).stdout(Stdio::null()))? {
            bail!("{method} {path} failed; the daemon's log is {:?}", self.log());
        }
        Ok(())
    }

    /// What the API has at a path.
    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        super::parse(&shell::printed(self.client(&["query", path])?)?, path)
    }

    /// Whether there is something at a path.
    pub(crate) fn has(&self, path: &str) -> Result<bool> {
        let mut client = self.client(&["query", path])?;
        client.stdout(Stdio::null()).stderr(Stdio::null());
        shell::succeeds(&mut client)
    }

    /// An instance with its state.
    pub(crate) fn instance(&self, name: &str) -> Result<Option<Value>> {
        let all = self.get("/1.0/instances?recursion=2")?;
        Ok(all.as_array().and_then(|all| all.iter().find(|one| one["name"] == name)).cloned())
    }
}

fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none())
}

/// Empty when it is not there.
fn read_as_root(path: &str) -> Result<String> {
    let output =
        shell::as_root("cat", &[path])?.output().with_context(|| format!("read {path}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
