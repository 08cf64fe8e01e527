//! What is particular to folders; the rest is in the laws.

use std::path::Path;

use exec::Control;

use super::Dir;
use crate::testing::{Disk, Mounted, Scratch, container, custom, fill_image, image, not_root};
use crate::{Attached, Error, Shape, VolumeId};

static DIR: Dir = Dir;

fn with_container() -> Scratch {
    let s = Scratch::new(&DIR);
    let (shape, control) = (Shape::filesystem(), Control::none());
    s.pool.create(&image("f00"), &shape, Some(&mut fill_image), &control).unwrap();
    let clones = s.pool.clones().unwrap();
    clones.clone_from(&image("f00"), &container("a"), &shape, &control).unwrap();
    s
}

#[test]
fn a_root_is_a_layer_unless_asked_otherwise() {
    if not_root() {
        return;
    }
    let s = with_container();
    let (shape, control) = (Shape::filesystem().plain(), Control::none());
    let clones = s.pool.clones().unwrap();
    clones.clone_from(&image("f00"), &container("b"), &shape, &control).unwrap();
    assert_eq!(s.pool.describe(&container("a")).unwrap().image.as_deref(), Some("f00"));
    assert_eq!(s.pool.describe(&container("b")).unwrap().image, None);
    let Attached::Overlay { lower, upper, work } = s.pool.attach(&container("a")).unwrap() else {
        panic!("no layers")
    };
    assert_eq!(lower, [s.spec.path.join("images/f00/rootfs")]);
    assert!(upper.is_dir() && work.is_dir() && upper.parent() == work.parent());
    let Attached::Path(path) = s.pool.attach(&container("b")).unwrap() else { panic!("layers") };
    assert!(path.join("usr/bin/tool").exists());
    assert!(s.pool.volume_usage(&container("a")).unwrap().unwrap() < 100_000);
}

#[test]
fn damaged_metadata_is_told_keeps_the_image_and_can_be_deleted() {
    if not_root() {
        return;
    }
    let mut s = with_container();
    let path = s.spec.path.join("containers/a/volume.json");
    std::fs::write(&path, "{").unwrap();
    let error = s.pool.attach(&container("a")).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
    assert_eq!(s.pool.list().unwrap(), [container("a"), image("f00")]);
    s.pool.delete(&image("f00")).unwrap();
    s.reopen();
    assert!(s.spec.path.join("images/f00/rootfs").exists(), "it may be the damaged one's");
    s.pool.delete(&container("a")).unwrap();
    s.reopen();
    assert!(!s.spec.path.join("images/f00").exists());
}

#[test]
fn an_image_that_vanished_is_told() {
    if not_root() {
        return;
    }
    let s = with_container();
    std::fs::remove_dir_all(s.spec.path.join("images/f00")).unwrap();
    let error = s.pool.attach(&container("a")).unwrap_err();
    assert!(matches!(&error, Error::LowerMissing { lower, .. } if lower == "f00"), "{error}");
}

#[test]
fn another_drivers_pool_is_not_opened() {
    if not_root() {
        return;
    }
    let s = Scratch::new(&DIR);
    let marker = s.spec.path.join("pool.json");
    std::fs::write(&marker, r#"{"version":9,"driver":"dir"}"#).unwrap();
    assert!(matches!(s.driver.open(&s.spec).err(), Some(Error::OtherPool { version: 9, .. })));
    assert!(s.driver.delete(&s.spec).is_err());
    std::fs::write(&marker, r#"{"version":1,"driver":"zfs"}"#).unwrap();
    assert!(matches!(s.driver.create(&s.spec), Err(Error::OtherPool { .. })));
}

#[test]
fn a_fill_cannot_forge_what_the_driver_keeps() {
    if not_root() {
        return;
    }
    let s = Scratch::new(&DIR);
    for name in ["deleted", "snapshots", "volume.json", "upper", "work"] {
        let forged = s.pool.create(
            &image("f00"),
            &Shape::filesystem(),
            Some(&mut |into| {
                fill_image(into)?;
                Ok(std::fs::write(into.join(name), "{}")?)
            }),
            &Control::none(),
        );
        assert!(matches!(forged, Err(Error::Reserved { .. })), "{name}: {forged:?}");
    }
}

/// Runs with a pool on each file system that can limit what is in a folder.
fn on_disks_with_quotas(work: impl Fn(&mut Scratch)) {
    if not_root() {
        return;
    }
    for kind in ["xfs", "ext4"] {
        if let Some(disk) = Disk::with_quotas(kind, 384) {
            eprintln!("on {kind}");
            work(&mut Scratch::at(&DIR, &disk.mounted.path.join("pool"), None));
        }
    }
}

/// Writes a file as somebody in a container would, whom limits are for.
fn write(path: &Path, megabytes: usize) -> std::io::Result<()> {
    let path = path.to_owned();
    let write = move || {
        super::projects::without_privilege()?;
        std::fs::write(path, vec![1; megabytes << 20])
    };
    std::thread::spawn(write).join().unwrap()
}

fn sized(megabytes: u64) -> Shape {
    Shape { size: Some(megabytes << 20), ..Shape::filesystem() }
}

#[test]
fn sizes_are_enforced_where_the_file_system_has_project_quotas() {
    on_disks_with_quotas(|s| {
        assert!(s.pool.info().quotas);
        s.pool.create(&custom("a"), &sized(8), None, &Control::none()).unwrap();
        let Attached::Path(root) = s.pool.attach(&custom("a")).unwrap() else { panic!() };
        assert!(write(&root.join("big"), 16).is_err());
        std::fs::remove_file(root.join("big")).unwrap();
        std::fs::create_dir(root.join("folder")).unwrap();
        s.pool.resize(&custom("a"), Some(64 << 20)).unwrap();
        write(&root.join("folder/big"), 16).unwrap();
        let used = s.pool.volume_usage(&custom("a")).unwrap().unwrap();
        assert!((16 << 20..18 << 20).contains(&used), "{used}");
        s.reopen();
        assert!(write(&root.join("folder/bigger"), 50).is_err());
        s.pool.resize(&custom("a"), None).unwrap();
        write(&root.join("folder/bigger"), 70).unwrap();
    });
}

#[test]
fn a_root_on_an_image_is_limited_in_what_it_changes() {
    on_disks_with_quotas(|s| {
        let control = Control::none();
        let fill: crate::Fill = &mut fill_image;
        s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &control).unwrap();
        let (clones, snapshots) = (s.pool.clones().unwrap(), s.pool.snapshots().unwrap());
        let a = container("a");
        clones.clone_from(&image("f00"), &a, &sized(8), &control).unwrap();
        let mount = |id: &VolumeId| Mounted::volume(&s.pool.attach(id).unwrap());
        {
            let root = mount(&a);
            // All that an overlay does by way of its work folder: copying up, white-outs, renaming.
            write(&root.path.join("usr/bin/tool"), 1).unwrap();
            std::fs::remove_file(root.path.join("secret")).unwrap();
            std::fs::remove_dir_all(root.path.join("var")).unwrap();
            std::fs::create_dir(root.path.join("var")).unwrap();
            std::fs::rename(root.path.join("usr/bin/ping"), root.path.join("var/ping")).unwrap();
            assert!(write(&root.path.join("big"), 16).is_err());
            std::fs::remove_file(root.path.join("big")).unwrap();
        }
        snapshots.take(&a, "s", &control).unwrap();
        clones.clone_from(&a, &container("b"), &sized(32), &control).unwrap();
        snapshots.copy(&a, "s", &container("c"), &control).unwrap();
        snapshots.restore(&a, "s", &control).unwrap();
        for (name, fits) in [("a", false), ("b", true), ("c", false)] {
            let root = mount(&container(name));
            assert!(root.path.join("var/ping").exists());
            assert_eq!(write(&root.path.join("big"), 16).is_ok(), fits, "{name}");
        }
    });
}

#[test]
fn a_volume_that_had_no_limit_gets_one_with_all_that_is_in_it() {
    on_disks_with_quotas(|s| {
        let control = Control::none();
        let fill: crate::Fill = &mut fill_image;
        s.pool.create(&container("a"), &Shape::filesystem(), Some(fill), &control).unwrap();
        let Attached::Path(root) = s.pool.attach(&container("a")).unwrap() else { panic!() };
        write(&root.join("usr/big"), 16).unwrap();
        s.pool.resize(&container("a"), Some(20 << 20)).unwrap();
        assert!(write(&root.join("more"), 8).is_err());
        std::fs::remove_file(root.join("usr/big")).unwrap();
        write(&root.join("more"), 8).unwrap();
        s.pool.delete(&container("a")).unwrap();
        assert!(s.pool.list().unwrap().is_empty());
    });
}
