//! Storage pools and the volumes in them.

use std::path::PathBuf;

use options::Options;
use storage::{PoolOptions, PoolSpec};
use store::Read;
use uuid::Uuid;
use wire::{StoragePool, StoragePoolPut};

use crate::{
    Error, Result, World,
    db::{
        buckets as bucket_rows,
        instances::Made,
        pools as rows, profiles,
        volumes::{self, Volume},
    },
    url,
};

pub mod buckets;
mod ceph;
mod create;
mod delete;
mod everywhere;
pub(crate) mod ids;
mod keys;
mod lvm;
pub(crate) mod making;
mod pools;
pub(crate) mod resize;
mod source;
mod update;
mod usage;
mod verify;
mod zfs;

pub(crate) use self::{
    create::{Create, found_row},
    delete::{Delete, abandon},
    source::check_free,
};
pub use self::{
    create::{create, promise},
    delete::delete,
    everywhere::Everywhere,
    keys::{rekey, unlock},
    pools::{OpenPool, Pools},
    update::update,
    usage::usage,
    verify::verify,
};

/// The key of a pool's identity.
const ID: &str = "volatile.uuid";
/// The key of the identity of the file system on a pool's disk.
const DISK: &str = "volatile.source.uuid";

pub(crate) fn driver(name: &str) -> Result<&'static dyn storage::Driver> {
    storage::driver(name).ok_or_else(|| {
        let known: Vec<&str> = storage::DRIVERS.iter().map(|driver| driver.info().name).collect();
        Error::invalid("storage driver", format!("\"{name}\": {}", known.join(", ")))
    })
}

/// Whether members share what is in the pools of a driver.
pub(crate) fn is_shared(driver: &str) -> bool {
    storage::driver(driver).is_some_and(|driver| driver.info().remote)
}

/// Notes in a row what identifies its pool.
pub(crate) fn set_identity(row: &mut rows::Pool, spec: &PoolSpec) {
    for (key, value) in [(ID, spec.id), (DISK, spec.disk)] {
        if let Some(value) = value {
            row.config.set(key, value.to_string());
        }
    }
}

pub(crate) fn spec(world: &World, row: &rows::Pool) -> Result<PoolSpec> {
    let own = own_source(world, &row.driver, &row.name);
    let source = row.config.get("source").map(PathBuf::from).filter(|source| *source != own);
    let options = parse_options(&row.driver, &row.config)?;
    let uuid = |key| row.config.get(key).and_then(|text| Uuid::parse_str(text).ok());
    Ok(PoolSpec {
        name: row.name.clone(),
        id: uuid(ID),
        disk: uuid(DISK),
        keys: options.encrypt.then(|| world.dirs.keys()),
        path: world.dirs.pool(&row.name),
        source,
        options,
    })
}

/// What a pool has as its source that was given none.
fn own_source(world: &World, driver: &str, name: &str) -> PathBuf {
    let folder = world.dirs.pool(name);
    match driver {
        "btrfs" | "lvm" | "zfs" => folder.with_file_name(format!("{name}.img")),
        // An OSD pool.
        "ceph" => PathBuf::from(name),
        _ => folder,
    }
}

pub(crate) fn find(db: &Read<'_>, name: &str) -> Result<rows::Pool> {
    rows::get(db, name)?
        .filter(|row| row.made == Made::Ready)
        .ok_or_else(|| Error::not_found("storage pool", name))
}

/// Every pool.
pub fn list(world: &World) -> Result<Vec<StoragePool>> {
    world.store.read(|db| {
        let rows = rows::all(db)?.into_iter().filter(|row| row.made == Made::Ready);
        rows.map(|row| render(world, db, row)).collect()
    })
}

/// The keys that each member has its own value of, and that can be said when a server joins: pool, key, what it is.
pub fn local_keys(world: &World) -> Result<Vec<(String, String, String)>> {
    let rows = world.store.read(|db| Ok::<_, Error>(rows::all(db)?))?;
    let mut found = Vec::new();
    for row in rows.into_iter().filter(|row| row.made == Made::Ready) {
        let keys =
            table(&row.driver).all().into_iter().map(|(prefix, opt)| (prefix + opt.key, opt));
        let said = |key: &str| row.config.has(key) && !key.starts_with("volatile.");
        for (key, opt) in keys.filter(|(key, _)| said(key) && table(&row.driver).is_local(key)) {
            let words = format!("\"{key}\" of storage pool \"{}\": {}", row.name, opt.short);
            found.push((row.name.clone(), key, words));
        }
    }
    Ok(found)
}

/// One pool.
pub fn get(world: &World, name: &str) -> Result<StoragePool> {
    world.store.read(|db| render(world, db, find(db, name)?))
}

fn render(world: &World, db: &Read<'_>, row: rows::Pool) -> Result<StoragePool> {
    let row_name = row.name.clone();
    Ok(StoragePool {
        used_by: users(db, &row.name)?,
        status: String::from(if world.pools.is_gone(&row.name) {
            "Unavailable"
        } else {
            "Created"
        }),
        name: row.name,
        description: row.description,
        driver: row.driver,
        config: row.config.0,
        locations: match world.is_clustered() {
            true => rows::locals(db, &row_name)?.into_iter().map(|one| one.member).collect(),
            false => vec![String::from("none")],
        },
    })
}

/// What uses a pool: its volumes, its buckets, and profiles with a disk on it.
fn users(db: &Read<'_>, pool: &str) -> Result<Vec<String>> {
    let mut users: Vec<String> =
        volumes::of_pool(db, pool)?.iter().map(|volume| volume_url(pool, volume)).collect();
    for bucket in bucket_rows::of_pool(db, pool)? {
        users.push(buckets::address(pool, &bucket.project, &bucket.name));
    }
    for profile in profiles::all(db)? {
        if profile.devices.0.values().any(|device| device.get("pool") == Some(pool)) {
            users.push(url::of("profiles", &profile.name, &profile.project));
        }
    }
    Ok(users)
}

fn volume_url(pool: &str, volume: &Volume) -> String {
    match volume.kind.as_str() {
        "container" | "virtual-machine" => url::instance(&volume.project, &volume.name),
        kind => {
            url::of(&format!("storage-pools/{pool}/volumes/{kind}"), &volume.name, &volume.project)
        }
    }
}

fn writable(row: &rows::Pool) -> StoragePoolPut {
    StoragePoolPut { config: row.config.0.clone(), description: row.description.clone() }
}

/// The options that volumes in pools of a driver have.
pub(crate) fn volume_table(driver: &str) -> options::Table {
    match driver {
        "ceph" => options::CephVolumeOptions::TABLE,
        "lvm" => options::LvmVolumeOptions::TABLE,
        "zfs" => options::ZfsVolumeOptions::TABLE,
        _ => options::VolumeOptions::TABLE,
    }
}

/// The options that pools of a driver have.
pub(crate) fn table(driver: &str) -> options::Table {
    match driver {
        "btrfs" => options::BtrfsPoolOptions::TABLE,
        "ceph" => options::CephPoolOptions::TABLE,
        "lvm" => options::LvmPoolOptions::TABLE,
        "zfs" => options::zfs::ZfsPoolOptions::TABLE,
        _ => options::DirPoolOptions::TABLE,
    }
}

/// What a driver needs to know of a pool's configuration, all of which is checked.
fn parse_options(driver: &str, config: &options::Raw) -> Result<PoolOptions> {
    match driver {
        "btrfs" => {
            let options = options::storage::BtrfsPoolOptions::parse(config)?;
            Ok(PoolOptions {
                size: options.size.map(|size| size.0),
                mount_options: options.mount_options,
                wipe: options.wipe,
                encrypt: options.encrypt,
                ..PoolOptions::default()
            })
        }
        "ceph" => ceph::parse(config),
        "lvm" => lvm::parse(config),
        "zfs" => zfs::parse(config),
        _ => {
            options::storage::DirPoolOptions::parse(config)?;
            Ok(PoolOptions::default())
        }
    }
}
