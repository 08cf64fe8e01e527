//! Managed networks: bridges that this server makes, serves and connects to the outside.
//!
//! `auto` in an address is replaced by what was chosen, so that a network keeps its subnet. What
//! stands in the kernel is made and repaired by one call, [`network::Plane::apply`].

use options::{Options, Raw, network::BridgeOptions};
use store::Read;
use wire::{Network, NetworkPut};

use crate::{
    Error, Result, World,
    db::{
        instances::{self, Made},
        members, networks as rows, profiles,
    },
    names::DEFAULT_PROJECT,
    url,
};

pub(crate) mod addresses;
mod create;
mod delete;
pub(crate) mod hosts;
mod leases;
pub(crate) mod port;
pub(crate) mod ports;
mod rename;
pub(crate) mod spec;
mod state;
mod update;

pub(crate) use self::{
    create::Create,
    delete::{Delete, remove_folder},
    rename::Rename,
};
pub use self::{
    create::{create, promise},
    delete::delete,
    leases::leases,
    rename::rename,
    state::state,
    update::update,
};

/// Held by whoever repairs a network or ends its last traces, so that a repair does not bring back a
/// network that is being deleted.
pub(crate) async fn repairing(world: &World, name: &str) -> tasks::Guard {
    let claim = [tasks::Claim::alone(format!("network-repair/{name}"))];
    world.locks().lock(&claim, "the repair of the network").await
}

/// Every managed network of a project, or of all; then the machine's own links.
pub async fn list(world: &World, project: Option<&str>) -> Result<Vec<Network>> {
    let mut found = world.store.read(|db| {
        let home = project.map(|name| home(db, name)).transpose()?;
        let wanted = |row: &rows::Network| {
            row.made == Made::Ready && home.as_ref().is_none_or(|home| *home == row.project)
        };
        let rows = rows::all(db)?.into_iter().filter(wanted);
        let mut found = rows.map(|row| render(db, row)).collect::<Result<Vec<_>>>()?;
        if home.as_deref().is_none_or(|home| home == DEFAULT_PROJECT) {
            found.extend(pending(db)?);
        }
        Ok::<_, Error>(found)
    })?;
    found.extend(state::unmanaged(world, &found).await?);
    Ok(found)
}

/// One network.
pub async fn get(world: &World, project: &str, name: &str) -> Result<Network> {
    match world.store.read(|db| render(db, find(db, project, name)?)) {
        Err(Error::NotFound { what, name }) => {
            let told = world.store.read(pending)?;
            if let Some(found) = told.into_iter().find(|network| network.name == name) {
                return Ok(found);
            }
            let links = state::unmanaged(world, &[]).await?;
            let found = links.into_iter().find(|link| link.name == name);
            found.ok_or(Error::NotFound { what, name })
        }
        found => found,
    }
}

/// The project in which networks of `project` live.
pub(crate) fn home(db: &Read<'_>, project: &str) -> Result<String> {
    Ok(crate::projects::find(db, project)?.home_of("features.networks").to_owned())
}

pub(crate) fn find(db: &Read<'_>, project: &str, name: &str) -> Result<rows::Network> {
    rows::get(db, &home(db, project)?, name)?
        .filter(|row| row.made == Made::Ready)
        .ok_or_else(|| Error::not_found("network", name))
}

fn render(db: &Read<'_>, row: rows::Network) -> Result<Network> {
    Ok(Network {
        used_by: users(db, &row)?,
        name: row.name,
        description: row.description,
        r#type: row.kind,
        managed: true,
        status: String::from("Created"),
        config: row.config.0,
        locations: members::locations(db)?,
        project: row.project,
    })
}

/// Networks of which members were told, and that are not made yet.
fn pending(db: &Read<'_>) -> Result<Vec<Network>> {
    let mut found: Vec<Network> = Vec::new();
    for (name, member) in rows::all_promised(db)? {
        match found.last_mut().filter(|last| last.name == name) {
            Some(last) => last.locations.push(member),
            None => found.push(Network {
                name,
                r#type: String::from("bridge"),
                managed: true,
                status: String::from("Pending"),
                locations: vec![member],
                project: DEFAULT_PROJECT.to_owned(),
                ..Network::default()
            }),
        }
    }
    found.retain(|network| is_pending(db, &network.name).unwrap_or(false));
    Ok(found)
}

/// Whether members were told of a network, and none makes it.
fn is_pending(db: &Read<'_>, name: &str) -> Result<bool> {
    let is_made = rows::all(db)?.iter().any(|row| row.name == name);
    Ok(!is_made && !rows::promised(db, name)?.is_empty())
}

/// The keys that this member has its own value of, and that can be said when a server joins: network, key, what it is.
pub fn local_keys(world: &World) -> Result<Vec<(String, String, String)>> {
    let rows = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    let mut found = Vec::new();
    for row in rows.into_iter().filter(|row| row.made == Made::Ready) {
        for key in rows::parts(&row.config).1.keys() {
            let words = format!("\"{key}\" of network \"{}\"", row.name);
            found.push((row.name.clone(), key.to_owned(), words));
        }
    }
    Ok(found)
}

/// The instances and profiles with a network device on it.
fn users(db: &Read<'_>, network: &rows::Network) -> Result<Vec<String>> {
    let on_it = |device: &Raw| {
        device.get("network") == Some(&network.name) || device.get("parent") == Some(&network.name)
    };
    let mut users = Vec::new();
    for row in instances::all(db)? {
        let expanded = crate::expand::expand(db, &row)?;
        if expanded.devices.0.values().any(on_it) && home(db, &row.project)? == network.project {
            users.push(url::instance(&row.project, &row.name));
        }
    }
    for row in profiles::all(db)? {
        if row.devices.0.values().any(on_it) && home(db, &row.project)? == network.project {
            users.push(url::of("profiles", &row.name, &row.project));
        }
    }
    Ok(users)
}

fn writable(row: &rows::Network) -> NetworkPut {
    NetworkPut { config: row.config.0.clone(), description: row.description.clone() }
}

fn check_options(config: &Raw) -> Result<BridgeOptions> {
    Ok(BridgeOptions::parse(config)?)
}

/// Writes what was chosen for `auto` into the configuration.
fn settle(config: &mut Raw, applied: &network::Applied) {
    for (key, chosen) in [
        ("ipv4.address", applied.ipv4.map(|net| net.to_string())),
        ("ipv6.address", applied.ipv6.map(|net| net.to_string())),
    ] {
        if config.get(key) == Some("auto") {
            config.set(key, chosen.unwrap_or_else(|| String::from("none")));
        }
    }
}
