use std::fs;
use std::path::Path;

use exec::Control;

use super::Btrfs;
use crate::dir::Trees;
use crate::testing::{Disk, Scratch, container, custom, image, not_root};
use crate::{Attached, Driver, Error, PoolSpec, Shape, VolumeId};

fn scratch() -> Option<Scratch> {
    if not_root() {
        return None;
    }
    Scratch::able(&Btrfs)
}

fn path(s: &Scratch, id: &VolumeId) -> std::path::PathBuf {
    let Attached::Path(path) = s.pool.attach(id).unwrap() else { panic!() };
    path
}

#[test]
fn a_pool_of_its_own_enforces_sizes() {
    let Some(s) = scratch() else { return };
    assert!(s.pool.info().quotas);
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
    for name in ["a", "b", "c", "d", "e"] {
        let shape = Shape::filesystem().plain();
        clones.clone_from(&image("f00"), &container(name), &shape, &Control::none()).unwrap();
        s.pool.snapshots().unwrap().take(&container(name), "s", &Control::none()).unwrap();
    }
    assert!(s.pool.usage().unwrap().used < before + (8 << 20));
}

#[test]
fn subvolumes_that_a_guest_made_are_copied_and_deleted_with_the_rest() {
    let Some(mut s) = scratch() else { return };
    s.pool.create(&custom("a"), &Shape::filesystem(), None, &Control::none()).unwrap();
    let root = path(&s, &custom("a"));
    fs::create_dir(root.join("deep")).unwrap();
    for inner in ["deep/one", "deep/one/two"] {
        super::Subvolumes.make(&root.join(inner), 0o755, crate::dir::Wanted::default()).unwrap();
        fs::write(root.join(inner).join("tool"), inner).unwrap();
    }
    let (clones, control) = (s.pool.clones().unwrap(), Control::none());
    clones.clone_from(&custom("a"), &custom("b"), &Shape::filesystem(), &control).unwrap();
    let copy = path(&s, &custom("b"));
    assert_eq!(fs::read_to_string(copy.join("deep/one/two/tool")).unwrap(), "deep/one/two");
    s.pool.delete(&custom("a")).unwrap();
    assert!(copy.join("deep/one/tool").exists());
    s.pool.delete(&custom("b")).unwrap();
    s.reopen();
    let trash = s.spec.path.join("trash");
    for _ in 0..500 {
        if fs::read_dir(&trash).unwrap().count() == 0 {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("the trash stays full");
}

#[test]
fn a_pool_in_a_file_grows_and_does_not_shrink() {
    let Some(s) = scratch() else { return };
    let before = s.pool.usage().unwrap().total;
    let mut spec = s.spec.clone();
    spec.options.size = Some(before + (256 << 20));
    Btrfs.grow(&spec).unwrap();
    assert_eq!(s.pool.usage().unwrap().total, before + (256 << 20));
    spec.options.size = Some(before);
    assert!(matches!(Btrfs.grow(&spec), Err(Error::PoolSize { .. })));
    spec.options.size = Some(1 << 60);
    assert!(matches!(Btrfs.grow(&spec), Err(Error::PoolSize { .. })));
}

#[test]
fn a_folder_of_a_btrfs_becomes_a_pool_and_another_does_not() {
    let Some(s) = scratch() else { return };
    let Some(disk) = Disk::new("btrfs", 384) else { return };
    let source = disk.mounted.path.join("here");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("precious"), "x").unwrap();
    let path = s.spec.path.with_file_name("other");
    let spec = PoolSpec { path, source: Some(source.clone()), ..s.spec.clone() };
    assert!(matches!(Btrfs.create(&spec), Err(Error::NotEmpty { .. })));
    fs::remove_file(source.join("precious")).unwrap();
    Btrfs.create(&spec).unwrap();
    let pool = Btrfs.open(&spec).unwrap();
    pool.create(&container("c"), &Shape::filesystem(), None, &Control::none()).unwrap();
    assert!(spec.path.join("containers/c").exists());
    pool.delete(&container("c")).unwrap();
    drop(pool);
    Btrfs.delete(&spec).unwrap();
    assert_eq!(fs::read_dir(&source).unwrap().count(), 0);

    let plain = tempfile::tempdir().unwrap();
    let spec = PoolSpec { source: Some(plain.path().to_owned()), ..spec };
    assert!(matches!(Btrfs.create(&spec), Err(Error::Source { .. })));
    let spec = PoolSpec { source: Some("/nowhere/at/all".into()), ..spec };
    assert!(matches!(Btrfs.create(&spec), Err(Error::Source { .. })));
    assert!(matches!(Btrfs.open(&spec).err(), Some(Error::Source { .. })));
}

#[test]
fn a_disk_that_holds_something_is_not_taken_unless_it_may_be_wiped() {
    let Some(s) = scratch() else { return };
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(300 << 20).unwrap();
    let (device, open) = sys::attach_loop(std::os::fd::AsFd::as_fd(file.as_file())).unwrap();
    let made = exec::Tool::new("mkfs.ext4", "e2fsprogs").arg("-q").arg(&device);
    exec::run(made, &Control::none()).unwrap();
    let path = s.spec.path.with_file_name("other");
    let id = Some(uuid::Uuid::new_v4());
    let mut spec = PoolSpec { path, id, source: Some(device), ..s.spec.clone() };
    let refused = Btrfs.create(&spec);
    assert!(matches!(refused, Err(Error::Source { .. })), "{refused:?}");
    assert!(!spec.path.exists());
    spec.options.wipe = true;
    Btrfs.create(&spec).unwrap();
    let precious = spec.path.join("precious");
    fs::write(&precious, "x").unwrap();
    // Done again after a crash, it does not wipe what it made.
    crate::mounts::unmount(&spec.path).unwrap();
    Btrfs.create(&spec).unwrap();
    fs::remove_file(&precious).unwrap();
    spec.options.wipe = false;
    let pool = Btrfs.open(&spec).unwrap();
    pool.create(&custom("c"), &Shape::filesystem(), None, &Control::none()).unwrap();
    drop(pool);
    crate::mounts::unmount(&spec.path).unwrap();
    // A second start finds the pool, and a second making leaves it as it is.
    Btrfs.create(&spec).unwrap();
    assert_eq!(Btrfs.open(&spec).unwrap().list().unwrap(), [custom("c")]);
    Btrfs.open(&spec).unwrap().delete(&custom("c")).unwrap();
    Btrfs.delete(&spec).unwrap();
    assert!(!spec.path.exists());
    drop(open);
}

#[test]
fn a_size_that_cannot_be_is_refused_and_nothing_is_left() {
    let Some(s) = scratch() else { return };
    let path = s.spec.path.with_file_name("other");
    let mut spec = PoolSpec { name: "other".into(), path, ..s.spec.clone() };
    for size in [1 << 20, 1 << 60] {
        spec.options.size = Some(size);
        assert!(matches!(Btrfs.create(&spec), Err(Error::PoolSize { .. })));
        assert!(!spec.path.exists() && !crate::pool_file::path(&spec).exists());
    }
}

#[test]
fn a_disk_is_found_again_by_another_name_and_another_disk_is_not_taken_for_it() {
    let Some(s) = scratch() else { return };
    let disk = || {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(300 << 20).unwrap();
        let (device, open) = sys::attach_loop(std::os::fd::AsFd::as_fd(file.as_file())).unwrap();
        (file, device, open)
    };
    let ((_one, first, _first), (_two, second, _second)) = (disk(), disk());
    let path = s.spec.path.with_file_name("other");
    let mut spec = PoolSpec { path, source: Some(first.clone()), ..s.spec.clone() };
    spec.id = Some(uuid::Uuid::new_v4());
    Btrfs.create(&spec).unwrap();
    spec.disk = Btrfs.identify(&spec).unwrap();
    assert_eq!(spec.disk, spec.id);
    let foreign = PoolSpec { id: Some(uuid::Uuid::new_v4()), disk: None, ..spec.clone() };
    Btrfs.open(&spec).unwrap();

    // After a boot the names are swapped.
    for name in [second, "/dev/not-there".into()] {
        crate::mounts::unmount(&spec.path).unwrap();
        spec.source = Some(name);
        let pool = Btrfs.open(&spec).unwrap();
        assert_eq!(crate::mounts::device(&spec.path).unwrap(), first);
        pool.check().unwrap();
    }
    crate::mounts::unmount(&spec.path).unwrap();
    assert!(matches!(Btrfs.create(&foreign), Err(Error::ForeignPool { .. })));
    Btrfs.delete(&foreign).unwrap();
    Btrfs.open(&spec).unwrap();
    Btrfs.delete(&spec).unwrap();
}

#[test]
fn a_file_that_was_not_made_for_the_pool_stays() {
    let Some(s) = scratch() else { return };
    let path = s.spec.path.with_file_name("other");
    let spec = PoolSpec { name: "other".into(), path, ..s.spec.clone() };
    let file = crate::pool_file::path(&spec);
    fs::write(&file, "precious").unwrap();
    assert!(matches!(Btrfs.create(&spec), Err(Error::ForeignPool { .. })));
    Btrfs.delete(&spec).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "precious");
}
