//! Virtual machines in a pool that members share: they live there as in any, and move while they run, without their disks.
#![allow(clippy::print_stderr, reason = "a test that tells people how long a guest stood still")]

use std::time::Duration;

use lab::{Client, Daemon, cluster::Cluster, until, within};

/// So many members with a pool of Ceph, the image `tiny`, and a pool that each has for itself.
pub(crate) fn members(count: usize, source: &str) -> Option<Cluster> {
    lab::machines::kernel()?;
    let cluster = Cluster::with_ceph(count)?;
    let first = &cluster.members[0];
    first.lxc(["storage", "create", "default", "dir"]).ok();
    let source = format!("source={source}");
    first.lxc(["storage", "create", "shared", "ceph", &source, "volume.size=256MiB"]).ok();
    let root = ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=shared"];
    first.lxc(root).ok();
    first.tiny().then_some(cluster)
}

/// Deletes the image, and waits until each member has done so.
pub(crate) fn forget_image(cluster: &Cluster) {
    cluster.members[0].lxc(["image", "delete", "tiny"]).ok();
    let has = |daemon: &Daemon| {
        let entries = std::fs::read_dir(daemon.folder().join("images"));
        entries.into_iter().flatten().count() > 0
    };
    within(Duration::from_secs(60), "no member has the image", || {
        (!cluster.members.iter().any(has)).then_some(())
    });
}

#[test]
fn a_machine_does_all_in_a_shared_pool() {
    let Some(mut cluster) = members(1, "lives") else { return };
    let first = &cluster.members[0];
    first.cli(["launch", "local:tiny", "u", "--vm", "-c", "limits.memory=128MiB"]).ok();
    first.says("u", "guest is up, boot 1");
    let disk = ["storage", "volume", "create", "shared", "data", "--type=block", "size=32MiB"];
    first.lxc(disk).ok();
    let attach = ["config", "device", "add", "u", "volume", "disk", "pool=shared", "source=data"];
    let remove = ["config", "device", "remove", "u", "volume"];
    first.lxc(attach).ok();
    first.says("u", "disk sdb: 32 MiB");
    first.lxc(remove).ok();
    first.says("u", "disk sdb is gone");
    first.lxc(attach).ok();
    // A later daemon knows what an earlier one attached.
    cluster.members[0].kill9();
    cluster.members[0].launch();
    let first = &cluster.members[0];
    first.await_status("u", "Running");
    first.lxc(["snapshot", "u", "one"]).ok();
    first.lxc(["snapshot", "u", "two"]).ok();
    first.lxc(["restart", "u", "--force"]).ok();
    // Which of two disks is the first one differs from boot to boot.
    first.says("u", "32 MiB");
    first.lxc(["stop", "u", "--force"]).ok();
    first.lxc(remove).ok();
    first.lxc(["delete", "u"]).ok();
    first.lxc(["storage", "volume", "delete", "shared", "data"]).ok();
    lab::machines::live_in(first, "shared");
}

/// What the guest that counts has counted, as any member tells.
pub(crate) fn count(daemon: &Daemon) -> u64 {
    within(Duration::from_secs(90), "it counts", || {
        let said = daemon.lxc(["exec", "v", "--", "cat", "/run/count"]);
        (said.status == 0).then(|| said.text().trim().parse::<u64>().ok())?
    })
}

pub(crate) fn sh(daemon: &Daemon, line: &str) -> String {
    let said = daemon.lxc(["exec", "v", "--", "sh", "-c", line]);
    assert_eq!(said.status, 0, "{line}: {}", said.shown());
    said.text().trim().to_owned()
}

/// Writes a word to a place of a disk, for good.
pub(crate) fn mark(daemon: &Daemon, disk: &str, place: u32, word: &str) {
    let to = format!("of={disk} bs=512 seek={place} conv=notrunc,fsync");
    sh(daemon, &format!("printf '%-16s' {word} | dd {to} 2> /dev/null"));
}

/// The word that is there on the disk itself, not in the guest's memory.
pub(crate) fn marked(daemon: &Daemon, disk: &str, place: u32) -> String {
    let from = format!("dd if={disk} bs=512 skip={place} count=1");
    sh(daemon, &format!("echo 3 > /proc/sys/vm/drop_caches; {from} 2> /dev/null | head -c 16"))
}

/// A machine `v` that counts, on a member.
pub(crate) fn counting(daemon: &Daemon, member: &str) {
    let small = ["-c", "limits.memory=128MiB", "-d", "root,size=32MiB"];
    let live = ["--vm", "--target", member, "-c", "migration.stateful=true"];
    daemon.run(Client::Lxc, &[&["launch", "tiny", "v"][..], &live, &small].concat()).ok();
    let script = "(i=0; while :; do i=$((i+1)); echo $i > /run/count; sleep 0.05; done) < /dev/null > /dev/null 2>&1 &";
    within(Duration::from_secs(120), "the agent answers", || {
        (daemon.lxc(["exec", "v", "--", "sh", "-c", script]).status == 0).then_some(())
    });
}

/// Whether a member has a monitor of an instance: it runs there, or is about to.
pub(crate) fn runs(daemon: &Daemon, name: &str) -> bool {
    let folder = daemon.folder().join("run").join(format!("default_{name}"));
    folder.join("monitor.sock").exists()
}

pub(crate) fn place(daemon: &Daemon, name: &str) -> [String; 2] {
    let found = daemon.get(&format!("/1.0/instances/{name}"));
    ["location", "status"].map(|key| found[key].as_str().unwrap_or_default().to_owned())
}

/// Prints how long a guest stood still when it last left a member.
fn standstill(from: &Daemon, what: &str) {
    let log = from.log();
    let line = log.lines().rev().find(|line| line.contains("stood still so long"));
    eprintln!("{what}: {}", line.unwrap_or("nobody says how long it stood still"));
}

#[test]
fn a_machine_that_runs_moves_and_its_disks_stay() {
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let Some(cluster) = members(3, "live") else { return };
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    counting(first, "m1");
    first.lxc(["snapshot", "v", "before"]).ok();
    let disk = ["storage", "volume", "create", "shared", "data", "--type=block", "size=16MiB"];
    first.lxc(disk).ok();
    let attach = ["config", "device", "add", "v", "data", "disk", "pool=shared", "source=data"];
    first.lxc(attach).ok();
    first.says("v", "disk sdb: 16 MiB");
    let boot = sh(first, "cat /proc/sys/kernel/random/boot_id");
    mark(first, "/dev/sda", 8, "first");
    mark(first, "/dev/sdb", 8, "more");
    let mut before = count(first);

    let ways = [(first, second, "m2"), (second, third, "m3"), (third, first, "m1")];
    for (from, to, name) in ways {
        mark(third, "/dev/sda", 16, &format!("to-{name}"));
        third.lxc(["move", "v", "--target", name]).ok();
        standstill(from, &format!("to {name}"));
        assert_eq!(place(first, "v"), [name, "Running"]);
        assert!(runs(to, "v") && !runs(from, "v"), "it runs on one member");
        let after = count(second);
        assert!(after > before, "{before} {after}");
        before = after;
        assert_eq!(sh(first, "cat /proc/sys/kernel/random/boot_id"), boot);
        for (disk, at, word) in [
            ("/dev/sda", 8, "first"),
            ("/dev/sda", 16, &*format!("to-{name}")),
            ("/dev/sdb", 8, "more"),
        ] {
            assert_eq!(marked(first, disk, at), word, "{disk} on {name}");
        }
        mark(first, "/dev/sdb", 24, name);
        assert_eq!(marked(first, "/dev/sdb", 24), name);
    }
    // All that is done with one that never moved.
    first.lxc(["snapshot", "v", "after"]).ok();
    first.lxc(["config", "device", "set", "v", "root", "size", "48MiB"]).ok();
    within(Duration::from_secs(30), "it sees its disk grow", || {
        (sh(first, "cat /sys/block/sda/size") == (48 * 2048).to_string()).then_some(())
    });

    // A member that is emptied sends it on, and gets it back.
    first.lxc(["cluster", "evacuate", "m1", "--force"]).ok();
    let [at, status] = place(second, "v");
    assert!(at != "m1" && status == "Running", "{at} {status}");
    assert_eq!(sh(third, "cat /proc/sys/kernel/random/boot_id"), boot);
    third.lxc(["cluster", "restore", "m1", "--force"]).ok();
    assert_eq!(place(second, "v"), ["m1", "Running"]);
    assert_eq!(sh(third, "cat /proc/sys/kernel/random/boot_id"), boot);
    first.lxc(["config", "device", "remove", "v", "data"]).ok();
    assert_eq!(sh(first, "ls -d /sys/block/sd*"), "/sys/block/sda");
    first.lxc(["storage", "volume", "delete", "shared", "data"]).ok();

    // Its snapshots came along, and what was written is there after a boot elsewhere.
    first.lxc(["stop", "v", "--force"]).ok();
    first.lxc(["move", "v", "--target", "m3"]).ok();
    first.lxc(["start", "v"]).ok();
    third.says("v", "guest is up, boot 2");
    within(Duration::from_secs(90), "the agent answers", || {
        (first.lxc(["exec", "v", "--", "true"]).status == 0).then_some(())
    });
    assert_eq!(marked(first, "/dev/sda", 16), "to-m1");
    first.lxc(["stop", "v", "--force"]).ok();
    first.lxc(["restore", "v", "before"]).ok();
    lab::machines::boots(first, "v", 2);
    first.lxc(["delete", "v"]).ok();
    forget_image(&cluster);
}

#[test]
fn a_move_that_breaks_off_leaves_one_machine_that_runs() {
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let Some(mut cluster) = members(3, "breaks") else { return };
    counting(&cluster.members[0], "m1");
    let boot = sh(&cluster.members[0], "cat /proc/sys/kernel/random/boot_id");
    let (mut at, mut before) = (0, count(&cluster.members[0]));
    for (round, who) in ["target", "source", "cable"].into_iter().enumerate() {
        let to = 1 - at;
        mark(&cluster.members[2], "/dev/sda", 8, who);
        let target = format!("m{}", to + 1);
        let words = ["move", "v", "--target", &target];
        let moved = cluster.members[2].begin(Client::Lxc, &words, Vec::new());
        until("QEMU waits", || runs(&cluster.members[to], "v").then_some(()));
        std::thread::sleep(Duration::from_millis(300));
        match who {
            "target" => cluster.members[to].kill9(),
            "source" => cluster.members[at].kill9(),
            _ => cluster.unplug(to),
        }
        std::thread::sleep(Duration::from_secs(1));
        match who {
            "target" => cluster.members[to].launch(),
            "source" => cluster.members[at].launch(),
            _ => cluster.plug(to),
        }
        if who == "source" {
            moved.signal(rustix::process::Signal::KILL);
        }
        moved.wait();
        let third = &cluster.members[2];
        let ran = within(Duration::from_secs(120), "it runs on one member", || {
            let ran = [0, 1].map(|member| runs(&cluster.members[member], "v"));
            let [name, status] = place(third, "v");
            let here = ran.iter().position(|runs| *runs)?;
            let one =
                ran != [true, true] && status == "Running" && name == format!("m{}", here + 1);
            one.then_some(here)
        });
        let after = count(third);
        eprintln!(
            "{round}: {who} breaks off on the way from m{} to m{}: m{} has it",
            at + 1,
            to + 1,
            ran + 1
        );
        assert!(after > before, "{before} {after}");
        assert_eq!(sh(third, "cat /proc/sys/kernel/random/boot_id"), boot);
        assert_eq!(marked(third, "/dev/sda", 8), who);
        if who == "target" {
            assert_eq!(ran, at, "it runs where it was");
        }
        (at, before) = (ran, after);
    }
    let third = &cluster.members[2];
    third.lxc(["snapshot", "v", "after"]).ok();
    third.lxc(["move", "v", "--target", "m3"]).ok();
    assert_eq!(sh(third, "cat /proc/sys/kernel/random/boot_id"), boot);
    third.lxc(["delete", "--force", "v"]).ok();
    forget_image(&cluster);
}

#[test]
fn a_machine_that_moved_runs_by_the_lease_of_its_new_member() {
    if !lab::machines::has_agent() {
        return lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    let Some(cluster) = members(3, "leases") else { return };
    let first = &cluster.members[0];
    for key in ["cluster.offline_threshold=10", "cluster.healing_threshold=10"] {
        first.lxc(["config", "set", key]).ok();
    }
    counting(first, "m1");
    first.lxc(["move", "v", "--target", "m2"]).ok();
    mark(first, "/dev/sda", 8, "moved");
    // Longer than a lease lasts: it was put off there.
    std::thread::sleep(Duration::from_secs(8));
    assert!(runs(&cluster.members[1], "v"));

    cluster.unplug(1);
    let [first, second, third] = &cluster.members[..] else { panic!("three members") };
    within(Duration::from_secs(12), "its lease ends", || (!runs(second, "v")).then_some(()));
    assert!(!runs(first, "v") && !runs(third, "v"), "it runs twice");
    within(Duration::from_secs(90), "it runs elsewhere", || {
        let all = first.get("/1.0/instances?recursion=1");
        let row = all.as_array()?.iter().find(|row| row["name"] == "v")?.clone();
        (row["location"] != "m2" && row["status"] == "Running").then_some(())
    });
    within(Duration::from_secs(120), "the agent answers", || {
        (first.lxc(["exec", "v", "--", "true"]).status == 0).then_some(())
    });
    assert_eq!(marked(first, "/dev/sda", 8), "moved");
    cluster.plug(1);
    until("m2 back", || (first.get("/1.0/cluster/members/m2")["status"] == "Online").then_some(()));
    // It gets it back while it runs, once it is not fenced any more.
    let boot = sh(first, "cat /proc/sys/kernel/random/boot_id");
    within(Duration::from_secs(90), "m2 gets it back", || {
        let restored = first.lxc(["cluster", "restore", "m2", "--force"]);
        (restored.status == 0 && place(first, "v") == ["m2", "Running"]).then_some(())
    });
    assert_eq!(sh(third, "cat /proc/sys/kernel/random/boot_id"), boot);
    first.lxc(["config", "unset", "cluster.healing_threshold"]).ok();
    first.lxc(["delete", "--force", "v"]).ok();
    forget_image(&cluster);
}

#[test]
fn what_its_firmware_keeps_goes_along() {
    let Some(cluster) = members(2, "firmware") else { return };
    let [first, second] = &cluster.members[..] else { panic!("two members") };
    let words = ["init", "e", "--empty", "--vm", "--target", "m1", "-c", "limits.memory=256MiB"];
    let more = ["-c", "migration.stateful=true", "-d", "root,size=32MiB"];
    first.run(Client::Lxc, &[&words[..], &more].concat()).ok();
    first.lxc(["start", "e"]).ok();
    for (from, to, name) in [(first, second, "m2"), (second, first, "m1")] {
        second.lxc(["move", "e", "--target", name]).ok();
        standstill(from, &format!("firmware to {name}"));
        assert_eq!(place(first, "e"), [name, "Running"]);
        assert!(runs(to, "e") && !runs(from, "e"));
        // QEMU writes into the file beside the disk, and nowhere else.
        assert!(!to.folder().join("machines/default_e/beside").exists());
        assert!(variables(to), "it does not write its variables on {name}");
    }
    first.lxc(["stop", "e", "--force"]).ok();
    first.lxc(["start", "e"]).ok();
    first.lxc(["delete", "e", "--force"]).ok();
    forget_image(&cluster);
}

/// Whether a machine's QEMU has its variables open where they lie beside the disk, and not a copy that is gone.
fn variables(daemon: &Daemon) -> bool {
    let open = std::fs::read_dir(format!("/proc/{}/fd", daemon.init_of("e"))).into_iter().flatten();
    let open: Vec<_> =
        open.flatten().filter_map(|one| std::fs::read_link(one.path()).ok()).collect();
    let open = open.iter().map(|path| path.to_string_lossy());
    let mut of_variables = open.filter(|path| path.contains("nvram/"));
    of_variables.any(|path| !path.ends_with("(deleted)"))
}
