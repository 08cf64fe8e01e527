//! What is measured, for whom, and what is to be reached.

use std::collections::BTreeMap;

use super::samples::Samples;

/// Who did it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    /// The stock client on LXD.
    Lxd,
    /// The stock client on ours.
    Ours,
    /// Our client on ours.
    OwnClient,
}

/// What was measured.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Figure {
    Launch,
    Start,
    Exec,
    Stop,
    Delete,
    Running,
    SmallLaunch,
    SmallStart,
    SmallExec,
    SmallStop,
    SmallDelete,
    Snapshot,
    Copy,
    Export,
    Client,
    Ready,
    Twenty,
    FirstStarts,
    LastStarts,
    Recursion1,
    Recursion2,
    Recursion1Of200,
    Recursion2Of200,
    Listed,
    IdleFresh,
    IdleUsed,
    IdleAnonymous,
    TwentyUsed,
    MonitorAnonymous,
    MonitorPrivate,
    MonitorProportional,
}

/// What the project wants.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// So many times less than LXD.
    Times(f64),
    /// Less than this, in the figure's unit.
    Below(f64),
}

impl Figure {
    pub(super) const ALL: [Figure; 31] = [
        Figure::Launch,
        Figure::Start,
        Figure::Exec,
        Figure::Stop,
        Figure::Delete,
        Figure::Running,
        Figure::SmallLaunch,
        Figure::SmallStart,
        Figure::SmallExec,
        Figure::SmallStop,
        Figure::SmallDelete,
        Figure::Snapshot,
        Figure::Copy,
        Figure::Export,
        Figure::Client,
        Figure::Ready,
        Figure::Twenty,
        Figure::FirstStarts,
        Figure::LastStarts,
        Figure::Recursion1,
        Figure::Recursion2,
        Figure::Recursion1Of200,
        Figure::Recursion2Of200,
        Figure::Listed,
        Figure::IdleFresh,
        Figure::IdleUsed,
        Figure::IdleAnonymous,
        Figure::TwentyUsed,
        Figure::MonitorAnonymous,
        Figure::MonitorPrivate,
        Figure::MonitorProportional,
    ];

    pub(super) fn words(self) -> &'static str {
        match self {
            Figure::Launch => "`launch` of a cached Debian",
            Figure::Start => "`start` (Debian)",
            Figure::Exec => "`exec -- true` (Debian)",
            Figure::Stop => "`stop --force` (Debian)",
            Figure::Delete => "`delete` (Debian)",
            Figure::Running => "`launch` until systemd is up",
            Figure::SmallLaunch => "`launch` (busybox)",
            Figure::SmallStart => "`start` (busybox)",
            Figure::SmallExec => "`exec -- true` (busybox)",
            Figure::SmallStop => "`stop --force` (busybox)",
            Figure::SmallDelete => "`delete` (busybox)",
            Figure::Snapshot => "`snapshot` on btrfs (Debian, running)",
            Figure::Copy => "`copy` on btrfs (Debian)",
            Figure::Export => "`export` without compression (Debian)",
            Figure::Client => "the client alone (`version`)",
            Figure::Ready => "daemon: start until ready",
            Figure::Twenty => "`lxd-benchmark launch --count 20 --parallel 2` (busybox)",
            Figure::FirstStarts => "`start` of 200 (LXD: 100), each of the first 20",
            Figure::LastStarts => "`start` of 200 (LXD: 100), each of the last 20",
            Figure::Recursion1 => "`GET /1.0/instances?recursion=1`, 100 running",
            Figure::Recursion2 => "`GET /1.0/instances?recursion=2`, 100 running",
            Figure::Recursion1Of200 => "`GET /1.0/instances?recursion=1`, 200 running",
            Figure::Recursion2Of200 => "`GET /1.0/instances?recursion=2`, 200 running",
            Figure::Listed => "`list` of 1000 instances",
            Figure::IdleFresh => "daemon: resident, just started",
            Figure::IdleUsed => "daemon: resident, after all of the above",
            Figure::IdleAnonymous => "daemon: of that, no file's pages",
            Figure::TwentyUsed => "daemon: resident, 20 instances running",
            Figure::MonitorAnonymous => "monitor: private memory, no file's pages",
            Figure::MonitorPrivate => "monitor: private memory, files' pages too",
            Figure::MonitorProportional => "monitor: proportional share",
        }
    }

    pub(super) fn unit(self) -> &'static str {
        if self < Figure::IdleFresh { "ms" } else { "MiB" }
    }

    pub(super) fn target(self) -> Option<Target> {
        Some(match self {
            Figure::Launch | Figure::Stop | Figure::Delete => Target::Times(20.0),
            Figure::Start => Target::Times(8.0),
            Figure::Exec | Figure::Snapshot | Figure::Copy => Target::Times(5.0),
            Figure::Ready => Target::Below(100.0),
            Figure::Twenty => Target::Times(10.0),
            Figure::Recursion1 => Target::Times(50.0),
            Figure::Recursion2 => Target::Times(100.0),
            Figure::Listed => Target::Below(50.0),
            Figure::TwentyUsed => Target::Below(40.0),
            Figure::IdleFresh | Figure::IdleUsed => Target::Below(25.0),
            Figure::MonitorAnonymous => Target::Below(1.0),
            _ => return None,
        })
    }
}

/// All that was measured.
#[derive(Default)]
pub(super) struct Figures(BTreeMap<(Figure, Column), Samples>);

impl Figures {
    pub(super) fn of(&mut self, figure: Figure, column: Column) -> &mut Samples {
        self.0.entry((figure, column)).or_default()
    }

    pub(super) fn get(&self, figure: Figure, column: Column) -> Option<&Samples> {
        self.0.get(&(figure, column))
    }

    /// How many times less ours is.
    pub(super) fn ratio(&self, figure: Figure, column: Column) -> Option<f64> {
        let median = |column| self.get(figure, column)?.median();
        Some(median(Column::Lxd)? / median(column)?)
    }

    /// Whether the target is reached, by the stock client; `None` where there is nothing to say.
    pub(super) fn reached(&self, figure: Figure) -> Option<bool> {
        match figure.target()? {
            Target::Times(times) => Some(self.ratio(figure, Column::Ours)? >= times),
            Target::Below(most) => Some(self.get(figure, Column::Ours)?.median()? < most),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_reached_by_the_stock_client_or_not() {
        let mut figures = Figures::default();
        assert_eq!(figures.reached(Figure::Launch), None);
        figures.of(Figure::Launch, Column::Ours).add(10.0);
        assert_eq!(figures.reached(Figure::Launch), None);
        figures.of(Figure::Launch, Column::Lxd).add(199.0);
        figures.of(Figure::Launch, Column::OwnClient).add(1.0);
        assert_eq!(figures.reached(Figure::Launch), Some(false));
        figures.of(Figure::Ready, Column::Ours).add(99.0);
        assert_eq!(figures.reached(Figure::Ready), Some(true));
        assert_eq!(figures.reached(Figure::Client), None);
    }
}
