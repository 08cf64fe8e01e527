//! After the database is gone: what the pools hold is put into it again.
//!
//! Every pool keeps a [`record`] of the rows that its volumes need, written a moment after they change
//! (`reconcile/records.rs`). What is on disk decides; the record only says what it was. Nothing in a
//! pool is changed, so that a recovery can be tried and repeated.

mod merge;
pub(crate) mod record;
mod rows;

use std::path::{Path, PathBuf};

use wire::StoragePoolsPost;

pub use self::merge::Unknown;
use self::{merge::OnDisk, record::Record};
use crate::{
    Caller, Error, Result, World,
    blocking::blocking,
    db::{
        instances::Made,
        pools::{self as table, Pool},
    },
    storage::{self as pools, OpenPool},
};

/// What a recovery would bring.
#[derive(Debug, Default)]
pub struct Found {
    /// Pools that the database does not have.
    pub pools: Vec<String>,
    /// Volumes that it does not have.
    pub volumes: Vec<Unknown>,
    /// What cannot be recovered, and why.
    pub problems: Vec<String>,
}

/// A pool that was looked into.
struct Seen {
    row: Pool,
    new: bool,
    pool: OpenPool,
    record: Record,
    on_disk: Vec<OnDisk>,
}

/// Looks into the pools that the database has, those that lie in the state folder, and those that are
/// named. Changes nothing.
pub async fn look(world: &World, named: Vec<StoragePoolsPost>) -> Result<Found> {
    let mut found = Found::default();
    for post in candidates(world, named)? {
        match see(world, post).await {
            Ok(seen) => {
                let (volumes, problems) =
                    world.store.read(|db| merge::unknown(db, &seen.row, &seen.on_disk))?;
                found.pools.extend(seen.new.then(|| seen.row.name.clone()));
                found.volumes.extend(volumes);
                found.problems.extend(problems);
            }
            Err(error) => found.problems.push(tasks::chain(&error)),
        }
    }
    Ok(found)
}

/// Recovers all that [`look`] finds. A pool is recovered whole or not at all.
pub async fn recover(
    world: &World,
    caller: &Caller,
    named: Vec<StoragePoolsPost>,
) -> Result<Found> {
    let mut found = Found::default();
    let new = world.store.read(|db| Ok::<_, Error>(table::all(db)?.is_empty()))?;
    for post in candidates(world, named)? {
        let claim = [tasks::Claim::alone(format!("pool/{}", post.name))];
        let _turn = world.locks().lock(&claim, "a recovery").await;
        let (seen, claimed, busy) = match hold(world, post).await {
            Ok(claimed) => claimed,
            Err(error) => {
                found.problems.push(tasks::chain(&error));
                continue;
            }
        };
        let (volumes, problems) = world
            .store
            .write(|db| {
                let (mut wanted, problems) = merge::unknown(db, &seen.row, &seen.on_disk)?;
                wanted.retain(|one| claimed.iter().any(|(claim, _)| *claim == one.claim()));
                merge::write(db, world, &seen.row, &seen.record, &seen.on_disk, &wanted, new)?;
                Ok::<_, Error>((wanted, problems))
            })
            .await?;
        found.problems.extend(busy);
        let address =
            crate::url::of("storage-pools", &seen.row.name, crate::names::DEFAULT_PROJECT);
        world.tell(caller, crate::names::DEFAULT_PROJECT, "storage-pool-updated", address);
        found.pools.extend(seen.new.then_some(seen.row.name));
        found.volumes.extend(volumes);
        found.problems.extend(problems);
    }
    crate::reconcile::after_recovery(world, &found.volumes).await;
    Ok(found)
}

/// A name that is held.
type Held = (tasks::Claim, tasks::Guard);

/// Looks into a pool and claims what the database does not have of it, so that no task makes, moves or
/// deletes any of that meanwhile. Says what a task holds.
async fn hold(world: &World, post: StoragePoolsPost) -> Result<(Seen, Vec<Held>, Vec<String>)> {
    let mut seen = see(world, post).await?;
    let (wanted, _) = world.store.read(|db| merge::unknown(db, &seen.row, &seen.on_disk))?;
    let (mut held, mut busy) = (Vec::new(), Vec::new());
    for one in wanted {
        match world.locks().try_lock(&[one.claim()], "a recovery") {
            Ok(guard) => held.push((one.claim(), guard)),
            Err(error) => busy.push(format!("{one}: {error}")),
        }
    }
    // What is there now stays.
    seen.on_disk = on_disk(seen.pool.clone()).await?;
    Ok((seen, held, busy))
}

/// The pools to look into, each once.
fn candidates(world: &World, named: Vec<StoragePoolsPost>) -> Result<Vec<StoragePoolsPost>> {
    let mut all = named;
    let known = world.store.read(|db| Ok::<_, Error>(table::all(db)?))?;
    let known = known.into_iter().filter(|row| row.made == Made::Ready);
    let posts = known.map(|row| StoragePoolsPost {
        name: row.name,
        driver: row.driver,
        description: row.description,
        config: row.config.0,
    });
    for post in posts.chain(in_state_folder(world)?) {
        if all.iter().all(|other| other.name != post.name) {
            all.push(post);
        }
    }
    Ok(all)
}

/// Pools whose files, or a link to them, are where this server keeps pools.
fn in_state_folder(world: &World) -> Result<Vec<StoragePoolsPost>> {
    let folder = world.dirs.pool("");
    let entries = match std::fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(Error::file("list", &folder))?,
    };
    let mut found = Vec::new();
    for entry in entries.filter_map(std::result::Result::ok) {
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = entry.path();
        let (name, driver) = match name.strip_suffix(".img") {
            Some(name) if path.is_file() => (name.to_owned(), storage::driver_in(&path)?),
            _ => (name, storage::driver_in(&path)?),
        };
        let Some(driver) = driver.filter(|_| options::names::check_pool(&name).is_ok()) else {
            continue;
        };
        let mut post = StoragePoolsPost { name, driver, ..StoragePoolsPost::default() };
        if let Some(source) = linked(&path) {
            post.config.insert(String::from("source"), source.display().to_string());
        }
        found.push(post);
    }
    Ok(found)
}

fn linked(path: &Path) -> Option<PathBuf> {
    std::fs::read_link(path).ok()
}

/// Opens a pool and reads what is in it.
async fn see(world: &World, post: StoragePoolsPost) -> Result<Seen> {
    let known = world.store.read(|db| Ok::<_, Error>(table::get(db, &post.name)?))?;
    if let Some(row) = known {
        let pool = world.pools.open(world, &row.name).await?;
        return inside(row, false, pool).await;
    }
    let mut row = pools::found_row(world, post)?;
    pools::check_free(world, &row).await?;
    let (driver, mut spec) = (pools::driver(&row.driver)?, pools::spec(world, &row)?);
    let (pool, spec) = blocking("look for pool", move || {
        spec.id = driver.recognise(&spec)?;
        spec.disk = driver.identify(&spec)?;
        // Before it is made usable here, so that nothing is made where no pool is.
        driver.open(&spec)?;
        driver.create(&spec)?;
        Ok::<_, Error>((OpenPool::from(driver.open(&spec)?), spec))
    })
    .await?;
    pools::set_identity(&mut row, &spec);
    inside(row, true, pool).await
}

async fn inside(row: Pool, new: bool, pool: OpenPool) -> Result<Seen> {
    let (kept, on_disk) = (pool.clone(), on_disk(pool.clone()).await?);
    let record = blocking("read record of pool", move || Record::read(kept.kept()?)).await?;
    let mut row = row;
    if let Some(recorded) = record.pool.as_ref().filter(|_| new) {
        // What was set on it; where it is was said now.
        for (key, value) in recorded.config.iter() {
            row.config.set_default(key, value);
        }
        row.description.clone_from(&recorded.description);
    }
    Ok(Seen { row, new, pool, record, on_disk })
}

async fn on_disk(pool: OpenPool) -> Result<Vec<OnDisk>> {
    blocking("read pool", move || {
        let all = pool.list()?.into_iter().map(|id| {
            let info = pool.describe(&id)?;
            let snapshots = match pool.snapshots() {
                Some(snapshots) if id.kind != storage::VolumeKind::Image => snapshots.list(&id)?,
                _ => Vec::new(),
            };
            Ok::<_, Error>(OnDisk { id, info, snapshots })
        });
        all.collect()
    })
    .await
}
