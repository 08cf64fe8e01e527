//! What clients see of instances.

use std::{collections::HashMap, sync::Arc};

use options::Raw;
use wire::{
    Instance, InstanceBackup, InstanceFull, InstancePut, InstanceSnapshot, InstanceType, StatusCode,
};

use super::{
    Kind,
    guests::{Guest, Guests, Phase},
    kept::One,
};
use crate::{
    Error, Result, World,
    backups::Owner,
    db::{
        self, backups as backup_rows, instance_snapshots as snapshot_rows,
        instances::{self as rows, Made},
    },
    expand::{self, Expanded, Profiles},
};

/// How much of each to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// The row.
    Plain,
    /// And its state and snapshots.
    Full,
}

/// Every instance of a project, or of all, that is on this member.
pub async fn list(world: &World, project: Option<&str>, depth: Depth) -> Result<Vec<InstanceFull>> {
    let mut found = world.store.read(|db| {
        check(db, project)?;
        world.kept.map(world, db, |One { full, .. }| {
            of_project(project, full).then(|| match depth {
                Depth::Full => full.clone(),
                Depth::Plain => InstanceFull::from(full.instance.clone()),
            })
        })
    })?;
    if depth == Depth::Full {
        let names = found.iter().map(|full| (&*full.instance.project, &*full.instance.name));
        let states = super::state::of_all(world, names).await?;
        for (full, state) in found.iter_mut().zip(states) {
            full.state = Some(state);
        }
    }
    Ok(found)
}

/// Bytes of JSON that the state of one that runs takes, about.
const STATE: usize = 1536;

/// The same as the JSON of a list, of projects that are `seen`, behind what `out` has: an instance's own is made when it
/// changes, so that only the state is made for each request.
pub async fn json(
    world: &World,
    project: Option<&str>,
    depth: Depth,
    seen: &(dyn Fn(&str) -> bool + Sync),
    out: &mut Vec<u8>,
) -> Result<()> {
    let found = world.store.read(|db| {
        check(db, project)?;
        world.kept.map(world, db, |one| {
            let wanted = of_project(project, &one.full) && seen(&one.full.instance.project);
            wanted.then(|| (one.full.instance.clone(), one.text()))
        })
    })?;
    let mut states = Vec::new();
    if depth == Depth::Full {
        let names = found.iter().map(|(instance, _)| (&*instance.project, &*instance.name));
        states = super::state::of_all(world, names).await?;
    }
    let rows: usize = found.iter().map(|(_, text)| text.own.len() + text.beside.len() + 1).sum();
    // Once and as much as is needed: to move megabytes takes longer than to make them.
    out.reserve(rows + states.len() * STATE + 2);
    out.push(b'[');
    for (index, (_, text)) in found.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        out.extend_from_slice(text.own.as_bytes());
        if let Some(state) = states.get(index) {
            // Into the object that was just put there, and on to the end of what is beside it.
            out.pop();
            out.extend_from_slice(b",\"state\":");
            db::json_behind(out, state);
            out.push(b',');
            out.extend_from_slice(text.beside.as_bytes().get(1..).unwrap_or(b"}"));
        }
    }
    out.push(b']');
    Ok(())
}

fn of_project(project: Option<&str>, full: &InstanceFull) -> bool {
    project.is_none_or(|name| name == full.instance.project)
}

fn check(db: &store::Read<'_>, project: Option<&str>) -> Result<()> {
    project.map_or(Ok(()), |name| crate::projects::find(db, name).map(drop))
}

/// Project and name of every instance of a project, or of all, on whatever member: the database says so, and nobody else
/// need be asked.
pub fn names(world: &World, project: Option<&str>) -> Result<Vec<(String, String)>> {
    world.store.read(|db| {
        check(db, project)?;
        let mut found = rows::names(db)?;
        found.retain(|(of, _)| project.is_none_or(|name| name == of));
        Ok(found)
    })
}

/// The instances of a member that does not answer, as far as the rows tell of them.
pub fn unreachable(
    world: &World,
    project: Option<&str>,
    member: &str,
) -> Result<Vec<InstanceFull>> {
    let mut found = world.store.read(|db| {
        check(db, project)?;
        rows_of(db, world, Depth::Plain, member)
    })?;
    found.retain(|full| of_project(project, full));
    for full in &mut found {
        set_status(Arc::make_mut(&mut full.instance), StatusCode::ERROR);
    }
    Ok(found)
}

/// Those of a member that are whole, without their state, as they are in the state that is read.
pub(super) fn rows_of(
    db: &store::Read<'_>,
    world: &World,
    depth: Depth,
    member: &str,
) -> Result<Vec<InstanceFull>> {
    let clustered = world.is_clustered();
    let profiles = Profiles::read(db)?;
    let mut beside = (depth == Depth::Full).then(|| Beside::read(db)).transpose()?;
    let mut found = Vec::new();
    for row in rows::on(db, member)? {
        if row.made == Made::Ready {
            let expanded = profiles.lay(&row);
            let beside = beside.as_mut().map(|all| all.of(db, &row)).transpose()?;
            let full = InstanceFull::from(render(&world.guests, row, expanded, clustered));
            found.push(with_beside(full, beside));
        }
    }
    Ok(found)
}

/// One instance.
pub async fn get(world: &World, project: &str, name: &str, depth: Depth) -> Result<InstanceFull> {
    let clustered = world.is_clustered();
    let full = world.store.read(|db| {
        let row = super::find(db, project, name)?;
        let expanded = expand::expand(db, &row)?;
        let beside = (depth == Depth::Full).then(|| of_one(db, &row)).transpose()?;
        let full = InstanceFull::from(render(&world.guests, row, expanded, clustered));
        Ok::<_, Error>(with_beside(full, beside))
    })?;
    if depth == Depth::Plain { Ok(full) } else { with_state(world, full).await }
}

async fn with_state(world: &World, mut full: InstanceFull) -> Result<InstanceFull> {
    let (project, name) = (&full.instance.project, &full.instance.name);
    full.state = Some(super::state::of(world, project, name).await?);
    Ok(full)
}

/// What is shown beside an instance: its snapshots and its backups.
type Shown = (Vec<InstanceSnapshot>, Vec<InstanceBackup>);

fn with_beside(full: InstanceFull, beside: Option<Shown>) -> InstanceFull {
    let (snapshots, backups) = beside.unzip();
    InstanceFull { snapshots, backups, ..full }
}

fn of_one(db: &store::Read<'_>, row: &rows::Instance) -> Result<Shown> {
    let snapshots = super::snapshots::rendered(db, row)?;
    Ok((snapshots, crate::backups::rendered::<super::backups::Of>(db, row.id)?))
}

/// The snapshots and backups of all instances, by the instance's key, read once for a list.
struct Beside {
    snapshots: HashMap<i64, Vec<snapshot_rows::Snapshot>>,
    backups: HashMap<i64, Vec<backup_rows::Backup>>,
}

impl Beside {
    fn read(db: &store::Read<'_>) -> Result<Beside> {
        let mut all = Beside { snapshots: HashMap::new(), backups: HashMap::new() };
        for row in snapshot_rows::all(db)? {
            all.snapshots.entry(row.instance_id).or_default().push(row);
        }
        for row in super::backups::Of::ROWS.all(db)? {
            all.backups.entry(row.owner_id).or_default().push(row);
        }
        Ok(all)
    }

    fn of(&mut self, db: &store::Read<'_>, row: &rows::Instance) -> Result<Shown> {
        let snapshots = self.snapshots.remove(&row.id).unwrap_or_default();
        let snapshots = super::snapshots::render_all(db, row, snapshots)?;
        let backups = self.backups.remove(&row.id).unwrap_or_default();
        Ok((snapshots, crate::backups::render_all::<super::backups::Of>(backups)))
    }
}

pub(crate) fn status(guests: &Guests, project: &str, name: &str) -> StatusCode {
    status_of(guests.get(project, name).as_ref())
}

/// The status of what runs; `None` is one that does not.
pub(super) fn status_of(guest: Option<&Guest>) -> StatusCode {
    let Some(guest) = guest else { return StatusCode::STOPPED };
    match guest.phase() {
        Phase::Running if guest.trouble().is_some() => StatusCode::ERROR,
        Phase::Running if guest.devlxd().is_ready() => StatusCode::READY,
        Phase::Running => StatusCode::RUNNING,
        Phase::Frozen => StatusCode::FROZEN,
        Phase::Starting => StatusCode::STARTING,
        Phase::Gone => StatusCode::STOPPED,
    }
}

pub(super) fn set_status(instance: &mut Instance, status: StatusCode) {
    status.name().clone_into(&mut instance.status);
    instance.status_code = status;
}

fn render(guests: &Guests, row: rows::Instance, expanded: Expanded, clustered: bool) -> Instance {
    let status = status(guests, &row.project, &row.name);
    Instance {
        status: status.name().to_owned(),
        status_code: status,
        created_at: row.created_at.into(),
        last_used_at: row.last_used_at.into(),
        location: if clustered { row.member.clone() } else { String::from("none") },
        r#type: match row.kind() {
            Kind::Container => InstanceType::Container,
            Kind::VirtualMachine => InstanceType::VirtualMachine,
        },
        stateful: row.stateful,
        config: out(row.config),
        devices: db::devices_out(row.devices),
        expanded_config: out(expanded.config),
        expanded_devices: db::devices_out(expanded.devices),
        name: row.name,
        description: row.description,
        project: row.project,
        architecture: row.architecture,
        ephemeral: row.ephemeral,
        profiles: row.profiles,
    }
}

fn out(config: Raw) -> wire::ConfigMap {
    config.0
}

/// What a client may edit of an instance.
pub(crate) fn writable(row: &rows::Instance) -> InstancePut {
    InstancePut {
        architecture: row.architecture.clone(),
        config: row.config.0.clone(),
        devices: db::devices_out(row.devices.clone()),
        ephemeral: row.ephemeral,
        profiles: Some(row.profiles.clone()),
        restore: String::new(),
        stateful: row.stateful,
        description: row.description.clone(),
    }
}
