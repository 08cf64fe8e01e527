//! The schema's steps. They go through the log like everything else, with their text, so that a
//! member that does not know a step yet still makes it. A step runs with foreign keys off and they
//! are checked at its end, so that tables can be rebuilt.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};

use crate::access::forces_rollback;
use crate::core::Core;
use crate::error::{BoxError, Constraint, Error, Result};
use crate::fault::Fault;
use crate::options::Migration;
use crate::request::Step;
use crate::state::{State, run};

/// Refuses a list with gaps.
pub(crate) fn check_list(schema: &[Migration]) -> Result<()> {
    for (position, step) in schema.iter().enumerate() {
        if step.level as usize != position + 1 {
            let source = format!("step {} of the list has level {}", position + 1, step.level);
            return Err(failed(step.level, step.name, source));
        }
    }
    Ok(())
}

fn failed(level: u32, name: &str, source: impl Into<BoxError>) -> Error {
    Error::Migration { level, name: name.to_owned(), source: source.into() }
}

/// The steps from one level to another.
pub(crate) fn steps(schema: &[Migration], from: u32, to: u32) -> Vec<Step> {
    schema
        .iter()
        .filter(|m| m.level > from && m.level <= to)
        .map(|m| Step {
            level: m.level,
            name: m.name.into(),
            sql: m.sql.into(),
            breaks: Some(m.kind.breaks()),
        })
        .collect()
}

/// The level that a program must know to work with a state of this level, as far as this one can tell: a step that it
/// does not know may have broken anything.
pub(crate) fn needs(schema: &[Migration], level: u32) -> u32 {
    if schema.last().map_or(0, |m| m.level) < level {
        return level;
    }
    let breaking = schema.iter().rfind(|m| m.level <= level && m.kind.breaks());
    breaking.map_or(0, |m| m.level)
}

/// The same after these steps, which may say so themselves.
fn needs_after(schema: &[Migration], before: u32, steps: &[Step]) -> u32 {
    let known = |step: &Step| schema.iter().find(|m| m.level == step.level);
    let breaks = |step: &&Step| {
        step.breaks.unwrap_or_else(|| known(step).is_none_or(|known| known.kind.breaks()))
    };
    steps.iter().rfind(breaks).map_or(before, |step| step.level)
}

impl Core {
    /// Tries steps and takes them back, so that a bad one never reaches the log.
    pub(crate) fn rehearse(&self, steps: &[Step]) -> Result<()> {
        let mut state = self.state();
        let tried = without_foreign_keys(&mut state, |state| {
            run(&state.conn, "BEGIN")?;
            let result = run_steps(state, steps);
            run(&state.conn, "ROLLBACK")?;
            state.catalog.forget(&state.conn);
            Ok(result.map(|_| ()))
        });
        tried.map_err(|e| Fault::new("try a migration", e))?
    }
}

/// Applies steps that are not applied yet; says which one failed. A failure leaves the schema as
/// it was before the first of them.
pub(crate) fn apply(
    state: &mut State,
    steps: &[Step],
    index: u64,
) -> Result<Option<(u32, String)>, BoxError> {
    let level = state.meta.level;
    let steps: Vec<Step> = steps.iter().filter(|s| s.level > level).cloned().collect();
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return Ok(None) };
    if first.level != level + 1 {
        return Ok(Some((first.level, format!("the schema has level {level}"))));
    }
    run(&state.conn, "SAVEPOINT migration")?;
    let done = run_steps(state, &steps);
    if done.is_err() {
        run(&state.conn, "ROLLBACK TO migration")?;
        state.catalog.forget(&state.conn);
    }
    run(&state.conn, "RELEASE migration")?;
    match done {
        Ok(changed) => {
            state.meta.touch(&state.conn, &changed, index)?;
            let needs = needs_after(state.schema, state.needs(), &steps);
            state.meta.set_level(&state.conn, last.level, needs, index)?;
            Ok(None)
        }
        Err(Error::Migration { level, source, .. }) => Ok(Some((level, source.to_string()))),
        Err(fatal) => Err(fatal.into()),
    }
}

/// Runs all of the steps; tells which tables' rows changed.
fn run_steps(state: &State, steps: &[Step]) -> Result<BTreeSet<String>> {
    let mut changed = BTreeSet::new();
    for step in steps {
        match run_step(state, step) {
            Ok(tables) => changed.extend(tables),
            Err(error) if error.is_fatal() => return Err(error),
            Err(error) => return Err(failed(step.level, &step.name, error)),
        }
    }
    Ok(changed)
}

fn run_step(state: &State, step: &Step) -> Result<BTreeSet<String>> {
    let forbidden = |what: &str| {
        let (what, sql) = (what.to_owned(), step.sql.clone());
        Err(Error::Forbidden { what, sql })
    };
    let text = step.sql.to_ascii_lowercase();
    if forces_rollback(&text) || text.contains("raise(rollback") {
        return forbidden("a forced rollback");
    }
    if text.contains("initially deferred") {
        return forbidden("a deferred foreign key");
    }
    let changed = state.catalog.migrate(&state.conn, &step.sql)?;
    if let Some(default) = first(&state.conn, UNSTABLE_DEFAULT, &step.sql)? {
        return forbidden(&format!("default {default}"));
    }
    match first(&state.conn, "SELECT \"table\" FROM pragma_foreign_key_check", &step.sql)? {
        Some(detail) => Err(Error::Constraint { kind: Constraint::ForeignKey, detail }),
        None => Ok(changed),
    }
}

/// A default is not seen by the authorizer, so it is looked for in the schema.
const UNSTABLE_DEFAULT: &str = "
    SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_xinfo(t.name) c
    WHERE t.type = 'table' AND (c.dflt_value LIKE '%current!_%' ESCAPE '!'
        OR c.dflt_value LIKE '%random%' OR c.dflt_value LIKE '%now%'
        OR c.dflt_value LIKE '%date%(%' OR c.dflt_value LIKE '%time%(%'
        OR c.dflt_value LIKE '%unixepoch%' OR c.dflt_value LIKE '%julianday%')";

fn first(conn: &Connection, query: &str, sql: &str) -> Result<Option<String>> {
    let row = conn.query_row(query, [], |row| row.get(0)).optional();
    row.map_err(|e| Error::statement(sql, e))
}

/// Foreign keys can only be switched outside a transaction.
pub(crate) fn without_foreign_keys<R>(
    state: &mut State,
    f: impl FnOnce(&mut State) -> Result<R, BoxError>,
) -> Result<R, BoxError> {
    state.stop_simulation()?;
    state.conn.pragma_update(None, "foreign_keys", "OFF")?;
    let result = f(state);
    state.conn.pragma_update(None, "foreign_keys", "ON")?;
    result
}
