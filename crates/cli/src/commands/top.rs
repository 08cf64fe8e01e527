//! `top`: what instances use, again and again.

use std::{
    collections::BTreeMap,
    io::{IsTerminal, stdout},
    time::{Duration, Instant},
};

use wire::{InstanceFull, endpoints::instances::InstancesList, query::ListQuery};

use super::OK;
use crate::{
    context::Context,
    error::Result,
    output::{Table, human},
    terminal,
};

/// Puts the cursor into the corner and clears what is behind it (ECMA-48).
const CLEAR: &str = "\x1b[H\x1b[J";

/// Shows what instances use, the busiest first.
#[derive(Debug, clap::Args)]
pub(crate) struct Top {
    /// Seconds between two looks
    #[arg(long, short, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// What they are sorted by
    #[arg(long, short, value_enum, default_value_t)]
    sort: By,
    /// Those of every project
    #[arg(long)]
    all_projects: bool,
    /// Once, and no more: what a pipe gets anyway
    #[arg(long)]
    once: bool,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum By {
    #[default]
    Cpu,
    Memory,
    Name,
}

/// What an instance uses.
#[derive(Debug, PartialEq)]
struct Use {
    name: String,
    /// Of one processor.
    percent: f64,
    memory: u64,
    disk: u64,
    processes: i64,
}

impl Top {
    pub(crate) async fn run(self, cx: &Context) -> Result<u8> {
        let once = self.once || !stdout().is_terminal();
        let (mut before, mut at) = (times(&self.fetch(cx).await?), Instant::now());
        loop {
            tokio::time::sleep(Duration::from_secs(self.interval)).await;
            let (found, now) = (self.fetch(cx).await?, Instant::now());
            let all = uses(&found, &before, now - at, self.sort);
            let table = table(&all).compact();
            if once {
                out!("{table}");
                return Ok(OK);
            }
            let rows =
                terminal::size().map_or(usize::MAX, |(_, rows)| usize::from(rows).max(2) - 1);
            let shown: String = table.lines().take(rows).map(|line| format!("{line}\n")).collect();
            out!("{CLEAR}{shown}");
            (before, at) = (times(&found), now);
        }
    }

    /// Those that run.
    async fn fetch(&self, cx: &Context) -> Result<Vec<InstanceFull>> {
        let query = ListQuery {
            project: cx.project.clone().filter(|_| !self.all_projects),
            all_projects: self.all_projects,
            recursion: 2,
            ..ListQuery::default()
        };
        let mut all = cx.client.get::<InstancesList>(&[], &query).await?.into_full();
        all.retain(|one| one.state.as_ref().is_some_and(|state| state.pid > 0));
        Ok(all)
    }
}

fn key(one: &InstanceFull) -> (String, String) {
    (one.instance.project.clone(), one.instance.name.clone())
}

/// Nanoseconds of processors that each has used.
fn times(all: &[InstanceFull]) -> BTreeMap<(String, String), u64> {
    let time = |one: &InstanceFull| one.state.as_ref().map_or(0, |state| state.cpu.usage);
    all.iter().map(|one| (key(one), time(one))).collect()
}

fn uses(
    all: &[InstanceFull],
    before: &BTreeMap<(String, String), u64>,
    elapsed: Duration,
    by: By,
) -> Vec<Use> {
    let of = |one: &InstanceFull| {
        let state = one.state.as_ref()?;
        // One that was started meanwhile counts from nothing.
        let used = state.cpu.usage.saturating_sub(before.get(&key(one)).copied().unwrap_or(0));
        let percent = Duration::from_nanos(used).as_secs_f64() / elapsed.as_secs_f64() * 100.0;
        let disk = state.disk.values().map(|disk| disk.usage).sum();
        let name = match one.instance.project.as_str() {
            "" | wire::DEFAULT_PROJECT => one.instance.name.clone(),
            project => format!("{project}/{}", one.instance.name),
        };
        let (memory, processes) = (state.memory.usage, state.processes);
        Some(Use { name, percent, memory, disk, processes })
    };
    let mut uses: Vec<_> = all.iter().filter_map(of).collect();
    uses.sort_by(|one, other| {
        let order = match by {
            By::Cpu => other.percent.total_cmp(&one.percent),
            By::Memory => other.memory.cmp(&one.memory),
            By::Name => std::cmp::Ordering::Equal,
        };
        order.then_with(|| one.name.cmp(&other.name))
    });
    uses
}

fn table(all: &[Use]) -> Table {
    let mut table = Table::new(["NAME", "CPU", "MEMORY", "DISK", "PROCESSES"]);
    for one in all {
        let processes = if one.processes < 0 { String::new() } else { one.processes.to_string() };
        let percent = format!("{:.1}%", one.percent);
        let (memory, disk) = (human::bytes(one.memory), human::bytes(one.disk));
        table.row([one.name.clone(), percent, memory, disk, processes]);
    }
    table
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn instance(name: &str, nanoseconds: u64, memory: u64) -> InstanceFull {
        serde_json::from_value(json!({
            "name": name, "project": "default",
            "state": { "pid": 7, "processes": 2, "cpu": { "usage": nanoseconds }, "memory": { "usage": memory } },
        }))
        .unwrap()
    }

    #[test]
    fn the_busiest_is_first() {
        let before = [instance("web", 1_000_000_000, 9), instance("db", 0, 3)];
        let now = [
            instance("web", 1_500_000_000, 9),
            instance("db", 3_000_000_000, 3),
            instance("new", 0, 5),
        ];
        let seen = |by| {
            let all = uses(&now, &times(&before), Duration::from_secs(2), by);
            all.into_iter().map(|one| (one.name, one.percent)).collect::<Vec<_>>()
        };
        let told = |all: [(&str, f64); 3]| all.map(|(name, percent)| (name.to_owned(), percent));
        assert_eq!(seen(By::Cpu), told([("db", 150.0), ("web", 25.0), ("new", 0.0)]));
        assert_eq!(seen(By::Memory), told([("web", 25.0), ("new", 0.0), ("db", 150.0)]));
        assert_eq!(seen(By::Name), told([("db", 150.0), ("new", 0.0), ("web", 25.0)]));
    }
}
