//! What rows become of a backup's index, which anybody may have written: all of it is checked as a
//! request would be.

use std::collections::BTreeSet;

use images::backup::Index;
use options::Raw;
use store::Read;
use wire::InstanceSnapshot;

use crate::{
    Error, Result, World, backups,
    db::{
        self,
        instance_snapshots::Snapshot,
        instances::{self as rows, Instance, Made},
    },
    expand,
    instances::{Kind, copy::draft::in_pool, options::Typed, root::NewRoot},
    projects::rules,
};

/// What is to be made.
pub(super) struct Draft {
    pub(super) instance: Instance,
    pub(super) snapshots: Vec<Snapshot>,
    pub(super) root: NewRoot,
}

/// The rows of a backup in a project, under `name` and in `pool` if they are given.
pub(super) fn draft(
    db: &Read<'_>,
    world: &World,
    project: &str,
    index: &Index,
    (name, pool): (Option<&str>, Option<&str>),
) -> Result<Draft> {
    let wrong = |why: &str| Error::invalid("backup", why);
    let kind = match index.r#type.as_str() {
        "container" | "" => Kind::Container,
        "virtual-machine" => Kind::VirtualMachine,
        other => return Err(wrong(&format!("it is one of a \"{other}\", not of an instance"))),
    };
    let config = index.config.as_ref();
    let given = config.and_then(|config| config.container.as_ref());
    let (Some(config), Some(given)) = (config, given) else {
        return Err(wrong("its index does not say what the instance was"));
    };
    let pool = root_pool(db, project, index, pool)?;
    backups::check_form(index, &crate::storage::find(db, &pool)?.driver)?;
    let name = name.unwrap_or(&index.name);
    options::names::check_instance(name).map_err(|why| Error::invalid("instance name", why))?;
    if rows::get(db, project, name)?.is_some() {
        return Err(Error::exists("instance", name));
    }
    crate::instances::check_profiles(db, &crate::profiles::home(db, project)?, &given.profiles)?;
    let taken = Taken::look(db)?;
    let mut instance = Instance {
        id: 0,
        project: project.to_owned(),
        name: name.to_owned(),
        kind: kind.word().to_owned(),
        architecture: given.architecture.clone(),
        member: world.me(),
        description: given.description.clone(),
        config: taken.own(&given.config.clone().into()),
        devices: db::devices_in(given.devices.clone()),
        profiles: given.profiles.clone(),
        ephemeral: given.ephemeral,
        created_at: clock::utc(),
        last_used_at: given.last_used_at.utc(),
        made: Made::Creating,
        stateful: false,
    };
    instance.devices = in_pool(db, &instance, &pool)?;
    let typed = with_root(db, &mut instance, &pool)?;
    crate::instances::check_devices(db, kind, (project, name), &typed)?;
    rules::admit(db, &instance)?;
    let mut snapshots: Vec<Snapshot> = Vec::new();
    for name in &index.snapshots {
        options::names::check_snapshot(name).map_err(|why| Error::invalid("snapshot name", why))?;
        if snapshots.iter().any(|other| other.name == *name) {
            return Err(wrong(&format!("its index names snapshot \"{name}\" twice")));
        }
        let described = config.snapshots.iter().find(|one| one.name == *name);
        let described = described
            .ok_or_else(|| wrong(&format!("its index does not say what \"{name}\" was")))?;
        snapshots.push(snapshot(db, &instance, described, &taken, &pool)?);
    }
    Ok(Draft { root: NewRoot::filled(db, kind, &typed)?, instance, snapshots })
}

/// Where the root goes: where it is asked to, where it was, or where new ones go.
fn root_pool(db: &Read<'_>, project: &str, index: &Index, given: Option<&str>) -> Result<String> {
    if let Some(given) = given {
        return Ok(crate::storage::find(db, given)?.name);
    }
    match crate::storage::find(db, &index.pool) {
        Ok(pool) => Ok(pool.name),
        Err(missing) => {
            let usual = crate::profiles::find(db, project, crate::profiles::DEFAULT)?;
            let root = usual.devices.0.values().find(|device| {
                device.get("type") == Some("disk") && device.get("path") == Some("/")
            });
            let pool = root.and_then(|root| root.get("pool"));
            pool.map_or(Err(missing), |pool| Ok(crate::storage::find(db, pool)?.name))
        }
    }
}

/// The instance's options; it gets a root disk if neither it nor its profiles have one.
fn with_root(db: &Read<'_>, instance: &mut Instance, pool: &str) -> Result<Typed> {
    let expanded = expand::expand(db, instance)?;
    let is_root =
        |device: &Raw| device.get("type") == Some("disk") && device.get("path") == Some("/");
    if !expanded.devices.0.values().any(is_root) {
        let root = Raw::from([("type", "disk"), ("path", "/"), ("pool", pool)]);
        instance.devices.0.insert("root".to_owned(), root);
    }
    Typed::parse_whole(&expand::expand(db, instance)?)
}

fn snapshot(
    db: &Read<'_>,
    instance: &Instance,
    given: &InstanceSnapshot,
    taken: &Taken,
    pool: &str,
) -> Result<Snapshot> {
    let mut snapshot = Snapshot {
        id: 0,
        instance_id: 0,
        name: given.name.clone(),
        description: instance.description.clone(),
        architecture: given.architecture.clone(),
        config: taken.own(&given.config.clone().into()),
        devices: db::devices_in(given.devices.clone()),
        profiles: given.profiles.clone(),
        ephemeral: given.ephemeral,
        stateful: false,
        created_at: given.created_at.utc(),
        last_used_at: given.last_used_at.utc(),
        expires_at: (!given.expires_at.is_never()).then(|| given.expires_at.utc()),
        scheduled: false,
        made: Made::Creating,
    };
    let mut then = snapshot.instance(instance);
    then.devices = in_pool(db, &then, pool)?;
    // A profile may be gone; then it cannot be restored, and says so.
    if then.profiles == instance.profiles {
        with_root(db, &mut then, pool)?;
    }
    snapshot.devices = then.devices;
    Ok(snapshot)
}

/// What other instances have that no two should.
struct Taken(BTreeSet<String>);

impl Taken {
    fn look(db: &Read<'_>) -> Result<Taken> {
        let mut taken = BTreeSet::new();
        for row in rows::all(db)? {
            let own = row.config.iter().filter(|(key, _)| kept(key) && *key != IMAGE);
            taken.extend(own.map(|(_, value)| value.to_owned()));
        }
        Ok(Taken(taken))
    }

    /// Options of the backup, of what its server remembered only what makes the instance the same
    /// one again: its addresses and ids, unless they live on in another.
    fn own(&self, config: &Raw) -> Raw {
        let mut own = config.clone();
        own.retain(|key, value| {
            !key.starts_with("volatile.") || key == IMAGE || kept(key) && !self.0.contains(value)
        });
        own
    }
}

const IMAGE: &str = "volatile.base_image";

fn kept(key: &str) -> bool {
    let Some(rest) = key.strip_prefix("volatile.") else { return false };
    ["base_image", "uuid", "uuid.generation", "cloud-init.instance-id"].contains(&rest)
        || rest.ends_with(".hwaddr") && !rest.ends_with(".last_state.hwaddr")
}
