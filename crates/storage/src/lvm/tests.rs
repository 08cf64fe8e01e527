//! What is particular to volume groups; the rest is in the laws.

use std::fs;
use std::path::{Path, PathBuf};

use exec::Control;

use super::{Lvm, books, source};
use crate::testing::{Scratch, container, custom, image, not_root};
use crate::{Attached, Driver, Error, FileSystem, Making, PoolSpec, Shape, VolumeId, VolumeKind};

static LVM: Lvm = Lvm;

fn scratch() -> Option<Scratch> {
    if not_root() {
        return None;
    }
    Scratch::able(&LVM)
}

/// A pool made with other options.
fn with(change: impl Fn(&mut PoolSpec)) -> Option<Scratch> {
    if not_root()
        || LVM.unable().is_some_and(|why| {
            eprintln!("SKIP: {why}");
            true
        })
    {
        return None;
    }
    Some(Scratch::with(&LVM, change))
}

fn path(s: &Scratch, id: &VolumeId) -> PathBuf {
    match s.pool.attach(id).unwrap() {
        Attached::Path(path) | Attached::Block(path) => path,
        Attached::Overlay { .. } => panic!("layers"),
    }
}

fn volumes(s: &Scratch) -> usize {
    let group = s.spec.options.lvm.group.as_deref().unwrap();
    exec::lvm::volumes(group).unwrap().iter().filter(|it| it.name.starts_with("v_")).count()
}

/// Files in an image, a copy of it, a snapshot of that: what every kind of volume keeps.
fn lives(s: &Scratch) {
    let (shape, control) = (Shape::filesystem(), Control::none());
    let fill: crate::Fill = &mut crate::testing::fill_image;
    s.pool.create(&image("f00"), &shape, Some(fill), &control).unwrap();
    let a = container("a");
    s.pool.clones().unwrap().clone_from(&image("f00"), &a, &shape, &control).unwrap();
    fs::write(path(s, &a).join("note"), "one").unwrap();
    s.pool.snapshots().unwrap().take(&a, "s", &control).unwrap();
    fs::write(path(s, &a).join("note"), "two").unwrap();
    s.pool.detach(&a).unwrap();
    s.pool.snapshots().unwrap().restore(&a, "s", &control).unwrap();
    assert_eq!(fs::read_to_string(path(s, &a).join("note")).unwrap(), "one");
    assert_eq!(fs::read_to_string(path(s, &a).join("secret")).unwrap(), "secret");
}

#[test]
fn copies_take_no_room_whatever_is_in_them() {
    let Some(s) = scratch() else { return };
    let fill: crate::Fill = &mut |into: &Path| {
        fs::create_dir(into.join("rootfs"))?;
        Ok(fs::write(into.join("rootfs/data"), vec![1; 32 << 20])?)
    };
    s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
    let before = s.pool.usage().unwrap().used;
    let clones = s.pool.clones().unwrap();
    for name in ["a", "b", "c"] {
        clones
            .clone_from(&image("f00"), &container(name), &Shape::filesystem(), &Control::none())
            .unwrap();
        s.pool.snapshots().unwrap().take(&container(name), "s", &Control::none()).unwrap();
    }
    assert!(s.pool.usage().unwrap().used < before + (8 << 20));
    assert!(s.pool.info().reflink && s.pool.info().quotas && !s.pool.info().layers);
}

#[test]
fn every_file_system_and_thick_volumes_keep_what_is_in_them() {
    for file_system in [FileSystem::Ext4, FileSystem::Xfs] {
        for thick in [false, true] {
            let change = |spec: &mut PoolSpec| {
                spec.options.size = Some(1400 << 20);
                spec.options.making.file_system = Some(file_system);
                spec.options.lvm.thick = thick;
                spec.options.volume_size = Some(320 << 20);
            };
            let Some(s) = with(change) else { return };
            eprintln!("{file_system:?}, thick: {thick}");
            lives(&s);
            let before = path(&s, &container("a"));
            assert!(fs::write(before.join("big"), vec![1; 330 << 20]).is_err());
            fs::remove_file(before.join("big")).unwrap();
            s.pool.resize(&container("a"), Some(512 << 20)).unwrap();
            fs::write(before.join("big"), vec![1; 330 << 20]).unwrap();
            let smaller = s.pool.resize(&container("a"), Some(100 << 20));
            assert!(matches!(smaller, Err(Error::Shrink { .. })), "{smaller:?}");
        }
    }
}

#[test]
fn a_volume_chooses_its_file_system_its_mount_and_how_it_is_spread() {
    let change = |spec: &mut PoolSpec| {
        spec.options.size = Some(1400 << 20);
        spec.options.lvm.thick = true;
    };
    let Some(s) = with(change) else { return };
    let making = Making {
        file_system: Some(FileSystem::Xfs),
        mount_options: Some("noatime,discard".into()),
        ..Making::default()
    };
    let shape = Shape { size: Some(320 << 20), making: making.clone(), ..Shape::filesystem() };
    s.pool.create(&custom("p_a"), &shape, None, &Control::none()).unwrap();
    let line = |id: &VolumeId| {
        let at = path(&s, id).parent().unwrap().display().to_string();
        let mounts = fs::read_to_string("/proc/thread-self/mounts").unwrap();
        mounts.lines().find(|line| line.contains(&at)).unwrap().to_owned()
    };
    let seen = line(&custom("p_a"));
    assert!(seen.contains(" xfs ") && seen.contains("noatime"), "{seen}");
    fs::write(path(&s, &custom("p_a")).join("note"), "one").unwrap();
    for _ in 0..2 {
        s.pool.detach(&custom("p_a")).unwrap();
    }
    // Another choice counts from the next mount on; what was chosen goes with copies and restores.
    s.pool.snapshots().unwrap().take(&custom("p_a"), "s", &Control::none()).unwrap();
    let other = Making { mount_options: Some("nodev".into()), ..making };
    s.pool.tune(&custom("p_a"), &other).unwrap();
    let seen = line(&custom("p_a"));
    assert!(seen.contains("nodev") && !seen.contains("noatime"), "{seen}");
    s.pool.detach(&custom("p_a")).unwrap();
    s.pool
        .snapshots()
        .unwrap()
        .copy(&custom("p_a"), "s", &custom("p_b"), &Control::none())
        .unwrap();
    let seen = line(&custom("p_b"));
    assert!(seen.contains(" xfs ") && seen.contains("noatime"), "{seen}");
    assert_eq!(fs::read_to_string(path(&s, &custom("p_b")).join("note")).unwrap(), "one");
    // The group has one disk: two stripes are one too many.
    let stripes = crate::Stripes { count: Some(2), size: Some(64 << 10) };
    let making = Making { stripes, ..Making::default() };
    let wide = Shape { size: Some(32 << 20), making, ..Shape::filesystem() };
    let refused = s.pool.create(&custom("p_c"), &wide, None, &Control::none());
    assert!(matches!(refused, Err(Error::Program { .. })), "{refused:?}");
    assert!(!s.pool.exists(&custom("p_c")).unwrap());
}

#[test]
fn a_smaller_copy_of_an_image_has_its_size() {
    let Some(s) = scratch() else { return };
    let fill: crate::Fill = &mut crate::testing::fill_image;
    s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
    let shape = Shape { size: Some(32 << 20), ..Shape::filesystem() };
    let clones = s.pool.clones().unwrap();
    clones.clone_from(&image("f00"), &container("a"), &shape, &Control::none()).unwrap();
    let root = path(&s, &container("a"));
    assert_eq!(fs::read_to_string(root.join("secret")).unwrap(), "secret");
    assert!(fs::write(root.join("big"), vec![1; 40 << 20]).is_err());
    let larger = Shape { size: Some(12 << 30), ..Shape::filesystem() };
    clones.clone_from(&image("f00"), &container("b"), &larger, &Control::none()).unwrap();
    let room = rustix::fs::statvfs(path(&s, &container("b"))).unwrap();
    assert!(room.f_blocks * room.f_frsize > 11 << 30);
}

#[test]
fn a_thick_disk_shows_nothing_of_the_one_before() {
    let change = |spec: &mut PoolSpec| spec.options.lvm.thick = true;
    let Some(s) = with(change) else { return };
    let vm = |name: &str| VolumeId::new(VolumeKind::VirtualMachine, name).unwrap();
    s.pool.create(&vm("a"), &Shape::block(64 << 20), None, &Control::none()).unwrap();
    fs::write(path(&s, &vm("a")), vec![7; 64 << 20]).unwrap();
    s.pool.snapshots().unwrap().take(&vm("a"), "s", &Control::none()).unwrap();
    fs::write(path(&s, &vm("a")), vec![8; 64 << 20]).unwrap();
    s.pool.snapshots().unwrap().restore(&vm("a"), "s", &Control::none()).unwrap();
    assert!(fs::read(path(&s, &vm("a"))).unwrap().iter().all(|byte| *byte == 7));
    s.pool.delete(&vm("a")).unwrap();
    for _ in 0..100 {
        if volumes(&s) == 0 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    s.pool.create(&vm("b"), &Shape::block(32 << 20), None, &Control::none()).unwrap();
    s.pool.resize(&vm("b"), Some(96 << 20)).unwrap();
    let data = fs::read(path(&s, &vm("b"))).unwrap();
    assert!(data.len() == 96 << 20 && data.iter().all(|byte| *byte == 0));
}

#[test]
fn a_volume_that_nothing_names_is_removed_at_the_next_open() {
    let Some(mut s) = scratch() else { return };
    s.pool.create(&custom("a"), &Shape::filesystem(), None, &Control::none()).unwrap();
    fs::write(path(&s, &custom("a")).join("f"), "x").unwrap();
    s.pool.create(&custom("b"), &Shape::filesystem(), None, &Control::none()).unwrap();
    assert_eq!(volumes(&s), 2);
    // As a crash leaves it between the removal of names and of volumes.
    fs::remove_dir_all(s.spec.path.join("custom/b")).unwrap();
    s.reopen();
    assert_eq!(volumes(&s), 1);
    assert_eq!(fs::read_to_string(path(&s, &custom("a")).join("f")).unwrap(), "x");
}

#[test]
fn a_pool_is_there_again_after_a_boot() {
    let Some(mut s) = scratch() else { return };
    lives(&s);
    // What a boot does: no mounts, no active volumes, no loop device.
    LVM.close(&s.spec).unwrap();
    let file = crate::pool_file::path(&s.spec);
    // udev looks at a device that changes, and while it does so the device stays.
    let is_there = || crate::pool_file::device_of(&file).unwrap().is_some();
    for _ in 0..100 {
        if !is_there() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert!(!is_there());
    s.reopen();
    assert_eq!(fs::read_to_string(path(&s, &container("a")).join("note")).unwrap(), "one");
    let seen = s.pool.snapshots().unwrap().attach(&container("a"), "s").unwrap();
    let Attached::Path(seen) = seen else { panic!() };
    assert_eq!(fs::read_to_string(seen.join("note")).unwrap(), "one");
    s.pool.snapshots().unwrap().detach(&container("a"), "s").unwrap();
    assert!(!seen.exists(), "it is mounted only while it is used");
}

#[test]
fn a_pool_in_a_file_grows_and_does_not_shrink() {
    let Some(s) = scratch() else { return };
    let before = s.pool.usage().unwrap().total;
    let mut spec = s.spec.clone();
    spec.options.size = Some(768 << 20);
    LVM.grow(&spec).unwrap();
    assert_eq!(s.pool.usage().unwrap().total, before + (256 << 20));
    spec.options.size = Some(512 << 20);
    assert!(matches!(LVM.grow(&spec), Err(Error::PoolSize { .. })));
}

/// A blank disk; it goes with the file.
fn disk() -> (tempfile::NamedTempFile, PathBuf, fs::File) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(300 << 20).unwrap();
    let (device, open) = crate::pool_file::attach(file.path()).unwrap();
    (file, device, open)
}

/// A pool beside the scratch one, on another source.
fn other(s: &Scratch, source: impl Into<PathBuf>, group: &str) -> PoolSpec {
    let path = s.spec.path.with_file_name("other");
    let (name, id) = ("other".into(), Some(uuid::Uuid::new_v4()));
    let mut spec = PoolSpec { name, id, path, source: Some(source.into()), ..s.spec.clone() };
    let unique = spec.id.unwrap().simple().to_string();
    spec.options.lvm.group = (!group.is_empty()).then(|| format!("{group}{}", &unique[..8]));
    spec
}

#[test]
fn a_disk_that_holds_something_is_not_taken_unless_it_may_be_wiped() {
    let Some(s) = scratch() else { return };
    let (_file, device, _open) = disk();
    exec::mkfs::make(&device, FileSystem::Ext4, exec::mkfs::Files::Any).unwrap();
    let mut spec = other(&s, &device, "disk");
    let refused = LVM.create(&spec);
    assert!(matches!(refused, Err(Error::Source { .. })), "{refused:?}");
    LVM.delete(&spec).unwrap();
    assert_eq!(exec::wipefs::signatures(&device).unwrap(), ["ext4"]);
    spec.options.wipe = true;
    LVM.create(&spec).unwrap();
    LVM.create(&spec).unwrap();
    assert_eq!(LVM.recognise(&spec).unwrap(), spec.id);
    // Another pool does not get it, and not its name.
    let mut foreign = other(&s, &device, "");
    foreign.options.lvm.group = spec.options.lvm.group.clone();
    foreign.path = s.spec.path.with_file_name("third");
    let refused = LVM.create(&foreign);
    assert!(matches!(refused, Err(Error::ForeignPool { .. })), "{refused:?}");
    LVM.delete(&foreign).unwrap();
    let (_file, second, _open) = disk();
    foreign.source = Some(second.clone());
    let refused = LVM.create(&foreign);
    assert!(matches!(refused, Err(Error::Group { .. })), "{refused:?}");
    assert!(exec::wipefs::signatures(&second).unwrap().is_empty());

    LVM.open(&spec).unwrap().check().unwrap();
    LVM.delete(&spec).unwrap();
    assert!(!spec.path.exists());
    assert!(exec::wipefs::signatures(&device).unwrap().is_empty(), "it is blank again");
    for nowhere in ["/nowhere/at/all", "/dev/null", "no-such-group"] {
        let refused = LVM.create(&other(&s, nowhere, ""));
        assert!(matches!(refused, Err(Error::Source { .. } | Error::Group { .. })), "{refused:?}");
    }
}

#[test]
fn a_group_that_is_there_is_taken_when_it_is_empty_and_left_as_it_was() {
    let Some(s) = scratch() else { return };
    let (_file, device, _open) = disk();
    let group = format!("theirs-{}", uuid::Uuid::new_v4().simple());
    exec::lvm::make_group(&group, &device, "theirs").unwrap();
    let make = |name: &str| {
        let kind = exec::lvm::Kind::Thick { size: 8 << 20 };
        exec::lvm::make_volume(&group, name, kind, exec::lvm::Stripes::default(), "theirs")
            .unwrap();
    };
    make("precious");
    let mut spec = other(&s, &group, "");
    let refused = LVM.create(&spec);
    assert!(matches!(refused, Err(Error::Group { .. })), "{refused:?}");
    spec.options.lvm.reuse = true;
    LVM.create(&spec).unwrap();
    let pool = LVM.open(&spec).unwrap();
    pool.create(&custom("a"), &Shape::filesystem(), None, &Control::none()).unwrap();
    assert_eq!(LVM.recognise(&spec).unwrap(), spec.id);
    assert!(matches!(LVM.delete(&spec), Err(Error::PoolInUse { count: 1, .. })));
    let foreign = PoolSpec { id: Some(uuid::Uuid::new_v4()), ..spec.clone() };
    let refused = LVM.open(&foreign).err();
    assert!(matches!(refused, Some(Error::ForeignPool { .. })), "{refused:?}");
    pool.delete(&custom("a")).unwrap();
    drop(pool);
    LVM.delete(&spec).unwrap();
    let left: Vec<String> =
        exec::lvm::volumes(&group).unwrap().into_iter().map(|volume| volume.name).collect();
    assert_eq!(left, ["precious"]);
    exec::lvm::remove_tagged(&group, "theirs").unwrap();
    exec::lvm::remove_group(&group).unwrap();
}

#[test]
fn a_file_that_was_not_made_for_the_pool_stays() {
    let Some(s) = scratch() else { return };
    let path = s.spec.path.with_file_name("other");
    let mut spec = PoolSpec { name: "other".into(), path, ..s.spec.clone() };
    spec.options.lvm.group = None;
    let file = crate::pool_file::path(&spec);
    fs::write(&file, "precious").unwrap();
    assert!(matches!(LVM.create(&spec), Err(Error::ForeignPool { .. })));
    LVM.delete(&spec).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
    fs::remove_file(&file).unwrap();
    for size in [1 << 20, 1 << 60] {
        spec.options.size = Some(size);
        assert!(matches!(LVM.create(&spec), Err(Error::PoolSize { .. })));
        assert!(!spec.path.exists() && !file.exists());
    }
}

#[test]
fn the_names_of_pools_and_groups_are_as_documented() {
    let id = uuid::Uuid::parse_str("0f1e2d3c-0000-4000-8000-000000000001").unwrap();
    assert_eq!(books(Some(id)), "pool_0f1e2d3c000040008000000000000001");
    let spec = PoolSpec {
        name: "local".into(),
        id: Some(id),
        disk: None,
        keys: None,
        path: "/x/local".into(),
        source: None,
        options: crate::PoolOptions::default(),
    };
    assert_eq!(source::group_name(&spec).unwrap(), "local");
    let named = PoolSpec { source: Some("vg0".into()), ..spec.clone() };
    assert_eq!(source::group_name(&named).unwrap(), "vg0");
    let mut two = named.clone();
    two.options.lvm.group = Some("vg1".into());
    assert!(matches!(source::group_name(&two), Err(Error::Group { .. })));
}
