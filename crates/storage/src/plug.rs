//! What a pool is after its machine was killed while everything in it changed.
//!
//! `cargo xtask test --rig uml plug`, or `--rig zfs plug`, runs this again and again: as `PLUG=load` in a guest that is killed at a random moment,
//! and as `PLUG=check` in one that boots from what was on its disk. What was begun and what was done is written to a file of
//! the host, which the kill does not touch: what was done must be there, whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use exec::Control;

use crate::testing::{container, fill_image, image, noise};
use crate::volumes::reference;
use crate::{Attached, Driver, LvmOptions, Pool, PoolOptions, PoolSpec, Shape, ZfsOptions, driver};

/// Where the guest sees the file of the host, and its disk.
const LOG: &str = "/mnt/share/plug.log";
const DISK: &str = "/dev/ubdb";
/// The volume group, or the pool of ZFS.
const BENEATH: &str = "plug";
const THREADS: usize = 2;
/// A load that is not killed ends by itself.
const LONGEST: Duration = Duration::from_secs(300);

#[test]
fn what_was_done_is_there_after_the_plug_was_pulled() {
    match std::env::var("PLUG").as_deref() {
        Ok("load") => load(),
        Ok("check") => check(),
        _ => eprintln!("SKIP: cargo xtask test --rig uml plug pulls it"),
    }
}

/// What a rig says where it is not as in user-mode linux.
fn said(variable: &str, usual: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| usual.to_owned())
}

/// The driver whose pool it is.
fn tried() -> &'static dyn Driver {
    driver(&said("LAWS_OF", "lvm")).unwrap()
}

fn spec() -> PoolSpec {
    crate::testing::own_namespace();
    let lvm = LvmOptions { group: Some(BENEATH.into()), ..LvmOptions::default() };
    let zfs = ZfsOptions { pool: Some(BENEATH.into()), ..ZfsOptions::default() };
    PoolSpec {
        name: "plug".into(),
        id: Some(uuid::Uuid::from_u128(7)),
        disk: None,
        keys: None,
        path: "/tmp/plug".into(),
        source: Some(said("PLUG_DISK", DISK).into()),
        options: PoolOptions { lvm, zfs, ..PoolOptions::default() },
    }
}

/// What the log says must be there: names with what they were first called and whether they have a snapshot; and those
/// of which nobody knows, as something was begun with them.
#[derive(Default)]
struct Known {
    sure: BTreeMap<String, (String, bool)>,
    unsure: BTreeSet<String>,
}

impl Known {
    fn read() -> Known {
        let mut known = Known::default();
        let mut begun: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for line in fs::read_to_string(said("PLUG_KNOWN", LOG)).unwrap_or_default().lines() {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            match &words[..] {
                [thread, word] if word == "done" => {
                    known.apply(&begun.remove(thread).unwrap());
                }
                // What the thread had begun before was cut off.
                [thread, rest @ ..] => {
                    let cut = begun.insert(thread.clone(), rest.to_vec());
                    known.forget(cut);
                }
                [] => {}
            }
        }
        begun.into_values().for_each(|cut| known.forget(Some(cut)));
        known
    }

    fn apply(&mut self, change: &[String]) {
        match change {
            [verb, name] if verb == "make" => {
                self.sure.insert(name.clone(), (name.clone(), false));
            }
            [verb, name] if verb == "keep" => self.sure.get_mut(name).unwrap().1 = true,
            [verb, name] if verb == "delete" => {
                self.sure.remove(name);
            }
            [verb, name, to] if verb == "rename" => {
                let known = self.sure.remove(name).unwrap();
                self.sure.insert(to.clone(), known);
            }
            // A restore brings back what was there.
            _ => {}
        }
    }

    fn forget(&mut self, cut: Option<Vec<String>>) {
        for name in cut.into_iter().flatten().skip(1) {
            self.sure.remove(&name);
            self.unsure.insert(name);
        }
    }
}

fn load() {
    let (spec, known) = (spec(), Known::read());
    tried().create(&spec).unwrap();
    let pool = tried().open(&spec).unwrap();
    let fill: crate::Fill = &mut fill_image;
    pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
    for id in pool.list().unwrap() {
        if id != image("f00") && !known.sure.contains_key(&id.name) {
            pool.delete(&id).unwrap();
        }
    }
    eprintln!("under load, with {} volumes", known.sure.len());
    // Some of them can be opened once only.
    let log = OpenOptions::new().append(true).create(true).open(said("PLUG_LOG", LOG)).unwrap();
    let log = Mutex::new(log);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let mut mine = known.sure.clone();
            mine.retain(|name, _| name.starts_with(&format!("t{thread}-")));
            let (pool, log) = (&*pool, &log);
            scope.spawn(move || change(pool, log, thread, mine));
        }
    });
}

/// Changes volumes until the end.
fn change(
    pool: &dyn Pool,
    log: &Mutex<File>,
    thread: usize,
    mut mine: BTreeMap<String, (String, bool)>,
) {
    let now = clock::since_1970();
    let mut random = now.as_nanos() as usize ^ thread << 20;
    let (end, snapshots) = (Instant::now() + LONGEST, pool.snapshots().unwrap());
    for n in 0.. {
        if Instant::now() > end {
            return;
        }
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let dice = random >> 33;
        let some = mine.keys().nth(dice / 16 % mine.len().max(1)).cloned();
        let fresh = format!("t{thread}-{}-{n}", now.as_secs());
        // By one call, which does not return before the host has it.
        let begin = |words: &str| {
            let line = format!("{thread} {words}\n");
            log.lock().unwrap().write_all(line.as_bytes()).unwrap();
        };
        match (dice % 8, some) {
            (4, Some(name)) if !mine[&name].1 => {
                begin(&format!("keep {name}"));
                snapshots.take(&container(&name), "s", &Control::none()).unwrap();
                mine.get_mut(&name).unwrap().1 = true;
            }
            (5, Some(name)) if mine[&name].1 => {
                begin(&format!("restore {name}"));
                snapshots.restore(&container(&name), "s", &Control::none()).unwrap();
            }
            (6, Some(name)) => {
                begin(&format!("rename {name} {fresh}"));
                pool.rename(&container(&name), &container(&fresh)).unwrap();
                let known = mine.remove(&name).unwrap();
                mine.insert(fresh, known);
            }
            (7, Some(name)) => {
                begin(&format!("delete {name}"));
                pool.delete(&container(&name)).unwrap();
                mine.remove(&name);
            }
            _ => {
                begin(&format!("make {fresh}"));
                make(pool, &fresh);
                mine.insert(fresh.clone(), (fresh, false));
            }
        }
        begin("done");
    }
}

fn make(pool: &dyn Pool, name: &str) {
    let (id, shape) = (container(name), Shape::filesystem());
    pool.clones().unwrap().clone_from(&image("f00"), &id, &shape, &Control::none()).unwrap();
    let mut file = File::create(root(pool, name).join("who")).unwrap();
    file.write_all(name.as_bytes()).unwrap();
    file.sync_all().unwrap();
    pool.detach(&id).unwrap();
}

fn root(pool: &dyn Pool, name: &str) -> PathBuf {
    let Attached::Path(path) = pool.attach(&container(name)).unwrap() else { panic!() };
    path
}

fn check() {
    let (spec, known) = (spec(), Known::read());
    let pool = tried().open(&spec).unwrap();
    let there = pool.list().unwrap();
    for (name, (first, kept)) in &known.sure {
        assert!(there.contains(&container(name)), "{name} is gone");
        assert_eq!(fs::read_to_string(root(&*pool, name).join("who")).unwrap(), *first);
        let has = pool.snapshots().unwrap().list(&container(name)).unwrap();
        assert_eq!(has, if *kept { vec!["s"] } else { vec![] }, "snapshots of {name}");
    }
    for id in &there {
        let known = known.sure.contains_key(&id.name) || known.unsure.contains(&id.name);
        assert!(known || *id == image("f00"), "where does {id} come from?");
        if *id != image("f00") {
            whole(&root(&*pool, &id.name));
            pool.detach(id).unwrap();
        }
    }
    let named = reference::in_pool(&spec.path).unwrap().len();
    let volumes: Vec<String> = match tried().info().name {
        "zfs" => exec::zfs::list(BENEATH).unwrap().into_iter().map(|one| one.name).collect(),
        _ => exec::lvm::volumes(BENEATH).unwrap().into_iter().map(|one| one.name).collect(),
    };
    let own = |name: &&String| reference::is_named_so(name.rsplit('/').next().unwrap_or(name));
    let volumes = volumes.iter().filter(own).count();
    assert!(volumes <= named, "{volumes} volumes, {named} named");
    let (sure, unsure) = (known.sure.len(), known.unsure.len());
    eprintln!("{sure} volumes are as they were; of {unsure} nobody can know");
}

/// All that an image fills is there.
fn whole(root: &Path) {
    assert_eq!(fs::read(root.join("secret")).unwrap(), b"secret");
    let tool = fs::read(root.join("usr/bin/tool")).unwrap();
    assert!(tool == noise(300_000), "{} bytes of the tool in {root:?}", tool.len());
}
