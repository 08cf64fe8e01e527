//! Members of two versions at once, as while they are upgraded one after another (`docs/decisions/upgrade.md`): who
//! changes the database when, and what a member does meanwhile whose program does not fit what is in it.
//!
//! ```text
//! a step that adds     the first member that knows it makes it; the others make it as well, and work on
//! a step that breaks   the leader makes it, once all that are on know it
//!                        └─ until then who needs it waits; afterwards who does not know it stands aside
//! ```
//! Who waits or stands aside answers every request with the reason. It has a vote, what others write comes, and its
//! instances run; as soon as it fits it begins anew.

use std::{fmt, sync::Arc, time::Duration};

use options::{Options, server::ServerOptions};
use store::{Kind, Migration, Role};
use wire::Pulse;

use super::links::Place;
use crate::{
    Error, World,
    db::server,
    server::{VERSION, doors},
};

/// Between two tries to bring the database to what this member knows, of a leader that needs it; each asks all others.
const AGAIN: Duration = Duration::from_secs(2);
/// The same of one that waits for the leader.
const SELDOM: Duration = Duration::from_secs(10);
/// The same of one that works meanwhile.
const RARELY: Duration = Duration::from_secs(30);
/// For what was changed while this member was off.
const CATCH_UP: Duration = Duration::from_secs(2);
/// Nothing is to be done before the database changes.
const LONG: Duration = Duration::from_secs(60 * 60);
/// For how long a member may be silent and count as on, where the options cannot be read.
const STARTING: i64 = 20;

/// Why a member's program does not fit the cluster's database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is too old.
    Older {
        /// The level that must be known.
        needs: u32,
        /// The one that it knows.
        known: u32,
    },
    /// The database is too old.
    Ahead {
        /// The level that it needs.
        needs: u32,
        /// What hinders that.
        behind: Vec<String>,
    },
}

impl std::error::Error for Unfit {}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unfit::Older { needs, known } => write!(
                f,
                "this server, version {VERSION}, is older than its cluster: the database has level {needs} by now, and \
                 this version knows it up to level {known}. Upgrade it; its instances run on meanwhile, and it votes"
            ),
            Unfit::Ahead { needs, behind } if behind.is_empty() => write!(
                f,
                "this server, version {VERSION}, waits for the leader of its cluster to bring the database to level \
                 {needs}: try again in a moment"
            ),
            Unfit::Ahead { needs, behind } => write!(
                f,
                "this server, version {VERSION}, is newer than its cluster and waits for: {}. It needs level {needs} of \
                 the database, which those that are on must know, too: upgrade them, or turn them off. Its instances run \
                 on meanwhile, and it votes",
                behind.join(", ")
            ),
        }
    }
}

impl World {
    /// Why this member does nothing but vote, if that is so.
    pub fn unfit(&self) -> Option<Unfit> {
        self.cluster.unfit()
    }
}

/// Whether this member's program fits the database, which is changed for that if it can be; at start. Otherwise it is
/// to answer with the reason, and nothing else.
pub async fn fits(world: &World) -> bool {
    if world.store.status().leader.is_some() {
        // What was changed while it was off counts; without it, it is found out a moment later.
        let latest = world.store.read_latest(|_| Ok::<_, Error>(()));
        let _ = tokio::time::timeout(CATCH_UP, latest).await;
    }
    let unfit = look(world).await;
    let fits = unfit.is_none();
    say(world, unfit).await;
    fits
}

/// Keeps the database as new as the members allow, and has the daemon begin anew when its program begins to fit, or
/// ceases to.
pub async fn watch_versions(world: Arc<World>) {
    let mut changed = world.store.watch();
    loop {
        if world.is_clustered() && !world.cluster.is_removed() {
            let (was, now) = (world.unfit(), look(&world).await);
            if was.is_some() != now.is_some() {
                tracing::info!("beginning anew, as the database was changed for another version");
                return world.cluster.begin_anew();
            }
            say(&world, now).await;
        }
        let level = world.store.level();
        let pause = pause(&world);
        let another = changed.wait_for(|_| world.store.level() != level);
        // Either way it is looked at anew.
        let _ = tokio::time::timeout(pause, another).await;
    }
}

fn pause(world: &World) -> Duration {
    if world.store.level() >= world.store.known_level() {
        return LONG;
    }
    match (world.unfit(), world.store.status().role) {
        (Some(_), Role::Leader) => AGAIN,
        (Some(_), _) => SELDOM,
        (None, _) => RARELY,
    }
}

async fn say(world: &World, unfit: Option<Unfit>) {
    let before = world.unfit();
    if before == unfit {
        return;
    }
    if let Some(unfit) = &unfit {
        tracing::warn!("{unfit}");
    }
    let turned = before.is_some() != unfit.is_some();
    world.cluster.set_unfit(unfit);
    if turned && let Err(error) = doors::follow(world).await {
        tracing::debug!(error = %tasks::chain(&error), "doors that are not needed stay open");
    }
}

async fn look(world: &World) -> Option<Unfit> {
    let store = &world.store;
    if let Err(store::Error::NewerSchema { found, known }) = store.check_known() {
        return Some(Unfit::Older { needs: found, known });
    }
    let needs = store.works_from();
    let behind = match store.level() < store.known_level() {
        true => raise(world).await,
        false => Vec::new(),
    };
    (store.level() < needs).then_some(Unfit::Ahead { needs, behind })
}

/// Brings the database to the newest level that may be; says what hinders the next one.
async fn raise(world: &World) -> Vec<String> {
    let status = world.store.status();
    if status.leader.is_none() {
        return vec![String::from("a majority of the members")];
    }
    let others = others(world).await;
    let leads = status.role == Role::Leader;
    let (level, behind) = reach(world.store.schema(), status.schema_level, leads, &others);
    if level == status.schema_level {
        return behind;
    }
    match world.store.raise_schema(level).await {
        Ok(()) => {
            tracing::info!(level, "the database was changed for a newer version");
            behind
        }
        Err(error) => vec![tasks::chain(&error)],
    }
}

/// Another member, as far as its version matters.
struct Other {
    name: String,
    said: Said,
}

enum Said {
    /// It is on, is of that version, and knows the database up to that level; none, if it is so old that it works
    /// with none that is newer.
    Knows(String, u32),
    /// It does not answer; whether for so long that it is off.
    Nothing { off: bool },
}

async fn others(world: &World) -> Vec<Other> {
    let patience = world.store.read(|db| {
        let options = ServerOptions::parse_known(&server::get(db)?);
        Ok::<_, Error>(options.map_or(STARTING, |options| options.offline_threshold.get()))
    });
    let patience = Duration::from_secs(patience.unwrap_or(STARTING).unsigned_abs());
    let asked = world.cluster.links.others().into_iter().map(async |place| {
        let said = match super::members::answers_at_all(world, Some(&place)).await {
            Ok(Pulse { version, schema, .. }) => Said::Knows(version, schema),
            Err(_) => Said::Nothing { off: is_off(world, &place, patience) },
        };
        Other { name: place.name, said }
    });
    futures_util::future::join_all(asked).await
}

fn is_off(world: &World, place: &Place, patience: Duration) -> bool {
    world.cluster.links.silent_for(place.id).is_some_and(|time| time >= patience)
}

/// How far the database may be changed from that level, and who hinders the next step.
fn reach(schema: &[Migration], from: u32, leads: bool, others: &[Other]) -> (u32, Vec<String>) {
    let mut level = from;
    for step in schema.iter().filter(|step| step.level > from) {
        let behind: Vec<String> =
            others.iter().filter(|one| hinders(step, one)).map(words).collect();
        if !behind.is_empty() || (step.kind.breaks() && !leads) {
            return (level, behind);
        }
        level = step.level;
    }
    (level, Vec::new())
}

fn hinders(step: &Migration, other: &Other) -> bool {
    match (&other.said, step.kind) {
        (Said::Knows(_, known), _) if *known >= step.level => false,
        (Said::Knows(_, known), Kind::Adds) => *known == 0,
        (Said::Nothing { .. }, Kind::Adds) => false,
        (Said::Knows(..), Kind::Breaks | Kind::BreaksLater) => true,
        (Said::Nothing { off }, Kind::Breaks | Kind::BreaksLater) => !off,
    }
}

fn words(other: &Other) -> String {
    let name = &other.name;
    match &other.said {
        Said::Knows(_, 0) => format!("{name} (an older version)"),
        Said::Knows(version, level) => format!("{name} (version {version}, level {level})"),
        Said::Nothing { .. } => format!("{name} (does not answer)"),
    }
}

/// What is to be told of a member's version beside this one's; nothing if it is the same.
pub(super) fn difference(pulse: &Pulse, known: u32) -> Option<String> {
    match (pulse.version.as_str(), pulse.schema) {
        ("", _) => Some(format!("of an older version than this member, {VERSION}")),
        (VERSION, level) if level == known => None,
        (version, level) => Some(format!(
            "of version {version}, which knows the database up to level {level}; this member is {VERSION}, up to {known}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(level: u32, kind: Kind) -> Migration {
        Migration { level, name: "step", kind, sql: "" }
    }

    #[test]
    fn what_adds_waits_for_nobody_and_what_breaks_for_all_that_are_on() {
        let schema = [step(1, Kind::Breaks), step(2, Kind::Adds), step(3, Kind::Breaks)];
        let on = |level| Said::Knows("0.1.0".into(), level);
        let off = || Said::Nothing { off: true };
        let starting = || Said::Nothing { off: false };
        let reach = |from, leads, said: Vec<Said>| {
            let other = |(n, said)| Other { name: format!("m{}", n + 2), said };
            let others: Vec<_> = said.into_iter().enumerate().map(other).collect();
            let (level, behind) = reach(&schema, from, leads, &others);
            (level, behind.join(", "))
        };
        let is = |level, behind: &str| (level, behind.to_owned());
        assert_eq!(reach(1, true, vec![on(1), off()]), is(2, "m2 (version 0.1.0, level 1)"));
        assert_eq!(reach(1, false, vec![on(3), off()]), is(2, ""), "the leader does the rest");
        assert_eq!(reach(1, true, vec![on(3), off()]), is(3, ""));
        assert_eq!(reach(2, true, vec![on(4), starting()]), is(2, "m3 (does not answer)"));
        assert_eq!(reach(1, true, vec![on(0), on(3)]), is(1, "m2 (an older version)"));
        assert_eq!(reach(3, true, vec![on(0)]), is(3, ""));
    }

    #[test]
    fn another_version_is_told() {
        let pulse =
            |version: &str, schema| Pulse { version: version.into(), schema, ..Pulse::default() };
        assert_eq!(difference(&pulse(VERSION, 3), 3), None);
        for (version, level) in [("", 0), (VERSION, 2), ("9.9.9", 3)] {
            let told = difference(&pulse(version, level), 3).unwrap();
            assert!(told.contains(VERSION) && told.contains(version), "{told}");
        }
    }
}
