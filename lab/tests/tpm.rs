//! A TPM 2 of a virtual machine, asked by its guest.

use lab::Daemon;

/// Which start of the machine the chip counts: `TPM2_ReadClock`, whose answer has the number after two clocks.
fn resets(daemon: &Daemon, name: &str) -> u32 {
    let ask = r"exec 3<>/dev/tpm0; printf '\200\001\0\0\0\012\0\0\001\201' >&3; head -c 43 <&3 | od -An -tx1 -v";
    let bytes = lab::within(std::time::Duration::from_secs(90), "the chip answers", || {
        let said = daemon.sh(name, ask);
        (said.status == 0).then(|| said.text().split_whitespace().collect::<String>())
    });
    assert_eq!(bytes.get(12..20), Some("00000000"), "no error in {bytes}");
    u32::from_str_radix(&bytes[52..60], 16).unwrap_or_else(|e| panic!("{bytes}: {e}"))
}

#[test]
fn a_chip_remembers_what_its_machine_told_it() {
    if !lab::installed("swtpm") {
        return lab::skip("swtpm is not installed");
    }
    let Some(mut daemon) = Daemon::machines() else { return };
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    daemon.busybox("c");
    daemon.lxc(["config", "device", "add", "c", "chip", "tpm"]).fails_with("only virtual machines");
    daemon.lxc(["delete", "c", "--force"]).ok();

    daemon.lxc(["init", "tiny", "v", "--vm", "--device", "root,size=16MiB"]).ok();
    daemon
        .cli(["config", "device", "add", "v", "chip", "tpm", "path=/dev/tpm0"])
        .fails_with("path");
    daemon.lxc(["config", "device", "add", "v", "chip", "tpm"]).ok();
    daemon.lxc(["config", "device", "add", "v", "more", "tpm"]).fails_with("can have one TPM");
    daemon.cli(["start", "v"]).ok();
    let first = resets(&daemon, "v");
    daemon.lxc(["config", "device", "remove", "v", "chip"]).fails_with("stop it first");
    // It outlives the daemon, and remembers at the next start.
    daemon.kill9();
    daemon.launch();
    assert_eq!(resets(&daemon, "v"), first);
    daemon.cli(["snapshot", "v", "one"]).ok();
    daemon.cli(["restart", "v", "--force"]).ok();
    let second = resets(&daemon, "v");
    assert!(second > first, "{first}, then {second}");

    // A machine that goes on with its memory was never reset.
    daemon.lxc(["config", "set", "v", "migration.stateful=true"]).ok();
    daemon.lxc(["stop", "v", "--stateful"]).ok();
    daemon.lxc(["config", "device", "remove", "v", "chip"]).ok();
    daemon.cli(["start", "v"]).fails_with("a TPM came or went");
    daemon.lxc(["config", "device", "add", "v", "chip", "tpm"]).ok();
    daemon.cli(["start", "v"]).ok();
    assert_eq!(resets(&daemon, "v"), second);

    // A snapshot has the chip as it was.
    daemon.cli(["stop", "v", "--force"]).ok();
    daemon.cli(["restore", "v", "one"]).ok();
    daemon.cli(["start", "v"]).ok();
    assert_eq!(resets(&daemon, "v"), second);
    daemon.cli(["delete", "v", "--force"]).ok();
    daemon.no_instance_left();
}
