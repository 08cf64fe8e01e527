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
    // Noise is slowly made in an emulated machine.
    within(BOOT, "it has no room", || (daemon.status("v") == "Error").then_some(()));
    std::fs::remove_file(&filler).unwrap_or_else(|e| panic!("{filler}: {e}"));
    within(BOOT, "what was to be written is", || {
        (daemon.sh("v", "test -e /run/written").status == 0).then_some(())
    });
    daemon.await_status("v", "Running");
    daemon.cli(["delete", "v", "--force"]).ok();
    daemon.cli(["storage", "delete", "small"]).ok();
    host(&["umount", &at]).ok();
}

/// Sets the watchdog on QEMU's board (Intel's i6300ESB) to run out after a second, and after another one to start the
/// machine again; and does no more. The kernel of the small guest has no driver for it.
const WATCHDOG: &str = r"
    card=$(dirname $(grep -l 0x25ab /sys/bus/pci/devices/*/device)); echo 1 > $card/enable
    at=$(head -n 1 $card/resource | cut -d ' ' -f 1)
    put() { devmem $((at + 12)) 16 0x80; devmem $((at + 12)) 16 0x86; devmem $((at + $1)) 32 $2; }
    put 0 1000; put 4 1000
    printf '\002' | dd of=$card/config bs=1 seek=104 conv=notrunc 2> /dev/null";

#[test]
fn a_guest_that_hangs_is_started_again_by_its_watchdog() {
    let Some(daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    daemon.cli(["launch", "local:tiny", "v", "--vm", "--device", "root,size=16MiB"]).ok();
    up(&daemon, 1);
    let qemu = daemon.init_of("v");
    daemon.sh("v", WATCHDOG).ok();
    daemon.says("v", "guest is up, boot 2");
    assert_eq!(daemon.init_of("v"), qemu, "the machine is the same");
    daemon.await_status("v", "Running");
    assert!(daemon.log().contains("its watchdog ran out"), "{}", daemon.tail());
    // It is off until somebody sets it again.
    up(&daemon, 2);
    daemon.cli(["delete", "v", "--force"]).ok();
}
