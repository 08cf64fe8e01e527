//! Which members take a new instance, and which of them before the others.

use options::{
    Options,
    member::{MemberOptions, Scheduler},
};
use store::MemberId;
use wire::Pulse;

use super::{
    check_place,
    members::answers,
    spread::{self, Alike, Spread},
    state::pulse,
};
use crate::{
    Error, Result, World,
    db::{
        instances,
        members::{self as rows, Part},
    },
};

/// A member that takes a new instance.
pub(super) struct Taker {
    /// Its number.
    pub(super) id: MemberId,
    /// How many it has.
    pub(super) instances: usize,
    /// How many of them the new one is to be apart from.
    alike: Alike,
    pulse: Pulse,
}

impl Taker {
    /// The least goes first: who has memory, who has the fewest of its like, who has time, who has the fewest.
    pub(super) fn rank(&self) -> (bool, Alike, bool, usize) {
        let Pulse { cpus, load, memory, available, .. } = self.pulse;
        (available < memory / SCARCE, self.alike, load > cpus * BUSY, self.instances)
    }
}

/// A member is short of memory when less than this part of it is free.
const SCARCE: u64 = 10;
/// A member is busy when its load, in hundredths, is more than this for each processor: one that computes and one
/// that waits.
const BUSY: u64 = 200;

/// The members that take a new instance: those that are there, of one of these groups (parted
/// by commas), with that architecture (any, if it is empty); and what it is to be apart from.
pub(super) async fn takers(
    world: &World,
    group: Option<&str>,
    architecture: &str,
    spread: Option<&Spread>,
) -> Result<Vec<Taker>> {
    let wanted: Vec<&str> = group.into_iter().flat_map(|names| names.split(',')).collect();
    let (members, counts, alike) = world.store.read(|db| {
        for name in &wanted {
            super::groups::find(db, name)?;
        }
        let (all, mut members) = (rows::all(db)?, Vec::new());
        let places = spread.map(|spread| spread.places(db)).transpose()?;
        let alike = spread::alike(&places.unwrap_or_default(), &all);
        for row in all {
            let groups = crate::db::cluster_groups::of_member(db, row.id)?;
            let takes = match (MemberOptions::parse_known(&row.config)?.scheduler, group) {
                (Scheduler::Manual, _) | (Scheduler::Group, None) => false,
                (_, Some(_)) => groups.iter().any(|name| wanted.contains(&name.as_str())),
                (Scheduler::All, None) => true,
            };
            let fits = architecture.is_empty() || row.architecture == architecture;
            if row.part == Part::Ready && takes && fits {
                members.push(row);
            }
        }
        Ok::<_, Error>((members, instances::counts(db)?, alike))
    })?;
    let me = world.store.status().me;
    let asked = members.into_iter().map(async |row| {
        let place = world.cluster.links.by_id(row.id);
        let pulse = match row.id == me {
            true => pulse(world),
            false => answers(world, place.as_ref()).await.ok()?,
        };
        let instances = counts.get(&row.id).copied().unwrap_or(0);
        let alike = alike.get(&row.id).copied().unwrap_or_default();
        Some(Taker { id: row.id, instances, alike, pulse })
    });
    Ok(futures_util::future::join_all(asked).await.into_iter().flatten().collect())
}

/// The member that takes an instance from another: of those that take any, and where its project may be, one that is not
/// overloaded and has the fewest.
pub(super) async fn best_but(
    world: &World,
    row: &instances::Instance,
    from: MemberId,
) -> Result<MemberId> {
    let spread = world.store.read(|db| spread::of(db, row))?;
    let takers = takers(world, None, &row.architecture, spread.as_ref()).await?;
    let mut others: Vec<_> = takers.into_iter().filter(|one| one.id != from).collect();
    others.sort_by_key(|one| (one.rank(), one.id));
    let may = |id: &MemberId| {
        let place = world.cluster.links.by_id(*id);
        let here = *id == world.store.status().me;
        (here || place.is_some()) && check_place(world, &row.project, place.as_ref()).is_ok()
    };
    let best = others.iter().map(|one| one.id).find(may);
    best.ok_or_else(|| Error::NoPlace { architecture: row.architecture.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_overloaded_is_taken_last() {
        let taker = |id, instances, load, available| {
            let pulse = Pulse { cpus: 4, load, memory: 1000, available, ..Pulse::default() };
            Taker { id, instances, alike: Alike::default(), pulse }
        };
        let mut takers = [
            taker(1, 0, 0, 99),
            taker(2, 0, 801, 500),
            taker(3, 9, 800, 100),
            taker(4, 8, 0, 1000),
        ];
        takers.sort_by_key(Taker::rank);
        assert_eq!(takers.map(|one| one.id), [4, 3, 2, 1]);
    }
}
