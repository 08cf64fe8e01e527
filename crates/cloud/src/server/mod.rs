//! The server itself: what it is, what it can, its options.

use std::sync::OnceLock;

use options::{Options, Raw, server::ServerOptions};
use store::Read;
use wire::{Server, ServerEnvironment, ServerPut, ServerStorageDriver};

use crate::{
    Caller, Error, Result, World,
    access::Rights,
    db::{pools, server as rows},
    depots,
    etag::{self, IfMatch},
};

mod address;
pub mod database;
pub mod doors;
mod extensions;
pub(crate) mod password;
mod resources;
mod wear;

pub(crate) use self::address::{own_all, own_towards, present, reached};
pub use self::{doors::Doors, extensions::EXTENSIONS, resources::resources, wear::wear};

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What clients ask about the kernel. All came with Linux 5.12 or before, without which no container starts here.
const KERNEL_FEATURES: [&str; 3] =
    ["idmapped_mounts", "seccomp_listener", "seccomp_listener_continue"];

/// What the server is. A client that it does not trust hears what it needs to become trusted; one that is held to
/// projects sees no options.
pub fn get(world: &World, caller: &Caller, project: &str) -> Result<Server> {
    let requestor = caller.requestor.clone().unwrap_or_default();
    let trusted = !matches!(caller.rights, Rights::Nothing | Rights::Metrics);
    let mut server = Server {
        api_extensions: EXTENSIONS.iter().map(ToString::to_string).collect(),
        api_status: String::from("stable"),
        api_version: String::from("1.0"),
        auth: String::from(if trusted { "trusted" } else { "untrusted" }),
        auth_methods: vec![String::from("tls")],
        ..Server::default()
    };
    if !trusted {
        return Ok(server);
    }
    let (config, drivers) = world.store.read(|db| {
        let mut drivers: Vec<String> =
            pools::all(db)?.into_iter().map(|pool| pool.driver).collect();
        drivers.sort();
        drivers.dedup();
        Ok::<_, Error>((rows::get(db)?, drivers))
    })?;
    (server.auth_user_name, server.auth_user_method) = (requestor.username, requestor.protocol);
    server.environment = Some(environment(world, project, drivers)?);
    server.config = (caller.rights == Rights::Everything).then(|| password::shown(&config));
    Ok(server)
}

/// Where the API is reached over the network, `host:port`.
pub fn addresses(world: &World) -> Result<Vec<String>> {
    let options = parse(&world.store.read(|db| Ok::<_, Error>(rows::get(db)?))?)?;
    let address = options.https_address;
    Ok(address.map(|address| reached(&present(&address), doors::HTTPS_PORT)).unwrap_or_default())
}

fn environment(world: &World, project: &str, drivers: Vec<String>) -> Result<ServerEnvironment> {
    let host = &world.host;
    let versions = vec![VERSION; drivers.len()].join(" | ");
    let identity = world.identity()?;
    Ok(ServerEnvironment {
        addresses: addresses(world)?,
        certificate: identity.pem(),
        certificate_fingerprint: identity.fingerprint(),
        architectures: vec![host.architecture.clone()],
        driver: String::from("microcloud"),
        driver_version: VERSION.to_owned(),
        instance_types: vec![String::from("container"), String::from("virtual-machine")],
        firewall: String::from("nftables"),
        kernel: String::from("Linux"),
        kernel_architecture: host.architecture.clone(),
        kernel_features: KERNEL_FEATURES.map(|name| (name.to_owned(), "true".to_owned())).into(),
        kernel_version: host.kernel.clone(),
        os_name: host.os.0.clone(),
        os_version: host.os.1.clone(),
        project: project.to_owned(),
        server: String::from("microcloud"),
        server_clustered: world.is_clustered(),
        server_event_mode: String::from("full-mesh"),
        server_name: world.me(),
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
    })
}

/// Changes the server's options to what `change` makes of them. First the doors go where they are to be: if one
/// cannot, nothing has changed. Images and backups that are to be on another volume are moved before this returns.
pub async fn update(
    world: &World,
    caller: &Caller,
    seen: IfMatch,
    change: impl Fn(ServerPut) -> Result<ServerPut> + Send + Sync,
) -> Result<()> {
    let _turn = turn(world).await;
    // Hashed once: it takes a while.
    let hashed = OnceLock::<(String, String)>::new();
    let hash = |password: &str| {
        if let Some((_, hash)) = hashed.get().filter(|(of, _)| of == password) {
            return Ok(hash.clone());
        }
        let hash = tls::password::hash(password)
            .map_err(Error::file("read", "random numbers".as_ref()))?;
        Ok(hashed.get_or_init(|| (password.to_owned(), hash)).1.clone())
    };
    let raw = world.store.read(|db| changed(db, &seen, &change, &hash))?;
    let (before, after) = (parse(&raw.0)?, parse(&raw.1)?);
    doors::change(world, &before, &after).await?;
    let written = async {
        if let Some(moving) = depots::submit(world, caller, &raw.0, &raw.1).await? {
            return moving.result().await.map_err(Error::failed);
        }
        let written = world.store.write(|db| {
            let (_, new) = changed(db, &seen, &change, &hash)?;
            Ok::<_, Error>(rows::replace(db, &new)?)
        });
        written.await
    };
    if let Err(error) = written.await {
        doors::change(world, &after, &before).await?;
        return Err(error);
    }
    world.cluster.moved.notify_one();
    world.tell(caller, crate::names::DEFAULT_PROJECT, "config-updated", String::from("/1.0"));
    Ok(())
}

/// Whoever has it may change the options, or open doors by them.
async fn turn(world: &World) -> tasks::Guard {
    let claim = [tasks::Claim::alone("server-options")];
    world.locks().lock(&claim, "the server's options").await
}

/// The options as they are, and as they are to be.
fn changed(
    db: &Read<'_>,
    seen: &IfMatch,
    change: &impl Fn(ServerPut) -> Result<ServerPut>,
    hash: &impl Fn(&str) -> Result<String>,
) -> Result<(Raw, Raw)> {
    let before = rows::get(db)?;
    let old = ServerPut { config: password::shown(&before) };
    etag::check(seen, &old, "server", "configuration")?;
    let mut after = change(old)?.config;
    password::keep(&before, &mut after, hash)?;
    let after: Raw = after.into();
    parse(&after)?;
    Ok((before, after))
}

fn parse(config: &Raw) -> Result<ServerOptions> {
    Ok(ServerOptions::parse(config)?)
}
