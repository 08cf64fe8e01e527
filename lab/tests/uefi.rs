//! The variables of a virtual machine's firmware.

use lab::{Client, Daemon};
use serde_json::{Value, json};

const TIMEOUT: &str = "Timeout-8be4df61-93ca-11d2-aa0d-00e098032b8c";
const OWN: &str = "Mine-01234567-89ab-cdef-0123-456789abcdef";

#[test]
fn variables_are_read_and_written_while_a_machine_does_not_run() {
    let Some(daemon) = Daemon::machines() else { return };
    daemon.lxc(["init", "e", "--empty", "--vm", "-d", "root,size=16MiB"]).ok();
    daemon.lxc(["config", "set", "e", "security.secureboot=false", "limits.memory=256MiB"]).ok();
    let path = "/1.0/instances/e/uefi-vars";
    // Before its first start it has what every machine begins with.
    let first = daemon.get(path)["variables"].clone();
    assert!(first.is_object(), "{first}");
    assert_eq!(first.get(OWN), None);
    let set = |words: &[&str]| {
        daemon.run(Client::Cli, &[&["config", "uefi", "set", "e"][..], words].concat())
    };
    set(&[&format!("{OWN}=c0ffee"), &format!("{TIMEOUT}=0700")]).ok();
    assert_eq!(daemon.cli(["config", "uefi", "get", "e", OWN]).text(), "c0ffee");
    assert_eq!(daemon.get(path)["variables"][OWN]["attr"], 7);
    set(&["Mine=00"]).fails_with("a GUID");
    set(&[&format!("{OWN}=zz")]).fails_with("not hexadecimal");

    // The firmware finds what is there, and adds its own.
    daemon.lxc(["start", "e"]).ok();
    assert!(daemon.request("GET", path, "").error().contains("stop it first"));
    daemon.says("e", "Shell>");
    daemon.lxc(["stop", "e", "--force"]).ok();
    let after = daemon.get(path)["variables"].clone();
    assert_eq!(after[OWN]["data"], "c0ffee");
    // This one it replaced, by what QEMU tells it.
    assert_eq!(after[TIMEOUT]["data"], "0000");
    let count = |all: &Value| all.as_object().map_or(0, serde_json::Map::len);
    assert!(count(&after) > count(&first) + 1, "{after}");
    assert!(
        after.as_object().is_some_and(|all| all.keys().any(|key| key.starts_with("BootOrder-")))
    );

    // Who has seen another state changes nothing.
    let tag = daemon.request("GET", path, "").etag.unwrap_or_default();
    daemon.cli(["config", "uefi", "unset", "e", OWN]).ok();
    daemon.cli(["config", "uefi", "unset", "e", OWN]).fails_with("no variable of that name");
    let body = json!({ "variables": after }).to_string();
    let late = daemon.try_request("PUT", path, &[("If-Match", &tag)], body.as_bytes());
    assert_eq!(late.map(|reply| reply.status).unwrap_or_default(), 412);
    // What was written is read by the firmware again; snapshots have what there was.
    daemon.lxc(["snapshot", "e", "one"]).ok();
    set(&[&format!("{OWN}=01")]).ok();
    daemon.lxc(["restore", "e", "one"]).ok();
    assert_eq!(daemon.get(path)["variables"].get(OWN), None);

    // Those that have none.
    daemon.lxc(["init", "busybox", "c"]).ok();
    daemon.cli(["config", "uefi", "show", "c"]).fails_with("containers have no firmware");
    daemon.lxc(["config", "set", "e", "security.csm=true"]).ok();
    daemon.cli(["config", "uefi", "show", "e"]).fails_with("BIOS");
    daemon.lxc(["init", "tiny", "v", "--vm", "-d", "root,size=16MiB"]).ok();
    daemon.cli(["config", "uefi", "show", "v"]).fails_with("without a firmware");
    daemon.cli(["config", "uefi", "show", "nobody"]).fails_with("not found");
}
