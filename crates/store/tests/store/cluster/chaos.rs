//! Members lose and find one another at random while all of them write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use store::{Error, Result, Store, params};

use super::Cluster;

/// What one writer knows of its keys: acknowledged or not known.
type Keys = BTreeMap<String, bool>;

/// Adds a key and counts it, in one write.
async fn add(store: &Store, key: &str) -> Result<()> {
    store
        .write(|w| {
            let sql = "SELECT cores FROM projects WHERE id = 1";
            let counted: i64 = w.query_one(sql, &[], |row| row.get(0))?.unwrap_or(0);
            w.execute("UPDATE projects SET cores = ?1 WHERE id = 1", params![counted + 1])?;
            w.execute("INSERT INTO notes(body) VALUES (?1)", params![key])?;
            Ok(())
        })
        .await
}

/// Adds a key without reading anything, so that nothing but its number tells a second copy.
async fn add_blindly(store: &Store, key: &str) -> Result<()> {
    let sql = "INSERT INTO notes(body) VALUES (?1)";
    store.write(|w| w.execute(sql, params![key]).map(|_| ())).await
}

async fn writer(store: Store, name: String, stop: Arc<AtomicBool>) -> Keys {
    let mut keys = Keys::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let blind = n % 2 == 0;
        let key = format!("{}{name}-{n}", if blind { "blind " } else { "" });
        let done = if blind { add_blindly(&store, &key).await } else { add(&store, &key).await };
        match done {
            Ok(()) => {
                keys.insert(key, true);
            }
            Err(Error::Uncertain) => {
                keys.insert(key, false);
            }
            // Nothing was written.
            Err(Error::NoQuorum | Error::Conflict { .. }) => {}
            Err(other) => panic!("{key}: {other:?}"),
        }
    }
    keys
}

/// Numbers that look random.
fn next(seed: &AtomicU64) -> u64 {
    let step = |x: u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    seed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).unwrap() >> 33
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_once_whoever_was_cut_off() {
    let cluster = Cluster::with_patience(3, Duration::from_millis(700)).await;
    let start = "INSERT INTO projects(id, name) VALUES (1, 'counter')";
    cluster.store(1).write(|w| w.execute(start, &[])).await.unwrap();
    cluster.same_everywhere().await;
    let stop = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..6)
        .map(|n| tokio::spawn(writer(cluster.store(n % 3 + 1), n.to_string(), stop.clone())))
        .collect();
    let seed = AtomicU64::new(u64::from(std::process::id()));
    for _ in 0..10 {
        cluster.cut(next(&seed) % 3 + 1).await;
        tokio::time::sleep(Duration::from_millis(next(&seed) % 400)).await;
        cluster.mend();
        tokio::time::sleep(Duration::from_millis(next(&seed) % 300)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let mut keys = Keys::new();
    for writer in writers {
        keys.extend(writer.await.unwrap());
    }
    cluster.same_everywhere().await;
    check(&cluster.store(2), &keys);
}

fn check(store: &Store, keys: &Keys) {
    let sql = "SELECT body, count(*) FROM notes GROUP BY body";
    let found: BTreeMap<String, i64> = store
        .read(|r| r.query(sql, &[], |row| Ok((row.get(0)?, row.get(1)?))))
        .unwrap()
        .into_iter()
        .collect();
    let twice: Vec<_> = found.iter().filter(|(_, times)| **times > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let lost: Vec<_> =
        keys.iter().filter(|(key, sure)| **sure && !found.contains_key(*key)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let invented: Vec<_> = found.keys().filter(|key| !keys.contains_key(*key)).collect();
    assert!(invented.is_empty(), "{invented:?}");
    let counter = "SELECT cores FROM projects WHERE id = 1";
    let counted: Option<usize> = store.read(|r| r.query_one(counter, &[], |r| r.get(0))).unwrap();
    assert_eq!(counted, Some(found.keys().filter(|key| !key.starts_with("blind")).count()));
    assert!(keys.values().filter(|sure| **sure).count() > 20, "nothing was written");
}
