//! The thread that owns the journal's SQLite file.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, named_params};
use uuid::Uuid;

use super::{Command, Reply, Room, Row, Stage, Write, failed};
use crate::Faults;

/// Writes that share one commit at most; bounds how long the first of them waits.
const BATCH: usize = 64;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS tasks (
        number  INTEGER PRIMARY KEY,
        id      TEXT NOT NULL UNIQUE,
        kind    TEXT NOT NULL,
        input   TEXT NOT NULL,
        notes   TEXT,
        request TEXT NOT NULL,
        stage   TEXT NOT NULL,
        done    INTEGER NOT NULL,
        boot    TEXT NOT NULL,
        session TEXT NOT NULL,
        created TEXT NOT NULL,
        error   TEXT
    ) STRICT";

pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(SCHEMA)?;
    Ok(connection)
}

/// How a file shows that a disk has damaged it; `None` if it does not, or is not there. What else keeps it from being
/// opened is no damage, and told by who opens it.
pub(super) fn damage(path: &Path) -> Option<String> {
    if !path.exists() {
        return None;
    }
    let look = || -> rusqlite::Result<Option<String>> {
        let connection = connect(path)?;
        let said: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if said != "ok" {
            return Ok(Some(said));
        }
        load(&connection).map(|_| None)
    };
    match look() {
        Ok(damage) => damage,
        Err(error) => match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Some(error.to_string()),
            _ => None,
        },
    }
}

pub(super) struct Writer {
    /// Gone after a simulated crash.
    connection: Option<Connection>,
    faults: Faults,
    room: Room,
    writes: u64,
    full: bool,
    /// Never answered: to their askers the process is dead.
    orphans: Vec<Reply<()>>,
}

impl Writer {
    pub(super) fn new(connection: Connection, faults: Faults, room: Room) -> Writer {
        let (connection, orphans) = (Some(connection), Vec::new());
        Writer { connection, faults, room, writes: 0, full: true, orphans }
    }

    pub(super) fn run(mut self, commands: &mpsc::Receiver<Command>) {
        let batch = if self.faults.watches_writes() { 1 } else { BATCH };
        let mut writes = Vec::new();
        while let Ok(first) = commands.recv() {
            let mut next = Some(first);
            while let Some(command) = next.take() {
                match command {
                    Command::Write(write, reply) => writes.push((write, reply)),
                    Command::Load(reply) => self.load(reply),
                }
                if writes.len() < batch {
                    next = commands.try_recv().ok();
                }
            }
            if !writes.is_empty() {
                self.commit(std::mem::take(&mut writes));
            }
        }
    }

    fn load(&self, reply: Reply<Vec<Row>>) {
        let Some(connection) = &self.connection else { return };
        let rows = load(connection).map_err(|error| failed("list tasks", &Arc::new(error)));
        // Whoever asked may have gone away.
        drop(reply.send(rows));
    }

    fn commit(&mut self, writes: Vec<(Write, Reply<()>)>) {
        self.writes += writes.len() as u64;
        let crash = self.faults.crash_before_write(self.writes);
        let Some(connection) = self.connection.take_if(|_| !crash) else {
            self.connection = None;
            self.orphans.extend(writes.into_iter().map(|(_, reply)| reply));
            return;
        };
        let durable = writes.iter().any(|(write, _)| write.durable());
        let kept = writes.iter().map(|(write, _)| write);
        let kept = kept.filter(|write| write.durable() || !self.faults.lose_writes);
        let mut result = set_sync(&connection, &mut self.full, durable)
            .and_then(|()| apply_all(&connection, kept.clone()));
        while result.as_ref().is_err_and(is_full) && (self.room)() {
            result = apply_all(&connection, kept.clone());
        }
        let result = result.map_err(Arc::new);
        if self.faults.crash_after_write(self.writes) {
            self.orphans.extend(writes.into_iter().map(|(_, reply)| reply));
            return;
        }
        self.connection = Some(connection);
        for (write, reply) in writes {
            let answer = result.as_ref().map_err(|error| failed(write.action(), error));
            // Whoever asked may have gone away.
            drop(reply.send(answer.copied()));
        }
    }
}

fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}

fn set_sync(connection: &Connection, full: &mut bool, want: bool) -> rusqlite::Result<()> {
    if *full != want {
        connection.pragma_update(None, "synchronous", if want { "FULL" } else { "NORMAL" })?;
        *full = want;
    }
    Ok(())
}

fn apply_all<'a>(
    connection: &Connection,
    writes: impl Iterator<Item = &'a Write>,
) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for write in writes {
        apply(&transaction, write)?;
    }
    transaction.commit()
}

fn apply(connection: &Connection, write: &Write) -> rusqlite::Result<()> {
    match write {
        Write::Begin(row) => begin(connection, row),
        Write::Step { id, stage, done, notes } => connection
            .prepare_cached(
                "UPDATE tasks SET stage = :stage, done = :done, notes = :notes WHERE id = :id",
            )?
            .execute(named_params! {
                ":id": text(id), ":stage": stage.name(), ":done": count(*done), ":notes": notes,
            }),
        Write::NoReturn { id, done, notes, boot } => connection
            .prepare_cached(
                "UPDATE tasks SET stage = 'committed', done = :done, notes = :notes, boot = :boot
                 WHERE id = :id",
            )?
            .execute(named_params! {
                ":id": text(id), ":done": count(*done), ":notes": notes, ":boot": boot,
            }),
        Write::Undone { id, done } => connection
            .prepare_cached("UPDATE tasks SET stage = 'undoing', done = :done WHERE id = :id")?
            .execute(named_params! { ":id": text(id), ":done": count(*done) }),
        Write::Stuck { id, error } => connection
            .prepare_cached("UPDATE tasks SET error = :error WHERE id = :id")?
            .execute(named_params! { ":id": text(id), ":error": error }),
        Write::End { id } => connection
            .prepare_cached("DELETE FROM tasks WHERE id = :id")?
            .execute(named_params! { ":id": text(id) }),
    }
    .map(|_| ())
}

fn begin(connection: &Connection, row: &Row) -> rusqlite::Result<usize> {
    connection
        .prepare_cached(
            "INSERT INTO tasks (id, kind, input, request, stage, done, boot, session, created)
             VALUES (:id, :kind, :input, :request, :stage, :done, :boot, :session,
                     datetime('now'))",
        )?
        .execute(named_params! {
            ":id": text(&row.id), ":kind": row.kind, ":input": row.input,
            ":request": row.request, ":stage": row.stage.name(), ":done": count(row.done),
            ":boot": row.boot, ":session": row.session,
        })
}

fn load(connection: &Connection) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, kind, input, notes, request, stage, done, boot, session
         FROM tasks ORDER BY number",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            id: row.get::<_, String>(0)?.parse().map_err(|error| broken(0, error))?,
            kind: row.get(1)?,
            input: row.get(2)?,
            notes: row.get(3)?,
            request: row.get(4)?,
            stage: Stage::from_name(&row.get::<_, String>(5)?),
            done: usize::try_from(row.get::<_, i64>(6)?).unwrap_or(0),
            boot: row.get(7)?,
            session: row.get(8)?,
        })
    })?;
    rows.collect()
}

fn broken(column: usize, error: uuid::Error) -> rusqlite::Error {
    let kind = rusqlite::types::Type::Text;
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}

/// A plan has a handful of steps.
fn count(steps: usize) -> i64 {
    i64::try_from(steps).unwrap_or(i64::MAX)
}

fn text(id: &Uuid) -> String {
    id.to_string()
}

impl Stage {
    fn name(self) -> &'static str {
        match self {
            Stage::Running => "running",
            Stage::Committed => "committed",
            Stage::Undoing => "undoing",
        }
    }

    fn from_name(name: &str) -> Stage {
        match name {
            "committed" => Stage::Committed,
            "undoing" => Stage::Undoing,
            _ => Stage::Running,
        }
    }
}
