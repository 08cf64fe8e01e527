//! What a server is after its machine was killed while everything in it changed.
//!
//! `cargo xtask test --rig uml plug daemon [rounds]` runs this again and again: as `PLUG=load` in a guest that is killed at a
//! random moment, and as `PLUG=check` in one that boots from what was on its disk. What was begun and what was done is written
//! to a file of the host, which the kill does not touch: what was done must be there, whole, and nothing nobody asked for.

#![allow(clippy::print_stderr, reason = "rounds of this test tell people what they found")]
#![allow(clippy::unwrap_used, reason = "a panic is how a round fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use lab::{Client, Daemon, Options, within};

/// Where the guest sees the file of the host, and its disk.
const LOG: &str = "/mnt/share/plug.log";
const DISK: &str = "/dev/ubdb";
const POOLS: [&str; 3] = ["plain", "tree", "thin"];
const DOOR: &str = "127.0.0.1:8555";
/// A load that is not killed ends by itself.
const LONGEST: Duration = Duration::from_secs(120);
/// Unfinished tasks may have to copy a root again.
const SETTLED: Duration = Duration::from_secs(60);
const KEY: [&str; 3] = ["--role=admin", "--access-key=plug", "--secret-key=plug-secret"];

#[test]
fn what_was_done_is_there_after_the_plug_was_pulled() {
    match std::env::var("PLUG").as_deref() {
        Ok("load") => load(),
        Ok("check") => check(),
        _ => lab::skip("cargo xtask test --rig uml plug daemon pulls it"),
    }
}

fn daemon() -> Option<Daemon> {
    Daemon::with(&Options { device: Some(PathBuf::from(DISK)), ..Options::default() })
}

/// What a change makes (`+`) and takes away (`-`), in words: `+instance/x`, `-object/a`.
type Change = Vec<String>;

/// The file of the host. Each line is written by one call.
struct Log(Mutex<File>);

impl Log {
    fn open() -> Log {
        let file = OpenOptions::new().append(true).create(true).open(LOG);
        Log(Mutex::new(file.unwrap_or_else(|e| panic!("cannot open {LOG}: {e}"))))
    }

    fn line(&self, text: &str) {
        let mut file = self.0.lock().unwrap();
        file.write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    /// Does something, and notes before and after it what it changes.
    fn change(&self, thread: &str, changes: &[String], work: impl FnOnce()) {
        self.line(&format!("{thread} {}", changes.join(" ")));
        work();
        self.line(&format!("{thread} done"));
    }
}

/// What must be there, what must not, and of what nobody knows, as it was being changed.
#[derive(Default)]
struct Known {
    there: BTreeSet<String>,
    gone: BTreeSet<String>,
    unsure: BTreeSet<String>,
    /// The greatest number that a running instance said it has written.
    count: u64,
}

impl Known {
    fn read() -> Known {
        let mut known = Known::default();
        let mut begun: BTreeMap<String, Change> = BTreeMap::new();
        for line in fs::read_to_string(LOG).unwrap_or_default().lines() {
            let mut words = line.split(' ').map(str::to_owned);
            let (thread, change) = (words.next().unwrap_or_default(), words.collect::<Change>());
            match &change[..] {
                [done] if done == "done" => {
                    begun.remove(&thread).into_iter().flatten().for_each(|one| known.apply(&one));
                }
                _ => drop(begun.insert(thread, change)),
            }
        }
        for one in begun.into_values().flatten() {
            let name = one[1..].to_owned();
            known.there.remove(&name);
            known.gone.remove(&name);
            known.unsure.insert(name);
        }
        known
    }

    fn apply(&mut self, one: &str) {
        let (sign, name) = one.split_at(1);
        if let Some(count) = name.strip_prefix("count/") {
            self.count = count.parse().unwrap();
            return;
        }
        let (to, from) = match sign {
            "+" => (&mut self.there, &mut self.gone),
            _ => (&mut self.gone, &mut self.there),
        };
        from.remove(name);
        to.insert(name.to_owned());
    }

    fn may_be(&self, name: &str) -> bool {
        self.there.contains(name) || self.unsure.contains(name)
    }
}

/// The bytes of an object, or of a file in an instance: by its name, so that they are told apart.
fn contents(name: &str) -> Vec<u8> {
    let length = name.rsplit('-').next().and_then(|length| length.parse().ok());
    let mut bytes = name.as_bytes().to_vec();
    bytes.extend(lab::noise(length.unwrap_or(0)));
    bytes
}

fn load() {
    let Some(daemon) = daemon() else { return };
    // Without a network: the kernel with the device mapper has no NAT.
    daemon.cli(["storage", "create", "plain", "dir"]).ok();
    daemon.cli(["storage", "create", "tree", "btrfs", "size=800MiB"]).ok();
    daemon.cli(["storage", "create", "thin", "lvm", "size=800MiB"]).ok();
    daemon.cli(["image", "build", "busybox", "--alias", "busybox"]).ok();
    daemon.cli(["launch", "local:busybox", "writer", "-s", "plain"]).ok();
    daemon.cli(["config", "set", "core.storage_buckets_address", DOOR]).ok();
    daemon.cli(["storage", "bucket", "create", "plain", "bucket"]).ok();
    let key = ["storage", "bucket", "key", "create", "plain", "bucket", "plug"];
    daemon.run(Client::Cli, &[&key[..], &KEY].concat()).ok();
    drop(fs::remove_file(LOG));
    let (log, end) = (Log::open(), Instant::now() + LONGEST);
    eprintln!("under load");
    std::thread::scope(|scope| {
        let (daemon, log) = (&daemon, &log);
        scope.spawn(move || instances(daemon, log, end));
        scope.spawn(move || volumes(daemon, log, end));
        // Several at once, as those share a sync.
        for writer in ["objects1", "objects2", "objects3"] {
            scope.spawn(move || objects(daemon, log, writer, end));
        }
        scope.spawn(move || writes(daemon, log, end));
    });
}

/// Instances come with a file in them, get a snapshot, are copied, renamed, deleted.
fn instances(daemon: &Daemon, log: &Log, end: Instant) {
    let scratch = daemon.scratch().join("mark");
    for n in (0..).take_while(|_| Instant::now() < end) {
        let pool = POOLS[n % POOLS.len()];
        let (x, y, z) = (format!("x{n}"), format!("y{n}"), format!("z{n}"));
        let run = |words: &[&str]| drop(daemon.run(Client::Cli, words).ok());
        let change = |changes: &[String], words: &[&str]| {
            log.change("instances", changes, || run(words));
        };
        change(&[format!("+instance/{x}")], &["create", "local:busybox", &x, "-s", pool]);
        fs::write(&scratch, contents("mark-70000")).unwrap();
        let (from, to) = (scratch.to_string_lossy(), format!("{x}/mark"));
        change(&[format!("+mark/{x}")], &["file", "push", &from, &to]);
        change(&[format!("+snapshot/{x}/s")], &["snapshot", &x, "s"]);
        let copy = ["instance", "mark"].map(|kind| format!("+{kind}/{y}"));
        change(&copy, &["copy", &format!("{x}/s"), &y]);
        let renamed =
            ["instance", "mark"].map(|kind| [format!("-{kind}/{y}"), format!("+{kind}/{z}")]);
        change(&renamed.concat(), &["rename", &y, &z]);
        if n % 2 == 1 {
            let gone = [format!("-instance/{x}"), format!("-mark/{x}"), format!("-snapshot/{x}/s")];
            change(&gone, &["delete", &x]);
        } else if n > 3 {
            let (old, mark) = (format!("z{}", n - 4), format!("-mark/z{}", n - 4));
            change(&[format!("-instance/{old}"), mark], &["delete", &old]);
        }
    }
}

fn volumes(daemon: &Daemon, log: &Log, end: Instant) {
    for n in (0..).take_while(|_| Instant::now() < end) {
        let (pool, other) = (POOLS[n % POOLS.len()], POOLS[(n + 1) % POOLS.len()]);
        let (v, w) = (format!("v{n}"), format!("w{n}"));
        let change = |changes: &[String], words: &[&str]| {
            let words = [&["storage", "volume"], words].concat();
            log.change("volumes", changes, || drop(daemon.run(Client::Cli, &words).ok()));
        };
        change(&[format!("+volume/{pool}/{v}")], &["create", pool, &v, "size=32MiB"]);
        change(&[format!("+kept/{pool}/{v}/s")], &["snapshot", pool, &v, "s"]);
        let copied = [format!("+volume/{other}/{w}"), format!("+kept/{other}/{w}/s")];
        change(&copied, &["copy", &format!("{pool}/{v}"), &format!("{other}/{w}")]);
        if n % 2 == 1 {
            let gone = [format!("-volume/{pool}/{v}"), format!("-kept/{pool}/{v}/s")];
            change(&gone, &["delete", pool, &v]);
        }
    }
}

fn objects(daemon: &Daemon, log: &Log, writer: &str, end: Instant) {
    let file = daemon.scratch().join(writer);
    let o = writer.replace("bjects", "");
    let path = file.to_string_lossy().into_owned();
    for n in (0..).take_while(|_| Instant::now() < end) {
        let name = format!("{o}-{n}-{}", [100, 5_000, 300_000][n % 3]);
        fs::write(&file, contents(&name)).unwrap();
        log.change(writer, &[format!("+object/{name}")], || {
            let (status, answer) = curl(daemon, &["-T", &path], &name);
            assert!(status == "200", "put: {status} {}", String::from_utf8_lossy(&answer));
        });
        if n % 5 == 4 {
            let old = format!("{o}-{}-{}", n - 3, [100, 5_000, 300_000][(n - 3) % 3]);
            log.change(writer, &[format!("-object/{old}")], || {
                let (status, answer) = curl(daemon, &["-X", "DELETE"], &old);
                assert!(status == "204", "delete: {status} {}", String::from_utf8_lossy(&answer));
            });
        }
    }
}

/// Numbers that an instance writes to its disk, one after the other.
fn writes(daemon: &Daemon, log: &Log, end: Instant) {
    for n in (1..).take_while(|_| Instant::now() < end) {
        log.change("writes", &[format!("+count/{n}")], || {
            let line = format!("echo {n} > /new && sync && mv /new /count && sync");
            daemon.sh("writer", &line).ok();
        });
    }
}

/// A request of an S3 client; its status, and what came.
fn curl(daemon: &Daemon, words: &[&str], key: &str) -> (String, Vec<u8>) {
    // Several ask at once, each for its own.
    let out =
        daemon.scratch().join(format!("answer-{}", key.split('?').next().unwrap_or_default()));
    let (url, to) = (format!("https://{DOOR}/bucket/{key}"), out.to_string_lossy().into_owned());
    let sign = ["--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "plug:plug-secret"];
    let usual = ["curl", "--silent", "--insecure", "--write-out", "%{http_code}", "--output", &to];
    drop(fs::remove_file(&out));
    let run = daemon.netns().run(&[&usual[..], &sign, words, &[&url]].concat());
    let came = fs::read(&out).unwrap_or_default();
    drop(fs::remove_file(&out));
    (run.shown(), came)
}

fn check() {
    let known = Known::read();
    let Some(daemon) = daemon() else { return };
    within(SETTLED, "no operation runs", || {
        let all = daemon.get("/1.0/operations");
        all["running"].as_array().is_none_or(Vec::is_empty).then_some(())
    });
    if known.there.is_empty() {
        eprintln!("killed before anything was done");
        return;
    }
    let found = listed(&daemon);
    let lost: Vec<_> = known.there.iter().filter(|name| is_listed(name)).collect();
    let lost: Vec<_> = lost.into_iter().filter(|name| !found.contains(*name)).collect();
    let back: Vec<_> = known.gone.iter().filter(|name| found.contains(*name)).collect();
    let alien: Vec<_> = found.iter().filter(|name| !known.may_be(name)).collect();
    let problems = format!("lost {lost:?}, come back {back:?}, of nobody {alien:?}");
    assert!(lost.is_empty() && back.is_empty() && alien.is_empty(), "{problems}");
    written(&daemon, &known);
    whole_objects(&daemon, &found);
    whole_instances(&daemon, &known, &found);
    for pool in POOLS {
        daemon.cli(["storage", "verify", pool]).ok();
    }
    eprintln!(
        "{} are there, {} gone, {} unsure, count {}",
        known.there.len(),
        known.gone.len(),
        known.unsure.len(),
        known.count
    );
}

/// Whether it has a name of its own in a list.
fn is_listed(name: &str) -> bool {
    !name.starts_with("mark/")
}

fn listed(daemon: &Daemon) -> BTreeSet<String> {
    // Snapshots are listed among the volumes too.
    let names = |path: &str| {
        let list = daemon.get(path);
        let below = |url: &serde_json::Value| {
            let name = url.as_str()?.strip_prefix(path)?.strip_prefix('/')?;
            (!name.contains('/')).then(|| name.to_owned())
        };
        list.as_array().into_iter().flatten().filter_map(below).collect::<Vec<_>>().into_iter()
    };
    let mut found = BTreeSet::new();
    for name in names("/1.0/instances").filter(|name| name != "writer") {
        let of = format!("/1.0/instances/{name}/snapshots");
        found.extend(names(&of).map(|snapshot| format!("snapshot/{name}/{snapshot}")));
        found.insert(format!("instance/{name}"));
    }
    for pool in POOLS {
        let of = format!("/1.0/storage-pools/{pool}/volumes/custom");
        for name in names(&of) {
            let kept = names(&format!("{of}/{name}/snapshots"));
            found.extend(kept.map(|snapshot| format!("kept/{pool}/{name}/{snapshot}")));
            found.insert(format!("volume/{pool}/{name}"));
        }
    }
    let (status, list) = curl(daemon, &[], "?list-type=2&max-keys=1000");
    let list = String::from_utf8_lossy(&list).into_owned();
    assert!(status == "200" && list.contains("<IsTruncated>false"), "{status} {list}");
    let keys = list.split("<Key>").skip(1).filter_map(|rest| rest.split('<').next());
    found.extend(keys.map(|key| format!("object/{key}")));
    found
}

/// The instance that ran runs again by itself, with what it had written.
fn written(daemon: &Daemon, known: &Known) {
    within(SETTLED, "the writer runs", || (daemon.status("writer") == "Running").then_some(()));
    if known.count > 0 {
        let count: u64 = daemon.sh("writer", "cat /count").text().parse().unwrap();
        assert!(count >= known.count, "written {}, found {count}", known.count);
    }
}

fn whole_objects(daemon: &Daemon, found: &BTreeSet<String>) {
    for key in found.iter().filter_map(|name| name.strip_prefix("object/")) {
        let (status, body) = curl(daemon, &[], key);
        assert!(status == "200" && body == contents(key), "{key}: {status}, {} bytes", body.len());
    }
}

/// Each instance starts, with its file whole; so does what its snapshot brings back.
fn whole_instances(daemon: &Daemon, known: &Known, found: &BTreeSet<String>) {
    let out = daemon.scratch().join("mark");
    let marked = |name: &str| {
        daemon.cli(["file", "pull", &format!("{name}/mark"), &out.to_string_lossy()]).ok();
        assert!(fs::read(&out).unwrap() == contents("mark-70000"), "the file in {name}");
    };
    for name in found.iter().filter_map(|name| name.strip_prefix("instance/")) {
        daemon.cli(["start", name]).ok();
        daemon.sh(name, "true").ok();
        if known.there.contains(&format!("mark/{name}")) {
            marked(name);
        }
        daemon.cli(["stop", name, "--force"]).ok();
        if found.contains(&format!("snapshot/{name}/s")) {
            daemon.cli(["restore", name, "s"]).ok();
            marked(name);
        }
    }
}
