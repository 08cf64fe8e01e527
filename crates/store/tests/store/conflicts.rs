use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::{Error, Result, Store, params};

use crate::{count, open, temp};

#[derive(Debug)]
pub(crate) enum Refused {
    Quota,
    Store(Error),
}

impl From<Error> for Refused {
    fn from(e: Error) -> Refused {
        Refused::Store(e)
    }
}

pub(crate) async fn launch(store: &Store, name: &str, cores: i64) -> Result<(), Refused> {
    store
        .write(|w| {
            let limit: i64 =
                w.query_one("SELECT cores FROM projects WHERE id = 1", &[], |r| r.get(0))?.unwrap();
            let used: i64 = w
                .query_one("SELECT coalesce(sum(cores), 0) FROM instances", &[], |r| r.get(0))?
                .unwrap();
            if used + cores > limit {
                return Err(Refused::Quota);
            }
            w.execute(
                "INSERT INTO instances(project, name, cores) VALUES (1, ?1, ?2)",
                params![name, cores],
            )?;
            Ok(())
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_quota_is_exact_with_many_writers_at_once() {
    let dir = temp();
    let store = open(dir.path()).await;
    store
        .write(|w| w.execute("INSERT INTO projects VALUES (1, 'default', 100)", &[]))
        .await
        .unwrap();
    let accepted = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..90)
        .map(|n| {
            let (store, accepted) = (store.clone(), accepted.clone());
            tokio::spawn(async move {
                match launch(&store, &format!("c{n}"), 3).await {
                    Ok(()) => accepted.fetch_add(1, Ordering::Relaxed),
                    Err(Refused::Quota) => 0,
                    Err(Refused::Store(e)) => panic!("{e}"),
                };
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(accepted.load(Ordering::Relaxed), 33);
    let sum: Option<i64> =
        store.read(|r| r.query_one("SELECT sum(cores) FROM instances", &[], |r| r.get(0))).unwrap();
    assert_eq!(sum, Some(99));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_that_want_a_name_one_gets_it() {
    let dir = temp();
    let store = open(dir.path()).await;
    let tasks: Vec<_> = (0..40)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                store.write(|w| w.execute("INSERT INTO projects(name) VALUES ('same')", &[])).await
            })
        })
        .collect();
    let (mut won, mut lost) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(e) if e.is_unique() => lost += 1,
            Err(e) => panic!("{e}"),
        }
    }
    assert_eq!((won, lost), (1, 39));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writers_at_once_share_entries_of_the_log() {
    let dir = temp();
    let store = open(dir.path()).await;
    let before = store.status().last_index;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    store
                        .write(|w| w.execute("INSERT INTO notes(body) VALUES ('x')", &[]))
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(count(&store, "notes"), 640);
    let entries = store.status().last_index - before;
    assert!(entries < 320, "640 writes took {entries} entries");
}

#[tokio::test]
async fn a_dropped_write_blocks_nobody() {
    let dir = temp();
    let store = open(dir.path()).await;
    for _ in 0..50 {
        let insert = || store.write(|w| w.execute("INSERT INTO notes(body) VALUES ('x')", &[]));
        tokio::select! {
            biased;
            _ = insert() => {}
            _ = tokio::task::yield_now() => {}
        }
        insert().await.unwrap();
    }
    let found = count(&store, "notes");
    assert!((50..=100).contains(&found), "{found}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_the_writes_that_wait() {
    let dir = temp();
    let store = open(dir.path()).await;
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut done = 0;
                loop {
                    let insert = "INSERT INTO notes(body) VALUES ('x')";
                    match store.write(|w| w.execute(insert, &[])).await {
                        Ok(_) => done += 1,
                        Err(Error::Closed | Error::Uncertain) => return done,
                        Err(e) => panic!("{e:?}"),
                    }
                }
            })
        })
        .collect();
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    store.close().await.unwrap();
    let mut acknowledged = 0;
    for task in tasks {
        acknowledged += task.await.unwrap();
    }
    let found = count(&open(dir.path()).await, "notes");
    // What was on its way may have arrived.
    assert!((acknowledged..=acknowledged + 50).contains(&found), "{found} of {acknowledged}");
}

#[tokio::test]
async fn a_closure_may_ask_for_the_status_and_read() {
    let dir = temp();
    let store = open(dir.path()).await;
    let level = store.write(|w| -> Result<u32> {
        w.execute("INSERT INTO notes(body) VALUES ('x')", &[])?;
        assert!(!store.read(|r| r.exists("SELECT 1 FROM notes", &[]))?);
        Ok(store.status().schema_level)
    });
    assert_eq!(level.await.unwrap(), 1);
}
