//! What a guest may ask: of itself only.

use std::collections::BTreeMap;

use options::{
    Options,
    instance::{InstanceOptions, device_key},
};
use wire::DevicesMap;

use crate::{
    Caller, Error, Result, World,
    db::{self, instances as rows},
    expand::{self, Expanded},
    images::{self, export::Export},
    instances::guests::{Guest, Phase},
    url,
};

/// What an instance is told of itself.
pub struct About {
    /// The server that it is on.
    pub location: String,
    /// Whether it is a virtual machine.
    pub machine: bool,
    /// Whether it said that it is ready.
    pub ready: bool,
}

/// Where a guest is, and what.
pub fn about(world: &World, guest: &Guest) -> About {
    About { location: world.me(), machine: guest.spec().machine, ready: guest.devlxd().is_ready() }
}

/// Whether a key is for the guest's eyes.
pub(super) fn visible(key: &str) -> bool {
    key.starts_with("user.") || key.starts_with("cloud-init.")
}

/// The options that the guest may see.
pub fn config(world: &World, guest: &Guest) -> Result<BTreeMap<String, String>> {
    let config = whole(world, guest)?.config.0;
    Ok(config.into_iter().filter(|(key, _)| visible(key)).collect())
}

/// One of them; [`Error::Forbidden`] for one that it may not see.
pub fn key(world: &World, guest: &Guest, key: &str) -> Result<String> {
    if !visible(key) {
        return Err(Error::Forbidden);
    }
    let value = whole(world, guest)?.config.get(key).map(str::to_owned);
    value.ok_or_else(|| Error::NotFound { what: "key", name: key.to_owned() })
}

/// Its devices; a network card with the address that it got.
pub fn devices(world: &World, guest: &Guest) -> Result<DevicesMap> {
    let Expanded { config, devices } = whole(world, guest)?;
    let mut devices = db::devices_out(devices);
    for (name, device) in &mut devices {
        let given = config.get(&device_key(name, "hwaddr"));
        if let (Some("nic"), Some(given)) = (device.get("type").map(String::as_str), given) {
            device.entry(String::from("hwaddr")).or_insert_with(|| given.to_owned());
        }
    }
    Ok(devices)
}

/// What its cloud-init takes for the meta-data of its cloud.
pub fn meta_data(world: &World, guest: &Guest) -> Result<String> {
    let config = whole(world, guest)?.config;
    let get = |key| config.get(key).unwrap_or_default();
    let (id, own) = (get("volatile.cloud-init.instance-id"), get("user.meta-data"));
    Ok(format!("#cloud-config\ninstance-id: {id}\nlocal-hostname: {}\n{own}", guest.name()))
}

/// The files of an image, for a guest that may have images: one that anybody may have, or that was only fetched for
/// instances.
pub async fn image(world: &World, guest: &Guest, fingerprint: &str) -> Result<Export> {
    let options = InstanceOptions::parse_known(&whole(world, guest)?.config)?;
    if !options.security.devlxd_images {
        return Err(Error::Forbidden);
    }
    let image = images::get(world, guest.project(), fingerprint)?;
    if !image.public && !image.cached {
        return Err(Error::not_found("image", fingerprint));
    }
    images::export::export(world, guest.project(), &image.fingerprint).await
}

/// Takes note that a guest is ready, or no longer.
pub async fn set_state(world: &World, guest: &Guest, ready: bool) -> Result<()> {
    if guest.devlxd().is_ready() == ready {
        return Ok(());
    }
    let (project, name) = (guest.project(), guest.name());
    world
        .store
        .write(|db| {
            let mut row = rows::get(db, project, name)?
                .filter(|_| guest.phase() != Phase::Gone)
                .ok_or_else(|| Error::not_found("instance", name))?;
            row.config.set(READY, ready.to_string());
            Ok::<_, Error>(rows::set_config(db, row.id, &row.config)?)
        })
        .await?;
    guest.devlxd().set_ready(ready);
    if ready {
        world.tell(&Caller::default(), project, "instance-ready", url::instance(project, name));
    }
    Ok(())
}

/// Where it is kept, for the next daemon.
pub(crate) const READY: &str = "volatile.last_state.ready";

fn whole(world: &World, guest: &Guest) -> Result<Expanded> {
    let (project, name) = (guest.project(), guest.name());
    world.store.read(|db| {
        // One whose launch is not over yet asks too.
        let row = rows::get(db, project, name)?.filter(|_| guest.phase() != Phase::Gone);
        let row = row.ok_or_else(|| Error::not_found("instance", name))?;
        expand::expand(db, &row)
    })
}
