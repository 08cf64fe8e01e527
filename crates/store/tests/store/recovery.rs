use store::{Error, Member, Options, Result, Store, params};

use crate::{SCHEMA, count, open, temp};

async fn note(store: &Store, body: &str) -> Result<usize> {
    store.write(|w| w.execute("INSERT INTO notes(body) VALUES (?1)", params![body])).await
}

fn member(id: u64) -> Member {
    Member { id, name: format!("m{id}"), address: format!("10.0.0.{id}:8443") }
}

#[tokio::test]
async fn a_backup_becomes_a_store_of_its_own() {
    let (dir, new) = (temp(), temp());
    let store = open(dir.path()).await;
    for n in 0..50 {
        note(&store, &format!("{n}")).await.unwrap();
    }
    let backup = new.path().join("backup.db");
    store.backup(&backup).await.unwrap();
    note(&store, "later").await.unwrap();
    let into = new.path().join("restored");
    store::restore(&backup, &into, &member(7), SCHEMA).unwrap();
    let restored = open(&into).await;
    assert_eq!(count(&restored, "notes"), 50);
    assert_eq!(restored.status().me, 7);
    note(&restored, "own").await.unwrap();
    restored.close().await.unwrap();
    assert_eq!(count(&open(&into).await, "notes"), 51);
    assert_eq!(count(&store, "notes"), 51);
}

#[tokio::test]
async fn a_restore_overwrites_nothing_and_wants_a_backup() {
    let dir = temp();
    let store = open(dir.path()).await;
    let backup = dir.path().join("backup.db");
    store.backup(&backup).await.unwrap();
    store.close().await.unwrap();
    let result = store::restore(&backup, dir.path(), &member(1), SCHEMA);
    assert!(matches!(result, Err(Error::File { .. })), "{result:?}");
    let none =
        store::restore(&dir.path().join("none"), &dir.path().join("new"), &member(1), SCHEMA);
    assert!(matches!(none, Err(Error::File { .. })), "{none:?}");
    // Of a program that knows more than this one.
    let newer = store::restore(&backup, &dir.path().join("older"), &member(1), &[]);
    assert!(matches!(newer, Err(Error::NewerSchema { found: 1, known: 0 })), "{newer:?}");
}

#[tokio::test]
async fn a_backup_goes_on_beside_writes() {
    let dir = temp();
    let store = open(dir.path()).await;
    let writer = store.clone();
    let writing = tokio::spawn(async move {
        for n in 0..300 {
            note(&writer, &format!("{n}")).await.unwrap();
        }
    });
    for n in 0..5 {
        let backup = dir.path().join(format!("backup-{n}"));
        store.backup(&backup).await.unwrap();
        let into = dir.path().join(format!("restored-{n}"));
        store::restore(&backup, &into, &member(1), SCHEMA).unwrap();
        let restored = open(&into).await;
        let bodies: Vec<i64> = restored
            .read(|r| {
                r.query("SELECT CAST(body AS INTEGER) FROM notes ORDER BY id", &[], |r| r.get(0))
            })
            .unwrap();
        assert_eq!(bodies, (0..bodies.len() as i64).collect::<Vec<_>>());
    }
    writing.await.unwrap();
}

#[tokio::test]
async fn recover_keeps_everything_and_is_refused_while_open() {
    let dir = temp();
    let store = open(dir.path()).await;
    note(&store, "a").await.unwrap();
    assert!(matches!(store::recover(dir.path()), Err(Error::InUse { .. })));
    store.close().await.unwrap();
    let report = store::recover(dir.path()).unwrap();
    assert_eq!((report.me.id, report.removed.len()), (1, 0));
    let store = open(dir.path()).await;
    assert_eq!(count(&store, "notes"), 1);
    note(&store, "b").await.unwrap();
    store.close().await.unwrap();
    store::recover(dir.path()).unwrap();
    assert_eq!(count(&open(dir.path()).await, "notes"), 2);
}

#[tokio::test]
async fn a_member_is_taken_from_the_options_once() {
    let dir = temp();
    let options = |id| Options { me: member(id), ..Options::new(SCHEMA) };
    let store = Store::open(dir.path(), options(3)).await.unwrap();
    assert_eq!(store.status().members, [(member(3), true)]);
    store.close().await.unwrap();
    assert_eq!(Store::open(dir.path(), options(4)).await.unwrap().status().me, 3);
}
