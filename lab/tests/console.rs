//! The console: attach, type, leave; and what it said before.

use std::{io::Write, process::Stdio, time::Duration};

use lab::{Client, Daemon, until};

/// Attaches with a client on a terminal of its own, types, leaves; what it showed.
fn attach(daemon: &Daemon, client: Client, keys: &[&str]) -> String {
    let program = daemon.command(client).get_program().to_string_lossy().into_owned();
    let line = format!("stty sane; {program} console x");
    let log = daemon.scratch().join(format!("{client:?}.typescript"));
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
    let mut script = command.spawn().unwrap_or_else(|e| panic!("script: {e}"));
    let shown = || std::fs::read(&log).map(|b| String::from_utf8_lossy(&b).into_owned());
    // Both say how to leave.
    let greets = |text: String| text.contains("a q").then_some(());
    until("the client is attached", || greets(shown().ok()?));
    let mut input = script.stdin.take();
    for keys in keys {
        if let Some(input) = &mut input {
            // A client that is gone shows as a missing answer.
            let _ = input.write_all(keys.as_bytes()).and_then(|()| input.flush());
        }
        std::thread::sleep(Duration::from_millis(300));
    }
    let ended = until("the client leaves", || script.try_wait().ok().flatten());
    assert!(ended.success(), "{client:?}: {ended}: {:?}", shown());
    shown().unwrap_or_default()
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
    // The console outlives the daemon.
    daemon.kill9();
    daemon.launch();
    let shown = attach(&daemon, Client::Lxc, &["\r", "echo b$((50+3))c\r", "\u{1}", "q"]);
    assert!(shown.contains("b53c"), "{shown}");
}
