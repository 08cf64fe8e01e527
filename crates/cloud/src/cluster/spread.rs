//! Instances that are to be apart from each other, as `cluster.spread` says: those of one project that have the same
//! word there. Failure domains come first, then members; who must do with what is there is placed all the same.

use std::collections::BTreeMap;

use options::Raw;
use store::Read;
use wire::InstancesPost;

use crate::{
    Result, World,
    db::{
        instances::{self, Instance},
        members::Member,
        profiles as rows,
    },
    profiles,
};

/// The key.
const SPREAD: &str = "cluster.spread";

/// What an instance is to be apart from.
#[derive(Debug)]
pub struct Spread {
    project: String,
    word: String,
    /// It itself, if it is there already.
    but: i64,
}

/// How many of its like a member has already, and its failure domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alike {
    domain: usize,
    member: usize,
}

/// What a new instance is to be apart from, by itself or by its profiles.
pub fn spread(world: &World, project: &str, post: &InstancesPost) -> Result<Option<Spread>> {
    let default = || vec![String::from(profiles::DEFAULT)];
    let names = post.profiles.clone().unwrap_or_else(default);
    let own = Raw::from(post.config.clone());
    world.store.read(|db| {
        let word = Words::new(db, project)?.of(&own, &names)?;
        Ok(word.map(|word| Spread { project: project.to_owned(), word, but: 0 }))
    })
}

/// What an instance is to be apart from.
pub(super) fn of(db: &Read<'_>, row: &Instance) -> Result<Option<Spread>> {
    let word = Words::new(db, &row.project)?.of(&row.config, &row.profiles)?;
    Ok(word.map(|word| Spread { project: row.project.clone(), word, but: row.id }))
}

impl Spread {
    /// The members that have its like, one for each.
    pub(super) fn places(&self, db: &Read<'_>) -> Result<Vec<String>> {
        let (mut found, mut words) = (Vec::new(), Words::new(db, &self.project)?);
        for other in instances::all(db)? {
            if other.project != self.project || other.id == self.but {
                continue;
            }
            let word = words.of(&other.config, &other.profiles)?;
            found.extend((word.as_ref() == Some(&self.word)).then_some(other.member));
        }
        Ok(found)
    }
}

/// What instances of a project have at the key; profiles are read once.
struct Words<'a> {
    db: &'a Read<'a>,
    home: String,
    profiles: BTreeMap<String, Option<String>>,
}

impl<'a> Words<'a> {
    fn new(db: &'a Read<'a>, project: &str) -> Result<Words<'a>> {
        let home = profiles::home(db, project)?;
        Ok(Words { db, home, profiles: BTreeMap::new() })
    }

    fn of(&mut self, own: &Raw, profiles: &[String]) -> Result<Option<String>> {
        let mut word = own.get(SPREAD).map(str::to_owned);
        for name in profiles.iter().rev() {
            if word.is_some() {
                break;
            }
            word = self.of_profile(name)?;
        }
        Ok(word.filter(|word| !word.is_empty()))
    }

    fn of_profile(&mut self, name: &str) -> Result<Option<String>> {
        if let Some(known) = self.profiles.get(name) {
            return Ok(known.clone());
        }
        let found = rows::get(self.db, &self.home, name)?;
        let word = found.and_then(|found| found.config.get(SPREAD).map(str::to_owned));
        self.profiles.insert(name.to_owned(), word.clone());
        Ok(word)
    }
}

/// How many are on each member, and in its failure domain.
pub(super) fn alike(places: &[String], members: &[Member]) -> BTreeMap<u64, Alike> {
    let on = |name: &str| places.iter().filter(|place| *place == name).count();
    let within = |domain: &str| {
        let same = members.iter().filter(|one| one.failure_domain == domain);
        same.map(|one| on(&one.name)).sum()
    };
    let count = |one: &Member| {
        (one.id, Alike { domain: within(&one.failure_domain), member: on(&one.name) })
    };
    members.iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_come_before_members() {
        let member = |id: u64, domain: &str| Member {
            id,
            name: format!("m{id}"),
            failure_domain: domain.into(),
            ..Member::default()
        };
        let members = [member(1, "a"), member(2, "a"), member(3, "b"), member(4, "b")];
        let mut places: Vec<String> = Vec::new();
        for next in [1, 3, 2, 4, 1] {
            let count = alike(&places, &members);
            let best = members.iter().min_by_key(|one| (count[&one.id], one.id)).unwrap();
            assert_eq!(best.id, next, "{places:?}");
            places.push(best.name.clone());
        }
    }
}
