//! Gives members their votes: an odd number of them, as many as there may be, all in one change, so that there is
//! never an even number. Only the leader does.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use options::{Options, server::ServerOptions};
use store::{MemberId, Role};
use tasks::{Reconciler, Report};

use crate::{
    Error, Result, World,
    db::{
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
    let (members, options) = world.store.read(|db| {
        Ok::<_, Error>((rows::all(db)?, ServerOptions::parse_known(&server::get(db)?)?))
    })?;
    let status = world.store.status();
    let voters = status.members.iter().filter(|(_, votes)| *votes).map(|(one, _)| one.id);
    let voters: BTreeSet<MemberId> = voters.collect();
    let patience = Duration::from_secs(options.offline_threshold.get().unsigned_abs());
    // All at once: one that is silent is waited for two seconds.
    let known = members.iter().filter(|member| member.part != Part::Joining);
    let asked = known.map(async |member| {
        let place = world.cluster.links.by_id(member.id);
        let there = member.id == status.me
            || super::members::answers_at_all(world, place.as_ref()).await.is_ok();
        // One that has a vote keeps it for a while, as it may only be starting anew.
        let silent = world.cluster.links.silent_for(member.id);
        let lately = voters.contains(&member.id) && silent.is_some_and(|time| time < patience);
        let follows = status.members.iter().any(|(one, _)| one.id == member.id);
        ((there || lately) && follows).then_some((member.id, member.failure_domain.as_str()))
    });
    let able = futures_util::future::join_all(asked).await.into_iter().flatten().collect();
    let wanted = wanted(&voters, &able, status.me, options.max_voters as usize);
    if wanted == voters {
        return Ok(0);
    }
    world.store.vote(wanted).await?;
    Ok(1)
}

/// Who should have votes: `most` members that are there, or fewer, an odd number; spread over failure domains, and within
/// that those who have one first. A vote of one that is off is taken only for another that is there: fewer votes would
/// not make the cluster safer.
fn wanted(
    voters: &BTreeSet<MemberId>,
    able: &BTreeMap<MemberId, &str>,
    leader: MemberId,
    most: usize,
) -> BTreeSet<MemberId> {
    let off = voters.iter().any(|id| !able.contains_key(id));
    let spare = able.keys().any(|id| !voters.contains(id));
    if off && !spare {
        return voters.clone();
    }
    let most = most.min(able.len()).max(1);
    let odd = if most.is_multiple_of(2) { most - 1 } else { most };
    let mut chosen = BTreeSet::from([leader]);
    let mut domains: BTreeMap<&str, usize> =
        able.get(&leader).map(|it| (*it, 1)).into_iter().collect();
    while chosen.len() < odd {
        let rest = able.iter().filter(|(id, _)| !chosen.contains(id));
        let have = |domain: &str| domains.get(domain).copied().unwrap_or(0);
        let next = rest.min_by_key(|(id, domain)| (have(domain), !voters.contains(id), **id));
        let Some((id, domain)) = next else { break };
        chosen.insert(*id);
        *domains.entry(domain).or_default() += 1;
    }
    chosen
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
            let there = able.iter().map(|id| (*id, "default")).collect();
            let found = wanted(&set(voters), &there, 1, most);
            assert_eq!(found, set(want), "{voters:?} {able:?} {most}");
        }
    }

    #[test]
    fn votes_are_spread_over_failure_domains_and_stay_there() {
        let able = BTreeMap::from([(1, "a"), (2, "a"), (3, "a"), (4, "b"), (5, "c")]);
        let all_in_one = BTreeSet::from([1, 2, 3]);
        let spread = wanted(&all_in_one, &able, 2, 3);
        assert_eq!(spread, BTreeSet::from([2, 4, 5]));
        // Whoever of them leads.
        for leader in [2, 4, 5] {
            assert_eq!(wanted(&spread, &able, leader, 3), spread);
        }
    }
}
