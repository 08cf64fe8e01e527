//! Empties a member for maintenance, and brings back what was there.
//!
//! ```text
//! ready ── evacuate: no new instance comes, each goes as its `cluster.evacuate` says ──> evacuated ── restore ──> ready
//! ```
//! Each instance that goes, or is stopped, notes where it was (`volatile.evacuate.origin`); that brings it back.
//! Done again, either goes on where it was broken off.

use std::{cmp::Reverse, sync::Arc};

use options::{Value, instance::Evacuate};
use tasks::{Operation, Request};
use wire::{
    ClusterInstancesPut, ClusterMemberStatePost, endpoints::cluster::ClusterInstanceReturn,
    query::NoQuery,
};

use super::{Place, clustered, takers};
use crate::{
    Caller, Error, Result, World,
    db::{
        instances::{self as rows, Instance, Made},
        members::{self as member_rows, Member, Part},
    },
    expand,
    instances::{
        guests::{Guest, Phase},
        migrate::{resettle, stop_cleanly, ties},
        options::Typed,
        start::{self, Memory},
    },
    names, url,
};

/// The option by which an instance finds back.
pub(crate) const ORIGIN: &str = "volatile.evacuate.origin";

/// Evacuates or restores this member.
///
/// # Errors
/// An action or a mode that there is not.
pub fn set_state(
    world: &Arc<World>,
    caller: &Caller,
    name: &str,
    post: &ClusterMemberStatePost,
) -> Result<Operation> {
    clustered(world)?;
    if name != world.me() {
        return Err(Error::not_found("cluster member", name));
    }
    let mode = match post.mode.as_str() {
        "" => None,
        mode => Some(Evacuate::parse(mode).map_err(|allowed| Error::invalid("mode", allowed))?),
    };
    let (evacuates, words) = match post.action.as_str() {
        "evacuate" => (true, "Evacuating cluster member"),
        "restore" => (false, "Restoring cluster member"),
        other => {
            let why = format!("\"{other}\": evacuate or restore");
            return Err(Error::invalid("action", why));
        }
    };
    let request = Request::new(words)
        .resource("cluster-members", url::of("cluster/members", name, names::DEFAULT_PROJECT))
        .requestor(caller.requestor.clone())
        .lock("cluster-member-state");
    let (held, caller) = (world.clone(), caller.clone());
    let work = async move |operation: Operation| {
        let all = All { world: held, caller, operation };
        if evacuates { all.evacuate(mode).await } else { all.restore().await }
    };
    Ok(world.operations.spawn(request, work)?)
}

/// Gives an instance to another member, which had it before: one that runs, runs there.
///
/// # Errors
/// It is not here.
pub fn give_back(
    world: &Arc<World>,
    caller: &Caller,
    to: Place,
    post: ClusterInstancesPut,
) -> Result<Operation> {
    world.store.read(|db| crate::instances::find(db, &post.project, &post.name))?;
    let request = Request::new("Migrating instance")
        .project(post.project.clone())
        .resource("instances", url::instance(&post.project, &post.name))
        .requestor(caller.requestor.clone())
        .uncancellable();
    let (held, caller) = (world.clone(), caller.clone());
    let work =
        async move |_| resettle(&held, &caller, (&post.project, &post.name), &to, true).await;
    Ok(world.operations.spawn(request, work)?)
}

/// All instances, one after the other.
struct All {
    world: Arc<World>,
    caller: Caller,
    operation: Operation,
}

impl All {
    async fn evacuate(&self, mode: Option<Evacuate>) -> Result<()> {
        self.take_part(Part::Evacuated, "cluster-member-evacuated").await?;
        let mut found = self.rows(|row, me| row.member == me)?;
        found.sort_by_key(|(typed, row)| {
            (Reverse(typed.options.boot.stop_priority), row.project.clone(), row.name.clone())
        });
        let mut failed = Failures::default();
        for (typed, row) in &found {
            self.operation.control().check()?;
            let policy = mode.unwrap_or(typed.options.cluster_evacuate);
            failed.note(row, self.leave(row, policy).await);
        }
        failed.into_result()
    }

    /// Has one go, or stops it.
    async fn leave(&self, row: &Instance, policy: Evacuate) -> Result<()> {
        let (world, guest) = (&self.world, self.guest(row));
        if row.ephemeral {
            let hint = "it would be deleted: stop it yourself, or copy it first";
            let (name, is) = (row.name.clone(), "ephemeral, and runs");
            return if guest.is_some() { Err(Error::State { name, is, hint }) } else { Ok(()) };
        }
        let tied = world.store.read(|db| ties(db, row))?;
        if policy == Evacuate::Stop || policy == Evacuate::Auto && !tied.is_empty() {
            let Some(guest) = guest else { return Ok(()) };
            self.tell(format!("Stopping {}", row.name));
            self.set_origin(row, true).await?;
            return stop_cleanly(world, &guest).await;
        }
        let place = self.place(row).await?;
        self.tell(format!("Migrating {} to {}", row.name, place.name));
        self.set_origin(row, true).await?;
        let (of, live) = ((&*row.project, &*row.name), policy != Evacuate::Migrate);
        let gone = resettle(world, &self.caller, of, &place, live).await;
        let stays = world.store.read(|db| Ok::<_, Error>(rows::by_id(db, row.id)?));
        if gone.is_err() && stays?.is_some_and(|now| now.member == world.me()) {
            self.set_origin(row, false).await?;
        }
        gone
    }

    /// The member that takes an instance.
    async fn place(&self, row: &Instance) -> Result<Place> {
        let best = takers::best_but(&self.world, row, self.world.store.status().me).await?;
        let place = self.world.cluster.links.by_id(best);
        place.ok_or_else(|| Error::NoPlace { architecture: row.architecture.clone() })
    }

    async fn restore(&self) -> Result<()> {
        self.take_part(Part::Ready, "cluster-member-restored").await?;
        let mine = |row: &Instance, me: &str| {
            let here = row.member == me && self.world.powers.was_running(row);
            here || row.config.get(ORIGIN) == Some(me)
        };
        let mut found = self.rows(mine)?;
        found.sort_by_key(|(typed, row)| {
            (Reverse(typed.options.boot.autostart_priority), row.project.clone(), row.name.clone())
        });
        let mut failed = Failures::default();
        for (_, row) in &found {
            self.operation.control().check()?;
            failed.note(row, self.come_back(row).await);
        }
        failed.into_result()
    }

    async fn come_back(&self, row: &Instance) -> Result<()> {
        let (world, project, name) = (&self.world, &row.project, &row.name);
        if row.member != world.me() {
            self.tell(format!("Migrating {name} from {}", row.member));
            let place = world.cluster.links.by_name(&row.member);
            let place = place.ok_or_else(|| Error::Silent { member: row.member.clone() })?;
            let client = super::client(world, &place)?;
            let put = ClusterInstancesPut { project: project.clone(), name: name.clone() };
            let begun = client.call::<ClusterInstanceReturn>(&[], &NoQuery {}, &put).await?;
            client.wait(&begun).await?;
        } else if self.guest(row).is_none() {
            self.tell(format!("Starting {name}"));
            let started = start::start(world, &self.caller, project, name, Memory::Used).await?;
            started.result().await.map_err(Error::failed)?;
        }
        self.set_origin(row, false).await
    }

    fn guest(&self, row: &Instance) -> Option<Guest> {
        let guest = self.world.guests.get(&row.project, &row.name);
        guest.filter(|guest| guest.phase() != Phase::Gone)
    }

    fn rows(&self, wanted: impl Fn(&Instance, &str) -> bool) -> Result<Vec<(Typed, Instance)>> {
        let me = self.world.me();
        self.world.store.read(|db| {
            let all = rows::all(db)?.into_iter();
            let found = all.filter(|row| row.made == Made::Ready && wanted(row, &me));
            let typed = |row| Ok((Typed::parse(&expand::expand(db, &row)?)?, row));
            found.map(typed).collect()
        })
    }

    async fn take_part(&self, part: Part, action: &str) -> Result<()> {
        let written = self.world.store.write(|db| {
            let row = super::own(db)?;
            Ok::<_, Error>(member_rows::update(db, &Member { part, ..row })?)
        });
        written.await?;
        let source = url::of("cluster/members", &self.world.me(), names::DEFAULT_PROJECT);
        self.world.tell(&self.caller, names::DEFAULT_PROJECT, action, source);
        Ok(())
    }

    /// Notes that an instance was here, or forgets it.
    async fn set_origin(&self, row: &Instance, here: bool) -> Result<()> {
        let me = self.world.me();
        let written = self.world.store.write(|db| {
            let Some(mut row) = rows::by_id(db, row.id)? else { return Ok(()) };
            row.config.set(ORIGIN, if here { me.as_str() } else { "" });
            Ok::<_, Error>(rows::set_config(db, row.id, &row.config)?)
        });
        written.await
    }

    fn tell(&self, words: String) {
        self.operation.set_metadata("evacuation_progress", words);
    }
}

/// What went wrong, while the others went on.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, row: &Instance, done: Result<()>) {
        if let Err(error) = done {
            self.0.push(format!("{}: {}", row.name, tasks::chain(&error)));
        }
    }

    fn into_result(self) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { Err(Error::Evacuation { said: self.0.join("; ") }) }
    }
}
