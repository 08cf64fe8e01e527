//! Changes that share a sync.

use std::thread;

use super::*;

/// How many changes were committed.
fn changes(folder: &Path) -> usize {
    let text = rusqlite::Connection::open(folder.join("index.db")).unwrap();
    let sql = "SELECT value FROM settings WHERE name = 'changes'";
    let count: String = text.query_row(sql, [], |row| row.get(0)).unwrap();
    count.parse().unwrap()
}

#[test]
fn puts_that_come_together_share_a_sync_and_each_is_there_when_it_returns() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    thread::scope(|scope| {
        for thread in 0..16 {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..20 {
                    let key = format!("{thread}/{number}");
                    put(&store, &key, key.as_bytes());
                    // By another connection, which sees what is committed alone.
                    assert_eq!(read(&store, &key), key.as_bytes());
                }
            });
        }
    });
    let shared = changes(folder.path());
    assert!(shared < 16 * 20, "{shared} commits of 320 puts");
    drop(store);
    let store = open(folder.path());
    let query = Query { most: 1000, ..Query::default() };
    assert_eq!(store.list(query).unwrap().objects.len(), 320);
    drop(store);
    std::fs::remove_file(folder.path().join("index.db")).unwrap();
    assert_eq!(open(folder.path()).list(query).unwrap().objects.len(), 320, "of the names");
}

#[test]
fn one_that_fails_among_others_leaves_theirs_and_nothing_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    thread::scope(|scope| {
        for thread in 0..12 {
            let store = store.clone();
            scope.spawn(move || {
                for number in 0..20 {
                    let (good, bad) = (format!("good/{thread}/{number}"), format!("bad/{thread}"));
                    let failed = store.put(new(&bad, write(&store, b"bad")), Some(0), |_| true);
                    assert!(matches!(failed, Err(Error::Full { .. })), "{failed:?}");
                    put(&store, &good, b"good");
                }
            });
        }
    });
    let query = Query { most: 1000, ..Query::default() };
    let keys = store.list(query).unwrap().objects;
    assert_eq!(keys.len(), 240);
    assert!(keys.iter().all(|object| object.key.starts_with("good/")));
    assert_eq!(store.total().unwrap(), 240 * 4);
}

#[test]
fn one_that_panics_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let panics = |store: Arc<Store>| {
        let bad =
            move || store.put(new("bad", write(&store, b"x")), None, |_| panic!("on purpose"));
        thread::spawn(bad)
    };
    let puts: Vec<_> = (0..16)
        .flat_map(|number| {
            let good = store.clone();
            let good = thread::spawn(move || put(&good, &format!("good/{number}"), b"x"));
            [(true, thread::spawn(move || good.join().is_ok())), {
                let bad = panics(store.clone());
                (false, thread::spawn(move || bad.join().is_ok()))
            }]
        })
        .collect();
    for (good, done) in puts {
        assert_eq!(done.join().unwrap(), good);
    }
    let query = Query { most: 100, ..Query::default() };
    assert_eq!(store.list(query).unwrap().objects.len(), 16);
}

#[test]
fn a_large_object_has_its_sum() {
    use md5::{Digest, Md5};

    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    for size in [(1 << 20) - 1, 1 << 20, (1 << 20) + 1, 5 << 20] {
        let bytes: Vec<u8> = (0..size).map(|n: usize| (n % 251) as u8).collect();
        let mut draft = store.draft();
        bytes.chunks(70_001).for_each(|chunk| draft.write(chunk).unwrap());
        let sum: String = Md5::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(draft.finish().unwrap().etag(), sum, "{size}");
    }
}
