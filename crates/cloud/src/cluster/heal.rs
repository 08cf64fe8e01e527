//! Starts elsewhere what was on a member that is off, where its disks are in pools that members share. The leader does.
//!
//! ```text
//! off for `cluster.healing_threshold` ──> fenced ── its lease is over ([`super::lease`]) ──> each goes to another member,
//!                                                                                            and runs there if it ran
//! ```
//! Each is one write, so whoever leads goes on where the one before it ended. The instances stay where they are then, until
//! `cluster restore` of the member that had them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use options::instance::Evacuate;
use runtime::deadline::now;
use store::{MemberId, Role};
use tasks::{Reconciler, Report};
use wire::{StatusCode, endpoints::instances::InstanceGet, query::ThingQuery};

use super::{
    evacuate::ORIGIN,
    lease::{self, LASTS},
    members::answers_at_all,
    takers,
};
use crate::{
    Caller, Error, Result, World,
    db::{
        instances::{self as rows, Instance, Made},
        leases,
        members::{self as member_rows, Member},
        moves, volumes,
    },
    expand,
    instances::{
        migrate::{start_there, ties},
        options::Typed,
        start::{self, Memory},
        volatile,
    },
    names, url,
};

/// What clocks of two members may differ by while a lease lasts, and what it takes to end an instance.
const MARGIN: Duration = Duration::from_secs(2);
/// A member whose database spoke so lately is not asked.
const LATELY: Duration = Duration::from_secs(2);

/// Between two looks at what a fenced member has, or had and does not run yet.
const AGAIN: Duration = Duration::from_secs(5);

/// Looks for members that are off, as long as this one leads.
#[derive(Debug, Default)]
pub struct Healing {
    /// When what a fenced member has is looked at next, by its number; in milliseconds of [`now`].
    fenced: BTreeMap<MemberId, u64>,
    /// The instances that were started, by their rows' keys.
    started: BTreeSet<i64>,
}

#[async_trait::async_trait]
impl Reconciler<World> for Healing {
    fn name(&self) -> &'static str {
        "healing"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        if !world.is_clustered() || world.store.status().role != Role::Leader {
            *self = Healing::default();
            return report;
        }
        if let Err(error) = self.look(world).await {
            report.fail(Arc::new(error));
        }
        report
    }
}

impl Healing {
    async fn look(&mut self, world: &Arc<World>) -> Result<()> {
        let (threshold, leases, members) = world.store.read(|db| {
            Ok::<_, Error>((lease::threshold(db)?, leases::all(db)?, member_rows::all(db)?))
        })?;
        self.fenced.retain(|id, _| leases.contains(&(*id, true)));
        if self.fenced.is_empty() {
            self.started.clear();
        }
        if threshold == 0 {
            return Ok(());
        }
        let others = members.iter().filter(|member| member.id != world.store.status().me);
        for member in others {
            match leases.iter().find(|(id, _)| *id == member.id) {
                Some((id, false)) if silent(world, *id).await >= Duration::from_secs(threshold) => {
                    self.fence(world, member).await?;
                }
                Some((id, true)) if now() >= *self.fenced.entry(*id).or_insert_with(free) => {
                    self.heal(world, member).await?;
                    self.fenced.insert(*id, after(AGAIN));
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn fence(&mut self, world: &World, member: &Member) -> Result<()> {
        let fenced = world.store.write(|db| {
            let fences = lease::threshold(db)? > 0 && leases::get(db, member.id)? == Some(false);
            if fences {
                leases::set(db, member.id, true)?;
            }
            Ok::<_, Error>(fences)
        });
        if fenced.await? {
            self.fenced.insert(member.id, free());
            tracing::warn!(member = member.name, "it is off: what it has goes to other members");
        }
        Ok(())
    }

    /// Gives away what a member had whose lease is over.
    async fn heal(&mut self, world: &Arc<World>, member: &Member) -> Result<()> {
        let had = world.store.read(|db| {
            let mut had = rows::on(db, &member.name)?;
            had.retain(|row| row.made == Made::Ready && may_go(db, row).unwrap_or(false));
            Ok::<_, Error>(had)
        })?;
        let mut gave = false;
        for row in &had {
            match give_away(world, member, row).await {
                Ok(given) => gave |= given,
                Err(error) => {
                    tracing::warn!(name = row.name, error = %tasks::chain(&error), "it stays");
                }
            }
        }
        if gave {
            let source = url::of("cluster/members", &member.name, names::DEFAULT_PROJECT);
            world.tell(&Caller::default(), names::DEFAULT_PROJECT, "cluster-member-healed", source);
        }
        let healed = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
        let healed = healed.into_iter().filter(|row| {
            row.config.get(ORIGIN) == Some(&member.name) && row.member != member.name
        });
        for row in healed.filter(|row| volatile::was_running(&row.config)) {
            if self.started.contains(&row.id) {
                continue;
            }
            match start(world, &row).await {
                Ok(()) => drop(self.started.insert(row.id)),
                Err(error) => {
                    tracing::warn!(name = row.name, error = %tasks::chain(&error), "healing");
                }
            }
        }
        Ok(())
    }
}

/// When the lease is over that a member may have asked for just before now.
fn free() -> u64 {
    after(LASTS + MARGIN)
}

fn after(time: Duration) -> u64 {
    now() + u64::try_from(time.as_millis()).unwrap_or(0)
}

/// For how long a member does not answer. One that is not known to be silent is asked.
async fn silent(world: &World, id: MemberId) -> Duration {
    let links = &world.cluster.links;
    if links.spoke_within(id, LATELY) {
        return Duration::ZERO;
    }
    let _ = answers_at_all(world, links.by_id(id).as_ref()).await;
    links.silent_for(id).unwrap_or_default()
}

/// Whether an instance could run on another member: it has all it needs in pools that members share, and does not ask to be
/// left where it is.
fn may_go(db: &store::Read<'_>, row: &Instance) -> Result<bool> {
    let expanded = expand::expand(db, row)?;
    let typed = Typed::parse(&expanded)?;
    let root = typed.root_pool()?;
    let shared = lease::shared(db)?.contains(root);
    Ok(shared && typed.options.cluster_evacuate != Evacuate::Stop && ties(db, row)?.is_empty())
}

/// Makes an instance another member's; whether it was this one's until now.
async fn give_away(world: &World, from: &Member, row: &Instance) -> Result<bool> {
    let to = takers::best_but(world, row, from.id).await?;
    let given = world.store.write(|db| {
        let Some(mut now) = rows::by_id(db, row.id)?.filter(|now| now.member == from.name) else {
            return Ok(false);
        };
        if leases::get(db, from.id)? != Some(true) {
            return Ok(false);
        }
        // It was on its way, and does not arrive.
        if let Some(number) = moves::get(db, row.id)? {
            moves::end(db, row.id, &number)?;
        }
        if let Some(volume) = volumes::of_instance(db, &now.project, &now.kind, &now.name)? {
            volumes::set_member(db, volume.id, to)?;
        }
        now.config.set(ORIGIN, from.name.clone());
        rows::set_config(db, row.id, &now.config)?;
        rows::set_member(db, row.id, to)?;
        Ok::<_, Error>(true)
    });
    let given = given.await?;
    if given {
        let to = world.store.read(|db| Ok::<_, Error>(member_rows::by_id(db, to)?))?;
        let to = to.map(|member| member.name).unwrap_or_default();
        tracing::warn!(name = row.name, from = from.name, to, "it goes to another member");
        let source = url::instance(&row.project, &row.name);
        world.tell(&Caller::default(), &row.project, "instance-updated", source);
    }
    Ok(given)
}

/// Starts an instance on the member that has it now; one that runs is Ok.
async fn start(world: &Arc<World>, row: &Instance) -> Result<()> {
    let (project, name) = (row.project.as_str(), row.name.as_str());
    if row.member == world.me() {
        return match start::start(world, &Caller::default(), project, name, Memory::Used).await {
            Ok(operation) => operation.result().await.map_err(Error::failed),
            Err(Error::State { is: "running", .. }) => Ok(()),
            Err(error) => Err(error),
        };
    }
    let place = world.cluster.links.by_name(&row.member);
    let place = place.ok_or_else(|| Error::Silent { member: row.member.clone() })?;
    let Err(error) = start_there(world, (project, name), &place).await else { return Ok(()) };
    let client = super::client(world, &place)?;
    let query = ThingQuery { project: Some(project.to_owned()), ..ThingQuery::default() };
    match client.get::<InstanceGet>(&[name], &query).await {
        Ok(there) if there.instance.status_code == StatusCode::RUNNING => Ok(()),
        _ => Err(error),
    }
}
