//! A member's lease on what others could run as well: instances with a volume in a pool that members share.
//!
//! ```text
//! this member   the state as a majority has it, asked again and again ── not fenced ──> they may run a while from then on
//!                  └─ no majority, or fenced ──> their deadline comes, and their monitors end them
//! the leader    one is off for `cluster.healing_threshold`: fenced ── a while, and a margin ──> what it had is free
//!               ([`super::heal`])
//! ```
//! A lease counts from before the question. Who asked before the fence was written has a lease that is over when the leader has
//! waited since it was; who asks later sees the fence. No clock of one member is compared with that of another, and nothing is
//! written but when a member begins to hold leases or ends it, and for a fence.
//!
//! The deadline is kept by the monitors, so that a daemon that hangs or is dead ends them too (`runtime::Monitor::set_deadline`).
//! What a lease that was lost has ended starts again once there is one, unless another member has it by then.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use options::{Options, server::ServerOptions};
use runtime::deadline::now;
use store::Read;

use crate::{
    Error, Result, World,
    blocking::blocking,
    db::{
        instances::{self as rows, Instance, Made},
        leases, members, pools, server,
    },
    expand::{Expanded, Profiles},
    instances::guests::Guest,
};

/// How long one lasts.
pub(super) const LASTS: Duration = Duration::from_secs(6);
/// Between two, so that two may fail in a row.
const RENEWED: Duration = Duration::from_secs(2);
/// Before the next try, where one failed.
const AGAIN: Duration = Duration::from_millis(500);
/// How often what ended with a lease is tried to be started, once there is one.
const TRIES: u32 = 10;
/// Between two looks of a start that waits.
const LOOK: Duration = Duration::from_millis(100);
/// How long a start waits for one: as long as a write waits for a majority.
const PATIENCE: Duration = Duration::from_secs(10);

/// What this member has.
#[derive(Debug, Default)]
pub(crate) struct Lease {
    state: Mutex<State>,
    /// One renews at a time.
    turn: tokio::sync::Mutex<()>,
}

/// In milliseconds of [`now`].
#[derive(Clone, Copy, Debug, Default)]
enum State {
    /// Nobody was asked yet.
    #[default]
    Unknown,
    /// What is shared needs none here: nobody heals.
    Unneeded,
    /// Until then.
    Held(u64),
    /// It ended, or was never given.
    Lost,
}

impl Lease {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is now; the end of one is noticed here.
    fn look(&self) -> State {
        let mut state = self.state();
        if matches!(*state, State::Held(until) if until <= now()) {
            *state = State::Lost;
        }
        *state
    }
}

impl super::Cluster {
    /// Whether what members share may run here.
    pub(crate) fn has_lease(&self) -> bool {
        !matches!(self.lease.look(), State::Unknown | State::Lost)
    }
}

/// Keeps this member's lease as long as the daemon runs.
pub async fn keep_lease(world: Arc<World>) {
    loop {
        let pause = match renew(&world).await {
            Ok(Standing::Good) => RENEWED,
            Ok(Standing::Fenced) => AGAIN,
            Err(error) => {
                tracing::debug!(error = %tasks::chain(&error), "lease");
                AGAIN
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// What came of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Good,
    Fenced,
}

async fn renew(world: &Arc<World>) -> Result<Standing> {
    let lease = &world.cluster.lease;
    let _turn = lease.turn.lock().await;
    if !world.is_clustered() {
        *lease.state() = State::Unneeded;
        return Ok(Standing::Good);
    }
    let (asked, me) = (now(), world.store.status().me);
    // Others have nothing to say where nothing is shared; nor where nobody heals, once they were asked: only this member
    // itself notes that it holds leases.
    let (any, here) = world.store.read(|db| {
        let any = !shared(db)?.is_empty();
        Ok::<_, Error>((any, any && threshold(db)? > 0 || leases::get(db, me)?.is_some()))
    })?;
    if !here && (!any || matches!(lease.look(), State::Unneeded)) {
        return Ok(Standing::Good);
    }
    let until = asked + u64::try_from(LASTS.as_millis()).unwrap_or(0);
    let latest = world.store.read_latest(|db| {
        let heals = threshold(db)? > 0 && !shared(db)?.is_empty();
        Ok::<_, Error>((heals, leases::get(db, me)?))
    });
    let late = |_| Error::Store(store::Error::NoQuorum);
    let (heals, row) = tokio::time::timeout(LASTS, latest).await.map_err(late)??;
    match (heals, row) {
        (_, Some(true)) => return unfence(world).await,
        (false, None) => {
            *lease.state() = State::Unneeded;
            return Ok(Standing::Good);
        }
        (false, Some(false)) => {
            let ended = world.store.write(|db| match leases::get(db, me)? {
                Some(false) => Ok::<_, Error>(leases::delete(db, me)?),
                _ => Ok(()),
            });
            ended.await?;
            *lease.state() = State::Unneeded;
            put_off(world, None).await?;
            return Ok(Standing::Good);
        }
        (true, None) => {
            // Before others may count on it. Who starts now finds it held.
            *lease.state() = State::Held(until);
            put_off(world, Some(until)).await?;
            let begun = world.store.write(|db| match leases::get(db, me)? {
                None => Ok::<_, Error>(leases::set(db, me, false)?),
                Some(_) => Ok(()),
            });
            begun.await?;
        }
        (true, Some(false)) => {}
    }
    let lost = matches!(lease.look(), State::Lost);
    *lease.state() = State::Held(until);
    if let Err(error) = put_off(world, Some(until)).await {
        // Its deadline stands.
        tracing::warn!(error = %tasks::chain(&error), "deadline");
    }
    if lost {
        tracing::info!("what members share may run here again");
        start_again(world).await?;
    }
    Ok(Standing::Good)
}

/// Takes the fence away once nothing runs here that others may have. Their deadlines end them; none is put off meanwhile.
async fn unfence(world: &Arc<World>) -> Result<Standing> {
    let (lease, me) = (&world.cluster.lease, world.store.status().me);
    if matches!(lease.look(), State::Held(_)) {
        return Ok(Standing::Fenced);
    }
    *lease.state() = State::Lost;
    let left = leased(world)?;
    if let Some(guest) = left.first() {
        tracing::warn!(name = guest.name(), "it is about to end: another member may have it");
        return Ok(Standing::Fenced);
    }
    let done = world.store.write(|db| match leases::get(db, me)? {
        Some(true) => Ok::<_, Error>(leases::set(db, me, false)?),
        _ => Ok(()),
    });
    done.await?;
    Ok(Standing::Fenced)
}

/// After how many seconds what a member has that is off is started elsewhere; 0: never.
pub(super) fn threshold(db: &Read<'_>) -> Result<u64> {
    Ok(ServerOptions::parse_known(&server::get(db)?)?.healing_threshold.get().unsigned_abs())
}

/// The pools that members share.
pub(crate) fn shared(db: &Read<'_>) -> Result<BTreeSet<String>> {
    let all = pools::all(db)?.into_iter().filter(|pool| crate::storage::is_shared(&pool.driver));
    Ok(all.map(|pool| pool.name).collect())
}

/// Whether a member is fenced: what it had may be taken from it.
pub(crate) fn is_fenced(db: &Read<'_>, member: &str) -> Result<bool> {
    match members::get(db, member)? {
        Some(member) => Ok(leases::get(db, member.id)? == Some(true)),
        None => Ok(false),
    }
}

/// Whether the root of an instance is in one of these pools.
fn is_in(pools: &BTreeSet<String>, of: &Expanded) -> bool {
    of.devices.0.values().any(|device| {
        let is_root = device.get("type") == Some("disk") && device.get("path") == Some("/");
        device.get("pool").is_some_and(|pool| is_root && pools.contains(pool))
    })
}

/// The guests that run by the lease.
fn leased(world: &World) -> Result<Vec<Guest>> {
    let guests = world.guests.all();
    if guests.is_empty() {
        return Ok(guests);
    }
    world.store.read(|db| {
        let (pools, profiles) = (shared(db)?, Profiles::read(db)?);
        let mut found = Vec::new();
        for guest in guests {
            // One whose row is gone may have been anything.
            let row = rows::get(db, guest.project(), guest.name())?;
            if row.is_none_or(|row| is_in(&pools, &profiles.lay(&row))) {
                found.push(guest);
            }
        }
        Ok(found)
    })
}

/// Tells their monitors until when they may run.
async fn put_off(world: &World, until: Option<u64>) -> Result<()> {
    let guests = leased(world)?;
    if guests.is_empty() {
        return Ok(());
    }
    blocking("put off deadlines", move || {
        // All are told, whatever one says.
        let told: Vec<_> = guests.iter().map(|guest| guest.monitor().set_deadline(until)).collect();
        Ok::<_, Error>(told.into_iter().collect::<Result<(), _>>()?)
    })
    .await
}

/// Waits for a lease, if an instance needs one that is about to start.
///
/// # Errors
/// There is none: too few members can be reached, or this one is fenced.
pub(crate) async fn wait(world: &World, of: &Expanded) -> Result<()> {
    if !needs(world, of)? {
        return Ok(());
    }
    let waited = async {
        loop {
            match world.cluster.lease.look() {
                State::Held(_) => return,
                // Nobody heals a member that has not said that it holds leases.
                State::Unneeded => return,
                State::Unknown | State::Lost => tokio::time::sleep(LOOK).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, waited).await.map_err(|_| Error::NoLease)
}

/// Gives a guest its deadline, which was made and does not run yet.
///
/// # Errors
/// The lease was lost meanwhile.
pub(crate) async fn bind(world: &World, guest: &Guest, of: &Expanded) -> Result<()> {
    if !needs(world, of)? {
        return Ok(());
    }
    match world.cluster.lease.look() {
        State::Held(until) => {
            let guest = guest.clone();
            blocking("set deadline", move || {
                Ok::<_, Error>(guest.monitor().set_deadline(Some(until))?)
            })
            .await
        }
        State::Unneeded => Ok(()),
        State::Unknown | State::Lost => Err(Error::NoLease),
    }
}

fn needs(world: &World, of: &Expanded) -> Result<bool> {
    match world.is_clustered() {
        true => world.store.read(|db| Ok(is_in(&shared(db)?, of))),
        false => Ok(false),
    }
}

/// Starts what was ended with the lease, and is still this member's.
async fn start_again(world: &Arc<World>) -> Result<()> {
    let me = world.me();
    let due = world.store.read(|db| {
        let (pools, profiles) = (shared(db)?, Profiles::read(db)?);
        let mut found = rows::on(db, &me)?;
        found.retain(|row| row.made == Made::Ready && is_in(&pools, &profiles.lay(row)));
        Ok::<_, Error>(found)
    })?;
    for row in due {
        let runs = world.guests.get(&row.project, &row.name).is_some();
        if !runs && world.powers.was_running(&row) {
            tokio::spawn(start_one(world.clone(), row));
        }
    }
    Ok(())
}

/// Starts one that ended with the lease. A start of it may be under way already that the lease before this one began, and that
/// fails as it is over: so it is tried again, as long as it should run here and does not.
async fn start_one(world: Arc<World>, row: Instance) {
    for _ in 0..TRIES {
        crate::reconcile::start_or_wait(&world, &row).await;
        let now = world.store.read(|db| Ok::<_, Error>(rows::by_id(db, row.id)?));
        let due = |row: Instance| row.member == world.me() && world.powers.was_running(&row);
        let runs = world.guests.get(&row.project, &row.name).is_some();
        // When a lease comes that was lost, all this begins anew.
        if runs || !now.ok().flatten().is_some_and(due) || !world.cluster.has_lease() {
            return;
        }
        tokio::time::sleep(RENEWED).await;
    }
}
