//! What is promised when the disk is full or the power goes, on real file systems in files.

use std::fs;
use std::path::Path;

use exec::Control;

use super::every_driver_named;
use crate::testing::{Disk, Mounted, Scratch, assert_same, container, fill_image, image};
use crate::{Access, Driver, Error, Pool, Shape, View};

/// The file systems people put pools on.
const KINDS: [&str; 3] = ["ext4", "xfs", "btrfs"];

fn on_every_disk(law: impl Fn(&'static dyn Driver, &Disk)) {
    every_driver_named("dir", |driver| {
        for kind in KINDS {
            if let Some(disk) = Disk::new(kind, 384) {
                eprintln!("on {kind}");
                law(driver, &disk);
            }
        }
    });
}

fn with_image(pool: &dyn Pool) {
    let fill: crate::Fill = &mut fill_image;
    pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
}

fn clone(pool: &dyn Pool, to: &str, shape: &Shape) {
    let clones = pool.clones().unwrap();
    clones.clone_from(&image("f00"), &container(to), shape, &Control::none()).unwrap();
}

#[test]
fn what_was_made_survives_a_power_cut() {
    on_every_disk(|driver, disk| {
        let s = Scratch::at(driver, &disk.mounted.path.join("pool"), None);
        with_image(&*s.pool);
        let after = disk.after_power_cut();
        let found = s.found_on(&after);
        assert_eq!(found.pool.list().unwrap(), [image("f00")]);
        let original = s.pool.folder(&image("f00")).unwrap().join("rootfs");
        assert_same(&original, &found.pool.folder(&image("f00")).unwrap().join("rootfs"));

        clone(&*s.pool, "layered", &Shape::filesystem());
        clone(&*s.pool, "plain", &Shape::filesystem().plain());
        s.pool.rename(&container("layered"), &container("renamed")).unwrap();
        s.pool.snapshots().unwrap().take(&container("plain"), "s", &Control::none()).unwrap();
        let after = disk.after_power_cut();
        let found = s.found_on(&after);
        let all = [container("plain"), container("renamed"), image("f00")];
        assert_eq!(found.pool.list().unwrap(), all);
        assert_eq!(found.pool.snapshots().unwrap().list(&container("plain")).unwrap(), ["s"]);
        for id in &all[..2] {
            let root = Mounted::volume(&found.pool.attach(id).unwrap());
            assert_same(&original, &root.path);
            let text = fs::read(found.pool.folder(id).unwrap().join("metadata.yaml")).unwrap();
            assert_eq!(text, b"architecture: x86_64\n");
        }
    });
}

#[test]
fn a_power_cut_in_the_middle_leaves_nothing() {
    on_every_disk(|driver, disk| {
        let s = Scratch::at(driver, &disk.mounted.path.join("pool"), None);
        let mut after = None;
        let fill: crate::Fill = &mut |into| {
            fill_image(into)?;
            fs::File::open(into)?.sync_all()?;
            after = Some(disk.after_power_cut());
            Ok(())
        };
        s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
        let after = after.unwrap();
        let found = s.found_on(&after);
        assert!(found.pool.list().unwrap().is_empty());
        assert_eq!(fs::read_dir(found.spec.path.join("tmp")).unwrap().count(), 0);
    });
}

#[test]
fn a_deleted_image_in_use_stays_deleted_and_serves_after_a_power_cut() {
    on_every_disk(|driver, disk| {
        let s = Scratch::at(driver, &disk.mounted.path.join("pool"), None);
        with_image(&*s.pool);
        clone(&*s.pool, "a", &Shape::filesystem());
        s.pool.delete(&image("f00")).unwrap();
        let after = disk.after_power_cut();
        let found = s.found_on(&after);
        assert_eq!(found.pool.list().unwrap(), [container("a")]);
        let view = View::open(&found.pool.attach(&container("a")).unwrap(), Access::Read).unwrap();
        assert_eq!(view.read(Path::new("secret")).unwrap().unwrap(), b"secret");
    });
}

#[test]
fn a_full_disk_leaves_nothing() {
    every_driver_named("dir", |driver| {
        let disk = Mounted::new("tmpfs", "tmpfs", "size=2m");
        let s = Scratch::at(driver, &disk.path.join("pool"), None);
        let full = s.pool.create(
            &image("f00"),
            &Shape::filesystem(),
            Some(&mut |into| fill_small(into, 3 << 20)),
            &Control::none(),
        );
        assert!(matches!(full, Err(Error::Fill { .. })), "{full:?}");
        assert!(s.pool.list().unwrap().is_empty());
        s.pool
            .create(
                &image("f00"),
                &Shape::filesystem(),
                Some(&mut |into| fill_small(into, 1 << 20)),
                &Control::none(),
            )
            .unwrap();
        let shape = Shape::filesystem().plain();
        let clones = s.pool.clones().unwrap();
        let full = clones.clone_from(&image("f00"), &container("a"), &shape, &Control::none());
        assert!(full.as_ref().is_err_and(Error::is_no_space), "{full:?}");
        assert_eq!(s.pool.list().unwrap(), [image("f00")]);
        clones
            .clone_from(&image("f00"), &container("a"), &Shape::filesystem(), &Control::none())
            .unwrap();
    });
}

fn fill_small(into: &Path, size: usize) -> Result<(), crate::FillError> {
    fs::create_dir(into.join("rootfs"))?;
    Ok(fs::write(into.join("rootfs/data"), vec![1; size])?)
}

#[test]
fn copies_share_blocks_where_the_file_system_can() {
    on_every_disk(|driver, disk| {
        let s = Scratch::at(driver, &disk.mounted.path.join("pool"), None);
        assert!(s.pool.info().layers);
        if !s.pool.info().reflink {
            return;
        }
        let fill: crate::Fill = &mut |into| fill_small(into, 64 << 20);
        s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
        let before = s.pool.usage().unwrap().used;
        clone(&*s.pool, "a", &Shape::filesystem().plain());
        assert!(s.pool.usage().unwrap().used < before + (8 << 20));
    });
}
