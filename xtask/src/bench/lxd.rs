//! Debian's LXD: its packages, its settings, what it may leave behind.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::peer::{Client, Peer};
use super::{files, say};
use crate::packages::{self, Needed};
use crate::shell;

const PACKAGES: [Needed; 2] = [("lxd", "lxd"), ("dnsmasq", "dnsmasq-base")];
/// What those packages may start as a service.
const SERVICES: [&str; 4] = ["lxd", "dnsmasq", "lxcfs", "lxc-monitord"];

/// A pool and a bridge like those that `microcloud init --auto` makes.
const PRESEED: &str = "\
storage_pools: [{name: default, driver: dir}]
networks:
- name: lxdbr0
  type: bridge
  config: {ipv4.address: 10.99.7.1/24, ipv4.nat: 'true', ipv6.address: 'fd42:99:7::1/64', ipv6.nat: 'true'}
profiles:
- name: default
  devices:
    root: {type: disk, path: /, pool: default}
    eth0: {type: nic, name: eth0, network: lxdbr0}
";

/// Installs it where apt has this version; which one is there.
pub(super) fn install() -> Result<Option<String>> {
    // Elsewhere the package of this name is an empty one that installs a snap.
    let known = shell::output("apt-cache", &["policy", "lxd"]).unwrap_or_default();
    if !known.lines().any(|line| line.contains("Candidate: 5.0.2")) {
        say("apt has no LXD 5.0.2 here (Debian 12 has): measuring only ours");
        return Ok(None);
    }
    let before = files::pids();
    let missing = packages::ensure("bench", &PACKAGES)?;
    stop_services(&before)?;
    if !missing.is_empty() {
        say(&format!("not installed: {}: measuring only ours", missing.join(" ")));
        return Ok(None);
    }
    let version = shell::output("lxd", &["--version"])?.trim().to_owned();
    Ok(Some(version))
}

/// Installing must not leave a second LXD running.
fn stop_services(before: &[u32]) -> Result<()> {
    if Path::new("/run/systemd/system").exists() && before != files::pids() {
        let units = ["stop", "--quiet", "lxd.socket", "lxd.service"];
        let mut command = shell::command("systemctl", &units);
        // They may not be there.
        shell::succeeds(command.stdout(Stdio::null()).stderr(Stdio::null()))?;
    }
    for pid in files::pids().into_iter().filter(|pid| !before.contains(pid)) {
        let name = files::read(format!("/proc/{pid}/comm")).unwrap_or_default();
        let parent_is_init = files::children(1).contains(&pid);
        if SERVICES.contains(&name.trim()) && parent_is_init {
            say(&format!("stopping {}, which its package started", name.trim()));
            shell::succeeds(&mut shell::command("kill", &[&pid.to_string()]))?;
        }
    }
    Ok(())
}

/// Pool, bridge and default profile.
pub(super) fn set_up(peer: &Peer) -> Result<()> {
    let mut command = shell::command("lxd", &["init", "--preseed"]);
    command.env("LXD_DIR", peer.folder()).stdin(Stdio::piped());
    let mut child = command.spawn().context("start lxd init")?;
    if let Some(mut stdin) = child.stdin.take() {
        std::io::Write::write_all(&mut stdin, PRESEED.as_bytes()).context("write to lxd init")?;
    }
    if !child.wait().context("wait for lxd init")?.success() {
        bail!("lxd init failed");
    }
    peer.must(Client::Stock, &["profile", "show", "default"])
}
