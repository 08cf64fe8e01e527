//! Debian's LXD: its packages, its settings, what it may leave behind.

use std::process::Stdio;

use anyhow::{Context, Result, bail};

use super::peer::{Client, Peer};
use super::{files, say, services};
use crate::packages::{self, Needed};
use crate::shell;

/// What those start.
const UNITS: [&str; 2] = ["lxd.socket", "lxd.service"];
const PACKAGES: [Needed; 2] = [("lxd", "lxd"), ("dnsmasq", "dnsmasq-base")];
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
    services::stop_new(&before, &UNITS)?;
    if !missing.is_empty() {
        say(&format!("not installed: {}: measuring only ours", missing.join(" ")));
        return Ok(None);
    }
    let version = shell::output("lxd", &["--version"])?.trim().to_owned();
    Ok(Some(version))
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
