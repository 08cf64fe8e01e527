//! Two members of one pool. The second is a thread with mounts of its own, where nothing is mapped.

use std::time::{Duration, Instant};

use super::*;
use crate::testing::own_namespace;

/// The pool as another member has it.
struct Second {
    spec: PoolSpec,
    _folder: tempfile::TempDir,
}

impl Second {
    fn of(s: &Scratch) -> Second {
        let folder = tempfile::Builder::new().prefix("storage-").tempdir().unwrap();
        Second {
            spec: PoolSpec { path: folder.path().join("pool"), ..s.spec.clone() },
            _folder: folder,
        }
    }

    /// Does something there; the folder with its identity stays.
    fn does<T: Send>(&self, what: impl FnOnce(&dyn Pool) -> T + Send) -> T {
        std::thread::scope(|scope| {
            let there = scope.spawn(|| {
                own_namespace();
                if let Ok(rig) = std::env::var("RIG") {
                    // As `ceph.sh machine` does: what maps an image runs where it is not seen otherwise.
                    let own =
                        Path::new(&rig).join("machines").join(uuid::Uuid::new_v4().to_string());
                    fs::create_dir_all(&own).unwrap();
                    fs::write(own.join(".real"), own.to_str().unwrap()).unwrap();
                    rustix::mount::mount_bind(&own, Path::new(&rig).join("mapped")).unwrap();
                }
                let pool = CephRbd.open(&self.spec).unwrap();
                let done = what(&*pool);
                CephRbd.close(&self.spec).unwrap();
                done
            });
            there.join().unwrap()
        })
    }
}

#[test]
fn what_one_member_makes_the_other_has_at_once() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let second = Second::of(&s);
    let (a, v) = (container("a"), custom("v"));
    with_image(&*s.pool);
    clone(&*s.pool, &image("f00"), &a);
    s.pool.create(&v, &Shape::block(8 << 20), None, &Control::none()).unwrap();
    fs::write(root(&*s.pool, &a).join("note"), "of the first").unwrap();
    s.pool.snapshots().unwrap().take(&a, "s", &Control::none()).unwrap();
    s.pool.keep(b"first").unwrap();
    s.pool.detach(&a).unwrap();
    second.does(|pool| {
        assert_eq!(pool.list().unwrap(), [container("a"), image("f00"), custom("v")]);
        assert_eq!(pool.describe(&v).unwrap(), s.pool.describe(&v).unwrap());
        assert_eq!(pool.snapshots().unwrap().list(&a).unwrap(), ["s"]);
        assert_eq!(pool.kept().unwrap().unwrap(), b"first");
        assert_eq!(CephRbd.recognise(&second.spec).unwrap(), s.spec.id);
        let there = root(pool, &a);
        assert_eq!(fs::read_to_string(there.join("note")).unwrap(), "of the first");
        fs::write(there.join("note"), "of the second").unwrap();
        pool.detach(&a).unwrap();
        clone(pool, &image("f00"), &container("b"));
        pool.delete(&v).unwrap();
        pool.keep(b"second").unwrap();
    });
    assert_eq!(s.pool.list().unwrap(), [container("a"), container("b"), image("f00")]);
    assert_eq!(fs::read_to_string(root(&*s.pool, &a).join("note")).unwrap(), "of the second");
    assert_eq!(s.pool.kept().unwrap().unwrap(), b"second");
    // An image that the other stands on.
    s.pool.delete(&image("f00")).unwrap();
    second.does(|pool| {
        assert!(root(pool, &container("b")).join("secret").exists());
        pool.delete(&container("b")).unwrap();
    });
}

#[test]
fn a_member_that_opens_the_pool_removes_nothing_that_another_makes() {
    let Some(mut s) = Scratch::able(&CephRbd) else { return };
    let second = Second::of(&s);
    let fill: Fill = &mut |into| {
        fill_image(into)?;
        second.does(|pool| assert!(pool.list().unwrap().is_empty()));
        Ok(())
    };
    s.pool.create(&container("c"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
    assert!(root(&*s.pool, &container("c")).join("secret").exists());
    s.pool.delete(&container("c")).unwrap();
    // What the first left in a crash is the first's to remove.
    let member = fs::read_to_string(s.spec.path.join("member")).unwrap();
    let left = names::making(member.parse().unwrap(), Uuid::new_v4());
    source::images(&s.spec).create(&left, 4096).unwrap();
    second.does(|_| ());
    assert_eq!(names(&s), [left]);
    s.reopen();
    assert!(names(&s).is_empty());
}

#[test]
fn two_members_that_make_the_same_image_have_the_one() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    let second = Second::of(&s);
    let fill: Fill = &mut |into| {
        fill_image(into)?;
        second.does(with_image);
        Ok(())
    };
    s.pool.create(&image("f00"), &Shape::filesystem(), Some(fill), &Control::none()).unwrap();
    assert_eq!(names(&s), ["image_f00"]);
    clone(&*s.pool, &image("f00"), &container("a"));
    let twice = second.does(|pool| {
        let shape = Shape::filesystem();
        pool.create(&container("a"), &shape, None, &Control::none())
    });
    assert!(matches!(twice, Err(Error::Exists { .. })), "{twice:?}");
}

#[test]
fn what_a_member_writes_to_is_its_own_until_it_dies() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    if one_client() {
        return;
    }
    let rig = std::env::var("RIG").unwrap();
    let (second, a) = (Second::of(&s), container("a"));
    s.pool.create(&a, &Shape::filesystem(), None, &Control::none()).unwrap();
    let there = root(&*s.pool, &a);
    fs::write(there.join("note"), "here").unwrap();
    crate::fsio::sync_fs(&there).unwrap();
    let refused = second.does(|pool| pool.attach(&a));
    assert!(matches!(refused, Err(Error::Elsewhere { .. })), "{refused:?}");
    // What would follow if both had it mounted does not.
    fs::write(there.join("second"), "here").unwrap();
    crate::fsio::sync_fs(&there).unwrap();
    die(Path::new(&rig), &source::name(&s.spec));
    let begun = Instant::now();
    second.does(|pool| {
        let taken = root(pool, &a);
        assert_eq!(fs::read_to_string(taken.join("note")).unwrap(), "here");
        assert_eq!(fs::read_to_string(taken.join("second")).unwrap(), "here");
        pool.snapshots().unwrap().take(&a, "s", &Control::none()).unwrap();
        pool.detach(&a).unwrap();
    });
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
}

#[test]
fn who_is_shut_out_writes_no_more_and_another_has_its_volumes_at_once() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    if one_client() {
        return;
    }
    let (second, a) = (Second::of(&s), container("a"));
    s.pool.create(&a, &Shape::filesystem(), None, &Control::none()).unwrap();
    let there = root(&*s.pool, &a);
    fs::write(there.join("note"), "of the first").unwrap();
    crate::fsio::sync_fs(&there).unwrap();
    second.does(|pool| {
        let begun = Instant::now();
        pool.shut_out(&a).unwrap();
        let taken = root(pool, &a);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        assert_eq!(fs::read_to_string(taken.join("note")).unwrap(), "of the first");
        fs::write(taken.join("note"), "of the second").unwrap();
        pool.detach(&a).unwrap();
    });
    let late = fs::write(there.join("late"), "late").map_err(|_| ());
    assert!(late.is_err() || crate::fsio::sync_fs(&there).is_err());
    second.does(|pool| {
        let taken = root(pool, &a);
        assert_eq!(fs::read_to_string(taken.join("note")).unwrap(), "of the second");
        assert!(!taken.join("late").exists());
    });
}

#[test]
fn a_disk_is_taken_over_as_it_is_then_and_what_lies_beside_it_once_it_is_let_go_of() {
    let Some(s) = Scratch::able(&CephRbd) else { return };
    if one_client() {
        return;
    }
    let (second, v) = (Second::of(&s), machine("v"));
    with_disk(&*s.pool, &v);
    let Attached::Block(here) = s.pool.attach(&v).unwrap() else { panic!("no disk") };
    let write = |byte: u8| {
        let disk = fs::OpenOptions::new().write(true).open(&here).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&disk, &[byte; 4096], 0).unwrap();
        disk.sync_all().unwrap();
    };
    second.does(|pool| {
        assert_eq!(fs::read(pool.take_over(&v).unwrap()).unwrap()[0], 5);
        write(6);
        // What was read of it before is forgotten.
        assert_eq!(fs::read(pool.take_over(&v).unwrap()).unwrap()[0], 6);
        assert!(!pool.folder(&v).unwrap().exists());
        pool.detach(&v).unwrap();
    });
    write(7);
    s.pool.detach(&v).unwrap();
    second.does(|pool| {
        let there = pool.take_over(&v).unwrap();
        let held = fs::File::open(&there).unwrap();
        assert_eq!(pool.attach(&v).unwrap(), Attached::Block(there.clone()));
        drop(held);
        assert_eq!(fs::read(there).unwrap()[0], 7);
        let metadata = pool.folder(&v).unwrap().join("metadata.yaml");
        assert_eq!(fs::read_to_string(metadata).unwrap(), "of the image");
        pool.detach(&v).unwrap();
    });
}

/// Whether all members on this machine are one to the cluster: a kernel has one client.
fn one_client() -> bool {
    let one = Path::new("/sys/bus/rbd").exists() || std::env::var("RIG").is_err();
    if one {
        eprintln!("SKIP: needs members that are not one client of the cluster, as in the rig");
    }
    one
}

/// Kills what has the images of a pool mapped on the first member's machine, as if that had lost its power.
fn die(rig: &Path, pool: &str) {
    let mut killed = 0;
    for entry in fs::read_dir(rig.join("mapped")).unwrap().flatten() {
        let info = fs::read_to_string(entry.path().join("info")).unwrap_or_default();
        if info.starts_with(&format!("{pool}\t")) {
            let pid: i32 =
                fs::read_to_string(entry.path().join("pid")).unwrap().trim().parse().unwrap();
            let pid = rustix::process::Pid::from_raw(pid).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
            killed += 1;
        }
    }
    assert!(killed > 0);
}
