//! The console: attach, type, leave; and what it said before.

use std::{
    io::Write,
    path::PathBuf,
    process::{Child, ExitStatus, Stdio},
    time::Duration,
};

use lab::{Client, Daemon, until};

/// Somebody at a terminal of his own.
struct Person {
    script: Child,
    log: PathBuf,
}

impl Person {
    fn shown(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until he is attached: both clients say how to leave.
    fn attached(self) -> Person {
        until("the client is attached", || self.shown().contains("a q").then_some(()));
        self
    }

    fn ended(mut self) -> (ExitStatus, String) {
        let status = until("the client leaves", || self.script.try_wait().ok().flatten());
        (status, self.shown())
    }
}

/// Attaches with a client on a terminal of its own, types, leaves; what it showed.
fn attach(daemon: &Daemon, client: Client, keys: &[&str]) -> String {
    let mut person = begin(daemon, client, "").attached();
    let mut input = person.script.stdin.take();
    for keys in keys {
        if let Some(input) = &mut input {
            // A client that is gone shows as a missing answer.
            let _ = input.write_all(keys.as_bytes()).and_then(|()| input.flush());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    let (status, shown) = person.ended();
    assert!(status.success(), "{client:?}: {status}: {shown}");
    shown
}

fn begin(daemon: &Daemon, client: Client, option: &str) -> Person {
    let program = daemon.command(client).get_program().to_string_lossy().into_owned();
    let line = format!("stty sane; {program} console x {option}");
    let log = daemon.scratch().join(format!("{client:?}{option}.typescript"));
    let log_path = log.to_string_lossy().into_owned();
    let words = ["script", "--quiet", "--flush", "--return", "--command", &line, &log_path];
    let mut command = lab::program(&words);
    for (key, value) in daemon.command(client).get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command.env("TERM", "xterm").env("SHELL", "/bin/sh");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // What is there of an earlier one is no greeting of this one.
    let _ = std::fs::remove_file(&log);
    let script = command.spawn().unwrap_or_else(|e| panic!("script: {e}"));
    Person { script, log }
}

#[test]
fn people_type_on_the_console() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("x");
    for client in Client::BOTH {
        let shown = attach(&daemon, client, &["\r", "echo a$((40+2))b\r", "\u{1}", "q"]);
        assert!(shown.contains("a42b"), "{client:?}: {shown}");
    }
    let log = daemon.cli(["console", "x", "--show-log"]).text();
    assert!(log.contains("a42b"), "{log}");
    // Who is attached is so alone, until somebody takes it by force.
    let first = begin(&daemon, Client::Lxc, "").attached();
    let (status, shown) = begin(&daemon, Client::Cli, "").ended();
    assert!(!status.success() && shown.contains("--force"), "{status}: {shown}");
    let mut second = begin(&daemon, Client::Cli, "--force").attached();
    first.ended();
    if let Some(mut input) = second.script.stdin.take() {
        input.write_all(b"\x01q").unwrap_or_else(|e| panic!("{e}"));
    }
    assert!(second.ended().0.success());
    // The console outlives the daemon.
    daemon.kill9();
    daemon.launch();
    let shown = attach(&daemon, Client::Lxc, &["\r", "echo b$((50+3))c\r", "\u{1}", "q"]);
    assert!(shown.contains("b53c"), "{shown}");
}
