//! The server itself: what it is, what it can, its options.

use options::{ListenAddress, Options, Raw, server::ServerOptions};
use store::Read;
use wire::{Server, ServerEnvironment, ServerPut, ServerStorageDriver};

use crate::{
    Caller, Error, Result, World,
    db::{pools, server as rows},
    etag::{self, IfMatch},
};

mod extensions;
mod resources;

pub use self::{extensions::EXTENSIONS, resources::resources};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the server is, for a client it trusts.
pub fn get(world: &World, caller: &Caller, project: &str) -> Result<Server> {
    let (config, drivers) = world.store.read(|db| {
        let mut drivers: Vec<String> =
            pools::all(db)?.into_iter().map(|pool| pool.driver).collect();
        drivers.sort();
        drivers.dedup();
        Ok::<_, Error>((rows::get(db)?, drivers))
    })?;
    let requestor = caller.requestor.clone().unwrap_or_default();
    Ok(Server {
        api_extensions: EXTENSIONS.iter().map(ToString::to_string).collect(),
        api_status: String::from("stable"),
        api_version: String::from("1.0"),
        auth: String::from("trusted"),
        auth_methods: vec![String::from("tls")],
        public: false,
        auth_user_name: requestor.username,
        auth_user_method: requestor.protocol,
        config: Some(config.0),
        environment: Some(environment(world, project, drivers)),
    })
}

fn environment(world: &World, project: &str, drivers: Vec<String>) -> ServerEnvironment {
    let host = &world.host;
    let versions = vec![VERSION; drivers.len()].join(" | ");
    ServerEnvironment {
        architectures: vec![host.architecture.clone()],
        driver: String::from("microcloud"),
        driver_version: VERSION.to_owned(),
        instance_types: vec![String::from("container"), String::from("virtual-machine")],
        firewall: String::from("nftables"),
        kernel: String::from("Linux"),
        kernel_architecture: host.architecture.clone(),
        kernel_version: host.kernel.clone(),
        os_name: host.os.0.clone(),
        os_version: host.os.1.clone(),
        project: project.to_owned(),
        server: String::from("microcloud"),
        server_clustered: false,
        server_event_mode: String::from("full-mesh"),
        server_name: world.me.clone(),
        server_pid: i64::from(std::process::id()),
        server_version: VERSION.to_owned(),
        storage: drivers.join(" | "),
        storage_version: versions,
        storage_supported_drivers: storage::DRIVERS
            .iter()
            .filter(|driver| driver.unable().is_none())
            .map(|driver| ServerStorageDriver {
                Name: driver.info().name.to_owned(),
                Version: driver.info().version.to_string(),
                Remote: driver.info().remote,
            })
            .collect(),
        ..ServerEnvironment::default()
    }
}

/// Changes the server's options to what `change` makes of them. First the door to the buckets goes where it
/// is to be: if it cannot, nothing has changed.
pub async fn update(
    world: &World,
    caller: &Caller,
    seen: IfMatch,
    change: impl Fn(ServerPut) -> Result<ServerPut> + Send + Sync,
) -> Result<()> {
    let claim = [tasks::Claim::alone("server-options")];
    let _turn = world.locks().lock(&claim, "the server's options").await;
    let (before, after) = world.store.read(|db| changed(db, &seen, &change))?;
    listen(world, parse(&after)?.storage_buckets_address).await?;
    let written = world.store.write(|db| {
        let (_, new) = changed(db, &seen, &change)?;
        Ok::<_, Error>(rows::replace(db, &new)?)
    });
    if let Err(error) = written.await {
        listen(world, parse(&before)?.storage_buckets_address).await?;
        return Err(error);
    }
    world.tell(caller, crate::names::DEFAULT_PROJECT, "config-updated", String::from("/1.0"));
    Ok(())
}

/// The options as they are, and as they are to be.
fn changed(
    db: &Read<'_>,
    seen: &IfMatch,
    change: &impl Fn(ServerPut) -> Result<ServerPut>,
) -> Result<(Raw, Raw)> {
    let before = rows::get(db)?;
    let old = ServerPut { config: before.0.clone() };
    etag::check(seen, &old, "server", "configuration")?;
    let after: Raw = change(old)?.config.into();
    match parse(&after)?.https_address {
        Some(_) => Err(Error::Unsupported("core.https_address")),
        None => Ok((before, after)),
    }
}

fn parse(config: &Raw) -> Result<ServerOptions> {
    Ok(ServerOptions::parse(config)?)
}

async fn listen(world: &World, address: Option<ListenAddress>) -> Result<()> {
    let Some(door) = world.buckets_door() else { return Ok(()) };
    let shown = address.as_ref().map(ToString::to_string).unwrap_or_default();
    let listening = door.listen(address).await;
    listening.map_err(|source| Error::Listen { address: shown, source })
}
