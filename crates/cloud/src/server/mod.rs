//! The server itself: what it is, what it can, its options.

use options::{Options, Raw, server::ServerOptions};
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
        instance_types: vec![String::from("container")],
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

/// Changes the server's options to what `change` makes of them.
pub async fn update(
    world: &World,
    caller: &Caller,
    seen: IfMatch,
    change: impl Fn(ServerPut) -> Result<ServerPut> + Send,
) -> Result<()> {
    world
        .store
        .write(|db| {
            let old = ServerPut { config: rows::get(db)?.0 };
            etag::check(&seen, &old, "server", "configuration")?;
            let config: Raw = change(old)?.config.into();
            let typed = ServerOptions::parse(&config)?;
            if typed.https_address.is_some() {
                return Err(Error::Unsupported("core.https_address"));
            }
            Ok(rows::replace(db, &config)?)
        })
        .await?;
    world.tell(caller, crate::names::DEFAULT_PROJECT, "config-updated", String::from("/1.0"));
    Ok(())
}
