//! The daemon dies at any moment: instances live on, nothing is left, nothing is lost.

use std::{fs, path::Path};

use lab::Daemon;

/// More writes than any of the commands makes: the loop ends when a command came through.
const WRITES: u32 = 60;

/// Kills the daemon after each journal write of a command in turn. `arrange` makes what it needs,
/// `settle` looks at what there is after the new start and leaves nothing.
pub(crate) fn at_every_write(
    daemon: &mut Daemon,
    arrange: impl Fn(&Daemon),
    words: &[&str],
    settle: impl Fn(&Daemon, u32),
) {
    for write in 1..=WRITES {
        arrange(daemon);
        daemon.stop();
        let env = [("MICROCLOUD_CRASH_AFTER_JOURNAL_WRITE", write.to_string())];
        if daemon.try_launch(&env) {
            let run = daemon.run(lab::Client::Cli, words);
            if run.status == 0 {
                assert!(daemon.ended().is_none(), "the daemon died at write {write}, yet: {run}");
                daemon.restart();
                settle(daemon, write);
                assert!(write > 1, "{words:?} wrote no journal");
                return;
            }
            // Its connections break a moment before it has ended.
            lab::until(&format!("the daemon died over {run}"), || daemon.ended());
        }
        daemon.launch();
        // What only goes forward comes to its end by itself.
        daemon.await_idle();
        settle(daemon, write);
    }
    panic!("{words:?} does not come through after {WRITES} writes");
}

/// The instance is whole or not at all; then it is made to go.
fn whole_or_not(daemon: &Daemon, write: u32) {
    match daemon.status("x").as_str() {
        "" => daemon.busybox("x"),
        "Stopped" => drop(daemon.cli(["start", "x"]).ok()),
        "Running" => {}
        other => panic!("write {write}: x is {other}"),
    }
    assert_eq!(daemon.cli(["exec", "x", "--", "hostname"]).text(), "x", "write {write}");
    daemon.cli(["delete", "x", "--force"]).ok();
    daemon.no_instance_left();
}

fn alive(pid: u64) -> bool {
    pid != 0 && Path::new(&format!("/proc/{pid}")).exists()
}

#[test]
fn instances_outlive_a_daemon_that_is_killed() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("a");
    daemon.busybox("b");
    daemon.cli(["pause", "b"]).ok();
    let address = daemon.address("a");
    let before = [daemon.init_of("a"), daemon.init_of("b")];
    assert!(before.iter().all(|pid| alive(*pid)), "{before:?}");
    daemon.kill9();
    assert!(before.iter().all(|pid| alive(*pid)), "an init died with the daemon");
    daemon.launch();
    assert_eq!([daemon.init_of("a"), daemon.init_of("b")], before, "the same ones are found");
    assert_eq!((daemon.status("a"), daemon.status("b")), ("Running".into(), "Frozen".into()));
    assert_eq!(daemon.address("a"), address);
    daemon.sh("a", "true").ok();
    daemon.cli(["resume", "b"]).ok();
    daemon.sh("b", "true").ok();
    daemon.cli(["stop", "a"]).ok();
    daemon.cli(["start", "a"]).ok();
}

#[test]
fn an_instance_that_ended_while_no_daemon_ran_is_stopped() {
    let Some(mut daemon) = Daemon::ready() else { return };
    daemon.busybox("gone");
    daemon.cli(["launch", "local:busybox", "guest", "--ephemeral"]).ok();
    let inits = [daemon.init_of("gone"), daemon.init_of("guest")];
    daemon.kill9();
    for pid in inits {
        lab::host(&["kill", "-KILL", &pid.to_string()]).ok();
    }
    lab::until("both are gone", || (!inits.iter().any(|pid| alive(*pid))).then_some(()));
    daemon.launch();
    daemon.await_status("gone", "Stopped");
    daemon.await_status("guest", "");
    daemon.cli(["start", "gone"]).ok();
    daemon.sh("gone", "true").ok();
}

#[test]
fn a_monitor_that_is_killed_takes_its_instance_along_and_no_other() {
    let Some(daemon) = Daemon::ready() else { return };
    daemon.busybox("a");
    daemon.busybox("b");
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.init_of("a")));
    let status = status.unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap_or_default();
    lab::host(&["kill", "-KILL", parent.trim()]).ok();
    daemon.await_status("a", "Stopped");
    assert_eq!(daemon.status("b"), "Running");
    daemon.cli(["start", "a"]).ok();
    daemon.sh("a", "true").ok();
}

#[test]
fn launch_is_whole_or_nothing_at_every_journal_write() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let words = ["launch", "local:busybox", "x"];
    at_every_write(&mut daemon, |_| {}, &words, whole_or_not);
}

#[test]
fn start_is_whole_or_nothing_at_every_journal_write() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let make = |daemon: &Daemon| drop(daemon.cli(["create", "local:busybox", "x"]).ok());
    at_every_write(&mut daemon, make, &["start", "x"], |daemon, write| {
        assert_ne!(daemon.status("x"), "", "write {write}: x is lost");
        whole_or_not(daemon, write);
    });
}

#[test]
fn delete_comes_to_its_end_at_every_journal_write() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let make = |daemon: &Daemon| drop(daemon.cli(["create", "local:busybox", "x"]).ok());
    at_every_write(&mut daemon, make, &["delete", "x"], whole_or_not);
}

#[test]
fn a_daemon_killed_while_it_stops_an_instance() {
    let Some(mut daemon) = Daemon::ready() else { return };
    for force in [true, false] {
        daemon.busybox("x");
        let words: &[&str] = if force { &["stop", "x", "--force"] } else { &["stop", "x"] };
        for pause in [0, 2, 10, 50] {
            let stop = daemon.begin(lab::Client::Cli, words, Vec::new());
            std::thread::sleep(std::time::Duration::from_millis(pause));
            daemon.kill9();
            drop(stop.wait());
            daemon.launch();
            if daemon.status("x") == "Running" && daemon.run(lab::Client::Cli, words).status != 0 {
                // It was about to end when the second stop came.
                daemon.await_status("x", "Stopped");
            }
            daemon.await_status("x", "Stopped");
            daemon.cli(["start", "x"]).ok();
        }
        daemon.cli(["delete", "x", "--force"]).ok();
        daemon.no_instance_left();
    }
}

#[test]
fn import_is_whole_or_nothing_at_every_journal_write() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let file = daemon.scratch().join("image.tar.gz");
    let tree = lab::images::tree(&daemon);
    // Another file than the one that is there, so that it is another image.
    lab::images::pack(&tree, &["metadata.yaml", "rootfs"], "--gzip", &file);
    let path = file.to_string_lossy().into_owned();
    let words = ["image", "import", &path, "--alias", "packed"];
    at_every_write(
        &mut daemon,
        |_| {},
        &words,
        |daemon, write| {
            let images = daemon.urls("images");
            if images.len() == 1 {
                daemon.run(lab::Client::Cli, &words).ok();
            }
            let list = daemon.get("/1.0/images?recursion=1");
            let packed = list.as_array().into_iter().flatten();
            let packed = packed.filter(|image| image["filename"] == "image.tar.gz");
            let prints: Vec<_> = packed.filter_map(|image| image["fingerprint"].as_str()).collect();
            assert_eq!(prints.len(), 1, "write {write}: {images:?}");
            daemon.cli(["launch", prints[0], "x"]).ok();
            daemon.cli(["delete", "x", "--force"]).ok();
            daemon.cli(["image", "delete", prints[0]]).ok();
            let files = fs::read_dir(daemon.folder().join("images")).map(Iterator::count);
            assert_eq!(files.unwrap_or_default(), 1, "write {write}: files of images");
            let cache = fs::read_dir(daemon.folder().join("cache")).map(Iterator::count);
            assert_eq!(cache.unwrap_or_default(), 0, "write {write}: files in the cache");
        },
    );
}

#[test]
fn build_network_and_pool_are_whole_or_nothing_at_every_journal_write() {
    let Some(mut daemon) = Daemon::start() else { return };
    let nothing = |_: &Daemon| {};
    let words = ["storage", "create", "fast", "dir"];
    at_every_write(&mut daemon, nothing, &words, |daemon, _| {
        if daemon.urls("storage-pools").is_empty() {
            daemon.run(lab::Client::Cli, &words).ok();
        }
        daemon.cli(["storage", "delete", "fast"]).ok();
    });
    let words = ["network", "create", "lab0"];
    at_every_write(&mut daemon, nothing, &words, |daemon, _| {
        if !daemon.urls("networks").iter().any(|url| url.ends_with("/lab0")) {
            daemon.run(lab::Client::Cli, &words).ok();
        }
        assert!(daemon.netns().links().contains(&String::from("lab0")));
        daemon.cli(["network", "delete", "lab0"]).ok();
        assert_eq!(daemon.netns().links(), ["lo"]);
    });
    daemon.cli(["storage", "create", "fast", "dir"]).ok();
    let words = ["image", "build", "busybox"];
    at_every_write(&mut daemon, nothing, &words, |daemon, _| {
        if daemon.urls("images").is_empty() {
            daemon.run(lab::Client::Cli, &words).ok();
        }
        let list = daemon.urls("images");
        assert_eq!(list.len(), 1, "{list:?}");
        let print = list[0].rsplit('/').next().unwrap_or_default();
        daemon.cli(["image", "delete", print]).ok();
    });
}
