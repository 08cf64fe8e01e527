//! What is particular to ZFS; the rest is in the laws.

use std::fs;
use std::path::PathBuf;

use exec::{Control, zfs};

use super::{Zfs, is_old};
use crate::testing::{Scratch, container, custom, image, noise, not_root};
use crate::{
    Attached, Copies, Driver, Error, FileSystem, Making, PoolSpec, Shape, VolumeId, VolumeKind,
    mounts,
};

static ZFS: Zfs = Zfs;

/// A pool made with other options.
fn with(change: impl Fn(&mut PoolSpec)) -> Option<Scratch> {
    if not_root() {
        return None;
    }
    if let Some(why) = ZFS.unable() {
        eprintln!("SKIP: {why}");
        return None;
    }
    Some(Scratch::with(&ZFS, change))
}

fn path(s: &Scratch, id: &VolumeId) -> PathBuf {
    match s.pool.attach(id).unwrap() {
        Attached::Path(path) | Attached::Block(path) => path,
        Attached::Overlay { .. } => panic!("layers"),
    }
}

/// A property of the one dataset of a volume.
fn property(s: &Scratch, of: &str, key: &str) -> String {
    let text = fs::read_to_string(s.spec.path.join(of)).unwrap();
    let volume = text.split('"').find(|word| word.starts_with("v_")).unwrap();
    let pool = s.spec.options.zfs.pool.clone().unwrap();
    zfs::own_property(&format!("{pool}/{volume}"), key).unwrap()
}

/// Files in an image, a copy of it, a snapshot of that while it changes, a restore.
fn lives(s: &Scratch) {
    let (shape, control) = (Shape::filesystem(), Control::none());
    let fill: crate::Fill = &mut crate::testing::fill_image;
    s.pool.create(&image("f00"), &shape, Some(fill), &control).unwrap();
    let a = container("a");
    s.pool.clones().unwrap().clone_from(&image("f00"), &a, &shape, &control).unwrap();
    let root = path(s, &a);
    fs::write(root.join("note"), "one").unwrap();
    let snapshots = s.pool.snapshots().unwrap();
    snapshots.take(&a, "s", &control).unwrap();
    fs::write(root.join("note"), "two").unwrap();
    let Attached::Path(kept) = snapshots.attach(&a, "s").unwrap() else { panic!() };
    assert_eq!(fs::read_to_string(kept.join("note")).unwrap(), "one");
    assert!(fs::write(kept.join("note"), "three").is_err(), "what is kept does not change");
    snapshots.detach(&a, "s").unwrap();
    s.pool.detach(&a).unwrap();
    snapshots.restore(&a, "s", &control).unwrap();
    assert_eq!(fs::read_to_string(path(s, &a).join("note")).unwrap(), "one");
    assert_eq!(fs::read_to_string(path(s, &a).join("secret")).unwrap(), "secret");
    s.pool.detach(&a).unwrap();
}

#[test]
fn in_block_mode_files_lie_in_a_file_system_of_their_own() {
    for file_system in [FileSystem::Ext4, FileSystem::Xfs] {
        let change = |spec: &mut PoolSpec| {
            spec.options.volume_size = Some(320 << 20);
            spec.options.making.block_mode = Some(true);
            spec.options.making.file_system = Some(file_system);
        };
        let Some(mut s) = with(change) else { return };
        eprintln!("{file_system:?}");
        lives(&s);
        let a = container("a");
        s.pool.resize(&a, Some(512 << 20)).unwrap();
        let room = rustix::fs::statvfs(path(&s, &a)).unwrap();
        assert!(room.f_blocks * room.f_frsize > 400 << 20);
        let smaller = s.pool.resize(&a, Some(100 << 20));
        assert!(matches!(smaller, Err(Error::Shrink { .. })), "{smaller:?}");
        let small = Shape { size: Some(310 << 20), ..Shape::filesystem() };
        let clones = s.pool.clones().unwrap();
        clones.clone_from(&image("f00"), &container("b"), &small, &Control::none()).unwrap();
        assert_eq!(fs::read_to_string(path(&s, &container("b")).join("secret")).unwrap(), "secret");
        s.pool.detach(&container("b")).unwrap();
        s.pool.detach(&a).unwrap();
        ZFS.close(&s.spec).unwrap();
        s.reopen();
        assert_eq!(fs::read_to_string(path(&s, &a).join("note")).unwrap(), "one");
    }
}

#[test]
fn a_volume_chooses_for_itself() {
    let Some(s) = with(|_| {}) else { return };
    let make = |name: &str, making: Making| {
        let shape = Shape { size: Some(64 << 20), making, ..Shape::filesystem() };
        s.pool.create(&custom(name), &shape, None, &Control::none()).unwrap();
        path(&s, &custom(name))
    };
    let block = Making { block_mode: Some(true), ..Making::default() };
    let inside = make("p_block", block.clone());
    let kind = rustix::fs::statfs(&inside).unwrap().f_type;
    assert_eq!(kind, 0xef53, "ext4");
    make("p_sized", Making { block_size: Some(16 << 10), ..Making::default() });
    assert_eq!(property(&s, "custom/p_sized/data", "recordsize"), "16384");
    let mut making = Making { reserve: Some(true), ..Making::default() };
    make("p_room", making.clone());
    assert_eq!(property(&s, "custom/p_room/data", "refreservation"), (64 << 20).to_string());
    assert_eq!(property(&s, "custom/p_room/data", "refquota"), (64 << 20).to_string());
    making = Making { files_only: Some(false), ..Making::default() };
    s.pool.tune(&custom("p_room"), &making).unwrap();
    assert_eq!(property(&s, "custom/p_room/data", "quota"), (64 << 20).to_string());
    assert_eq!(property(&s, "custom/p_room/data", "refreservation"), "0");
    // Its copy is as it is, and one that is to lie elsewhere is written anew.
    fs::write(inside.join("note"), "one").unwrap();
    let clones = s.pool.clones().unwrap();
    for (name, block_mode) in [("p_same", true), ("p_other", false)] {
        let making = Making { block_mode: Some(block_mode), ..block.clone() };
        let shape = Shape { size: Some(64 << 20), making, ..Shape::filesystem() };
        clones.clone_from(&custom("p_block"), &custom(name), &shape, &Control::none()).unwrap();
        let inside = path(&s, &custom(name));
        assert_eq!(fs::read_to_string(inside.join("note")).unwrap(), "one");
        assert_eq!(rustix::fs::statfs(&inside).unwrap().f_type == 0xef53, block_mode);
    }
}

#[test]
fn what_snapshots_keep_counts_where_that_is_asked_for_and_nothing_stays_because_of_it() {
    let change = |spec: &mut PoolSpec| spec.options.making.files_only = Some(false);
    let Some(s) = with(change) else { return };
    let shape = Shape { size: Some(40 << 20), ..Shape::filesystem() };
    let (a, b) = (custom("p_a"), custom("p_b"));
    s.pool.create(&a, &shape, None, &Control::none()).unwrap();
    let root = path(&s, &a);
    fs::write(root.join("f"), noise(25 << 20)).unwrap();
    rustix::fs::syncfs(fs::File::open(&root).unwrap()).unwrap();
    s.pool.snapshots().unwrap().take(&a, "s", &Control::none()).unwrap();
    // As large again: there is room for the files, and not for what the snapshot keeps beside them.
    fs::remove_file(root.join("f")).unwrap();
    let full = (0..25).find_map(|n| {
        let written = fs::write(root.join(format!("g{n}")), noise(1 << 20));
        rustix::fs::syncfs(fs::File::open(&root).unwrap()).unwrap();
        written.err()
    });
    assert!(full.is_some(), "the snapshot did not count");
    s.pool.detach(&a).unwrap();
    // A copy with less room than what it takes over when its source goes.
    let clones = s.pool.clones().unwrap();
    clones.clone_from(&a, &b, &shape, &Control::none()).unwrap();
    s.pool.delete(&a).unwrap();
    crate::testing::wait_until("the source is removed", || {
        fs::read_dir(s.spec.path.join("trash")).unwrap().next().is_none()
    });
    assert!(path(&s, &b).join("g0").exists());
}

#[test]
fn copies_share_what_the_pool_says() {
    for copies in [Copies::All, Copies::Nothing, Copies::Image] {
        let Some(s) = with(|spec| spec.options.zfs.copies = copies) else { return };
        eprintln!("{copies:?}");
        lives(&s);
        fs::write(path(&s, &container("a")).join("more"), noise(1 << 20)).unwrap();
        s.pool.detach(&container("a")).unwrap();
        let (clones, control) = (s.pool.clones().unwrap(), Control::none());
        clones
            .clone_from(&container("a"), &container("b"), &Shape::filesystem(), &control)
            .unwrap();
        crate::testing::assert_same(&path(&s, &container("a")), &path(&s, &container("b")));
        let volume = |name: &str| {
            let text = fs::read_to_string(s.spec.path.join(name)).unwrap();
            text.split('"').find(|word| word.starts_with("v_")).unwrap().to_owned()
        };
        let pool = s.spec.options.zfs.pool.clone().unwrap();
        let stands_on = zfs::origins(&format!("{pool}/{}", volume("containers/b/rootfs"))).unwrap();
        let [of_a, of_image] = ["containers/a/rootfs", "images/f00/rootfs"]
            .map(|on| stands_on.iter().any(|state| state.contains(&volume(on))));
        let wanted = match copies {
            Copies::All => (true, true),
            Copies::Nothing => (false, false),
            Copies::Image => (false, true),
        };
        assert_eq!((of_a, of_image), wanted, "{stands_on:?}");
        let disk = VolumeId::new(VolumeKind::VirtualMachine, "d").unwrap();
        let other = VolumeId::new(VolumeKind::VirtualMachine, "e").unwrap();
        s.pool.create(&disk, &Shape::block(16 << 20), None, &control).unwrap();
        fs::write(path(&s, &disk), noise(16 << 20)).unwrap();
        clones.clone_from(&disk, &other, &Shape::block(16 << 20), &control).unwrap();
        assert!(fs::read(path(&s, &other)).unwrap() == noise(16 << 20));
    }
}

#[test]
fn versions_before_2_2_are_too_old() {
    for (version, old) in
        [("2.1.11-1", true), ("0.8.3", true), ("2.2.0-rc1", false), ("2.3.1\n", false)]
    {
        assert_eq!(is_old(version), old, "{version}");
    }
}

/// A blank disk; it goes with the file.
fn disk() -> (tempfile::NamedTempFile, PathBuf, fs::File) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(300 << 20).unwrap();
    let (device, open) = crate::pool_file::attach(file.path()).unwrap();
    (file, device, open)
}

/// A pool beside the scratch one, on another source.
fn other(s: &Scratch, source: impl Into<PathBuf>, pool: Option<String>) -> PoolSpec {
    let path = s.spec.path.with_file_name("other");
    let (name, id) = ("other".into(), Some(uuid::Uuid::new_v4()));
    let mut spec = PoolSpec { name, id, path, source: Some(source.into()), ..s.spec.clone() };
    spec.options.zfs.pool = pool;
    spec
}

#[test]
fn a_pool_on_a_whole_disk_is_found_again_and_leaves_it_blank() {
    let Some(s) = with(|_| {}) else { return };
    let (_file, device, _open) = disk();
    let spec = other(&s, &device, Some(format!("disk-{}", uuid::Uuid::new_v4().simple())));
    ZFS.create(&spec).unwrap();
    ZFS.create(&spec).unwrap();
    assert_eq!(ZFS.recognise(&spec).unwrap(), spec.id);
    let pool = ZFS.open(&spec).unwrap();
    pool.create(&custom("p_a"), &Shape::filesystem(), None, &Control::none()).unwrap();
    drop(pool);
    ZFS.close(&spec).unwrap();
    // Its name is another's after a boot.
    let moved = PoolSpec { source: Some("/dev/no-such-disk".into()), ..spec.clone() };
    let pool = ZFS.open(&moved).unwrap();
    assert_eq!(pool.list().unwrap(), [custom("p_a")]);
    pool.delete(&custom("p_a")).unwrap();
    drop(pool);
    let foreign = PoolSpec { id: Some(uuid::Uuid::new_v4()), ..spec.clone() };
    let refused = ZFS.create(&PoolSpec { path: s.spec.path.with_file_name("third"), ..foreign });
    assert!(matches!(refused, Err(Error::ForeignPool { .. } | Error::Source { .. })));
    ZFS.delete(&spec).unwrap();
    assert!(exec::wipefs::signatures(&device).unwrap().is_empty(), "it is blank again");
}

#[test]
fn a_pool_is_found_by_its_number_where_there_are_two_of_its_name() {
    let Some(mut s) = with(|_| {}) else { return };
    s.pool.create(&custom("p_a"), &Shape::filesystem(), None, &Control::none()).unwrap();
    ZFS.close(&s.spec).unwrap();
    let name = s.spec.options.zfs.pool.clone().unwrap();
    let twin = s.spec.path.with_file_name("twin.img");
    fs::File::create(&twin).unwrap().set_len(128 << 20).unwrap();
    zfs::make_pool(&name, &twin, "theirs", false).unwrap();
    zfs::export(&name).unwrap();
    s.reopen();
    assert_eq!(s.pool.list().unwrap(), [custom("p_a")]);
}

#[test]
fn what_others_put_into_a_pool_is_told_before_it_is_deleted() {
    let Some(s) = with(|_| {}) else { return };
    ZFS.check_delete(&s.spec).unwrap();
    let name = s.spec.options.zfs.pool.clone().unwrap();
    zfs::make(&format!("{name}/theirs"), &[]).unwrap();
    assert!(matches!(ZFS.check_delete(&s.spec), Err(Error::Dataset { .. })));
    // In a dataset of somebody's pool, which keeps all that is not ours.
    let spec = other(&s, format!("{name}/theirs"), None);
    let spec = PoolSpec { disk: ZFS.identify(&spec).unwrap(), ..spec };
    assert!(spec.disk.is_some());
    ZFS.create(&spec).unwrap();
    drop(ZFS.open(&spec).unwrap());
    mounts::unmount(&spec.path).unwrap();
    mounts::unmount(&s.spec.path).unwrap();
    zfs::export(&name).unwrap();
    drop(ZFS.open(&s.spec).unwrap());
    drop(ZFS.open(&spec).unwrap());
    ZFS.delete(&spec).unwrap();
    ZFS.check_delete(&s.spec).unwrap();
}
