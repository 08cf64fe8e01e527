//! Files that a disk has spoilt.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use store::{Error, Lost, Member, Options, Store, params};

use crate::{SCHEMA, count, open, temp};

async fn note(store: &Store, many: usize) {
    for _ in 0..many {
        let written = store.write(|w| w.execute("INSERT INTO notes(body) VALUES ('x')", params![]));
        written.await.unwrap();
    }
}

/// A closed store with this many notes; with a small window for the log, so that it was shortened.
async fn made(dir: &Path, many: usize) {
    let options = Options { snapshot_every: 20, ..Options::new(SCHEMA) };
    let store = Store::open(dir, options).await.unwrap();
    note(&store, many).await;
    store.close().await.unwrap();
}

/// As if sectors in its middle had been lost; what SQLite keeps beside it, too.
fn spoil(dir: &Path, name: &str) {
    for suffix in ["-wal", "-shm"] {
        let _ = fs::remove_file(dir.join(format!("{name}{suffix}")));
    }
    let file = File::options().write(true).open(dir.join(name)).unwrap();
    let size = file.metadata().unwrap().len();
    file.write_all_at(&vec![0xa5; usize::try_from(size).unwrap() - 512], 512).unwrap();
}

#[tokio::test]
async fn what_is_sound_is_left_alone() {
    let dir = temp();
    assert!(store::mend(&dir.path().join("none")).unwrap().is_none());
    assert!(store::mend(dir.path()).unwrap().is_none());
    made(dir.path(), 60).await;
    assert!(store::mend(dir.path()).unwrap().is_none());
    let store = open(dir.path()).await;
    assert_eq!(count(&store, "notes"), 60);
    assert!(matches!(store::mend(dir.path()), Err(Error::InUse { .. })));
}

#[tokio::test]
async fn a_damaged_state_is_made_again_whole() {
    for (many, snapshot) in [(60, true), (5, false)] {
        let dir = temp();
        made(dir.path(), many).await;
        assert_eq!(dir.path().join("snapshot.db").exists(), snapshot);
        spoil(dir.path(), "state.db");
        let mended = store::mend(dir.path()).unwrap().unwrap();
        assert_eq!((mended.damaged[0].0, mended.lost), ("state.db", Lost::Nothing));
        assert!(mended.aside.join("state.db").exists(), "nothing is deleted");
        let store = open(dir.path()).await;
        assert_eq!(count(&store, "notes"), i64::try_from(many).unwrap());
        note(&store, 1).await;
    }
}

#[tokio::test]
async fn a_damaged_snapshot_is_made_again() {
    let dir = temp();
    made(dir.path(), 60).await;
    spoil(dir.path(), "snapshot.db");
    let mended = store::mend(dir.path()).unwrap().unwrap();
    assert_eq!((mended.damaged[0].0, mended.lost), ("snapshot.db", Lost::Nothing));
    let store = open(dir.path()).await;
    assert_eq!(count(&store, "notes"), 60);
    store.close().await.unwrap();
    assert!(dir.path().join("snapshot.db").exists());
    assert!(store::mend(dir.path()).unwrap().is_none());
}

#[tokio::test]
async fn a_state_without_its_snapshot_is_made_of_a_copy_and_the_log() {
    let dir = temp();
    let options = Options { snapshot_every: 50, ..Options::new(SCHEMA) };
    let store = Store::open(dir.path(), options).await.unwrap();
    note(&store, 70).await;
    assert!(store.keep_copy().await.unwrap().is_some());
    assert!(store.keep_copy().await.unwrap().is_none(), "nothing has changed");
    note(&store, 3).await;
    store.close().await.unwrap();
    assert_eq!(store::copies(dir.path()).len(), 1);
    for name in ["state.db", "snapshot.db"] {
        spoil(dir.path(), name);
    }
    let mended = store::mend(dir.path()).unwrap().unwrap();
    assert_eq!(mended.lost, Lost::Nothing);
    assert_eq!(count(&open(dir.path()).await, "notes"), 73);
}

#[tokio::test]
async fn a_damaged_log_of_a_lone_member_is_begun_after_the_state() {
    let dir = temp();
    made(dir.path(), 60).await;
    spoil(dir.path(), "log.db");
    let mended = store::mend(dir.path()).unwrap().unwrap();
    assert_eq!((mended.damaged[0].0, mended.lost), ("log.db", Lost::Newest));
    let store = open(dir.path()).await;
    assert_eq!(count(&store, "notes"), 60);
    note(&store, 1).await;
    store.close().await.unwrap();
    assert!(store::mend(dir.path()).unwrap().is_none());
    assert_eq!(count(&open(dir.path()).await, "notes"), 61);
}

#[tokio::test]
async fn where_all_is_damaged_the_newest_copy_that_can_be_read_is_gone_back_to() {
    let dir = temp();
    let store = open(dir.path()).await;
    note(&store, 4).await;
    let copy = store.keep_copy().await.unwrap().unwrap();
    note(&store, 3).await;
    store.close().await.unwrap();
    let newer = copy.with_file_name("99999999999.db");
    fs::write(&newer, "no database").unwrap();
    for name in ["state.db", "log.db"] {
        spoil(dir.path(), name);
    }
    let (_, made_at) = store::copies(dir.path()).pop().unwrap();
    let mended = store::mend(dir.path()).unwrap().unwrap();
    let names: Vec<_> = mended.damaged.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["log.db", "state.db"]);
    assert_eq!(mended.lost, Lost::Since(made_at));
    let store = open(dir.path()).await;
    assert_eq!(count(&store, "notes"), 4);
    note(&store, 1).await;
}

#[tokio::test]
async fn without_a_copy_nothing_is_touched() {
    let dir = temp();
    made(dir.path(), 4).await;
    for name in ["state.db", "log.db"] {
        spoil(dir.path(), name);
    }
    let error = store::mend(dir.path()).unwrap_err().to_string();
    assert!(error.contains("log.db") && error.contains("no copy"), "{error}");
    assert!(dir.path().join("state.db").exists());
}

/// Its log may be what a majority counted on.
#[tokio::test]
async fn a_member_of_a_cluster_does_not_make_its_log_anew() {
    let dir = temp();
    let store = open(dir.path()).await;
    let other = Member { id: 2, name: "m2".into(), address: "127.0.0.1:1".into() };
    store.add(other).await.unwrap();
    store.close().await.unwrap();
    spoil(dir.path(), "log.db");
    let error = store::mend(dir.path()).unwrap_err().to_string();
    assert!(error.contains("join again"), "{error}");
    assert!(dir.path().join("log.db").exists());
}
