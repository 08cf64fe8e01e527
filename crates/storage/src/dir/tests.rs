//! What is particular to folders; the rest is in the laws.

use exec::Control;

use super::Dir;
use crate::testing::{Scratch, container, fill_image, image, not_root};
use crate::{Attached, Error, Shape};

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
