//! Pools: made, opened, deleted, repeatedly.

use std::fs;

use exec::Control;

use super::{every_driver, every_driver_named};
use crate::testing::{Scratch, container, fill_image, image};
use crate::{Error, Shape};

#[test]
fn a_pool_is_made_and_deleted_twice() {
    every_driver(|s| {
        s.driver.create(&s.spec).unwrap();
        assert!(s.pool.list().unwrap().is_empty());
        let usage = s.pool.usage().unwrap();
        assert!(usage.total > usage.used && usage.used > 0, "{usage:?}");
        s.driver.delete(&s.spec).unwrap();
        assert!(!s.spec.path.exists());
        s.driver.delete(&s.spec).unwrap();
        assert!(matches!(s.driver.open(&s.spec).err(), Some(Error::NoPool { .. })));
    });
}

#[test]
fn a_pool_with_instances_is_not_deleted_one_with_images_is() {
    every_driver(|s| {
        let shape = Shape::filesystem();
        s.pool.create(&image("f00"), &shape, Some(&mut fill_image), &Control::none()).unwrap();
        s.pool.create(&container("c"), &shape, None, &Control::none()).unwrap();
        assert!(matches!(s.driver.delete(&s.spec), Err(Error::PoolInUse { count: 1, .. })));
        assert_eq!(s.pool.list().unwrap(), [container("c"), image("f00")]);
        s.pool.delete(&container("c")).unwrap();
        s.driver.delete(&s.spec).unwrap();
    });
}

#[test]
fn a_folder_with_something_in_it_does_not_become_a_pool() {
    every_driver_named("dir", |driver| {
        let s = Scratch::new(driver);
        let source = tempfile::tempdir().unwrap();
        fs::write(source.path().join("precious"), "x").unwrap();
        let mut spec = s.spec.clone();
        spec.path = s.spec.path.with_file_name("other");
        spec.source = Some(source.path().to_owned());
        assert!(s.driver.create(&spec).is_err());
        fs::remove_file(source.path().join("precious")).unwrap();
        s.driver.create(&spec).unwrap();
        let pool = s.driver.open(&spec).unwrap();
        pool.create(&container("c"), &Shape::filesystem(), None, &Control::none()).unwrap();
        assert!(spec.path.join("containers/c").exists() || s.driver.info().remote);
        pool.delete(&container("c")).unwrap();
        s.driver.delete(&spec).unwrap();
        assert_eq!(fs::read_dir(source.path()).unwrap().count(), 0);
        assert!(fs::symlink_metadata(&spec.path).is_err());
    });
}

#[test]
fn another_pool_is_never_taken_opened_or_removed() {
    every_driver(|mut s| {
        let shape = Shape::filesystem();
        s.pool.create(&image("f00"), &shape, Some(&mut fill_image), &Control::none()).unwrap();
        let mut other = s.spec.clone();
        other.id = Some(uuid::Uuid::new_v4());
        let foreign = |error| matches!(error, Some(Error::ForeignPool { .. }));
        let made = s.driver.create(&other);
        assert!(foreign(made.err()));
        // What follows a failed making.
        s.driver.delete(&other).unwrap();
        s.reopen();
        assert_eq!(s.pool.list().unwrap(), [image("f00")]);
        assert!(foreign(s.driver.open(&other).err()));
        s.reopen();
        s.pool.check().unwrap();
        s.driver.delete(&s.spec).unwrap();
    });
}

#[test]
fn what_is_kept_with_a_pool_stays_until_the_pool_goes() {
    every_driver(|mut s| {
        assert_eq!(s.pool.kept().unwrap(), None);
        s.pool.keep(b"first").unwrap();
        s.pool.keep(b"second").unwrap();
        s.reopen();
        assert_eq!(s.pool.kept().unwrap().unwrap(), b"second");
        assert_eq!(s.driver.recognise(&s.spec).unwrap(), s.spec.id);
        s.driver.delete(&s.spec).unwrap();
        assert!(!s.spec.path.exists());
    });
}
