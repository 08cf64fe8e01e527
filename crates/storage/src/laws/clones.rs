//! Clones and snapshots: the same files, and no way from one to the other.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use exec::Control;

use super::every_driver;
use crate::testing::{
    Mounted, Scratch, assert_same, container, custom, everything, fill_image, image,
};
use crate::{Access, Attached, Error, Shape, View};

fn with_image(s: &Scratch) {
    let fill: crate::Fill = &mut fill_image;
    s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
}

#[track_caller]
fn clone(s: &Scratch, from: &crate::VolumeId, to: &crate::VolumeId, shape: &Shape) {
    s.pool.clones().unwrap().clone_from(from, to, shape, &Control::none()).unwrap();
}

fn mount(s: &Scratch, id: &crate::VolumeId) -> Mounted {
    Mounted::volume(&s.pool.attach(id).unwrap())
}

#[test]
fn a_clone_equals_its_source_and_is_separate_from_it() {
    every_driver(|s| {
        with_image(&s);
        for (name, shape) in [("a", Shape::filesystem()), ("b", Shape::filesystem().plain())] {
            clone(&s, &image("f00"), &container(name), &shape);
            let original = mount(&s, &image("f00"));
            let root = mount(&s, &container(name));
            assert_same(&original.path, &root.path);
            fs::write(root.path.join("secret"), "changed").unwrap();
            fs::remove_file(root.path.join("link")).unwrap();
            fs::remove_dir_all(root.path.join("usr")).unwrap();
            fs::create_dir(root.path.join("usr")).unwrap();
            assert_eq!(fs::read(original.path.join("secret")).unwrap(), b"secret");
            assert!(original.path.join("usr/bin/tool").exists());
        }
    });
}

#[test]
fn a_copy_of_a_changed_instance_has_the_changes() {
    every_driver(|s| {
        with_image(&s);
        clone(&s, &image("f00"), &container("a"), &Shape::filesystem());
        {
            let root = mount(&s, &container("a"));
            fs::write(root.path.join("new"), "new").unwrap();
            fs::remove_file(root.path.join("link")).unwrap();
            fs::remove_dir_all(root.path.join("usr")).unwrap();
            fs::create_dir(root.path.join("usr")).unwrap();
        }
        clone(&s, &container("a"), &container("b"), &Shape::filesystem());
        clone(&s, &container("a"), &container("c"), &Shape::filesystem().plain());
        let a = mount(&s, &container("a"));
        for copy in ["b", "c"] {
            let copy = mount(&s, &container(copy));
            assert_same(&a.path, &copy.path);
            assert!(!copy.path.join("usr/bin").exists() && !copy.path.join("link").exists());
        }
    });
}

#[test]
fn an_image_deleted_in_use_still_serves() {
    every_driver(|mut s| {
        with_image(&s);
        clone(&s, &image("f00"), &container("a"), &Shape::filesystem());
        s.pool.delete(&image("f00")).unwrap();
        assert_eq!(s.pool.list().unwrap(), [container("a")]);
        s.reopen();
        clone(&s, &container("a"), &container("b"), &Shape::filesystem());
        s.pool.delete(&container("a")).unwrap();
        assert!(mount(&s, &container("b")).path.join("usr/bin/tool").exists());
        let gone = s.pool.clones().unwrap().clone_from(
            &image("f00"),
            &container("x"),
            &Shape::filesystem(),
            &Control::none(),
        );
        assert!(matches!(gone, Err(Error::NotFound { .. })), "{gone:?}");
        s.pool.delete(&container("b")).unwrap();
        let left = s.spec.path.join("images/f00");
        assert!(!left.exists(), "the image goes with its last user");
    });
}

#[test]
fn an_image_deleted_in_use_can_come_back() {
    every_driver(|s| {
        with_image(&s);
        clone(&s, &image("f00"), &container("a"), &Shape::filesystem());
        s.pool.delete(&image("f00")).unwrap();
        with_image(&s);
        assert_eq!(s.pool.list().unwrap(), [container("a"), image("f00")]);
        s.pool.delete(&container("a")).unwrap();
        assert_eq!(s.pool.list().unwrap(), [image("f00")]);
        clone(&s, &image("f00"), &container("b"), &Shape::filesystem());
    });
}

#[test]
fn a_snapshot_brings_back_what_was() {
    every_driver(|s| {
        let Some(snapshots) = s.pool.snapshots() else { return };
        with_image(&s);
        let (a, control) = (container("a"), Control::none());
        clone(&s, &image("f00"), &a, &Shape::filesystem());
        fs::write(mount(&s, &a).path.join("note"), "one").unwrap();
        snapshots.take(&a, "s1", &control).unwrap();
        fs::write(mount(&s, &a).path.join("note"), "two").unwrap();
        fs::remove_file(mount(&s, &a).path.join("secret")).unwrap();
        snapshots.take(&a, "s2", &control).unwrap();
        assert_eq!(snapshots.list(&a).unwrap(), ["s1", "s2"]);
        assert!(snapshots.take(&a, "s2", &control).is_err());
        let seen = View::open(&snapshots.attach(&a, "s1").unwrap(), Access::Read).unwrap();
        assert_eq!(fs::read_to_string(seen.path().join("note")).unwrap(), "one");
        snapshots.restore(&a, "s1", &control).unwrap();
        assert_eq!(fs::read_to_string(mount(&s, &a).path.join("note")).unwrap(), "one");
        assert!(mount(&s, &a).path.join("secret").exists());
        snapshots.copy(&a, "s2", &container("b"), &control).unwrap();
        assert!(!mount(&s, &container("b")).path.join("secret").exists());
        s.pool.rename(&a, &container("c")).unwrap();
        snapshots.rename(&container("c"), "s2", "s3").unwrap();
        snapshots.delete(&container("c"), "s1").unwrap();
        snapshots.delete(&container("c"), "s1").unwrap();
        assert_eq!(snapshots.list(&container("c")).unwrap(), ["s3"]);
    });
}

#[test]
fn a_copy_gets_the_snapshots_of_its_source() {
    every_driver(|s| {
        let Some(snapshots) = s.pool.snapshots() else { return };
        with_image(&s);
        let (a, b, side) = (container("a"), container("b"), container("b@new"));
        let control = Control::none();
        clone(&s, &image("f00"), &a, &Shape::filesystem());
        fs::write(mount(&s, &a).path.join("note"), "one").unwrap();
        snapshots.take(&a, "s1", &control).unwrap();
        fs::write(mount(&s, &a).path.join("note"), "two").unwrap();
        clone(&s, &a, &b, &Shape::filesystem());
        snapshots.copy(&a, "s1", &side, &control).unwrap();
        if let Err(crate::Error::Unsupported { .. }) = snapshots.adopt(&side, &b, "s1") {
            eprintln!("SKIP: {} keeps no volume as a snapshot", s.driver.info().name);
            return;
        }
        assert!(!s.pool.exists(&side).unwrap());
        assert_eq!(snapshots.list(&b).unwrap(), ["s1"]);
        snapshots.restore(&b, "s1", &control).unwrap();
        assert_eq!(fs::read_to_string(mount(&s, &b).path.join("note")).unwrap(), "one");
        assert_eq!(fs::read_to_string(mount(&s, &a).path.join("note")).unwrap(), "two");

        let other = Scratch::new(s.driver);
        let (from, to) = ((&*s.pool, &a, "s1"), (&*other.pool, &b));
        crate::fallback::copy_snapshot(from, to, &Shape::filesystem(), &control).unwrap();
        assert_eq!(fs::read_to_string(mount(&other, &b).path.join("note")).unwrap(), "one");
    });
}

#[test]
fn a_copy_into_another_pool_is_whole() {
    every_driver(|s| {
        let other = Scratch::new(s.driver);
        with_image(&s);
        clone(&s, &image("f00"), &container("a"), &Shape::filesystem());
        fs::write(mount(&s, &container("a")).path.join("new"), "new").unwrap();
        let (from, to) = (container("a"), container("b"));
        let shape = Shape::filesystem();
        crate::fallback::copy_volume(
            (&*s.pool, &from),
            (&*other.pool, &to),
            &shape,
            &Control::none(),
        )
        .unwrap();
        assert_same(&mount(&s, &from).path, &mount(&other, &to).path);
        let text = fs::read(other.pool.folder(&to).unwrap().join("metadata.yaml")).unwrap();
        assert_eq!(text, b"architecture: x86_64\n");
    });
}

#[test]
fn a_custom_volume_is_copied() {
    every_driver(|s| {
        let fill: crate::Fill = &mut |into| {
            everything(into);
            Ok(())
        };
        s.pool.create(&custom("a"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
        clone(&s, &custom("a"), &custom("b"), &Shape::filesystem());
        assert_same(&mount(&s, &custom("a")).path, &mount(&s, &custom("b")).path);
    });
}

#[test]
fn a_view_writes_into_a_stopped_instance_only() {
    every_driver(|s| {
        with_image(&s);
        clone(&s, &image("f00"), &container("a"), &Shape::filesystem());
        let attached = s.pool.attach(&container("a")).unwrap();
        {
            let view = View::open(&attached, Access::Write).unwrap();
            view.write("usr/hostname".as_ref(), b"a", (5, 6), 0o640).unwrap();
            assert_eq!(view.read("/usr/hostname".as_ref()).unwrap().unwrap(), b"a");
            assert_eq!(view.read("absent".as_ref()).unwrap(), None);
        }
        let root = mount(&s, &container("a"));
        let stat = fs::metadata(root.path.join("usr/hostname")).unwrap();
        assert_eq!((stat.uid(), stat.gid(), stat.mode() & 0o7777), (5, 6, 0o640));
        assert!(!mount(&s, &image("f00")).path.join("usr/hostname").exists());
        let reader = View::open(&attached, Access::Read).unwrap();
        assert!(fs::write(reader.path().join("usr/hostname"), "b").is_err());
    });
}

#[test]
fn a_link_in_an_instance_leads_a_view_nowhere_else() {
    every_driver(|s| {
        with_image(&s);
        clone(&s, &image("f00"), &container("a"), &Shape::filesystem());
        let outside = tempfile::NamedTempFile::new().unwrap();
        let view = View::open(&s.pool.attach(&container("a")).unwrap(), Access::Write).unwrap();
        symlink(outside.path(), view.path().join("trap")).unwrap();
        symlink("../../../../../../tmp", view.path().join("tmp")).unwrap();
        assert!(view.write("trap".as_ref(), b"evil", (0, 0), 0o644).is_err());
        let through = Path::new("tmp").join(outside.path().file_name().unwrap());
        assert!(view.write(&through, b"evil", (0, 0), 0o644).is_err());
        assert_eq!(fs::read(outside.path()).unwrap(), b"");
    });
}

#[test]
fn clones_and_a_deletion_at_once_leave_no_root_without_its_image() {
    every_driver(|mut s| {
        for round in 0..5 {
            with_image(&s);
            std::thread::scope(|scope| {
                for n in 0..4 {
                    let pool = &s.pool;
                    scope.spawn(move || {
                        let (to, shape) =
                            (container(&format!("c{round}-{n}")), Shape::filesystem());
                        let clones = pool.clones().unwrap();
                        match clones.clone_from(&image("f00"), &to, &shape, &Control::none()) {
                            Ok(()) | Err(Error::NotFound { .. } | Error::LowerMissing { .. }) => {}
                            other => panic!("{other:?}"),
                        }
                    });
                }
                scope.spawn(|| s.pool.delete(&image("f00")).unwrap());
            });
            if round % 2 == 1 {
                s.reopen();
            }
            for id in s.pool.list().unwrap() {
                let view = View::open(&s.pool.attach(&id).unwrap(), Access::Read).unwrap();
                assert!(view.read(Path::new("secret")).unwrap().is_some());
                s.pool.delete(&id).unwrap();
            }
        }
        assert!(s.pool.list().unwrap().is_empty());
    });
}

#[test]
fn a_disk_is_cloned_and_grown() {
    every_driver(|s| {
        let fill: crate::Fill = &mut |into| Ok(fs::write(into.join("root.img"), vec![5; 1 << 20])?);
        let shape = Shape { size: None, ..Shape::block(0) };
        s.pool.create(&image("f00"), &shape, Some(fill), &Control::none()).unwrap();
        let vm = crate::VolumeId::new(crate::VolumeKind::VirtualMachine, "v").unwrap();
        clone(&s, &image("f00"), &vm, &Shape::block(4 << 20));
        let Attached::Block(disk) = s.pool.attach(&vm).unwrap() else { panic!("no disk") };
        let data = fs::read(&disk).unwrap();
        assert_eq!((data.len(), data[100], data[3 << 20]), (4 << 20, 5, 0));
        let wrong = s.pool.clones().unwrap().clone_from(
            &image("f00"),
            &container("c"),
            &Shape::filesystem(),
            &Control::none(),
        );
        assert!(matches!(wrong, Err(Error::Unsupported { .. })), "{wrong:?}");
    });
}

#[test]
fn a_cancelled_copy_leaves_nothing() {
    every_driver(|s| {
        with_image(&s);
        let control = Control::none();
        control.cancel();
        for shape in [Shape::filesystem(), Shape::filesystem().plain()] {
            let clones = s.pool.clones().unwrap();
            let stopped = clones.clone_from(&image("f00"), &container("a"), &shape, &control);
            assert!(matches!(stopped, Err(Error::Cancelled(_))), "{stopped:?}");
        }
        assert_eq!(s.pool.list().unwrap(), [image("f00")]);
        if !s.driver.info().remote {
            assert_eq!(fs::read_dir(s.spec.path.join("tmp")).unwrap().count(), 0);
        }
    });
}
