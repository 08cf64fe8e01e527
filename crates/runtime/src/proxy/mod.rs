//! What carries connections through the wall of an instance: a process for each proxy.
//!
//! ```text
//! the daemon spawns ── listen.rs   a child makes the sockets to listen at, on their side
//!                   ── confine.rs  joins the side where it connects, gives up all rights, closes itself in
//!                   ── serve.rs    one loop: streams.rs (flow.rs: a direction of one), datagrams.rs, control.rs
//! client.rs  how a daemon starts one, finds it again, and ends it
//! ```
//! It outlives the daemon as a monitor does, and ends with the instance's first process. One thread; it opens
//! no file and starts nothing once it serves, so whatever a stranger sends it, there is little to be won.

mod client;
mod confine;
mod control;
mod datagrams;
mod flow;
mod header;
mod listen;
mod place;
mod serve;
mod streams;

use std::{ffi::OsString, fs::File, io::Write, os::fd::OwnedFd};

use rustix::{
    process::{DumpableBehavior, set_dumpable_behavior},
    thread::set_name,
};
use serde::{Deserialize, Serialize};
use spec::{InstanceSpec, ProxySpec};

pub use self::client::{end_all, end_proxy, proxies, running_proxy, spawn_proxy};
use crate::{
    error::{At, Result},
    monitor::{Chain, refuse},
    protocol::{Reply, packet},
};

/// A connection takes two descriptors, and two more while it is not read at its other end.
const DESCRIPTORS: u64 = 1 << 20;

/// What a proxy is told at its start.
#[derive(Debug, Serialize, Deserialize)]
struct Given {
    instance: InstanceSpec,
    proxy: ProxySpec,
}

/// The role `proxy` of the binary: returns its exit code. To be called before anything else is done in `main`. The
/// arguments (instance and device) are only for people who list processes.
pub fn proxy_main(_arguments: impl Iterator<Item = OsString>) -> i32 {
    match detach() {
        Ok(()) => 0,
        Err(error) => {
            log(&error);
            1
        }
    }
}

/// Forks, so that the proxy is nobody's child.
fn detach() -> Result<()> {
    let [given, daemon, init] = sys::take_inherited().at("take", "specification")?;
    let _ = set_name(c"microcloud-prx");
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at("hide", "proxy")?;
    let given = serde_json::from_slice(&packet::read_file(given).at("read", "specification")?)?;
    sys::fork(&sys::Fork::default(), || run(&given, daemon, init)).at("fork", "proxy").map(drop)
}

fn run(given: &Given, daemon: OwnedFd, init: OwnedFd) -> i32 {
    let served = prepare(given, init).inspect_err(|error| refuse(&daemon, error));
    let served = served.and_then(|server| {
        // A daemon that died meanwhile finds us by our socket.
        let _ = packet::send(std::os::fd::AsFd::as_fd(&daemon), &Reply::Done, &[], false);
        drop(daemon);
        server.serve()
    });
    match served {
        Ok(()) => 0,
        Err(error) => {
            log(&error);
            1
        }
    }
}

fn prepare(given: &Given, init: OwnedFd) -> Result<serve::Server> {
    let Given { instance, proxy } = given;
    sys::raise_descriptor_limit(DESCRIPTORS);
    let control = control::listen(&instance.run_dir, &proxy.device)?;
    let listening = listen::listen(instance, proxy, &init)?;
    confine::confine(instance, proxy, &init)?;
    serve::Server::new(proxy.clone(), (init, control), listening)
}

fn log(error: &crate::Error) {
    let _ = writeln!(std::io::stderr(), "{}", Chain(error));
}

/// Folders are opened as places only.
fn open(path: &std::path::Path) -> Result<File> {
    File::open(path).at("open", path)
}
