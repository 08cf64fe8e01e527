//! What stands in the log.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::options::MemberId;
use crate::value::Value;

/// The data of one log entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    /// Writes that ran one after the other on one member.
    Batch(Batch),
    /// Steps of the schema.
    Migrate(Vec<Step>),
}

/// Writes of one member, each seeing the ones before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Batch {
    /// Who sent it.
    pub(crate) origin: MemberId,
    /// Grows with every batch of the origin; a batch that was sent twice counts once.
    pub(crate) sequence: u64,
    /// Index of the state they ran on.
    pub(crate) base: u64,
    pub(crate) writes: Vec<Transaction>,
}

/// One write.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Transaction {
    /// Tables it read: none of them may have changed since `base`.
    pub(crate) reads: BTreeSet<String>,
    /// Tables it changes.
    pub(crate) writes: BTreeSet<String>,
    pub(crate) statements: Vec<Statement>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) values: Vec<Value>,
}

impl Statement {
    pub(crate) fn size(&self) -> usize {
        self.sql.len() + self.values.iter().map(Value::size).sum::<usize>()
    }
}

/// A step of the schema as it goes to members that may not know it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Step {
    pub(crate) level: u32,
    pub(crate) name: String,
    pub(crate) sql: String,
    /// Whether a program that does not know the step does not work after it. A member of a version that knew no kinds
    /// of steps leaves it out, also when it passes it on.
    #[serde(default)]
    pub(crate) breaks: Option<bool>,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Outcome {
    Applied,
    /// It has to run again.
    Conflict,
}

/// What applying an entry gives back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reply {
    /// For a migration: the step that failed and why.
    pub(crate) failed: Option<(u32, String)>,
}

impl Transaction {
    pub(crate) fn size(&self) -> usize {
        self.statements.iter().map(Statement::size).sum()
    }
}
