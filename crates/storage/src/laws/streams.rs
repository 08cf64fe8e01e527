//! Streams: what arrives is the same, only what changed is sent, and half of one is nothing.

use std::fs::{self, File};
use std::io::{Read, Seek, Write};
use std::os::fd::OwnedFd;

use exec::Control;

use super::every_driver;
use crate::streams::{Arrival, Point, Streams, transfer};
use crate::testing::{Mounted, Scratch, assert_same, container, custom, fill_image, image, noise};
use crate::{Access, Attached, Error, Result, Shape, View, VolumeId};

/// A pool with an instance of an image in it, and one of the same driver.
fn two(s: &Scratch) -> Option<Scratch> {
    assert_eq!(s.pool.streams().is_some(), s.driver.info().streams);
    if s.pool.streams().is_none() {
        eprintln!("{} has no streams", s.driver.info().name);
        return None;
    }
    let (fill, shape): (crate::Fill, _) = (&mut fill_image, Shape::filesystem());
    s.pool.create(&image("f00"), &shape, Some(fill), &Control::none()).unwrap();
    let clones = s.pool.clones().unwrap();
    clones.clone_from(&image("f00"), &container("a"), &shape, &Control::none()).unwrap();
    Some(Scratch::new(s.driver))
}

fn mount(s: &Scratch, id: &VolumeId) -> Mounted {
    Mounted::volume(&s.pool.attach(id).unwrap())
}

fn write(s: &Scratch, id: &VolumeId, name: &str, data: &[u8]) {
    fs::write(mount(s, id).path.join(name), data).unwrap();
    s.pool.detach(id).unwrap();
}

fn snapshot(s: &Scratch, name: &str) {
    s.pool.snapshots().unwrap().take(&container("a"), name, &Control::none()).unwrap();
}

fn whole<'a>(to: &'a VolumeId, shape: &'a Shape) -> Arrival<'a> {
    Arrival { to, shape, base: None, kept: None, beside: None, held: None }
}

fn now(of: &VolumeId) -> Point<'_> {
    Point { of, snapshot: None }
}

/// Brings a snapshot of `a` to the other pool's `a`.
fn bring(s: &Scratch, other: &Scratch, name: &str) -> bool {
    let (a, side, shape) = (container("a"), container("a@new"), Shape::filesystem());
    let what = Point { of: &a, snapshot: Some(name) };
    let arrival = Arrival { kept: Some(None), ..whole(&side, &shape) };
    let ends = ((&*s.pool, what), (&*other.pool, &a));
    let done = transfer(ends.0, ends.1, arrival, &Control::none()).unwrap();
    other.pool.snapshots().unwrap().adopt(&side, &a, name).unwrap();
    done
}

/// Makes the other pool's `a` as this one's is now.
fn refresh(s: &Scratch, other: &Scratch) -> bool {
    let (a, shape) = (container("a"), Shape::filesystem());
    transfer((&*s.pool, now(&a)), (&*other.pool, &a), whole(&a, &shape), &Control::none()).unwrap()
}

#[test]
fn what_arrives_is_the_same() {
    every_driver(|s| {
        let Some(other) = two(&s) else { return };
        let (a, b, shape) = (container("a"), container("b"), Shape::filesystem());
        let beside = s.pool.folder(&a).unwrap();
        let arrival = Arrival { beside: Some(&beside), ..whole(&b, &shape) };
        let ends = ((&*s.pool, now(&a)), (&*other.pool, &b));
        assert!(transfer(ends.0, ends.1, arrival, &Control::none()).unwrap());
        assert_same(&mount(&s, &a).path, &mount(&other, &b).path);
        let text = fs::read(other.pool.folder(&b).unwrap().join("metadata.yaml")).unwrap();
        assert_eq!(text, b"architecture: x86_64\n");
        // What came goes its own way.
        write(&other, &b, "secret", b"changed");
        assert_eq!(fs::read(mount(&s, &a).path.join("secret")).unwrap(), b"secret");
        s.pool.delete(&a).unwrap();
        other.pool.snapshots().unwrap().take(&b, "s", &Control::none()).unwrap();
    });
}

#[test]
fn a_source_that_changes_once_it_is_held_is_copied_as_it_was() {
    every_driver(|s| {
        let Some(other) = two(&s) else { return };
        let (a, b, shape) = (container("a"), container("b"), Shape::filesystem());
        let source = mount(&s, &a);
        fs::write(source.path.join("large"), noise(4 << 20)).unwrap();
        let change = || {
            fs::write(source.path.join("secret"), "changed").unwrap();
            fs::remove_file(source.path.join("large")).unwrap();
        };
        let arrival = Arrival { held: Some(&change), ..whole(&b, &shape) };
        let ends = ((&*s.pool, now(&a)), (&*other.pool, &b));
        assert!(transfer(ends.0, ends.1, arrival, &Control::none()).unwrap());
        let copy = mount(&other, &b);
        assert!(fs::read(copy.path.join("large")).unwrap() == noise(4 << 20));
        assert_eq!(fs::read(copy.path.join("secret")).unwrap(), b"secret");
        assert_eq!(fs::read(source.path.join("secret")).unwrap(), b"changed");
    });
}

/// How many bytes a stream has.
fn length(streams: &dyn Streams, what: Point<'_>, base: Option<(&VolumeId, &str)>) -> usize {
    let outgoing = streams.prepare(what, base).unwrap().unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| outgoing.send(writer.into(), &Control::none()));
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        sent.join().unwrap().unwrap();
        all.len()
    })
}

#[test]
fn a_copy_with_its_snapshots_is_brought_up_to_date_by_what_changed() {
    every_driver(|mut s| {
        let Some(mut other) = two(&s) else { return };
        let (a, shape) = (container("a"), Shape::filesystem());
        write(&s, &a, "large", &noise(4 << 20));
        snapshot(&s, "s1");
        write(&s, &a, "note", b"two");
        snapshot(&s, "s2");
        write(&s, &a, "note", b"now");
        other.pool.create(&a, &shape, None, &Control::none()).unwrap();
        assert!(!refresh(&s, &other), "there is nothing in common yet");
        assert!(bring(&s, &other, "s1") && bring(&s, &other, "s2"));
        assert!(refresh(&s, &other));
        assert_same(&mount(&s, &a).path, &mount(&other, &a).path);
        let streams = s.pool.streams().unwrap();
        let point = Point { of: &a, snapshot: Some("s2") };
        assert!(length(streams, point, Some((&a, "s1"))) < 1 << 20);
        assert!(length(streams, point, None) > 4 << 20);

        // Another run of the daemon, and both went on.
        s.reopen();
        other.reopen();
        write(&s, &a, "note", b"three");
        snapshot(&s, "s3");
        fs::remove_file(mount(&s, &a).path.join("large")).unwrap();
        s.pool.detach(&a).unwrap();
        write(&other, &a, "theirs", b"is not kept");
        assert!(bring(&s, &other, "s3") && refresh(&s, &other));
        assert_same(&mount(&s, &a).path, &mount(&other, &a).path);
        let snapshots = other.pool.snapshots().unwrap();
        assert_eq!(snapshots.list(&a).unwrap(), ["s1", "s2", "s3"]);
        for (name, note) in [("s1", None), ("s2", Some("two")), ("s3", Some("three"))] {
            let view = View::open(&snapshots.attach(&a, name).unwrap(), Access::Read).unwrap();
            let found = view.read("note".as_ref()).unwrap();
            assert_eq!(found.as_deref(), note.map(str::as_bytes), "{name}");
            assert!(view.read("large".as_ref()).unwrap().is_some());
            drop(view);
            snapshots.detach(&a, name).unwrap();
        }
        // The newest common one goes, on either side: an older one serves.
        snapshots.delete(&a, "s3").unwrap();
        write(&s, &a, "note", b"last");
        assert!(refresh(&s, &other));
        s.pool.snapshots().unwrap().delete(&a, "s2").unwrap();
        assert!(refresh(&s, &other));
        assert_eq!(fs::read(mount(&other, &a).path.join("note")).unwrap(), b"last");
        s.pool.snapshots().unwrap().delete(&a, "s1").unwrap();
        s.pool.snapshots().unwrap().delete(&a, "s3").unwrap();
        assert!(!refresh(&s, &other), "nothing is in common any more");
    });
}

#[test]
fn a_snapshot_that_was_written_to_is_nobodys_base() {
    every_driver(|s| {
        let Some(other) = two(&s) else { return };
        let (a, shape) = (container("a"), Shape::filesystem());
        snapshot(&s, "s1");
        other.pool.create(&a, &shape, None, &Control::none()).unwrap();
        bring(&s, &other, "s1");
        assert!(refresh(&s, &other));
        let snapshots = other.pool.snapshots().unwrap();
        let Attached::Path(path) = snapshots.attach(&a, "s1").unwrap() else { panic!() };
        if fs::write(path.join("secret"), "changed").is_err() {
            return eprintln!("{} lets nobody write to it", s.driver.info().name);
        }
        rustix::fs::syncfs(File::open(&path).unwrap()).unwrap();
        snapshots.detach(&a, "s1").unwrap();
        assert!(!refresh(&s, &other));
    });
}

#[test]
fn an_older_snapshot_that_comes_back_is_still_the_base_of_what_follows() {
    every_driver(|s| {
        let Some(other) = two(&s) else { return };
        let (a, shape) = (container("a"), Shape::filesystem());
        other.pool.create(&a, &shape, None, &Control::none()).unwrap();
        snapshot(&s, "s1");
        write(&s, &a, "note", b"two");
        snapshot(&s, "s2");
        bring(&s, &other, "s1");
        bring(&s, &other, "s2");
        s.pool.snapshots().unwrap().restore(&a, "s1", &Control::none()).unwrap();
        write(&s, &a, "other", b"way");
        snapshot(&s, "s3");
        bring(&s, &other, "s3");
        let view = other.pool.snapshots().unwrap().attach(&a, "s3").unwrap();
        let root = mount(&s, &a);
        assert_same(&root.path, &Mounted::volume(&view).path);
        if refresh(&s, &other) {
            assert_same(&root.path, &mount(&other, &a).path);
        }
    });
}

/// A stream as it would lie in a file.
fn stream(s: &Scratch) -> Vec<u8> {
    let outgoing = s.pool.streams().unwrap().prepare(now(&container("a")), None).unwrap().unwrap();
    let file = tempfile::tempfile().unwrap();
    outgoing.send(OwnedFd::from(file.try_clone().unwrap()), &Control::none()).unwrap();
    let mut all = Vec::new();
    (&file).rewind().unwrap();
    (&file).read_to_end(&mut all).unwrap();
    all
}

fn receive(other: &Scratch, data: &[u8]) -> Result<()> {
    let (to, shape) = (container("c"), Shape::filesystem());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(data).unwrap();
    file.rewind().unwrap();
    let streams = other.pool.streams().unwrap();
    streams.receive(&whole(&to, &shape), file.into(), &Control::none())
}

#[test]
fn half_a_stream_or_none_at_all_leaves_nothing() {
    every_driver(|s| {
        let Some(mut other) = two(&s) else { return };
        let all = stream(&s);
        let mut damaged = all.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x10;
        let long = noise(300_000);
        for bad in [&all[..all.len() / 2], &all[..7], &[], &damaged, &long] {
            let refused = receive(&other, bad);
            assert!(refused.is_err(), "{} bytes", bad.len());
        }
        assert!(other.pool.list().unwrap().is_empty());
        let left = fs::read_dir(other.spec.path.join("tmp")).unwrap().count();
        assert_eq!(left, 0);
        other.reopen();
        receive(&other, &all).unwrap();
        assert_same(&mount(&s, &container("a")).path, &mount(&other, &container("c")).path);
    });
}

#[test]
fn a_cancelled_transfer_leaves_nothing() {
    every_driver(|s| {
        let Some(other) = two(&s) else { return };
        let (a, b, shape) = (container("a"), container("b"), Shape::filesystem());
        let control = Control::none();
        control.cancel();
        let stopped =
            transfer((&*s.pool, now(&a)), (&*other.pool, &b), whole(&b, &shape), &control);
        assert!(matches!(stopped, Err(Error::Cancelled(_))), "{stopped:?}");
        assert!(other.pool.list().unwrap().is_empty());
    });
}

#[test]
fn a_custom_volume_is_brought_and_keeps_its_limit() {
    every_driver(|s| {
        let Some(other) = two(&s) else { return };
        let shape = Shape { size: Some(64 << 20), ..Shape::filesystem() };
        s.pool.create(&custom("v"), &shape, None, &Control::none()).unwrap();
        write(&s, &custom("v"), "data", b"here");
        let (from, to) = (custom("v"), custom("w"));
        let ends = ((&*s.pool, now(&from)), (&*other.pool, &to));
        let moved = transfer(ends.0, ends.1, whole(&to, &shape), &Control::none());
        assert!(moved.unwrap());
        assert_eq!(fs::read(mount(&other, &to).path.join("data")).unwrap(), b"here");
        let root = mount(&other, &to);
        let full = (0..96).try_for_each(|n| {
            fs::write(root.path.join(n.to_string()), noise(1 << 20))?;
            File::open(root.path.join(n.to_string()))?.sync_all()
        });
        assert!(full.is_err() || !other.pool.info().quotas);
    });
}

#[test]
fn a_disk_is_brought_where_the_driver_can() {
    every_driver(|s| {
        let Some(other) = two(&s) else { return };
        let (v, shape) = (custom("disk"), Shape::block(8 << 20));
        s.pool.create(&v, &shape, None, &Control::none()).unwrap();
        let Attached::Block(disk) = s.pool.attach(&v).unwrap() else { panic!("no disk") };
        let open = fs::OpenOptions::new().write(true).open(&disk).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&open, b"here", 4 << 20).unwrap();
        open.sync_all().unwrap();
        drop(open);
        s.pool.detach(&v).unwrap();
        let ends = ((&*s.pool, now(&v)), (&*other.pool, &v));
        if !transfer(ends.0, ends.1, whole(&v, &shape), &Control::none()).unwrap() {
            return eprintln!("{} copies disks as files", s.driver.info().name);
        }
        let Attached::Block(disk) = other.pool.attach(&v).unwrap() else { panic!("no disk") };
        assert_eq!(&fs::read(&disk).unwrap()[4 << 20..][..4], b"here");
    });
}
