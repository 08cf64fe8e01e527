//! Instances that go from one server to another, with the stock client: both daemons in one network, each with its own
//! folder, and only the network between them.

#![allow(clippy::print_stderr, reason = "a test that tells people how long a guest stood still")]

use std::time::Duration;

use lab::{Background, Daemon, Options, Run, machines::boots, until, within};

/// Two servers that trust the client, and who asks them: `a:` and `b:`.
struct Two {
    a: Daemon,
    b: Daemon,
}

const PORTS: [(&str, &str); 2] = [("a", "8443"), ("b", "9443")];

impl Two {
    /// Two servers whose pools are of these drivers.
    fn start(drivers: [&str; 2]) -> Option<Two> {
        let a = Daemon::start()?;
        let b = Daemon::with(&Options { netns: a.beside().netns, ..Options::default() })?;
        let two = Two { a, b };
        for ((name, port), (daemon, driver)) in
            PORTS.into_iter().zip([(&two.a, drivers[0]), (&two.b, drivers[1])])
        {
            let size = ["storage", "create", "default", driver, "size=1GiB"];
            let words = if driver == "dir" { &size[..4] } else { &size[..] };
            daemon.run(lab::Client::Lxc, words).ok();
            let root =
                ["profile", "device", "add", "default", "root", "disk", "path=/", "pool=default"];
            daemon.lxc(root).ok();
            let address = format!("127.0.0.1:{port}");
            daemon.lxc(["config", "set", "core.https_address", &address]).ok();
            let token = daemon.cli(["config", "trust", "add", "--name", "both", "-q"]).text();
            two.lxc(&["remote", "add", name, &token]).ok();
        }
        two.a.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
        Some(two)
    }

    fn begin(&self, words: &[&str]) -> Background {
        let home = self.a.scratch().join("client");
        let made = std::fs::create_dir_all(&home);
        made.unwrap_or_else(|e| panic!("cannot make {home:?}: {e}"));
        let mut command = self.a.netns().command("env");
        command.arg(format!("LXD_CONF={}", home.display())).arg("LXD_DIR=/nowhere");
        command.arg("lxc").args(words);
        Background::start(command, Vec::new())
    }

    fn lxc(&self, words: &[&str]) -> Run {
        self.begin(words).wait()
    }

    /// A stopped instance with a snapshot `old` and something newer.
    fn instance(&self, name: &str) {
        let at = format!("a:{name}");
        self.lxc(&["launch", "a:busybox", &at, "-c", "user.note=kept"]).ok();
        self.write(&at, "first");
        self.lxc(&["snapshot", &at, "old"]).ok();
        self.write(&at, "second");
        self.lxc(&["stop", &at, "--force"]).ok();
    }

    /// Our client beside the first server, which is `local:`; it knows the second as `b:`.
    fn own(&self, words: &[&str]) -> Run {
        let mut command = self.a.netns().command("env");
        command.arg(format!("HOME={}", self.a.scratch().display()));
        command.arg(format!("MICROCLOUD_DIR={}", self.a.folder().display()));
        command.arg(self.a.command(lab::Client::Cli).get_program()).args(words);
        Background::start(command, Vec::new()).wait()
    }

    fn write(&self, at: &str, what: &str) {
        let script = format!("echo {what} > /root/word; chown 7:8 /root/word");
        self.lxc(&["exec", at, "--", "sh", "-c", &script]).ok();
    }

    fn word(&self, at: &str) -> String {
        self.lxc(&["start", at]).ok();
        let word =
            self.lxc(&["exec", at, "--", "sh", "-c", "cat /root/word; stat -c %u:%g /root/word"]);
        self.lxc(&["stop", at, "--force"]).ok();
        word.text().replace('\n', " ")
    }

    fn names(&self, remote: &str) -> String {
        self.lxc(&["list", remote, "--format", "csv", "-c", "n"]).text()
    }

    /// Neither server has an instance, or anything of one.
    fn nothing_left(&self) {
        until("nothing is left", || {
            let image = |path: &String| path.contains("image");
            let there = [&self.a, &self.b].map(Two::leftovers);
            there.into_iter().flatten().all(|path| image(&path)).then_some(())
        });
    }

    /// What lies in the pool and the cache of a server, and the operations that run there.
    fn leftovers(daemon: &Daemon) -> Vec<String> {
        let mut found = Vec::new();
        let pool = "storage-pools/default";
        let machines = format!("{pool}/virtual-machines");
        for folder in ["cache", "machines", &format!("{pool}/containers"), &machines] {
            let Ok(entries) = std::fs::read_dir(daemon.folder().join(folder)) else { continue };
            found.extend(entries.flatten().map(|one| one.path().display().to_string()));
        }
        let running = daemon.get("/1.0/operations")["running"].clone();
        found.extend(running.as_array().into_iter().flatten().map(ToString::to_string));
        found
    }
}

fn copies_and_moves(drivers: [&str; 2]) {
    let Some(two) = Two::start(drivers) else { return };
    two.instance("web");
    for mode in ["pull", "push", "relay"] {
        let to = format!("b:{mode}");
        two.lxc(&["copy", "a:web", &to, "--mode", mode]).ok();
        assert_eq!(two.word(&to), "second 7:8", "{mode}");
        assert_eq!(two.lxc(&["config", "get", &to, "user.note"]).text(), "kept");
        two.lxc(&["restore", &to, "old"]).ok();
        assert_eq!(two.word(&to), "first 7:8", "{mode}");
        let id = |at: &str| two.lxc(&["config", "get", at, "volatile.uuid"]).text();
        assert_ne!(id(&to), id("a:web"));
    }
    two.lxc(&["copy", "a:web", "b:bare", "--instance-only"]).ok();
    two.lxc(&["info", "b:bare/old"]).fails();
    assert_eq!(two.word("b:bare"), "second 7:8");
    // There is one already.
    two.lxc(&["copy", "a:web", "b:bare"]).fails_with("already exists");

    for mode in ["pull", "push", "relay"] {
        two.lxc(&["move", "a:web", "b:web", "--mode", mode]).ok();
        assert_eq!(two.names("a:"), "", "{mode}");
        two.lxc(&["move", "b:web", "a:web", "--mode", mode]).ok();
        assert!(!two.names("b:").contains("web"), "{mode}");
    }
    assert_eq!(two.word("a:web"), "second 7:8");
    two.lxc(&["restore", "a:web", "old"]).ok();
    assert_eq!(two.word("a:web"), "first 7:8");
    two.lxc(&["start", "a:web"]).ok();
    two.lxc(&["copy", "a:web", "b:live", "--stateless"]).fails_with("stop it first");
    two.lxc(&["delete", "a:web", "--force"]).ok();
    for name in ["pull", "push", "relay", "bare"] {
        two.lxc(&["delete", &format!("b:{name}")]).ok();
    }
    two.nothing_left();
}

#[test]
fn our_client_brings_two_servers_together() {
    let Some(two) = Two::start(["dir", "dir"]) else { return };
    two.instance("web");
    let token = two.b.cli(["config", "trust", "add", "--name", "own", "-q"]).text();
    two.own(&["remote", "add", "b", &token]).ok();
    // The one that is reached by its socket connects to the other, whichever way it goes.
    two.own(&["copy", "web", "b:there", "--config", "user.note=other"]).ok();
    assert_eq!(two.word("b:there"), "second 7:8");
    assert_eq!(two.lxc(&["config", "get", "b:there", "user.note"]).text(), "other");
    two.own(&["copy", "b:there", "local:back", "--instance-only", "--start"]).ok();
    two.lxc(&["info", "a:back/old"]).fails();
    assert_eq!(two.lxc(&["exec", "a:back", "--", "cat", "/root/word"]).text(), "second");
    // Into another project, where it starts.
    let shared = ["-c", "features.images=false", "-c", "features.profiles=false"];
    two.lxc(&[&["project", "create", "a:other"][..], &shared].concat()).ok();
    let to = ["--target-project", "other", "--start"];
    two.own(&[&["copy", "b:there", "local:back"][..], &to].concat()).ok();
    let states = ["list", "a:", "--project", "other", "--format", "csv", "-c", "ns"];
    assert_eq!(two.lxc(&states).text(), "back,RUNNING");
    two.lxc(&["delete", "a:back", "--project", "other", "--force"]).ok();
    let id = |at: &str| two.lxc(&["config", "get", at, "volatile.uuid"]).text();
    assert_ne!(id("a:back"), id("b:there"));
    let web = id("a:web");
    two.own(&["move", "web", "b:"]).ok();
    assert_eq!((two.names("a:").as_str(), id("b:web")), ("back", web.clone()));
    two.own(&["move", "b:web", "again"]).ok();
    assert_eq!((two.names("b:").as_str(), id("a:again")), ("there", web));
    two.lxc(&["restore", "a:again", "old"]).ok();
    assert_eq!(two.word("a:again"), "first 7:8");
    // Or as it is told to.
    for mode in ["pull", "push", "relay"] {
        two.own(&["copy", "again", "b:copied", "--mode", mode]).ok();
        assert_eq!(two.word("b:copied"), "first 7:8", "{mode}");
        two.own(&["move", "b:copied", "moved", "--mode", mode]).ok();
        assert_eq!(two.word("a:moved"), "first 7:8", "{mode}");
        two.own(&["delete", "moved"]).ok();
    }
    two.own(&["copy", "again", "x", "--mode", "pull"]).fails_with("another server");
    // What cannot be is told, and leaves nothing.
    assert!(two.own(&["copy", "b:none", "x", "--mode", "relay"]).fails().contains("not found"));
    assert!(two.own(&["copy", "b:there", "back"]).fails().contains("already exists"));
    assert!(two.own(&["copy", "back", "b:"]).fails().contains("stop it first"));
    assert!(two.own(&["copy", "b:none", "x"]).fails().contains("not found"));
    assert!(two.own(&["copy", "b:there/old", "x"]).fails().contains("copy it there first"));
    // Who names a server for one of several does not mean it for the others.
    two.own(&["delete", "back", "b:there", "--force"]).fails_with("one server");
    two.own(&["delete", "back", "again", "--force"]).ok();
    two.own(&["delete", "b:there"]).ok();
    two.nothing_left();
}

#[test]
fn instances_go_from_folders_to_folders() {
    copies_and_moves(["dir", "dir"]);
}

#[test]
fn instances_go_between_pools_of_one_driver() {
    copies_and_moves(["btrfs", "btrfs"]);
}

#[test]
fn instances_go_between_unlike_pools() {
    copies_and_moves(["btrfs", "dir"]);
}

/// A source with something big, which takes a while to go.
fn big(two: &Two) {
    two.instance("web");
    two.lxc(&["start", "a:web"]).ok();
    let script = "dd if=/dev/urandom of=/root/big bs=1M count=300";
    two.lxc(&["exec", "a:web", "--", "sh", "-c", script]).ok();
    two.lxc(&["stop", "a:web", "--force"]).ok();
}

/// Waits until something of the copy is on its way into the target.
fn under_way(two: &Two) {
    until("data arrives", || {
        let entries = std::fs::read_dir(two.b.folder().join("cache")).ok()?;
        let mut sizes = entries.flatten().filter_map(|one| Some(one.metadata().ok()?.len()));
        sizes.any(|size| size > 1 << 20).then_some(())
    });
}

/// The target has nothing, and the source is whole and free.
fn nothing_came(two: &Two) {
    until("nothing is left", || {
        let source = Two::leftovers(&two.a);
        let held = source.iter().any(|one| one.contains("migration") || one.contains("operations"));
        (Two::leftovers(&two.b).is_empty() && !held).then_some(())
    });
    assert_eq!(two.names("b:"), "");
    assert_eq!(two.names("a:"), "web");
    assert_eq!(two.word("a:web"), "second 7:8");
}

#[test]
fn a_copy_that_is_cancelled_leaves_nothing() {
    let Some(two) = Two::start(["dir", "dir"]) else { return };
    big(&two);
    for (mode, asked) in [("pull", &two.b), ("push", &two.a), ("pull", &two.a), ("push", &two.b)] {
        let copy = two.begin(&["copy", "a:web", "b:web", "--mode", mode]);
        under_way(&two);
        let running = asked.get("/1.0/operations")["running"].clone();
        let operation = running[0].as_str().unwrap_or_default();
        asked.request("DELETE", operation, "").ok();
        copy.wait().fails();
        nothing_came(&two);
    }
}

#[test]
fn a_server_that_dies_under_way_leaves_nothing() {
    let Some(mut two) = Two::start(["dir", "dir"]) else { return };
    big(&two);
    for (mode, target) in [("pull", true), ("push", false), ("relay", true), ("relay", false)] {
        let copy = two.begin(&["move", "a:web", "b:web", "--mode", mode]);
        under_way(&two);
        let dies = if target { &mut two.b } else { &mut two.a };
        dies.kill9();
        copy.wait().fails();
        dies.launch();
        nothing_came(&two);
    }
    two.lxc(&["move", "a:web", "b:web"]).ok();
    assert_eq!((two.names("a:"), two.names("b:")), (String::new(), String::from("web")));
}

/// A tiny machine on `a:` that stands still, with a snapshot of its first boot and a second boot since.
fn machine(two: &Two) {
    let small = ["-c", "limits.memory=128MiB", "-d", "root,size=32MiB"];
    two.lxc(&[&["launch", "a:tiny", "a:v", "--vm"][..], &small].concat()).ok();
    two.a.says("v", "guest is up, boot 1");
    two.lxc(&["snapshot", "a:v", "one"]).ok();
    two.lxc(&["restart", "a:v", "--force"]).ok();
    two.a.says("v", "guest is up, boot 2");
    two.lxc(&["stop", "a:v", "--force"]).ok();
}

fn machines_go(drivers: [&str; 2]) {
    let Some(two) = Two::start(drivers) else { return };
    if !two.a.tiny() {
        return;
    }
    machine(&two);
    for (mode, name) in [("pull", "v"), ("push", "w"), ("relay", "x")] {
        let to = format!("b:{name}");
        two.lxc(&["copy", "a:v", &to, "--mode", mode]).ok();
        boots(&two.b, name, 3);
        two.lxc(&["restore", &to, "one"]).ok();
        boots(&two.b, name, 2);
    }
    for (from, to) in [("b:v", "a:back"), ("b:w", "a:again")] {
        two.lxc(&["move", from, to]).ok();
        two.lxc(&["info", from]).fails();
    }
    boots(&two.a, "back", 3);
    two.lxc(&["restore", "a:again", "one"]).ok();
    boots(&two.a, "again", 2);
    let size = two.lxc(&["config", "device", "get", "b:x", "root", "size"]).text();
    assert_eq!(size, "32MiB");
    two.lxc(&["delete", "a:v", "a:back", "a:again", "b:x"]).ok();
    two.nothing_left();
}

#[test]
fn machines_go_from_folders_to_folders() {
    if !lab::too_long() {
        machines_go(["dir", "dir"]);
    }
}

#[test]
fn machines_go_between_pools_of_one_driver() {
    if !lab::too_long() {
        machines_go(["btrfs", "btrfs"]);
    }
}

#[test]
fn machines_go_between_unlike_pools() {
    machines_go(["btrfs", "dir"]);
}

/// A tiny machine that runs on `a:`, counts in its memory, and writes each number on its disk.
fn counting(two: &Two) {
    let words = ["launch", "a:tiny", "a:v", "--vm", "-c", "limits.memory=128MiB"];
    let more = ["-c", "migration.stateful=true", "-d", "root,size=32MiB"];
    two.lxc(&[&words[..], &more].concat()).ok();
    let script = "i=0; while :; do i=$((i+1)); printf '%-16s' $i \
        | dd of=/dev/sda seek=4 conv=notrunc,fsync 2> /dev/null; echo $i > /run/count; sleep 0.05; done";
    let script = format!("({script}) < /dev/null > /dev/null 2>&1 &");
    within(Duration::from_secs(90), "the agent answers", || {
        let said = two.lxc(&["exec", "a:v", "--", "sh", "-c", &script]);
        (said.status == 0).then_some(())
    });
}

/// How far it has counted, in its memory and on its disk.
fn counted(two: &Two, at: &str) -> [u64; 2] {
    let script =
        "cat /run/count; dd if=/dev/sda skip=4 count=1 iflag=direct 2> /dev/null | head -c 16";
    // Its disk has nothing until it has counted for the first time.
    within(Duration::from_secs(60), "the agent answers, and it has counted", || {
        let said = two.lxc(&["exec", at, "--", "sh", "-c", script]);
        let text = (said.status == 0).then(|| said.text())?;
        let numbers = text.split_whitespace().filter_map(|word| word.parse().ok());
        numbers.collect::<Vec<u64>>().try_into().ok()
    })
}

/// It goes on counting there.
fn goes_on(two: &Two, at: &str, from: u64) -> u64 {
    let [memory, disk] = counted(two, at);
    assert!(memory > from && disk.abs_diff(memory) <= 1, "{memory} in memory, {disk} on disk");
    until("it counts", || (counted(two, at)[0] > memory).then_some(()));
    memory
}

fn has_agent() -> bool {
    let has = lab::machines::has_agent();
    if !has {
        lab::skip("the agent for guests was not built: cargo xtask agent");
    }
    has
}

fn live(drivers: [&str; 2]) {
    if !has_agent() {
        return;
    }
    let Some(two) = Two::start(drivers) else { return };
    if !two.a.tiny() {
        return;
    }
    counting(&two);
    two.lxc(&["copy", "a:v", "b:v"]).fails_with("both would run");
    two.lxc(&["snapshot", "a:v", "one"]).ok();
    let mut last = goes_on(&two, "a:v", 0);
    for mode in ["pull", "push", "relay"] {
        two.lxc(&["move", "a:v", "b:w", "--mode", mode]).ok();
        assert_eq!(
            (two.names("a:"), two.names("b:")),
            (String::new(), String::from("w")),
            "{mode}"
        );
        last = goes_on(&two, "b:w", last);
        two.lxc(&["move", "b:w", "a:v", "--mode", mode]).ok();
        last = goes_on(&two, "a:v", last);
    }
    // The disk is whole, and its past came along.
    two.lxc(&["restart", "a:v", "--force"]).ok();
    two.a.says("v", "guest is up, boot 2");
    two.lxc(&["stop", "a:v", "--force"]).ok();
    two.lxc(&["restore", "a:v", "one"]).ok();
    boots(&two.a, "v", 2);
    two.lxc(&["delete", "a:v"]).ok();
    two.nothing_left();
    for log in [two.a.log(), two.b.log()] {
        let stood =
            log.lines().filter_map(|line| line.split_once(" microseconds=")?.1.split(' ').next());
        let stood: Vec<u64> = stood.filter_map(|number| number.parse().ok()).collect();
        for line in log.lines().filter(|line| line.contains("stood still so long")) {
            eprintln!("{}", line.split_once("microseconds=").map_or(line, |(_, parts)| parts));
        }
        // 30 to 42 ms where nothing else runs, without optimization and in QEMU's translator.
        assert!(stood.len() == 3 && stood.iter().all(|it| *it < 3_000_000), "{stood:?}");
    }
}

#[test]
fn a_machine_that_runs_goes_between_folders() {
    if !lab::too_long() {
        live(["dir", "dir"]);
    }
}

#[test]
fn a_machine_that_runs_goes_between_unlike_pools() {
    if !lab::too_long() {
        live(["btrfs", "dir"]);
    }
}

#[test]
fn a_machine_that_runs_goes_between_pools_of_one_driver() {
    live(["btrfs", "btrfs"]);
}

/// How far a move is, as can be seen from outside.
#[derive(Clone, Copy, Debug)]
enum Stage {
    Announced,
    Waits,
    Goes,
}

impl Stage {
    fn reached(self, two: &Two) -> bool {
        let at = |daemon: &Daemon, path: &str| daemon.folder().join(path);
        match self {
            Stage::Announced => {
                let entries =
                    std::fs::read_dir(at(&two.b, "cache")).into_iter().flatten().flatten();
                entries
                    .into_iter()
                    .any(|one| one.file_name().to_string_lossy().contains("migration"))
            }
            Stage::Waits => at(&two.b, "machines/default_w/io/qmp.sock").exists(),
            Stage::Goes => at(&two.a, "machines/default_v/io/nbd.sock").exists(),
        }
    }
}

/// It runs on one server and counts there, and nothing of it is on the other; where it is.
fn runs_once(two: &Two, from: u64) -> (&'static str, u64) {
    let at = within(Duration::from_secs(60), "it is on one server", || {
        let all = [two.names("a:"), two.names("b:")];
        match all.each_ref().map(String::as_str) {
            ["v", ""] => Some("a:v"),
            ["", "w"] => Some("b:w"),
            _ => None,
        }
    });
    let other = if at == "a:v" { &two.b } else { &two.a };
    until("nothing is left", || {
        Two::leftovers(other).iter().all(|path| path.contains("image")).then_some(())
    });
    (at, goes_on(two, at, from))
}

#[test]
fn a_machine_that_runs_is_never_lost_or_two() {
    if !has_agent() {
        return;
    }
    let Some(mut two) = Two::start(["dir", "dir"]) else { return };
    if !two.a.tiny() {
        return;
    }
    counting(&two);
    let mut last = goes_on(&two, "a:v", 0);
    let (mut broken, mut made) = (0, 0);
    for stage in [Stage::Announced, Stage::Waits, Stage::Goes] {
        for mode in ["pull", "relay"] {
            for who in ["target dies", "source dies", "cancelled"] {
                _ = std::fs::remove_file(two.a.folder().join("machines/default_v/io/nbd.sock"));
                let moved = two.begin(&["move", "a:v", "b:w", "--mode", mode]);
                until("it is under way", || stage.reached(&two).then_some(()));
                match who {
                    "target dies" => two.b.kill9(),
                    "source dies" => two.a.kill9(),
                    _ => {
                        let running = two.b.get("/1.0/operations")["running"].clone();
                        for one in running.as_array().into_iter().flatten() {
                            // One of them is the other's, and cannot be cancelled.
                            let path = one.as_str().unwrap_or_default();
                            _ = two.b.request("DELETE", path, "");
                        }
                    }
                }
                let done = moved.wait();
                match who {
                    "target dies" => two.b.launch(),
                    "source dies" => two.a.launch(),
                    _ => {}
                }
                if done.status == 0 {
                    made += 1;
                } else {
                    broken += 1;
                }
                let at;
                (at, last) = runs_once(&two, last);
                if at == "b:w" {
                    two.lxc(&["move", "b:w", "a:v"]).ok();
                    last = goes_on(&two, "a:v", last);
                }
            }
        }
    }
    assert!(broken > 9, "{broken} broke off, {made} came");
}

/// What is typed on its console is done by the shell there, and what that says is seen.
fn console_answers(daemon: &Daemon, name: &str, number: usize) {
    let line = format!("echo word$((1000+{number}))");
    let leave = "\u{1}q";
    daemon.typed(&format!("console {name}"), &[&line, leave]).wait().ok();
    daemon.says(name, &format!("word{}", 1000 + number));
}

#[test]
fn the_console_of_a_machine_answers_after_many_moves() {
    if !has_agent() {
        return;
    }
    let Some(two) = Two::start(["dir", "dir"]) else { return };
    if !two.a.tiny() {
        return;
    }
    counting(&two);
    // It says something all the while: also as it is moved.
    let ticks =
        "(while :; do echo tick > /dev/console; sleep 0.03; done) < /dev/null > /dev/null 2>&1 &";
    two.lxc(&["exec", "a:v", "--", "sh", "-c", ticks]).ok();
    console_answers(&two.a, "v", 0);
    let mut last = goes_on(&two, "a:v", 0);
    for round in 0..5 {
        two.lxc(&["move", "a:v", "b:w"]).ok();
        console_answers(&two.b, "w", 2 * round + 1);
        last = goes_on(&two, "b:w", last);
        two.lxc(&["move", "b:w", "a:v"]).ok();
        console_answers(&two.a, "v", 2 * round + 2);
        last = goes_on(&two, "a:v", last);
    }
}
