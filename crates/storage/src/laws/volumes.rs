//! Volumes: made whole or not at all, renamed, deleted, whatever happens in between.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use exec::Control;

use super::every_driver;
use crate::testing::{Scratch, container, custom, everything, fill_image, image, noise};
use crate::{Attached, Error, Shape, VolumeId, VolumeKind};

#[test]
fn a_volume_comes_goes_and_goes_again() {
    every_driver(|s| {
        let (shape, control) = (Shape::filesystem(), Control::none());
        for id in [container("a"), custom("a"), image("a")] {
            let fill: crate::Fill = &mut |into: &Path| match id.kind {
                VolumeKind::Custom => {
                    everything(into);
                    Ok(())
                }
                _ => fill_image(into),
            };
            s.pool.create(&id, &shape, Some(fill), &control).unwrap();
            assert!(s.pool.exists(&id).unwrap());
            assert!(s.pool.volume_usage(&id).unwrap().unwrap() > 300_000);
        }
        assert_eq!(s.pool.list().unwrap(), [container("a"), image("a"), custom("a")]);
        let again = s.pool.create(&container("a"), &shape, None, &control);
        assert!(matches!(again, Err(Error::Exists { .. })), "{again:?}");
        s.pool.create(&image("a"), &shape, None, &control).unwrap();
        for id in s.pool.list().unwrap() {
            s.pool.delete(&id).unwrap();
            s.pool.delete(&id).unwrap();
        }
        assert!(s.pool.list().unwrap().is_empty());
    });
}

#[test]
fn names_with_tricks_are_refused_by_every_verb() {
    every_driver(|s| {
        let (shape, control) = (Shape::filesystem(), Control::none());
        for name in ["", "..", "../../etc", "a/b", "/etc", ".lock", "x\0y"] {
            let bad = VolumeId { kind: VolumeKind::Container, name: name.into() };
            assert!(s.pool.create(&bad, &shape, None, &control).is_err());
            assert!(s.pool.delete(&bad).is_err());
            assert!(s.pool.attach(&bad).is_err());
            assert!(s.pool.rename(&bad, &container("x")).is_err());
            assert!(s.pool.rename(&container("x"), &bad).is_err());
        }
    });
}

#[test]
fn a_rename_takes_the_files_along_and_replaces_nothing() {
    every_driver(|s| {
        let (shape, control) = (Shape::filesystem(), Control::none());
        s.pool
            .create(&custom("a"), &shape, Some(&mut |p| Ok(fs::write(p.join("f"), "a")?)), &control)
            .unwrap();
        s.pool.create(&custom("b"), &shape, None, &control).unwrap();
        assert!(matches!(s.pool.rename(&custom("a"), &custom("b")), Err(Error::Exists { .. })));
        s.pool.rename(&custom("a"), &custom("c")).unwrap();
        assert_eq!(s.pool.list().unwrap(), [custom("b"), custom("c")]);
        let Attached::Path(path) = s.pool.attach(&custom("c")).unwrap() else { panic!() };
        assert_eq!(fs::read_to_string(path.join("f")).unwrap(), "a");
    });
}

#[test]
fn a_failed_or_cancelled_fill_leaves_nothing() {
    every_driver(|mut s| {
        let shape = Shape::filesystem();
        let fail = s.pool.create(
            &container("c"),
            &shape,
            Some(&mut |into| {
                fill_image(into)?;
                Err("broken".into())
            }),
            &Control::none(),
        );
        assert!(matches!(fail, Err(Error::Fill { .. })), "{fail:?}");
        let control = Control::none();
        let stop = s.pool.create(
            &container("c"),
            &shape,
            Some(&mut |into| {
                fill_image(into)?;
                control.cancel();
                Ok(())
            }),
            &control,
        );
        assert!(matches!(stop, Err(Error::Cancelled(_))), "{stop:?}");
        let lazy = s.pool.create(&container("c"), &shape, Some(&mut |_| Ok(())), &Control::none());
        assert!(matches!(lazy, Err(Error::NotFilled { .. })), "{lazy:?}");
        nothing_left(&mut s);
    });
}

#[test]
fn what_a_crash_left_is_gone_after_open() {
    every_driver(|mut s| {
        let shape = Shape::filesystem();
        // A builder that dies: its thread never returns to clean up.
        let crash = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = s.pool.create(
                &container("c"),
                &shape,
                Some(&mut |into| {
                    fill_image(into).unwrap();
                    let copy = into.parent().unwrap().join("left-by-a-crash");
                    std::fs::create_dir(&copy).unwrap();
                    fill_image(&copy).unwrap();
                    panic!("power cut")
                }),
                &Control::none(),
            );
        }));
        assert!(crash.is_err());
        nothing_left(&mut s);
    });
}

#[test]
fn opening_a_pool_again_does_not_disturb_a_build() {
    every_driver(|s| {
        let shape = Shape::filesystem();
        s.pool
            .create(
                &container("c"),
                &shape,
                Some(&mut |into| {
                    fill_image(into)?;
                    drop(s.driver.open(&s.spec)?);
                    Ok(())
                }),
                &Control::none(),
            )
            .unwrap();
        assert_eq!(s.pool.list().unwrap(), [container("c")]);
    });
}

#[test]
fn a_disk_grows_and_does_not_shrink() {
    every_driver(|s| {
        let vm = VolumeId::new(VolumeKind::VirtualMachine, "v").unwrap();
        s.pool.create(&vm, &Shape::block(8 << 20), None, &Control::none()).unwrap();
        let Attached::Block(disk) = s.pool.attach(&vm).unwrap() else { panic!() };
        s.pool.resize(&vm, Some(16 << 20)).unwrap();
        use std::io::Seek;
        let size = fs::File::open(&disk).unwrap().seek(std::io::SeekFrom::End(0));
        assert_eq!(size.unwrap(), 16 << 20);
        assert!(matches!(s.pool.resize(&vm, Some(1 << 20)), Err(Error::Shrink { .. })));
        assert!(s.pool.volume_usage(&vm).unwrap().unwrap() < 1 << 20);
    });
}

/// No volume is listed, and the pool's folder holds no file of one.
fn nothing_left(s: &mut Scratch) {
    assert!(s.pool.list().unwrap().is_empty());
    s.reopen();
    assert!(s.pool.list().unwrap().is_empty());
    if s.driver.info().remote {
        return;
    }
    for _ in 0..200 {
        if !holds_a_tool(&s.spec.path) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("files are left in {}", s.spec.path.display());
}

fn holds_a_tool(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.flatten().any(|entry| {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        entry.file_name() == "tool" || is_dir && holds_a_tool(&entry.path())
    })
}

#[test]
fn a_very_deep_tree_is_deleted_and_not_walked() {
    every_driver(|mut s| {
        let fill: crate::Fill = &mut |into| {
            std::env::set_current_dir(into)?;
            for _ in 0..3000 {
                fs::create_dir("d")?;
                std::env::set_current_dir("d")?;
            }
            fs::write("tool", "x")?;
            Ok(std::env::set_current_dir("/")?)
        };
        s.pool.create(&custom("deep"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
        if let Some(clones) = s.pool.clones() {
            let copy = clones.clone_from(
                &custom("deep"),
                &custom("b"),
                &Shape::filesystem(),
                &Control::none(),
            );
            // Whoever copies it whole does not walk it.
            assert!(matches!(copy, Err(Error::TooDeep { .. }) | Ok(())), "{copy:?}");
            s.pool.delete(&custom("b")).unwrap();
        }
        s.pool.delete(&custom("deep")).unwrap();
        nothing_left(&mut s);
    });
}

#[test]
fn nobody_but_root_gets_at_the_files() {
    every_driver(|s| {
        if s.driver.info().remote {
            return;
        }
        let fill: crate::Fill = &mut fill_image;
        s.pool.create(&container("c"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
        // Setuid programs inside belong to the host's root on disk.
        let kind = s.spec.path.join("containers");
        assert_eq!(fs::metadata(kind).unwrap().permissions().mode() & 0o077, 0);
    });
}

#[test]
fn a_size_is_enforced_where_the_pool_says_so_and_follows_a_resize() {
    every_driver(|s| {
        if !s.pool.info().quotas {
            return eprintln!("SKIP: driver {} has no quotas here", s.driver.info().name);
        }
        let (id, shape) = (custom("a"), Shape { size: Some(8 << 20), ..Shape::filesystem() });
        s.pool.create(&id, &shape, None, &Control::none()).unwrap();
        let Attached::Path(root) = s.pool.attach(&id).unwrap() else { panic!("no folder") };
        let error = fs::write(root.join("big"), noise(16 << 20)).unwrap_err();
        use std::io::ErrorKind::{QuotaExceeded, StorageFull};
        assert!(matches!(error.kind(), QuotaExceeded | StorageFull), "{error}");
        fs::remove_file(root.join("big")).unwrap();
        match s.pool.resize(&id, Some(64 << 20)) {
            Err(error) if crate::testing::grows_no_ext4() => {
                return eprintln!("SKIP: {error}: that needs CAP_SYS_RESOURCE");
            }
            done => done.unwrap(),
        }
        fs::write(root.join("big"), noise(16 << 20)).unwrap();
        s.pool.resize(&id, None).unwrap();
        fs::write(root.join("bigger"), noise(70 << 20)).unwrap();
    });
}
