//! Gives members their votes: an odd number of them, as many as there may be, all in one change, so that there is
//! never an even number. Only the leader does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use options::{Options, server::ServerOptions};
use store::{MemberId, Role};
use tasks::{Reconciler, Report};

use crate::{
    Error, Result, World,
    db::{
        MIGRATIONS,
        members::{self as rows, Part},
        server,
    },
};

/// What wakes it: a change of members.
pub const MEMBERS: &str = "members";

/// Looks after votes: when members come and go, and now and then, as one may be off.
pub struct Votes;

#[async_trait::async_trait]
impl Reconciler<World> for Votes {
    fn name(&self) -> &'static str {
        "votes"
    }

    fn topics(&self) -> &'static [&'static str] {
        &[MEMBERS]
    }

    fn period(&self) -> Duration {
        Duration::from_secs(10)
    }

    async fn activate(&mut self, world: &Arc<World>) -> Report {
        let mut report = Report::default();
        if let Err(error) = super::refresh(world) {
            report.fail(Arc::new(error));
        }
        if !world.is_clustered() || world.store.status().role != Role::Leader {
            return report;
        }
        match settle(world).await {
            Ok(changed) => report.changed += changed,
            Err(error) => report.fail(Arc::new(error)),
        }
        report
    }
}

async fn settle(world: &World) -> Result<usize> {
    let (members, most) = world.store.read(|db| {
        Ok::<_, Error>((rows::all(db)?, ServerOptions::parse(&server::get(db)?)?.max_voters))
    })?;
    let status = world.store.status();
    let known = MIGRATIONS.last().map_or(0, |step| step.level);
    if status.schema_level < known {
        // Refused while a member is older, or off: then it is tried again.
        let _ = world.store.raise_schema(known).await;
    }
    let mut able = BTreeSet::new();
    for member in members.iter().filter(|member| member.part != Part::Joining) {
        let place = world.cluster.links.by_id(member.id);
        let there =
            member.id == status.me || super::members::answers(world, place.as_ref()).await.is_ok();
        let follows = status.members.iter().any(|(one, _)| one.id == member.id);
        if there && follows {
            able.insert(member.id);
        }
    }
    let voters = status.members.iter().filter(|(_, votes)| *votes).map(|(one, _)| one.id);
    let voters = voters.collect();
    let wanted = wanted(&voters, &able, status.me, most as usize);
    if wanted == voters {
        return Ok(0);
    }
    world.store.vote(wanted).await?;
    Ok(1)
}

/// Who should have votes: `most` members that are there, or fewer, an odd number; those who have one first. A vote of
/// one that is off is taken only for another that is there: fewer votes would not make the cluster safer.
fn wanted(
    voters: &BTreeSet<MemberId>,
    able: &BTreeSet<MemberId>,
    leader: MemberId,
    most: usize,
) -> BTreeSet<MemberId> {
    let off = voters.difference(able).count();
    let spare = able.difference(voters);
    if off > 0 && spare.clone().next().is_none() {
        return voters.clone();
    }
    let most = most.min(able.len()).max(1);
    let odd = if most.is_multiple_of(2) { most - 1 } else { most };
    let keep = voters.intersection(able).filter(|id| **id != leader);
    std::iter::once(&leader)
        .chain(keep)
        .chain(spare.filter(|id| **id != leader))
        .take(odd)
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn votes_are_odd_and_of_members_that_are_there() {
        let set = |ids: &[MemberId]| BTreeSet::from_iter(ids.iter().copied());
        for (voters, able, most, want) in [
            (&[1][..], &[1][..], 3, &[1][..]),
            (&[1], &[1, 2], 3, &[1]),
            (&[1], &[1, 2, 3], 3, &[1, 2, 3]),
            (&[1], &[1, 2, 3, 4, 5], 3, &[1, 2, 3]),
            (&[1], &[1, 2, 3, 4, 5], 5, &[1, 2, 3, 4, 5]),
            // One is off, and nobody could vote instead: its vote stays.
            (&[1, 2, 3], &[1, 2], 3, &[1, 2, 3]),
            // One is off, and a fourth is there.
            (&[1, 2, 3], &[1, 2, 4], 3, &[1, 2, 4]),
            // One was removed.
            (&[1, 2], &[1, 2], 3, &[1]),
        ] {
            let found = wanted(&set(voters), &set(able), 1, most);
            assert_eq!(found, set(want), "{voters:?} {able:?} {most}");
        }
    }
}
