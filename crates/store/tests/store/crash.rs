//! What is left after the process was killed, or after the disk lost or kept what it should not.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Command, Stdio};

use store::{Error, Options, Result, Store, params};

use crate::disk::Disk;
use crate::{SCHEMA, count, open, temp};

const CHILD_DIR: &str = "STORE_TEST_CHILD_DIR";

/// Runs in a process of its own, which is killed: writes and tells what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let Ok(dir) = std::env::var(CHILD_DIR) else { return };
    let store = open(Path::new(&dir)).await;
    let writers = (0..4).map(|writer| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0.. {
                let body = format!("{writer}-{n}");
                let sql = "INSERT INTO notes(body) VALUES (?1)";
                store.write(|w| w.execute(sql, params![body])).await.unwrap();
                println!("\nkey {body}");
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
}

/// Lets a child write, kills it after so many acknowledged keys, and returns them.
#[expect(clippy::disallowed_methods, reason = "the test needs a process to kill")]
fn killed_after(dir: &Path, keys: usize) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let key = |line: std::io::Result<String>| Some(line.ok()?.strip_prefix("key ")?.to_owned());
    let mut acknowledged: Vec<_> = lines.by_ref().filter_map(key).take(keys).collect();
    child.kill().unwrap();
    // What stands in the pipe was acknowledged as well; its last line may be cut.
    acknowledged.extend(lines.map_while(|line| line.ok()).filter_map(|line| key(Ok(line))));
    acknowledged.pop();
    child.wait().unwrap();
    assert!(acknowledged.len() + 1 >= keys, "the child ended early");
    acknowledged
}

fn bodies(store: &Store) -> Vec<String> {
    store.read(|r| r.query("SELECT body FROM notes ORDER BY id", &[], |row| row.get(0))).unwrap()
}

fn assert_has_all(store: &Store, acknowledged: &[String]) {
    let found: std::collections::HashSet<_> = bodies(store).into_iter().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|key| !found.contains(*key)).collect();
    assert!(lost.is_empty(), "lost {} of {}: {lost:?}", lost.len(), acknowledged.len());
}

async fn note(store: &Store, body: &str) -> Result<usize> {
    store.write(|w| w.execute("INSERT INTO notes(body) VALUES (?1)", params![body])).await
}

#[tokio::test]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let dir = temp();
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        acknowledged.extend(killed_after(dir.path(), 200));
        let store = open(dir.path()).await;
        assert_has_all(&store, &acknowledged);
        note(&store, "between").await.unwrap();
        store.close().await.unwrap();
    }
}

/// Cuts bytes off the end of a file, or zeroes them.
fn spoil(path: &Path, bytes: u64, zero: bool) {
    let file = File::options().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    let kept = length.saturating_sub(bytes);
    if zero {
        file.write_all_at(&vec![0; (length - kept) as usize], kept).unwrap();
    } else {
        file.set_len(kept).unwrap();
    }
}

#[tokio::test]
async fn a_torn_or_zeroed_tail_of_the_log_loses_nothing_the_state_has() {
    for (bytes, zero) in [(1, false), (3_000, false), (9_000, false), (5_000, true), (60_000, true)]
    {
        let dir = temp();
        let acknowledged = killed_after(dir.path(), 100);
        spoil(&dir.path().join("log.db-wal"), bytes, zero);
        let store = open(dir.path()).await;
        assert_has_all(&store, &acknowledged);
        note(&store, "after").await.unwrap();
        store.close().await.unwrap();
        assert_has_all(&open(dir.path()).await, &acknowledged);
    }
}

#[tokio::test]
async fn with_both_tails_torn_the_state_is_an_earlier_one() {
    for bytes in [5_000, 20_000, 50_000] {
        let dir = temp();
        killed_after(dir.path(), 100);
        let before = {
            let copy = temp();
            for file in ["log.db", "log.db-wal", "state.db", "state.db-wal"] {
                fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
            }
            bodies(&open(copy.path()).await)
        };
        spoil(&dir.path().join("log.db-wal"), bytes, false);
        spoil(&dir.path().join("state.db-wal"), bytes, false);
        let store = open(dir.path()).await;
        let found = bodies(&store);
        assert_eq!(found, before[..found.len()]);
        note(&store, "after").await.unwrap();
    }
}

/// Puts the state's file back to what it was after 20 of 400 writes.
async fn rolled_back(snapshot_every: u64) {
    let dir = temp();
    let options = Options { snapshot_every, ..Options::new(SCHEMA) };
    let store = Store::open(dir.path(), options.clone()).await.unwrap();
    for n in 0..20 {
        note(&store, &format!("{n}")).await.unwrap();
    }
    store.close().await.unwrap();
    let old = fs::read(dir.path().join("state.db")).unwrap();
    let store = Store::open(dir.path(), options.clone()).await.unwrap();
    for n in 20..400 {
        note(&store, &format!("{n}")).await.unwrap();
    }
    store.close().await.unwrap();
    fs::write(dir.path().join("state.db"), old).unwrap();
    let store = Store::open(dir.path(), options).await.unwrap();
    assert_eq!(bodies(&store), (0..400).map(|n| n.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_rolled_back_state_is_brought_forward_from_the_log() {
    rolled_back(4096).await;
}

#[tokio::test]
async fn a_state_older_than_the_log_is_taken_from_the_snapshot() {
    rolled_back(50).await;
}

#[tokio::test]
async fn the_log_is_shortened() {
    let dir = temp();
    let options = Options { snapshot_every: 100, ..Options::new(SCHEMA) };
    let store = Store::open(dir.path(), options).await.unwrap();
    for n in 0..1000 {
        note(&store, &format!("{n}")).await.unwrap();
    }
    store.close().await.unwrap();
    let log = fs::metadata(dir.path().join("log.db")).unwrap().len();
    assert!(log < 200_000, "log.db has {log} bytes after 1000 writes");
    assert!(dir.path().join("snapshot.db").exists());
}

#[tokio::test]
async fn a_missing_log_is_refused() {
    let dir = temp();
    let store = open(dir.path()).await;
    store.close().await.unwrap();
    fs::remove_file(dir.path().join("log.db")).unwrap();
    let result = Store::open(dir.path(), Options::new(SCHEMA)).await;
    assert!(matches!(result, Err(Error::Damaged { .. })), "{result:?}");
}

#[tokio::test]
async fn a_full_disk_stops_the_store_and_loses_nothing() {
    let mount = temp();
    let Some(disk) = Disk::mount(mount.path(), "3m") else { return };
    let dir = mount.path().join("database");
    let store = open(&dir).await;
    let mut acknowledged = Vec::new();
    let (error, refused) = loop {
        let body = format!("{}-{}", acknowledged.len(), "x".repeat(3000));
        match note(&store, &body).await {
            Ok(_) => acknowledged.push(body),
            Err(error) => break (error, body),
        }
    };
    assert!(matches!(error, Error::Storage { .. }), "{error:?}");
    assert!(acknowledged.len() > 50, "{}", acknowledged.len());
    assert!(store.failed().await.is_fatal());
    assert!(store.status().fault.is_some());
    let again = note(&store, "more").await;
    assert!(matches!(again, Err(Error::Storage { .. })), "{again:?}");
    assert_has_all(&store, &acknowledged);
    assert!(store.close().await.is_err());
    disk.resize("30m");
    let store = open(&dir).await;
    assert_has_all(&store, &acknowledged);
    note(&store, "more").await.unwrap();
    // Of the write during which the disk was full, and of no other, nobody knows: it may be there.
    let mut there = bodies(&store);
    assert_eq!(there.pop().as_deref(), Some("more"));
    there.pop_if(|last| *last == refused);
    assert_eq!(there, acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_has_room_for_those_who_delete() {
    let mount = temp();
    let Some(_disk) = Disk::mount(mount.path(), "160m") else { return };
    let (dir, filler) = (mount.path().join("database"), mount.path().join("filler"));
    let store = open(&dir).await;
    note(&store, "before").await.unwrap();
    fill(&filler);
    for number in 0..100 {
        note(&store, &format!("{number}-{}", "x".repeat(40_000))).await.unwrap();
    }
    assert!(store.status().fault.is_none());
    assert!(std::fs::metadata(dir.join("reserve")).unwrap().len() < 16 << 20);
    store.close().await.unwrap();
    std::fs::remove_file(&filler).unwrap();
    let store = open(&dir).await;
    assert_eq!(count(&store, "notes"), 101);
    assert_eq!(std::fs::metadata(dir.join("reserve")).unwrap().len(), 16 << 20);
    // Others who find no space get some of it, but no more than there is.
    assert!((0..16).all(|_| store.make_room()));
    assert!(!store.make_room());
    store.close().await.unwrap();
}

/// Fills the disk to the last byte.
fn fill(path: &std::path::Path) {
    use std::io::Write;
    let mut file = std::fs::File::create(path).unwrap();
    while file.write_all(&[7; 64 << 10]).is_ok() {}
    while file.write_all(&[7; 512]).is_ok() {}
}
