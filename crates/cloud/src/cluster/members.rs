//! What clients see of members, and what they can change of one.

use options::{
    Options,
    member::{MemberOptions, Scheduler},
};
use store::MemberId;
use wire::{ClusterMember, ClusterMemberPut};

use super::{clustered, enable::check_name, links::Place};
use crate::{
    Caller, Error, Result, World,
    db::{
        instances,
        members::{self as rows, Member, Part},
    },
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
        true => Ok(()),
        false => answers(world, place.as_ref()).await,
    };
    let (status, message) = match (&answer, row.part) {
        (_, Part::Joining) => ("Joining", String::from("It was let in and has not begun")),
        (Err(error), _) => ("Offline", tasks::chain(error)),
        (Ok(()), Part::Evacuated) => ("Evacuated", String::from("Unavailable due to maintenance")),
        (Ok(()), Part::Ready) => ("Online", String::from("Fully operational")),
    };
    let (database, role) = role(world, row.id);
    let groups = world.store.read(|db| crate::db::cluster_groups::of_member(db, row.id));
    ClusterMember {
        url: format!("https://{}", row.address),
        server_name: row.name,
        database,
        status: String::from(status),
        message,
        architecture: row.architecture,
        roles: vec![String::from(role)],
        failure_domain: row.failure_domain,
        description: row.description,
        config: row.config.0,
        // Without them it is shown all the same.
        groups: groups.unwrap_or_default(),
    }
}

fn role(world: &World, id: MemberId) -> (bool, &'static str) {
    let status = world.store.status();
    let votes = status.members.iter().any(|(member, votes)| member.id == id && *votes);
    match votes {
        true if status.leader == Some(id) => (true, "database-leader"),
        true => (true, "database"),
        false => (false, "database-standby"),
    }
}

/// The members that take a new instance, and how many each has: those that are there, of one of these groups (parted
/// by commas), with that architecture (any, if it is empty).
pub(super) async fn takers(
    world: &World,
    group: Option<&str>,
    architecture: &str,
) -> Result<Vec<(MemberId, usize)>> {
    let wanted: Vec<&str> = group.into_iter().flat_map(|names| names.split(',')).collect();
    let (members, instances) = world.store.read(|db| {
        for name in &wanted {
            super::groups::find(db, name)?;
        }
        let mut members = Vec::new();
        for row in rows::all(db)? {
            let groups = crate::db::cluster_groups::of_member(db, row.id)?;
            let takes = match (MemberOptions::parse(&row.config)?.scheduler, group) {
                (Scheduler::Manual, _) | (Scheduler::Group, None) => false,
                (_, Some(_)) => groups.iter().any(|name| wanted.contains(&name.as_str())),
                (Scheduler::All, None) => true,
            };
            let fits = architecture.is_empty() || row.architecture == architecture;
            if row.part == Part::Ready && takes && fits {
                members.push(row);
            }
        }
        Ok::<_, Error>((members, instances::all(db)?))
    })?;
    let me = world.store.status().me;
    let asked = members.into_iter().map(async |row| {
        let place = world.cluster.links.by_id(row.id);
        let there = row.id == me || answers(world, place.as_ref()).await.is_ok();
        let has = instances.iter().filter(|one| one.member == row.name).count();
        there.then_some((row.id, has))
    });
    Ok(futures_util::future::join_all(asked).await.into_iter().flatten().collect())
}

/// Fails unless a member answers, asked now.
pub(super) async fn ping(world: &World, place: Option<&Place>) -> Result<()> {
    let (place, links) = (place.ok_or(Error::BrokenOff)?, &world.cluster.links);
    links.ask(place).await.inspect_err(|_| links.missed(place.id))
}

/// The same, but nobody waits for one that is known to be silent.
pub(super) async fn answers(world: &World, place: Option<&Place>) -> Result<()> {
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
    if after.roles != before.roles {
        let why = "those of the database are given out by the cluster itself";
        return Err(Error::invalid("roles", why));
    }
    MemberOptions::parse(&after.config.clone().into())?;
    world
        .store
        .write(|db| {
            let row = super::find(db, name)?;
            crate::db::cluster_groups::set_of_member(db, row.id, &after.groups)?;
            let changed = Member {
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
