use std::fs;
use std::path::{Path, PathBuf};

use exec::Control;
use exec::mkfs::FileSystem;

use super::source;
use super::*;
use crate::testing::{Scratch, assert_same, container, custom, fill_image, image};
use crate::{Attached, Content, Fill, Making, Shape, VolumeId, VolumeKind};

mod members;

fn machine(name: &str) -> VolumeId {
    VolumeId::new(VolumeKind::VirtualMachine, name).unwrap()
}

fn with_image(pool: &dyn Pool) {
    let fill: Fill = &mut fill_image;
    pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
}

fn clone(pool: &dyn Pool, from: &VolumeId, to: &VolumeId) {
    let shape = Shape { content: pool.describe(from).unwrap().content, ..Shape::filesystem() };
    pool.clones().unwrap().clone_from(from, to, &shape, &Control::none()).unwrap();
}

fn root(pool: &dyn Pool, id: &VolumeId) -> PathBuf {
    let Attached::Path(root) = pool.attach(id).unwrap() else { panic!("no folder") };
    root
}

/// All images of a pool but its mark.
fn names(s: &Scratch) -> Vec<String> {
    let all = source::images(&s.spec).names().unwrap().unwrap();
    all.into_iter().filter(|name| names::marked(name).is_none()).collect()
}

fn with_disk(pool: &dyn Pool, id: &VolumeId) {
    let shape = Shape { size: None, ..Shape::block(0) };
    let fill: Fill = &mut |into| {
        fs::write(into.join("metadata.yaml"), "of the image")?;
        Ok(fs::write(into.join("root.img"), vec![5; 1 << 20])?)
    };
    pool.create(id, &shape, Some(fill), &Control::none()).unwrap();
}

#[test]
fn what_is_beside_a_disk_goes_where_the_disk_goes() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let (pool, v, w, control) = (&*s.pool, machine("v"), machine("w"), Control::none());
    with_disk(pool, &image("f00"));
    clone(pool, &image("f00"), &v);
    let disk = |id: &VolumeId| {
        let Attached::Block(disk) = pool.attach(id).unwrap() else { panic!("no disk") };
        disk
    };
    let beside =
        |id: &VolumeId, name: &str| fs::read_to_string(pool.folder(id).unwrap().join(name));
    assert_eq!(fs::read(disk(&v)).unwrap()[..2], [5, 5]);
    assert_eq!(beside(&v, "metadata.yaml").unwrap(), "of the image");
    fs::create_dir(pool.folder(&v).unwrap().join("state")).unwrap();
    fs::write(pool.folder(&v).unwrap().join("state/memory"), "one").unwrap();
    fs::write(pool.folder(&v).unwrap().join("nvram"), "one").unwrap();
    let snapshots = pool.snapshots().unwrap();
    snapshots.take(&v, "s1", &control).unwrap();
    fs::write(pool.folder(&v).unwrap().join("nvram"), "two").unwrap();
    pool.detach(&v).unwrap();
    assert!(beside(&v, "nvram").is_err(), "nothing is there that is not attached");
    pool.rename(&v, &w).unwrap();
    snapshots.rename(&w, "s1", "s2").unwrap();
    disk(&w);
    assert_eq!(beside(&w, "nvram").unwrap(), "two");
    snapshots.attach(&w, "s2").unwrap();
    let kept = snapshots.folder(&w, "s2").unwrap();
    assert_eq!(fs::read_to_string(kept.join("nvram")).unwrap(), "one");
    snapshots.detach(&w, "s2").unwrap();
    snapshots.restore(&w, "s2", &control).unwrap();
    snapshots.copy(&w, "s2", &machine("copy"), &control).unwrap();
    for (id, has) in [(w, true), (machine("copy"), false)] {
        disk(&id);
        assert_eq!(beside(&id, "nvram").unwrap(), "one");
        // Memory belongs to the disk as it was, and a copy is another machine.
        assert_eq!(beside(&id, "state/memory").is_ok(), has);
    }
    for id in pool.list().unwrap() {
        pool.delete(&id).unwrap();
    }
    assert!(names(&s).is_empty(), "{:?}", names(&s));
}

#[test]
fn whatever_is_made_of_whatever_nothing_is_left_when_all_are_deleted() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let (pool, control) = (&*s.pool, Control::none());
    with_image(pool);
    clone(pool, &image("f00"), &container("a"));
    let snapshots = pool.snapshots().unwrap();
    snapshots.take(&container("a"), "s", &control).unwrap();
    snapshots.copy(&container("a"), "s", &container("b"), &control).unwrap();
    clone(pool, &container("a"), &container("c"));
    clone(pool, &container("c"), &container("d"));
    snapshots.copy(&container("b"), "s", &container("x"), &control).unwrap_err();
    snapshots.copy(&container("a"), "s", &container("side"), &control).unwrap();
    snapshots.adopt(&container("side"), &container("d"), "s").unwrap();
    snapshots.copy(&container("d"), "s", &container("e"), &control).unwrap();
    // With clones: it is gone for who asks, and goes with the last of them.
    snapshots.delete(&container("a"), "s").unwrap();
    assert!(snapshots.list(&container("a")).unwrap().is_empty());
    pool.delete(&image("f00")).unwrap();
    for name in ["c", "a", "d", "b"] {
        pool.delete(&container(name)).unwrap();
    }
    assert_eq!(pool.list().unwrap(), [container("e")]);
    assert!(root(pool, &container("e")).join("secret").exists());
    pool.delete(&container("e")).unwrap();
    assert!(names(&s).is_empty(), "{:?}", names(&s));
}

#[test]
fn copies_share_all_or_nothing_as_the_pool_says() {
    for full_copies in [false, true] {
        let Some(s) = Scratch::able(&CephRbd) else { return };
        let mut spec = s.spec.clone();
        spec.options.ceph.full_copies = full_copies;
        let pool = s.driver.open(&spec).unwrap();
        with_image(&*pool);
        clone(&*pool, &image("f00"), &container("a"));
        clone(&*pool, &container("a"), &container("b"));
        let images = source::images(&spec);
        let parent = |name: &str| images.info(name).unwrap().parent.map(|parent| parent.image);
        assert_eq!(parent("container_a").as_deref(), Some("image_f00"));
        let shares = (!full_copies).then_some("container_a");
        assert_eq!(parent("container_b").as_deref(), shares);
        assert_eq!(images.snaps("container_a").unwrap().is_empty(), full_copies);
        let (a, b) = (root(&*pool, &container("a")), root(&*pool, &container("b")));
        assert_same(&a, &b);
    }
}

#[test]
fn files_in_use_grow_and_a_smaller_copy_is_made_of_files() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let (pool, control) = (&*s.pool, Control::none());
    let making = Making { file_system: Some(FileSystem::Xfs), ..Making::default() };
    let shape = Shape { size: Some(512 << 20), making, ..Shape::filesystem() };
    let fill: Fill = &mut |into| Ok(fs::write(into.join("note"), "here")?);
    pool.create(&custom("v"), &shape, Some(fill), &control).unwrap();
    let top = root(pool, &custom("v"));
    let room = || {
        let room = rustix::fs::statvfs(&top).unwrap();
        (room.f_blocks * room.f_frsize) >> 20
    };
    assert!(room() < 512);
    pool.resize(&custom("v"), Some(768 << 20)).unwrap();
    assert!((600..768).contains(&room()), "{}", room());
    let wrong = pool.resize(&custom("v"), Some(512 << 20));
    assert!(matches!(wrong, Err(Error::Shrink { .. })), "{wrong:?}");
    assert_eq!(pool.describe(&custom("v")).unwrap().size, Some(768 << 20));
    let other = Making { file_system: Some(FileSystem::Ext4), ..Making::default() };
    for (name, size, making) in [("small", 400 << 20, shape.making), ("other", 1 << 30, other)] {
        let shape = Shape { size: Some(size), making, ..Shape::filesystem() };
        let clones = pool.clones().unwrap();
        clones.clone_from(&custom("v"), &custom(name), &shape, &control).unwrap();
        let copy = root(pool, &custom(name));
        assert_eq!(fs::read_to_string(copy.join("note")).unwrap(), "here");
        let images = source::images(&s.spec);
        assert_eq!(images.info(&format!("custom_{name}")).unwrap().size, size);
    }
}

#[test]
fn a_restore_that_was_broken_off_is_ended_by_whoever_opens_the_volume() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let (pool, v) = (&*s.pool, custom("v"));
    pool.create(&v, &Shape::filesystem(), None, &Control::none()).unwrap();
    fs::write(root(pool, &v).join("note"), "one").unwrap();
    pool.snapshots().unwrap().take(&v, "s", &Control::none()).unwrap();
    fs::write(root(pool, &v).join("note"), "two").unwrap();
    pool.detach(&v).unwrap();
    pool.detach(&v).unwrap();
    let images = source::images(&s.spec);
    let mut note = images.find("custom_v").unwrap().unwrap();
    note.restoring = Some(names::snapshot("s"));
    images.set("custom_v", &note).unwrap();
    assert_eq!(fs::read_to_string(root(pool, &v).join("note")).unwrap(), "one");
    assert_eq!(images.find("custom_v").unwrap().unwrap().restoring, None);
}

#[test]
fn an_osd_pool_of_others_is_taken_only_if_said_and_stays_theirs() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let mut spec = s.spec.clone();
    spec.id = Some(Uuid::new_v4());
    spec.path = s.spec.path.with_file_name("second");
    spec.source = Some(format!("scratch-{}", Uuid::new_v4()).into());
    let images = source::images(&spec);
    let rbd = &images.rbd;
    rbd.cluster.make_pool(&rbd.name, 1, None).unwrap();
    images.create("lxd_tank", 4096).unwrap();
    let refused = s.driver.create(&spec);
    assert!(matches!(refused, Err(Error::Source { .. })), "{refused:?}");
    spec.options.ceph.reuse = true;
    s.driver.create(&spec).unwrap();
    let pool = s.driver.open(&spec).unwrap();
    with_image(&*pool);
    assert_eq!(pool.list().unwrap(), [image("f00")]);
    pool.keep(b"kept").unwrap();
    s.driver.delete(&spec).unwrap();
    assert_eq!(images.names().unwrap().unwrap(), ["lxd_tank"]);
    assert_eq!(rbd.cluster.get(&rbd.name, RECORD).unwrap(), None);
    rbd.cluster.remove_pool(&rbd.name).unwrap();
}

#[test]
fn a_dead_monitor_is_an_error_soon_and_never_an_empty_pool() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let name = format!("dead-{}", Uuid::new_v4().simple());
    let file = Path::new(CONFIGURATIONS).join(format!("{name}.conf"));
    // Nobody listens there.
    let text = "[global]\nmon host = 127.0.0.1:1\nkeyring = /etc/ceph/ceph.client.admin.keyring\n";
    fs::write(&file, text).unwrap();
    let mut spec = s.spec.clone();
    spec.options.ceph.cluster = Some(name);
    let begun = std::time::Instant::now();
    let failed = [
        s.driver.open(&spec).map(drop),
        s.driver.delete(&spec),
        s.driver.recognise(&spec).map(drop),
    ];
    // Ten seconds each.
    assert!(begun.elapsed() < std::time::Duration::from_secs(45), "{:?}", begun.elapsed());
    fs::remove_file(&file).unwrap();
    for failed in failed {
        let Err(Error::Program { source, .. }) = failed else { panic!("{failed:?}") };
        assert!(source.to_string().contains("connect to the cluster"), "{source}");
    }
    // A key that is not there is none either.
    spec.options.ceph =
        crate::CephOptions { user: Some("nobody".into()), ..s.spec.options.ceph.clone() };
    assert!(matches!(s.driver.delete(&spec), Err(Error::Program { .. })));
    s.pool.check().unwrap();
}

#[test]
fn an_iso_is_a_disk_without_files_beside_it() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let shape = Shape { content: Content::Iso, size: None, ..Shape::filesystem() };
    let fill: Fill = &mut |into| Ok(fs::write(into.join("root.img"), vec![7; 6144])?);
    s.pool.create(&custom("disc"), &shape, Some(fill), &Control::none()).unwrap();
    let Attached::Block(disk) = s.pool.attach(&custom("disc")).unwrap() else { panic!("no disk") };
    assert!(fs::read(&disk).unwrap()[..6144].iter().all(|byte| *byte == 7));
    assert_eq!(s.pool.describe(&custom("disc")).unwrap().content, Content::Iso);
    assert!(s.pool.resize(&custom("disc"), Some(1 << 20)).is_err());
    assert_eq!(names(&s), ["custom_disc"]);
}
