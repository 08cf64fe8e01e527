//! The unit, run by a real systemd: a privileged Debian in which the daemon itself runs, and in that
//! an instance.

use std::{path::Path, time::Duration};

use lab::{Client, Daemon, within};
use serde_json::Value;

const UNIT: &[u8] = include_bytes!("../../packaging/microcloud.service");

/// A shutdown of Debian and what runs in it.
const DOWN: Duration = Duration::from_secs(60);

/// Starts "outer", a Debian with the program, the unit, and a state folder that is no overlay.
fn outer(daemon: &Daemon) {
    let state = daemon.scratch().join("inner");
    std::fs::create_dir(&state).unwrap_or_else(|e| panic!("cannot make {state:?}: {e}"));
    let rights = ["-c", "security.privileged=true", "-c", "security.nesting=true"];
    daemon.run(Client::Cli, &[&["create", "local:debian", "outer"], &rights[..]].concat()).ok();
    let client = daemon.command(Client::Cli);
    let busybox = lab::host(&["sh", "-c", "readlink -f $(command -v busybox)"]).text();
    for (name, from, to) in [
        ("state", state.as_path(), "/var/lib/microcloud"),
        ("program", Path::new(client.get_program()), "/usr/local/bin/microcloud"),
        ("busybox", Path::new(&busybox), "/usr/local/bin/busybox"),
    ] {
        let (source, path) = (format!("source={}", from.display()), format!("path={to}"));
        daemon.cli(["config", "device", "add", "outer", name, "disk", &source, &path]).ok();
    }
    daemon.cli(["start", "outer"]).ok();
    assert_eq!(daemon.booted("outer"), "running");
    let write = "cat > /etc/systemd/system/microcloud.service && groupadd --system microcloud";
    let words = ["exec", "outer", "--", "sh", "-c", write];
    daemon.run_with(Client::Cli, &words, UNIT.to_vec()).ok();
    daemon.sh("outer", "systemctl daemon-reload && systemctl enable --now microcloud").ok();
}

/// The first process of the instance in "outer".
fn init(daemon: &Daemon) -> u64 {
    let text = daemon.sh("outer", "microcloud query /1.0/instances/in/state").text();
    let state: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
    state["pid"].as_u64().unwrap_or_default()
}

fn await_instance(daemon: &Daemon) {
    within(DOWN, "the instance runs again", || {
        (daemon.sh("outer", "microcloud exec in -- true").status == 0).then_some(())
    });
}

#[test]
fn the_unit_keeps_instances_and_ends_them_with_the_machine() {
    let Some(daemon) = Daemon::debian() else { return };
    outer(&daemon);
    // No network: there is no nft in it, and nothing to fetch it from.
    let set_up = "microcloud storage create default dir && \
        microcloud profile device add default root disk path=/ pool=default && \
        microcloud image build busybox --alias busybox && microcloud launch local:busybox in";
    daemon.sh("outer", set_up).ok();
    let first = init(&daemon);
    assert_ne!(first, 0);
    // The members of the group may use it, others may not.
    let user =
        "useradd --groups microcloud joe && useradd ann && su joe -c 'microcloud list -f csv'";
    assert!(daemon.sh("outer", user).text().starts_with("in,RUNNING"));
    daemon.sh("outer", "su ann -c 'microcloud list'").fails_with("usermod -aG microcloud");

    daemon.sh("outer", "systemctl restart microcloud").ok();
    assert_eq!(init(&daemon), first, "it lives on");
    daemon.sh("outer", &format!("systemctl stop microcloud && test -d /proc/{first}")).ok();
    daemon.sh("outer", "systemctl start microcloud").ok();
    assert_eq!(init(&daemon), first, "it lived on");

    // What it does when it is asked to end.
    let note = "echo '::shutdown:/bin/touch /root/ended' >> /etc/inittab && kill -HUP 1";
    daemon.sh("outer", &format!("microcloud exec in -- sh -c \"{note}\"")).ok();
    let left = "microcloud exec in -- rm /root/ended";
    daemon.sh("outer", "systemctl poweroff");
    within(DOWN, "it is off", || (daemon.status("outer") == "Stopped").then_some(()));
    daemon.cli(["start", "outer"]).ok();
    assert_eq!(daemon.booted("outer"), "running");
    await_instance(&daemon);
    daemon.sh("outer", left).ok();

    let before = daemon.init_of("outer");
    daemon.sh("outer", "systemctl reboot");
    within(DOWN, "it comes back", || {
        let now = daemon.init_of("outer");
        (now != 0 && now != before).then_some(())
    });
    assert_eq!(daemon.booted("outer"), "running");
    await_instance(&daemon);
    daemon.sh("outer", left).ok();

    // By hand: systemd does not start again what ended well.
    daemon.sh("outer", "microcloud shutdown").ok();
    let stands = daemon.sh("outer", "systemctl is-active microcloud").shown();
    assert!(["inactive\n", "deactivating\n"].contains(&stands.as_str()), "{stands}");
    daemon.sh("outer", "systemctl start microcloud").ok();
    await_instance(&daemon);
    daemon.sh("outer", left).ok();
}
