use std::sync::Arc;

use openraft::CommittedLeaderId;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::files::Folder;
use crate::log_file::Identity;
use crate::options::Options;
use crate::request::Step;

/// A state with the tables a, b and c, made by the entry 1.
fn core() -> (TempDir, Arc<Core>) {
    let dir = tempfile::tempdir().unwrap();
    let options = Options::new(&[]);
    let identity = Identity { cluster: Uuid::new_v4(), me: options.me.clone() };
    let core = Core::open(Folder::lock(dir.path()).unwrap(), options, identity).unwrap();
    let sql = "CREATE TABLE a(v); CREATE TABLE b(v); CREATE TABLE c(v);".to_owned();
    let step = Step { level: 1, name: "tables".into(), sql, breaks: None };
    core.apply(vec![entry(1, Request::Migrate(vec![step]))]).unwrap();
    (dir, Arc::new(core))
}

fn entry(index: u64, request: Request) -> Entry {
    let log_id = LogId::new(CommittedLeaderId::new(1, 1), index);
    Entry { log_id, payload: EntryPayload::Normal(request) }
}

/// A write that read some tables and inserts into one.
fn write(reads: &[&str], table: &str) -> Transaction {
    let sql = format!("INSERT INTO {table} VALUES (1)");
    Transaction {
        reads: reads.iter().map(|t| (*t).to_owned()).collect(),
        writes: [table.to_owned()].into(),
        statements: vec![Statement { sql, values: vec![] }],
    }
}

fn batch(sequence: u64, base: u64, writes: Vec<Transaction>) -> Request {
    Request::Batch(Batch { origin: 2, sequence, base, writes })
}

fn rows(core: &Core) -> (i64, i64, i64) {
    let sql = "SELECT (SELECT count(*) FROM a), (SELECT count(*) FROM b), (SELECT count(*) FROM c)";
    let read = core
        .readers
        .read(|r| r.query_one(sql, &[], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))));
    read.unwrap_or_else(|e: crate::Error| panic!("{e}")).unwrap()
}

#[test]
fn a_batch_that_arrives_twice_counts_once() {
    let (_dir, core) = core();
    let again = || batch(5, 1, vec![write(&[], "a")]);
    core.apply(vec![entry(2, again()), entry(3, again())]).unwrap();
    core.apply(vec![entry(4, batch(6, 3, vec![write(&[], "b")]))]).unwrap();
    // Late copies, also of an older one.
    core.apply(vec![entry(5, again()), entry(6, batch(4, 4, vec![write(&[], "a")]))]).unwrap();
    assert_eq!(rows(&core), (1, 1, 0));
}

#[test]
fn what_was_on_its_way_before_a_write_of_nothing_counts_no_more() {
    let (_dir, core) = core();
    // What `Store::fence` puts in the log.
    core.apply(vec![entry(2, batch(7, 1, vec![Transaction::default()]))]).unwrap();
    core.apply(vec![entry(3, batch(6, 1, vec![write(&[], "a")]))]).unwrap();
    core.apply(vec![entry(4, batch(8, 1, vec![write(&[], "b")]))]).unwrap();
    assert_eq!(rows(&core), (0, 1, 0));
}

#[test]
fn a_write_that_read_what_changed_since_does_nothing() {
    let (_dir, core) = core();
    core.apply(vec![entry(2, batch(1, 1, vec![write(&[], "a")]))]).unwrap();
    let writes = vec![write(&["a"], "b"), write(&["c"], "c"), write(&["b"], "c")];
    core.apply(vec![entry(3, batch(2, 1, writes))]).unwrap();
    // The first read a, which is newer than its base; the third saw the first's row, which is not
    // there.
    assert_eq!(rows(&core), (1, 0, 1));
}

#[test]
fn writes_of_a_batch_see_the_ones_before() {
    let (_dir, core) = core();
    let writes = vec![write(&["a"], "a"), write(&["a"], "a"), write(&["a"], "b")];
    core.apply(vec![entry(2, batch(1, 1, writes))]).unwrap();
    assert_eq!(rows(&core), (2, 1, 0));
}

#[test]
fn a_write_made_before_the_schema_changed_does_nothing() {
    let (_dir, core) = core();
    let step = Step { level: 2, name: "d".into(), sql: "CREATE TABLE d(v)".into(), breaks: None };
    core.apply(vec![entry(2, Request::Migrate(vec![step]))]).unwrap();
    core.apply(vec![entry(3, batch(1, 1, vec![write(&[], "a")]))]).unwrap();
    assert_eq!(rows(&core), (0, 0, 0));
}

#[test]
fn a_step_that_is_there_already_is_skipped_and_a_gap_is_refused() {
    let (_dir, core) = core();
    let step =
        |level, sql: &str| Step { level, name: "step".into(), sql: sql.into(), breaks: None };
    let twice = vec![step(1, "CREATE TABLE a(v)"), step(2, "CREATE TABLE d(v)")];
    let replies = core.apply(vec![entry(2, Request::Migrate(twice))]).unwrap();
    assert_eq!(replies[0].failed, None);
    let gap = vec![step(4, "CREATE TABLE e(v)")];
    let replies = core.apply(vec![entry(3, Request::Migrate(gap))]).unwrap();
    assert_eq!(replies[0].failed.as_ref().map(|(level, _)| *level), Some(4));
    assert_eq!(core.state().meta.level, 2);
}
