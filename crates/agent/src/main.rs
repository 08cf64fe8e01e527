//! `microcloud-agent`: runs inside a virtual machine and does what the daemon asks for.
//!
//!     microcloud-agent [--port PATH]
//!
//! Without a path it finds its port, and waits for one that is not there yet.

use std::{
    ffi::OsStr,
    os::{
        linux::net::SocketAddrExt,
        unix::{
            ffi::OsStrExt,
            net::{SocketAddr, UnixDatagram},
        },
    },
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// A machine that runs out of memory loses other programs first: without the agent nobody outside
/// could help.
const OOM_SCORE: &str = "-900";

/// How long a thread that has nothing to do is kept: what people do by hand comes every few seconds.
const IDLE: Duration = Duration::from_secs(60);

const USAGE: &str = "microcloud-agent [--port PATH] [--version]";

enum Wanted {
    Serve(Option<PathBuf>),
    Say(String),
    Nonsense,
}

fn main() -> ExitCode {
    match wanted(std::env::args_os().skip(1).collect()) {
        Wanted::Serve(port) => serve(port),
        Wanted::Say(text) => say(&text, ExitCode::SUCCESS),
        Wanted::Nonsense => say(USAGE, ExitCode::from(2)),
    }
}

fn wanted(arguments: Vec<std::ffi::OsString>) -> Wanted {
    let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
    match words.iter().map(AsRef::as_ref).collect::<Vec<&str>>()[..] {
        [] => Wanted::Serve(None),
        ["--port", _] => Wanted::Serve(arguments.into_iter().nth(1).map(PathBuf::from)),
        ["--version"] => Wanted::Say(env!("CARGO_PKG_VERSION").to_owned()),
        ["--help" | "-h"] => Wanted::Say(USAGE.to_owned()),
        _ => Wanted::Nonsense,
    }
}

#[allow(clippy::print_stderr, reason = "a program without a log of its own")]
fn say(text: &str, code: ExitCode) -> ExitCode {
    eprintln!("{text}");
    code
}

fn serve(port: Option<PathBuf>) -> ExitCode {
    // Not as root, or without /proc: then it is as killable as others.
    let _ = std::fs::write("/proc/self/oom_score_adj", OOM_SCORE);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(32)
        .thread_keep_alive(IDLE)
        .build();
    for wrong in agent::templates::apply() {
        say(&format!("microcloud-agent: {wrong}"), ExitCode::SUCCESS);
    }
    match runtime {
        Ok(runtime) => {
            // Before others are told that it is there, who set up the network.
            for wrong in runtime.block_on(agent::nics::apply()) {
                say(&format!("microcloud-agent: {wrong}"), ExitCode::SUCCESS);
            }
            ready();
            runtime.block_on(agent::port::run(port))
        }
        Err(error) => say(&format!("microcloud-agent: {error}"), ExitCode::FAILURE),
    }
}

/// Tells systemd, if it waits for that: units in images made for LXD do, and end an agent that does not say so.
fn ready() {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else { return };
    let socket = socket.as_bytes();
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(OsStr::from_bytes(socket)),
    };
    // Who does not hear it starts the agent anew, and that says it again.
    let _ = address.and_then(|to| UnixDatagram::unbound()?.send_to_addr(b"READY=1", &to));
}
