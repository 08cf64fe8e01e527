//! The stop of the machine, in order: the counterpart of its boot.
//!
//! ```text
//! no new task ── tasks under way end ── instances stop, wave after wave ── the daemon may end
//! ```
//! Those of equal `boot.stop.priority` are a wave and stop together, the highest number first. Each
//! is asked, and killed after `boot.host_shutdown_timeout`. Their rows go on saying that they run,
//! so that they start again at the next boot.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::future::join_all;
use options::{Options, server::ServerOptions};

use crate::{
    Result, World,
    db::server,
    expand,
    instances::{
        self,
        guests::{After, Guest},
        options::Typed,
        stop,
    },
};

/// How often it looks again: a task that is not waited for may start an instance meanwhile.
const ROUNDS: usize = 3;
/// What an instance whose options cannot be read gets: what `boot.*` is when nothing is set.
const USUAL: Leave = Leave { priority: 0, timeout: Duration::from_secs(30) };
/// The same for `core.shutdown_timeout`.
const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// When an instance leaves.
#[derive(Clone, Copy)]
struct Leave {
    priority: i32,
    timeout: Duration,
}

/// Stops all instances cleanly. Tasks under way may end first, for as long as
/// `core.shutdown_timeout` says or until `hurry` resolves. Never fails: what goes wrong with one
/// instance is logged and does not hold up the others.
pub async fn shutdown(world: &Arc<World>, hurry: impl Future<Output = ()>) {
    world.close();
    super::instances::forget_boot(world).await;
    tokio::select! {
        left = world.idle(patience(world)) => {
            if left > 0 {
                tracing::warn!(left, "tasks under way are not waited for any longer");
            }
        }
        () = hurry => tracing::warn!("tasks under way are not waited for"),
    }
    for _ in 0..ROUNDS {
        let guests = world.guests.all();
        if guests.is_empty() {
            return;
        }
        stop_all(world, guests).await;
    }
}

async fn stop_all(world: &World, guests: Vec<Guest>) {
    let leaving = guests.into_iter().map(|guest| {
        let leave = leave(world, &guest).unwrap_or_else(|error| {
            tracing::error!(name = guest.name(), error = %tasks::chain(&error), "its options");
            USUAL
        });
        (leave.priority, (guest, leave.timeout))
    });
    for wave in waves(leaving) {
        join_all(wave.iter().map(|(guest, timeout)| leave_now(world, guest, *timeout))).await;
    }
}

/// How long tasks under way may take.
fn patience(world: &World) -> Duration {
    const MINUTE: u64 = 60;
    let read = || -> Result<Duration> {
        let config = world.store.read(server::get)?;
        let minutes = ServerOptions::parse_known(&config)?.shutdown_timeout;
        Ok(Duration::from_secs(u64::from(minutes) * MINUTE))
    };
    read().unwrap_or_else(|error| {
        tracing::error!(error = %tasks::chain(&error), "core.shutdown_timeout");
        PATIENCE
    })
}

fn leave(world: &World, guest: &Guest) -> Result<Leave> {
    let typed = world.store.read(|db| {
        let row = instances::find(db, guest.project(), guest.name())?;
        Typed::parse(&expand::expand(db, &row)?)
    })?;
    let boot = typed.options.boot;
    let timeout = Duration::from_secs(boot.host_shutdown_timeout.into());
    Ok(Leave { priority: boot.stop_priority, timeout })
}

/// Those of equal priority together, the highest number first.
fn waves<T>(all: impl Iterator<Item = (i32, T)>) -> impl Iterator<Item = Vec<T>> {
    let mut waves = BTreeMap::<Reverse<i32>, Vec<T>>::new();
    for (priority, one) in all {
        waves.entry(Reverse(priority)).or_default().push(one);
    }
    waves.into_values()
}

/// Stops one: asks it, then kills it.
async fn leave_now(world: &World, guest: &Guest, timeout: Duration) {
    guest.set_after_unsaid(After::NextBoot);
    if let Err(error) = stop::surely(world, guest, timeout).await {
        let (project, name) = (guest.project(), guest.name());
        tracing::error!(project, name, error = %tasks::chain(&error), "it does not end");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_number_stops_first_and_equals_stop_together() {
        let all = [(0, "web"), (10, "shop"), (-1, "db"), (0, "mail")];
        let waves: Vec<_> = waves(all.into_iter()).collect();
        assert_eq!(waves, [vec!["shop"], vec!["web", "mail"], vec!["db"]]);
    }
}
