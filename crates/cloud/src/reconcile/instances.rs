//! Finds again the instances that ran when the daemon ended, and starts those that should run.
//!
//! ```text
//! row says running ──> its monitor lives: hold it
//!                 ├──> it ended meanwhile (exit file): do what follows an exit
//!                 └──> the machine was booted anew: start it, as boot.autostart says
//! row says stopped ──> start it if boot.autostart is true and the machine was booted anew
//! ```

use std::{cmp::Reverse, time::Duration};

use runtime::{ExitReason, Monitor};
use spec::InstanceSpec;

use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        instances::{self as rows, Instance, Made},
        members,
    },
    devlxd, expand,
    instances::{
        boot, exit,
        guests::{Guest, Phase},
        machine, note_nodes,
        options::Typed,
        proxies, start,
    },
    names, url,
    warnings::{Kind, notes::About},
};

/// The instances that are to start now, in their order.
pub struct Autostart {
    due: Vec<Due>,
    /// Whether the machine's boot is still to be noted.
    booted: bool,
}

/// An instance that should start, and when.
struct Due {
    row: Instance,
    priority: i32,
    delay: Duration,
}

/// Brings the guests in line with their rows; each that fails is logged and does not hold up the
/// others. Says which ones are to start.
pub(crate) async fn find(world: &World) -> Autostart {
    let booted = booted_anew(world).await;
    let mut due = Vec::new();
    let rows = world.store.read(|db| Ok::<_, Error>(rows::all(db)?)).unwrap_or_else(|error| {
        tracing::error!(error = %tasks::chain(&error), "instances");
        Vec::new()
    });
    for row in rows.into_iter().filter(|row| row.made == Made::Ready && row.member == world.me()) {
        match find_one(world, &row, booted).await {
            Ok(found) => due.extend(found),
            Err(error) => {
                let (project, name) = (&row.project, &row.name);
                tracing::error!(project, name, error = %tasks::chain(&error), "instance");
            }
        }
    }
    due.sort_by_key(|due| Reverse(due.priority));
    if is_evacuated(world) {
        due.clear();
    }
    Autostart { due, booted }
}

/// Whether nothing is to start here until the member is restored.
fn is_evacuated(world: &World) -> bool {
    let own = world.store.read(crate::cluster::own);
    own.is_ok_and(|member| member.part == members::Part::Evacuated)
}

/// Holds an instance again that was recovered, if it still runs.
pub(crate) async fn find_again(world: &World, project: &str, name: &str) {
    let row = world.store.read(|db| Ok::<_, Error>(rows::get(db, project, name)?));
    let found = match row {
        Ok(Some(row)) => find_one(world, &row, false).await.map(drop),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    if let Err(error) = found {
        tracing::error!(project, name, error = %tasks::chain(&error), "instance");
    }
}

/// Whether the machine was booted since instances were started, or they were stopped with it.
async fn booted_anew(world: &World) -> bool {
    let before = tokio::fs::read_to_string(world.dirs.boot_id()).await.unwrap_or_default();
    before != world.host.boot_id
}

/// Makes the next start of the daemon one after a boot: what should run then starts.
pub(super) async fn forget_boot(world: &World) {
    match tokio::fs::remove_file(world.dirs.boot_id()).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "boot id");
        }
        _ => {}
    }
}

async fn find_one(world: &World, row: &Instance, booted: bool) -> Result<Option<Due>> {
    let id = names::instance_id(&row.project, &row.name);
    // A task that goes on after a crash looks for it as well, and QEMU talks to one at a time.
    let claim = [tasks::Claim::alone(format!("find/{id}"))];
    let _turn = world.locks().lock(&claim, "the finding of an instance").await;
    if world.guests.get(&row.project, &row.name).is_some() {
        return Ok(None);
    }
    let run = world.dirs.run(&id);
    let held = blocking("find monitor", move || {
        let Some(monitor) = Monitor::connect(&run)? else { return Ok(None) };
        let info = monitor.info()?;
        Ok::<_, Error>(Some((monitor, info)))
    })
    .await?;
    if let Some((monitor, info)) = held {
        let phase = match info.state {
            runtime::State::Frozen => Phase::Frozen,
            _ => Phase::Running,
        };
        let spec = read_spec(world, &id).await?;
        let guest = Guest::new(&row.project, &row.name, monitor, spec, phase);
        if guest.spec().machine && !machine::find_again(world, &guest).await? {
            return boot::end(world, &row.project, &row.name).await.map(|()| None);
        }
        {
            let typed = world.store.read(|db| Typed::parse(&expand::expand(db, row)?));
            // Options of an earlier version that are wrong now must not keep it from being held.
            match typed {
                Ok(typed) => {
                    note_nodes(&guest, &typed);
                    proxies::note(&guest, &typed);
                    boot::attach_again(world, row, &typed).await;
                }
                Err(error) => {
                    tracing::warn!(name = row.name, error = %tasks::chain(&error), "devices")
                }
            }
        }
        world.guests.hold(guest.clone());
        devlxd::find_again(world, &guest, row)?;
        // An error means that the daemon is about to end.
        let _ = world.started.send(guest);
        return Ok(None);
    }
    let was_running = world.powers.was_running(row);
    if !booted {
        return if was_running { ended(world, row, &id).await } else { Ok(None) };
    }
    let typed = world.store.read(|db| Typed::parse(&expand::expand(db, row)?))?;
    boot::clean(world, &row.project, &row.name).await?;
    let boot = &typed.options.boot;
    if !boot.autostart.unwrap_or(was_running) {
        if was_running {
            exit::settle_unseen(world, row).await?;
        }
        return Ok(None);
    }
    let delay = Duration::from_secs(boot.autostart_delay.into());
    Ok(Some(Due { row: row.clone(), priority: boot.autostart_priority, delay }))
}

/// Does what follows an exit that the daemon did not see; a reboot inside is due to start.
async fn ended(world: &World, row: &Instance, id: &str) -> Result<Option<Due>> {
    let reason = runtime::last_exit(&world.dirs.run(id)).map(|(_, reason)| reason);
    let again = match reason {
        Some(ExitReason::Deadline) => {
            exit::clear_unseen(world, row).await?;
            true
        }
        other => {
            exit::settle_unseen(world, row).await?;
            other == Some(ExitReason::Reboot)
        }
    };
    if row.ephemeral && !again {
        crate::instances::delete::delete(world, &Caller::default(), &row.project, &row.name)
            .await?;
    }
    Ok(again.then(|| Due { row: row.clone(), priority: 0, delay: Duration::ZERO }))
}

async fn read_spec(world: &World, id: &str) -> Result<InstanceSpec> {
    let file = world.dirs.run(id).join("spec.json");
    let text = tokio::fs::read(&file).await.map_err(Error::file("read", &file))?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::file("read", &file)(std::io::Error::other(error)))
}

impl Autostart {
    /// Starts them in order; a delay holds up only those after it. The boot is noted when all were
    /// tried, so that a daemon that ends meanwhile leaves the rest to the next one.
    pub async fn run(self, world: &World) {
        let mut pause = Duration::ZERO;
        for Due { row, delay, .. } in self.due {
            tokio::time::sleep(std::mem::replace(&mut pause, delay)).await;
            start_or_wait(world, &row).await;
        }
        if self.booted && !world.closing() {
            let noted = tokio::fs::write(world.dirs.boot_id(), &world.host.boot_id).await;
            if let Err(error) = noted {
                tracing::warn!(%error, "boot id");
            }
        }
    }
}

/// Starts what could not be started while a storage pool was gone.
pub(crate) async fn start_waiting(world: &World) {
    for row in world.pools.waiting() {
        start_or_wait(world, &row).await;
    }
}

/// Starts an instance that should run. One that fails while a storage pool is gone is tried again when
/// the pool is back.
pub(crate) async fn start_or_wait(world: &World, row: &Instance) {
    let started = start_one(world, row).await;
    let said = started.as_ref().err().map(|error| tasks::chain(error));
    let address = url::instance(&row.project, &row.name);
    world.warnings.set(About::new(Kind::Autostart, &row.project, address), said);
    let Err(error) = started else { return };
    let (project, name, waits) = (&row.project, &row.name, world.pools.wait(row));
    tracing::error!(project, name, waits, error = %tasks::chain(&error), "autostart");
}

async fn start_one(world: &World, row: &Instance) -> Result<()> {
    let memory = start::Memory::Used;
    match start::start(world, &Caller::default(), &row.project, &row.name, memory).await {
        Ok(operation) => operation.result().await.map_err(Error::failed),
        // Somebody was faster.
        Err(Error::State { is: "running", .. }) => Ok(()),
        Err(error) => Err(error),
    }
}
