use std::{fs::File, thread, time::Duration};

use rustix::fs::{FlockOperation, flock};
use store::{Constraint, Error, Options, Result, Store, params};

use crate::{SCHEMA, count, open, temp};

#[tokio::test]
async fn writes_are_read_at_once_and_after_opening_again() {
    let dir = temp();
    let store = open(dir.path()).await;
    let id = store
        .write(|w| -> Result<i64> {
            w.insert("INSERT INTO projects(name, cores) VALUES (?1, ?2)", params!["default", 4])
        })
        .await
        .unwrap();
    let read = |store: &Store| {
        store
            .read(|r| {
                r.query_one("SELECT name, cores FROM projects WHERE id = ?1", params![id], |row| {
                    Ok((row.get::<String>("name")?, row.get::<u32>(1)?))
                })
            })
            .unwrap()
    };
    assert_eq!(read(&store), Some(("default".to_owned(), 4)));
    store.close().await.unwrap();
    assert!(matches!(store.read(|_| Ok::<_, Error>(())), Err(Error::Closed)));
    let store = open(dir.path()).await;
    assert_eq!(read(&store), Some(("default".to_owned(), 4)));
}

#[derive(Debug)]
enum Own {
    Store(Error),
    Quota,
}

impl From<Error> for Own {
    fn from(e: Error) -> Own {
        Own::Store(e)
    }
}

#[tokio::test]
async fn a_closure_that_fails_changes_nothing_and_its_error_comes_back() {
    let dir = temp();
    let store = open(dir.path()).await;
    let failed = store
        .write(|w| -> Result<(), Own> {
            w.execute("INSERT INTO projects(name) VALUES ('a')", params![])?;
            Err(Own::Quota)
        })
        .await;
    assert!(matches!(failed, Err(Own::Quota)), "{failed:?}");
    assert_eq!(count(&store, "projects"), 0);
    let wrong = store
        .write(|w| -> Result<usize, Own> { Ok(w.execute("INSERT INTO nothing VALUES (1)", &[])?) })
        .await;
    assert!(matches!(wrong, Err(Own::Store(Error::Sql { .. }))), "{wrong:?}");
}

async fn execute(store: &Store, sql: &str) -> Result<usize> {
    store.write(|w| w.execute(sql, &[])).await
}

#[tokio::test]
async fn constraints_say_what_is_wrong() {
    let dir = temp();
    let store = open(dir.path()).await;
    let cases = [
        ("INSERT INTO projects(id, name) VALUES (1, 'a')", None, ""),
        ("INSERT INTO projects(name) VALUES ('a')", Some(Constraint::Unique), "projects.name"),
        ("INSERT INTO projects(id, name) VALUES (1, 'b')", Some(Constraint::Unique), "projects.id"),
        ("INSERT INTO instances VALUES (1, 9, 'x', 1)", Some(Constraint::ForeignKey), ""),
        ("INSERT INTO instances VALUES (1, 1, 'x', 0)", Some(Constraint::Check), "cores > 0"),
        ("INSERT INTO projects(name) VALUES (NULL)", Some(Constraint::NotNull), "projects.name"),
    ];
    for (sql, expected, text) in cases {
        let result = execute(&store, sql).await;
        match (result, expected) {
            (Ok(1), None) => {}
            (Err(Error::Constraint { kind, detail }), Some(expected)) => {
                assert_eq!(kind, expected, "{sql}");
                assert!(detail.contains(text), "{sql}: {detail}");
            }
            (other, _) => panic!("{sql}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_would_differ_between_members_is_refused() {
    let dir = temp();
    let store = open(dir.path()).await;
    for sql in [
        "INSERT INTO notes(body) VALUES (random())",
        "INSERT INTO notes(body) VALUES (hex(randomblob(4)))",
        "INSERT INTO notes(body) VALUES (datetime('now'))",
        "INSERT INTO notes(body) VALUES (CURRENT_TIMESTAMP)",
        "UPDATE notes SET body = strftime('%s')",
        "INSERT INTO notes(id) VALUES (last_insert_rowid())",
        "INSERT OR ROLLBACK INTO notes(id) VALUES (1)",
        "CREATE TABLE more(id INTEGER)",
        "PRAGMA foreign_keys = OFF",
        "DELETE FROM _store",
        "COMMIT",
        "ATTACH '/tmp/x' AS x",
    ] {
        let result = execute(&store, sql).await;
        assert!(matches!(result, Err(Error::Forbidden { .. })), "{sql}: {result:?}");
    }
    // A value that was read may be random: it is bound, so all members store the same.
    let drawn = store
        .write(|w| -> Result<i64> {
            let n: i64 = w.query_one("SELECT random()", &[], |row| row.get(0))?.unwrap();
            w.execute("INSERT INTO notes(id) VALUES (?1)", params![n])?;
            Ok(n)
        })
        .await
        .unwrap();
    assert!(store.read(|r| r.exists("SELECT 1 FROM notes WHERE id = ?1", params![drawn])).unwrap());
}

#[tokio::test]
async fn reads_cannot_write() {
    let dir = temp();
    let store = open(dir.path()).await;
    let result = store.read(|r| r.query("DELETE FROM notes", &[], |_| Ok(())));
    assert!(matches!(result, Err(Error::Forbidden { .. })), "{result:?}");
    let result = store.write(|w| w.query("DELETE FROM notes RETURNING id", &[], |_| Ok(()))).await;
    assert!(matches!(result, Err(Error::Forbidden { .. })), "{result:?}");
}

#[tokio::test]
async fn a_read_keeps_one_view() {
    let dir = temp();
    let store = open(dir.path()).await;
    let writer = store.clone();
    let runtime = tokio::runtime::Handle::current();
    let seen = tokio::task::spawn_blocking(move || {
        writer
            .read(|r| -> Result<_> {
                let before = r.query("SELECT id FROM notes", &[], |row| row.get::<i64>(0))?.len();
                runtime.block_on(execute(&writer, "INSERT INTO notes(id) VALUES (1)"))?;
                let after = r.query("SELECT id FROM notes", &[], |row| row.get::<i64>(0))?.len();
                Ok((before, after))
            })
            .unwrap()
    });
    assert_eq!(seen.await.unwrap(), (0, 0));
    assert_eq!(count(&store, "notes"), 1);
}

#[tokio::test]
async fn watchers_learn_which_tables_changed() {
    let dir = temp();
    let store = open(dir.path()).await;
    let mut watch = store.watch();
    let before = watch.borrow_and_update().revision();
    execute(&store, "INSERT INTO projects(id, name) VALUES (1, 'a')").await.unwrap();
    execute(&store, "INSERT INTO instances VALUES (1, 1, 'x', 1)").await.unwrap();
    watch.changed().await.unwrap();
    let middle = watch.borrow_and_update().clone();
    assert!(middle.since(before, "projects") && middle.since(before, "instances"));
    assert!(!middle.since(before, "notes"));
    // A cascade counts as a change of the other table.
    execute(&store, "DELETE FROM projects").await.unwrap();
    watch.changed().await.unwrap();
    let tables: Vec<String> =
        watch.borrow().tables_since(middle.revision()).map(str::to_owned).collect();
    assert_eq!(tables, ["instances", "projects"]);
}

#[tokio::test]
async fn a_panic_in_a_closure_leaves_nothing_behind() {
    let dir = temp();
    let store = open(dir.path()).await;
    let panicking = store.clone();
    let task = tokio::spawn(async move {
        panicking
            .write(|w| -> Result<()> {
                w.execute("INSERT INTO notes(id) VALUES (1)", &[])?;
                panic!("on purpose")
            })
            .await
    });
    assert!(task.await.unwrap_err().is_panic());
    execute(&store, "INSERT INTO notes(id) VALUES (2)").await.unwrap();
    assert_eq!(count(&store, "notes"), 1);
}

#[tokio::test]
async fn a_second_opener_is_refused() {
    let dir = temp();
    let store = open(dir.path()).await;
    let second = Store::open(dir.path(), Options::new(SCHEMA)).await;
    assert!(matches!(second, Err(Error::InUse { .. })), "{second:?}");
    store.close().await.unwrap();
    drop(store);
    open(dir.path()).await;
}

#[tokio::test]
async fn opening_again_waits_for_no_election() {
    let dir = temp();
    open(dir.path()).await.close().await.unwrap();
    let mut times = Vec::new();
    for _ in 0..5 {
        let start = std::time::Instant::now();
        let store = open(dir.path()).await;
        times.push(start.elapsed());
        execute(&store, "INSERT INTO notes(body) VALUES ('x')").await.unwrap();
        store.close().await.unwrap();
    }
    times.sort();
    // The shortest election takes 600 ms.
    assert!(times[2] < std::time::Duration::from_millis(300), "{times:?}");
}

#[tokio::test]
async fn a_lock_that_a_killed_process_leaves_for_a_moment_is_waited_for() {
    let dir = temp();
    open(dir.path()).await.close().await.unwrap();
    let lock = File::options().write(true).open(dir.path().join("lock")).unwrap();
    flock(&lock, FlockOperation::LockExclusive).unwrap();
    // What it leaves is a child that has its open files until it becomes another program.
    let child = thread::spawn(move || {
        thread::sleep(Duration::from_millis(100));
        drop(lock);
    });
    open(dir.path()).await;
    child.join().unwrap();
}
