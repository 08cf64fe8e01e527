//! Debian in a virtual machine, as the server builds it: UEFI with secure boot, systemd, the agent by the drive.

use std::time::Duration;

use lab::{Client, Daemon, within};

/// A boot under QEMU's translator, on a loaded machine.
const BOOT: Duration = Duration::from_secs(240);

#[test]
fn debian_boots_in_a_machine_and_is_reached_by_its_agent() {
    for program in ["qemu-system-x86_64", "qemu-img", "mcopy"] {
        if !lab::installed(program) {
            return lab::skip(&format!("not installed: {program}"));
        }
    }
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let Some(files) = lab::images::debian_machine() else { return };
    let Some(daemon) = Daemon::ready() else { return };
    let [main, disk] = ["main", "rootfs"].map(|name| files.join(name).display().to_string());
    daemon.lxc(["image", "import", &main, &disk, "--alias", "debian/12"]).ok();
    daemon.lxc(["launch", "debian/12", "v1", "--vm", "--device", "root,size=5GiB"]).ok();
    within(BOOT, "the agent answers", || {
        (daemon.cli(["exec", "v1", "--", "true"]).status == 0).then_some(())
    });
    let state = within(BOOT, "systemd is up", || {
        let said = daemon.sh("v1", "systemctl is-system-running").shown().trim().to_owned();
        ["running", "degraded"].contains(&said.as_str()).then_some(said)
    });
    let failed = daemon.sh("v1", "systemctl --failed --no-legend --plain").text();
    assert_eq!((state.as_str(), failed.as_str()), ("running", ""));

    // By the machine's name it asked for its address; its root is as large as its disk.
    assert_eq!(daemon.sh("v1", "hostname").text(), "v1");
    let address = daemon.address("v1").to_string();
    let inside = daemon.sh("v1", "ip -4 -brief address").text();
    assert!(inside.contains(&address), "{inside}");
    let root = daemon.sh("v1", "df --output=size -BM / | tail -n 1").text();
    let mib: u64 =
        root.trim().trim_end_matches('M').parse().unwrap_or_else(|e| panic!("{root}: {e}"));
    assert!(mib > 4500, "{root}");
    let secure = daemon.sh("v1", "od -An -t u1 -j 4 /sys/firmware/efi/efivars/SecureBoot-*").text();
    assert_eq!(secure.trim(), "1", "it booted with secure boot");
    daemon.sh("v1", "ls /boot/efi/EFI/BOOT/grubx64.efi").ok();
    // The drive was let go of.
    daemon.sh("v1", "! grep -q microcloud-agent/.drive /proc/mounts").ok();

    let file = daemon.scratch().join("file");
    std::fs::write(&file, "there and back").unwrap_or_else(|e| panic!("{e}"));
    let path = file.display().to_string();
    for client in Client::BOTH {
        daemon.run(client, &["file", "push", &path, "v1/root/file"]).ok();
        let back = daemon.run(client, &["file", "pull", "v1/root/file", "-"]).text();
        assert_eq!(back.trim(), "there and back", "{client:?}");
    }
    devlxd(&daemon);
    // Programs survive the agent's restart.
    daemon.sh("v1", "setsid sleep 1000 >/dev/null 2>&1 & systemctl restart microcloud-agent");
    within(BOOT, "the agent answers again", || {
        (daemon.cli(["exec", "v1", "--", "pgrep", "-f", "sleep 1000"]).status == 0).then_some(())
    });
    daemon.lxc(["stop", "v1"]).ok();
    assert_eq!(daemon.status("v1"), "Stopped");
}

/// A request to the guest API from within.
const ASK: &str = r#"ask() { perl -MIO::Socket::UNIX -e '$s = IO::Socket::UNIX->new("/dev/lxd/sock") or die "no: $!\n";
    print $s "$ARGV[0] HTTP/1.0\r\nContent-Length: " . length($ARGV[1] // "") . "\r\n\r\n$ARGV[1]";
    while (<$s>) { print; $| = 1 }' "$@"; }; "#;

/// The machine hears of itself as a container does, over its agent.
fn devlxd(daemon: &Daemon) {
    let ask = |line: &str| daemon.sh("v1", &format!("{ASK} {line}"));
    daemon.lxc(["config", "set", "v1", "user.note=mine"]).ok();
    within(BOOT, "somebody answers", || (ask("ask 'GET /'").status == 0).then_some(()));
    let said = ask("ask 'GET /1.0/config/user.note'").text();
    assert!(said.ends_with("\r\n\r\nmine"), "{said}");
    assert!(ask("ask 'GET /1.0'").text().contains("virtual-machine"));
    assert!(ask("ask 'GET /1.0/config/volatile.uuid'").text().contains(" 403 "));
    assert!(ask("ask 'PATCH /1.0' '{\"state\":\"Ready\"}'").text().contains(" 200 OK"));
    assert_eq!(daemon.status("v1"), "Ready");
    let said = daemon.cli([
        "exec",
        "v1",
        "--user",
        "1000",
        "--",
        "sh",
        "-c",
        &format!("{ASK} ask 'GET /'"),
    ]);
    assert!(said.fails().contains("Permission denied"));
    // What changes is told.
    ask("(ask 'GET /1.0/events' > /root/events 2>&1 &)").ok();
    within(BOOT, "a change is told", || {
        daemon.lxc(["config", "set", "v1", &format!("user.{}=x", std::process::id())]).ok();
        daemon.lxc(["config", "unset", "v1", &format!("user.{}", std::process::id())]).ok();
        daemon.sh("v1", "cat /root/events").text().contains("\"old_value\":\"x\"").then_some(())
    });
    daemon.lxc(["config", "set", "v1", "security.devlxd=false"]).ok();
    within(BOOT, "the socket goes", || {
        (daemon.sh("v1", "test -e /dev/lxd/sock").status == 1).then_some(())
    });
    daemon.lxc(["config", "set", "v1", "security.devlxd=true"]).ok();
    within(BOOT, "it comes back", || (ask("ask 'GET /'").status == 0).then_some(()));
}
