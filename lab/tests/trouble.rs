//! Virtual machines that cannot go on: their kernel panics, the disk of the server is full.

use std::time::Duration;

use lab::{Client, Daemon, host, within};

/// A program that is run through the agent, which may be about to come.
const BOOT: Duration = Duration::from_secs(90);

fn up(daemon: &Daemon, boot: u32) {
    daemon.says("v", &format!("guest is up, boot {boot}"));
    within(BOOT, "the agent answers", || (daemon.sh("v", "true").status == 0).then_some(()));
}

/// Has the guest's kernel panic. Nobody is told how that program ends.
fn panics(daemon: &Daemon) {
    daemon.sh("v", "(sleep 1; echo c > /proc/sysrq-trigger) > /dev/null 2>&1 &").ok();
}

#[test]
fn a_kernel_that_panics_is_told_and_may_start_again_by_itself() {
    let Some(mut daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    daemon.cli(["launch", "local:tiny", "v", "--vm", "--device", "root,size=16MiB"]).ok();
    up(&daemon, 1);
    panics(&daemon);
    daemon.await_status("v", "Error");
    for client in Client::BOTH {
        let listed = daemon.run(client, &["list"]).text();
        assert!(listed.contains("ERROR"), "{client:?}: {listed}");
    }
    daemon.cli(["exec", "v", "--", "true"]).fails_with("panicked");
    assert!(daemon.console("v").contains("Kernel panic"), "its console tells why");
    // Another daemon knows it too.
    daemon.kill9();
    daemon.launch();
    daemon.await_status("v", "Error");
    // It is not asked to stop, as it would never hear.
    daemon.cli(["restart", "v"]).ok();
    daemon.await_status("v", "Running");
    up(&daemon, 2);

    // A guest that is set to start again does.
    daemon.sh("v", "echo 2 > /proc/sys/kernel/panic").ok();
    panics(&daemon);
    daemon.says("v", "guest is up, boot 3");
    daemon.await_status("v", "Running");
    daemon.cli(["stop", "v", "--force"]).ok();
    assert_eq!(daemon.status("v"), "Stopped");
}

#[test]
fn a_machine_waits_for_room_on_the_server() {
    let Some(daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let small = daemon.scratch().join("small");
    std::fs::create_dir(&small).unwrap_or_else(|e| panic!("{small:?}: {e}"));
    let at = small.to_string_lossy().into_owned();
    host(&["mount", "-t", "tmpfs", "-o", "size=192m", "microcloud-lab", &at]).ok();
    std::fs::create_dir(small.join("pool")).unwrap_or_else(|e| panic!("{small:?}: {e}"));
    daemon.cli(["storage", "create", "small", "dir", &format!("source={at}/pool")]).ok();
    daemon
        .cli([
            "launch",
            "local:tiny",
            "v",
            "--vm",
            "--storage",
            "small",
            "--device",
            "root,size=96MiB",
        ])
        .ok();
    up(&daemon, 1);
    let rest = host(&["df", "--output=avail", "-BM", &at]).text();
    let mib: u32 = rest
        .lines()
        .next_back()
        .and_then(|it| it.trim().trim_end_matches('M').parse().ok())
        .unwrap_or_else(|| panic!("{rest}"));
    let filler = format!("{at}/filler");
    host(&["fallocate", "-l", &format!("{}MiB", mib - 16), &filler]).ok();
    let write =
        "dd if=/dev/urandom of=/dev/sda bs=1M seek=1 count=64 conv=fsync && touch /run/written";
    daemon.sh("v", &format!("({write}) > /dev/null 2>&1 &")).ok();
    daemon.await_status("v", "Error");
    std::fs::remove_file(&filler).unwrap_or_else(|e| panic!("{filler}: {e}"));
    within(BOOT, "what was to be written is", || {
        (daemon.sh("v", "test -e /run/written").status == 0).then_some(())
    });
    daemon.await_status("v", "Running");
    daemon.cli(["delete", "v", "--force"]).ok();
    daemon.cli(["storage", "delete", "small"]).ok();
    host(&["umount", &at]).ok();
}
