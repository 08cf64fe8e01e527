//! Moves an instance to another member of the cluster: its row goes there, and all that is on this one's disk.
//!
//! ```text
//! this member                            the other
//! noted that it goes ──────────────────> waits for it (`settle`)
//! a backup of it, those that are kept ─> unpacked
//!                                        the row becomes its own
//! what is left here is deleted <──────── done
//! ```
//! Where its disk is in a pool that both share, it stays there: only the backups that are kept go, and this member gives the
//! row away.
//!
//! Who has it is the database's word ([`super::moves`]). One that runs goes with its memory, by [`super::depart`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use store::MemberId;
use tasks::{Cx, Operation, Step, Task, step};
use uuid::Uuid;
use wire::{
    ClusterInstancesPost, InstancePost, endpoints::cluster::ClusterInstanceReceive, query::NoQuery,
};

use super::{
    Depart, Moving, cancellable, moves,
    send::{self, Along},
    tied, told,
};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    cluster::{self, CALLER, Place},
    db::{
        backups::{Backup, OF_INSTANCES},
        instances::{Instance, Made},
    },
    instances::{Kind, backups::Of, guests::Phase, snapshots},
    migration::{Far, Link, Said, Voyage, Way, What},
    url,
};

/// What is done to move one that is stopped.
#[derive(Serialize, Deserialize)]
pub(crate) struct Leave {
    instance: Instance,
    /// The pool that has its root here.
    pool: String,
    moving: Moving,
    voyage: Uuid,
    /// The member that gets it, where its disk stays in a pool that both share.
    #[serde(default)]
    shared_with: Option<MemberId>,
}

impl Task for Leave {
    const KIND: &'static str = "instance-leave";
    type World = World;
    type Notes = ();
    type Error = Error;

    fn steps() -> Vec<Step<Leave>> {
        vec![
            step("note that it goes", begin).undo(stay),
            step("hand over", hand_over),
            step("delete what is left", left).point_of_no_return(),
        ]
    }
}

async fn begin(cx: &mut Cx<Leave>) -> Result<()> {
    cx.input.moving.begin(&cx.world).await
}

/// It stays, unless the other member has it already.
async fn stay(cx: &mut Cx<Leave>) -> Result<()> {
    match cx.input.moving.end(&cx.world).await? {
        true => Ok(()),
        false => left(cx).await,
    }
}

async fn hand_over(cx: &mut Cx<Leave>) -> Result<()> {
    let Voyage { mut link, operation } = cx.world.voyages.take(cx.input.voyage)?;
    let of = Of::new(&cx.input.instance.project, &cx.input.instance.name);
    let sent = async {
        match cx.input.shared_with {
            None => send::sent(&cx.world, &of, Along::All, &operation, &mut link).await,
            Some(to) => pass(&cx.world, &cx.input, to, (&of, &operation, &mut link)).await,
        }
    };
    let sent = cancellable(&operation, sent).await;
    let sent = told(&link, sent).await;
    cx.world.voyages.put(cx.input.voyage, Voyage { link, operation });
    match cx.input.moving.end(&cx.world).await? {
        false => Ok(()),
        true => Err(sent.err().unwrap_or(Error::BrokenOff)),
    }
}

async fn left(cx: &mut Cx<Leave>) -> Result<()> {
    let pool = cx.input.shared_with.is_none().then_some(cx.input.pool.as_str());
    moves::delete_left(&cx.world, pool, &cx.input.instance).await
}

/// Gives it to the other member with its disk where it is; only the files of its backups go.
async fn pass(
    world: &World,
    input: &Leave,
    to: MemberId,
    (of, operation, link): (&Of, &Operation, &mut Link),
) -> Result<()> {
    send::stopped(world, of)?;
    let (pool, volume) = (world.pools.open(world, &input.pool).await?, input.instance.root()?);
    blocking("detach root", move || Ok::<_, Error>(pool.detach(&volume)?)).await?;
    send_kept(world, of, operation, link).await?;
    match link.hear().await? {
        Said::Done => input.moving.give(world, to).await,
        other => Err(send::strange(&other)),
    }
}

/// Sends the files of the backups that are kept of an instance.
pub(super) async fn send_kept(
    world: &World,
    of: &Of,
    operation: &Operation,
    link: &Link,
) -> Result<()> {
    let kept: Vec<Backup> = world.store.read(|db| {
        let id = crate::instances::find(db, &of.project, &of.instance)?.id;
        Ok::<_, Error>(OF_INSTANCES.of(db, id)?)
    })?;
    let folder = crate::instances::backups::folder(&of.project, &of.instance);
    for backup in kept.into_iter().filter(|backup| backup.made == Made::Ready) {
        let held = crate::backups::hold(world).await?;
        let file = held.folder().join(&folder).join(&backup.name);
        let size = file.metadata().map_err(Error::file("look at", &file))?.len();
        link.tell(&Said::Kept { name: backup.name, size }).await?;
        link.send_file(&file, size, operation.control()).await?;
    }
    link.tell(&Said::All).await
}

/// Moves an instance to another member, perhaps to another name or pool.
///
/// # Errors
/// What stands in the way of it; a container must be stopped.
pub fn to_member(
    world: &Arc<World>,
    caller: &Caller,
    (project, name): (&str, &str),
    post: &InstancePost,
    target: &str,
) -> Result<Operation> {
    let place = world.cluster.links.by_name(target);
    let place = place.ok_or_else(|| Error::not_found("cluster member", target))?;
    let asked = asked(world, caller, (project, name), post)?;
    let request = tasks::Request::new("Migrating instance")
        .project(project)
        .resource("instances", url::instance(project, name))
        .requestor(caller.requestor.clone());
    let (held, caller) = (world.clone(), caller.clone());
    let work = async move |operation: Operation| {
        let link =
            cancellable(&operation, reach(&held, &caller, &place, &asked, &operation)).await?;
        went(&held, &caller, (&asked, place.id), &operation, link).await
    };
    Ok(world.operations.spawn(request, work)?)
}

/// What the other member is asked for.
fn asked(
    world: &World,
    caller: &Caller,
    (project, name): (&str, &str),
    post: &InstancePost,
) -> Result<ClusterInstancesPost> {
    let or = |given: &str, old: &str| if given.is_empty() { old.into() } else { given.into() };
    let new_name: String = or(&post.name, name);
    options::names::check_instance(&new_name)
        .map_err(|why| Error::invalid("instance name", why))?;
    if !(post.project.is_empty() || post.project == project) {
        let why = "move it to the other project first, and then to the other member";
        return Err(Error::invalid("project", why));
    }
    if post.instance_only || post.container_only {
        let why = "to another member an instance goes with its snapshots: delete them first";
        return Err(Error::invalid("instance_only", why));
    }
    caller.check(project)?;
    let (row, pool) = world.store.read(|db| {
        let row = crate::instances::find(db, project, name)?;
        if new_name != name && crate::db::instances::get(db, project, &new_name)?.is_some() {
            return Err(Error::exists("instance", &new_name));
        }
        tied::check(db, &row)?;
        Ok((row, snapshots::pool_of(db, project, name)?))
    })?;
    let new_pool: String = or(&post.pool, &pool);
    let guest = world.guests.get(project, name).filter(|guest| guest.phase() != Phase::Gone);
    let live = guest.is_some();
    if live && row.kind() == Kind::Container {
        let hint = "stop it first: a container moves to another member while it is stopped";
        return Err(Error::State { name: name.to_owned(), is: "running", hint });
    }
    if live && (new_name != name || new_pool != pool) {
        let why = "one that runs keeps its name and its pool; stop it to change them";
        return Err(Error::invalid("move", why));
    }
    let shared = new_pool == pool
        && world.store.read(|db| Ok::<_, Error>(cluster::lease::shared(db)?.contains(&pool)))?;
    if shared && new_name != name {
        let why = "its disk stays in a pool that members share: rename it before, or after";
        return Err(Error::invalid("move", why));
    }
    let moving = Moving::new(row.id);
    let of = Of::new(project, name);
    match live {
        true => drop(Depart::to_member(world, &of, moving.clone())?),
        false => send::stopped(world, &of)?,
    }
    let (project, name) = (of.project, of.instance);
    Ok(ClusterInstancesPost {
        project,
        name,
        new_name,
        pool: new_pool,
        number: moving.number.to_string(),
        live,
        shared,
    })
}

/// Has the other member wait for it; the connection.
async fn reach(
    world: &World,
    caller: &Caller,
    place: &Place,
    asked: &ClusterInstancesPost,
    operation: &Operation,
) -> Result<Link> {
    let client = cluster::client(world, place)?;
    let caller = serde_json::to_string(caller).map_err(|_| Error::Forbidden)?;
    let request = client.request::<ClusterInstanceReceive>(&[]).query(&NoQuery {})?.body(asked)?;
    let there = request.header(CALLER, caller).send().await?.reply;
    let network = world.cluster.links.network(place);
    let network = network.ok_or_else(|| Error::Silent { member: place.name.clone() })?;
    let way = Way::There(Far::of_member(network, &there)?);
    way.link(operation, if asked.live { What::Live } else { What::AtRest }).await
}

/// The move itself.
async fn went(
    world: &Arc<World>,
    caller: &Caller,
    (asked, to): (&ClusterInstancesPost, MemberId),
    operation: &Operation,
    link: Link,
) -> Result<()> {
    let of = Of::new(&asked.project, &asked.name);
    let request =
        crate::instances::request(world, "Moving instance", caller, &of.project, &of.instance);
    let (request, voyage) =
        (request.uncancellable(), Voyage { link, operation: operation.clone() });
    let moving = moving(world, asked);
    let (link, done) = match asked.live {
        true => {
            let task = moving.and_then(|moving| Depart::to_member(world, &of, moving));
            let task = task.map(|task| (task.voyage(), task));
            let (mut link, done) = super::sail(world, task, request, voyage).await?;
            if done.is_ok() && asked.shared {
                // Until it has what was held here. If nothing comes of that now, it gets it later.
                let _ = link.hear().await;
            }
            (link, done)
        }
        false => {
            let shared_with = asked.shared.then_some(to);
            let task = moving.and_then(|moving| Leave::new(world, &of, moving, shared_with));
            super::sail(world, task.map(|task| (task.voyage(), task)), request, voyage).await?
        }
    };
    link.let_go_after(operation);
    done
}

fn moving(world: &World, asked: &ClusterInstancesPost) -> Result<Moving> {
    let row = world.store.read(|db| crate::instances::find(db, &asked.project, &asked.name))?;
    let number = asked.number.parse().map_err(|_| Error::BrokenOff)?;
    Ok(Moving { instance: row.id, number })
}

impl Leave {
    pub(crate) fn new(
        world: &World,
        of: &Of,
        moving: Moving,
        shared_with: Option<MemberId>,
    ) -> Result<Leave> {
        world.store.read(|db| {
            let instance = crate::instances::find(db, &of.project, &of.instance)?;
            let pool = snapshots::pool_of(db, &of.project, &of.instance)?;
            Ok(Leave { instance, pool, moving, voyage: Uuid::new_v4(), shared_with })
        })
    }

    /// What its link is kept by.
    pub(crate) fn voyage(&self) -> Uuid {
        self.voyage
    }
}
