//! Snapshots that come and go by themselves.

use crate::{Cron, Expiry, Options, Retention, SnapshotPattern};

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
    /// Which snapshots of the schedule are kept.
    ///
    /// Such as `hourly=24, daily=7, weekly=4, monthly=12`: of so many of the last hours (days ...)
    /// that have a snapshot, the newest. `last` and `yearly` are there too. What no rule keeps is
    /// deleted, except what was taken, renamed or edited by hand. `snapshots.expiry` then counts
    /// only for those taken by hand.
    #[option(key = "snapshots.retention")]
    pub retention: Option<Retention>,
    /// When snapshots are taken.
    ///
    /// Local time of the server; within about a minute.
    #[option(key = "snapshots.schedule", since = "snapshot_scheduling")]
    pub schedule: Option<Cron>,
    /// Whether the schedule also holds while the instance is stopped.
    #[option(key = "snapshots.schedule.stopped", default = "false", since = "snapshot_scheduling")]
    pub schedule_stopped: bool,
}
