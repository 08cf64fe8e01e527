//! Entries of the log become rows. The same entries give the same rows on every member; whatever
//! is not the entry's own doing (a disk full to the last bit, a bad sector) is an error that stops the store.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use openraft::EntryPayload;
use rusqlite::ErrorCode;

use crate::changed::Changed;
use crate::core::Core;
use crate::error::BoxError;
use crate::fault::Fault;
use crate::migrate;
use crate::raft::{Entry, LogId, StoredMembership};
use crate::request::{Batch, Outcome, Reply, Request, Statement, Transaction};
use crate::state::{State, run};

type Result<T> = std::result::Result<T, BoxError>;

/// What one entry gave.
#[derive(Default)]
struct Applied {
    reply: Reply,
    /// Outcomes of a batch, with its sequence when it is one of this member's.
    own: Option<(u64, Vec<Outcome>)>,
}

impl Core {
    /// Applies entries in order; tells watchers and the writes that wait for them.
    pub(crate) fn apply(&self, entries: Vec<Entry>) -> std::result::Result<Vec<Reply>, Fault> {
        let mut state = self.state();
        let mut replies = Vec::with_capacity(entries.len());
        let mut rest = &entries[..];
        while let Some(first) = rest.first() {
            let alone = is_migration(first);
            let count =
                if alone { 1 } else { rest.iter().take_while(|e| !is_migration(e)).count() };
            let (part, after) = rest.split_at(count);
            let applied = self.reserve.with_room(|| state.apply_part(part, alone, self.me));
            let applied = applied.map_err(|e| Fault::new("apply an entry", e))?;
            for done in applied {
                state.settle(done.own);
                replies.push(done.reply);
            }
            rest = after;
        }
        self.announce(&state);
        Ok(replies)
    }

    /// Tells the watchers the revision of this state.
    pub(crate) fn announce(&self, state: &State) {
        self.level.store(state.meta.level, Ordering::Release);
        self.needs.store(state.needs(), Ordering::Release);
        let versions = Arc::clone(&state.meta.versions);
        let now = Changed { revision: state.meta.revision, versions };
        self.changed.send_if_modified(|changed| {
            let newer = changed.revision != now.revision;
            if newer {
                *changed = now;
            }
            newer
        });
    }
}

fn is_migration(entry: &Entry) -> bool {
    matches!(entry.payload, EntryPayload::Normal(Request::Migrate(_)))
}

impl State {
    fn apply_part(&mut self, part: &[Entry], migration: bool, me: u64) -> Result<Vec<Applied>> {
        let work = |state: &mut State| {
            let applied = part.iter().map(|e| state.apply_entry(e, me)).collect::<Result<_>>()?;
            if let Some(last) = part.last() {
                state.meta.set_applied(&state.conn, last.log_id)?;
            }
            Ok(applied)
        };
        if migration {
            migrate::without_foreign_keys(self, |s| s.commit(work))
        } else {
            self.commit(work)
        }
    }

    fn apply_entry(&mut self, entry: &Entry, me: u64) -> Result<Applied> {
        let id = entry.log_id;
        match &entry.payload {
            EntryPayload::Blank => Ok(Applied::default()),
            EntryPayload::Membership(members) => {
                let members = StoredMembership::new(Some(id), members.clone());
                self.meta.set_membership(&self.conn, members)?;
                Ok(Applied::default())
            }
            EntryPayload::Normal(Request::Migrate(steps)) => {
                let failed = migrate::apply(self, steps, id.index)?;
                Ok(Applied { reply: Reply { failed }, own: None })
            }
            EntryPayload::Normal(Request::Batch(batch)) => self.apply_batch(batch, id, me),
        }
    }

    fn apply_batch(&mut self, batch: &Batch, id: LogId, me: u64) -> Result<Applied> {
        let seen = self.meta.seen.get(&batch.origin);
        if seen.is_some_and(|seen| *seen >= batch.sequence) {
            return Ok(Applied::default());
        }
        let mut changed = BTreeSet::new();
        let mut missing = BTreeSet::new();
        let mut outcomes = Vec::with_capacity(batch.writes.len());
        for write in &batch.writes {
            let outcome = self.apply_write(write, batch.base, &missing)?;
            let tables = if outcome == Outcome::Applied { &mut changed } else { &mut missing };
            tables.extend(write.writes.iter().cloned());
            outcomes.push(outcome);
        }
        self.meta.set_seen(&self.conn, batch.origin, batch.sequence)?;
        if !changed.is_empty() {
            self.meta.touch(&self.conn, &changed, id.index)?;
        }
        let own = (batch.origin == me).then_some((batch.sequence, outcomes));
        Ok(Applied { reply: Reply::default(), own })
    }

    /// `missing`: tables an earlier write of the batch was to change, but did not.
    fn apply_write(
        &self,
        write: &Transaction,
        base: u64,
        missing: &BTreeSet<String>,
    ) -> Result<Outcome> {
        let newer = |table: &String| {
            self.meta.versions.get(table.as_str()).is_some_and(|version| *version > base)
        };
        let stale = self.meta.schema_version > base
            || write.reads.iter().any(|table| newer(table) || missing.contains(table));
        if stale {
            return Ok(Outcome::Conflict);
        }
        run(&self.conn, "SAVEPOINT write")?;
        let outcome = self.run_statements(&write.statements)?;
        if outcome == Outcome::Conflict {
            run(&self.conn, "ROLLBACK TO write")?;
        }
        run(&self.conn, "RELEASE write")?;
        Ok(outcome)
    }

    /// A statement that fails because rows it did not read have changed is a conflict too: the
    /// closure runs again and meets the error itself.
    fn run_statements(&self, statements: &[Statement]) -> Result<Outcome> {
        for statement in statements {
            let (mut compiled, _) = self.catalog.prepare(&self.conn, &statement.sql)?;
            match compiled.execute(rusqlite::params_from_iter(&statement.values)) {
                Ok(_) => {}
                Err(e) if is_rows_fault(&e) && !self.conn.is_autocommit() => {
                    return Ok(Outcome::Conflict);
                }
                Err(e) => return Err(e.into()),
            }
        }
        Ok(Outcome::Applied)
    }

    /// Tells the batch that waits what became of its writes.
    fn settle(&mut self, own: Option<(u64, Vec<Outcome>)>) {
        let Some((sequence, outcomes)) = own else { return };
        let waits = |flight: &mut crate::window::InFlight| flight.sequence == sequence;
        if let Some(flight) = self.window.in_flight.take_if(waits) {
            // The sender is gone when the store closes.
            let _ = flight.done.send(outcomes);
        }
    }
}

/// It comes from the statement and the rows, so it is the same on every member.
pub(crate) fn is_rows_fault(error: &rusqlite::Error) -> bool {
    use ErrorCode::{ConstraintViolation, OperationAborted, TooBig, TypeMismatch, Unknown};
    matches!(
        error.sqlite_error_code(),
        Some(ConstraintViolation | OperationAborted | TooBig | TypeMismatch | Unknown)
    )
}

#[cfg(test)]
mod tests;
