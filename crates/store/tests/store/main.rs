//! The store as its callers see it, one member, on real files.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "all of it is tests")]

mod basics;
mod cluster;
mod conflicts;
mod crash;
mod damage;
mod disk;
mod migrations;
mod recovery;

use store::{Migration, Options, Store};

/// A schema with what the tests need.
pub(crate) const SCHEMA: &[Migration] = &[Migration {
    level: 1,
    name: "first",
    kind: store::Kind::Breaks,
    sql: "CREATE TABLE projects(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, cores INTEGER NOT NULL DEFAULT 0) STRICT;
          CREATE TABLE instances(id INTEGER PRIMARY KEY, project INTEGER NOT NULL REFERENCES projects(id) ON DELETE CASCADE,
              name TEXT NOT NULL, cores INTEGER NOT NULL CHECK(cores > 0), UNIQUE(project, name)) STRICT;
          CREATE TABLE notes(id INTEGER PRIMARY KEY, body TEXT) STRICT;",
}];

pub(crate) async fn open(dir: &std::path::Path) -> Store {
    Store::open(dir, Options::new(SCHEMA)).await.unwrap()
}

pub(crate) fn temp() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

pub(crate) fn count(store: &Store, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    store.read(|r| r.query_one(&sql, &[], |row| row.get(0))).unwrap().unwrap()
}
