//! The machine stops: instances end cleanly, in their order, and come back with it.

use std::time::{Duration, Instant};

use lab::{Background, Client, Daemon, until};
use serde_json::Value;

/// An instance that notes when it is asked to stop, takes `seconds` for it, then ends.
fn slow(daemon: &Daemon, name: &str, seconds: &str, options: &[&str]) {
    let options = options.iter().flat_map(|option| ["-c", option]);
    let words: Vec<&str> = ["launch", "local:busybox", name].into_iter().chain(options).collect();
    daemon.run(Client::Cli, &words).ok();
    // Busybox' init runs this before it kills what is left.
    let line = format!("cp /proc/uptime /root/asked; sleep {seconds}; cp /proc/uptime /root/ended");
    let line = format!("echo '::shutdown:/bin/sh -c \"{line}\"' >> /etc/inittab && kill -HUP 1");
    daemon.sh(name, &line).ok();
}

fn power(daemon: &Daemon, name: &str) -> String {
    let shown = daemon.get(&format!("/1.0/instances/{name}"));
    shown["config"]["volatile.last_state.power"].as_str().unwrap_or_default().to_owned()
}

/// When an instance did what, in seconds since the machine's boot; as its own files say.
fn moment(daemon: &Daemon, name: &str, what: &str) -> f64 {
    let text = daemon.sh(name, &format!("cut -d' ' -f1 /root/{what}")).text();
    text.parse().unwrap_or_else(|e| panic!("{name} {what}: {text:?}: {e}"))
}

#[test]
fn all_that_runs_stops_in_order_and_comes_back() {
    let Some(mut daemon) = Daemon::ready() else { return };
    slow(&daemon, "front", "0.5", &["boot.stop.priority=10"]);
    slow(&daemon, "web", "0.5", &[]);
    slow(&daemon, "mail", "0.5", &[]);
    slow(&daemon, "frozen", "0", &["boot.stop.priority=-1"]);
    daemon.cli(["pause", "frozen"]).ok();
    slow(&daemon, "never", "0", &["boot.autostart=false"]);
    daemon.busybox("stood");
    daemon.cli(["stop", "stood", "--force"]).ok();
    daemon.cli(["launch", "local:busybox", "guest", "--ephemeral"]).ok();
    let inits = ["front", "web", "frozen"].map(|name| daemon.init_of(name));
    daemon.power_down();
    for pid in inits {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} lives");
    }
    daemon.launch();
    for name in ["front", "web", "mail", "frozen"] {
        daemon.await_status(name, "Running");
        assert_eq!(power(&daemon, name), "RUNNING", "{name}");
    }
    for name in ["never", "stood"] {
        assert_eq!(
            (daemon.status(name), power(&daemon, name)),
            ("Stopped".into(), "STOPPED".into())
        );
    }
    assert_eq!(daemon.status("guest"), "", "what is ephemeral is gone once it stops");
    // The first wave was over before the second began; those of one wave went together.
    let at = |name: &str, what: &str| moment(&daemon, name, what);
    assert!(at("front", "ended") <= at("web", "asked"));
    assert!(at("web", "asked") < at("mail", "ended") && at("mail", "asked") < at("web", "ended"));
    assert!(at("web", "ended") <= at("frozen", "asked"));
    // A daemon that only restarts leaves them alone.
    let init = daemon.init_of("web");
    daemon.restart();
    assert_eq!(daemon.init_of("web"), init);
}

#[test]
fn who_does_not_stop_in_time_is_killed() {
    let Some(mut daemon) = Daemon::ready() else { return };
    slow(&daemon, "deaf", "60", &["boot.host_shutdown_timeout=1"]);
    let began = Instant::now();
    let said = daemon.cli(["shutdown"]).text();
    assert!(said.contains("stopped"), "{said}");
    until("the daemon's end is seen", || daemon.ended());
    let took = began.elapsed();
    assert!(took > Duration::from_secs(1) && took < Duration::from_secs(15), "{took:?}");
    daemon.launch();
    daemon.await_status("deaf", "Running");
    daemon.sh("deaf", "test -e /root/asked -a ! -e /root/ended").ok();
}

#[test]
fn while_it_stops_nothing_starts_and_it_answers() {
    let Some(mut daemon) = Daemon::ready() else { return };
    slow(&daemon, "slow", "3", &[]);
    daemon.busybox("stood");
    daemon.cli(["stop", "stood", "--force"]).ok();
    daemon.cli(["shutdown", "--timeout", "0"]).fails_with("the shutdown goes on");
    until("it takes nothing new", || {
        let reply = daemon.request("PUT", "/1.0/instances/stood/state", r#"{"action":"start"}"#);
        (reply.status == 503).then_some(())
    });
    assert_eq!(daemon.status("slow"), "Running");
    until("it ends", || daemon.ended());
    daemon.launch();
    daemon.await_status("slow", "Running");
    assert_eq!(daemon.status("stood"), "Stopped");
    daemon.sh("slow", "test -e /root/ended").ok();
}

/// The moment of an instance's last start.
fn started(daemon: &Daemon, name: &str) -> chrono::DateTime<chrono::Utc> {
    let shown: Value = daemon.get(&format!("/1.0/instances/{name}"));
    let text = shown["last_used_at"].as_str().unwrap_or_default();
    text.parse().unwrap_or_else(|e| panic!("{name}: {text:?}: {e}"))
}

#[test]
fn they_start_by_priority_with_their_delays() {
    let Some(mut daemon) = Daemon::ready() else { return };
    let launch = |name: &str, options: &[&str]| {
        let options = options.iter().flat_map(|option| ["-c", option]);
        let words = ["launch", "local:busybox", name].into_iter().chain(options);
        daemon.run(Client::Cli, &words.collect::<Vec<_>>()).ok();
    };
    launch("last", &["boot.autostart.priority=-5"]);
    launch("first", &["boot.autostart.priority=7", "boot.autostart.delay=2"]);
    launch("middle", &[]);
    let before = started(&daemon, "last");
    daemon.power_down();
    let began = Instant::now();
    daemon.launch();
    assert!(began.elapsed() < Duration::from_secs(2), "the API waits for no delay");
    // The row is written a moment after it runs.
    until("the last one is started", || (started(&daemon, "last") > before).then_some(()));
    let [first, middle, last] = ["first", "middle", "last"].map(|name| started(&daemon, name));
    assert!(middle - first >= chrono::TimeDelta::milliseconds(1900), "{first} {middle}");
    assert!(last > middle && last - middle < chrono::TimeDelta::seconds(2), "{middle} {last}");
}

/// A daemon whose archive of Debian takes connections and never answers, and what is that archive.
fn with_mute_archive() -> Option<(Daemon, Background)> {
    if !lab::installed("mmdebstrap") {
        lab::skip("not installed: mmdebstrap");
        return None;
    }
    let mut daemon = Daemon::ready()?;
    daemon.stop();
    let mut archive = daemon.netns().command("timeout");
    archive.args(["60", "busybox", "nc", "-l", "-p", "8080"]);
    let archive = Background::start(archive, Vec::new());
    let mirror = String::from("http://127.0.0.1:8080/debian");
    assert!(daemon.try_launch(&[("MICROCLOUD_DEBIAN_MIRROR", mirror)]), "{}", daemon.tail());
    Some((daemon, archive))
}

/// Starts what never ends: a build from that archive.
fn build(daemon: &Daemon) -> Background {
    let build = daemon.begin(Client::Cli, &["image", "build", "debian:12"], Vec::new());
    until("mmdebstrap runs", || builds(daemon).first().copied());
    build
}

/// The processes of builds in this daemon's network namespace.
fn builds(daemon: &Daemon) -> Vec<u32> {
    let own = std::fs::read_link(daemon.netns().path()).ok();
    let pids = lab::host(&["sh", "-c", "pidof -x mmdebstrap || :"]).text();
    let pids = pids.split_whitespace().filter_map(|pid| pid.parse().ok());
    pids.filter(|pid| std::fs::read_link(format!("/proc/{pid}/ns/net")).ok() == own).collect()
}

#[test]
fn tasks_under_way_are_waited_for_unless_somebody_is_in_a_hurry() {
    let Some((mut daemon, archive)) = with_mute_archive() else { return };
    daemon.busybox("x");
    let task = build(&daemon);
    daemon.cli(["shutdown", "--timeout", "1"]).fails_with("the shutdown goes on");
    assert_eq!(daemon.status("x"), "Running", "its turn comes after the build's end");
    let began = Instant::now();
    daemon.cli(["shutdown", "--force"]).ok();
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    until("the daemon's end is seen", || daemon.ended());
    assert_eq!(builds(&daemon), Vec::<u32>::new(), "no program outlives it");
    task.wait().fails();
    archive.signal(rustix::process::Signal::TERM);
    drop(archive.wait());
    daemon.launch();
    daemon.await_status("x", "Running");
}
