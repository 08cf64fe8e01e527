//! Puts an instance back to a snapshot: its files, options, devices and profiles.
//!
//! One that runs is stopped by force and started again. Only what lies between, files and row, is a
//! task: whether it starts again may fail for reasons of its own.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tasks::{Cx, Operation, Request, Step, Task, step};
use uuid::Uuid;

use crate::{
    Caller, Error, Result, World,
    db::instances::{self as rows, Instance},
    devlxd, expand,
    instances::{
        guests::{After, Guest, Phase},
        options::Typed,
        start::{self, Memory},
        stop::{self, How},
        volatile,
    },
    projects::rules,
    url,
};

/// What the server remembers of the instance and not of its past.
const KEPT: [&str; 4] =
    ["volatile.uuid", "volatile.last_state.power", devlxd::READY, "volatile.idmap.base"];

/// What is done to put an instance back, once it is stopped.
#[derive(Serialize, Deserialize)]
pub(crate) struct Restore {
    caller: Caller,
    project: String,
    instance: String,
    snapshot: String,
    /// Whether its memory comes back too.
    #[serde(default)]
    stateful: bool,
}

impl Task for Restore {
    const KIND: &'static str = "instance-snapshot-restore";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Restore>> {
        vec![
            step("see that it is stopped", stopped),
            step("restore files", files).point_of_no_return(),
            step("write row", row),
        ]
    }
}

impl Restore {
    pub(crate) fn new(
        world: &World,
        caller: &Caller,
        project: &str,
        instance: &str,
        snapshot: &str,
        stateful: bool,
    ) -> Result<Restore> {
        // Clients may also say `web/snap0`.
        let own = snapshot.strip_prefix(instance).and_then(|rest| rest.strip_prefix('/'));
        let snapshot = own.unwrap_or(snapshot).to_owned();
        world.store.read(|db| {
            let (now, then) = super::find(db, project, instance, &snapshot)?;
            if stateful && !then.stateful {
                let why = format!("snapshot \"{}\" was taken without memory", then.name);
                return Err(Error::invalid("stateful", why));
            }
            check(db, &then.instance(&now))
        })?;
        let (project, instance) = (project.to_owned(), instance.to_owned());
        Ok(Restore { caller: caller.clone(), project, instance, snapshot, stateful })
    }
}

/// Fails when the instance could not be what it was.
fn check(db: &store::Read<'_>, then: &Instance) -> Result<()> {
    let (project, name) = (then.project.as_str(), then.name.as_str());
    super::super::check_profiles(db, &crate::profiles::home(db, project)?, &then.profiles)?;
    let typed = Typed::parse_whole(&expand::expand(db, then)?)?;
    if typed.root_pool()? != super::pool_of(db, project, name)? {
        return Err(Error::Unsupported("a restore of a snapshot taken in another storage pool"));
    }
    super::super::check_devices(db, then.kind(), (project, name), &typed)?;
    rules::admit(db, then)
}

/// Puts an instance back to a snapshot.
pub fn restore(
    world: &Arc<World>,
    caller: &Caller,
    project: &str,
    instance: &str,
    snapshot: &str,
    stateful: bool,
) -> Result<Operation> {
    let task = Restore::new(world, caller, project, instance, snapshot, stateful)?;
    let request = Request::new("Restoring snapshot")
        .project(project)
        .resource("instances", url::instance(project, instance))
        .resource("instances_snapshots", super::address(project, instance, &task.snapshot))
        .requestor(caller.requestor.clone())
        .uncancellable();
    let held = world.clone();
    Ok(world.operations.spawn(request, async move |_| whole(&held, task).await)?)
}

async fn whole(world: &World, task: Restore) -> Result<()> {
    let (caller, project, instance) =
        (task.caller.clone(), task.project.clone(), task.instance.clone());
    let goes_on = task.stateful;
    let running =
        world.guests.get(&project, &instance).filter(|guest| guest.phase() != Phase::Gone);
    if let Some(guest) = &running {
        end(world, guest).await?;
    }
    let request = crate::instances::request(world, "Restoring files", &caller, &project, &instance);
    let restored = match world.submit(task, request.wait_when_busy()) {
        Ok(operation) => operation.result().await.map_err(Error::failed),
        Err(error) => Err(error),
    };
    let started = match &running {
        Some(guest) => stop::start_again(world, &caller, guest).await,
        None if goes_on && restored.is_ok() => {
            let started = start::start(world, &caller, &project, &instance, Memory::Needed).await?;
            started.result().await.map_err(Error::failed)
        }
        None => Ok(()),
    };
    restored.and(started)
}

/// Ends it so that it is neither deleted nor started by others after it.
async fn end(world: &World, guest: &Guest) -> Result<()> {
    guest.set_after(After::Running);
    let ended = stop::end(world, guest, How { force: true, timeout: None, again: true }).await;
    if ended.is_err() {
        guest.set_after(After::Unsaid);
    }
    ended
}

async fn stopped(cx: &mut Cx<Restore>) -> Result<()> {
    match cx.world.guests.get(&cx.input.project, &cx.input.instance) {
        Some(guest) if guest.phase() != Phase::Gone => Err(Error::State {
            name: cx.input.instance.clone(),
            is: "running",
            hint: "somebody started it while it was to be restored",
        }),
        _ => Ok(()),
    }
}

async fn files(cx: &mut Cx<Restore>) -> Result<()> {
    let (input, control) = (cx.input.clone(), cx.control.clone());
    let (project, instance) = (&cx.input.project, &cx.input.instance);
    super::on_disk(&cx.world, project, instance, "restore files", move |snapshots, volume| {
        snapshots.restore(volume, &input.snapshot, &control)
    })
    .await
}

async fn row(cx: &mut Cx<Restore>) -> Result<()> {
    let Restore { caller, project, instance, snapshot, .. } = &*cx.input;
    let written = cx.world.store.write(|db| {
        let (now, then) = super::find(db, project, instance, snapshot)?;
        let mut new = then.instance(&now);
        let home = crate::profiles::home(db, project)?;
        for key in KEPT {
            new.config.0.remove(key);
            if let Some(value) = now.config.get(key) {
                new.config.set(key, value);
            }
        }
        new.config.set("volatile.uuid.generation", Uuid::new_v4().to_string());
        let typed = Typed::parse_whole(&expand::expand(db, &new)?)?;
        volatile::prune(&mut new.config, &typed.devices);
        volatile::complete(&mut new.config, &typed.devices);
        rules::admit(db, &new)?;
        rows::set_stateful(db, new.id, cx.input.stateful)?;
        Ok::<_, Error>(rows::update(db, &new, &home)?)
    });
    written.await?;
    let context = Map::from_iter([("snapshot".to_owned(), Value::from(snapshot.as_str()))]);
    let source = url::instance(project, instance);
    cx.world.tell_with(caller, project, "instance-restored", source, context);
    Ok(())
}
