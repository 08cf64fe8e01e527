//! Snapshots that come and go by themselves.

use crate::{Cron, Expiry, Options, SnapshotPattern};

/// Snapshots that are taken and deleted by themselves (`snapshots.*`).
#[derive(Debug, Clone, PartialEq, Options)]
#[options(entity = "instance", group = "snapshots")]
pub struct Snapshots {
    /// When snapshots are deleted, counted from when they were taken.
    ///
    /// A snapshot that is given a time of its own keeps that.
    #[option(key = "snapshots.expiry", since = "snapshot_expiry")]
    pub expiry: Option<Expiry>,
    /// Names of snapshots that are given none.
    ///
    /// `%d` stands for a number that counts up, `{{ creation_date|date:'2006-01-02' }}` for the
    /// date, written as that one.
    #[option(key = "snapshots.pattern", default = "snap%d", since = "snapshot_scheduling")]
    pub pattern: SnapshotPattern,
    /// When snapshots are taken.
    ///
    /// Local time of the server; within about a minute.
    #[option(key = "snapshots.schedule", since = "snapshot_scheduling")]
    pub schedule: Option<Cron>,
    /// Whether the schedule also holds while the instance is stopped.
    #[option(key = "snapshots.schedule.stopped", default = "false", since = "snapshot_scheduling")]
    pub schedule_stopped: bool,
}
