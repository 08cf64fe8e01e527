use store::{Error, Migration, Options, Result, Store, params, testing};

use crate::{SCHEMA, count, open, temp};

const V1: Migration = SCHEMA[0];
const V2: Migration = Migration {
    level: 2,
    name: "rebuild projects",
    kind: store::Kind::Breaks,
    sql: "CREATE TABLE new(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cores INTEGER NOT NULL, zone TEXT) STRICT;
          INSERT INTO new SELECT id, name, cores, 'home' FROM projects;
          DROP TABLE projects;
          ALTER TABLE new RENAME TO projects;",
};
const NEWER: &[Migration] = &[V1, V2];

/// A database as the first level left it, made by `testing::dump`.
const LEVEL_1: &str = include_str!("level-1.sql");

async fn open_with(dir: &std::path::Path, schema: &'static [Migration]) -> Result<Store> {
    Store::open(dir, Options::new(schema)).await
}

#[tokio::test]
async fn a_stored_older_database_is_brought_to_the_newest_level() {
    let (dir, fresh) = (temp(), temp());
    testing::restore_dump(LEVEL_1, dir.path()).unwrap();
    let store = open_with(dir.path(), NEWER).await.unwrap();
    assert_eq!(store.status().schema_level, 2);
    let zone = store
        .read(|r| {
            let sql = "SELECT name, zone FROM projects ORDER BY id";
            r.query(sql, &[], |row| Ok((row.get::<String>(0)?, row.get::<String>(1)?)))
        })
        .unwrap();
    assert_eq!(zone, [("default".into(), "home".into()), ("it's".into(), "home".into())]);
    // Rebuilding the table its rows refer to did not delete them, and the keys still hold.
    assert_eq!(count(&store, "instances"), 1);
    let orphan =
        store.write(|w| w.execute("INSERT INTO instances VALUES (9, 99, 'x', 1)", &[])).await;
    assert!(matches!(orphan, Err(Error::Constraint { .. })), "{orphan:?}");
    let fresh = open_with(fresh.path(), NEWER).await.unwrap();
    assert_eq!(testing::schema(&store).unwrap(), testing::schema(&fresh).unwrap());
}

#[tokio::test]
async fn a_strict_table_can_be_given_a_column() {
    const WIDER: &[Migration] = &[
        V1,
        Migration {
            level: 2,
            name: "zones",
            kind: store::Kind::Breaks,
            sql: "ALTER TABLE projects ADD COLUMN zone TEXT NOT NULL DEFAULT 'home'",
        },
    ];
    let dir = temp();
    testing::restore_dump(LEVEL_1, dir.path()).unwrap();
    let store = open_with(dir.path(), WIDER).await.unwrap();
    let sql = "SELECT DISTINCT zone FROM projects";
    let zones = store.read(|r| r.query(sql, &[], |row| row.get::<String>(0))).unwrap();
    assert_eq!(zones, ["home"]);
}

#[tokio::test]
async fn a_dump_gives_the_same_database_back() {
    let (dir, copy) = (temp(), temp());
    testing::restore_dump(LEVEL_1, dir.path()).unwrap();
    let dump = testing::dump(&open(dir.path()).await).unwrap();
    assert_eq!(dump, LEVEL_1);
    testing::restore_dump(&dump, copy.path()).unwrap();
    assert_eq!(testing::dump(&open(copy.path()).await).unwrap(), dump);
}

#[tokio::test]
async fn a_database_of_a_newer_program_is_refused() {
    let dir = temp();
    open_with(dir.path(), NEWER).await.unwrap().close().await.unwrap();
    let error = open_with(dir.path(), SCHEMA).await.unwrap_err();
    assert!(matches!(error, Error::NewerSchema { found: 2, known: 1 }), "{error:?}");
    assert!(error.to_string().contains("level 2"), "{error}");
    open_with(dir.path(), NEWER).await.unwrap();
}

#[tokio::test]
async fn a_step_that_fails_leaves_the_level_before() {
    const BROKEN: &[Migration] = &[
        V1,
        Migration {
            level: 2,
            name: "broken",
            kind: store::Kind::Breaks,
            sql: "CREATE TABLE more(id INTEGER PRIMARY KEY) STRICT; INSERT INTO nothing VALUES (1);",
        },
    ];
    let dir = temp();
    open(dir.path()).await.close().await.unwrap();
    let error = open_with(dir.path(), BROKEN).await.unwrap_err();
    assert!(matches!(error, Error::Migration { level: 2, .. }), "{error:?}");
    let store = open(dir.path()).await;
    assert_eq!(store.status().schema_level, 1);
    assert!(
        !store.read(|r| r.exists("SELECT 1 FROM sqlite_schema WHERE name = 'more'", &[])).unwrap()
    );
}

#[tokio::test]
async fn steps_that_would_differ_between_members_or_break_keys_are_refused() {
    for sql in [
        "CREATE TABLE a(id INTEGER PRIMARY KEY, at TEXT DEFAULT CURRENT_TIMESTAMP)",
        "CREATE TABLE a(id INTEGER PRIMARY KEY, at INTEGER DEFAULT (random()))",
        "CREATE TABLE a(id INTEGER PRIMARY KEY, at TEXT DEFAULT (datetime('now')))",
        "INSERT INTO notes(body) SELECT datetime('now')",
        "CREATE TABLE a(id INTEGER REFERENCES notes(id) DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO instances VALUES (1, 77, 'orphan', 1)",
        "PRAGMA foreign_keys = ON",
        "COMMIT",
    ] {
        let dir = temp();
        let second = Migration { level: 2, name: "second", kind: store::Kind::Breaks, sql };
        let schema: &'static [Migration] = Vec::leak(vec![V1, second]);
        let result = open_with(dir.path(), schema).await;
        assert!(matches!(result, Err(Error::Migration { level: 2, .. })), "{sql}: {result:?}");
        assert_eq!(open(dir.path()).await.status().schema_level, 1, "{sql}");
    }
}

#[tokio::test]
async fn a_list_with_a_gap_is_refused() {
    let dir = temp();
    let result = open_with(dir.path(), &[V2]).await;
    assert!(matches!(result, Err(Error::Migration { level: 2, .. })), "{result:?}");
}

#[tokio::test]
async fn writes_go_on_after_a_level_was_raised() {
    let dir = temp();
    let store = open(dir.path()).await;
    let insert = "INSERT INTO projects(name, cores) VALUES (?1, 1)";
    store.write(|w| w.execute(insert, params!["old"])).await.unwrap();
    store.close().await.unwrap();
    let store = open_with(dir.path(), NEWER).await.unwrap();
    store.write(|w| w.execute(insert, params!["new"])).await.unwrap();
    assert_eq!(count(&store, "projects"), 2);
}
