//! What clients see of members, and what they can change of one.

use std::collections::BTreeSet;

use options::{Options, member::MemberOptions, server::ServerOptions};
use store::MemberId;
use wire::{ClusterMember, ClusterMemberPut, Pulse};

use super::{clustered, enable::check_name, links::Place};
use crate::{
    Caller, Error, Result, World,
    db::members::{self as rows, Member, Part},
    etag::{self, IfMatch},
    url,
};

/// Every member, and whether it is there.
pub async fn list(world: &World) -> Result<Vec<ClusterMember>> {
    clustered(world)?;
    let rows = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    let shown = rows.into_iter().map(|row| show(world, row));
    Ok(futures_util::future::join_all(shown).await)
}

/// One member.
pub async fn get(world: &World, name: &str) -> Result<ClusterMember> {
    clustered(world)?;
    let row = world.store.read(|db| super::find(db, name))?;
    Ok(show(world, row).await)
}

async fn show(world: &World, row: Member) -> ClusterMember {
    let place = world.cluster.links.by_id(row.id);
    let answer = match row.id == world.store.status().me {
        true => Ok(super::pulse(world)),
        false => answers_at_all(world, place.as_ref()).await,
    };
    let (status, mut message) = match (&answer, row.part) {
        (Ok(pulse), _) if !pulse.halted.is_empty() => ("Blocked", pulse.halted.clone()),
        (_, Part::Joining) => ("Joining", String::from("It was let in and has not begun")),
        (Err(error), _) => ("Offline", tasks::chain(error)),
        (Ok(_), Part::Evacuated) => ("Evacuated", String::from("Unavailable due to maintenance")),
        (Ok(_), Part::Witness) => ("Online", String::from("It votes, and has no instances")),
        (Ok(_), Part::Ready) => ("Online", String::from("Fully operational")),
    };
    let other = |pulse| super::versions::difference(pulse, world.store.known_level());
    if let Some(other) = answer.ok().as_ref().and_then(other).filter(|_| status != "Blocked") {
        message = format!("{message}, {other}");
    }
    let (database, role) = role(world, row.id);
    let witness = (row.part == Part::Witness).then_some(WITNESS);
    let groups = world.store.read(|db| crate::db::cluster_groups::of_member(db, row.id));
    ClusterMember {
        url: format!("https://{}", row.address),
        server_name: row.name,
        database,
        status: String::from(status),
        message,
        architecture: row.architecture,
        roles: role.into_iter().chain(witness).map(String::from).collect(),
        failure_domain: row.failure_domain,
        description: row.description,
        config: row.config.0,
        // Without them it is shown all the same.
        groups: groups.unwrap_or_default(),
    }
}

/// Whether a member votes, and what that is called. Of those that do not, the first are named as next.
fn role(world: &World, id: MemberId) -> (bool, Option<&'static str>) {
    let status = world.store.status();
    let votes = status.members.iter().any(|(member, votes)| member.id == id && *votes);
    let options = world.store.read(|db| {
        Ok::<_, Error>(ServerOptions::parse_known(&crate::db::server::get(db)?)?.max_standby)
    });
    let most = options.map_or(usize::MAX, |most| usize::try_from(most.get()).unwrap_or(0));
    let mut others = status.members.iter().filter(|(_, votes)| !votes).map(|(one, _)| one.id);
    let standby = others.position(|one| one == id).is_some_and(|place| place < most);
    match votes {
        true if status.leader == Some(id) => (true, Some("database-leader")),
        true => (true, Some("database")),
        false => (false, standby.then_some("database-standby")),
    }
}

/// The role that a client may give: the member has the database and may vote, and nothing else.
const WITNESS: &str = "witness";

/// How a member takes part once it has these roles, of which those of the database are given out by the cluster.
fn part(db: &store::Read<'_>, row: &Member, before: &[String], after: &[String]) -> Result<Part> {
    let others = |roles: &[String]| -> BTreeSet<String> {
        roles.iter().filter(|role| *role != WITNESS).cloned().collect()
    };
    if others(before) != others(after) {
        let why = "a client gives and takes \"witness\"; those of the database are given out by the cluster itself";
        return Err(Error::invalid("roles", why));
    }
    let witness = after.iter().any(|role| role == WITNESS);
    match (witness, row.part) {
        (false, Part::Witness) => Ok(Part::Ready),
        (true, Part::Ready | Part::Evacuated) => {
            let has = rows::holds(db, row.id)?;
            if let Some(first) = has.first() {
                let by =
                    format!("{first} and {} more things: move or delete them first", has.len() - 1);
                let (what, name) = ("cluster member", row.name.clone());
                return Err(Error::InUse { what, name, by });
            }
            let all = rows::all(db)?;
            if !all.iter().any(|one| one.id != row.id && one.part == Part::Ready) {
                let why = format!("\"{}\" is the only one that could have instances", row.name);
                return Err(Error::invalid("roles", why));
            }
            Ok(Part::Witness)
        }
        (true, Part::Joining) => Err(Error::invalid("roles", "it has not begun yet")),
        (_, part) => Ok(part),
    }
}

/// Fails unless a member answers, asked now.
pub(super) async fn ping(world: &World, place: Option<&Place>) -> Result<Pulse> {
    let (place, links) = (place.ok_or(Error::BrokenOff)?, &world.cluster.links);
    links.ask(place).await.inspect_err(|_| links.missed(place.id))
}

/// The same of one that does its work; nobody waits for one that is known to be silent.
pub(super) async fn answers(world: &World, place: Option<&Place>) -> Result<Pulse> {
    let pulse = answers_at_all(world, place).await?;
    match pulse.halted.is_empty() {
        true => Ok(pulse),
        false => {
            let member = place.map(|place| place.name.clone()).unwrap_or_default();
            Err(Error::Halted { member, said: pulse.halted })
        }
    }
}

/// The same, also of one that only votes, as it is of another version.
pub(super) async fn answers_at_all(world: &World, place: Option<&Place>) -> Result<Pulse> {
    match place.filter(|place| world.cluster.links.is_silent(place.id)) {
        Some(place) => Err(Error::Silent { member: place.name.clone() }),
        None => ping(world, place).await,
    }
}

/// The members that answer, this one among them.
pub(crate) async fn there(world: &World) -> Vec<MemberId> {
    let others = world.cluster.links.others();
    let asked = others.iter().map(|place| answers(world, Some(place)));
    let told = futures_util::future::join_all(asked).await;
    let found = others.iter().zip(told).filter(|(_, answer)| answer.is_ok());
    found.map(|(place, _)| place.id).chain([world.store.status().me]).collect()
}

/// Changes a member to what `change` makes of it.
pub async fn update(
    world: &World,
    caller: &Caller,
    name: &str,
    seen: IfMatch,
    change: impl Fn(ClusterMemberPut) -> Result<ClusterMemberPut> + Send + Sync,
) -> Result<()> {
    let before = get(world, name).await?.writable();
    etag::check(&seen, &before, "cluster member", name)?;
    let after = change(before.clone())?;
    MemberOptions::parse(&after.config.clone().into())?;
    world
        .store
        .write(|db| {
            let row = super::find(db, name)?;
            crate::db::cluster_groups::set_of_member(db, row.id, &after.groups)?;
            let part = part(db, &row, &before.roles, &after.roles)?;
            let changed = Member {
                part,
                description: after.description.clone(),
                failure_domain: after.failure_domain.clone(),
                config: after.config.clone().into(),
                ..row
            };
            Ok::<_, Error>(rows::update(db, &changed)?)
        })
        .await?;
    tell(world, caller, "cluster-member-updated", name);
    Ok(())
}

/// Gives a member another name.
pub async fn rename(world: &World, caller: &Caller, name: &str, to: &str) -> Result<()> {
    clustered(world)?;
    check_name(to)?;
    world
        .store
        .write(|db| {
            let row = super::find(db, name)?;
            if rows::get(db, to)?.is_some() {
                return Err(Error::exists("cluster member", to));
            }
            Ok(rows::update(db, &Member { name: to.to_owned(), ..row })?)
        })
        .await?;
    super::refresh(world)?;
    tell(world, caller, "cluster-member-renamed", to);
    Ok(())
}

fn tell(world: &World, caller: &Caller, action: &str, name: &str) {
    let source = url::of("cluster/members", name, crate::names::DEFAULT_PROJECT);
    world.tell(caller, crate::names::DEFAULT_PROJECT, action, source);
}
