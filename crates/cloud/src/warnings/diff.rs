//! What of the rows is to change, so that they tell what is wrong now.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Kind, NEW, RESOLVED,
    notes::{About, Troubles},
};
use crate::db::warnings::Warning;

/// One that is resolved is forgotten after this.
const KEPT: TimeDelta = TimeDelta::days(1);

/// What is known besides the rows of a member and its troubles.
pub(crate) struct Seen<'a> {
    /// This member.
    pub(crate) member: &'a str,
    /// What was told of already: it does not come back when a client deletes its row.
    pub(crate) told: &'a BTreeSet<About>,
    /// Addresses of the instances there are, and whether each runs.
    pub(crate) instances: &'a BTreeMap<String, bool>,
    /// Now.
    pub(crate) now: DateTime<Utc>,
}

/// A row that is to be there, or not.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// As it is to be.
    Put(Warning),
    /// By its id.
    Delete(String),
}

/// All that is to change. `fresh` makes ids.
pub(crate) fn diff(
    rows: &[Warning],
    troubles: &Troubles,
    seen: &Seen<'_>,
    mut fresh: impl FnMut() -> String,
) -> Vec<Change> {
    let own = |row: &&Warning| row.member == seen.member;
    let mut changes: Vec<Change> =
        rows.iter().filter(own).filter_map(|row| of_row(row, troubles, seen)).collect();
    for (about, said) in troubles {
        let known = |row: &Warning| row.member == seen.member && is_about(row, about);
        if !rows.iter().any(known) && !seen.told.contains(about) {
            changes.push(Change::Put(Warning {
                uuid: fresh(),
                member: seen.member.to_owned(),
                project: about.project.clone(),
                entity: about.entity.clone(),
                kind: about.kind.name().to_owned(),
                status: NEW.to_owned(),
                count: 1,
                first_seen_at: seen.now,
                last_seen_at: seen.now,
                updated_at: seen.now,
                message: said.clone(),
            }));
        }
    }
    changes
}

fn is_about(row: &Warning, about: &About) -> bool {
    row.kind == about.kind.name() && row.project == about.project && row.entity == about.entity
}

fn of_row(row: &Warning, troubles: &Troubles, seen: &Seen<'_>) -> Option<Change> {
    let with = |status: &str| {
        Change::Put(Warning { status: status.to_owned(), updated_at: seen.now, ..row.clone() })
    };
    let open = row.status != RESOLVED;
    match troubles.iter().find(|(about, _)| is_about(row, about)) {
        Some((_, said)) if !open => Some(Change::Put(Warning {
            status: NEW.to_owned(),
            count: row.count + 1,
            last_seen_at: seen.now,
            updated_at: seen.now,
            message: said.clone(),
            ..row.clone()
        })),
        Some((_, said)) if *said != row.message => Some(Change::Put(Warning {
            message: said.clone(),
            last_seen_at: seen.now,
            ..row.clone()
        })),
        Some(_) => None,
        None if row.kind == Kind::Autostart.name() => match seen.instances.get(&row.entity) {
            None => Some(Change::Delete(row.uuid.clone())),
            // Nobody remembers it over a start of the daemon, and it is not over by that.
            Some(true) if open => Some(with(RESOLVED)),
            Some(_) => outdated(row, seen.now),
        },
        None if open => Some(with(RESOLVED)),
        None => outdated(row, seen.now),
    }
}

fn outdated(row: &Warning, now: DateTime<Utc>) -> Option<Change> {
    let over = row.status == RESOLVED && now - row.updated_at > KEPT;
    over.then(|| Change::Delete(row.uuid.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        rows: Vec<Warning>,
        told: BTreeSet<About>,
        instances: BTreeMap<String, bool>,
        now: DateTime<Utc>,
    }

    impl Scene {
        fn new() -> Scene {
            let now = DateTime::UNIX_EPOCH;
            Scene { rows: Vec::new(), told: BTreeSet::new(), instances: BTreeMap::new(), now }
        }

        /// Lets an hour pass, and applies what changes; says how much.
        fn step(&mut self, troubles: &[(Kind, &str, &str)]) -> usize {
            self.now += TimeDelta::hours(1);
            let about = |kind, entity: &str| About {
                kind,
                project: String::new(),
                entity: entity.to_owned(),
            };
            let troubles: Troubles = troubles
                .iter()
                .map(|(kind, at, said)| (about(*kind, at), (*said).to_owned()))
                .collect();
            let seen =
                Seen { member: "a", told: &self.told, instances: &self.instances, now: self.now };
            let mut ids = self.rows.len();
            let changes = diff(&self.rows, &troubles, &seen, || {
                ids += 1;
                format!("id-{ids}")
            });
            let count = changes.len();
            for change in changes {
                let gone = match &change {
                    Change::Put(new) => &new.uuid,
                    Change::Delete(uuid) => uuid,
                };
                self.rows.retain(|row| row.uuid != *gone);
                if let Change::Put(new) = change {
                    self.rows.push(new);
                }
            }
            self.told = troubles.keys().cloned().collect();
            count
        }

        fn only(&self) -> (&str, i64, &str) {
            assert_eq!(self.rows.len(), 1);
            let row = &self.rows[0];
            (&row.status, row.count, &row.message)
        }
    }

    #[test]
    fn trouble_that_lasts_is_written_once_and_resolved_once() {
        let mut scene = Scene::new();
        let pool = [(Kind::Pool, "/1.0/storage-pools/a", "gone")];
        assert_eq!((scene.step(&pool), scene.step(&pool)), (1, 0));
        assert_eq!(scene.only(), ("new", 1, "gone"));
        scene.step(&[(Kind::Pool, "/1.0/storage-pools/a", "still gone")]);
        assert_eq!(scene.only(), ("new", 1, "still gone"));
        assert_eq!((scene.step(&[]), scene.step(&[])), (1, 0));
        assert_eq!(scene.only(), ("resolved", 1, "still gone"));
        scene.step(&pool);
        assert_eq!(scene.only(), ("new", 2, "gone"));
        scene.step(&[]);
        for _ in 0..26 {
            scene.step(&[]);
        }
        assert!(scene.rows.is_empty());
    }

    #[test]
    fn what_is_acknowledged_or_deleted_stays_so_while_it_lasts() {
        let mut scene = Scene::new();
        let no_pids = [(Kind::NoPids, "", "none")];
        scene.step(&no_pids);
        scene.rows[0].status = String::from("acknowledged");
        assert_eq!(scene.step(&no_pids), 0);
        scene.rows.clear();
        assert_eq!(scene.step(&no_pids), 0);
        scene.step(&[]);
        assert_eq!(scene.step(&no_pids), 1);
    }

    #[test]
    fn a_failed_autostart_is_over_when_the_instance_runs_or_is_gone() {
        let mut scene = Scene::new();
        scene.instances.insert(String::from("/1.0/instances/c"), false);
        scene.step(&[(Kind::Autostart, "/1.0/instances/c", "no room")]);
        // A daemon that comes later has no note of it.
        assert_eq!(scene.step(&[]), 0);
        assert_eq!(scene.only(), ("new", 1, "no room"));
        scene.instances.insert(String::from("/1.0/instances/c"), true);
        scene.step(&[]);
        assert_eq!(scene.only(), ("resolved", 1, "no room"));
        scene.instances.clear();
        scene.step(&[]);
        assert!(scene.rows.is_empty());
    }

    #[test]
    fn what_other_members_say_is_left_alone() {
        let mut scene = Scene::new();
        scene.step(&[(Kind::NoPids, "", "none")]);
        scene.rows[0].member = String::from("b");
        assert_eq!(scene.step(&[]), 0);
        scene.told.clear();
        assert_eq!(scene.step(&[(Kind::NoPids, "", "none")]), 1);
        assert_eq!(scene.rows.len(), 2);
    }
}
