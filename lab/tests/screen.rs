//! The screen of a virtual machine, shown to the viewers that both clients start.

use std::{env, fs, os::unix::fs::PermissionsExt, time::Duration};

use lab::{Background, Client, Daemon};

const VIEWER: &str = include_str!("screen.py");

/// Runs `console` with a viewer that says what it saw.
#[track_caller]
fn shown(daemon: &Daemon, client: Client, kind: &str) -> Vec<String> {
    let folder = daemon.scratch().join("viewers");
    let seen = folder.join("seen");
    fs::create_dir_all(&folder).unwrap_or_else(|e| panic!("{e}"));
    let _ = fs::remove_file(&seen);
    for name in ["remote-viewer", "vncviewer"] {
        let file = folder.join(name);
        let done = fs::write(&file, format!("#!/usr/bin/env python3\n{VIEWER}"))
            .and_then(|()| fs::set_permissions(&file, fs::Permissions::from_mode(0o755)));
        done.unwrap_or_else(|e| panic!("{e}"));
    }
    let mut command = daemon.command(client);
    let path = env::var("PATH").unwrap_or_default();
    command.args(["console", "empty", "--type", kind]);
    command.env("PATH", format!("{}:{path}", folder.display())).env("SCREEN_SEEN", &seen);
    Background::start(command, Vec::new()).limit(Duration::from_secs(60)).wait().ok();
    let said = fs::read_to_string(&seen).unwrap_or_default();
    said.lines().map(str::to_owned).collect()
}

#[test]
fn a_screen_is_shown_to_viewers() {
    let Some(mut daemon) = Daemon::machines() else { return };
    daemon.lxc(["init", "empty", "--empty", "--vm", "--device", "root,size=32MiB"]).ok();
    daemon.lxc(["config", "set", "empty", "security.secureboot=false"]).ok();
    daemon.lxc(["start", "empty"]).ok();
    let spice = ["spice REDQ 0"; 2];
    let vnc = ["vnc RFB 003.008 True 0 True"; 2];
    assert_eq!(shown(&daemon, Client::Lxc, "vga"), spice);
    assert_eq!(shown(&daemon, Client::Cli, "vga"), spice);
    assert_eq!(shown(&daemon, Client::Cli, "vnc"), vnc);
    // A daemon that comes later shows it too.
    daemon.kill9();
    daemon.launch();
    daemon.await_status("empty", "Running");
    assert_eq!(shown(&daemon, Client::Cli, "vga"), spice);

    // What has no screen says so.
    daemon.cli(["launch", "local:tiny", "v", "--vm"]).ok();
    daemon.cli(["console", "v", "--type", "vga"]).fails_with("has no screen");
    daemon.busybox("c");
    daemon.cli(["console", "c", "--type", "vnc"]).fails_with("a text console only");
    daemon.cli(["console", "c", "--type", "film"]).fails_with("possible values: console, vga, vnc");
}
