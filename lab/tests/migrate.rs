//! Instances that go from one server to another, with the stock client: both daemons in one network, each with its own
//! folder, and only the network between them.

use lab::{Background, Daemon, Options, Run, until};

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

    /// What lies in the pool and the cache of a server, and the operations that run there.
    fn leftovers(daemon: &Daemon) -> Vec<String> {
        let mut found = Vec::new();
        for folder in ["cache", "storage-pools/default/containers"] {
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
    until("nothing is left", || {
        (Two::leftovers(&two.a).iter().all(|path| path.contains("image"))
            && Two::leftovers(&two.b).is_empty())
        .then_some(())
    });
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
