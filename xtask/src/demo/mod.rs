//! `demo`: from a fresh machine to a shell inside a running Debian, in one command.
//!
//! ```text
//! packages ─> build ─> daemon ─> pool, bridge ─> image, instance ─> its address ─> a shell
//! ```
//!
//! All of it lies in one folder of its own (`$MICROCLOUD_DIR`, else `/var/lib/microcloud-demo`). Run
//! again it takes what is there; `--clean` removes everything and proves it.

mod clean;
pub(crate) mod left;
mod machine;
mod server;

use std::io::{IsTerminal, stdin, stdout};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::packages::{self, Needed};
use crate::shell;
use server::Server;

const INSTANCE: &str = "first";
const IMAGE: &str = "debian:12";

/// What building needs, and what the daemon starts.
const PACKAGES: [Needed; 4] = [
    ("cc", "build-essential"),
    ("mmdebstrap", "mmdebstrap"),
    ("nft", "nftables"),
    ("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"),
];

/// A whole Debian needs some seconds on a small machine until it asks for an address.
const BOOT: Duration = Duration::from_secs(90);

pub(crate) fn run(args: &[String]) -> Result<bool> {
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => show(),
        ["--clean"] => clean::run(),
        _ => bail!("cargo xtask demo [--clean]"),
    }
}

fn show() -> Result<bool> {
    let missing = packages::ensure("demo", &PACKAGES)?;
    if !missing.is_empty() {
        bail!("install these, then run it again: {}", missing.join(" "));
    }
    let problems = machine::problems()?;
    if !problems.is_empty() {
        bail!("this machine cannot run containers yet:\n  - {}", problems.join("\n  - "));
    }
    say("building (minutes the first time)");
    if !shell::cargo(&["build", "--package", "microcloud"], &[])? {
        bail!("the build failed");
    }
    let server = Server::new()?;
    say(server.ensure()?);
    server.must(&["init", "--auto"])?;
    instance(&server)?;
    let address = address(&server)?;
    say(&format!("{INSTANCE} runs at {address}"));
    server.must(&["list"])?;
    server.must(&["exec", INSTANCE, "--", "cat", "/etc/os-release"])?;
    hints(&server)?;
    if stdin().is_terminal() && stdout().is_terminal() {
        say(&format!("a shell inside {INSTANCE}; leave it with `exit`"));
        // Its status is that of the last thing somebody typed.
        server.run(&["exec", INSTANCE, "--", "bash"])?;
    }
    Ok(true)
}

/// The instance, made or started where it is not.
fn instance(server: &Server) -> Result<()> {
    let status = server.instance(INSTANCE)?.map(|found| found["status"].clone());
    match status.as_ref().map(|status| status.as_str().unwrap_or_default()) {
        None => {
            say(&format!("launching {IMAGE}; its image is built from Debian's archive, once"));
            server.must(&["launch", IMAGE, INSTANCE])
        }
        Some("Running") => Ok(()),
        Some("Frozen") => server.must(&["resume", INSTANCE]),
        Some(_) => server.must(&["start", INSTANCE]),
    }
}

/// Waits for its IPv4 address.
fn address(server: &Server) -> Result<String> {
    let end = Instant::now() + BOOT;
    loop {
        let found = server.instance(INSTANCE)?;
        if let Some(address) = found.as_ref().and_then(global_address) {
            return Ok(address);
        }
        if Instant::now() > end {
            let about = "look at: console first --show-log, network list-leases, and the log";
            bail!("{INSTANCE} has no address after {BOOT:?}; {about} {}", server.log().display());
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn global_address(instance: &Value) -> Option<String> {
    let addresses = instance["state"]["network"]["eth0"]["addresses"].as_array()?;
    let global = |value: &&Value| value["family"] == "inet" && value["scope"] == "global";
    Some(addresses.iter().find(global)?["address"].as_str()?.to_owned())
}

fn hints(server: &Server) -> Result<()> {
    let start = if packages::is_root()? { "env" } else { "sudo" };
    let (alias, folder) = (server.words(&[]).join(" "), server.folder().display());
    let log = server.log();
    println!(
        "
Try next:
    alias mc='{start} {alias}'
    mc exec {INSTANCE} -- bash
    mc launch {IMAGE} second       # the image is there now: this takes no time
    mc exec {INSTANCE} -- ping -c1 second
    mc stop {INSTANCE}; mc start {INSTANCE}; mc info {INSTANCE}
    {start} LXD_DIR={folder} lxc list     # the stock client, package lxd-client
    cargo xtask demo --clean       # removes all of it
The log is {}. With the package lxcfs, instances see their own limits.",
        log.display(),
    );
    Ok(())
}

fn say(words: &str) {
    println!("demo: {words}");
}

/// What a person should know about a result that is not as it should be.
fn parse(text: &str, what: &str) -> Result<Value> {
    serde_json::from_str(text).with_context(|| format!("read {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_others_reach_counts() {
        let instance = |scope| {
            let address =
                serde_json::json!({ "family": "inet", "scope": scope, "address": "1.2.3.4" });
            serde_json::json!({ "state": { "network": { "eth0": { "addresses": [address] } } } })
        };
        assert_eq!(global_address(&instance("link")), None);
        assert_eq!(global_address(&instance("global")).as_deref(), Some("1.2.3.4"));
        assert_eq!(global_address(&serde_json::json!({})), None);
    }
}
